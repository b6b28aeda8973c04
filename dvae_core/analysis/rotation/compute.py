"""The curve that says it all: how quantities of one member change as its latents are rotated, by the angle."""

import os

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from dvae_core import metrics
from dvae_core.analysis.common import Computation
from dvae_core.analysis.encode import check_member, inputs, opened
from dvae_core.analysis.rotation import posteriors
from dvae_core.analysis.rotation.record import Rotation, file_name
from dvae_core.axes import evenly
from dvae_core.config import Config, ConvNet
from dvae_core.data.dataset import Dataset
from dvae_core.data.split import split
from dvae_core.identify.linear_gaussian import diagonal_gap_curve
from dvae_core.identify.rotation import rotate, rotation_matrix
from dvae_core.model.posterior import Posterior
from dvae_core.model.time_prior import GivenPairs
from dvae_core.model.vae import Vae, effective_samples, log_mean_weight, log_weights
from dvae_core.rng import generator
from dvae_core.runs import Run, RunError
from dvae_core.runs.data import data_of
from dvae_core.training.device import choose_threads
from dvae_core.training.record import examples, order_of

ROTATION_ROWS, ROTATION_NUMBERS = 1000, 100_000  # at most this many held-out rows and, beyond 100 rows, numbers in x
SAMPLES = 64  # of the importance weights
BOUND_SAMPLES = 16  # of the twin's own ELBO
FEWEST_EFFECTIVE = 10  # of them; with fewer, their bound is far from log p(x)


def rotation(run: Run, *, member_index: int = 0, i: int = 0, j: int = 1, step: float = 5.0) -> Computation:
    """Compute what rotating the latents changes, for 0..90 degrees; write analysis/rotation-<member>-<i>-<j>.npz.

    `record.Rotation` documents the content of the file. The curves of diagonal and full q need the MLP's Jacobian and
    the prior N(0, I). With a prior over time, the rows are pairs of neighbours and every number is per row.

    Yields:
        The fraction done.

    Raises:
        RunError: If the run has only one latent, there is no such member, or that member diverged.
    """
    config = run.config
    d = config.model.latents
    if d < 2:
        raise RunError("A rotation needs at least two latents; this run has one.")
    check_member(run, member_index)
    rotation_matrix(d, 0.0, (i, j))  # refuses an invalid plane before any work
    vae = opened(run, member_index)
    dataset = data_of(run)
    rows = _rows(config, dataset)
    x, u = inputs(vae, dataset, rows)
    conditional, conv = config.is_conditional, isinstance(config.model.net, ConvNet)
    plain = config.prior.kind == "standard" and not conv  # turning changes nothing but the bound of a diagonal q
    weights = sum(w[0].numel() for w in vae.parameters())
    # Nets this small on two threads took 90 s instead of 4 (shared 2-core machine, Nov 2026).
    torch.set_num_threads(choose_threads(float(weights * len(rows) * posteriors.FITTING), os.cpu_count() or 1))
    notes = _rotation_notes(config, len(rows))
    fitting = posteriors.matched_noise(posteriors.FITTING, len(rows), d, "rotation", "fitting")
    with torch.no_grad():
        own = vae.encoder(x, u).full()
        proposal = own if conv else posteriors.better(vae, [vae.refined(x, u), own], x, u, fitting)
    samples = torch.randn(SAMPLES, 1, len(rows), d, generator=generator("rotation", "turned"), dtype=torch.float64)
    curves = _Curves()
    if conditional:
        as_is, whitened = (posteriors.TurnedPriors(vae, proposal, x, u, samples, whiten=w) for w in (False, True))
    elif plain:
        fits = _Fits(vae, proposal, x, u, fitting)
    angles = np.arange(0.0, 90.0 + 1e-9, step)
    for k, degrees in enumerate(angles):
        turn = rotation_matrix(d, degrees, (i, j))
        twin, M = rotate(vae, turn), torch.from_numpy(turn)
        if not plain:
            curves.add_log_px(*_log_px_in_parts(twin, proposal.turned(M), x, u, samples))
        with torch.no_grad():  # around each step: a generator decorated with it would compute outside it
            q_own = twin.encoder(x, u)
            log_w = log_weights(twin, x, u, samples[:BOUND_SAMPLES], q_own)
            curves.add("elbo", log_w.mean(0), log_w.std(0, correction=1) / BOUND_SAMPLES**0.5)
            z_hat = q_own.mu[0].numpy()
        if conditional:
            curves.add("log_pxu_fixed", *as_is.log_pxu(M, refitted=False))
            curves.add("log_pxu_refitted", *as_is.log_pxu(M, refitted=True))
            curves.add("log_pxu_refitted_whitened", *whitened.log_pxu(M, refitted=True))
        elif plain:
            curves.add("elbo_diagonal", *fits.diagonal(twin, M))
        if dataset.z is not None:
            curves.values.setdefault("mcc", []).append(metrics.mcc(dataset.z[rows].astype(float), z_hat).value)
        yield (k + 1) / len(angles)
    if plain:
        best = fits.full()
        # The estimate of log p(x) rests on the best q there is, so that no bound drawn beside it lies above it.
        proposal = posteriors.better(vae, [best, proposal], x, u, fitting)
        for degrees in angles:
            M = torch.from_numpy(rotation_matrix(d, degrees, (i, j)))
            twin = rotate(vae, M.numpy())
            curves.add_log_px(*_log_px_in_parts(twin, proposal.turned(M), x, u, samples))
            curves.add("elbo_full", *posteriors.elbo(twin, best.turned(M), x, u, fits.measuring))
    notes += _too_few_samples(min(curves.values["effective"]))
    gap = diagonal_gap_curve(fits.S[0].numpy(), angles, (i, j)).mean(1) if plain else None
    arrays = {name: np.array(values) for name, values in curves.values.items()}
    record = Rotation(angle=angles, gap_closed_form=gap, rows=len(rows), samples=SAMPLES, notes=tuple(notes), **arrays)
    return record.save(run, file_name(member_index, (i, j)))


