"""Computations on a run that need torch or time; they run in a worker and leave files under the run's analysis/."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import sklearn
import torch
from torch import Tensor

from dvae_core import metrics, runs
from dvae_core.config import ConditionalPrior, Config
from dvae_core.data import DataError, Dataset, split
from dvae_core.device import generator
from dvae_core.identify import rotate, rotation_matrix
from dvae_core.models import Vae, log_px, member
from dvae_core.recipes import dataset_of
from dvae_core.runs import Run, RunError
from dvae_core.train import LATENT_ROWS, HeldOut, load_vae, write_latents, write_weights

SCORED_ROWS = 20_000
ROTATION_ROWS = 1000
SAMPLES = 64
_NO_TRUTH = {"mcc_pearson": None, "mcc_spearman": None, "mcc_within_u": None, "mcc_encoder_only": None}


@torch.no_grad()
def score(run: Run) -> dict[str, Any]:
    """Score every member on the held-out rows, write analysis/score.json and return it.

    `members` has one record each, `mean` and `std` run over the members that did not fail, `floors` are reference
    lines fitted on the training rows. MCCs are of posterior means, which a gauss-newton posterior refines with x and u;
    `mcc_encoder_only` is that of the encoder's own mean (for the other posteriors the same number). ELBO, recon and
    kl: nats per example. Without true factors the MCC fields are null.
    """
    dataset = dataset_of(run.config.data)
    if run.about.get("fingerprint") not in (None, dataset.fingerprint):
        raise RunError(f"The data of run {run.id} has changed since it was trained; train a new run.")
    parts = split(dataset, run.config.data.split)
    vae = load_vae(run)
    rows = parts.held_out[:: max(1, len(parts.held_out) // SCORED_ROWS)]
    mu, amortised, bound = encode(vae, dataset, rows)
    failed = set(run.status().failed_members)
    within_codes = dataset.u[rows] if dataset.u is not None and dataset.has_labels else None

    members = []
    for m in range(vae.p):
        record: dict[str, Any] = {
            "member": m, "seed": run.config.train.seeds[m], "beta": run.config.train.betas[m], "failed": m in failed,
            "elbo": bound[m, 0] - bound[m, 1], "recon": bound[m, 0], "kl": bound[m, 1],
            "active_latents": int((bound[m, 2:] >= 0.01).sum()), **_NO_TRUTH,
        }  # fmt: skip
        if dataset.z is not None and np.isfinite(mu[m]).all():
            z_true, z_hat = dataset.z[rows].astype(float), mu[m].astype(float)
            record["mcc_pearson"] = metrics.mcc(z_true, z_hat).value
            record["mcc_spearman"] = metrics.mcc(z_true, z_hat, method="spearman").value
            record["mcc_encoder_only"] = metrics.mcc(z_true, amortised[m].astype(float)).value
            if within_codes is not None:
                record["mcc_within_u"] = metrics.mcc_within_u(z_true, z_hat, within_codes).value
        members.append(record)

    good = [r for r in members if not r["failed"]]
    names = [*_NO_TRUTH, "elbo", "recon", "kl", "active_latents"]
    result = {
        "members": members,
        "mean": {k: _over(good, k, np.mean) for k in names},
        "std": {k: _over(good, k, np.std) for k in names},
        "members_failed": len(members) - len(good),
        "floors": {"raw_x": None, "pca": None, "fastica": None, "u_only": None, "random_rotation": None},
        "notes": [],
        "held_out_rows": len(rows),
        "split": parts.how,
        "codes": _codes(run.config),
        "scikit_learn": sklearn.__version__,
    }
    if dataset.z is not None:
        train = parts.train[:: max(1, len(parts.train) // SCORED_ROWS)]
        u = dataset.u
        lines = metrics.floors(
            dataset.x_float(train), dataset.x_float(rows), dataset.z[train], dataset.z[rows],
            None if u is None else u[train], None if u is None else u[rows],
        )  # fmt: skip
        result["floors"] = {k: None if v is None else v.value for k, v in lines.items()}
        result["notes"] = [f"{k}: {note}" for k, v in lines.items() if v is not None for note in v.notes]
    run.write_json("analysis/score.json", result)
    return result


def _codes(config: Config) -> str:
    seen = "x and u" if config.model.encoder == "xu" else "x"
    if config.model.posterior == "gauss-newton":
        by = "x and u" if isinstance(config.prior, ConditionalPrior) else "x"
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
    refined = config.model.posterior == "gauss-newton" and isinstance(config.prior, ConditionalPrior)
    return config.model.encoder == "xu" or refined


def rotation(run: Run, *, member_index: int = 0, i: int = 0, j: int = 1, step: float = 5.0) -> Iterator[float]:
    """Compute what rotating the latents changes, for 0..90 degrees; write analysis/rotation-<member>-<i>-<j>.npz.

    Arrays over the angle: log_px and its Monte Carlo error, from *independent* noise at each angle; elbo, the same
    noise carried along (z~ = M z); mcc where the factors are known. float64, up to 1,000 held-out rows, nats per
    example. With a conditional prior (held fixed) log_px is log p(x|u).

    Yields:
        The fraction done.
    """
    if run.config.model.latents < 2:
        raise RunError("A rotation needs at least two latents; this run has one.")
    dataset = dataset_of(run.config.data)
    parts = split(dataset, run.config.data.split)
    rows = parts.held_out[:: max(1, len(parts.held_out) // ROTATION_ROWS)][:ROTATION_ROWS]
    vae = member(load_vae(run), member_index).double()
    d = vae.config.model.latents
    x = torch.from_numpy(dataset.x_float(rows)).double()[None]
    features = dataset.u_features() if vae.sizes.d_u else None
    u = None if features is None else torch.from_numpy(features[rows]).double()[None]
    eps = torch.randn(1, len(rows), d, generator=generator("rotation", "carried"), dtype=torch.float64)
    angles = np.arange(0.0, 90.0 + 1e-9, step)
    out: dict[str, list[float]] = {"log_px": [], "log_px_error": [], "elbo": [], "mcc": []}
    for k, angle in enumerate(angles):
        twin = rotate(vae, rotation_matrix(d, angle, (i, j)))
        with torch.no_grad():  # around each step: a generator decorated with it would compute outside it
            estimate, error = _log_px_in_parts(twin, x, u, k)
            elbo = twin.elbo(x, u, eps).elbo
            z_hat = twin.encode(x, u).mu[0].numpy()
        out["log_px"].append(float(estimate.mean()))
        out["log_px_error"].append(float(error.square().sum().sqrt() / error.numel()))
        out["elbo"].append(float(elbo.mean()))
        if dataset.z is not None:
            out["mcc"].append(metrics.mcc(dataset.z[rows].astype(float), z_hat).value)
        yield (k + 1) / len(angles)
    arrays = {name: np.array(values) for name, values in out.items() if values}
    run.write_npz(
        f"analysis/rotation-{member_index}-{i}-{j}.npz", {"angle": angles, **arrays, "rows": np.array(len(rows))}
    )


def twin(
    run: Run, *, member_index: int = 0, i: int = 0, j: int = 1, degrees: float = 45.0, title: str = ""
) -> Iterator[float]:
    """Save the rotated twin of one member as a finished run of its own in the store, scored like any other.

    Raises:
        RunError: If the run's prior is conditional: the twin would then be a different model of the data.
    """
    if isinstance(run.config.prior, ConditionalPrior):
        raise RunError("This run's prior p(z|u) is not rotation-invariant, so its rotated copy would be another model.")
    original = member(load_vae(run), member_index)
    rotated = rotate(original, rotation_matrix(original.config.model.latents, degrees, (i, j)))
    yield 0.2
    name = title or f"{run.title}, member {member_index}, rotated by {degrees:g} degrees"
    new = runs.create(runs.new_path(runs.default_store(), name), rotated.config, title=name)
    new.write_json("about.json", {**run.about, **{k: new.about[k] for k in ("title", "created")}})
    dataset = dataset_of(run.config.data)
    parts = split(dataset, run.config.data.split)
    write_weights(new, rotated)
    write_latents(new, rotated, HeldOut(dataset, parts.held_out, rotated.config, torch.device("cpu")), rows=LATENT_ROWS)
    history = run.history().query("member == @member_index").assign(member=0)
    new.write("history.csv", history.to_csv(index=False))
    yield 0.6
    score(new)
    status = run.status()
    new.set_status(state="finished", step=status.step, steps=status.steps, seconds=status.seconds, device=status.device)
    yield 1.0


def _log_px_in_parts(vae: Vae, x: Tensor, u: Tensor | None, k: int) -> tuple[Tensor, Tensor]:
    size = max(1, 4_000_000 // x.shape[2])
    estimates, errors = [], []
    for start in range(0, x.shape[1], size):
        xb = x[:, start : start + size]
        ub = None if u is None else u[:, start : start + size]
        noise = generator("rotation", "independent", k, start)
        eps = torch.randn(SAMPLES, 1, xb.shape[1], vae.config.model.latents, generator=noise, dtype=x.dtype)
        estimate, error = log_px(vae, xb, ub, eps)
        estimates.append(estimate)
        errors.append(error)
    return torch.cat(estimates, 1), torch.cat(errors, 1)


ANALYSES: dict[str, Callable[..., Iterator[float]]] = {"rotation": rotation, "twin": twin}


def settings_of(analysis: Callable[..., Iterator[float]], given: dict[str, str]) -> dict[str, Any]:
    """Turn `--set key=value` texts into the analysis's own types, refusing unknown ones in words."""
    parameters = inspect.signature(analysis).parameters.values()
    known = {p.name: type(p.default) for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
    unknown = [k for k in given if k not in known]
    if unknown:
        raise ValueError(f"This analysis has no setting {unknown[0]!r}; known are {', '.join(known)}.")
    return {k: known[k](v) for k, v in given.items()}
