"""The latents of every row of a run's data, in order, with the part of the split that each row belongs to."""
