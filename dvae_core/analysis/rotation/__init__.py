"""The effects of turning the latents: the curve against the angle, and the rotated twin."""
