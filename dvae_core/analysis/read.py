"""What pages show of a run, from its files alone: numpy and pandas, no torch, nothing slower than a file read."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from dvae_core.axes import Table
from dvae_core.metrics import Score, align, mcc
from dvae_core.runs import Run, RunError

DEAD_NATS = 0.01  # a latent whose KL is below this carries nothing

# What needs no model at all, as score["floors"] calls it, and in words.
FLOORS = {
    "raw_x": "x itself",
    "pca": "PCA",
    "fastica": "FastICA",
    "u_only": "copying u",
    "random_rotation": "random rotation",
}


def member_table(run: Run) -> Table:
    """Return one row per member: member, seed, beta, failed, elbo, recon, kl, and mcc_* where there is truth.

    ELBO and its parts are held-out, nats per example; columns are missing before there is anything to show.
    """
    import pandas as pd

    config, failed = run.config, set(run.status().failed_members)
    table = pd.DataFrame({"member": range(config.members), "seed": config.train.seeds, "beta": config.train.betas})
    table["failed"] = table["member"].isin(list(failed))
    score = run.score()
    if score is not None:
        scored = pd.DataFrame(score["members"]).drop(columns=["seed", "beta", "failed"], errors="ignore")
        return table.merge(scored, on="member", how="left")
    history = run.history()
    if len(history):
        rows = history[history["split"] == "held_out"]
        last = rows.loc[rows["step"] == rows["step"].max(), ["member", "elbo", "recon", "kl"]]
        table = table.merge(last, on="member", how="left")
    return table


def best_member(run: Run) -> int:
    """Return the member with the best held-out ELBO (beta = 1) among those that did not fail.

    Choosing so rejects gross failures only: it says little about which latents are the factors.
    """
    latents = run.latents()
    if latents is None:
        return 0
    elbo = np.where(np.isfinite(latents["elbo"]), latents["elbo"], -np.inf)
    elbo[list(run.status().failed_members)] = -np.inf
    return int(elbo.argmax())


def latent_table(run: Run, member: int) -> list[dict[str, Any]]:
    """Return the member's latents by falling KL: index (0-based), label ("z1"), kl (nats), dead (kl < 0.01)."""
    kl = _latents(run)["kl_latent"][member]
    order = np.argsort(-np.nan_to_num(kl, nan=-1.0), kind="stable")
    return [{"index": int(i), "label": f"z{i + 1}", "kl": float(kl[i]), "dead": not kl[i] >= DEAD_NATS} for i in order]


def slider_range(run: Run, member: int, how: Literal["prior", "posterior", "data"] = "prior") -> tuple[list, list]:
    """Return (lo, hi), one number per latent by index.

    "prior": mean +- 3 std of p(z), or of p(z|u) averaged over u; "posterior": 1 and 99 % quantiles of the held-out
    posterior means; "data": their smallest and largest.
    """
    latents = _latents(run)
    mu = latents["mu_z"][member]
    if how == "prior":
        mean = latents["prior_mu"][member]
        std = np.exp(0.5 * latents["prior_logvar"][member])
        centre = mean.mean(0)
        spread = np.sqrt(mean.var(0) + (std**2).mean(0))
        lo, hi = centre - 3 * spread, centre + 3 * spread
    else:
        lo, hi = np.quantile(mu, (0.01, 0.99) if how == "posterior" else (0.0, 1.0), axis=0)
    flat = hi - lo < 1e-6
    return np.where(flat, lo - 1, lo).tolist(), np.where(flat, hi + 1, hi).tolist()


def held_out(run: Run) -> dict[str, np.ndarray]:
    """Return latents.npz (see train.write_latents), or say in a RunError that there is nothing yet."""
    return _latents(run)


def examples(
    run: Run, member: int, count: int, label: int | None = None
) -> tuple[Float[np.ndarray, "k d_x"], Float[np.ndarray, "k d_z"]]:
    """Return up to `count` evenly spaced held-out x (model units), of one label or all, and their posterior means."""
    latents = _latents(run)
    rows = latents["x_rows"]
    if label is not None:
        kept = latents["u"][rows] == label
        latents, rows = {**latents, "x": latents["x"][kept]}, rows[kept]
    if not len(rows):
        raise RunError(f"No held-out row has the label {label}; choose another.")
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int))
    return latents["x"][chosen], latents["mu_z"][member][rows[chosen]]


