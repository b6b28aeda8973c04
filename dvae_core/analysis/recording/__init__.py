"""Whether every seed finds the same latents of a recording, up to which map, and what can be decoded from them."""
