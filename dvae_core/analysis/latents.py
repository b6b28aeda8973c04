"""A run's latents as pages show them, from latents.npz alone: numpy, no torch, nothing slower than a file read."""

from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from dvae_core.analysis.common import alive_latents
from dvae_core.axes import evenly
from dvae_core.metrics import DEAD_NATS
from dvae_core.runs import Run, RunError


def held_out(run: Run) -> dict[str, np.ndarray]:
    """Return latents.npz (see train.write_latents), or raise a RunError if it does not exist yet."""
    latents = run.latents()
    if latents is None:
        raise RunError(f"{run.title} has no latents yet; let it train for a moment.")
    return latents


def latent_table(run: Run, member: int) -> list[dict[str, Any]]:
    """Return the member's latents by decreasing KL: index (0-based), label ("z1"), kl (nats), dead (kl < 0.01).

    Imported latents whose KL is not known have NaN, keep their own order, and are dead if they do not vary.
    """
    latents = held_out(run)
    if "kl_latent" not in latents:
        alive = alive_latents(latents)[member].tolist()
        return [{"index": i, "label": f"z{i + 1}", "kl": np.nan, "dead": not ok} for i, ok in enumerate(alive)]
    kl = latents["kl_latent"][member]
    order = np.argsort(-np.nan_to_num(kl, nan=-1.0), kind="stable")
    return [{"index": int(i), "label": f"z{i + 1}", "kl": float(kl[i]), "dead": not kl[i] >= DEAD_NATS} for i in order]


def slider_range(run: Run, member: int, how: Literal["prior", "posterior", "data"] = "prior") -> tuple[list, list]:
    """Return (lo, hi), one number per latent by index.

    "prior": mean +- 3 std of p(z), or of p(z|u) averaged over u; "posterior": 1 and 99 % quantiles of the held-out
    posterior means; "data": their minimum and maximum.
    """
    latents = held_out(run)
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


def examples(
    run: Run, member: int, count: int, label: int | None = None
) -> tuple[Float[np.ndarray, "k d_x"], Float[np.ndarray, "k d_z"]]:
    """Return up to `count` evenly spaced held-out x (model units), of one label or all, and their posterior means."""
    latents = held_out(run)
    rows = latents["x_rows"]
    if label is not None:
        kept = latents["u"][rows] == label
        latents, rows = {**latents, "x": latents["x"][kept]}, rows[kept]
    if not len(rows):
        raise RunError(f"No held-out row has the label {label}; choose another.")
    chosen = evenly(len(rows), count)
    return latents["x"][chosen], latents["mu_z"][member][rows[chosen]]


def factor_colours(run: Run) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Return u of the held-out rows as codes with their names, or as one column of numbers with its name."""
    about, u = run.about, held_out(run).get("u")
    if u is None:
        return None, ()
    if about.get("has_labels"):
        return u, tuple(about["u_labels"])
    return u[:, 0], (about["u_names"][0],)


def prior_samples(run: Run, member: int, count: int, *, label: int | None = None, seed: int = 0) -> np.ndarray:
    """Return `count` draws of z [count, d_z] from p(z), or from p(z|u): given one label, or over the held-out u."""
    latents = held_out(run)
    rng = np.random.default_rng(seed)
    rows = np.arange(len(latents["index"]))
    if label is not None:
        rows = rows[latents["u"] == label]
        if not len(rows):
            raise RunError(f"No held-out row has the label {label}; choose another.")
    if "prior_z" in latents:  # not Gaussian: the worker drew one z at each held-out u
        return latents["prior_z"][member][rng.choice(rows, count, replace=count > len(rows))]
    rows = rng.choice(rows, count)
    mu, std = latents["prior_mu"][member][rows], np.exp(0.5 * latents["prior_logvar"][member][rows])
    return mu + std * rng.standard_normal(mu.shape).astype(mu.dtype)
