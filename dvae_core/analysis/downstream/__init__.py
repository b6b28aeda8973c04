"""What the latents are good for as features, beside raw x, PCA and FastICA."""
