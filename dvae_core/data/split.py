"""The split of a data set into a training and a held-out part. `held_out.planned` chooses the method for a new run."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int64

from dvae_core.data.dataset import DataError, Dataset, listed

MIN_ROWS, MIN_TRIALS = 3, 5  # fewer cannot be split
BLOCKS = 20  # contiguous stretches of a time-ordered recording, see `split`
GAP_SHARE = 0.25  # most of the rows that gaps beside held-out blocks may take


@dataclass(frozen=True, eq=False)
class Split:
    """Sorted row indices of the two parts, and the method (`how`) that made them, such as "random".

    Attributes:
        train: Rows to train on.
        held_out: Rows to score on.
        how: "random", "blocks", "trials" or "sessions".
        gap: Rows beside held-out blocks that are in neither part.
        gap_rows: Width of each gap in rows; less than requested if the data is too short for it.
    """

    train: Int64[np.ndarray, " n_train"]
    held_out: Int64[np.ndarray, " n_held_out"]
    how: str
    gap: Int64[np.ndarray, " n_gap"]
    gap_rows: int = 0


def split(
    dataset: Dataset,
    how: Literal["auto", "random", "blocks", "trials", "sessions"] = "auto",
    *,
    fraction: float = 0.2,
    seed: int = 0,
    gap: int = 0,
) -> Split:
    """Split the rows into a training and a held-out part.

    "random" draws rows, within each label if u is labels. "blocks" cuts the recording into 20 contiguous stretches and
    holds out every fifth (for the default fraction): neighbouring rows of a time series resemble each other, and a
    random split would test on near-copies of the training rows. The `gap` rows on either side of each held-out stretch
    are in neither part. If gaps would take more than a quarter of the data, fewer and longer stretches are held out:
    every fifth of 10, then of 5, then the end. "trials" and "sessions" hold out whole ones, drawn within each label if
    every trial has one label. "auto" means trials if rows are the bins of at least 5 trials, otherwise blocks if
    `rate_hz` is stated, otherwise random; `held_out.planned` decides with more care, for new runs.

    Args:
        dataset: The data to split.
        how: "auto", "random", "blocks", "trials" or "sessions".
        fraction: Share of rows to hold out; blocks round it to a whole number of twentieths.
        seed: Seed of the random draws; blocks do not use it.
        gap: Rows to leave out on either side of each held-out block; other splits do not use it. See `Order.gap`.

    Returns:
        Both parts, each with at least one row, and every label in both.

    Raises:
        DataError: If a label would be missing from one part, there are fewer than 3 rows, or the data has no trials or
            sessions to hold out.
        ValueError: If `how` is unknown, `fraction` is not between 0 and 1, or `gap` is negative.
    """
    if how not in ("auto", "random", "blocks", "trials", "sessions"):
        raise ValueError(f"how must be auto, random, blocks, trials or sessions; got {how!r}.")
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must be between 0 and 1; got {fraction}.")
    if gap < 0:
        raise ValueError(f"gap must be 0 rows or more; got {gap}.")
    if dataset.n < MIN_ROWS:
        raise DataError(
            f"{dataset.name} has {dataset.n:,} rows; at least {MIN_ROWS} are needed to train on some and hold out some."
        )
    if how == "auto":
        how = "trials" if has_trials(dataset) else "random" if dataset.rate_hz is None else "blocks"
    held_out = np.zeros(dataset.n, dtype=bool)
    if how == "blocks":
        return _in_blocks(dataset, fraction, gap)
    if how in ("trials", "sessions"):
        held_out = _whole(dataset, dataset.trial if how == "trials" else dataset.session, how, fraction, seed)
    else:
        rng = np.random.default_rng(seed)
        groups = [np.flatnonzero(dataset.u == code) for code in range(dataset.n_labels)] or [np.arange(dataset.n)]
        for rows in groups:
            held_out[rng.permutation(rows)[: _share(len(rows), fraction)]] = True
    _check_labels(dataset, held_out, ~held_out, "merge or drop")
    return Split(np.flatnonzero(~held_out), np.flatnonzero(held_out), how, np.zeros(0, np.int64))


def has_trials(dataset: Dataset) -> bool:
    """Whether rows are the bins of enough trials to hold out whole ones."""
    trials = 0 if dataset.trial is None else len(np.unique(dataset.trial))
    return MIN_TRIALS <= trials < dataset.n


def _in_blocks(dataset: Dataset, fraction: float, gap: int) -> Split:
    """Hold out contiguous stretches with a gap on either side: the finest division in which every label is kept."""
    n, problem = dataset.n, None
    most = int(GAP_SHARE * n)
    ways = [(BLOCKS, 0)]
    if gap:
        ways = [(blocks, gap) for blocks in (BLOCKS, BLOCKS // 2, BLOCKS // 4)
                if 2 * _share(min(blocks, n), fraction) * gap <= most]  # fmt: skip
        ways += [(1, min(gap, most)), (BLOCKS, min(gap, most // (2 * _share(min(BLOCKS, n), fraction))))]
    for blocks, width in ways:
        held_out = _stretches(n, min(blocks, n), fraction)
        starts, stops = runs_of(held_out)
        between = np.zeros(n, bool)
        for start, stop in zip(starts, stops, strict=True):
            between[max(start - width, 0) : start] = between[stop : stop + width] = True
        between &= ~held_out
        train = ~held_out & ~between
        try:
            _check_labels(dataset, held_out, train, "split at random, or merge or drop")
        except DataError as error:
            problem = problem or error
            continue
        return Split(np.flatnonzero(train), np.flatnonzero(held_out), "blocks", np.flatnonzero(between), width)
    assert problem is not None
    raise problem


def _stretches(n: int, blocks: int, fraction: float) -> Bool[np.ndarray, " n"]:
    """Return which rows are held out if every k-th of `blocks` stretches is; of a single one, its end."""
    if blocks == 1:
        return np.arange(n) >= n - _share(n, fraction)
    chosen = _share(blocks, fraction)
    block = np.arange(n) * blocks // n
    return np.isin(block, ((np.arange(chosen) + 0.5) * blocks / chosen).astype(int))


def runs_of(mask: Bool[np.ndarray, " n"]) -> tuple[Int64[np.ndarray, " k"], Int64[np.ndarray, " k"]]:
    """Return the first row, and the row after the last, of every stretch of True."""
    edges = np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)


def _check_labels(dataset: Dataset, held_out: np.ndarray, train: np.ndarray, advice: str) -> None:
    for part, rows in (("training", train), ("held-out", held_out)):
        present = set(dataset.u[rows].tolist()) if dataset.has_labels else set()  # type: ignore[index]
        missing = [label for code, label in enumerate(dataset.u_labels) if code not in present]
        if missing:
            raise DataError(f"The {part} part has no row of label {listed(missing)}; {advice} these labels.")


def _whole(dataset: Dataset, of: np.ndarray | None, what: str, fraction: float, seed: int) -> Bool[np.ndarray, " n"]:
    """Return which rows are held out if whole trials or sessions are, given each row's trial or session."""
    if of is None or of.min() == of.max():
        count = "no" if of is None else "one of its"
        raise DataError(f"{dataset.name} has {count} {what} to hold out; choose another split.")
    which, first = np.unique(of, return_index=True)
    labels = dataset.u[first] if dataset.has_labels else np.zeros(len(which), int)  # type: ignore[index]
    if dataset.has_labels and not (dataset.u == labels[np.searchsorted(which, of)]).all():
        labels = np.zeros(len(which), int)  # labels change within a trial
    rng = np.random.default_rng(seed)
    chosen = [rng.permutation(which[labels == label]) for label in np.unique(labels)]
    return np.isin(of, np.concatenate([part[: _share(len(part), fraction)] for part in chosen]))


def _share(count: int, fraction: float) -> int:
    """Return how many of `count` to hold out: at least one, leaving at least one."""
    return max(0, min(max(1, round(count * fraction)), count - 1))
