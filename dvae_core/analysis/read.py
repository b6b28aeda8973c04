"""What pages show of a run, from its files alone: numpy and pandas, no torch, nothing slower than a file read."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from dvae_core.analysis.common import good_members, stuck_members
from dvae_core.analysis.recovered import scorable
from dvae_core.axes import Table
from dvae_core.metrics import Score, mcc
from dvae_core.metrics.agreement import LINEAR, POINTWISE, RUNGS, lowest
from dvae_core.metrics.score import BLIND_TO
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
    """Return one row per member: member, seed, beta, failed, stuck, elbo, recon, kl, and mcc_* where there is truth.

    ELBO and its parts are held-out, nats per example; columns are missing before there is anything to show.
    """
    import pandas as pd

    config, failed = run.config, set(run.status().failed_members)
    table = pd.DataFrame({"member": range(config.members), "seed": config.train.seeds, "beta": config.train.betas})
    table["failed"] = table["member"].isin(list(failed))
    table["stuck"] = table["member"].isin(list(stuck_members(run)))
    score = run.score()
    if score is not None:
        scored = pd.DataFrame(score["members"]).drop(columns=["seed", "beta", "failed", "stuck"], errors="ignore")
        return table.merge(scored, on="member", how="left")
    history = run.history()
    if len(history):
        rows = history[history["split"] == "held_out"]
        last = rows.loc[rows["step"] == rows["step"].max(), ["member", "elbo", "recon", "kl"]]
        table = table.merge(last, on="member", how="left")
    return table


def best_member(run: Run) -> int:
    """Return the member with the best held-out ELBO (beta = 1) among the good ones; among all where none is good.

    Choosing so rejects gross failures only: it says little about which latents are the factors.
    """
    latents = run.latents()
    if latents is None:
        return 0
    elbo = np.where(np.isfinite(latents["elbo"]), latents["elbo"], -np.inf)
    candidates = good_members(run) or list(range(len(elbo)))
    return max(candidates, key=lambda m: elbo[m])


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
    if "prior_z" in latents:  # no Gaussian: the worker drew one z at each held-out u
        return latents["prior_z"][member][rng.choice(rows, count, replace=count > len(rows))]
    rows = rng.choice(rows, count)
    mu, std = latents["prior_mu"][member][rows], np.exp(0.5 * latents["prior_logvar"][member][rows])
    return mu + std * rng.standard_normal(mu.shape).astype(mu.dtype)


@dataclass(frozen=True)
class Recovery:
    """True factors beside one member's latents, matched and signed, held-out rows only.

    Factors that are constant on these rows are left out and named in `notes`. `intervals` (by method: mean, low, high)
    and what follows it are None until training has ended and the run is scored.
    """

    z_true: np.ndarray
    z_hat: np.ndarray
    aligned: np.ndarray
    pearson: Score
    spearman: Score
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    curves: tuple[tuple[np.ndarray, np.ndarray] | None, ...] = ()
    intervals: dict[str, tuple[float, float, float]] | None = None
    ladder: dict[str, float] | None = None
    A: np.ndarray | None = None
    A_condition: float = np.nan
    A_r2: float = np.nan
    block_share: tuple[float, ...] = ()


def recovery(run: Run, member: int) -> Recovery | None:
    """Return what the Recover page draws for a member; None where no true factor is known (or none varies).

    Read from analysis/recovery.npz where the run is scored; before, matched here and now (which loads scipy).
    """
    latents = _latents(run)
    if "z_true" not in latents:
        return None
    z_true, z_hat = latents["z_true"].astype(float), latents["mu_z"][member].astype(float)
    known = run.about.get("z_names") or []
    names = tuple(known) if len(known) == z_true.shape[1] else tuple(f"s{i + 1}" for i in range(z_true.shape[1]))
    varies, notes = scorable(z_true, names)
    if not varies.any():
        return None
    z_true, names = z_true[:, varies], tuple(name for name, kept in zip(names, varies, strict=True) if kept)
    found = run.analysis("recovery")
    if found is None:
        pearson, spearman = mcc(z_true, z_hat), mcc(z_true, z_hat, method="spearman")
        return Recovery(z_true, z_hat, _aligned(z_hat, pearson), pearson, spearman, names, notes)
    pearson, spearman = (_score(found, method, member, z_true.shape[1]) for method in ("pearson", "spearman"))
    curves = []
    for x, y in zip(found["curve_x"][member], found["curve_y"][member], strict=True):
        kept = np.isfinite(x)
        curves.append((x[kept], y[kept]) if kept.any() else None)
    return Recovery(
        z_true, z_hat, _aligned(z_hat, pearson), pearson, spearman, names, notes, tuple(curves),
        intervals={m: tuple(found[f"interval_{m}"][member].tolist()) for m in ("pearson", "spearman")},
        ladder=dict(zip(RUNGS, found["ladder"][member].tolist(), strict=True)),
        A=found["A"][member], A_condition=float(found["A_condition"][member]), A_r2=float(found["A_r2"][member]),
        block_share=tuple(found["block_share"][member].tolist()),
    )  # fmt: skip


def _score(found: dict[str, np.ndarray], method: str, member: int, d: int) -> Score:
    matrix, matching = found[f"matrix_{method}"][member], found[f"matching_{method}"][member]
    own = np.where(matching >= 0, np.abs(matrix[np.arange(d), matching]), 0.0)
    return Score(
        value=float(own.mean()), matrix=matrix, matching=tuple(matching.tolist()),
        signs=tuple(found[f"signs_{method}"][member].tolist()), per_factor=tuple(own.tolist()), method=method,
        notes=(), blind_to=BLIND_TO[method], chance="see the reference lines",
    )  # fmt: skip


def _aligned(z_hat: np.ndarray, score: Score) -> np.ndarray:
    """Return the latents in the factors' order and sign, standardised; NaN where a factor has none."""
    out = np.full((len(z_hat), len(score.matching)), np.nan)
    for i, (k, sign) in enumerate(zip(score.matching, score.signs, strict=True)):
        if k >= 0:
            std = z_hat[:, k].std()
            out[:, i] = sign * (z_hat[:, k] - z_hat[:, k].mean()) / (std if std > 0 else 1.0)
    return out


