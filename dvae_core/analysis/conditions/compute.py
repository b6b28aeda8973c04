"""Quantities of the Conditions page that a run's files do not contain: T, lambda, L, Jacobians, the prior's shape."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dvae_core.analysis.common import Computation, good_members
from dvae_core.analysis.conditions.record import Conditions, file_name
from dvae_core.analysis.encode import check_member, encoder_means, encoder_sees_u, inputs, opened
from dvae_core.analysis.latents import held_out
from dvae_core.axes import evenly
from dvae_core.config import Config, ConvNet
from dvae_core.data.dataset import Dataset
from dvae_core.data.split import split
from dvae_core.identify import conditions as theorem
from dvae_core.identify.effect import Effect, Family, OnGrid, effect_of, gaussian_family, laplace_family
from dvae_core.metrics import DEAD_NATS, autocorrelation_time, independent_step, mcc
from dvae_core.model.priors import (
    GRID_STEP,
    ConditionalLaplace,
    ConditionalNormal,
    LearnedFamily,
)
from dvae_core.model.vae import Vae
from dvae_core.rng import generator
from dvae_core.runs import Run, RunError
from dvae_core.runs.data import data_of

ROWS, PAIRED, VALUES = 500, 1000, 200  # held-out rows for Jacobians, for pairs and T; values of a continuous u
EFFECT_ROWS = 20_000  # held-out rows for u's effect, with neighbouring rows kept together
CURVE = 241  # points of a drawn density


def conditions(run: Run, *, member_index: int = 0) -> Computation:
    """Compute the quantities behind the theorem's conditions; write analysis/conditions-<member>.npz, float64.

    `record.Conditions` documents the content of the file.

    For imported latents only `rows`, `explained` and `explained_true` can be computed.

    Yields:
        The fraction done.

    Returns:
        The lights, u's effect in nats with its error, and the verdict, as --json prints them.

    Raises:
        RunError: If there is no such member, or it diverged.
    """
    config = run.config
    check_member(run, member_index)
    if run.kind == "latents":
        return _of_given(run, member_index)
    if config.prior.kind == "custom" and config.is_conditional:
        raise RunError("This run's p(z|u) is a custom class without statistics T, so it has no matrix L.")
    vae = opened(run, member_index)
    torch.set_num_threads(1)
    dataset = data_of(run)
    kept = split(dataset, config.split, gap=config.gap).held_out
    rows = kept[evenly(len(kept), PAIRED)]
    with torch.no_grad():
        x, u = inputs(vae, dataset, rows)
        q = vae.encoder(x, u)
        noise = torch.randn(q.mu.shape, generator=generator("conditions"), dtype=torch.float64)
        z = q.sample(noise)
    yield 0.2
    with torch.no_grad():
        in_noise, std = vae.decoder(z).in_noise_units()
    far, close, smallest, _ = theorem.twins(in_noise[0].numpy(), z[0].numpy())
    yield 0.4
    singular = _singular_values(vae, *(part[:, :: max(1, len(rows) // ROWS)] for part in (x, z)))
    yield 0.6
    found: dict[str, Any] = {}
    if dataset.u is not None:
        found["explained"] = theorem.explained_by_u(q.mu[0].numpy(), dataset.u[rows])
        if dataset.z is not None:
            found["explained_true"] = theorem.explained_by_u(dataset.z[rows].astype(float), dataset.u[rows])
    with torch.no_grad():
        found |= _of_prior(vae, dataset, rows, z)
    yield 0.8
    if "lam" in found:
        effect = _effect(vae, dataset, kept[:EFFECT_ROWS], found["lam"].mean(0))
        found |= {"effect": effect, "effect_values": 0 if effect is None else effect.values}
        found["seeds"] = _other_seeds(run, member_index)
    yield 0.9
    if dataset.u is not None:
        values, found["u_values"] = _values(dataset, rows)
        lam, found["true_words"] = theorem.true_lambda(config.data, values if dataset.has_labels else values[:, 0])
        if lam is not None and dataset.z is not None:
            found["lam_true"] = lam * _true_spread(dataset.z[rows].astype(float), lam.shape[-1], config.data)
    record = Conditions(
        rows=len(rows), d_x=dataset.d_x, noise_std=np.nan if std is None else float(std),
        pairs=np.array([far, close, smallest]), singular=singular, **found,
    )  # fmt: skip
    record.save(run, file_name(member_index))
    yield 1.0
    return _summary(config, record, is_continuous=not dataset.has_labels)


def _other_seeds(run: Run, member_index: int) -> np.ndarray:
    """Return the MCC of a member's live held-out latents with those of every other good member of the same beta."""
    latents, betas = held_out(run), run.config.train.betas
    mu, alive = latents["mu_z"].astype(float), latents["kl_latent"][member_index] >= DEAD_NATS
    others = [m for m in good_members(run) if m != member_index and betas[m] == betas[member_index]]
    own = mu[member_index][:, alive]
    return np.array([mcc(own, mu[m]).value if alive.any() else 0.0 for m in others])


