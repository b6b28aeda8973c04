"""Compare a run with other runs and imported latents on the rows that all of them hold out."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dvae_core import metrics, runs
from dvae_core.analysis.common import Computation, capacity, good_members
from dvae_core.analysis.comparison.pairs import MAX_MEMBERS, RUNG_NAMES, alternating, pairs_of
from dvae_core.analysis.comparison.record import Comparison, file_name
from dvae_core.analysis.comparison.rows import common_rows, members_of
from dvae_core.analysis.downstream.decode import decode
from dvae_core.analysis.encode import encoder_means
from dvae_core.analysis.latents import held_out
from dvae_core.analysis.recovery.record import scorable
from dvae_core.analysis.score.record import Scores
from dvae_core.axes import evenly
from dvae_core.metrics import FLOORS
from dvae_core.runs import Run, RunError
from dvae_core.runs.data import data_of
from dvae_core.runs.given import given_of
from dvae_core.training.checkpoint import load_vae

ROWS = 1000  # behind the agreement of pairs


def comparison(run: Run, *, others: str = "", target: str = "u") -> Computation:
    """Compare a run with others on their common held-out rows; write analysis/comparison-<key>.json.

    `record.Comparison` documents the content of the file. At most 8 seeds of each run are compared. The latents from
    which the target is decoded have not seen u: the encoder's own means, or the latents as they were given.

    Args:
        run: A run with latents.
        others: Ids of other runs of the same data, with commas between them.
        target: "u", or "z:1" for the first factor; "" for nothing.

    Yields:
        The fraction done.

    Raises:
        RunError: If the runs are of different data, share too few held-out rows, or have no such target.
    """
    ids = [name for name in others.split(",") if name]
    store = None if run.is_shipped else run.path.parent
    everyone = [run, *(runs.find(name, store) for name in ids)]
    names = _names(everyone)
    rows = common_rows(everyone)
    latents = held_out(run)
    u = latents["u"][rows[0]] if "u" in latents else None
    y, called = _target(run, latents, rows[0], target)
    z_true, lines = _truth(everyone, latents, rows[0])
    memory = _memory(everyone, rows, u if run.about.get("has_labels") else None)
    entries, notes = [], []
    yield 0.05
    for i, (each, at, name) in enumerate(zip(everyone, rows, names, strict=True)):
        entry, more = _entry(each, at, name, u, y, z_true, memory, target)
        entries.append(entry)
        notes += more
        yield 0.05 + 0.9 * (i + 1) / len(everyone)
    widest = max(entry["latents"] for entry in entries)
    record = Comparison(
        entries, len(rows[0]), metrics.rotation_mcc(widest), lines, called if y is not None else "",
        "" if y is None else "accuracy" if y.ndim == 1 else "R²", notes,
    )  # fmt: skip
    written = record.save(run, file_name(ids, target))
    yield 1.0
    return written


def _names(everyone: Sequence[Run]) -> list[str]:
    names = [run.config.model_name for run in everyone]
    return [run.title if names.count(name) > 1 else name for run, name in zip(everyone, names, strict=True)]


def _target(run: Run, latents: dict, rows: np.ndarray, target: str) -> tuple[np.ndarray | None, str]:
    what, _, number = target.partition(":")
    values = latents.get({"u": "u", "z": "z_true"}.get(what, ""))
    names = list(run.about.get({"u": "u_names", "z": "z_names"}.get(what, "")) or [])
    if not target or values is None:
        return None, ""
    if not number:
        return values[rows], ", ".join(names)
    if values.ndim == 1 or not number.isdigit() or not 1 <= int(number) <= values.shape[1]:
        raise RunError(f"There is no column {number} of {what}; it has {len(names)}.")
    return values[rows][:, [int(number) - 1]], names[int(number) - 1]


def _truth(everyone: Sequence[Run], latents: dict, rows: np.ndarray) -> tuple[np.ndarray | None, dict[str, float]]:
    """Return the factors that vary on these rows, and the reference lines of the run that has most of them."""
    if "z_true" not in latents:
        return None, {}
    z_true = latents["z_true"][rows].astype(float)
    varies, _ = scorable(z_true, [""] * z_true.shape[1])
    if not varies.any():
        return None, {}
    scored = [scores for run in everyone if (scores := Scores.of(run))]
    lines = [{FLOORS[key]: value for key, value in scores.lines.items()} for scores in scored]
    rotation = {FLOORS["random_rotation"]: metrics.rotation_mcc(int(varies.sum()))}
    return z_true[:, varies], max(lines, key=len, default={}) or rotation


def _memory(everyone: Sequence[Run], rows: Sequence[np.ndarray], labels: np.ndarray | None) -> float:
    first = [members_of(run, at)[:1] for run, at in zip(everyone, rows, strict=True)]
    series = [z for found in first for z in found]
    return metrics.autocorrelation_time(np.hstack(series), labels) if series else 1.0


def _entry(
    run: Run,
    at: np.ndarray,
    name: str,
    u: np.ndarray | None,
    y: np.ndarray | None,
    z_true: np.ndarray | None,
    memory: float,
    target: str,
) -> tuple[dict[str, Any], list[str]]:
    """Return one run's numbers, and notes about them."""
    given = run.about.get("given") or {}
    seconds = given.get("seconds") if run.kind == "latents" else run.written_status().seconds or None
    members = members_of(run, at)[:MAX_MEMBERS]
    entry: dict[str, Any] = {
        "id": run.id, "name": name, "seeds": len(members), "latents": run.config.model.latents, "seconds": seconds,
        "weights": capacity(run) or None,
    } | dict.fromkeys((
        "rung", "reached", "pairs", "mcc", "mcc_low", "mcc_high", "linear_r2", "within_u", "u_alone", "u_alone_high",
        "decoding", "decoding_low", "decoding_high", "decoding_seeds", "shuffled", "shuffled_high", "truth",
        "truth_std", "truth_seeds",
    ))  # fmt: skip
    notes = [f"{name}: {note}" for note in given.get("notes", ())]
    if len(members) > 1:
        some = evenly(len(at), ROWS)
        found = pairs_of([z[some] for z in members], None if u is None else u[some])
        entry |= {
            "rung": RUNG_NAMES[found.rung], "reached": found.reached[0], "pairs": found.reached[1],
            "mcc": found.mcc.mean(), "mcc_low": found.mcc.min(), "mcc_high": found.mcc.max(),
            "linear_r2": found.linear_r2,
        }  # fmt: skip
        if u is not None:
            entry |= {
                "within_u": found.within.mean(),
                "u_alone": found.shuffled.mean(),
                "u_alone_high": found.shuffled.max(),
            }
    if z_true is not None:
        own = [metrics.mcc(z_true, z).value for z in members]
        entry |= {"truth": np.mean(own), "truth_std": np.std(own), "truth_seeds": own}
    if y is not None and members:
        if run.kind == "model" and run.config.model.encoder == "xu" and target.startswith("u"):
            notes.append(f"{name}: its encoder sees u and would only return it, so u is not decoded from its latents.")
        else:
            entry |= _decoded(_without_u(run, at), y, memory)
    return {k: v.item() if isinstance(v, np.generic) else v for k, v in entry.items()}, notes


