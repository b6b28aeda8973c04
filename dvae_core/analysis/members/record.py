"""The columns of a study's table that come from a population, beside its score. No torch."""

from dataclasses import dataclass
from typing import Any

from dvae_core.analysis.records import TreeRecord


@dataclass(frozen=True)
class Members(TreeRecord):
    """Return one dict per member: member, agreement, udr, and scores against the truth; None if a score is unknown.

    `full`: whether the scores that take minutes are included.
    """

    members: list[dict[str, Any]]
    full: bool
