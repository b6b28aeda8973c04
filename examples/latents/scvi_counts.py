"""scVI (scvi-tools 1.4) on two seeds: counts drawn from the talk's x, with the rows' names in AnnData."""

import anndata
import numpy as np
import scvi

data = np.load("talk.npz")
counts = np.random.default_rng(0).poisson(np.exp(np.tile(data["x"], 5)))
for seed in range(2):
    scvi.settings.seed = seed
    table = anndata.AnnData(counts.astype(np.float32))
    scvi.model.SCVI.setup_anndata(table)
    model = scvi.model.SCVI(table, n_latent=2, n_hidden=32)
    model.train(max_epochs=5, enable_progress_bar=False)
    np.savez(f"scvi-{seed}.npz", mu_z=model.get_latent_representation(), row=data["row"])
