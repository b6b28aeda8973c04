"""Latents of different sessions, compared by what u does to them: no row and no neuron need be common.

The signature of a latent is its mean and its log standard deviation in every cell of u. A prior whose means do not move
leaves all of its order in the second half, and the sign of the latent free.
"""

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from jaxtyping import Bool, Float, Int

from dvae_core.metrics.matching import assign

FEWEST_ROWS = 5  # in a cell; the log deviation of fewer is mostly chance
MOVES = 0.05  # share of a latent's variance that its means given u explain, above which its sign can be determined
MOST_ORDERED = 6  # latents whose every order is tried


@dataclass(frozen=True, eq=False)
class Signature:
    """What u does to each latent.

    Attributes:
        mean: Mean of the standardised latents in each cell of u, minus its average over cells.
        log_sd: Log standard deviation likewise.
        share: Share of each latent's variance that the means explain.
    """

    mean: Float[np.ndarray, "cells d"]
    log_sd: Float[np.ndarray, "cells d"]
    share: Float[np.ndarray, " d"]

    @property
    def sign_is_free(self) -> Bool[np.ndarray, " d"]:
        """Whether u moves the spread of a latent and not its mean, so that nothing fixes its sign."""
        return self.share < MOVES


def common_cells(*cells: Int[np.ndarray, " _"]) -> Int[np.ndarray, " k"]:
    """Return the cells in which every session has at least five rows."""
    size = 1 + max(int(c.max()) for c in cells)
    counts = np.array([np.bincount(c, minlength=size) for c in cells])
    return np.flatnonzero(counts.min(0) >= FEWEST_ROWS)


def signature(z: Float[np.ndarray, "n d"], cells: Int[np.ndarray, " n"], kept: Int[np.ndarray, " k"]) -> Signature:
    """Return the signature of latents over the kept cells of u.

    Args:
        z: Latents.
        cells: The cell of u of each row.
        kept: Cells to use, see `common_cells`.
    """
    z = np.asarray(z, float)
    spread = z.std(0)
    z = (z - z.mean(0)) / np.where(spread > 0, spread, 1.0)
    of = [z[cells == cell] for cell in kept]
    mean = np.array([rows.mean(0) for rows in of])
    log_sd = np.log(np.maximum([rows.std(0) for rows in of], 1e-6))
    counts = np.array([len(rows) for rows in of], float)
    share = counts @ (mean**2 - np.array([rows.var(0) for rows in of]) / counts[:, None]) / counts.sum()
    return Signature(mean - mean.mean(0), log_sd - log_sd.mean(0), share)


def likeness(a: Signature, b: Signature) -> Float[np.ndarray, "d_a d_b"]:
    """Return the correlation of every two signatures over the same cells, at the better sign of each pair.

    A latent of the other sign has the opposite means and the same deviations.
    """
    along = np.abs(a.mean.T @ b.mean) + a.log_sd.T @ b.log_sd
    sizes = [np.sqrt((s.mean**2).sum(0) + (s.log_sd**2).sum(0)) for s in (a, b)]
    return along / np.maximum(np.outer(*sizes), 1e-12)


@dataclass(frozen=True)
class Order:
    """In which order latents come back.

    Attributes:
        best: For each latent of the first, its partner in the best order.
        in_order: Mean likeness of the latents, one by one in their present order.
        matched: Mean likeness in the best order.
        next: Mean likeness in the best order that is not theirs; NaN for one latent or more than six.
    """

    best: tuple[int, ...]
    in_order: float
    matched: float
    next: float

    @property
    def is_same(self) -> bool:
        """Whether no other order is better."""
        return self.best == tuple(range(len(self.best)))


def order_of(strength: Float[np.ndarray, "d d"]) -> Order:
    """Return in which order latents come back, from the likeness of every two."""
    d = len(strength)
    best, values = assign(strength)
    others = [
        float(np.mean(strength[np.arange(d), list(p)]))
        for p in (permutations(range(d)) if 1 < d <= MOST_ORDERED else ())
        if p != tuple(range(d))
    ]
    in_order, matched = float(np.diagonal(strength).mean()), float(values.mean())
    return Order(tuple(best.tolist()), in_order, matched, max(others, default=float("nan")))
