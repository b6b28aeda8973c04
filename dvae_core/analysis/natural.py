"""lambda(u), the coefficients of a Gaussian p(z|u): of the known factors, and of the prior that a run has learned."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from dvae_core.analysis.common import best_member
from dvae_core.analysis.latents import factor_colours, held_out
from dvae_core.analysis.recovery.record import recovery
from dvae_core.runs import Run


def natural_parameters(run: Run) -> tuple[Float[np.ndarray, "m d 2"], Float[np.ndarray, "m d 2"], Sequence[str]]:
    """Return lambda(u) of the true factors and of the learned prior, on the factors' scale, and the names of u.

    A latent belongs to the factor that it follows most, and is mapped to the factor's scale by least squares: what the
    theorem leaves free.

    Returns:
        Two arrays [values of u, factors, 2] (lambda of T = z and of T = z²), and the names.
    """
    found, (hue, names) = recovery(run, best_member(run)), factor_colours(run)
    assert found is not None, "the talk's data have known factors"
    assert hue is not None, "the talk's data have labels"
    latents, member = held_out(run), best_member(run)
    rows = latents["x_rows"]
    mu, prior_mu = latents["mu_z"][member][rows], latents["prior_mu"][member][rows]
    prior_var = np.exp(latents["prior_logvar"][member][rows])
    true, learned = [], []
    for factor in found.z_true[rows].T:
        i = int(np.abs(np.corrcoef(factor, mu.T)[0, 1:]).argmax())
        slope, offset = np.polyfit(mu[:, i], factor, 1)
        groups = [hue[rows] == k for k in range(len(names))]
        true.append([_lambda(factor[group].mean(), factor[group].var()) for group in groups])
        means, variances = slope * prior_mu[:, i] + offset, slope**2 * prior_var[:, i]
        learned.append([_lambda(means[group].mean(), variances[group].mean()) for group in groups])
    return np.array(true).transpose(1, 0, 2), np.array(learned).transpose(1, 0, 2), names


def _lambda(mean: float, variance: float) -> tuple[float, float]:
    """Return the coefficients of T = (z, z²) of a Gaussian."""
    return mean / variance, -0.5 / variance


def follows(true: Float[np.ndarray, "m d 2"], learned: Float[np.ndarray, "m d 2"]) -> list[float]:
    """Return the correlation over u of each learned coefficient with the true one, for each factor."""
    return [float(np.corrcoef(true[:, i, j], learned[:, i, j])[0, 1]) for i in range(true.shape[1]) for j in range(2)]
