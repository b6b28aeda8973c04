"""Score every member of a run on its held-out rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import sklearn
import torch
from jaxtyping import Float, Shaped

from dvae_core import metrics
from dvae_core.analysis.agreement.compute import agreement
from dvae_core.analysis.common import alive_latents, good_members, stuck_members
from dvae_core.analysis.difficulty.compute import floors_of, floors_within_u_of
from dvae_core.analysis.encode import (
    SCORED_ROWS,
    describe_codes,
    encode,
    encoder_means,
    in_parts,
    needs_u,
    rows_of_another_u,
    scored_rows,
)
from dvae_core.analysis.latents import held_out
from dvae_core.analysis.recovery.compute import recovery
from dvae_core.analysis.recovery.record import scorable
from dvae_core.analysis.score.record import FILE, MemberScores, Numbers, Scores
from dvae_core.config import JOINT
from dvae_core.data.dataset import Dataset
from dvae_core.data.split import MIN_ROWS, Split, split
from dvae_core.identify.conditions import REPEATS_U, explained_by_u
from dvae_core.metrics import FLOORS
from dvae_core.model.vae import Vae, kl
from dvae_core.rng import generator
from dvae_core.runs import Run, RunError
from dvae_core.runs.data import data_of
from dvae_core.runs.given import given_of
from dvae_core.training.checkpoint import load_vae
from dvae_core.training.record import BOUND_SAMPLES, examples, order_of, sampled_elbo


@dataclass(frozen=True)
class Codes:
    """The data to score: latents of held-out rows, and what is known about these rows and about each member.

    `encoder` holds latents that have not seen u. `of_members` has one dict per member with what only a model knows:
    bounds, KL and the number of latents alive. `wrong_u` are latents computed with the u of another row.
    """

    mu: Float[np.ndarray, "p n d"]
    encoder: Float[np.ndarray, "p n d"]
    of_members: list[dict[str, Any]]
    u: Shaped[np.ndarray, "n ..."] | None
    z: Float[np.ndarray, "n d_z"] | None
    z_names: tuple[str, ...]
    how: str
    words: str
    notes: tuple[str, ...]
    floors: Callable[[np.ndarray], dict[str, metrics.Score | None]]
    floors_within_u: Callable[[np.ndarray], Mapping[str, metrics.Score]]
    wrong_u: Float[np.ndarray, "p n d"] | None = None


def score(run: Run) -> Scores:
    """Score every member on the held-out rows, write analysis/score.json and return it."""
    codes = _of_given(run) if run.kind == "latents" else _of_model(run)
    mu = codes.mu
    failed, late, good = set(run.status().failed_members), stuck_members(run), good_members(run)
    within_codes = codes.u if run.about.get("has_labels") else None
    z_true, varies, notes = None, np.zeros(0, bool), list(codes.notes)
    if codes.z is not None:
        varies, constant = scorable(codes.z, codes.z_names)
        notes += constant
        z_true = codes.z[:, varies].astype(float) if varies.any() else None
    few = mu.shape[1] < MIN_ROWS
    if few:
        notes.append(f"{mu.shape[1]} held-out rows are too few for a correlation, so there is no MCC and no agreement")
        z_true = None

    members = []
    for m in range(len(mu)):
        record = dict(codes.of_members[m])
        if z_true is not None and np.isfinite(mu[m]).all():
            z_hat = mu[m].astype(float)
            record["mcc_pearson"] = metrics.mcc(z_true, z_hat).value
            record["mcc_spearman"] = metrics.mcc(z_true, z_hat, method="spearman").value
            record["mcc_encoder_only"] = metrics.mcc(z_true, codes.encoder[m].astype(float)).value
            if codes.wrong_u is not None and np.isfinite(codes.wrong_u[m]).all():
                record["mcc_wrong_u"] = metrics.mcc(z_true, codes.wrong_u[m].astype(float)).value
            if within_codes is not None:
                try:
                    record["mcc_within_u"] = metrics.mcc_within_u(z_true, z_hat, within_codes).value
                except ValueError as error:  # labels without repeats, or a factor that u determines; see the notes
                    notes += [f"within u: {error}"] if m == 0 else []
        seed, beta = run.config.train.seeds[m], run.config.train.betas[m]
        members.append(MemberScores(member=m, seed=seed, beta=beta, failed=m in failed, stuck=m in late, **record))

    notes += [f"seed {members[m].seed} is stuck and not in the means: {why}" for m, why in late.items()]
    notes += [] if good else ["Every member failed or is stuck, so there are no means; train more seeds."]
    lines, within = dict.fromkeys(FLOORS), {}
    if z_true is not None:
        found = codes.floors(varies)
        lines = {k: None if v is None else v.value for k, v in found.items()}
        notes += [f"{k}: {note}" for k, v in found.items() if v is not None for note in v.notes]
        if any(m.mcc_within_u is not None for m in members):
            within = {k: v.value for k, v in codes.floors_within_u(varies).items()}
        recovery(run)
    if len(good) > 1 and not few and run.latents() is not None:
        try:
            for _ in agreement(run):
                pass
        except RunError as error:
            notes.append(f"agreement: {error}")
    counted = [members[m] for m in good]
    scores = Scores(
        members=members, mean=_over(counted, np.mean), std=_over(counted, np.std), members_failed=len(failed),
        members_stuck=len(late), floors=lines, floors_within_u=within, notes=notes, held_out_rows=mu.shape[1],
        split=codes.how, codes=codes.words, scikit_learn=sklearn.__version__,
    )  # fmt: skip
    scores.save(run, FILE)
    return scores


@torch.no_grad()
def _of_model(run: Run) -> Codes:
    """Encode the held-out rows of a run that was trained here."""
    dataset = data_of(run)
    parts = split(dataset, run.config.split, gap=run.config.gap)
    vae = load_vae(run)
    rows = scored_rows(parts.held_out)
    mu, amortised = encode(vae, dataset, rows)[0], encoder_means(vae, dataset, rows)
    bound = bounds(vae, dataset, rows if run.config.prior.frames == 1 else _in_pairs(run, dataset, parts))
    other = rows_of_another_u(dataset, rows) if needs_u(run.config) else None
    wrong = None if other is None else encode(vae, dataset, rows, u_rows=other)[0]
    alive = (bound[:, 3:] >= metrics.DEAD_NATS).sum(1).tolist()
    of_members = [
        {
            "elbo": bound[m, 0], "elbo_error": bound[m, 1], "recon": bound[m, 0] + bound[m, 2], "kl": bound[m, 2],
            "active_latents": None if run.config.prior.kind in JOINT else alive[m],
        }
        for m in range(vae.p)
    ]  # fmt: skip
    return Codes(
        mu, amortised, of_members, None if dataset.u is None else dataset.u[rows],
        None if dataset.z is None else dataset.z[rows], dataset.z_names, parts.how, describe_codes(run.config), (),
        lambda varies: floors_of(dataset, parts.train, rows, varies),
        lambda varies: floors_within_u_of(dataset, parts.train, rows, varies), wrong,
    )  # fmt: skip


def _in_pairs(run: Run, dataset: Dataset, parts: Split) -> np.ndarray:
    """Return about SCORED_ROWS held-out rows as pairs of neighbours, for the bound of a prior over time."""
    pairs = examples(run.config, parts.held_out, order_of(run.config, dataset, parts)).reshape(-1, 2)
    return pairs[:: max(1, 2 * len(pairs) // SCORED_ROWS)].ravel()


def _of_given(run: Run) -> Codes:
    """Take the held-out rows of imported latents, with the bounds that came with them, if any."""
    given, about, shown = given_of(run), run.about, held_out(run)
    rows = scored_rows(given.held_out_rows)
    mu, u = given.mu_z[:, rows], None if given.u is None else given.u[rows]
    mu[list(run.status().failed_members)] = np.nan  # a seed with one bad row has no score, wherever that row is
    alive = alive_latents(shown)
    of_members = [
        {"active_latents": int(alive[m].sum())}
        | {key: value[m].item() for key, value in given.of_members.items() if value.ndim == 1}
        for m in range(len(mu))
    ]
    notes = list(about.get("given", {}).get("notes", ()))
    for m in good_members(run):
        if u is None:
            break
        share = explained_by_u(mu[m].astype(float), u)
        if len(copies := np.flatnonzero(share > REPEATS_U)):
            named = ", ".join(f"z{k + 1}" for k in copies)
            notes.append(
                f"Seed {run.config.train.seeds[m]}: u explains {share[copies].min():.1%} or more of {named}, which "
                "repeats u and adds little of its own."
            )

    def floors(varies: np.ndarray) -> dict[str, metrics.Score | None]:
        if given.has_x and len(given.train_rows):
            return floors_of(given.dataset, given.train_rows, rows, varies)
        line = metrics.rotation_score(int(varies.sum()))
        only = "Without x and training rows it is the only line."
        return dict.fromkeys(FLOORS) | {"random_rotation": replace(line, notes=(*line.notes, only))}

    def within(varies: np.ndarray) -> Mapping[str, metrics.Score]:
        known = given.has_x and len(given.train_rows)
        return floors_within_u_of(given.dataset, given.train_rows, rows, varies) if known else {}

    z = None if given.z is None else given.z[rows]
    words = f"latents as given by {run.config.given.method}"
    return Codes(
        mu, given.encoder[:, rows], of_members, u, z, tuple(about.get("z_names") or ()), str(about.get("split")), words,
        tuple(notes), floors, within,
    )  # fmt: skip


def _over(members: list[MemberScores], function: Callable) -> Numbers:
    found = {}
    for field in fields(Numbers):
        values = [value for m in members if (value := getattr(m, field.name)) is not None]
        found[field.name] = float(function(values)) if values else None
    return Numbers(**found)


@torch.no_grad()
def bounds(vae: Vae, dataset: Dataset, rows: np.ndarray) -> Float[np.ndarray, "p k"]:
    """Return each member's ELBO, its standard error, KL and KL of every latent: means over rows, nats per example.

    The ELBO is the mean of log p(x, z) - log q(z) over eight samples of z per row, from each member's own fixed noise.
    The error is that of these samples on these rows.
    """
    parts, config = [], vae.config
    for start, x, u in in_parts(vae, dataset, rows):
        eps = torch.stack([
            torch.randn(BOUND_SAMPLES, x.shape[1], config.model.latents, generator=generator(seed, "score", start))
            for seed in config.train.seeds
        ], 1)  # fmt: skip
        elbo, variance, q = sampled_elbo(vae, x, u, eps)
        whole, each, _ = kl(q, vae.prior(u), q.sample(eps[0]))
        parts.append(torch.cat([elbo[..., None], variance[..., None], whole[..., None], each], -1))
    means = torch.cat(parts, 1).double().mean(1).numpy()
    means[:, 1] = np.sqrt(means[:, 1] / len(rows))
    return means
