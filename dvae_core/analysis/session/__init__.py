"""A new session trained against the prior of a run: are its latents in the same order, and what does sharing cost?"""
