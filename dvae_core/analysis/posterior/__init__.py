"""The distribution of z given x: the exact posterior of two latents, and the Gaussians that approximate it."""
