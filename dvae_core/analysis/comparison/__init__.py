"""Several runs and imported latents side by side, on the same held-out rows."""
