"""A new session against the prior of a run: do its latents come out in the same order, and what does sharing cost?"""
