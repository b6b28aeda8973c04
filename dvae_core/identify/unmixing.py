"""Linear ICA in two dimensions: rotate whitened data until its components are independent (Comon 1994).

x = A s with independent s. Whitening leaves a rotation W to be found; the mutual information between the components of
W x, against the angle of W, says whether the data determine it.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float

from dvae_core.identify.matrices import rotation_matrix, turned
from dvae_core.metrics import mcc

World = Literal["laplace", "gaussian", "nonlinear"]
MIXING = 30.0  # degrees between the factors' axes and the whitened data's


def draw(world: World, n: int, seed: int = 0) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 2"]]:
    """Draw factors and whitened data.

    Args:
        world: "laplace" and "gaussian" are mixed by a rotation; "nonlinear" bends Laplace factors before and after it.
        n: Number of rows.
        seed: Of the draw.

    Returns:
        s [n, 2] with unit variance, and x [n, 2] with mean 0 and identity covariance.
    """
    rng = np.random.default_rng([seed, ("laplace", "gaussian", "nonlinear").index(world)])
    s = rng.standard_normal((n, 2)) if world == "gaussian" else rng.laplace(0.0, np.sqrt(0.5), (n, 2))
    x = s @ rotation_matrix(2, MIXING).T
    if world == "nonlinear":
        for angle in (50.0, -35.0):
            x = np.column_stack([np.tanh(1.5 * x[:, 0]) + 0.2 * x[:, 0], x[:, 1] + 0.8 * x[:, 0] ** 2])
            x = (x - x.mean(0)) / x.std(0) @ rotation_matrix(2, angle).T
    return s, whitened(x)


def whitened(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Return x with mean 0 and identity covariance, by the symmetric square root (ZCA), so that axes stay near."""
    centred = x - x.mean(0)
    values, axes = np.linalg.eigh(np.cov(centred.T))
    return centred @ (axes / np.sqrt(values)) @ axes.T


def entropy(y: Float[np.ndarray, " n"]) -> float:
    """Estimate the differential entropy of one variable in nats, from spacings of order sqrt(n) (Vasicek 1976).

    Its bias, about -.02 nats at 4,000 rows, is nearly the same at every angle. Blind to the order of the rows.
    """
    n = len(y)
    m = round(np.sqrt(n))
    sorted_y = np.sort(y)
    padded = np.concatenate([np.full(m, sorted_y[0]), sorted_y, np.full(m, sorted_y[-1])])
    return float(np.mean(np.log(n / (2 * m) * (padded[2 * m :] - padded[: -2 * m]))))


def mutual_information(x: Float[np.ndarray, "n 2"], angles: Sequence[float | int]) -> Float[np.ndarray, " t"]:
    """Return the mutual information between the two components of W x at every angle of W, above its lowest value.

    The entropy of W x itself does not depend on the angle, so the curve is that of the summed entropies.

    Args:
        x: Whitened data.
        angles: Of W, in degrees.

    Returns:
        Nats, at least 0; 0 at the best angle.
    """
    total = np.array([sum(entropy(y) for y in (x @ rotation_matrix(2, float(a)).T).T) for a in angles])
    return total - total.min()


def by_angle(
    world: World, angles: Sequence[float | int], *, rows: int, drawn: int
) -> tuple[Float[np.ndarray, "t n 2"], Float[np.ndarray, " t"], Float[np.ndarray, " t"]]:
    """Turn W through the angles.

    Args:
        world: Passed to `draw`.
        angles: Of W, in degrees.
        rows: Number of rows that the curves are computed from.
        drawn: Number of rows returned.

    Returns:
        W x of the first rows, the mutual information, and the MCC with the factors, each for every angle.
    """
    s, x = draw(world, rows)
    scores = np.array([mcc(s, x @ rotation_matrix(2, float(a)).T).value for a in angles])
    return turned(x[:drawn], angles), mutual_information(x, angles), scores
