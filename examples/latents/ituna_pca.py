"""iTuna's ensemble (ituna 0.1.0) of PCA: the latents of its fitted estimators."""

import numpy as np
from ituna import ConsistencyEnsemble, metrics
from sklearn.decomposition import PCA

data = np.load("talk.npz")
transform = metrics.PairwiseConsistency(metrics.Identity())
ensemble = ConsistencyEnsemble(PCA(2, svd_solver="randomized"), transform, random_states=4).fit(data["x"])
np.savez("ituna.npz", mu_z=np.stack([e.transform(data["x"]) for e in ensemble.estimators_]), row=data["row"])