def _without_u(run: Run, at: np.ndarray) -> list[np.ndarray]:
    """Return the latents of the good members on these rows that have not seen u."""
    index = held_out(run)["index"][at]
    good = good_members(run)[:MAX_MEMBERS]
    if run.kind == "latents":
        given = given_of(run)
        order = np.argsort(given.index, kind="stable")
        rows = order[np.searchsorted(given.index[order], index)]
        return [given.encoder[m][rows].astype(float) for m in good]
    means = encoder_means(load_vae(run), data_of(run), index)
    return [means[m].astype(float) for m in good]


def _decoded(members: list[np.ndarray], y: np.ndarray, memory: float) -> dict[str, Any]:
    test = alternating(len(y), y if y.ndim == 1 else None)
    pairs = {"latents": [(z[~test], z[test]) for z in members]}
    goal = np.unique(y, return_inverse=True)[1] if y.ndim == 1 else y
    own = decode(pairs, goal[~test], goal[test], memory=memory)["latents"]
    mixed = np.random.default_rng(0).permutation(int((~test).sum()))
    control = decode(pairs, goal[~test][mixed], goal[test], memory=memory)["latents"]
    known = np.isfinite(own.low)
    return {
        "decoding": own.value, "decoding_low": own.low if known else None,
        "decoding_high": own.high if known else None, "decoding_seeds": list(own.members), "shuffled": control.value,
        "shuffled_high": control.high if np.isfinite(control.high) else max(control.members),
    }  # fmt: skip
