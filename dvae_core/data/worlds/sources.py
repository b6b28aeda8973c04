"""Data with known factors: nonstationary sources, mixed by a known injective function, and Poisson neurons.

This is the standard model of nonlinear ICA (TCL, Hyvarinen & Morioka 2016; iVAE, Khemakhem et al. 2020):

    z_i | u ~ mean_i(u) + scale_i(u) * noise        x = f(z) + observation noise

A seed determines everything, and each ingredient draws from its own stream: with the same seed, different observation
noise leaves z and f unchanged. `moments` and `mixing` return the true ingredients of the data set with the same
arguments.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from jaxtyping import Float, Float64, Shaped

from dvae_core.data.dataset import Dataset
from dvae_core.data.worlds.world import World, arguments
from dvae_core.settings import setting, settings

Noise = Literal["gaussian", "laplace", "sech", "student", "bimodal"]
Modulate = Literal["both", "mean", "variance"]
Activation = Literal["xtanh", "leaky", "linear"]
Streams = dict[str, np.random.Generator]

DEGREES = 5  # degrees of freedom of "student": its excess kurtosis is 6, its sixth moment infinite
HUMP = 0.95  # "bimodal" is +-0.95 with equal odds, plus Gaussian noise that makes the variance 1 (std 0.31)
LEAK = 0.1  # slope of the leaky activation below 0, and of the linear part of xtanh: both stay invertible


@settings
class SourcesData:
    """Nonstationary sources through a nonlinear mixing: the talk's data with known factors."""

    kind: Literal["sources"] = "sources"
    n_latents: int = setting(2, "Factors", "How many independent factors the world has", min=1, max=50)
    d_x: int | None = setting(None, "Data dimensions", "Leave empty for as many as factors", min=1, max=500)
    segments: int = setting(5, "Segments", "Values of u; the theorem needs n k + 1", min=1, max=200)
    per_segment: int = setting(1000, "Points per segment", min=10, max=100_000)
    noise: Noise = setting(
        "gaussian", "Source distribution", "Given u. Laplace, sech, Student (5 degrees) are heavy-tailed; two humps"
    )
    modulate: Literal["both", "mean", "variance"] = setting("both", "What u changes")
    strength: float = setting(
        1.0, "Strength of modulation", "0: u changes nothing; 1: means over +-5, stds 0.5 to 3", min=0, max=2, late=True
    )
    layers: int = setting(3, "Mixing layers", min=1, max=10)
    activation: Literal["xtanh", "leaky", "linear"] = setting("xtanh", "Mixing nonlinearity")
    observation_noise: float = setting(0.0, "Observation noise", "Fraction of x's standard deviation", min=0, max=2)
    correlation: float = setting(0.0, "Correlation of factors", "Above 0 the MCC misleads", min=-0.95, max=0.95)
    continuous_u: bool = setting(False, "Continuous u")
    seed: int = setting(0, "Data seed", min=0)


@dataclass(frozen=True, eq=False)
class Mixing:
    """The true generator f: `h = activation(h @ A)` for every matrix A but the last, which is linear.

    Attributes:
        matrices: Columns have unit length. The first is `[n_latents d_x]` and lifts z to the dimension of x; the others
            are square.
        activation: "xtanh" is tanh(a) + 0.1 a; "leaky" has slope 0.1 below 0; "linear" is none.
    """

    matrices: tuple[Float64[np.ndarray, "_ _"], ...]
    activation: Activation

    def __call__(self, z: Float[np.ndarray, "n d_z"]) -> Float64[np.ndarray, "n d_x"]:
        """Return f(z), without noise."""
        h = np.asarray(z, dtype=np.float64)
        for matrix in self.matrices[:-1]:
            h = _activate(h @ matrix, self.activation)
        return h @ self.matrices[-1]