def capacity(run: Run) -> int:
    """Return the number of weights of one member: its encoder, generator and prior together."""
    return sum(int(np.prod(w.shape[1:])) for w in run.weights().values())


@dataclass(frozen=True)
class Agreement:
    """How the members of a run, and of another beside it, agree: analysis/agreement*.npz, see `agree.agreement`."""

    names: tuple[str, ...]
    of: np.ndarray
    mcc: np.ndarray
    within: np.ndarray | None
    ladder: dict[str, np.ndarray]
    strength: np.ndarray
    udr: np.ndarray
    kl: np.ndarray
    rows: int
    chance: float
    rotation: float | None  # None in records written before it was computed
    notes: tuple[str, ...]

    def pairs(self, one: int = 0, two: int = 0) -> np.ndarray:
        """Return the pairs [k, 2] of different members (from, to), from run `one` to run `two` and back."""
        i, j = np.nonzero(~np.eye(len(self.of), dtype=bool))
        here = ((self.of[i] == one) & (self.of[j] == two)) | ((self.of[i] == two) & (self.of[j] == one))
        return np.column_stack([i[here], j[here]])

    def rungs(self, one: int = 0, two: int = 0) -> dict[str, dict[str, int]]:
        """Count the lowest rung that each pair reaches, by branch ("pointwise", "linear"); "none" where none does."""
        out: dict[str, dict[str, int]] = {}
        for branch, names in (("pointwise", POINTWISE), ("linear", LINEAR)):
            counts: dict[str, int] = dict.fromkeys([*names, "none"], 0)
            for i, j in self.pairs(one, two):
                counts[lowest({rung: float(r2[i, j]) for rung, r2 in self.ladder.items()}, names) or "none"] += 1
            out[branch] = counts
        return out


def agreement(
    run: Run, names: Sequence[str], other: Run | None = None, other_names: Sequence[str] = ()
) -> Agreement | None:
    """Return the Agreement of a run's members (and another's), None where it is not computed yet.

    Args:
        run: The run.
        names: What its members are called.
        other: Another run to compare with.
        other_names: What its members are called.
    """
    found = run.analysis("agreement" if other is None else f"agreement-{other.id}")
    if found is None:
        return None
    called = (names, other_names)
    labels = [called[r][m] for r, m in zip(found["run"].tolist(), found["member"].tolist(), strict=True)]
    within = found["mcc_within"]
    off = ~np.eye(len(within), dtype=bool)
    return Agreement(
        names=tuple(labels), of=found["run"], mcc=found["mcc"],
        within=within if np.isfinite(within[off]).all() else None,
        ladder={rung: found["ladder"][:, :, r] for r, rung in enumerate(RUNGS)}, strength=found["strength"],
        udr=found["udr"], kl=found["kl"], rows=int(found["rows"]), chance=float(found["chance"]),
        rotation=float(found["rotation"]) if "rotation" in found else None,
        notes=tuple(str(note) for note in found["notes"].tolist()),
    )  # fmt: skip


def comparable(runs: Sequence[Run], run: Run) -> list[Run]:
    """Return the finished runs on the same data (same fingerprint) as `run`, itself first."""
    fingerprint = run.about.get("fingerprint")
    others = [
        r for r in runs if r.id != run.id and r.about.get("fingerprint") == fingerprint and r.latents() is not None
    ]
    return [run, *others]


def shares_u(one: Run, other: Run) -> bool:
    """Whether two runs of different data have the same u, by which their latents can be compared."""
    a, b = one.about, other.about
    known = bool(a.get("u_names")) and a.get("fingerprint") != b.get("fingerprint")
    return known and all(a.get(key) == b.get(key) for key in ("u_names", "u_labels", "has_labels"))


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
            "title": str(about.get("title") or run.id),
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


def study_rows(folder: Path) -> list[dict[str, Any]]:
    """Return the records of a study so far (see `analysis.study.train_all`); none where it has not begun."""
    try:
        return list(json.loads((folder / "analysis" / "study.json").read_text(encoding="utf-8")).values())
    except FileNotFoundError:
        return []


def matrix(score: dict[str, Any]) -> Float[np.ndarray, "d_z d_hat"]:
    """Return the matrix of a score as written by `compute.disentanglement`."""
    return np.array(score["matrix"], float)


def progress(run: Run, analysis: str) -> float | None:
    """Return how far a running analysis is, 0..1; None where none has begun or it has ended."""
    try:
        return json.loads((run.path / "analysis" / f"{analysis}.progress").read_text(encoding="utf-8"))["fraction"]
    except (OSError, ValueError, KeyError):
        return None
