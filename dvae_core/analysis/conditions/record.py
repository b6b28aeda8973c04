"""The data that the Conditions page shows. No torch."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from dvae_core.analysis.records import ArrayRecord
from dvae_core.config import Config
from dvae_core.identify import conditions as theorem
from dvae_core.identify.effect import Effect
from dvae_core.runs import examples_folder

WORLDS = 5  # on which every kind of u is tried


def file_name(member: int) -> str:
    """Return the name of one member's record."""
    return f"conditions-{member}"


@dataclass(frozen=True)
class Conditions(ArrayRecord):
    """The quantities behind the theorem's conditions, for one member; float64.

    Fields about u or p(z|u) are None if the data has no u or the prior is N(0, I).

    Attributes:
        rows: Number of held-out rows.
        d_x: Number of columns of x.
        noise_std: Standard deviation of the learned noise, in units of preprocessed x; NaN if there is none.
        pairs: Number of pairs far apart in z; of these close in x; smallest distance in x.
        singular: Singular values of the generator's Jacobian: noise standard deviations of x a standard deviation of z.
        explained: Var(E[z|u]) / Var(z) of the posterior means.
        explained_true: The same of the true factors.
        lam: Learned lambda at the distinct u (at 200 of the held-out ones of a continuous u).
        spread: Standard deviation of T over posterior samples: lam * spread is in nats.
        gram: Eigenvalues of the centred, scaled Gram matrices of T.
        rank: Ranks of these matrices.
        monotonic: Whether T_i1 only rises or only falls, over the middle 99 % of the latents (k = 1).
        u: The u at which lam was evaluated.
        u_values: Number of distinct u.
        curve_z: Points at which the densities are drawn.
        shown: Rows of u whose densities are drawn, at most 12.
        curves: The learned p(z_i|u) there.
        grid_error: Largest change of log Z on a grid twice as fine (learned T only).
        effect_values: Number of distinct u with enough rows to measure the effect of u, 0 if there is none. None in
            files of earlier versions, which did not measure it.
        effect: The effect of u on held-out latents that were computed without it.
        seeds: MCC of this member's held-out latents with those of every other good seed of the same beta; None in files
            of earlier versions.
        lam_true: The world's own lambda where it is known, times the spread of its T: in nats.
        true_words: A sentence on how, or why not.
    """

    rows: int
    d_x: int
    noise_std: float
    pairs: Float[np.ndarray, "3"]
    singular: Float[np.ndarray, "jacobians s"]
    explained: Float[np.ndarray, " d"] | None = None
    explained_true: Float[np.ndarray, " d_z"] | None = None
    lam: Float[np.ndarray, "m d k"] | None = None
    spread: Float[np.ndarray, "d k"] | None = None
    gram: Float[np.ndarray, "d k"] | None = None
    rank: Int[np.ndarray, " d"] | None = None
    monotonic: Bool[np.ndarray, " d"] | None = None
    u: Shaped[np.ndarray, "m ..."] | None = None
    u_values: int = 0
    curve_z: Float[np.ndarray, " g"] | None = None
    shown: Int[np.ndarray, " c"] | None = None
    curves: Float[np.ndarray, "c d g"] | None = None
    grid_error: float = 0.0
    effect_values: int | None = None
    effect: Effect | None = None
    seeds: Float[np.ndarray, " others"] | None = None
    lam_true: Float[np.ndarray, "m d_z k_true"] | None = None
    true_words: str = ""

    @property
    def is_outdated(self) -> bool:
        """Whether an earlier version wrote it, without the effect of u or the other seeds."""
        return self.lam is not None and (self.effect_values is None or self.seeds is None)

    def lights(
        self, config: Config, *, is_continuous: bool
    ) -> tuple[list[theorem.Light], theorem.TheoremMatrix | None]:
        """Return the theorem's four conditions as lights, and the learned L (None for the prior N(0, I)).

        Args:
            config: The run's config.
            is_continuous: Whether u is numeric.
        """
        far, close, smallest = self.pairs.tolist()
        latents, activation = config.model.latents, config.model.net.activation
        lights = [
            theorem.noise_light(config, self.noise_std),
            theorem.injective_light(self.d_x, latents, self.singular, (int(far), int(close), smallest), activation),
        ]
        if self.lam is None or self.gram is None or self.rank is None:
            names = ("Independent statistics T", "Enough u: L invertible")
            return [*lights, *(theorem.without_u(name) for name in names)], None
        learned = theorem.theorem_matrix(self.lam, spread=self.spread)
        lights.append(theorem.statistics_light(self.gram, self.rank))
        seeds = np.empty(0) if self.seeds is None else self.seeds
        lights.append(theorem.variability_light(self.u_values, is_continuous, learned, self.effect, seeds))
        return lights, learned


def kinds_of_u(folder: Path) -> list[dict[str, Any]]:
    """Return one record per population so far (see `kinds_of_u.train_all`), oldest first; none before the first.

    Records of version 0.1 do not name their world and are left out.
    """
    return _records(folder / "analysis" / "study.json")


def shipped_kinds_of_u() -> list[dict[str, Any]]:
    """Return the records of the populations that ship with the software."""
    return _records(examples_folder() / "kinds_of_u.json")


def _records(path: Path) -> list[dict[str, Any]]:
    try:
        return [r for r in json.loads(path.read_text(encoding="utf-8")).values() if "world" in r]
    except FileNotFoundError:
        return []
