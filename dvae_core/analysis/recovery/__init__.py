"""The recovery of the true factors by one population, factor by factor."""
