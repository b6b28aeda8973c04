"""Axes by a named rule, and the consensus of several seeds, for latents that are found up to a linear map.

A rule does not find factors. It is a convention that gives the same axes whichever basis of the space training found,
so that seeds can be compared axis by axis; another rule gives other axes.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int, Shaped

from dvae_core.axes import evenly, means_by_code
from dvae_core.metrics.matching import assign
from dvae_core.metrics.memory import autocorrelation_time, resampled_rows, too_few
from dvae_core.metrics.score import correlations

Rule = Literal["u", "slow", "as trained"]
RULES: tuple[Rule, ...] = ("u", "slow", "as trained")
NEIGHBOURS = 25  # rows with the nearest u, over which E[z|u] is averaged if u is numbers
RULE_ROWS = 8000  # for the rule "u", at most, evenly spaced
DRAWS = 100  # of the bootstrap
FAINT = 0.05  # a correlation with u below this does not decide a sign
ROUNDS = 3  # of the consensus; the mean changes by less than 1e-3 in a fourth


@dataclass(frozen=True, eq=False)
class Axes:
    """Axes z = A (e - b) of the latents e, chosen by a rule.

    Attributes:
        A: The map, one row for each axis.
        b: The centre.
        eigenvalue: What the rule orders by: for "u" the share of an axis's variance that u explains, largest first; for
            "slow" the mean squared step between neighbouring rows of an axis of variance 1, smallest first; NaN for
            "as trained".
        low: Lower end of its 95 % interval (block bootstrap); NaN if there are too few independent stretches.
        high: Its upper end.
        plane: A number for each axis. Axes with the same number have overlapping intervals: the rule fixes the plane
            that they span, and not the axes within it.
        note: A sentence about the intervals, or "".
    """

    A: Float[np.ndarray, "d d"]
    b: Float[np.ndarray, " d"]
    eigenvalue: Float[np.ndarray, " d"]
    low: Float[np.ndarray, " d"]
    high: Float[np.ndarray, " d"]
    plane: Int[np.ndarray, " d"]
    note: str = ""

    def of(self, e: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        """Return these latents in the rule's axes."""
        return (e - self.b) @ self.A.T


def canonical_axes(
    e: Float[np.ndarray, "n d"],
    rule: str,
    *,
    u: Shaped[np.ndarray, "n ..."] | None = None,
    stretch: Int[np.ndarray, " n"] | None = None,
    seed: int = 0,
) -> Axes:
    """Return the axes of a rule, invariant to any invertible linear map of the latents (except "as trained").

        "u"           whiten e, then the eigenvectors of cov(E[e|u]): what u explains, largest share first
        "slow"        whiten e, then the eigenvectors of the covariance of steps: slowest first
        "as trained"  no rotation: each latent is only standardised

    E[e|u] is the mean of the 25 rows with the nearest u, itself included, or of the label. An axis points the way in
    which it correlates with the first column of u, or, if it hardly does, the way of its longer tail.

    Args:
        e: Latents, rows in time order.
        rule: One of `RULES`.
        u: Labels [n] or numbers [n, d_u]; needed by "u".
        stretch: Number of the contiguous stretch of each row; "slow" takes steps only within one. One stretch if None.
        seed: Of the bootstrap.

    Raises:
        ValueError: If the rule is unknown, or needs a u that is not given.
    """
    if rule not in RULES:
        raise ValueError(f"The rule must be one of {', '.join(RULES)}; got {rule!r}.")
    e = np.asarray(e, float)
    d = e.shape[1]
    b, nan = e.mean(0), np.full(d, np.nan)
    if rule == "as trained":
        spread = np.where(e.std(0) > 0, e.std(0), 1.0)
        A = _signed(np.diag(1 / spread), e - b, u)
        return Axes(A, b, nan, nan, nan, np.arange(d))
    if rule == "u":
        if u is None:
            raise ValueError('The rule "u" needs u; choose "slow" or "as trained".')
        rows = evenly(len(e), RULE_ROWS)
        kept, of_u = e[rows], np.asarray(u)[rows]
        moved = given_u(kept, of_u)
    else:
        inside = np.ones(len(e) - 1, bool) if stretch is None else stretch[1:] == stretch[:-1]
        kept, moved = e[1:][inside], np.diff(e, axis=0)[inside]
        of_u = None if u is None else np.asarray(u)[1:][inside]
    eigenvalue, V = _solved(kept, moved, rule)
    rows = resampled_rows(len(kept), autocorrelation_time(kept), DRAWS, np.random.default_rng(seed))
    low = high = nan
    plane, note = np.arange(d), ""
    if rows is None:
        note = too_few(len(kept), autocorrelation_time(kept))
    else:
        draws = np.array([_solved(kept[r], moved[r], rule)[0] for r in rows])
        low, high = np.quantile(draws, [0.025, 0.975], axis=0)
        apart = np.r_[True, (high[1:] < low[:-1]) if rule == "u" else (low[1:] > high[:-1])]
        plane = np.cumsum(apart) - 1
    return Axes(_signed(V.T, kept - kept.mean(0), of_u), b, eigenvalue, low, high, plane, note)


