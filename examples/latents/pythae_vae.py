"""A VAE of pythae 0.1.2 on four seeds: the encoder's means (its `embed` returns samples)."""

import numpy as np
import torch
from pythae.models import VAE, VAEConfig
from pythae.pipelines import TrainingPipeline
from pythae.trainers import BaseTrainerConfig

data, latents = np.load("talk.npz"), []
x = 10 * data["x"] / data["x"].std(0)  # its decoder has noise of 1: unscaled, the posterior collapses
for seed in range(4):
    vae = VAE(VAEConfig(input_dim=(2,), latent_dim=2))
    how = BaseTrainerConfig(num_epochs=3, output_dir="pythae", seed=seed)
    TrainingPipeline(model=vae, training_config=how)(x)
    latents.append(vae.eval().encoder(torch.from_numpy(x)).embedding.detach().numpy())
np.savez("pythae.npz", mu_z=np.stack(latents), row=data["row"])
