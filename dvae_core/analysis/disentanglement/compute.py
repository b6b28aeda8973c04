"""Compute MIG, DCI, SAP and related scores of one member."""

import numpy as np

from dvae_core import metrics
from dvae_core.analysis.common import Computation
from dvae_core.analysis.disentanglement.record import Disentanglement, file_name
from dvae_core.analysis.encode import SCORED_ROWS, describe_codes, encode
from dvae_core.data.split import split
from dvae_core.model.vae import member
from dvae_core.runs import Run, RunError
from dvae_core.runs.data import data_of
from dvae_core.training.checkpoint import load_vae


def disentanglement(run: Run, *, member_index: int = 0, fast: bool = True) -> Computation:
    """Score one member by MIG, DCI, SAP and their kin (see `metrics.literature`), on held-out posterior means.

    Writes analysis/disentanglement-<member>.json, with the value, matrix (factors by latents), matching and notes of
    each score, what it does not measure, and its chance level.

    Yields:
        The fraction done.

    Raises:
        RunError: If the factors are unknown, there is no such member, or that member diverged.
    """
    dataset = data_of(run)
    if dataset.z is None:
        raise RunError("These scores compare latents with true factors, and this run's data has none.")
    if not 0 <= member_index < run.config.members:
        raise RunError(f"This run has members 0 to {run.config.members - 1}; got {member_index}.")
    yield 0.05
    rows = split(dataset, run.config.split, gap=run.config.gap).held_out[:SCORED_ROWS]
    codes = encode(member(load_vae(run), member_index), dataset, rows)[0][0].astype(float)
    if not np.isfinite(codes).all():
        raise RunError(f"Member {member_index} diverged: its latents are not finite; pick another member.")
    yield 0.2
    scores = metrics.disentanglement(dataset.z[rows].astype(float), codes, fast=fast)
    record = Disentanglement(
        scores={name: vars(score) for name, score in scores.items()}, factors=tuple(dataset.z_names), rows=len(rows),
        fast=fast, codes=describe_codes(run.config),
    )  # fmt: skip
    written = record.save(run, file_name(member_index))
    yield 1.0
    return written
