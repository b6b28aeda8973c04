"""The bend: the nats of log p that are lost when the axes turn by an angle and the prior is fitted anew.

A model that turns its axes, z~ = M^T z with the turned axes as columns of M, leaves x unchanged. The cost of the turn
depends on the prior alone: the best prior of its family for z, minus the best one for z~. If it is 0 at every angle,
nothing determines the axes: this is the rotation of chapter 2. Any other prior helps by as many nats as it bends the
curve.

Two axes, f known, standardised factors. The bend is *necessary*, not sufficient: if it is small, no training finds the
axes, and even if it is large, training may end elsewhere. It is an upper bound on what the axes are worth, because a
twin may use any map, and only rotations are tried here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from scipy import stats
from scipy.signal import fftconvolve

from dvae_core.data.worlds.sources import HUMP, moments
from dvae_core.identify.linear_gaussian import refitted_gap
from dvae_core.identify.matrices import turned

ANGLES = (0.0, 7.5, 15.0, 22.5, 30.0, 37.5, 45.0, 52.5, 60.0, 67.5, 75.0, 82.5, 90.0)
FLAT = 0.005  # nats: every negative control lies below it, and no prior that determined the axes does
FAINT = 0.04  # nats: time failed at .02, even after 2,400 steps; observed u worked at .056, and so did all above it
STARTS = 4  # of EM, at the first angle
Kind = Literal["laplace", "uniform", "bimodal"]
Angles = Float[np.ndarray, " t"] | Sequence[float | int]

_WIDTH = 12.0  # of the grid of `sources`, to either side: the tail of a Laplace beyond is 4e-8
_STEP = np.sqrt(3) / 432.5  # about .004; chosen so that the uniform density ends at the edge of a cell


@dataclass(frozen=True, eq=False)
class Bend:
    """Nats lost at every angle, and their standard error.

    Attributes:
        angles: Degrees.
        nats: Loss of log p, per pair of rows for `pairs` and per row otherwise; 0 at the first angle.
        error: Standard error; zeros for a closed form.
    """

    angles: np.ndarray
    nats: np.ndarray
    error: np.ndarray

    @property
    def most(self) -> float:
        """The largest loss that is certain: three standard errors are taken off."""
        return float(np.max(self.nats - 3 * self.error))

    @property
    def state(self) -> Literal["flat", "faint", "bent"]:
        """Whether the curve determines the axes: not at all, too little for any training that was tried, or enough."""
        return "flat" if self.most < FLAT else "faint" if self.most < FAINT else "bent"


def pairs(a: Sequence[float | int] | Float[np.ndarray, " 2"], angles: Angles = ANGLES) -> Bend:
    """Return the bend of time: pairs (z_t-1, z_t) of two AR(1) factors with the coefficients a, in closed form.

        1/2 sum_i [ log(1 - (M A M^T)_ii^2) - log(1 - a_i^2) ]

    The prior fitted anew is a factorial AR(1) whose coefficients are the turned latents' own autocorrelations. Equal
    coefficients, and 0 (rows that were shuffled), give 0 at every angle.

    Raises:
        ValueError: If a is not two numbers between -1 and 1.
    """
    a = np.asarray(a, float)
    if a.shape != (2,) or not (np.abs(a) < 1).all():
        raise ValueError(f"An AR(1) pair needs two coefficients between -1 and 1; got {a.tolist()}.")
    c2 = np.cos(np.deg2rad(np.asarray(angles, float))) ** 2
    b = np.stack([c2 * a[0] + (1 - c2) * a[1], (1 - c2) * a[0] + c2 * a[1]])
    return _exact(angles, 0.5 * (np.log1p(-(b**2)).sum(0) - np.log1p(-(a**2)).sum()))


def segments(
    mean: Float[np.ndarray, "m 2"], std: Float[np.ndarray, "m 2"], angles: Angles = ANGLES, strength: float | int = 1.0
) -> Bend:
    """Return the bend of an observed u: Gaussian factors with a mean and a deviation for each u, in closed form.

    Args:
        mean: Means, a row for each u, all equally probable.
        std: Standard deviations.
        angles: Degrees.
        strength: Multiplies the means and the logarithms of the deviations; 0 is a u that changes nothing.
    """
    mean, std = _standardised(mean, std, strength)
    return _exact(angles, refitted_gap(std**2, np.asarray(angles, float)))


def sources(kind: Kind, angles: Angles = ANGLES, strength: float | int = 1.0) -> Bend:
    """Return the bend of a straight world: two independent factors that are not Gaussian, mixed linearly.

    The factors are sqrt(strength) * kind + sqrt(1 - strength) * N(0, 1), with variance 1. Fitting the marginals anew
    loses the sum of the turned latents' entropies minus that of the factors (linear ICA's contrast), integrated on a
    grid. The error of the grid is below 1e-3 nats.

    Raises:
        ValueError: If the strength is not between 0 and 1.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength must lie between 0 and 1; got {strength}.")
    if strength == 0:  # exactly Gaussian: the grid would leave 1e-6
        return _exact(angles, np.zeros(len(angles)))
    own = np.sqrt(strength)
    rest = _masses(stats.norm.cdf, float(np.sqrt(1 - strength)))
    theta = np.deg2rad(np.asarray(angles, float))
    total = []
    for c, s in zip(np.abs(np.cos(theta)), np.abs(np.sin(theta)), strict=True):
        one, other = (_masses(_CDFS[kind], float(own * scale)) for scale in (c, s))
        total.append(2 * _entropy(fftconvolve(fftconvolve(one, other, "same"), rest, "same")))  # the same for both
    at_rest = 2 * _entropy(fftconvolve(_masses(_CDFS[kind], float(own)), rest, "same"))
    return _exact(angles, np.array(total) - at_rest)


