"""The reference lines of a data set. No torch."""

from dataclasses import dataclass

from dvae_core.analysis.records import TreeRecord


@dataclass(frozen=True)
class Difficulty(TreeRecord):
    """Held-out MCC of each reference line (None if there is none), the rows behind it, and notes."""

    scores: dict[str, float | None]
    rows: int
    notes: tuple[str, ...]