def _rows(config: Config, dataset: Dataset) -> Int[np.ndarray, " n"]:
    """Return held-out rows, evenly spaced, in whole examples."""
    parts = split(dataset, config.split, gap=config.gap)
    count = min(ROTATION_ROWS, max(100, ROTATION_NUMBERS // dataset.d_x), len(parts.held_out))
    frames = config.prior.frames
    rows = examples(config, parts.held_out, order_of(config, dataset, parts)).reshape(-1, frames)
    return rows[evenly(len(rows), count // frames)].ravel()


class _Fits:
    """The best diagonal q at each angle, and the best full q, of a model with the prior N(0, I).

    Attributes:
        S: The proposal's covariance of every row.
        measuring: Noise for the bounds, other than the noise of the fits.
    """

    def __init__(self, vae: Vae, proposal: Posterior, x: Tensor, u: Tensor | None, fitting: Tensor) -> None:
        self.vae, self.proposal, self.x, self.u, self.fitting = vae, proposal, x, u, fitting
        self.S = proposal.factor @ proposal.factor.mT
        self.measuring = posteriors.matched_noise(posteriors.MEASURING, *proposal.mu.shape[1:], "rotation", "measuring")
        self.turned_back: list[Posterior] = []

    def diagonal(self, twin: Vae, M: Tensor) -> tuple[Tensor, Tensor]:
        """Return the ELBO of the best diagonal q of a model turned by M, and its error."""
        q = posteriors.best_diagonal(twin, M @ self.S @ M.T, self.proposal.mu @ M.T, self.x, self.fitting)
        self.turned_back.append(q.full().turned(M.T))
        return posteriors.elbo(twin, q, self.x, self.u, self.measuring)

    def full(self) -> Posterior:
        """Return the best full q. Its family contains every diagonal q, so it starts at least as high as each."""
        first = posteriors.best_full(self.vae, self.proposal, self.x, self.fitting)
        start = posteriors.better(self.vae, [first, *self.turned_back], self.x, self.u, self.fitting)
        return posteriors.best_full(self.vae, start, self.x, self.fitting)


class _Curves:
    """Accumulates a mean over rows, and its standard error, for one point at a time."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {}

    def add(self, name: str, estimate: Tensor, error: Tensor | None = None) -> None:
        self.values.setdefault(name, []).append(float(estimate.mean()))
        if error is not None:
            self.values.setdefault(f"{name}_error", []).append(float(error.square().sum().sqrt() / error.numel()))

    def add_log_px(self, estimate: Tensor, error: Tensor, effective: Tensor) -> None:
        self.add("log_px", estimate, error)
        self.values.setdefault("effective", []).append(float(effective.median()))


def _rotation_notes(config: Config, rows: int) -> list[str]:
    notes = [
        f"Means over {rows} held-out examples. log p(x) is a lower bound, from {SAMPLES} importance samples each; its "
        "band is their noise, not its bias."
    ]
    if config.is_conditional:
        notes += [
            "This run's prior is p(z|u), not N(0, I). Held fixed, it makes the turned model another model of x: its "
            "log p(x|u) bends even where nothing is identified. Refitted at each angle, it bends only if axes matter.",
            "Variances that differ but do not depend on u bend the refitted curve too, though such a model is free up "
            "to an affine map; the whitened curve turns the latents after dividing each by its spread within u.",
            "The ELBO of a diagonal q is not drawn: its closed-form gap is about the prior N(0, I).",
        ]
    elif config.prior.kind != "standard":
        notes.append(
            "This run's prior is held fixed, and the turned model is another model of x. That alone bends log p(x): "
            "the axes matter only if no other prior of the same family would restore it."
        )
    elif isinstance(config.model.net, ConvNet):
        notes.append(
            "The ELBO of the best diagonal q is not drawn: it needs the decoder's Jacobian, which is written out for "
            "the MLP only. log p(x) uses the run's own q as proposal."
        )
    else:
        notes.append(
            f"The diagonal and the full q are fitted to each example: a closed-form start and {posteriors.STEPS} "
            "steps, the encoder is not used."
        )
    return notes


def _too_few_samples(least: float) -> list[str]:
    if least >= FEWEST_EFFECTIVE:
        return []
    return [
        f"log p(x) is not estimated: {SAMPLES} importance samples count as {least:.1f} in a typical example, and "
        f"below {FEWEST_EFFECTIVE} their bound lies far below it."
    ]


def _log_px_in_parts(
    twin: Vae, q: Posterior, x: Tensor, u: Tensor | None, eps: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return log p(x), its error and the effective number of samples of every example, for the rows in parts.

    With a prior over pairs, an example is a pair, and its numbers are divided by two: they are per row.
    """
    estimates, errors, effective = [], [], []
    frames = twin.config.prior.frames
    for at in torch.arange(x.shape[1]).split(frames * max(1, 4_000_000 // (frames * x.shape[2]))):
        part = Posterior(q.mu[:, at], q.factor[:, at], q.log_det[:, at])
        with torch.no_grad():
            log_w = log_weights(twin, x[:, at], None if u is None else u[:, at], eps[:, :, at], part)
        given = twin.prior(None) if frames > 1 else None
        log_w = given.of_pairs(log_w) if isinstance(given, GivenPairs) else log_w
        estimate, error = log_mean_weight(log_w)
        estimates.append(estimate / frames)
        errors.append(error / frames)
        effective.append(effective_samples(log_w))
    return torch.cat(estimates, 1), torch.cat(errors, 1), torch.cat(effective, 1)
