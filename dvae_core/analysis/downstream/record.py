"""What a plain classifier or regression makes of a run's latents. No torch."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dvae_core.analysis.records import ArrayRecord


def file_name(target: str, reader: str) -> str:
    """Name the record of one target ("u", "z:1") and reader ("linear", "neighbours")."""
    return f"downstream-{target.replace(':', '')}-{reader}"


@dataclass(frozen=True)
class Downstream(ArrayRecord):
    """Held-out scores by kind of features.

    Attributes:
        names: Of the kinds of features: the model, the baselines, "chance".
        value: Accuracy or R^2, mean over the members that count.
        low: Lower end of the 95 % interval over rows.
        high: Its upper end.
        members: Each member's score; NaN where it was left out, and beyond a baseline's single one.
        measure: "accuracy" or "R²".
        target: What was predicted.
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