def _of_given(run: Run, member_index: int) -> Mapping[str, Any]:
    """Write and return what can be known without a model: how far u explains imported latents, and the factors."""
    latents = held_out(run)
    mu, u, z = latents["mu_z"][member_index].astype(float), latents.get("u"), latents.get("z_true")
    if not np.isfinite(mu).all():
        raise RunError(f"Member {member_index} has latents that are not finite; pick another member.")
    if u is None:
        raise RunError("Conditions are about u, and no u came with these latents; import them with their data.")
    record = Conditions(
        rows=len(mu), d_x=int(run.about["d_x"]), noise_std=np.nan, pairs=np.full(3, np.nan), singular=np.empty((0, 0)),
        explained=theorem.explained_by_u(mu, u),
        explained_true=None if z is None else theorem.explained_by_u(z.astype(float), u),
    )  # fmt: skip
    return record.save(run, file_name(member_index))


def _summary(config: Config, found: Conditions, *, is_continuous: bool) -> dict[str, Any]:
    """Return the content of --json: the four lights in the theorem's order, u's effect in nats, and the verdict."""
    lights, _ = found.lights(config, is_continuous=is_continuous)
    effect = found.effect
    return {
        "effect": None if effect is None else {"nats": effect.gain, "error": effect.gain_error},
        "lights": [{"name": light.name, "state": light.state, "number": light.number} for light in lights],
        "verdict": theorem.what_follows(config, lights, found.monotonic, effect),
    }


