"""The slides in code: encoder, posterior, generator, likelihood, prior, and the ELBO that combines them."""
