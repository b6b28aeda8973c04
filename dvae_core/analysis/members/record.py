"""What a study's table takes from a population, beside its score. No torch."""

from dataclasses import dataclass
from typing import Any

from dvae_core.analysis.records import TreeRecord


@dataclass(frozen=True)
class Members(TreeRecord):
    """One dict a member: member, agreement, udr, and scores against the truth; None where a score is unknown.

    `full`: whether the scores that take minutes are among them.
    """

    members: list[dict[str, Any]]
    full: bool
