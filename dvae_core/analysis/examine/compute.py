"""Look at all rows of a data set that is too large for a page to read while somebody waits."""

import dataclasses

from dvae_core.analysis.common import Computation
from dvae_core.analysis.examine.record import Examined, ExaminedOverview
from dvae_core.config import FileData
from dvae_core.data import care, held_out
from dvae_core.data.load import dataset_of
from dvae_core.data.split import split
from dvae_core.runs import Run
from dvae_core.runs.data import data_of


def examine(run: Run) -> Computation:
    """Find faults, memory, split and structure of a run's data; write analysis/examine.json and its overview.

    The run need not be trained. A file STOP in its folder ends the work at the next step.

    Yields:
        The fraction done.
    """
    stop = run.path / "STOP"
    stop.unlink(missing_ok=True)
    yield 0.02
    given = dataset_of(run.config.data)
    yield 0.5
    if stop.exists():
        return {}
    found, dataset = care.findings(given), data_of(run, given)
    yield 0.65
    if stop.exists():
        return {}
    drawn = not isinstance(run.config.data, FileData)
    plan = held_out.planned(dataset, run.config.split, drawn=drawn)
    parts = split(dataset, plan.how, gap=plan.gap)
    yield 0.85
    if stop.exists():
        return {}
    ExaminedOverview.of(held_out.overview(dataset, parts)).save(run, "overview")
    facts = held_out.record(dataset, parts, drawn=drawn)
    return Examined(dataclasses.asdict(found), facts, dataset.components, dataset.n).save(run, "examine")
