"""How many latents does a recording have? Populations that differ in nothing else; stability first. No torch."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dvae_core import metrics
from dvae_core.analysis.common import good_members
from dvae_core.axes import evenly
from dvae_core.metrics.canonical import linear_r2
from dvae_core.runs import Run

STABLE = 0.95  # R^2 of a linear map between two seeds, of the worst pair, from which a space counts as found
ROWS = 3000  # held-out, at most, evenly spaced


@dataclass(frozen=True)
class Dimension:
    """The results of a population with one number of latents.

    Attributes:
        latents: Their number.
        elbo: Held-out bound of each seed that counts.
        least_r2: R^2 of a linear map from one seed to another, of the worst pair; NaN for a single seed.
        mean_r2: Its mean over pairs.
        own_axes_mcc: Mean MCC of two seeds in the axes as trained.
        lost: Seeds that failed or are stuck.
        run: Id of the run.
    """

    latents: int
    elbo: tuple[float, ...]
    least_r2: float
    mean_r2: float
    own_axes_mcc: float
    lost: int
    run: str

    @property
    def bound(self) -> float:
        """The mean bound over seeds."""
        return float(np.mean(self.elbo))

    @property
    def error(self) -> float:
        """Its standard error over seeds."""
        return float(np.std(self.elbo, ddof=1) / len(self.elbo) ** 0.5) if len(self.elbo) > 1 else float("nan")

    @property
    def is_stable(self) -> bool:
        """Whether every two seeds find the same space."""
        return self.least_r2 >= STABLE


def dimension_of(run: Run) -> Dimension | None:
    """Return the results of a run; None if it has not ended, or none of its seeds counts."""
    latents = run.latents() if (run.path / "config.json").is_file() else None
    if latents is None or run.status().state != "finished":
        return None
    good = good_members(run)
    if not good:
        return None
    z = latents["mu_z"][:, evenly(latents["mu_z"].shape[1], ROWS)].astype(float)
    pairs = list(itertools.permutations(good, 2))
    r2 = [linear_r2(z[i], z[j]) for i, j in pairs]
    mcc = [metrics.pair_mcc(z[i], z[j]).value for i, j in itertools.combinations(good, 2)]
    none = float("nan")
    return Dimension(
        latents=run.config.model.latents, elbo=tuple(float(latents["elbo"][m]) for m in good),
        least_r2=min(r2, default=none), mean_r2=float(np.mean(r2)) if r2 else none,
        own_axes_mcc=float(np.mean(mcc)) if mcc else none, lost=run.config.members - len(good), run=run.id,
    )  # fmt: skip


def chosen(found: Sequence[Dimension]) -> Dimension | None:
    """Return the number of latents to use: stability first, then the bound. None if not even the fewest are stable.

    Beginning with the fewest, one more is taken as long as the worst pair of seeds still finds the same space and the
    held-out bound rises by more than twice the standard error over seeds. The bound alone would take too many: it still
    rises where one seed in four already finds another space.
    """
    best: Dimension | None = None
    for one in sorted(found, key=lambda d: d.latents):
        if not one.is_stable:
            break
        if best is not None and not one.bound - best.bound > 2 * np.hypot(one.error, best.error):
            break
        best = one
    return best


def sentence_of(found: Sequence[Dimension]) -> str:
    """Return the finding in a sentence or two."""
    if not found:
        return "No population has ended yet."
    ordered = sorted(found, key=lambda d: d.latents)
    best = chosen(ordered)
    if best is None:
        few = ordered[0]
        return (
            f"No number of latents is stable: with {few.latents}, a linear map between the worst pair of seeds "
            f"explains {few.least_r2:.2f} of the held-out variance, and {STABLE} are needed."
        )
    finding = (
        f"{best.latents} latent{'s' if best.latents > 1 else ''}: every two seeds find the same space (worst pair R² "
        f"{best.least_r2:.2f})"
    )
    more = next((d for d in ordered if d.latents > best.latents), None)
    if more is None:
        return f"{finding}. Nothing beyond was tried."
    if not more.is_stable:
        return f"{finding}; with {more.latents} the worst pair falls to {more.least_r2:.2f}."
    change = more.bound - best.bound
    return f"{finding}; {more.latents} change the held-out bound by {change:+.2f} nats, no more than twice its error."