def _values(dataset: Dataset, rows: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the values of u at which lambda is evaluated (codes, or numbers [m, d_u]), and how many the data has."""
    u = dataset.u
    assert u is not None
    distinct = np.unique(u, axis=0)
    if dataset.has_labels:
        return distinct, len(distinct)
    return u[rows[:: max(1, len(rows) // VALUES)]], len(distinct)


@torch.no_grad()
def _singular_values(vae: Vae, x: Tensor, z: Tensor) -> np.ndarray:
    """Return singular values of d f / d z, x in units of the noise, z in units of its spread; [n, min(d_z, d_x)]."""
    scale = z.std(1).clamp_min(1e-12)  # [1, d]
    if isinstance(vae.config.model.net, ConvNet):
        some = slice(None, None, max(1, z.shape[1] // 50))  # one pass per latent and example
        x, z = x[:, some], z[:, some]
    px, jacobian = vae.decoder_with_jacobian(z)
    _, information = px.fisher(vae.row(x))
    scaled = jacobian * information.sqrt()[:, :, None] * scale[:, None, :, None]
    return torch.linalg.svdvals(scaled)[0].numpy()


def _of_prior(vae: Vae, dataset: Dataset, rows: np.ndarray, z: Tensor) -> dict[str, Any]:
    """Return lambda, T's spread and Gram matrices, and the drawn densities of a conditional prior."""
    prior = vae.prior
    if not isinstance(prior, ConditionalNormal | ConditionalLaplace | LearnedFamily):
        return {}
    values, _ = _values(dataset, rows)
    u = torch.from_numpy(np.asarray(dataset.features_of(values), float))[None]
    T = prior.statistics(z)[0].numpy()
    lam = prior.lam(u)
    gram, rank = theorem.statistics_rank(T)
    grid = torch.linspace(float(z.min()), float(z.max()), CURVE, dtype=torch.float64)
    shown = torch.from_numpy(evenly(len(values), 12))
    curves = []
    for g in grid:
        given = prior(u[:, shown])
        curves.append(torch.exp(given.log_prob(g.expand(1, len(shown), z.shape[2])))[0])
    low, high = (torch.quantile(z[0], q, dim=0) for q in (0.005, 0.995))
    line = low + (high - low) * torch.linspace(0, 1, 400, dtype=torch.float64)[:, None]
    steps = np.diff(prior.statistics(line[None])[0, :, :, 0].numpy(), axis=0)
    error = 0.0
    if isinstance(prior, LearnedFamily):
        error = float((prior.log_z(lam) - prior.log_z(lam, GRID_STEP / 2)).abs().max())
    return {
        "lam": lam[0].numpy(), "spread": T.std(0), "gram": gram, "rank": rank, "u": values,
        "monotonic": np.all(steps >= 0, axis=0) | np.all(steps <= 0, axis=0),
        "curve_z": grid.numpy(), "shown": shown.numpy(),
        "curves": torch.stack(curves, -1).numpy(), "grid_error": error,
    }  # fmt: skip


@torch.no_grad()
def _effect(vae: Vae, dataset: Dataset, rows: np.ndarray, start: np.ndarray) -> Effect | None:
    """Measure u's effect on latents that have not seen it: those of e(x), which no refinement pulled to the prior.

    An encoder that reads u is given the u of other rows, drawn at random. `start`: a lambda [d, k] from which fits
    begin.
    """
    assert dataset.u is not None
    u_seen = np.random.default_rng(0).permutation(rows) if encoder_sees_u(vae.config) else rows
    codes = encoder_means(vae, dataset, rows, u_rows=u_seen)[0]
    step = independent_step(autocorrelation_time(codes, dataset.u[rows] if dataset.has_labels else None), 2)
    return effect_of(codes[::step], dataset.u[rows][::step], _family(vae, start), step=step)


def _family(vae: Vae, start: np.ndarray) -> Callable[[np.ndarray, np.ndarray], Family]:
    """Return the function that makes this prior's family from latents and codes."""
    prior = vae.prior
    if isinstance(prior, ConditionalNormal):
        return gaussian_family(prior.modulate)
    if not isinstance(prior, LearnedFamily):
        return laplace_family
    # A grid twice as coarse as training's: lambda is fitted about a thousand times.
    grid, shape, T = prior.on_grid(torch.zeros(1, 1, len(start), dtype=torch.float64), 2 * GRID_STEP)
    nodes, log_weight = T[0].movedim(-1, 0).numpy(), (grid.log_weight + shape[0]).T.numpy()

    def statistics(z: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return prior.statistics(torch.from_numpy(z)[None])[0].numpy()

    return lambda z, codes: OnGrid(statistics, nodes, log_weight, start)


def _true_spread(z: np.ndarray, k: int, data: object) -> np.ndarray:
    """Return the standard deviation of the true T over the factors, [d, k]."""
    noise, modulate = getattr(data, "noise", "gaussian"), getattr(data, "modulate", "both")
    if noise == "laplace":
        return np.abs(z).std(0)[:, None]
    parts = {"mean": [z], "variance": [z**2]}.get(modulate, [z, z**2])
    return np.stack([part.std(0) for part in parts], -1)
