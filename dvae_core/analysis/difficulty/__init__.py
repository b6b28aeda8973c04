"""What needs no model at all on a data set: the reference lines that a model has to beat."""