def sources(
    *,
    n_latents: int = 2,
    d_x: int | None = None,
    segments: int = 5,
    per_segment: int = 1000,
    noise: Noise = "gaussian",
    modulate: Modulate = "both",
    strength: float | int = 1.0,
    scale_range: tuple[float, float] = (0.5, 3.0),
    mean_range: tuple[float, float] = (-5.0, 5.0),
    layers: int = 3,
    activation: Activation = "xtanh",
    observation_noise: float = 0.0,
    correlation: float = 0.0,
    continuous_u: bool = False,
    seed: int = 0,
) -> Dataset:
    """Draw nonstationary sources and mix them.

    Rows come segment by segment but are independent given u: they are not a time series. The difficulty varies strongly
    with the seed; score raw x and FastICA beside any model.

    Args:
        n_latents: Number of factors.
        d_x: Dimensions of x, at least `n_latents`; None for the same number.
        segments: Number of values of u.
        per_segment: Rows per segment; continuous u has `segments * per_segment` rows.
        noise: Distribution of the factors given u; "sech" is the hyperbolic secant (excess kurtosis 2, Laplace 3),
            "student" has 5 degrees of freedom (6), "bimodal" two humps (-1.6).
        modulate: The moments that u changes. "mean" leaves every scale 1, "variance" every mean 0.
        strength: Strength of the modulation: means and log scales are multiplied by it; 0 means no modulation.
        scale_range: Bounds of the uniform draw of standard deviations, one per segment and factor.
        mean_range: Bounds of the uniform draw of means.
        layers: Matrices of the mixing, with an activation after each but the last; 1 is linear.
        activation: Activation of the mixing.
        observation_noise: Standard deviation of Gaussian noise added to x, as a fraction of each column's own.
        correlation: Correlation of every pair of factors given u. It leaves means and scales as requested, violates the
            theorem's independence, and brings laplace and sech nearer to Gaussian (a sum of independent draws).
        continuous_u: Draw u from U[-1, 1] and let means and scales be smooth waves of it, instead of segments.
        seed: Determines everything.

    Returns:
        x, the true factors z, and u as labels "1".."segments" or as numbers.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> sources(n_latents=3, segments=7).x.shape
        (7000, 3)
    """
    rng = streams(seed)
    n = segments * per_segment
    how = (noise, modulate, strength, scale_range, mean_range, correlation, continuous_u)
    z, u = draw_factors(rng, n_latents, segments, per_segment, *how)
    f = mixing(n_latents=n_latents, d_x=d_x, layers=layers, activation=activation, seed=seed)
    if observation_noise < 0:
        raise ValueError(f"observation_noise must be 0 or more, a fraction of x's deviation; got {observation_noise}.")
    x = f(z)
    x = x + observation_noise * x.std(axis=0) * rng["observation"].standard_normal(x.shape)
    kind = "continuous u" if continuous_u else f"{segments} segments"
    return Dataset(
        name=f"Sources, {n_latents} factors, {kind}",
        x=x.astype(np.float32),
        u=u.astype(np.float32)[:, None] if continuous_u else u,
        z=z.astype(np.float32),
        u_names=("u",) if continuous_u else ("segment",),
        u_labels=() if continuous_u else tuple(str(i + 1) for i in range(segments)),
        meta=meta(
            f"{noise} factors, u changes {modulate}, strength {strength:g}; {len(f.matrices)} mixing layers, "
            f"{activation}; {n:,} rows; observation noise {observation_noise:g}; correlation {correlation:g}; "
            f"seed {seed}"
        ),
    )


def moments(
    u: Shaped[np.ndarray, " n"],
    *,
    n_latents: int = 2,
    segments: int = 5,
    modulate: Modulate = "both",
    strength: float | int = 1.0,
    scale_range: tuple[float, float] = (0.5, 3.0),
    mean_range: tuple[float, float] = (-5.0, 5.0),
    continuous_u: bool = False,
    seed: int = 0,
) -> tuple[Float64[np.ndarray, "n d_z"], Float64[np.ndarray, "n d_z"]]:
    """Return the true mean and standard deviation of each factor at each u, as `sources` uses them.

    Args:
        u: Segment codes 0..segments-1, or numbers in [-1, 1] with `continuous_u`.
        n_latents: As given to `sources`, like all that follow.
        segments: Number of segments.
        modulate: The moments that u changes.
        strength: Strength of the modulation.
        scale_range: Bounds of the standard deviations.
        mean_range: Bounds of the means.
        continuous_u: Whether u is numbers.
        seed: Seed of the data set.

    Returns:
        Means and scales, one row for each u.
    """
    how = (modulate, strength, scale_range, mean_range, continuous_u)
    return _moments(streams(seed)["moments"], u, n_latents, segments, *how)


