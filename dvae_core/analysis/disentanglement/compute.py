"""Compute MIG, DCI, SAP and related scores of one member."""

import numpy as np

from dvae_core import metrics
from dvae_core.analysis.common import Computation
from dvae_core.analysis.disentanglement.record import Disentanglement, file_name
from dvae_core.analysis.encode import check_member, describe_codes, encode, scored_rows
from dvae_core.data.split import split
from dvae_core.runs import Run, RunError
from dvae_core.runs.data import data_of
from dvae_core.runs.given import given_of
from dvae_core.training.checkpoint import load_vae


def disentanglement(run: Run, *, member_index: int = 0, fast: bool = True) -> Computation:
    """Score one member by MIG, DCI, SAP and similar scores (see `metrics.literature`), on held-out posterior means.

    Writes analysis/disentanglement-<member>.json, with the value, matrix (factors by latents), matching and notes of
    each score, what it does not measure, and its chance level.

    Yields:
        The fraction done.

    Raises:
        RunError: If the factors are unknown, there is no such member, or that member diverged.
    """
    check_member(run, member_index)
    yield 0.05
    if run.kind == "latents":
        given = given_of(run)
        rows = scored_rows(given.held_out_rows)
        z, names = given.z, tuple(run.about.get("z_names") or ())
        means, description = given.mu_z[:, rows], f"latents as given by {run.config.given.method}"
    else:
        dataset = data_of(run)
        rows = scored_rows(split(dataset, run.config.split, gap=run.config.gap).held_out)
        z, names, description = dataset.z, dataset.z_names, describe_codes(run.config)
        # All members are encoded together, as for the other scores: one alone would differ in the last bits.
        means = None if z is None else encode(load_vae(run), dataset, rows)[0]
    if z is None or means is None:
        raise RunError("These scores compare latents with true factors, and this run's data has none.")
    codes = means[member_index].astype(float)
    if not np.isfinite(codes).all():
        raise RunError(f"Member {member_index} diverged: its latents are not finite; pick another member.")
    yield 0.2
    scores = metrics.disentanglement(z[rows].astype(float), codes, fast=fast)
    record = Disentanglement(
        scores={name: vars(score) for name, score in scores.items()}, factors=tuple(names), rows=len(rows),
        fast=fast, codes=description,
    )  # fmt: skip
    written = record.save(run, file_name(member_index))
    yield 1.0
    return written
