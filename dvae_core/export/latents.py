"""The latents of a run that was trained here, on all rows, in the format in which external latents are imported."""

import dataclasses
import json

import numpy as np

from dvae_core.analysis.downstream.compute import rows_of
from dvae_core.analysis.encode import encode, encoder_means, scored_rows
from dvae_core.analysis.score.record import Scores
from dvae_core.data.split import split
from dvae_core.runs import Run, RunError
from dvae_core.runs.data import data_of
from dvae_core.runs.given import MAX_X_BYTES, MEMBERS, SHOWN, given_of
from dvae_core.training.checkpoint import load_vae


def latents_of(run: Run) -> dict[str, np.ndarray]:
    """Return the arrays of an npz file from which `import` makes a run with the same tables, bit for bit.

        mu_z, encoder [p, n, d]     posterior means of every row, and the encoder's own means of x alone
        row or time [n], held_out, train [n], u, z, x, u_labels, u_names, z_names, x_names, x_scale
        seed, beta [p], and elbo, elbo_error, recon, kl, active_latents [p] of the held-out rows
        prior                       the prior's settings, whose statistics theorem 1's map is fitted with
        shown_*                     latents.npz as it is

    Rows are encoded in the groups in which the analyses encode them, because the size of a group changes the last bits.
    With more than 5,000 held-out rows, accuracies of readers may differ in these bits.

    Raises:
        RunError: If the run has no latents yet, or its data has changed.
    """
    shown = run.latents()
    if shown is None:
        raise RunError(f"{run.title} has no latents yet; let it train for a moment.")
    train = run.config.train
    own = {f"{SHOWN}{name}": value for name, value in shown.items()}
    own |= {"seed": np.array(train.seeds), "beta": np.array(train.betas)}
    own |= {"prior": np.array(json.dumps(dataclasses.asdict(run.config.prior)))}
    scores = Scores.of(run)
    if scores is not None:
        known = [name for name in MEMBERS if getattr(scores.members[0], name, None) is not None]
        own |= {name: np.array([getattr(member, name) for member in scores.members]) for name in known}
    if run.kind == "latents":
        given = given_of(run)
        rest = {"encoder": given.encoder, "row": given.index, "u": given.u, "z": given.z, "x": given.x}
        texts = {key: run.about.get(key) for key in ("u_labels", "u_names", "z_names", "x_names")}
        own |= {key: value for key, value in rest.items() if value is not None}
        own |= {key: np.array(value, dtype=str) for key, value in texts.items() if value}
        return own | {"mu_z": given.mu_z, "held_out": given.held_out, "train": given.train,
                      "x_scale": np.array(run.about.get("x_scale") or 1.0)}  # fmt: skip
    dataset = data_of(run)
    parts = split(dataset, run.config.split, gap=run.config.gap)
    vae = load_vae(run)
    scored = scored_rows(parts.held_out)
    mu = np.empty((vae.p, dataset.n, run.config.model.latents), np.float32)
    encoder = np.empty_like(mu)
    for rows in _groups(dataset.n, scored):
        mu[:, rows] = encode(vae, dataset, rows)[0]
    for rows in _groups(dataset.n, *rows_of(parts.train, parts.held_out)):
        encoder[:, rows] = encoder_means(vae, dataset, rows)
    at = dataset.row_index
    own |= {"mu_z": mu, "encoder": encoder, "time" if at.dtype.kind == "f" else "row": at}
    own |= {name: np.isin(np.arange(dataset.n), getattr(parts, name)) for name in ("held_out", "train")}
    own |= {"x_scale": np.array(dataset.x_scale)}
    if dataset.x.nbytes <= MAX_X_BYTES:
        own["x"] = dataset.x[:]
    for name in ("u", "z"):
        if getattr(dataset, name) is not None:
            own[name] = getattr(dataset, name)
    for name in ("u_labels", "u_names", "z_names", "x_names"):
        if getattr(dataset, name):
            own[name] = np.array(getattr(dataset, name), dtype=str)
    return own


def _groups(n: int, *first: np.ndarray) -> list[np.ndarray]:
    """Return the given groups of rows, and all other rows as the last group."""
    rest = np.setdiff1d(np.arange(n), np.concatenate(first))
    return [rows for rows in (*first, rest) if len(rows)]
