"""Training a population: the loop, its step, the optimiser, the device, and the files that it writes."""
