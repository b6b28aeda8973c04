"""Variational autoencoders as populations of seeds: train VAE, beta-VAE and iVAE, and measure what they recovered.

Useful without the app: in a notebook, a script or a cluster job. Importing the package loads nothing heavy; modules
that need torch import it themselves.
"""

__version__ = "0.2.0"