def mixture(
    mean: Float[np.ndarray, "m 2"],
    std: Float[np.ndarray, "m 2"],
    components: int,
    angles: Angles = ANGLES,
    *,
    strength: float | int = 1.0,
    rows: int = 4000,
    draws: int = 3,
    seed: int = 0,
) -> Bend:
    """Return the bend of a hidden u: a mixture of K diagonal Gaussians, fitted by EM to the true factors.

    At every angle a mixture is fitted to one half of the rows and scored on the other half. The loss is the difference
    of the held-out log p at that angle and at 0, row by row. EM starts from k-means, and again from the clusters found
    at 0 and turned, because with a single start it could end in different optima at neighbouring angles.

    Args:
        mean: Means of the world, a row for each value of the hidden u, all equally probable.
        std: Its standard deviations.
        components: K of the fitted mixture, which does not know how many values u has.
        angles: Degrees; the first should be 0.
        strength: Multiplies the means and the logarithms of the deviations; 0 is a world of one Gaussian.
        rows: Rows that a fit sees, and as many that score it.
        draws: Independent repetitions, over which the loss is averaged.
        seed: Of the rows and of EM's starts.

    Returns:
        The loss and its standard error: that of the held-out rows, or of the draws where it is larger (EM ends in
        different optima).
    """
    from sklearn.mixture import GaussianMixture  # loads slowly, and pages draw closed forms without it

    em = partial(GaussianMixture, components, covariance_type="diag", max_iter=300, tol=1e-4, random_state=seed)
    mean, std = _standardised(mean, std, strength)
    lost = []
    for draw in range(draws):
        rng = np.random.default_rng([seed, draw])
        u = rng.integers(len(mean), size=2 * rows)
        z = mean[u] + std[u] * rng.standard_normal((2 * rows, 2))
        first = em(n_init=STARTS).fit(z[:rows])
        scored = []
        for angle in np.asarray(angles, float).tolist():
            (at,), (centres,) = (
                turned(z, [-angle]),
                turned(np.asarray(first.means_), [-angle]),
            )  # axes turned to the left
            fits = [em().fit(at[:rows]), em(means_init=centres).fit(at[:rows])]
            best = max(fits, key=lambda fit: fit.lower_bound_)  # of the rows that were fitted
            scored.append(best.score_samples(at[rows:]))
        lost.append(scored[0] - np.array(scored))
    each = np.stack(lost)  # draws, angles, rows
    of_rows = each.std(2).mean(0) / np.sqrt(rows * draws)
    of_draws = each.mean(2).std(0, ddof=1) / np.sqrt(draws) if draws > 1 else np.zeros_like(of_rows)
    return Bend(np.asarray(angles, float), each.mean((0, 2)), np.maximum(of_rows, of_draws))


def draw(
    mean: Float[np.ndarray, "m 2"], std: Float[np.ndarray, "m 2"], rows: int, seed: int = 0
) -> tuple[Float[np.ndarray, "rows 2"], Int[np.ndarray, " rows"]]:
    """Draw standardised factors of a world with these moments, and the u of each row."""
    mean, std = _standardised(mean, std, 1.0)
    rng = np.random.default_rng(seed)
    u = rng.integers(len(mean), size=rows)
    return mean[u] + std[u] * rng.standard_normal((rows, 2)), u


def world(seed: int, segments: int = 5) -> tuple[Float[np.ndarray, "m 2"], Float[np.ndarray, "m 2"]]:
    """Return the means and deviations of the drawn world with this data seed: two factors, a row for each segment."""
    return moments(np.arange(segments), n_latents=2, segments=segments, seed=seed)


def _standardised(mean: np.ndarray, std: np.ndarray, strength: float | int) -> tuple[np.ndarray, np.ndarray]:
    """Return moments at this strength, so scaled that every factor has mean 0 and variance 1 over all u."""
    if not strength >= 0:
        raise ValueError(f"strength must be 0 or more; got {strength}.")
    mean, std = strength * np.asarray(mean, float), np.asarray(std, float) ** strength
    total = np.sqrt((std**2).mean(0) + mean.var(0))
    return (mean - mean.mean(0)) / total, std / total


def _exact(angles: Angles, nats: np.ndarray) -> Bend:
    return Bend(np.asarray(angles, float), nats, np.zeros(len(nats)))


def _bimodal(z: np.ndarray) -> np.ndarray:
    width = np.sqrt(1 - HUMP**2)
    return 0.5 * (stats.norm.cdf(z, -HUMP, width) + stats.norm.cdf(z, HUMP, width))


_CDFS = {
    "laplace": stats.laplace(scale=np.sqrt(0.5)).cdf,
    "uniform": stats.uniform(-np.sqrt(3), 2 * np.sqrt(3)).cdf,
    "bimodal": _bimodal,
}


def _masses(cdf, scale: float) -> np.ndarray:
    """Return the probabilities of the grid's cells for scale * z; at scale 0 all of it lies in the middle cell."""
    cells = round(_WIDTH / _STEP)
    if scale < 1e-9:
        masses = np.zeros(2 * cells + 1)
        masses[cells] = 1.0
        return masses
    edges = _STEP * (np.arange(-cells, cells + 2) - 0.5)
    return np.diff(cdf(edges / scale))


def _entropy(masses: np.ndarray) -> float:
    """Return the differential entropy in nats of a density that is constant in each cell."""
    p = masses[masses > 1e-16]  # below, the Fourier transform's rounding
    return float(-(p * np.log(p / _STEP)).sum())
