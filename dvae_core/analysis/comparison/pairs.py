"""Compare every pair of a set of latents: agreement, rungs, and what u alone would give. Arrays only, no torch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from dvae_core import metrics
from dvae_core.axes import means_by_code
from dvae_core.metrics.agreement import RUNGS, Rung

CELLS = 60  # numbers in u are cut into at most this many cells
MAX_MEMBERS = 8  # whose pairs are compared on the page; a pair takes about 20 ms


HALVES = 20  # contiguous stretches, which alternate between fitting and scoring
RUNG_NAMES = {
    "identity": "identity", "permutation": "order-sign-scale", "monotone": "monotone", "orthogonal": "rotation",
    "affine": "affine", None: "none",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Pairs:
    """All pairs of a set of latents.

    Attributes:
        mcc: Symmetric MCC of each unordered pair.
        ladder: Held-out R^2 of each ordered pair by rung; empty with too few rows.
        within: MCC within the labels or cells of u; NaN without u.
        shuffled: MCC after the rows of one side are shuffled within each label or cell of u, which leaves what both
            sides owe to u alone; NaN without u.
        rung: The lowest rung that the median pair reaches.
        reached: How many ordered pairs reach it, and how many there are.
    """

    mcc: Float[np.ndarray, " k"]
    ladder: dict[Rung, Float[np.ndarray, " k2"]]
    within: Float[np.ndarray, " k"]
    shuffled: Float[np.ndarray, " k"]
    rung: Rung | None
    reached: tuple[int, int]

    @property
    def linear_r2(self) -> float:
        """Mean R^2 of the linear map over ordered pairs; NaN with too few rows."""
        return float(np.mean(self.ladder["affine"])) if self.ladder else float("nan")


def pairs_of(members: Sequence[Float[np.ndarray, "n d"]], u: Shaped[np.ndarray, "n ..."] | None = None) -> Pairs:
    """Compare every pair of latents on the same rows.

    Args:
        members: Latents of at least two models, constant ones left out.
        u: Labels or numbers of the same rows.
    """
    codes = None if u is None else cells(u)
    rng = np.random.default_rng(0)
    turned = None if codes is None else shuffled_within(codes, rng)
    residual = None if codes is None else [_less_means(z, codes) for z in members]
    mcc, within, shuffled, ladders = [], [], [], []
    widest = max(z.shape[1] for z in members)
    enough = len(members[0]) >= 2 * (widest + 2)
    for i, a in enumerate(members):
        for j, b in enumerate(members):
            if i < j:
                mcc.append(metrics.pair_mcc(a, b).value)
                within.append(np.nan if residual is None else metrics.pair_mcc(residual[i], residual[j]).value)
                shuffled.append(np.nan if turned is None else metrics.pair_mcc(a, b[turned]).value)
            if i != j and enough:
                ladders.append(metrics.ladder(a, b, same_axes=a.shape[1] == b.shape[1]).r2)
    ladder: dict[Rung, np.ndarray] = {}
    if ladders:
        ladder = {rung: np.array([r2[rung] for r2 in ladders]) for rung in RUNGS}
    rung, reached, count = metrics.typical_rung(ladder)
    return Pairs(np.array(mcc), ladder, np.array(within), np.array(shuffled), rung, (reached, count))


def cells(u: Shaped[np.ndarray, "n ..."]) -> np.ndarray:
    """Return labels as codes; numbers as the code of the cell of their first two columns, cut at quantiles."""
    if u.ndim == 1 and u.dtype.kind in "iubUS":
        return np.unique(u, return_inverse=True)[1]
    u = u.reshape(len(u), -1)[:, :2].astype(float)
    side = int(min(CELLS, max(2, len(u) // 10)) ** (1 / u.shape[1]))
    code = np.zeros(len(u), int)
    for column in u.T:
        edges = np.quantile(column, np.linspace(0, 1, side + 1)[1:-1])
        code = code * side + np.searchsorted(edges, column)
    return np.unique(code, return_inverse=True)[1]


def shuffled_within(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return an order of the rows that exchanges them at random within each code."""
    order = np.arange(len(codes))
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        order[rows] = rng.permutation(rows)
    return order


def alternating(n: int, labels: Shaped[np.ndarray, " n"] | None = None) -> np.ndarray:
    """Return which rows are scored: every other one of 20 contiguous stretches, of each label if there are labels."""
    scored = np.zeros(n, bool)
    groups = [np.arange(n)] if labels is None else [np.flatnonzero(labels == label) for label in np.unique(labels)]
    for rows in groups:
        stretches = min(HALVES, len(rows))
        scored[rows] = np.arange(len(rows)) * stretches // len(rows) % 2 == 1
    return scored


def _less_means(z: np.ndarray, codes: np.ndarray) -> np.ndarray:
    residual = z - means_by_code(z, codes)[codes]
    # A copy of u leaves rounding errors, which must not correlate with each other.
    residual[:, np.ptp(residual, axis=0) <= 1e-9 * np.maximum(np.abs(z).max(0), 1e-300)] = 0.0
    return residual
