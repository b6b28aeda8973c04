"""Scores of a data set that need no model: the reference lines that a model has to beat."""
