"""The data that the Recover page draws of one member. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from dvae_core.analysis.latents import held_out
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
    found = run.analysis("recovery")
    if found is None:
        pearson, spearman = mcc(z_true, z_hat), mcc(z_true, z_hat, method="spearman")
        return Recovery(z_true, z_hat, _aligned(z_hat, pearson), pearson, spearman, names, notes)
    pearson, spearman = (_score(found, method, member, z_true.shape[1]) for method in ("pearson", "spearman"))
    curves = []
    for x, y in zip(found["curve_x"][member], found["curve_y"][member], strict=True):
        kept = np.isfinite(x)
        curves.append((x[kept], y[kept]) if kept.any() else None)
    return Recovery(
        z_true, z_hat, _aligned(z_hat, pearson), pearson, spearman, names, notes, tuple(curves),
        intervals={m: tuple(found[f"interval_{m}"][member].tolist()) for m in ("pearson", "spearman")},
        ladder=dict(zip(RUNGS, found["ladder"][member].tolist(), strict=True)),
        A=found["A"][member], A_condition=float(found["A_condition"][member]), A_r2=float(found["A_r2"][member]),
        block_share=tuple(found["block_share"][member].tolist()),
    )  # fmt: skip


def _score(found: dict[str, np.ndarray], method: str, member: int, d: int) -> Score:
    matrix, matching = found[f"matrix_{method}"][member], found[f"matching_{method}"][member]
    own = np.where(matching >= 0, np.abs(matrix[np.arange(d), matching]), 0.0)
    return Score(
        value=float(own.mean()), matrix=matrix, matching=tuple(matching.tolist()),
        signs=tuple(found[f"signs_{method}"][member].tolist()), per_factor=tuple(own.tolist()), method=method,
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