def mixing(
    *, n_latents: int = 2, d_x: int | None = None, layers: int = 3, activation: Activation = "xtanh", seed: int = 0
) -> Mixing:
    """Return the true generator f of the data set with these arguments.

    Matrices are drawn from U[-1, 1] with columns scaled to length 1. Only a matrix whose condition number lies below
    the 25th percentile of its kind is used, so that no layer nearly loses a direction.

    Args:
        n_latents: Number of factors.
        d_x: Dimensions of x; None for the same number.
        layers: Number of matrices.
        activation: Activation between them.
        seed: Seed of the data set.

    Raises:
        ValueError: If f could not be injective (`d_x < n_latents`) or an argument is out of range.
    """
    d_x = n_latents if d_x is None else d_x
    if n_latents < 1 or layers < 1:
        raise ValueError(f"n_latents and layers must be at least 1; got {n_latents} and {layers}.")
    if d_x < n_latents:
        raise ValueError(f"d_x must be at least n_latents for f to be injective; got {d_x} and {n_latents}.")
    if activation not in ("xtanh", "leaky", "linear"):
        raise ValueError(f"activation must be xtanh, leaky or linear; got {activation!r}.")
    rng = streams(seed)["mixing"]
    sizes = [n_latents] + [d_x] * layers
    return Mixing(tuple(_well_conditioned(rng, *pair) for pair in pairwise(sizes)), activation)


def streams(seed: int) -> Streams:
    """Return one generator for each ingredient of a data set."""
    names = ("moments", "u", "noise", "mixing", "observation")
    return dict(zip(names, np.random.default_rng(seed).spawn(len(names)), strict=True))


def draw_factors(
    rng: dict[str, np.random.Generator],
    n_latents: int,
    segments: int,
    per_segment: int,
    noise: Noise,
    modulate: Modulate,
    strength: float | int,
    scale_range: tuple[float, float],
    mean_range: tuple[float, float],
    correlation: float,
    continuous_u: bool,
) -> tuple[Float64[np.ndarray, "n d_z"], Shaped[np.ndarray, " n"]]:
    """Draw the factors z and the u that modulates them; the arguments are those of `sources`."""
    if min(n_latents, segments, per_segment) < 1:
        raise ValueError(
            f"n_latents, segments and per_segment must be at least 1; got {n_latents}, {segments} and {per_segment}."
        )
    n = segments * per_segment
    u = rng["u"].uniform(-1, 1, n) if continuous_u else np.repeat(np.arange(segments), per_segment)
    how = (modulate, strength, scale_range, mean_range, continuous_u)
    mean, scale = _moments(rng["moments"], u, n_latents, segments, *how)
    eps = _unit_noise(rng["noise"], noise, mean.shape)
    if correlation and n_latents > 1:
        eps = eps @ _correlating(correlation, n_latents)
    return mean + scale * eps, u


