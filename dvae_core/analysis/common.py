"""Shared by all analyses: which members of a run count in a mean, and the progress of a job. No torch."""

import json
from collections.abc import Generator, Mapping
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Bool

from dvae_core import metrics
from dvae_core.config import JOINT
from dvae_core.metrics.score import is_constant
from dvae_core.runs import Run

Computation: TypeAlias = Generator[float, None, Mapping[str, Any]]
"""A running analysis: it yields the fraction done, 0..1, writes its file into the run, and returns what it wrote."""


def alive_latents(latents: Mapping[str, np.ndarray]) -> Bool[np.ndarray, "p d"]:
    """Return which latents of each member carry anything: a KL of 0.01 nats, or, where no KL is known, any variation.

    `latents` is latents.npz. Imported latents have no KL unless it came with them.
    """
    if "kl_latent" in latents:
        return latents["kl_latent"] >= metrics.DEAD_NATS
    return np.array([~is_constant(m, m) & np.isfinite(m).all() for m in latents["mu_z"]])


def stuck_members(run: Run) -> dict[int, str]:
    """Return the members of a run that are stuck, each with the reason.

    The verdict is that of `metrics.stuck` on the held-out bounds in latents.npz, as at the end of training. A run that
    is still at work, or has no latents yet, has no stuck members. Members that failed are not judged.
    """
    status = run.status()
    latents = None if status.is_active else run.latents()
    if latents is None:
        return {}
    if "elbo" in latents and run.config.prior.kind in JOINT:
        late = metrics.stuck(latents["elbo"], np.full(latents["mu_z"].shape[::2], np.inf), run.config.train.betas)
        return {m: why for m, why in late.items() if m not in status.failed_members}
    if "elbo" not in latents or "kl_latent" not in latents:
        none = np.flatnonzero(~alive_latents(latents).any(1)).tolist()
        return {m: "none of its latents varies" for m in none if m not in status.failed_members}
    found = metrics.stuck(latents["elbo"], latents["kl_latent"], run.config.train.betas)
    return {m: why for m, why in found.items() if m not in status.failed_members}


def good_members(run: Run) -> list[int]:
    """Return the members that count in a mean: those that did not fail, are not stuck, and have finite latents.

    This one rule holds for every table and figure: the other members are shown, but do not enter any mean. The list is
    empty if no member qualifies; code that needs one reports that.
    """
    failed, late, latents = run.status().failed_members, stuck_members(run), run.latents()
    members = [m for m in range(run.config.members) if m not in failed and m not in late]
    return members if latents is None else [m for m in members if np.isfinite(latents["mu_z"][m]).all()]


def rivals(run: Run) -> list[int]:
    """Return the good members whose held-out ELBO cannot be distinguished from the best one's, that one first.

    The test is the paired difference over the held-out rows, which must exceed two standard errors of its mean. Only
    the best member is returned if its bound stands out, or if a run of an earlier version has no bound for each row.
    """
    best, latents = best_member(run), run.latents()
    if latents is None or "elbo_rows" not in latents:
        return [best]
    rows = latents["elbo_rows"].astype(float)
    worse = rows[best] - rows
    error = worse.std(1, ddof=1) / np.sqrt(rows.shape[1])
    close = [m for m in good_members(run) if m != best and worse[m].mean() <= 2 * error[m]]
    return [best, *close]


def best_member(run: Run) -> int:
    """Return the member with the best held-out ELBO (beta = 1) among the good ones, or among all if none is good.

    Imported latents have no bound: their first good member is returned.

    This choice rejects gross failures only: it says little about which latents are the factors, and the next best
    member is often equally good within the error (see `rivals`).
    """
    latents = run.latents()
    if latents is None:
        return 0
    candidates = good_members(run) or list(range(run.config.members))
    if "elbo" not in latents:
        return candidates[0]
    elbo = np.where(np.isfinite(latents["elbo"]), latents["elbo"], -np.inf)
    return max(candidates, key=lambda m: elbo[m])


def capacity(run: Run) -> int:
    """Return the number of weights of one member: its encoder, generator and prior together; 0 if it is not known."""
    if run.kind == "latents":
        return 0
    return sum(int(np.prod(w.shape[1:])) for w in run.weights().values())


def progress(run: Run, analysis: str) -> float | None:
    """Return the progress of a running analysis, 0..1; None if none has begun or it has ended."""
    try:
        return json.loads((run.path / "analysis" / f"{analysis}.progress").read_text(encoding="utf-8"))["fraction"]
    except (OSError, ValueError, KeyError):
        return None
