"""CEBRA (cebra 0.6.1) on four seeds, with the segment as a discrete label."""

import cebra
import numpy as np
import torch

data = np.load("talk.npz")
latents = []
for seed in range(4):
    torch.manual_seed(seed)
    model = cebra.CEBRA(model_architecture="offset1-model", output_dimension=3, max_iterations=300, batch_size=256)
    latents.append(model.fit(data["x"], data["u"]).transform(data["x"]))
np.savez("cebra.npz", mu_z=np.stack(latents), row=data["row"])
