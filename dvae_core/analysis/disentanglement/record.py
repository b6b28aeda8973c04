"""What pages show of a member's MIG, DCI, SAP and their kin. No torch."""

from typing import Any

import numpy as np
from jaxtyping import Float

from dvae_core.runs import Run


def load(run: Run, member: int) -> dict[str, Any] | None:
    """Return what `compute.disentanglement` wrote about a member; None where it is not computed yet."""
    return run.record(f"disentanglement-{member}")


def matrix(score: dict[str, Any]) -> Float[np.ndarray, "d_z d_hat"]:
    """Return the matrix of a score as written by `compute.disentanglement`."""
    return np.array(score["matrix"], float)
