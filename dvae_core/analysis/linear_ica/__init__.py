"""Linear ICA on linear and nonlinear mixtures."""
