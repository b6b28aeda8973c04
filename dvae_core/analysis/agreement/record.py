"""The data that the Agree page draws. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dvae_core.metrics.agreement import LINEAR, POINTWISE, RUNGS, lowest
from dvae_core.runs import Run


@dataclass(frozen=True)
class Agreement:
    """Agreement of the members of a run, and of another beside it: analysis/agreement*.npz, see `agree.agreement`."""

    names: tuple[str, ...]
    of: np.ndarray
    mcc: np.ndarray
    within: np.ndarray | None
    ladder: dict[str, np.ndarray]
    strength: np.ndarray
    udr: np.ndarray
    kl: np.ndarray
    rows: int
    chance: float
    rotation: float | None  # None in records written before it was computed
    notes: tuple[str, ...]

    def pairs(self, one: int = 0, two: int = 0) -> np.ndarray:
        """Return the pairs [k, 2] of different members (from, to), from run `one` to run `two` and back."""
        i, j = np.nonzero(~np.eye(len(self.of), dtype=bool))
        here = ((self.of[i] == one) & (self.of[j] == two)) | ((self.of[i] == two) & (self.of[j] == one))
        return np.column_stack([i[here], j[here]])

    def rungs(self, one: int = 0, two: int = 0) -> dict[str, dict[str, int]]:
        """Count the pairs by their lowest rung reached, by branch ("pointwise", "linear"); "none" for none."""
        out: dict[str, dict[str, int]] = {}
        for branch, names in (("pointwise", POINTWISE), ("linear", LINEAR)):
            counts: dict[str, int] = dict.fromkeys([*names, "none"], 0)
            for i, j in self.pairs(one, two):
                counts[lowest({rung: float(r2[i, j]) for rung, r2 in self.ladder.items()}, names) or "none"] += 1
            out[branch] = counts
        return out


def agreement(
    run: Run, names: Sequence[str], other: Run | None = None, other_names: Sequence[str] = ()
) -> Agreement | None:
    """Return the Agreement of a run's members (and another's), or None if it is not computed yet.

    Args:
        run: The run.
        names: Names of its members.
        other: Another run to compare with.
        other_names: Names of the other run's members.
    """
    found = run.analysis("agreement" if other is None else f"agreement-{other.id}")
    if found is None:
        return None
    called = (names, other_names)
    labels = [called[r][m] for r, m in zip(found["run"].tolist(), found["member"].tolist(), strict=True)]
    within = found["mcc_within"]
    off = ~np.eye(len(within), dtype=bool)
    return Agreement(
        names=tuple(labels), of=found["run"], mcc=found["mcc"],
        within=within if np.isfinite(within[off]).all() else None,
        ladder={rung: found["ladder"][:, :, r] for r, rung in enumerate(RUNGS)}, strength=found["strength"],
        udr=found["udr"], kl=found["kl"], rows=int(found["rows"]), chance=float(found["chance"]),
        rotation=float(found["rotation"]) if "rotation" in found else None,
        notes=tuple(str(note) for note in found["notes"].tolist()),
    )  # fmt: skip


def comparable(runs: Sequence[Run], run: Run) -> list[Run]:
    """Return the finished runs on the same data (same fingerprint) as `run`, itself first."""
    fingerprint = run.about.get("fingerprint")
    others = [
        r for r in runs if r.id != run.id and r.about.get("fingerprint") == fingerprint and r.latents() is not None
    ]
    return [run, *others]


def shares_u(one: Run, other: Run) -> bool:
    """Whether two runs of different data have the same u, so that their latents can be compared by it."""
    a, b = one.about, other.about
    known = bool(a.get("u_names")) and a.get("fingerprint") != b.get("fingerprint")
    return known and all(a.get(key) == b.get(key) for key in ("u_names", "u_labels", "has_labels"))
