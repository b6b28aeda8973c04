"""What one population recovered of the true factors, factor by factor."""
