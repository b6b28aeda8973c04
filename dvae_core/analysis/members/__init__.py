"""The scores of a population's members that a study needs."""
