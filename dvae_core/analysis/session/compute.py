"""Compare a session that was trained against the prior of a run with that run, and with a prior of its own."""

import dataclasses
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core import runs
from dvae_core.analysis.agreement.compute import cells_of
from dvae_core.analysis.common import Computation, best_member, good_members
from dvae_core.analysis.encode import encode
from dvae_core.analysis.session.record import Session, shares_prior, statement_of
from dvae_core.config import GaussianPrior
from dvae_core.metrics.memory import mean_error
from dvae_core.metrics.signature import Signature, common_cells, likeness, order_of, signature
from dvae_core.runs import Run, RunError
from dvae_core.runs.data import data_of
from dvae_core.training.checkpoint import load_vae
from dvae_core.training.train import train

FEWEST_CELLS = 3


def session(run: Run) -> Computation:
    """Test whether a new session's latents are in the order of the run whose prior it shares, and what that costs.

    Writes analysis/session.json; `record.Session` documents it. A population with a prior of its own is trained on the
    session for comparison; its results are kept in analysis/own_prior.npz.

    Yields:
        The fraction done.

    Raises:
        RunError: If the run shares no prior, the other run is missing, or the sessions have no cells of u in common.
    """
    prior = run.config.prior
    if not shares_prior(run) or not isinstance(prior, GaussianPrior):
        raise RunError(f"{run.title} has a prior of its own; train another session with --prior-of RUN.")
    other = Run(Path(prior.shared))
    if not (other.path / "config.json").is_file():
        raise RunError(f"The run whose prior is shared is not at {other.path}; put it back.")
    if not good_members(run):
        raise RunError("Every member failed or is stuck; train more of them.")
    yield 0.0
    own = yield from _own_prior(run)
    data, theirs = data_of(run), data_of(other)
    assert data.u is not None
    assert theirs.u is not None
    cells = cells_of(theirs.u, data.u)
    kept = common_cells(*cells)
    if len(kept) < FEWEST_CELLS:
        raise RunError(f"{run.title} and {other.title} have fewer than {FEWEST_CELLS} values of u in common.")
    best = best_member(run)
    reference = signature(_latents(other, prior.shared_member), cells[0], kept)
    here = signature(_latents(run, best), cells[1], kept)
    alone = signature(own["mu_z"], cells[1], kept)
    yield 0.9
    tree: dict[str, Any] = {**_order(reference, here, alone), **_price(run, best, own), "cells": len(kept)}
    tree |= {"other": other.title, "member": best, "starts": _starts(run)}
    tree["statement"] = statement_of(tree)
    record = Session(**tree).save(run, "session")
    yield 1.0
    return record


def _latents(run: Run, member: int) -> np.ndarray:
    """Return a member's latents at all rows of its data."""
    dataset = data_of(run)
    return encode(load_vae(run), dataset, np.arange(dataset.n))[0][member]


def _own_prior(run: Run) -> Generator[float, None, dict[str, np.ndarray]]:
    """Return latents and held-out bounds of the best member trained with a prior of its own; train it unless stored."""
    stored = run.analysis("own_prior")
    if stored is not None:
        return stored
    prior = run.config.prior
    assert isinstance(prior, GaussianPrior)
    config = dataclasses.replace(run.config, prior=dataclasses.replace(prior, shared="", shared_member=0))
    with tempfile.TemporaryDirectory() as scratch:
        alone = runs.create(Path(scratch) / "run", config)
        for progress in train(alone, data_of(run)):
            yield 0.8 * progress.step / progress.steps
        if not good_members(alone):
            raise RunError("Every member with a prior of its own failed or is stuck; train more of them.")
        best, latents = best_member(alone), alone.latents()
        assert latents is not None
        found = {"mu_z": _latents(alone, best), "elbo_rows": latents["elbo_rows"][best]}
    run.write_npz("analysis/own_prior.npz", found)
    return found


def _order(reference: Signature, here: Signature, alone: Signature) -> dict[str, Any]:
    strength = likeness(reference, here)
    order, own = order_of(strength), order_of(likeness(reference, alone))
    return {
        "likeness": strength.tolist(), "best": list(order.best), "in_order": order.in_order, "matched": order.matched,
        "next": None if np.isnan(order.next) else order.next, "own_in_order": own.in_order, "own_matched": own.matched,
        "sign_free": np.flatnonzero(here.sign_is_free | reference.sign_is_free).tolist(),
    }  # fmt: skip


def _price(run: Run, member: int, own: dict[str, np.ndarray]) -> dict[str, float]:
    latents = run.latents()
    assert latents is not None
    shared, alone = latents["elbo_rows"][member].astype(float), own["elbo_rows"].astype(float)
    gain = alone - shared
    bounds = {"elbo": float(shared.mean()), "own_elbo": float(alone.mean())}
    return {**bounds, "price": float(gain.mean()), "price_error": mean_error(gain)}


def _starts(run: Run) -> list[dict[str, Any]]:
    latents, good, train_ = run.latents(), good_members(run), run.config.train
    assert latents is not None
    is_mirrored = run.config.model.start == "mirrored"
    return [
        {"seed": seed, "is_mirror": is_mirrored and m % 2 == 1, "elbo": float(latents["elbo"][m]), "counts": m in good}
        for m, seed in enumerate(train_.seeds)
    ]
