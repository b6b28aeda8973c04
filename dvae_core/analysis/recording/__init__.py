"""Whether a recording's latents come back in every seed, up to what, and what can be read from them."""