def _solved(kept: np.ndarray, moved: np.ndarray, rule: str) -> tuple[np.ndarray, np.ndarray]:
    """Return eigenvalues and eigenvectors (columns) of the rule's matrix beside the covariance of the latents."""
    from scipy.linalg import eigh

    d = kept.shape[1]
    C = np.cov(kept.T).reshape(d, d)
    C = C + 1e-9 * np.trace(C) / d * np.eye(d)  # a dead latent has no variance of its own
    S = np.cov(moved.T).reshape(d, d) if rule == "u" else moved.T @ moved / len(moved)
    eigenvalue, V = eigh(S, C)
    return (eigenvalue[::-1], V[:, ::-1]) if rule == "u" else (eigenvalue, V)


def _signed(A: np.ndarray, e: np.ndarray, u: np.ndarray | None) -> np.ndarray:
    z = e @ A.T
    tail = (z**3).mean(0)
    if u is not None and np.ndim(u) > 1:
        first = np.asarray(u, float)[:, :1]
        if first.std() > 0:
            with_u = correlations(z, first, "pearson")[0][:, 0]
            tail = np.where(np.abs(with_u) > FAINT, with_u, tail)
    return A * np.where(tail < 0, -1.0, 1.0)[:, None]


def given_u(e: Float[np.ndarray, "n d"], u: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, "n d"]:
    """Return E[e|u] at each row: the mean of its label, or of the 25 rows with the nearest (standardised) u."""
    e, u = np.asarray(e, float), np.asarray(u)
    if u.ndim == 1:
        codes = np.unique(u, return_inverse=True)[1]
        return means_by_code(e, codes)[codes]
    from scipy.spatial import KDTree

    spread = u.std(0)
    standard = (u - u.mean(0)) / np.where(spread > 0, spread, 1.0)
    near = KDTree(standard).query(standard, min(NEIGHBOURS, len(u)))[1].reshape(len(u), -1)
    return e[near].mean(1)


@dataclass(frozen=True, eq=False)
class Consensus:
    """The mean of several members' latents after each was mapped onto the others: mean over m of maps[m] (e_m - b_m).

    Attributes:
        maps: A map for each member.
        b: A centre for each member.
    """

    maps: Float[np.ndarray, "p d d"]
    b: Float[np.ndarray, "p d"]

    def of(self, e: Float[np.ndarray, "p n d"]) -> Float[np.ndarray, "n d"]:
        """Return the consensus of these latents of the same members."""
        return np.mean([(own - b) @ A.T for own, b, A in zip(e, self.b, self.maps, strict=True)], axis=0)


def consensus(e: Float[np.ndarray, "p n d"], *, free: Literal["rotation", "order"] = "rotation") -> Consensus:
    """Map every member's latents onto their running mean, three times.

    Args:
        e: Latents of the members, same rows.
        free: What may differ between members. "rotation": each is whitened and turned (orthogonal Procrustes), for
            latents found up to a linear map. "order": each latent is standardised, and order and signs are matched.
    """
    e = np.asarray(e, float)
    b = e.mean(1)
    centred = e - b[:, None]
    linear = [_whitening(own) if free == "rotation" else np.diag(1 / own.std(0)) for own in centred]
    white = [own @ W.T for own, W in zip(centred, linear, strict=True)]
    mean = white[0]
    for _ in range(ROUNDS):
        turns = [_turn(w, mean) if free == "rotation" else _order(w, mean) for w in white]
        mean = np.mean([w @ M.T for w, M in zip(white, turns, strict=True)], axis=0)
    return Consensus(np.array([M @ W for M, W in zip(turns, linear, strict=True)]), b)


def _whitening(centred: np.ndarray) -> np.ndarray:
    d = centred.shape[1]
    variances, axes = np.linalg.eigh(np.cov(centred.T).reshape(d, d))
    return axes / np.sqrt(np.maximum(variances, 1e-9 * variances.max())) @ axes.T


def _turn(w: np.ndarray, mean: np.ndarray) -> np.ndarray:
    left, _, right = np.linalg.svd(mean.T @ w)
    return left @ right


def _order(w: np.ndarray, mean: np.ndarray) -> np.ndarray:
    matrix = correlations(mean, w, "pearson")[0]
    partner, _ = assign(np.abs(matrix))
    M = np.zeros((w.shape[1], w.shape[1]))
    for i, k in enumerate(partner):
        M[i, k] = 1.0 if matrix[i, k] >= 0 else -1.0
    return M


def linear_r2(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "n k"]) -> float:
    """R^2 of the least-squares map from a to b, averaged over columns of b: the consistency that CEBRA reports."""
    a, b = np.column_stack([a, np.ones(len(a))]), np.asarray(b, float)
    error = b - a @ np.linalg.lstsq(a, b, rcond=None)[0]
    total = ((b - b.mean(0)) ** 2).sum(0)
    return float(np.mean(1 - (error**2).sum(0) / np.where(total > 0, total, 1.0)))
