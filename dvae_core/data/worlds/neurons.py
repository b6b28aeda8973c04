"""Spike counts with known factors: Poisson neurons driven by a few latents."""

from typing import Any, Literal

import numpy as np

from dvae_core.data.dataset import Dataset
from dvae_core.data.worlds.sources import Streams, draw_factors, meta, mixing, streams
from dvae_core.data.worlds.world import World, arguments
from dvae_core.settings import setting, settings

Tuning = Literal["mixing", "place", "stimulus"]


@settings
class NeuronsData:
    """Poisson spike counts of a population driven by latent factors."""

    kind: Literal["neurons"] = "neurons"
    n_latents: int = setting(2, "Factors", min=1, max=20)
    n_neurons: int = setting(100, "Neurons", min=2, max=1000)
    segments: int = setting(5, "Segments", min=1, max=200)
    per_segment: int = setting(1000, "Points per segment", min=10, max=100_000)
    tuning: Literal["mixing", "place", "stimulus"] = setting(
        "mixing", "Driven by", "A random f(z); place fields on a track, u = position; or directions, u = stimulus",
        late=True,
    )  # fmt: skip
    seed: int = setting(0, "Data seed", min=0)


def neurons(
    *,
    n_latents: int = 2,
    n_neurons: int = 100,
    segments: int = 5,
    per_segment: int = 1000,
    tuning: Tuning = "mixing",
    seed: int = 0,
) -> Dataset:
    """Draw spike counts of a population, x ~ Poisson(rate(z)), with a choice of what drives it.

    "mixing": rate = exp(2 tanh f(z)), so 0.14 to 7.4 spikes per bin are expected. Factors and segments are those of
    `sources` with the same seed; f is `mixing` with `d_x = n_neurons`.
    "place": an animal runs to and fro on a track. Every neuron has a place field, and slow gains (the other factors)
    raise and lower all rates. u is the position; bins of 50 ms are in time order.
    "stimulus": directions on a circle, one per segment. The first two factors scatter about the shown direction, with a
    spread of its own, and neurons prefer directions (cosine tuning). u is the stimulus.

    Args:
        n_latents: Number of factors.
        n_neurons: Columns of x.
        segments: Number of values of u ("place": number of stretches, which only make the recording longer).
        per_segment: Bins per segment.
        tuning: What drives the population.
        seed: Determines everything.

    Returns:
        x as small unsigned integers (bins by neurons), the true factors z, and u as labels or as the position.

    Raises:
        ValueError: If an argument is out of range.

    References:
        Zhou & Wei 2020 (pi-VAE), whose simulated rates are bounded the same way.
    """
    rng = streams(seed)
    if tuning == "place":
        return _place_cells(rng, n_latents, n_neurons, segments * per_segment, seed)
    if tuning == "stimulus":
        return _direction_cells(rng, n_latents, n_neurons, segments, per_segment, seed)
    if tuning != "mixing":
        raise ValueError(f"tuning must be mixing, place or stimulus; got {tuning!r}.")
    how = ("gaussian", "both", 1.0, (0.5, 3.0), (-5.0, 5.0), 0.0, False)  # as `sources` at its defaults
    z, u = draw_factors(rng, n_latents, segments, per_segment, *how)
    f = mixing(n_latents=n_latents, d_x=n_neurons, seed=seed)
    return Dataset(
        name=f"{n_neurons} neurons, {n_latents} factors, {segments} segments",
        x=rng["observation"].poisson(np.exp(2 * np.tanh(f(z)))),
        u=u,
        z=z.astype(np.float32),
        x_names=tuple(f"neuron {i + 1}" for i in range(n_neurons)),
        u_names=("segment",),
        u_labels=tuple(str(i + 1) for i in range(segments)),
        meta=meta(f"Poisson counts a bin, rate exp(2 tanh f(z)); {len(z):,} bins; seed {seed}"),
    )


