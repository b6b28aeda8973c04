"""The scores of a population's members that a study needs, from latents.npz alone: no torch."""

from typing import Any

import numpy as np

from dvae_core import metrics
from dvae_core.analysis.common import Computation, alive_latents, good_members
from dvae_core.analysis.members.record import Members
from dvae_core.axes import evenly
from dvae_core.metrics.literature import FAST
from dvae_core.runs import Run, RunError

ROWS = 2000  # for agreement with the other seeds
UDR_ROWS = 1000
AGREEMENT = ("agreement", "udr")  # computable without truth, from several seeds


def member_scores(run: Run, *, full: bool = False) -> Computation:
    """Score every member for a study's table; write analysis/members.json: one record per member.

        agreement    mean MCC with the other seeds of the same beta, of latents that are alive (`metrics.pair_mcc`)
        udr          unsupervised disentanglement ranking among the seeds of the same beta (`metrics.udr`)
        mig, sap, modularity, and if `full` also dci_*, explicitness, factor_vae, beta_vae: where factors are known.
        DCI takes a minute per member if factors have tens of classes, SAP a second

    The rows are those of latents.npz, at most 5,000 of the held-out ones. Stuck members are compared with the truth,
    but not with other seeds. A value is null for a member that failed (for the first two also if it is stuck), for too
    few seeds, or without truth.

    Args:
        run: A finished run.
        full: Also compute the scores that take minutes.

    Yields:
        The fraction done.

    Raises:
        RunError: If the run has no latents yet.
    """
    latents = run.latents()
    if latents is None:
        raise RunError(f"{run.title} has no latents yet; let it train to its end.")
    train, failed, good = run.config.train, run.status().failed_members, good_members(run)
    mu, alive = latents["mu_z"].astype(float), alive_latents(latents)
    finite = [m for m in range(len(mu)) if m not in failed and np.isfinite(mu[m]).all()]
    records: list[dict[str, Any]] = [{"member": m, **dict.fromkeys(AGREEMENT)} for m in range(len(mu))]
    for beta in dict.fromkeys(train.betas):
        alike = [m for m in good if train.betas[m] == beta]
        for m, found in zip(alike, _agreements(mu[alike], alive[alike]), strict=True):
            records[m] |= found
    yield 0.2
    z_true = _varying(latents)
    for done, m in enumerate(finite, 1):
        if z_true is not None:
            records[m] |= _against(z_true, mu[m], full=full)
        yield 0.2 + 0.8 * done / len(finite)
    return Members(records, full).save(run, "members")


def _agreements(mu: np.ndarray, alive: np.ndarray) -> list[dict[str, float | None]]:
    """Return agreement and UDR of the members of equal beta."""
    p, n = mu.shape[:2]
    if p < 2:
        return [dict.fromkeys(AGREEMENT)] * p
    z = mu[:, evenly(n, ROWS)]
    pairs = np.full((p, p), np.nan)
    for i in range(p):
        for j in range(i + 1, p):
            a, b = z[i][:, alive[i]], z[j][:, alive[j]]
            none = not (alive[i].any() and alive[j].any())  # dead members do not agree on anything
            pairs[i, j] = pairs[j, i] = 0.0 if none else metrics.pair_mcc(a, b).value
    ranking = metrics.udr(mu[:, evenly(n, UDR_ROWS)], np.where(alive, np.inf, 0.0))
    return [{"agreement": float(np.nanmean(row)), "udr": float(rank)} for row, rank in zip(pairs, ranking, strict=True)]


def _varying(latents: dict[str, np.ndarray]) -> np.ndarray | None:
    """Return the factors that vary on these rows, or None if there are none."""
    if "z_true" not in latents:
        return None
    z_true = latents["z_true"].astype(float)
    z_true = z_true[:, z_true.max(0) > z_true.min(0)]
    return z_true if z_true.shape[1] else None


def _against(z_true: np.ndarray, z_hat: np.ndarray, *, full: bool) -> dict[str, float]:
    if full:
        return {name: score.value for name, score in metrics.disentanglement(z_true, z_hat).items()}
    scores = {"mig": metrics.mig(z_true, z_hat, rows=FAST["mig"]), "sap": metrics.sap(z_true, z_hat, sizes=FAST["sap"])}
    if z_true.shape[1] > 1:
        scores["modularity"] = metrics.modularity(z_true, z_hat, rows=FAST["modularity"])
    return {name: score.value for name, score in scores.items()}
