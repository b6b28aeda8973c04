"""Angles: the shortest way between two, and their mean direction."""

import numpy as np
from jaxtyping import Float, Real


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
