"""The data that the Recover page draws of one member. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from dvae_core.analysis.latents import held_out
from dvae_core.analysis.records import ArrayRecord
from dvae_core.metrics import Score, mcc
from dvae_core.metrics.agreement import RUNGS
from dvae_core.metrics.score import BLIND_TO
from dvae_core.runs import Run


def scorable(
    z_true: Float[np.ndarray, "n d_z"], names: Sequence[str]
) -> tuple[Bool[np.ndarray, " d_z"], tuple[str, ...]]:
    """Return which factors vary on these rows, and a sentence for each that does not."""
    varies = z_true.max(0) > z_true.min(0)
    notes = tuple(
        f"Factor {name} is constant on the held-out rows, so its correlation is undefined: it is left out."
        for name, kept in zip(names, varies, strict=True)
        if not kept
    )
    return varies, notes


@dataclass(frozen=True, kw_only=True)
class Recoveries(ArrayRecord):
    """analysis/recovery.npz: every member's match with the factors that vary on the held-out rows.

    matrix_* [p, d_z, d_hat] (signed), matching_* and signs_* [p, d_z], and interval_* [p, 3] (mean over resamples, low,
    high, 95 %; NaN if too few rows are independent) exist for "pearson" and "spearman". A diverged member has NaN
    (matching -1).

    Attributes:
        curve_x: [p, d_z, 200], the monotone curve from signed latent to factor; NaN if there is none.
        curve_y: Likewise.
        ladder: [p, 5], the held-out R^2 of the factors from the latents by the rungs of `RUNGS`.
        A: [p, k d_z, k d_hat], theorem 1's map T(z_true) = A T(z_hat) + c, with both sides standardised, fitted by
            least squares on rows 1, 3, 5, ...
        A_condition: [p], the condition number of A.
        A_r2: [p], R^2 of the map on rows 2, 4, 6, ...
        block_share: [p, d_z], the share of a factor's squared weights in the block of its own latent (1 = a block
            permutation, theorem 2).
        factors: Indices of the factors that vary on these rows.
        notes: A sentence about each factor that does not.
        memory: [p], the rows' autocorrelation time; version 0.1 did not compute it.
    """

    matrix_pearson: np.ndarray
    matching_pearson: np.ndarray
    signs_pearson: np.ndarray
    interval_pearson: np.ndarray
    matrix_spearman: np.ndarray
    matching_spearman: np.ndarray
    signs_spearman: np.ndarray
    interval_spearman: np.ndarray
    curve_x: np.ndarray
    curve_y: np.ndarray
    ladder: np.ndarray
    A: np.ndarray
    A_condition: np.ndarray
    A_r2: np.ndarray
    block_share: np.ndarray
    factors: np.ndarray
    notes: tuple[str, ...]
    memory: np.ndarray | None = None


@dataclass(frozen=True)
class Recovery:
    """True factors beside one member's latents, matched and signed, held-out rows only.

    Factors that are constant on these rows are left out and named in `notes`. `intervals` (by method: mean, low, high)
    and the fields after it are None until training has ended and the run is scored.
    """

    z_true: np.ndarray
    z_hat: np.ndarray
    aligned: np.ndarray
    pearson: Score
    spearman: Score
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    curves: tuple[tuple[np.ndarray, np.ndarray] | None, ...] = ()
    intervals: dict[str, tuple[float, float, float]] | None = None
    ladder: dict[str, float] | None = None
    A: np.ndarray | None = None
    A_condition: float = np.nan
    A_r2: float = np.nan
    block_share: tuple[float, ...] = ()


def recovery(run: Run, member: int) -> Recovery | None:
    """Return the data that the Recover page draws for a member; None if no true factor is known (or none varies).

    It is read from analysis/recovery.npz if the run is scored; before that, it is matched on the spot (loads scipy).
    """
    latents = held_out(run)
    if "z_true" not in latents:
        return None
    z_true, z_hat = latents["z_true"].astype(float), latents["mu_z"][member].astype(float)
    known = run.about.get("z_names") or []
    names = tuple(known) if len(known) == z_true.shape[1] else tuple(f"s{i + 1}" for i in range(z_true.shape[1]))
    varies, notes = scorable(z_true, names)
    if not varies.any():
        return None
    z_true, names = z_true[:, varies], tuple(name for name, kept in zip(names, varies, strict=True) if kept)
    found = Recoveries.load(run, "recovery")
    if found is None:
        pearson, spearman = mcc(z_true, z_hat), mcc(z_true, z_hat, method="spearman")
        return Recovery(z_true, z_hat, _aligned(z_hat, pearson), pearson, spearman, names, notes)
    pearson, spearman = (_score(found, method, member) for method in ("pearson", "spearman"))
    curves = []
    for x, y in zip(found.curve_x[member], found.curve_y[member], strict=True):
        kept = np.isfinite(x)
        curves.append((x[kept], y[kept]) if kept.any() else None)
    return Recovery(
        z_true, z_hat, _aligned(z_hat, pearson), pearson, spearman, names, notes, tuple(curves),
        intervals={m: tuple(getattr(found, f"interval_{m}")[member].tolist()) for m in ("pearson", "spearman")},
        ladder=dict(zip(RUNGS, found.ladder[member].tolist(), strict=True)),
        A=found.A[member], A_condition=float(found.A_condition[member]), A_r2=float(found.A_r2[member]),
        block_share=tuple(found.block_share[member].tolist()),
    )  # fmt: skip


def _score(found: Recoveries, method: str, member: int) -> Score:
    matrix, matching, signs = (getattr(found, f"{part}_{method}")[member] for part in ("matrix", "matching", "signs"))
    own = np.where(matching >= 0, np.abs(matrix[np.arange(len(matrix)), matching]), 0.0)
    return Score(
        value=float(own.mean()), matrix=matrix, matching=tuple(matching.tolist()), signs=tuple(signs.tolist()),
        per_factor=tuple(own.tolist()), method=method,
        notes=(), blind_to=BLIND_TO[method], chance="see the reference lines",
    )  # fmt: skip


def _aligned(z_hat: np.ndarray, score: Score) -> np.ndarray:
    """Return the latents in the factors' order and sign, standardised; NaN if a factor has none."""
    out = np.full((len(z_hat), len(score.matching)), np.nan)
    for i, (k, sign) in enumerate(zip(score.matching, score.signs, strict=True)):
        if k >= 0:
            std = z_hat[:, k].std()
            out[:, i] = sign * (z_hat[:, k] - z_hat[:, k].mean()) / (std if std > 0 else 1.0)
    return out