def hues(run: Run) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Return u of the held-out rows as codes with their names, or as one column of numbers with its name."""
    about, u = run.about, _latents(run).get("u")
    if u is None:
        return None, ()
    if about.get("has_labels"):
        return u, tuple(about["u_labels"])
    return u[:, 0], (about["u_names"][0],)


def prior_samples(run: Run, member: int, count: int, *, label: int | None = None, seed: int = 0) -> np.ndarray:
    """Return `count` draws of z [count, d_z] from p(z), or from p(z|u): of one label, or over the held-out u."""
    latents = _latents(run)
    rng = np.random.default_rng(seed)
    rows = np.arange(len(latents["index"]))
    if label is not None:
        rows = rows[latents["u"] == label]
        if not len(rows):
            raise RunError(f"No held-out row has the label {label}; choose another.")
    rows = rng.choice(rows, count)
    mu, std = latents["prior_mu"][member][rows], np.exp(0.5 * latents["prior_logvar"][member][rows])
    return mu + std * rng.standard_normal(mu.shape).astype(mu.dtype)


@dataclass(frozen=True)
class Recovery:
    """True factors beside one member's latents, matched and signed, held-out rows only."""

    z_true: np.ndarray
    z_hat: np.ndarray
    aligned: np.ndarray
    pearson: Score
    spearman: Score


def recovery(run: Run, member: int) -> Recovery | None:
    """Return what the Recover page draws for a member; None where the true factors are unknown."""
    latents = _latents(run)
    if "z_true" not in latents:
        return None
    z_true, z_hat = latents["z_true"].astype(float), latents["mu_z"][member].astype(float)
    return Recovery(z_true, z_hat, align(z_true, z_hat), mcc(z_true, z_hat), mcc(z_true, z_hat, method="spearman"))


def comparable(runs: Sequence[Run], run: Run) -> list[Run]:
    """Return the finished runs on the same data (same fingerprint) as `run`, itself first."""
    fingerprint = run.about.get("fingerprint")
    others = [
        r for r in runs if r.id != run.id and r.about.get("fingerprint") == fingerprint and r.latents() is not None
    ]
    return [run, *others]


def run_table(runs: Sequence[Run]) -> Table:
    """Return one row per run for lists: id, title, model, data, members, state, mcc, elbo. A broken run says why."""
    import pandas as pd

    return pd.DataFrame([_run_row(run) for run in runs])


def _run_row(run: Run) -> dict[str, Any]:
    row: dict[str, Any] = {"id": run.id, "shipped": run.is_shipped}
    try:
        config, about, status, score = run.config, run.about, run.status(), run.score()
        mean = (score or {}).get("mean", {})
        return row | {
            "title": run.title,
            "model": config.model_name,
            "data": about.get("dataset", config.data.kind),
            "members": config.members,
            "latents": config.model.latents,
            "state": status.state,
            "mcc": mean.get("mcc_pearson"),
            "elbo": mean.get("elbo"),
            "created": about.get("created"),
            "problem": "",
        }
    except RunError as error:
        return row | {"title": run.id, "state": "broken", "problem": str(error)}


def _latents(run: Run) -> dict[str, np.ndarray]:
    latents = run.latents()
    if latents is None:
        raise RunError(f"{run.title} has no latents yet; let it train for a moment.")
    return latents


def literature_scores(run: Run, member: int) -> dict[str, Any] | None:
    """Return what `compute.disentanglement` wrote about a member; None where it is not computed yet."""
    return run.record(f"disentanglement-{member}")


def progress(run: Run, analysis: str) -> float | None:
    """Return how far a running analysis is, 0..1; None where none has begun or it has ended."""
    try:
        return json.loads((run.path / "analysis" / f"{analysis}.progress").read_text(encoding="utf-8"))["fraction"]
    except (OSError, ValueError, KeyError):
        return None
