"""What z given x looks like: the exact posterior of two latents, and the Gaussians that stand in for it."""
