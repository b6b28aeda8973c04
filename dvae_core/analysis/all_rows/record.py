"""The latents of all rows of a run's data, as arrays. No torch."""

from dataclasses import dataclass

import numpy as np

from dvae_core.analysis.records import ArrayRecord


@dataclass(frozen=True)
class AllRows(ArrayRecord):
    """One entry per row of the data, in its order.

    Attributes:
        mu_z: Posterior means of every member `[p n d]`.
        std_z: Their standard deviations `[p n d]`; None for a run with a student, whose encoder has none.
        row: The row's number in the file, or its time in seconds if rows are bins `[n]`.
        part: 0 training, 1 held out, 2 in neither (the gap) `[n]`.
        u: u of every row, if the data has one.
        verdicts: What was found about the run, as sentences: see `analysis.verdicts`.
    """

    mu_z: np.ndarray
    row: np.ndarray
    part: np.ndarray
    verdicts: np.ndarray
    std_z: np.ndarray | None = None
    u: np.ndarray | None = None