def _moments(
    rng: np.random.Generator,
    u: np.ndarray,
    n_latents: int,
    segments: int,
    modulate: Modulate,
    strength: float | int,
    scale_range: tuple[float, float],
    mean_range: tuple[float, float],
    continuous_u: bool,
) -> tuple[np.ndarray, np.ndarray]:
    if modulate not in ("both", "mean", "variance"):
        raise ValueError(f"modulate must be both, mean or variance; got {modulate!r}.")
    if not 0 < scale_range[0] <= scale_range[1] or not mean_range[0] <= mean_range[1]:
        raise ValueError(f"Ranges must rise and scales be above 0; got {scale_range} and {mean_range}.")
    if continuous_u:
        # one to two periods over [-1, 1]: every factor visits its whole range, no two do so together
        frequency = rng.uniform(np.pi, 2 * np.pi, (2, 1, n_latents))
        phase = rng.uniform(0, 2 * np.pi, (2, 1, n_latents))
        level = 0.5 + 0.5 * np.sin(frequency * u[:, None] + phase)
    else:
        level = rng.random((2, segments, n_latents))[:, u]
    mean = mean_range[0] + level[0] * (mean_range[1] - mean_range[0])
    scale = scale_range[0] + level[1] * (scale_range[1] - scale_range[0])
    if not strength >= 0:
        raise ValueError(f"strength must be 0 or more; got {strength}.")
    if strength != 1:
        mean, scale = strength * mean, scale**strength
    if modulate == "mean":
        scale = np.ones_like(scale)
    elif modulate == "variance":
        mean = np.zeros_like(mean)
    return mean, scale


def _unit_noise(rng: np.random.Generator, noise: Noise, shape: tuple[int, ...]) -> np.ndarray:
    """Return independent draws of mean 0 and variance 1."""
    if noise == "gaussian":
        return rng.standard_normal(shape)
    if noise == "laplace":
        return rng.laplace(scale=np.sqrt(0.5), size=shape)
    if noise == "sech":
        # inverse of F(a) = 2/pi arctan(exp(pi a / 2)); 1 - random() is never 0, and tan(pi/2) is finite in floats
        return 2 / np.pi * np.log(np.tan(np.pi / 2 * (1 - rng.random(shape))))
    if noise == "student":
        return rng.standard_t(DEGREES, size=shape) * np.sqrt((DEGREES - 2) / DEGREES)
    if noise == "bimodal":
        return HUMP * rng.choice([-1.0, 1.0], size=shape) + np.sqrt(1 - HUMP**2) * rng.standard_normal(shape)
    raise ValueError(f"noise must be gaussian, laplace, sech, student or bimodal; got {noise!r}.")


def _correlating(correlation: float, d: int) -> np.ndarray:
    """Return R with R^T R = 1 on the diagonal and `correlation` elsewhere."""
    if not -1 / (d - 1) < correlation < 1:
        raise ValueError(
            f"correlation of {d} factors must be above {-1 / (d - 1):.3g} and below 1; got {correlation:g}."
        )
    return np.linalg.cholesky(np.full((d, d), correlation) + (1 - correlation) * np.eye(d)).T


def _well_conditioned(rng: np.random.Generator, d_in: int, d_out: int) -> np.ndarray:
    """Return a matrix with unit columns from the best-conditioned quarter of U[-1, 1] draws of its shape."""
    draws = min(1000, max(12, 300_000 // d_out**2))  # fewer for large matrices: most of the time goes into their SVD
    matrices = rng.uniform(-1, 1, (draws, d_in, d_out))
    matrices /= np.linalg.norm(matrices, axis=1, keepdims=True)
    condition = np.linalg.cond(matrices)
    return matrices[np.flatnonzero(condition <= np.quantile(condition, 0.25))[0]]


def _activate(a: np.ndarray, activation: Activation) -> np.ndarray:
    if activation == "xtanh":
        return np.tanh(a) + LEAK * a
    return np.where(a > 0, a, LEAK * a) if activation == "leaky" else a


def meta(note: str) -> dict[str, str]:
    """Return the origin of drawn data, for its Dataset."""
    return {"source": "drawn by this library", "licence": "free of conditions", "notes": note}


def _label(data: SourcesData) -> str:
    return f"{data.n_latents} sources, {'continuous u' if data.continuous_u else f'{data.segments} segments'}"


WORLD = World(
    "sources",
    SourcesData,
    lambda data: sources(**arguments(data)),
    _label,
    "Independent factors whose mean or variance changes with u, mixed by a random nonlinear f.",
    ("n_latents", "segments", "modulate", "noise", "per_segment", "layers", "seed"),
    more=("d_x", "strength", "activation", "observation_noise", "correlation", "continuous_u"),
)
