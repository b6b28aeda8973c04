"""Rows beside each other in a recording: windows around each row, and pairs of neighbours."""

import numpy as np
from jaxtyping import Int

from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.split import Split

LONGEST_STEP = 1.5  # bins; a longer step between the times of two rows is a gap


def stretches(dataset: Dataset, parts: Split | None = None, what: str = "A window") -> Int[np.ndarray, " n"]:
    """Number the contiguous stretches of a recording: within one, each row follows the one before it in time.

    A stretch ends at a gap in the rows' times or row numbers, at the end of a trial or session, and, if `parts` is
    given, at the border between training and held-out rows: no window then carries a row from one side to the other.

    Args:
        dataset: Rows in time order.
        parts: The split whose borders count.
        what: What needs them, for the error.

    Raises:
        DataError: If the rows are not in time order, as far as the data says, or their split is random.
    """
    if dataset.rate_hz is None and dataset.trial is None:
        raise DataError(
            f"{what} needs rows in time order, and {dataset.name} states no sampling rate; give it (--rate), or "
            f"leave {'the' if what.startswith('A ') else ''}{what[1:]} out."
        )
    if parts is not None and parts.how == "random":
        raise DataError(f"{what} needs neighbouring rows on the same side of the split; split in blocks or by trials.")
    new = np.zeros(dataset.n, bool)
    for of in (dataset.trial, dataset.session):
        if of is not None:
            new[1:] |= of[1:] != of[:-1]
    if dataset.index is not None:
        step = np.diff(dataset.index)
        is_time = dataset.index.dtype.kind == "f" and dataset.rate_hz is not None
        new[1:] |= ~((step > 0) & (step * (dataset.rate_hz if is_time else 1) < LONGEST_STEP))
    if parts is not None:
        side = np.zeros(dataset.n, np.int8)  # 0 is in the gap between the two
        side[parts.train], side[parts.held_out] = 1, 2
        new[1:] |= side[1:] != side[:-1]
    return np.cumsum(new)


def around(
    stretch: Int[np.ndarray, " n"], rows: Int[np.ndarray, " k"], window: tuple[int, int]
) -> Int[np.ndarray, "k w"]:
    """Return the rows t - l .. t + r around each row t. Beyond the ends of its stretch the end row is repeated."""
    first = np.searchsorted(stretch, stretch[rows])
    last = np.searchsorted(stretch, stretch[rows], side="right") - 1
    return np.clip(rows[:, None] + np.arange(-window[0], window[1] + 1), first[:, None], last[:, None])


def neighbours(stretch: Int[np.ndarray, " n"], rows: Int[np.ndarray, " k"]) -> Int[np.ndarray, " m"]:
    """Return the positions within `rows` (sorted) whose next position holds the next row of the same stretch.

    Raises:
        DataError: If no two rows are neighbours.
    """
    is_next = (np.diff(rows) == 1) & (np.diff(stretch[rows]) == 0)
    if not is_next.any():
        raise DataError("No two rows of this part are neighbours in time; give a longer recording, or longer blocks.")
    return np.flatnonzero(is_next)


def paired(stretch: Int[np.ndarray, " n"], rows: Int[np.ndarray, " k"]) -> Int[np.ndarray, " m"]:
    """Return `rows` (sorted) as pairs of neighbours, each pair's two rows in turn. A row is in one pair at most."""
    at = neighbours(stretch, rows)
    new = np.diff(at, prepend=-2) > 1  # where a run of neighbours begins
    begins = np.maximum.accumulate(np.where(new, np.arange(len(at)), 0))
    first = at[(np.arange(len(at)) - begins) % 2 == 0]
    return rows[np.stack([first, first + 1], 1).ravel()]
