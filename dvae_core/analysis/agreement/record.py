"""Agreement of the members of a run with each other and with those of another run, as pages show it. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from dvae_core.analysis.records import ArrayRecord
from dvae_core.metrics.agreement import LINEAR, POINTWISE, RUNGS, lowest
from dvae_core.runs import Run


def file_name(other: str = "") -> str:
    """Return the name of the record of a run alone, or beside the run with the id `other`."""
    return f"agreement-{other}" if other else "agreement"


@dataclass(frozen=True)
class Agreement(ArrayRecord):
    """Pairwise comparisons of P members, those of the run first.

    Attributes:
        member: Index of each member in its run.
        run: Which run it belongs to, 0 or 1.
        mcc: MCC of every pair (`metrics.pair_mcc`).
        mcc_within: MCC within the labels of u; NaN without labels.
        ladder: Held-out R^2 of column member j predicted from row member i, by rung (`RUNGS`); NaN with too few rows.
        strength: How strongly latent k of member i comes back in member j (`metrics.strengths`).
        udr: Unsupervised disentanglement ranking of each member.
        kl: KL of each member's latents in nats, NaN beyond their number.
        rows: Number of rows compared.
        chance: MCC of independent latents.
        notes: Sentences about this computation.
        rotation: MCC of randomly rotated latents. None in files of the first version.
    """

    member: Int[np.ndarray, " P"]
    run: Int[np.ndarray, " P"]
    mcc: Float[np.ndarray, "P P"]
    mcc_within: Float[np.ndarray, "P P"]
    ladder: Float[np.ndarray, "P P rungs"]
    strength: Float[np.ndarray, "P P d"]
    udr: Float[np.ndarray, " P"]
    kl: Float[np.ndarray, "P d"]
    rows: int
    chance: float
    notes: tuple[str, ...]
    rotation: float | None = None

    @property
    def within(self) -> Float[np.ndarray, "P P"] | None:
        """The MCCs within u, or None if there are none."""
        off = ~np.eye(len(self.mcc), dtype=bool)
        return self.mcc_within if np.isfinite(self.mcc_within[off]).all() else None

    @property
    def r2(self) -> dict[str, Float[np.ndarray, "P P"]]:
        """The ladder by rung."""
        return {rung: self.ladder[:, :, k] for k, rung in enumerate(RUNGS)}

    @property
    def has_ladder(self) -> bool:
        """Whether maps were fitted: they need rows enough, and across data sets latents whose means u moves."""
        return bool(np.isfinite(self.ladder).any())

    def mean_mcc(self, one: int = 0, two: int = 0) -> float:
        """Return the mean MCC of the members of run `one` with other members, those of run `two`."""
        pairs = self.pairs(one, two)
        return float(self.mcc[pairs[:, 0], pairs[:, 1]].mean())

    def labels(self, *names: Sequence[str]) -> tuple[str, ...]:
        """Return the name of each member, given the names of all members of each run."""
        return tuple(names[r][m] for r, m in zip(self.run.tolist(), self.member.tolist(), strict=True))

    def pairs(self, one: int = 0, two: int = 0) -> np.ndarray:
        """Return the pairs [k, 2] of different members (from, to), from run `one` to run `two` and back."""
        i, j = np.nonzero(~np.eye(len(self.run), dtype=bool))
        here = ((self.run[i] == one) & (self.run[j] == two)) | ((self.run[i] == two) & (self.run[j] == one))
        return np.column_stack([i[here], j[here]])

    def rungs(self, one: int = 0, two: int = 0) -> dict[str, dict[str, int]]:
        """Count the pairs by their lowest rung reached, by branch ("pointwise", "linear"); "none" for none."""
        out: dict[str, dict[str, int]] = {}
        for branch, names in (("pointwise", POINTWISE), ("linear", LINEAR)):
            counts: dict[str, int] = dict.fromkeys([*names, "none"], 0)
            for i, j in self.pairs(one, two):
                counts[lowest({rung: float(r2[i, j]) for rung, r2 in self.r2.items()}, names) or "none"] += 1
            out[branch] = counts
        return out


def comparable(runs: Sequence[Run], run: Run) -> list[Run]:
    """Return the finished runs on the same data (same fingerprint) as `run`, itself first."""
    fingerprint = run.about.get("fingerprint")
    if fingerprint is None:  # latents with nothing that says which rows they are
        return [run]
    others = [
        r for r in runs if r.id != run.id and r.about.get("fingerprint") == fingerprint and r.latents() is not None
    ]
    return [run, *others]


def shares_u(one: Run, other: Run) -> bool:
    """Whether two runs of different data have the same u, so that their latents can be compared by it."""
    a, b = one.about, other.about
    known = bool(a.get("u_names")) and a.get("fingerprint") != b.get("fingerprint")
    return known and all(a.get(key) == b.get(key) for key in ("u_names", "u_labels", "has_labels"))
