"""p(x) = integral of p(x|z) p(z) dz, in a world small enough to know it exactly: two latents, one number x.

x = f(z) + noise with f(z) = 1.6 tanh(2 z1) + .5 z2 and z ~ N(0, I): a density with two modes.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from dvae_core.identify.matrices import rotation_matrix

NOISE = 0.25  # standard deviation of x given z
SLOPE = 0.5  # of z2
NODES = 1001  # of z1, between -6 and 6 standard deviations


def mean_x(z: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, " n"]:
    """Return E[x|z]."""
    return 1.6 * np.tanh(2 * z[:, 0]) + SLOPE * z[:, 1]


def exact(x: Float[np.ndarray, " m"], nodes: int = NODES) -> Float[np.ndarray, " m"]:
    """Return p(x): z2 and the noise are integrated in closed form, z1 on a grid (the rest of its density is 2e-9)."""
    at = np.linspace(-6.0, 6.0, nodes)
    weights = _normal(at, 1.0)
    return _normal(x[:, None] - 1.6 * np.tanh(2 * at), np.hypot(SLOPE, NOISE)) @ (weights / weights.sum())


def decoded(x: Float[np.ndarray, " m"], z: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n m"]:
    """Return p(x|z), one Gaussian for each z; their mean over draws of the prior estimates p(x)."""
    return _normal(x - mean_x(z)[:, None], NOISE)


def decoded_by_twin(x: Float[np.ndarray, " m"], z: Float[np.ndarray, "n 2"], angle: float) -> Float[np.ndarray, "n m"]:
    """Return the density that the turned model decodes from the same draws: p(x | f(M^T z))."""
    return decoded(x, z @ rotation_matrix(2, angle))


def _normal(distance: np.ndarray, std: float) -> np.ndarray:
    return np.exp(-0.5 * (distance / std) ** 2) / (std * np.sqrt(2 * np.pi))


def filled_in(
    counts: Sequence[int], angles: Sequence[float | int], *, piled: int
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"], Float[np.ndarray, "j m"], Float[np.ndarray, "k m"]]:
    """Estimate p(x) from more and more draws of z, then turn the latents of the last ones.

    Args:
        counts: Numbers of draws, ascending.
        angles: Of M, in degrees, after the last draw.
        piled: Number of decoded Gaussians returned, for no turn and for every angle.

    Returns:
        x, p(x), p(x|z) of the first draws (before the turn, then at every angle), and the estimate for every count and
        then every angle.
    """
    x = np.linspace(-3.5, 3.5, 141)
    z = np.random.default_rng(3).standard_normal((counts[-1], 2))
    gaussians = decoded(x, z)
    after = [decoded_by_twin(x, z, float(a)) for a in angles]
    estimates = [gaussians[:count].mean(0) for count in counts] + [turned.mean(0) for turned in after]
    pile = [each[:piled] for each in (gaussians, *after)]
    return x, exact(x), np.concatenate(pile), np.stack(estimates)
