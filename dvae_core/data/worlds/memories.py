"""Data with known factors that each have their own memory: stationary AR(1) series, mixed by a known injective f.

    z_t,i = a_i z_t-1,i + sqrt(1 - a_i^2) e_t,i        x = f(2 z)

Every factor keeps its standard deviation, and Gaussian factors differ in nothing but their memory a_i. f is
the mixing of `sources` with the same seed.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float64
from pydantic import Field

from dvae_core.data.dataset import Dataset
from dvae_core.data.worlds.sources import Activation, meta, mixing, streams
from dvae_core.data.worlds.world import World, arguments
from dvae_core.settings import setting, settings

STD = 2.0  # of the factors that f mixes: most of them reach the bend of its tanh
BURN_IN = 40.0  # times the longest memory in rows, drawn first and dropped: the start has lost its influence by then

Memory = Annotated[float, Field(strict=True, ge=0, le=0.999)]


@settings
class MemoriesData:
    """Series that each have their own memory, mixed nonlinearly: factors that time can distinguish."""

    kind: Literal["memories"] = "memories"
    memory: tuple[Memory, ...] = setting(
        (0.95, 0.6), "Memories", "One per factor: its correlation with itself one row earlier. Equal ones are a control"
    )
    n: int = setting(8000, "Rows", min=10, max=1_000_000)
    innovations: Literal["gaussian", "laplace"] = setting(
        "gaussian", "Innovations", "What is new in each row. Laplace has heavy tails"
    )
    layers: int = setting(3, "Mixing layers", min=1, max=10)
    activation: Literal["xtanh", "leaky", "linear"] = setting("xtanh", "Mixing nonlinearity")
    seed: int = setting(0, "Data seed", min=0)


def memories(
    *,
    memory: Sequence[float] = (0.95, 0.6),
    n: int = 8000,
    innovations: Literal["gaussian", "laplace"] = "gaussian",
    layers: int = 3,
    activation: Activation = "xtanh",
    seed: int = 0,
) -> Dataset:
    """Draw AR(1) series and mix them. The rows are in time order, one a second.

    Args:
        memory: The a_i, one per factor, in [0, 1). A factor of memory 0 is noise without a past.
        n: Number of rows.
        innovations: Distribution of what is new in each row.
        layers: Matrices of the mixing, with an activation after each but the last.
        activation: Activation of the mixing.
        seed: Determines everything.

    Returns:
        x and the true factors z, of variance 1 on average, without u.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> memories(memory=(0.9, 0.5, 0.0), n=500).x.shape
        (500, 3)
    """
    z = series(memory, n, innovations, streams(seed)["noise"])
    x = mixing(n_latents=len(memory), layers=layers, activation=activation, seed=seed)(STD * z)
    a = ", ".join(f"{value:g}" for value in memory)
    return Dataset(
        name=f"Memories {a}",
        x=x.astype(np.float32),
        z=z.astype(np.float32),
        rate_hz=1.0,
        meta=meta(
            f"AR(1) factors of memory {a}, {innovations} innovations; {layers} mixing layers, {activation}; {n:,} rows "
            f"in time order; seed {seed}"
        ),
    )


def series(memory: Sequence[float], n: int, innovations: str, rng: np.random.Generator) -> Float64[np.ndarray, "n d_z"]:
    """Return stationary AR(1) series of variance 1, one column for each memory."""
    from scipy.signal import lfilter  # a second that a page need not wait for

    a = np.asarray(memory, float)
    if a.ndim != 1 or not len(a) or not ((a >= 0) & (a < 1)).all():
        raise ValueError(f"Every memory must be at least 0 and below 1, and there must be one; got {tuple(memory)}.")
    if innovations not in ("gaussian", "laplace"):
        raise ValueError(f"innovations must be gaussian or laplace; got {innovations!r}.")
    before = int(np.ceil(BURN_IN / (1 - a.max())))
    shape = (before + n, len(a))
    e = rng.standard_normal(shape) if innovations == "gaussian" else rng.laplace(scale=np.sqrt(0.5), size=shape)
    columns = [lfilter([np.sqrt(1 - one**2)], [1.0, -one], e[:, i]) for i, one in enumerate(a)]
    return np.stack(columns, 1)[before:]


def _label(data: MemoriesData) -> str:
    return f"{len(data.memory)} memories: {', '.join(f'{a:g}' for a in data.memory)}"


WORLD = World(
    "memories",
    MemoriesData,
    lambda data: memories(**arguments(data)),
    _label,
    "Series in time whose factors differ only in their memory, mixed by a random nonlinear f. There is no u.",
    ("memory", "n", "innovations", "layers", "seed"),
    more=("activation",),
)
