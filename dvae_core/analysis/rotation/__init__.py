"""What turning the latents changes: the curve against the angle, and the rotated twin."""
