"""MIG, DCI, SAP and related scores of one member, as pages show them. No torch."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from dvae_core.analysis.records import TreeRecord


def file_name(member: int) -> str:
    """Return the name of one member's record."""
    return f"disentanglement-{member}"


@dataclass(frozen=True)
class Disentanglement(TreeRecord):
    """The scores of one member.

    Attributes:
        scores: By name, the fields of a `metrics.Score`: value, matrix (factors by latents), blind_to, chance, ...
        factors: Names of the true factors.
        rows: How many held-out rows are behind the scores.
        fast: Whether they were computed on fewer of them.
        codes: Which codes were scored, and what the encoder has seen.
    """

    scores: dict[str, dict[str, Any]]
    factors: tuple[str, ...]
    rows: int
    fast: bool
    codes: str

    def matrix(self, name: str) -> Float[np.ndarray, "d_z d_hat"]:
        """Return the matrix behind a score."""
        return np.array(self.scores[name]["matrix"], float)
