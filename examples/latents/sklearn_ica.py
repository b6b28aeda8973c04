"""FastICA of scikit-learn on four seeds."""

import numpy as np
from sklearn.decomposition import FastICA

data = np.load("talk.npz")
latents = [FastICA(2, whiten="unit-variance", random_state=s).fit_transform(data["x"]) for s in range(4)]
np.savez("sklearn_ica.npz", mu_z=np.stack(latents), row=data["row"])