def _place_cells(rng: Streams, n_latents: int, n_neurons: int, n: int, seed: int) -> Dataset:
    """Draw place fields of width 0.1 on a track of length 1, and gains that wander over seconds."""
    if min(n_latents, n_neurons, n) < 1:
        raise ValueError(f"Factors, neurons and bins must be at least 1; got {n_latents}, {n_neurons} and {n}.")
    pace = 0.03 * np.exp(0.5 * _wander(rng["u"], n, 1, memory=100)[:, 0])  # radians per bin: a lap takes about 10 s
    position = 0.5 - 0.5 * np.cos(np.cumsum(pace))
    gain = _wander(rng["noise"], n, n_latents - 1, memory=200)
    centre, weight = rng["mixing"].uniform(0, 1, n_neurons), rng["mixing"].normal(0, 0.4, (n_latents - 1, n_neurons))
    log_rate = -1.5 + 3.2 * np.exp(-0.5 * np.square((position[:, None] - centre) / 0.1)) + gain @ weight
    return _spiking(
        rng, np.column_stack([position, gain]), log_rate, f"{n_neurons} place cells", "place fields of width 0.1",
        z_names=("position", *(f"gain {i + 1}" for i in range(n_latents - 1))), seed=seed,
        u=position.astype(np.float32)[:, None], u_names=("position",), rate_hz=20.0,
    )  # fmt: skip


def _direction_cells(
    rng: Streams, n_latents: int, n_neurons: int, segments: int, per_segment: int, seed: int
) -> Dataset:
    """Draw cosine tuning to a noisy copy of the shown direction; further factors are common noise."""
    if n_latents < 2 or min(n_neurons, segments, per_segment) < 1:
        raise ValueError(f"A direction has two coordinates: at least 2 factors are needed; got {n_latents}.")
    u = np.repeat(np.arange(segments), per_segment)
    shown = 2 * np.pi * np.arange(segments) / segments
    mean = np.zeros((segments, n_latents))
    mean[:, 0], mean[:, 1] = np.cos(shown), np.sin(shown)
    scale = rng["moments"].uniform(0.15, 0.6, (segments, n_latents))
    z = mean[u] + scale[u] * rng["noise"].standard_normal((len(u), n_latents))
    preferred = rng["mixing"].uniform(0, 2 * np.pi, n_neurons)
    weight = np.vstack([np.cos(preferred), np.sin(preferred), rng["mixing"].normal(0, 0.5, (n_latents - 2, n_neurons))])
    return _spiking(
        rng, z, 2 * np.tanh(z @ weight) - 0.3, f"{n_neurons} neurons, {segments} directions", "cosine tuning",
        z_names=("cos", "sin", *(f"noise {i + 1}" for i in range(n_latents - 2))), seed=seed,
        u=u, u_names=("stimulus",), u_labels=tuple(f"{np.degrees(a):.0f}°" for a in shown),
    )  # fmt: skip


def _spiking(
    rng: Streams, z: np.ndarray, log_rate: np.ndarray, name: str, how: str, *, seed: int, **known: Any
) -> Dataset:
    return Dataset(
        name=name,
        x=rng["observation"].poisson(np.exp(log_rate)),
        z=z.astype(np.float32),
        x_names=tuple(f"neuron {i + 1}" for i in range(log_rate.shape[1])),
        meta=meta(f"Poisson counts a bin, {how}; {len(z):,} bins; seed {seed}"),
        **known,
    )


def _wander(rng: np.random.Generator, n: int, d: int, *, memory: int) -> np.ndarray:
    """Return d Gaussian random walks that forget in about `memory` rows (white noise smoothed twice), variance 1."""
    kernel = np.exp(-0.5 * np.square(np.arange(-3 * memory, 3 * memory + 1) / memory))
    kernel /= np.sqrt(np.square(kernel).sum())
    white = rng.standard_normal((n + 6 * memory, d))
    return np.column_stack([np.convolve(column, kernel, "valid") for column in white.T]) if d else np.zeros((n, 0))


def _note(data: NeuronsData) -> str:
    if data.tuning != "place":
        return ""
    return (
        "The factor position is u itself: copying u scores 1 on it, and p(z|u) has no width there. Judge a model by "
        "the other factors."
    )


WORLD = World(
    "neurons",
    NeuronsData,
    lambda data: neurons(**arguments(data)),
    lambda data: f"{data.n_neurons} neurons, {data.n_latents} factors",
    "Spike counts driven by a few factors: by a random map, place fields on a track, or directions shown.",
    ("tuning", "n_latents", "n_neurons", "segments", "per_segment", "seed"),
    note=_note,
)
