"""The held-out scores of each member of a run, beside scores that need no model."""
