"""Encode every row of the data that a run was trained on."""

import numpy as np

from dvae_core.analysis.all_rows.record import AllRows
from dvae_core.analysis.common import Computation
from dvae_core.analysis.encode import encode
from dvae_core.analysis.verdicts import verdicts
from dvae_core.data.split import split
from dvae_core.runs import Run
from dvae_core.runs.data import data_of
from dvae_core.training.checkpoint import load_vae


def all_rows(run: Run) -> Computation:
    """Encode all rows of a run's data, in order; write analysis/all_rows.npz.

    Yields:
        The fraction done.
    """
    dataset = data_of(run)
    yield 0.2
    mu, std = encode(load_vae(run), dataset, np.arange(dataset.n))
    yield 0.9
    parts = split(dataset, run.config.split, gap=run.config.gap)
    part = np.zeros(dataset.n, np.int8)
    part[parts.held_out], part[parts.gap] = 1, 2
    return AllRows(mu, dataset.row_index, part, np.array(verdicts(run)), std, dataset.u).save(run, "all_rows")
