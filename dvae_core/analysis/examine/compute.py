"""Examine all rows of a data set that is too large for a page to read while the user waits."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np

from dvae_core import recipes
from dvae_core.analysis.common import Computation
from dvae_core.analysis.examine.record import Examined, ExaminedOverview
from dvae_core.config import Data, FileData
from dvae_core.data import care, held_out
from dvae_core.data.dataset import Dataset
from dvae_core.data.load import dataset_of
from dvae_core.data.split import split
from dvae_core.runs import Run
from dvae_core.runs.data import data_of


def examine(run: Run) -> Computation:
    """Find faults, memory, split and structure of a run's data; write analysis/examine.json and its overview.

    The run need not be trained. A file STOP in its folder ends the work at the next step, and is removed then.

    Yields:
        The fraction done.
    """
    stop = run.path / "STOP"
    try:
        yield from _until_stopped(run, stop)
    except _Stopped:
        stop.unlink(missing_ok=True)
        return {}
    return run.record("examine") or {}


class _Stopped(Exception):
    """The user asked the work to end."""


def _until_stopped(run: Run, stop: Path) -> Iterator[float]:
    def done(share: float) -> float:
        if stop.exists():
            raise _Stopped
        return share

    yield done(0.02)
    given = dataset_of(run.config.data)
    yield done(0.5)
    found, dataset = care.findings(given), data_of(run, given)
    yield done(0.65)
    drawn = not isinstance(run.config.data, FileData)
    plan = held_out.planned(dataset, run.config.split, drawn=drawn)
    parts = split(dataset, plan.how, gap=plan.gap)
    yield done(0.75)
    configs = suggested(run.config.data, dataset, parts.how, parts.gap_rows)
    yield done(0.9)
    ExaminedOverview.of(held_out.overview(dataset, parts)).save(run, "overview")
    facts = held_out.record(dataset, parts, drawn=drawn)
    counts = np.bincount(dataset.u).tolist() if dataset.has_labels and dataset.u is not None else []
    record = Examined(dataclasses.asdict(found), facts, dataset.components, dataset.n, configs, counts)
    record.save(run, "examine")


def suggested(data: Data, dataset: Dataset, how: str, gap: int) -> dict[str, str]:
    """Return the settings that suit the data as JSON: by model, and "ivae axes" and "ivae reading" for recordings."""
    kinds: list[tuple[str, str | None]] = [("vae", None), ("beta-vae", None)]
    if dataset.u is not None:
        kinds += [("ivae", None)]
        kinds += [("ivae", goal) for goal in get_args(recipes.Goal) if dataset.rate_hz is not None]
    return {
        recipes.kind_of(model, goal): recipes.for_dataset(
            data, dataset, model, goal=goal, members=1, split=how, gap=gap
        ).to_json()
        for model, goal in kinds
    }
