"""Computations on a run that need torch or time; they run in a worker and leave files under the run's analysis/."""

import inspect
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import sklearn
import torch
from torch import Tensor

from dvae_core import metrics, runs
from dvae_core.analysis import angle, recovered
from dvae_core.analysis.agree import agreement
from dvae_core.analysis.common import good_members, stuck_members
from dvae_core.analysis.conditions import conditions
from dvae_core.analysis.downstream import downstream
from dvae_core.analysis.linear_ica import linear_ica
from dvae_core.analysis.members import member_scores
from dvae_core.analysis.study import study
from dvae_core.config import Config, ConvNet
from dvae_core.data.dataset import DataError, Dataset, split
from dvae_core.data.load import dataset_of
from dvae_core.identify.linear_gaussian import diagonal_gap_curve
from dvae_core.identify.rotation import rotate, rotation_matrix
from dvae_core.model.vae import Posterior, Vae, member
from dvae_core.rng import generator
from dvae_core.runs import Run, RunError
from dvae_core.training.checkpoint import load_vae, write_weights
from dvae_core.training.device import choose_threads
from dvae_core.training.record import LATENT_ROWS, HeldOut, write_latents

SCORED_ROWS = 20_000
ROTATION_ROWS, ROTATION_NUMBERS = 1000, 100_000  # at most so many held-out rows, and (beyond 100 rows) numbers in x
SAMPLES = 64  # of the importance weights
_NO_TRUTH = {"mcc_pearson": None, "mcc_spearman": None, "mcc_within_u": None, "mcc_encoder_only": None}


