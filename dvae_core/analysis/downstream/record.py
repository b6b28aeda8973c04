"""Scores of a plain classifier or regression on a run's latents. No torch."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dvae_core.analysis.records import ArrayRecord

DEGREES = "error in degrees"  # the measure for angles: less is better


def file_name(target: str, reader: str) -> str:
    """Return the name of the record of a target ("u", "z:1") and a reader ("linear", "neighbours")."""
    return f"downstream-{target.replace(':', '')}-{reader}"


@dataclass(frozen=True)
class Downstream(ArrayRecord):
    """Held-out scores by kind of features.

    Attributes:
        names: Kinds of features: the model, the baselines, "chance".
        value: Accuracy, R^2 or mean error of a direction, averaged over the members that count.
        low: Lower end of the 95 % interval over rows.
        high: Its upper end.
        members: Each member's score; NaN if it was left out, and after the first entry of a baseline, which has only
        one.
        measure: "accuracy", "R²", or "error in degrees".
        target: Name of the predicted variable.
        notes: Sentences about this computation.
    """

    names: tuple[str, ...]
    value: Float[np.ndarray, " names"]
    low: Float[np.ndarray, " names"]
    high: Float[np.ndarray, " names"]
    members: Float[np.ndarray, "names p"]
    measure: str
    target: str
    notes: tuple[str, ...]
