"""Draws of x given z, without torch: E[x|z] from the plan, and the noise that the likelihood adds to it."""

import numpy as np
from jaxtyping import Float

from dvae_core.config import GaussianLikelihood, NegativeBinomialLikelihood
from dvae_core.export.plan import Plan, decode
from dvae_core.runs import Run, RunError


def noise_of(run: Run) -> Float[np.ndarray, "p _"]:
    """Return the standard deviation of x given z in units of preprocessed x: one number, or one a dimension.

    Raises:
        RunError: If the likelihood is not Gaussian, or a network computes its noise from z.
    """
    likelihood = run.config.model.likelihood
    if not isinstance(likelihood, GaussianLikelihood) or likelihood.noise == "network":
        raise RunError("The noise of x given z depends on z in this run; only E[x|z] is drawn.")
    return np.exp(run.weights()["likelihood.log_std"])


def noise_covariance(run: Run, member: int) -> Float[np.ndarray, "d_x d_x"]:
    """Return Sigma_x, the covariance of x given z in the model's units.

    Raises:
        RunError: As `noise_of`.
    """
    inverse = run.weights()["scaling.x_inverse"]
    matrix = inverse if inverse.ndim == 2 else np.diag(np.broadcast_to(inverse, run.about["d_x"]))
    std = np.broadcast_to(noise_of(run)[member], len(matrix))
    return matrix.T @ np.diag(std**2) @ matrix


def draw_x(
    run: Run, plan: Plan, member: int, z: Float[np.ndarray, "n d_z"], *, seed: int = 0
) -> Float[np.ndarray, "n d_x"]:
    """Return one draw of x ~ p(x|z) for each z, in the model's units.

    Args:
        run: The run.
        plan: Its decoder.
        member: Which member.
        z: Latents.
        seed: Of the draws.

    Raises:
        RunError: If a network computes the noise from z: a plan has only the mean.
    """
    mean, weights, likelihood = decode(plan, member, z), run.weights(), run.config.model.likelihood
    rng = np.random.default_rng(seed)
    if isinstance(likelihood, GaussianLikelihood):
        noise = noise_of(run)[member] * rng.standard_normal(mean.shape)
        inverse = weights["scaling.x_inverse"]
        return mean + (noise @ inverse if inverse.ndim == 2 else noise * inverse)
    if likelihood.kind == "bernoulli":
        return (rng.random(mean.shape) < mean).astype(mean.dtype)
    rate = mean
    if isinstance(likelihood, NegativeBinomialLikelihood):  # a Poisson whose rate is gamma-distributed
        a = np.exp(weights["likelihood.log_dispersion"][member])
        rate = rng.gamma(1 / a, a * mean)
    return rng.poisson(rate).astype(mean.dtype)
