"""Fit any scikit-learn transformer on several seeds, and judge its latents by the same rules as our own."""

import inspect
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from dvae_core.analysis.comparison.pairs import alternating
from dvae_core.data.given import auxiliary, table, together
from dvae_core.referee.records import Agreement, Downstream, Scored, agreement, downstream, score
from dvae_core.runs import Run
from dvae_core.runs.given import from_latents


@dataclass(frozen=True, eq=False)
class Judgement:
    """The quality of an estimator's latents on the held-out rows.

    Attributes:
        method: The estimator's name.
        z: Latents of every seed on all rows [p, n, d].
        held_out: Which rows the estimators were not fitted on.
        agreement: Whether the seeds agree.
        decoding: How well u is predicted from the latents; None without u.
        score: The latents against the true factors; None if they are unknown.
        control: The agreement of seeds that were fitted with the rows of u shuffled; None if u is not passed to `fit`.
        seconds: Time of all fits.
        how: Whether the fits differ by their seed or by bootstraps of the rows.
    """

    method: str
    z: Float[np.ndarray, "p n d"]
    held_out: Bool[np.ndarray, " n"]
    agreement: Agreement
    decoding: Downstream | None
    score: Scored | None
    control: Agreement | None
    seconds: float
    how: str
    data: Mapping[str, np.ndarray]

    def __str__(self) -> str:
        rows = f"{int(self.held_out.sum()):,} held-out rows"
        parts = [f"{self.method}, {len(self.z)} fits on {self.how}, {rows}, {self.seconds:.1f} s"]
        parts += [str(part) for part in (self.agreement, self.decoding, self.score) if part is not None]
        if self.control is not None:
            parts.append(f"with u shuffled: {self.control.sentence()}")
        return "\n".join(parts)

    def figure(self) -> Any:
        """Return the score's figure if factors are known, otherwise the ladder of the seeds."""
        return self.agreement.figure() if self.score is None else self.score.figure()

    def save(self, out: str | Path) -> Run:
        """Store the latents as a run, which Agree and Recover then show."""
        return from_latents(
            self.z, out, method=self.method, held_out=self.held_out, seconds=self.seconds,
            u=self.data.get("u"), z=self.data.get("z"), x=self.data.get("x"),
        )  # fmt: skip


def judge(estimator: Any, x: Any, u: Any = None, *, z: Any = None, seeds: int = 8, u_in_fit: bool = False) -> Judgement:
    """Fit copies of an estimator on several seeds, and judge their latents on rows that they were not fitted on.

    An estimator with a parameter `random_state` gets seeds 0, 1, ...; any other, and one whose first two seeds give the
    same latents, is fitted on bootstraps of the rows.

    Args:
        estimator: Anything with `fit` and `transform` that scikit-learn can clone.
        x: Data [n, d_x].
        u: Labels or numbers of the same rows.
        z: True factors of the same rows.
        seeds: Number of fits, at least 2.
        u_in_fit: Whether to pass u as y to `fit`, as CEBRA and other supervised transformers need it.

    Returns:
        Agreement of the seeds, decoding of u, the score against true factors, and a control with shuffled u.

    Raises:
        ValueError: If there are fewer than two seeds, rows differ, or no seed has finite, varying latents.
    """
    if seeds < 2:
        raise ValueError(f"Seeds can only agree if there are at least two; got seeds={seeds}.")
    given = {name: table(v, name) for name, v in (("x", x), ("u", u), ("z", z)) if v is not None}
    data = together(given)
    codes, _ = auxiliary(data.get("u"), len(data["x"]))
    held_out = alternating(len(data["x"]), codes if codes is not None and codes.ndim == 1 else None)
    began = time.time()
    latents, how = _fits(estimator, data["x"], data.get("u") if u_in_fit else None, held_out, seeds)
    seconds = time.time() - began
    judged = latents[:, held_out]
    kept_u = None if codes is None else data["u"][held_out]
    control = None
    if u_in_fit and codes is not None:
        mixed = data["u"][np.random.default_rng(0).permutation(len(codes))]
        control = agreement(_fits(estimator, data["x"], mixed, held_out, seeds)[0][:, held_out], kept_u)
    return Judgement(
        method=type(estimator).__name__, z=latents, held_out=held_out, agreement=agreement(judged, kept_u),
        decoding=None if codes is None else downstream(latents, data["u"], x=data["x"], held_out=held_out),
        score=None if z is None else score(data["z"][held_out], judged, kept_u, x=data["x"][held_out]),
        control=control, seconds=seconds, how=how, data=data,
    )  # fmt: skip


def _fits(
    estimator: Any, x: np.ndarray, y: np.ndarray | None, held_out: np.ndarray, seeds: int
) -> tuple[np.ndarray, str]:
    """Return the latents of all rows from each fit on the rows that are not held out, and how the fits differ."""
    from sklearn.base import clone

    train = np.flatnonzero(~held_out)

    def fitted(seed: int, by_seed: bool) -> np.ndarray:
        copy: Any = clone(estimator)
        rows = train
        if by_seed:
            copy.set_params(random_state=seed)
        else:
            rows = np.sort(np.random.default_rng(seed).choice(train, len(train)))
        copy = copy.fit(x[rows]) if y is None else copy.fit(x[rows], y[rows])
        return np.asarray(copy.transform(x), float).reshape(len(x), -1)

    if "random_state" in inspect.signature(type(estimator).__init__).parameters:
        first = [fitted(seed, True) for seed in range(2)]
        if first[0].shape != first[1].shape or not np.allclose(*first, rtol=1e-9, atol=0):
            return np.stack([*first, *(fitted(seed, True) for seed in range(2, seeds))]), "seeds"
    return np.stack([fitted(seed, False) for seed in range(seeds)]), "bootstraps of the rows"
