"""Information in the order of the rows: whether neighbours resemble each other, and how long the data remembers.

Both are measured on the ten largest principal components of x, which hold what its columns share. Noise of single
columns, such as a neuron's spiking, would hide a slow common signal. Labels are allowed for: each label's mean is
subtracted, and rows change places within a label only, so that rows sorted by label are not mistaken for a series.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from dvae_core.axes import evenly
from dvae_core.metrics.memory import NO_SERIES, autocorrelation_time

COMPONENTS = 10
FIT_ROWS, FIT_NUMBERS = 1000, 10_000_000  # evenly spaced rows that the components are fitted to; values read for it
SERIES_ROWS, SERIES_NUMBERS = 100_000, 200_000_000  # first rows that are examined; values of x read for it
TEST_ROWS = 10_000  # of these, in the test of neighbours
SHUFFLES = 199
ALARM = 0.01  # share of random orders with neighbours as alike; independent rows fall below it in 1 of 100 data sets
FAR = 10.0  # robust standard deviations at which values are clipped: one artefact must not be a component


@dataclass(frozen=True)
class Order:
    """The information in the order of some rows.

    Attributes:
        memory: Autocorrelation time of x in rows, the largest over its components; about 1 if rows are independent.
        chance: Share of random orders in which neighbours are as alike as in the given one (a permutation test).
    """

    memory: float
    chance: float

    @property
    def resembles(self) -> bool:
        """Whether neighbouring rows resemble each other more than chance allows, by enough to matter."""
        return self.chance <= ALARM and self.memory >= NO_SERIES

    @property
    def gap(self) -> int:
        """Rows to leave out between two parts that are to be independent: the memory, rounded up."""
        return int(np.ceil(self.memory))


def order_of(x: np.ndarray, u: Int[np.ndarray, " n"] | None = None) -> Order:
    """Measure the memory of x, and test whether its neighbouring rows resemble each other.

    Of large data the first rows are examined: at most 100,000, and at most 200 million values.

    Args:
        x: Data `[n d]` of any real type, or packed bits; rows in the given order.
        u: Labels of the same rows, if there are any.
    """
    n = int(min(len(x), SERIES_ROWS, max(SERIES_NUMBERS // x.shape[1], FIT_ROWS)))
    series = components(x, n)
    labels = None if u is None else u[:n]
    memory = autocorrelation_time(series, labels) if series.shape[1] else 1.0
    few = min(n, TEST_ROWS)
    return Order(memory, chance(series[:few], None if labels is None else labels[:few]))


def components(x: np.ndarray, rows: int) -> Float[np.ndarray, "n k"]:
    """Return the largest principal components of the first rows of x, each column scaled and clipped robustly."""
    few = int(min(FIT_ROWS, max(FIT_NUMBERS // x.shape[1], 100)))
    part = np.asarray(x[evenly(len(x), few)], np.float64)
    centre = np.median(part, axis=0)
    spread = 1.4826 * np.median(np.abs(part - centre), axis=0)
    spread = np.where(spread > 0, spread, part.std(0))  # more than half the values are equal: counts of few spikes
    centre, spread = centre.astype(np.float32), np.where(spread > 0, spread, np.inf).astype(np.float32)

    def scaled(values: np.ndarray) -> np.ndarray:
        return ((np.asarray(values, np.float32) - centre) / spread).clip(-FAR, FAR)

    part = scaled(part)
    part = part - part.mean(0)
    if part.shape[1] > part.shape[0]:  # the Gram matrix of the rows gives the same directions faster
        variance, vectors = np.linalg.eigh(part @ part.T)
        directions = part.T @ vectors
    else:
        variance, directions = np.linalg.eigh(part.T @ part)
    kept = np.flatnonzero(variance > 1e-6 * max(float(variance[-1]), np.finfo(np.float32).tiny))[-COMPONENTS:]
    directions = directions[:, kept] / np.linalg.norm(directions[:, kept], axis=0)
    step = max(1, 4_000_000 // x.shape[1])
    parts = [scaled(x[start : min(start + step, rows)]) @ directions for start in range(0, rows, step)]
    return np.concatenate(parts).astype(np.float64)


def chance(series: Float[np.ndarray, "n k"], u: Int[np.ndarray, " n"] | None = None, seed: int = 0) -> float:
    """Return the p-value of a permutation test: are neighbouring rows more alike than in a random order?

    The statistic is the lag-1 autocorrelation, summed over columns. If the rows of each label are exchangeable, the
    p-value is uniform, whatever the distribution of the rows.
    """
    n = len(series)
    labels = np.zeros(n, int) if u is None else np.asarray(u)
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    means = np.stack([np.bincount(codes, column) for column in series.T], 1) / counts[:, None]
    z = series - means[codes]
    z = z[:, z.std(0) > 1e-9 * max(float(np.abs(series).max(initial=0.0)), np.finfo(float).tiny)]
    if n < 3 or not z.shape[1]:
        return 1.0
    z = (z / z.std(0)).astype(np.float32)
    rng, place = np.random.default_rng(seed), np.argsort(codes, kind="stable")
    given, above = float(np.vdot(z[1:], z[:-1])), 0
    for _ in range(SHUFFLES):
        order = np.empty(n, int)
        order[place] = np.lexsort((rng.random(n), codes))  # each label's rows, shuffled over that label's places
        above += bool(np.vdot(z[order[1:]], z[order[:-1]]) >= given)
    return (1 + above) / (1 + SHUFFLES)
