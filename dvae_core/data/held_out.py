"""Chooses how a data set is divided into a training and a held-out part, and records what was done.

`planned` decides for new runs. The split itself is `data.split.split`, which repeats what a run's config says.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from dvae_core.axes import evenly
from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.order import Order
from dvae_core.data.split import Split, has_trials, runs_of, split

PARTS = ("training", "held out", "gap")
Method = Literal["auto", "random", "blocks", "trials", "sessions"]


class Plan(NamedTuple):
    """A split: its method and the rows on either side of each held-out block that are in neither part."""

    how: Method
    gap: int


def planned(dataset: Dataset, how: Method = "auto", *, drawn: bool = False) -> Plan:
    """Choose the method, and for blocks a gap of at least the data's memory.

    "auto" holds out whole trials if there are enough, and blocks if the rows are in time order: a sampling rate is
    stated, or neighbouring rows resemble each other (`Dataset.order`). Pictures with known factors are a designed set,
    whose order means nothing. If blocks would miss a label, rows of unknown rate are split at random.

    Args:
        dataset: The data to split.
        how: A method, or "auto".
        drawn: Whether rows without a rate were drawn independently of each other, so that their order means nothing.
    """
    if how == "blocks":
        return Plan("blocks", dataset.order.gap)
    if how != "auto" or has_trials(dataset):
        return Plan(how, 0)
    if dataset.rate_hz is None:
        if drawn or is_designed(dataset) or not dataset.order.resembles:
            return Plan("auto", 0)
        try:
            split(dataset, "blocks", gap=dataset.order.gap)
        except DataError:
            return Plan("auto", 0)
    return Plan("blocks", dataset.order.gap)


def is_designed(dataset: Dataset) -> bool:
    """Whether the data is a designed set of pictures, such as a grid of factors, whose order means nothing."""
    return dataset.x_shape is not None and dataset.z is not None


def record(dataset: Dataset, parts: Split, *, drawn: bool = False) -> dict[str, Any]:
    """Return what was done, as `inspect --json` prints it and about.json keeps it.

    Args:
        dataset: The data.
        parts: Its split.
        drawn: Whether the rows were drawn independently of each other, so that their order need not be examined.

    Returns:
        how; train, held_out and neither (numbers of rows); stretches (held-out ones, of blocks); gap_rows;
        memory_rows and memory_seconds (None if not examined or without a rate); resembles; and words, sentences.
    """
    examine = parts.how == "blocks" or (parts.how == "random" and not drawn and not is_designed(dataset))
    order = dataset.order if examine else None
    memory = None if order is None else order.memory
    stretches = len(runs_of(np.isin(np.arange(dataset.n), parts.held_out))[0]) if parts.how == "blocks" else None
    return {
        "how": parts.how, "train": len(parts.train), "held_out": len(parts.held_out), "neither": len(parts.gap),
        "stretches": stretches, "gap_rows": parts.gap_rows, "memory_rows": None if memory is None else round(memory, 1),
        "memory_seconds": None if memory is None or dataset.rate_hz is None else round(memory / dataset.rate_hz, 3),
        "resembles": None if order is None else order.resembles,
        "words": _words(dataset, parts, order, stretches),
    }  # fmt: skip


class Overview(NamedTuple):
    """All rows in a few hundred bins, for drawing over time; see `overview`."""

    x: Float[np.ndarray, "bins d"]
    u: Float[np.ndarray, " bins"] | None
    rows: Int[np.ndarray, " edges"]
    columns: Int[np.ndarray, " d"]
    stretches: dict[str, list[tuple[int, int]]]


def overview(dataset: Dataset, parts: Split, *, bins: int = 600, columns: int = 100) -> Overview:
    """Return x and u over all rows, averaged in bins, and the stretches of each part of the split.

    At most 20 evenly spaced rows of each bin and at most `columns` columns are averaged, so that data of any size takes
    a moment. Of labels, the code of a bin's first row is returned. Rows drawn at random have no stretches.
    """
    edges = np.unique(np.linspace(0, dataset.n, min(bins, dataset.n) + 1).astype(int))
    chosen, u = evenly(dataset.d_x, columns), dataset.u
    counts = np.minimum(np.diff(edges), 20)
    starts = np.repeat(edges[:-1], counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    rows = starts + within * np.repeat(np.diff(edges), counts) // np.repeat(counts, counts)
    first = np.cumsum(counts) - counts
    x = np.add.reduceat(np.asarray(dataset.x[rows][:, chosen], np.float64), first) / counts[:, None]
    if u is not None:
        numbers = u[edges[:-1]] if u.ndim == 1 else np.add.reduceat(u[rows, 0].astype(float), first) / counts
        u = np.asarray(numbers, np.float64)
    stretches = {}
    if parts.how != "random":
        for name, of in zip(PARTS, (parts.train, parts.held_out, parts.gap), strict=True):
            begins, ends = runs_of(np.isin(np.arange(dataset.n), of))
            stretches[name] = list(zip(begins.tolist(), ends.tolist(), strict=True))
    return Overview(x, u, edges, chosen, stretches)


def with_split(reading: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record of reading to which `record` is added: as `split`, and its gaps among what was left out."""
    if not found["neither"]:
        return {**reading, "split": dict(found)}
    why = f"{found['gap_rows']:,} on either side, so that no held-out row has a near-copy in training"
    gaps = {"what": "rows beside held-out stretches", "rows": found["neither"], "why": why}
    return {**reading, "split": dict(found), "left_out": [*reading.get("left_out", ()), gaps]}


def _words(dataset: Dataset, parts: Split, order: Order | None, stretches: int | None) -> str:
    """Return what was held out, why, and what it means, in one to three sentences."""

    def lasting(rows: float | int) -> str:
        """Return a number of rows, with its seconds if they are known."""
        count = f"{rows:,.0f} row{'' if round(rows) == 1 else 's'}"
        return count if dataset.rate_hz is None else f"{count} ({rows / dataset.rate_hz:.3g} s)"

    held, n = f"{len(parts.held_out):,}", f"{dataset.n:,}"
    if parts.how == "given":
        return f"{held} of {n} rows are held out, as the source of the latents states."
    if parts.how in ("trials", "sessions"):
        return f"Whole {parts.how} are held out: {held} of {n} rows."
    if parts.how == "random":
        text = f"{held} of {n} rows are held out, drawn at random."
        if order is None or not order.resembles:
            return text
        return (
            f"{text} But neighbouring rows resemble each other (x remembers about {lasting(order.memory)}), so "
            "held-out rows have near-copies among the training rows and scores are too good; split in blocks."
        )
    assert order is not None
    some = "1 stretch is" if stretches == 1 else f"{stretches} stretches are"
    text = f"{some} held out: {held} of {n} rows. x remembers about {lasting(order.memory)}"
    if dataset.rate_hz is None and order.resembles:
        text += ": no sampling rate is stated, but neighbouring rows resemble each other more than chance allows"
    if not parts.gap_rows:
        return f"{text}. No gap is left beside them, so rows at their edges have near-copies in training."
    text += (
        f", so {lasting(parts.gap_rows)} on either side of each stretch are in neither part, {len(parts.gap):,} in all."
    )
    if parts.gap_rows < order.gap:
        text += " The data is too short for a gap as long as its memory, so scores may be too good."
    return text
