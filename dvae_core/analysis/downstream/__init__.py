"""How useful the latents are as features, beside raw x, PCA and FastICA."""
