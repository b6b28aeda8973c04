"""Angles: the shortest way between two, their mean direction, and where latents point among the factors."""

import numpy as np
from jaxtyping import Float, Real

from dvae_core.metrics.recovery import align
from dvae_core.metrics.score import standardise


def circular_error(
    true: Real[np.ndarray, "*n"], guess: Real[np.ndarray, "*n"], period: float | int = 360.0
) -> Float[np.ndarray, "*n"]:
    """Return the shortest way between angles, in degrees from 0 to 180.

    Blind to the side: 350 and 10 degrees are each 20 degrees from the other. Guesses drawn evenly from the circle are
    90 degrees off on average.

    Args:
        true: Angles.
        guess: Other angles, in the same unit.
        period: A full circle in that unit: 360 for degrees, 2 pi for radians.

    Example:
        >>> circular_error(np.array([355.0, 10.0]), np.array([5.0, 190.0])).tolist()
        [10.0, 180.0]
    """
    apart = np.abs(np.asarray(true, float) - np.asarray(guess, float)) % period
    return np.minimum(apart, period - apart) * (360.0 / period)


def mean_direction(angles: Real[np.ndarray, " n"], period: float | int = 360.0) -> float:
    """Return the direction of the mean of the angles' unit vectors, in their unit, from 0 to below `period`.

    It is not defined for angles whose unit vectors cancel; then it is the direction of rounding errors.

    Example:
        >>> round(mean_direction(np.array([350.0, 20.0])), 9)
        5.0
    """
    turn = 2 * np.pi * np.asarray(angles, float) / period
    return float(np.arctan2(np.sin(turn).mean(), np.cos(turn).mean()) * period / (2 * np.pi) % period)


def latent_axes(
    z_true: Float[np.ndarray, "n d"], z_hat: Float[np.ndarray, "n d_hat"], plane: tuple[int, int] = (0, 1)
) -> Float[np.ndarray, "2 2"]:
    """Return where two latents point in the plane of two true factors: a unit vector a row.

    The direction in which a latent grows fastest, in standardised factors, by least squares on all of them. The latents
    are those matched to the two factors, with the sign of the match, so that (1, 0) and (0, 1) are the factors' own
    axes. Unlike the MCC it tells a rotation from noise: the mean MCC of eight turned pairs looks like a fair score, and
    their arrows are a fan. Blind to the latents' order, sign and scale, and to what is not linear.

    Args:
        z_true: True factors.
        z_hat: Latents of the same rows.
        plane: The two factors.

    Returns:
        One row for each factor of the plane; NaN for a factor without a latent, or with a dead one.

    Example:
        >>> z = np.random.default_rng(0).normal(size=(500, 2))
        >>> turned = z @ np.array([[0.8, 0.6], [-0.6, 0.8]])
        >>> latent_axes(z, turned).round(1).tolist()  # to sampling error
        [[0.8, -0.6], [0.6, 0.8]]
    """
    aligned = align(z_true, z_hat)[:, list(plane)]
    good = np.isfinite(aligned).all(0) & (aligned.std(0) > 0)
    found = np.full((2, 2), np.nan)
    if good.any():
        weights = np.linalg.lstsq(standardise(np.asarray(z_true, float)), aligned[:, good], rcond=None)[0]
        found[good] = weights[list(plane)].T
    return found / np.linalg.norm(found, axis=1, keepdims=True)
