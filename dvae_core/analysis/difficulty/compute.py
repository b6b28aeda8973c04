"""Compute the scores that need no model."""

import numpy as np

from dvae_core import metrics
from dvae_core.analysis.common import Computation
from dvae_core.analysis.difficulty.record import Difficulty
from dvae_core.analysis.encode import SCORED_ROWS
from dvae_core.data.dataset import Dataset
from dvae_core.data.split import split
from dvae_core.runs import Run, RunError
from dvae_core.runs.data import data_of
from dvae_core.runs.given import given_of


def _thinned(rows: np.ndarray, columns: int) -> np.ndarray:
    """Return few enough rows that these scores take seconds and 160 MB per copy, however wide x is."""
    most = int(min(SCORED_ROWS, max(500, 2e7 / columns)))
    return rows[:: max(1, -(-len(rows) // most))]


def floors_of(
    dataset: Dataset, train: np.ndarray, rows: np.ndarray, varies: np.ndarray
) -> dict[str, metrics.Score | None]:
    """Compute the scores that need no model on the factors that vary: fitted on training rows, held-out rows scored."""
    train, rows = _thinned(train, dataset.d_x), _thinned(rows, dataset.d_x)
    u, z = dataset.u, dataset.z
    assert z is not None  # called only if the factors are known
    return metrics.floors(
        dataset.x_float(train), dataset.x_float(rows), z[train][:, varies], z[rows][:, varies],
        None if u is None else u[train], None if u is None else u[rows],
    )  # fmt: skip


def floors_within_u_of(
    dataset: Dataset, train: np.ndarray, rows: np.ndarray, varies: np.ndarray
) -> dict[str, metrics.Score]:
    """Compute the scores within u that need no model; none if u is not labels.

    Raises:
        ValueError: If no label has two of these rows, or u determines a factor.
    """
    if dataset.u is None or dataset.z is None or not dataset.has_labels:
        return {}
    train, rows = _thinned(train, dataset.d_x), _thinned(rows, dataset.d_x)
    z = dataset.z[rows][:, varies].astype(float)
    return metrics.floors_within_u(dataset.x_float(train), dataset.x_float(rows), z, dataset.u[rows])


def difficulty(run: Run) -> Computation:
    """Score what needs no model on a run's data (the run need not be trained); write analysis/difficulty.json.

    The file holds held-out MCCs of raw x, PCA, FastICA, u-only and a random rotation: a model has to beat these.

    Yields:
        The fraction done.

    Raises:
        RunError: If the factors are unknown.
    """
    if run.kind == "latents":
        given = given_of(run)
        if not given.has_x:
            raise RunError("Difficulty needs x, which did not come with these latents; import them with their data.")
        dataset, train, held_out = given.dataset, given.train_rows, given.held_out_rows
    else:
        dataset = data_of(run)
        parts = split(dataset, run.config.split, gap=run.config.gap)
        train, held_out = parts.train, parts.held_out
    if dataset.z is None:
        raise RunError("Difficulty compares with true factors, and this data has none.")
    yield 0.1
    rows = _thinned(held_out, dataset.d_x)
    lines = floors_of(dataset, train, rows, np.ones(dataset.z.shape[1], bool))
    scores = {k: None if v is None else v.value for k, v in lines.items()}
    notes = tuple(note for v in lines.values() if v is not None for note in v.notes)
    written = Difficulty(scores, len(rows), notes).save(run, "difficulty")
    yield 1.0
    return written