@torch.no_grad()
def score(run: Run) -> dict[str, Any]:
    """Score every member on the held-out rows, write analysis/score.json and return it.

    `members` has one record each; `mean` and `std` run over the good ones (`common.good_members`; `notes` names the
    others), and are null where none is left; `floors` are reference lines fitted on the training rows. MCCs are of
    posterior means, which a gauss-newton posterior refines with x and u; `mcc_encoder_only` is that of the encoder's
    own mean (for the other posteriors the same number). ELBO, recon and
    kl: nats per example. Without true factors the MCC fields are null.
    """
    dataset = dataset_of(run.config.data)
    if run.about.get("fingerprint") not in (None, dataset.fingerprint):
        raise RunError(f"The data of run {run.id} has changed since it was trained; train a new run.")
    parts = split(dataset, run.config.split)
    vae = load_vae(run)
    rows = parts.held_out[:: max(1, len(parts.held_out) // SCORED_ROWS)]
    mu, amortised, bound = encode(vae, dataset, rows)
    failed, late, good = set(run.status().failed_members), stuck_members(run), good_members(run)
    within_codes = dataset.u[rows] if dataset.u is not None and dataset.has_labels else None
    z_true, varies, notes = None, np.zeros(0, bool), []
    if dataset.z is not None:
        varies, constant = recovered.scorable(dataset.z[rows], dataset.z_names)
        notes += constant
        z_true = dataset.z[rows][:, varies].astype(float) if varies.any() else None

    members = []
    for m in range(vae.p):
        record: dict[str, Any] = {
            "member": m, "seed": run.config.train.seeds[m], "beta": run.config.train.betas[m], "failed": m in failed,
            "stuck": m in late, "elbo": bound[m, 0] - bound[m, 1], "recon": bound[m, 0], "kl": bound[m, 1],
            "active_latents": int((bound[m, 2:] >= 0.01).sum()), **_NO_TRUTH,
        }  # fmt: skip
        if z_true is not None and np.isfinite(mu[m]).all():
            z_hat = mu[m].astype(float)
            record["mcc_pearson"] = metrics.mcc(z_true, z_hat).value
            record["mcc_spearman"] = metrics.mcc(z_true, z_hat, method="spearman").value
            record["mcc_encoder_only"] = metrics.mcc(z_true, amortised[m].astype(float)).value
            if within_codes is not None:
                try:
                    record["mcc_within_u"] = metrics.mcc_within_u(z_true, z_hat, within_codes).value
                except ValueError as error:  # labels without repeats, or a factor that u determines: said in the notes
                    notes += [f"within u: {error}"] if m == 0 else []
        members.append(record)

    notes += [f"seed {members[m]['seed']} is stuck and not in the means: {why}" for m, why in late.items()]
    notes += [] if good else ["Every member failed or is stuck, so there are no means; train more seeds."]
    counted = [members[m] for m in good]
    names = [*_NO_TRUTH, "elbo", "recon", "kl", "active_latents"]
    result = {
        "members": members,
        "mean": {k: _over(counted, k, np.mean) for k in names},
        "std": {k: _over(counted, k, np.std) for k in names},
        "members_failed": len(failed),
        "members_stuck": len(late),
        "floors": {"raw_x": None, "pca": None, "fastica": None, "u_only": None, "random_rotation": None},
        "notes": notes,
        "held_out_rows": len(rows),
        "split": parts.how,
        "codes": _codes(run.config),
        "scikit_learn": sklearn.__version__,
    }
    if z_true is not None and dataset.z is not None:
        lines = _floors(dataset, parts.train, rows, varies)
        result["floors"] = {k: None if v is None else v.value for k, v in lines.items()}
        result["notes"] += [f"{k}: {note}" for k, v in lines.items() if v is not None for note in v.notes]
        recovery(run)
    if len(good) > 1 and run.latents() is not None:
        try:
            for _ in agreement(run):
                pass
        except RunError as error:
            result["notes"].append(f"agreement: {error}")
    run.write_json("analysis/score.json", result)
    return result


def _thinned(rows: np.ndarray, columns: int) -> np.ndarray:
    """Return so many of the rows that what needs no model takes seconds and 160 MB a copy, however wide x is."""
    most = int(min(SCORED_ROWS, max(500, 2e7 / columns)))
    return rows[:: max(1, -(-len(rows) // most))]


def _floors(
    dataset: Dataset, train: np.ndarray, rows: np.ndarray, varies: np.ndarray
) -> dict[str, metrics.Score | None]:
    """Score what needs no model on the factors that vary, fitted on training rows, on held-out rows."""
    train, rows = _thinned(train, dataset.d_x), _thinned(rows, dataset.d_x)
    u, z = dataset.u, dataset.z
    assert z is not None  # asked for only where the factors are known
    return metrics.floors(
        dataset.x_float(train), dataset.x_float(rows), z[train][:, varies], z[rows][:, varies],
        None if u is None else u[train], None if u is None else u[rows],
    )  # fmt: skip


def recovery(run: Run) -> None:
    """Match every member's latents to the factors on the rows of latents.npz; write analysis/recovery.npz.

    What it holds: `recovered.recover`, and `factors`, the indices of the factors that vary on these rows.
    """
    latents, about = run.latents(), run.about
    if latents is None or "z_true" not in latents:
        return
    names = about.get("z_names") or [str(i + 1) for i in range(latents["z_true"].shape[1])]
    varies, notes = recovered.scorable(latents["z_true"], names)
    if not varies.any():
        return
    n = len(latents["index"])
    T = recovered.statistics_of(run.config.prior)
    found = recovered.recover(
        latents["z_true"][:, varies].astype(float), latents["mu_z"].astype(float), T,
        block=max(1, n // 100) if about.get("split") == "blocks" else 1,
    )  # fmt: skip
    about_it = {"factors": np.flatnonzero(varies), "notes": np.array(notes, dtype=str)}
    run.write_npz("analysis/recovery.npz", found | about_it)


def _codes(config: Config) -> str:
    seen = "x and u" if config.model.encoder == "xu" else "x"
    if config.model.posterior == "gauss-newton":
        by = "x and u" if config.is_conditional else "x"
        return f"posterior means, refined with {by}; the encoder alone sees {seen}"
    return f"posterior means, the encoder sees {seen}"


def _over(records: list[dict[str, Any]], key: str, function: Callable) -> float | None:
    values = [r[key] for r in records if r[key] is not None]
    return float(function(values)) if values else None


@torch.no_grad()
def encode(vae: Vae, dataset: Dataset, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return means of the posterior and of the encoder alone [p, n, d_z], and mean (recon, kl, kl_1..) [p, 2 + d_z]."""
    u = dataset.u_features() if vae.sizes.d_u else None
    mu, own, parts, size = [], [], [], max(1, 4_000_000 // (dataset.d_x * vae.p))
    for start in range(0, len(rows), size):
        chosen = rows[start : start + size]
        x = torch.from_numpy(dataset.x_float(chosen)).expand(vae.p, -1, -1)
        ub = None if u is None else torch.from_numpy(u[chosen]).expand(vae.p, -1, -1)
        eps = torch.stack([
            torch.randn(len(chosen), vae.config.model.latents, generator=generator(s, "score", start))
            for s in vae.config.train.seeds
        ])  # fmt: skip
        bound = vae.elbo(x, ub, eps)
        mu.append(vae.encode(x, ub).mu)
        own.append(vae.amortised(x, ub))
        parts.append(torch.cat([bound.recon[..., None], bound.kl[..., None], bound.kl_latent], -1))
    return torch.cat(mu, 1).numpy(), torch.cat(own, 1).numpy(), torch.cat(parts, 1).double().mean(1).numpy()


def encode_only(run: Run, dataset: Dataset) -> dict[str, np.ndarray]:
    """Return mu_z and std_z [p, n, d_z] of a data set's rows under a run's encoder.

    A gauss-newton posterior is refined with the data's u where the prior is conditional.

    Raises:
        DataError: If the data has other columns than the run was trained on, or lacks the u its posterior needs.
    """
    vae = load_vae(run)
    if dataset.d_x != vae.sizes.d_x:
        raise DataError(
            f"The run reads {vae.sizes.d_x} columns of x and this data has {dataset.d_x}; choose the same ones."
        )
    u = None
    if needs_u(run.config):
        features = dataset.u_features()
        if features is None or features.shape[1] != vae.sizes.d_u:
            raise DataError(f"This run's posterior needs u with {vae.sizes.d_u} values; the data does not have it.")
        u = torch.from_numpy(features)
    mu, std = [], []
    with torch.no_grad():
        for rows in np.array_split(np.arange(dataset.n), max(1, dataset.n * dataset.d_x * vae.p // 4_000_000)):
            x = torch.from_numpy(dataset.x_float(rows)).expand(vae.p, -1, -1)
            q = vae.encode(x, None if u is None else u[rows].expand(vae.p, -1, -1))
            mu.append(q.mu)
            std.append(q.var.sqrt())
    return {"mu_z": torch.cat(mu, 1).numpy(), "std_z": torch.cat(std, 1).numpy()}


def needs_u(config: Config) -> bool:
    """Whether the posterior of x cannot be found without u."""
    refined = config.model.posterior == "gauss-newton" and config.is_conditional
    return config.model.encoder == "xu" or refined


def rotation(run: Run, *, member_index: int = 0, i: int = 0, j: int = 1, step: float = 5.0) -> Iterator[float]:
    """Compute what rotating the latents changes, for 0..90 degrees; write analysis/rotation-<member>-<i>-<j>.npz.

    Arrays over `angle`, nats per example, float64, means over `rows` held-out rows (at most 1,000; fewer if x has more
    than 100 numbers). Whatever has Monte Carlo noise worth drawing has its standard error beside it in <name>_error.

        log_px            importance-weighted, full-covariance proposal, *independent* noise at each angle: flat for a
                          prior N(0, I). With a conditional prior it is log p(x|u), that prior held fixed
        elbo              of the twin's own q (factor M F), one sample, the noise carried along: flat for N(0, I)
        elbo_full         of the best full-covariance q, the noise carried along: flat
        elbo_diagonal     of the best diagonal q at each angle, measured: bends
        gap_closed_form   mean of 1/2 [ sum log (S^-1)_ii + log det S ] over S(x), the Gauss-Newton posterior
                          covariances in the turned axes: what elbo_full - elbo_diagonal would be if they were exact
        log_pxu_fixed     log p(x|u), prior held fixed, the same noise at every angle (conditional priors only)
        log_pxu_refitted  with the best factorial prior in the turned axes, N(M mu_u, diag(M V_u M^T)), at each u;
                          log_pxu_refitted_whitened turns z / sqrt(mean_u V_u) instead of z
        mcc               where the factors are known

    What is missing and why is in `notes`: the diagonal part needs the MLP's Jacobian and the prior N(0, I).

    Yields:
        The fraction done.

    Raises:
        RunError: If the run has one latent, no such member, or that member diverged.
    """
    config = run.config
    d = config.model.latents
    if d < 2:
        raise RunError("A rotation needs at least two latents; this run has one.")
    if not 0 <= member_index < config.members:
        raise RunError(f"This run has members 0 to {config.members - 1}; got {member_index}.")
    turn = rotation_matrix(d, 0.0, (i, j))  # refuses a bad plane before any work
    vae = member(load_vae(run), member_index).double().eval()
    if not all(w.isfinite().all() for w in vae.parameters()):
        raise RunError(f"Member {member_index} diverged: its weights are not finite; pick another member.")
    dataset = dataset_of(config.data)
    parts = split(dataset, config.split)
    count = min(ROTATION_ROWS, max(100, ROTATION_NUMBERS // dataset.d_x), len(parts.held_out))
    rows = parts.held_out[np.linspace(0, len(parts.held_out) - 1, count).astype(int)]
    x = torch.from_numpy(dataset.x_float(rows)).double()[None]
    features = dataset.u_features() if vae.sizes.d_u else None
    u = None if features is None else torch.from_numpy(features[rows]).double()[None]
    eps = torch.randn(1, len(rows), d, generator=generator("rotation", "carried"), dtype=torch.float64)
    conditional, conv = config.is_conditional, isinstance(config.model.net, ConvNet)
    weights = sum(w[0].numel() for w in vae.parameters())
    # Nets this small on two threads took 90 s instead of 4 (shared 2-core machine, Nov 2026).
    torch.set_num_threads(choose_threads(float(weights * len(rows) * angle.FITTING), os.cpu_count() or 1))
    notes = _rotation_notes(conditional, conv, len(rows))
    with torch.no_grad():
        proposal = angle.full(vae.encode(x, u)) if conv else angle.gauss_newton(vae, x, u)
    curves = _Curves()
    if conditional:
        samples = torch.randn(SAMPLES, 1, len(rows), d, generator=generator("rotation", "turned"), dtype=torch.float64)
        priors = {whiten: angle.TurnedPriors(vae, proposal, x, u, samples, whiten=whiten) for whiten in (False, True)}
    elif not conv:
        S = proposal.factor @ proposal.factor.mT
        fitting = angle.matched_noise(angle.FITTING, len(rows), d, "rotation", "fitting")
        measuring = angle.matched_noise(angle.MEASURING, len(rows), d, "rotation", "measuring")
        best = angle.best_full(vae, proposal, x, fitting)
    angles = np.arange(0.0, 90.0 + 1e-9, step)
    for k, degrees in enumerate(angles):
        turn = rotation_matrix(d, degrees, (i, j))
        twin, M = rotate(vae, turn), torch.from_numpy(turn)
        curves.add("log_px", *_log_px_in_parts(twin, angle.turned(proposal, M), x, u, k))
        with torch.no_grad():  # around each step: a generator decorated with it would compute outside it
            curves.add("elbo", twin.elbo(x, u, eps).elbo)
            z_hat = twin.encode(x, u).mu[0].numpy()
        if conditional:
            curves.add("log_pxu_fixed", *priors[False].log_pxu(M, refitted=False))
            curves.add("log_pxu_refitted", *priors[False].log_pxu(M, refitted=True))
            curves.add("log_pxu_refitted_whitened", *priors[True].log_pxu(M, refitted=True))
        elif not conv:
            curves.add("elbo_full", angle.elbo(twin, angle.turned(best, M), x, u, measuring)[0])
            q = angle.best_diagonal(twin, M @ S @ M.T, proposal.mu @ M.T, x, fitting)
            curves.add("elbo_diagonal", *angle.elbo(twin, q, x, u, measuring))
        if dataset.z is not None:
            curves.values.setdefault("mcc", []).append(metrics.mcc(dataset.z[rows].astype(float), z_hat).value)
        yield (k + 1) / len(angles)
    arrays = {name: np.array(values) for name, values in curves.values.items()}
    if not (conditional or conv):
        arrays["gap_closed_form"] = diagonal_gap_curve(S[0].numpy(), angles, (i, j)).mean(1)
    about = {"rows": np.array(len(rows)), "samples": np.array(SAMPLES), "notes": np.array(notes)}
    run.write_npz(f"analysis/rotation-{member_index}-{i}-{j}.npz", {"angle": angles, **arrays, **about})


class _Curves:
    """Collects a mean over rows, and its standard error, a point at a time."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {}

    def add(self, name: str, estimate: Tensor, error: Tensor | None = None) -> None:
        self.values.setdefault(name, []).append(float(estimate.mean()))
        if error is not None:
            self.values.setdefault(f"{name}_error", []).append(float(error.square().sum().sqrt() / error.numel()))


def _rotation_notes(conditional: bool, conv: bool, rows: int) -> list[str]:
    notes = [f"Means over {rows} held-out examples; log p(x) from {SAMPLES} importance samples each."]
    if conditional:
        notes += [
            "This run's prior is p(z|u), not N(0, I). Held fixed, it makes the turned model another model of x: its "
            "log p(x|u) bends even where nothing is identified. Refitted at each angle, it bends only if axes matter.",
            "Variances that differ but do not depend on u bend the refitted curve too, though such a model is free up "
            "to an affine map; the whitened curve turns the latents after dividing each by its spread within u.",
            "The ELBO of a diagonal q is not drawn: its closed-form gap is about the prior N(0, I).",
        ]
    elif conv:
        notes.append(
            "The ELBO of the best diagonal q is not drawn: it needs the decoder's Jacobian, which is written out for "
            "the MLP only. log p(x) uses the run's own q as proposal."
        )
    else:
        notes.append(
            f"The diagonal and the full q are fitted to each example: a closed-form start and {angle.STEPS} steps, "
            "the encoder plays no part."
        )
    return notes


def twin(
    run: Run, *, member_index: int = 0, i: int = 0, j: int = 1, degrees: float = 45.0, title: str = ""
) -> Iterator[float]:
    """Save the rotated twin of one member as a finished run of its own in the store, scored like any other.

    Raises:
        RunError: If the run's prior is conditional: the twin would then be a different model of the data.
    """
    if run.config.is_conditional:
        raise RunError("This run's prior p(z|u) is not rotation-invariant, so its rotated copy would be another model.")
    original = member(load_vae(run), member_index)
    rotated = rotate(original, rotation_matrix(original.config.model.latents, degrees, (i, j)))
    yield 0.2
    name = title or f"{run.title}, member {member_index}, rotated by {degrees:g} degrees"
    new = runs.create(runs.new_path(runs.default_store(), name), rotated.config, title=name)
    new.write_json("about.json", {**run.about, **{k: new.about[k] for k in ("title", "created")}})
    dataset = dataset_of(run.config.data)
    parts = split(dataset, run.config.split)
    write_weights(new, rotated)
    write_latents(new, rotated, HeldOut(dataset, parts.held_out, rotated, torch.device("cpu")), rows=LATENT_ROWS)
    history = run.history().query("member == @member_index").assign(member=0)
    new.write("history.csv", history.to_csv(index=False))
    yield 0.6
    score(new)
    status = run.status()
    new.set_status(state="finished", step=status.step, steps=status.steps, seconds=status.seconds, device=status.device)
    yield 1.0


def disentanglement(run: Run, *, member_index: int = 0, fast: bool = True) -> Iterator[float]:
    """Score one member by MIG, DCI, SAP and their kin (see `metrics.literature`), on held-out posterior means.

    Writes analysis/disentanglement-<member>.json: for each score its value, matrix (factors by latents), matching,
    notes, what it is blind to and its chance level.

    Yields:
        The fraction done.

    Raises:
        RunError: If the factors are unknown, there is no such member, or that member diverged.
    """
    dataset = dataset_of(run.config.data)
    if dataset.z is None:
        raise RunError("These scores compare latents with true factors, and this run's data has none.")
    if not 0 <= member_index < run.config.members:
        raise RunError(f"This run has members 0 to {run.config.members - 1}; got {member_index}.")
    yield 0.05
    rows = split(dataset, run.config.split).held_out[:SCORED_ROWS]
    with torch.no_grad():
        codes = encode(member(load_vae(run), member_index), dataset, rows)[0][0].astype(float)
    if not np.isfinite(codes).all():
        raise RunError(f"Member {member_index} diverged: its latents are not finite; pick another member.")
    yield 0.2
    scores = metrics.disentanglement(dataset.z[rows].astype(float), codes, fast=fast)
    run.write_json(
        f"analysis/disentanglement-{member_index}.json",
        {
            "scores": {name: vars(score) for name, score in scores.items()},
            "factors": dataset.z_names, "rows": len(rows), "fast": fast, "codes": _codes(run.config),
        },
    )  # fmt: skip
    yield 1.0


def difficulty(run: Run) -> Iterator[float]:
    """Score what needs no model on a run's data (the run need not be trained); write analysis/difficulty.json.

    Held-out MCCs of raw x, PCA, FastICA, u-only and a random rotation: what a model has to beat on this data.

    Yields:
        The fraction done.

    Raises:
        RunError: If the factors are unknown.
    """
    dataset = dataset_of(run.config.data)
    if dataset.z is None:
        raise RunError("Difficulty compares with true factors, and this data has none.")
    yield 0.1
    parts = split(dataset, run.config.split)
    rows = _thinned(parts.held_out, dataset.d_x)
    lines = _floors(dataset, parts.train, rows, np.ones(dataset.z.shape[1], bool))
    scores = {k: None if v is None else v.value for k, v in lines.items()}
    notes = [note for v in lines.values() if v is not None for note in v.notes]
    run.write_json("analysis/difficulty.json", {"scores": scores, "rows": len(rows), "notes": notes})
    yield 1.0


def _log_px_in_parts(twin: Vae, q: Posterior, x: Tensor, u: Tensor | None, k: int) -> tuple[Tensor, Tensor]:
    d = twin.config.model.latents
    noise = generator("rotation", "independent", k)
    estimates, errors = [], []
    for at in torch.arange(x.shape[1]).split(max(1, 4_000_000 // x.shape[2])):
        eps = torch.randn(SAMPLES, 1, len(at), d, generator=noise, dtype=x.dtype)
        part = Posterior(q.mu[:, at], q.factor[:, at], q.log_det[:, at])
        estimate, error = angle.log_px_with(twin, part, x[:, at], None if u is None else u[:, at], eps)
        estimates.append(estimate)
        errors.append(error)
    return torch.cat(estimates, 1), torch.cat(errors, 1)


ANALYSES: dict[str, Callable[..., Iterator[float]]] = {
    "rotation": rotation,
    "twin": twin,
    "disentanglement": disentanglement,
    "difficulty": difficulty,
    "agreement": agreement,
    "downstream": downstream,
    "linear_ica": linear_ica,
    "conditions": conditions,
    "study": study,
    "members": member_scores,
}


def settings_of(analysis: Callable[..., Iterator[float]], given: dict[str, str]) -> dict[str, Any]:
    """Turn `--set key=value` texts into the analysis's own types, refusing unknown ones in words."""
    parameters = inspect.signature(analysis).parameters.values()
    known = {p.name: type(p.default) for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
    unknown = [k for k in given if k not in known]
    if unknown:
        raise ValueError(f"This analysis has no setting {unknown[0]!r}; known are {', '.join(known)}.")
    return {k: v.lower() in ("1", "true", "yes") if known[k] is bool else known[k](v) for k, v in given.items()}
