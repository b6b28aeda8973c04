"""How much faster is one population of p members than p single models, written in plain torch and trained in sequence?

The other side: plain torch.nn modules with the same layers, activations and loss, a shuffling DataLoader, Adam with its
defaults. Same data, batch and epochs, one thread; CPU seconds including initialisation, measured in alternation. Small
nets (64 units, batch 64) are bound by dispatch, so a population is nearly free; convolutional nets are bound by
arithmetic, so a population must at least not cost extra.

    python benchmarks/population.py
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator

import numpy as np
import torch
from timing import TutorialVae, engine_for, in_turn, ratio, run_engine, run_tutorial
from torch import nn

from dvae_core import recipes
from dvae_core.config import ConvNet, DigitsData, SourcesData
from dvae_core.data.dataset import Dataset
from dvae_core.data.load import dataset_of
from dvae_core.training.engine import Engine

DATA = SourcesData(segments=5, per_segment=1000)
HIDDEN, BATCH, EPOCHS, REPEATS = 64, 64, 5, 5
SIDE, CHANNELS, PICTURES = 64, 16, 256


class Xtanh(nn.Module):
    """The activation of nonlinear ICA, in plain torch."""

    def forward(self, a: torch.Tensor) -> torch.Tensor:
        """Return tanh(a) + 0.1 a."""
        return torch.tanh(a) + 0.1 * a


def small(d: int) -> TutorialVae:
    """The small net: two hidden layers each way."""

    def mlp(d_in: int, d_out: int) -> nn.Module:
        return nn.Sequential(
            nn.Linear(d_in, HIDDEN), Xtanh(), nn.Linear(HIDDEN, HIDDEN), Xtanh(), nn.Linear(HIDDEN, d_out)
        )

    return TutorialVae(mlp(d, 2 * d), mlp(d, d))


def convolutional(d_z: int, hidden: int) -> TutorialVae:
    """Four strided convolutions, a hidden layer, and their mirror."""
    c, small = CHANNELS, SIDE // 16
    widths = [1, c, c, 2 * c, 2 * c]
    down: list[nn.Module] = []
    up: list[nn.Module] = []
    for a, b in itertools.pairwise(widths):
        down += [nn.Conv2d(a, b, 4, 2, 1), nn.ReLU()]
        up = [nn.ReLU(), nn.ConvTranspose2d(b, a, 4, 2, 1), *up]
    flat = 2 * c * small * small
    encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(flat, hidden), nn.ReLU(), nn.Linear(hidden, 2 * d_z))
    decoder = nn.Sequential(
        nn.Linear(d_z, hidden), nn.ReLU(), nn.Linear(hidden, flat), nn.Unflatten(1, (2 * c, small, small)), *up
    )
    return TutorialVae(encoder, decoder)


def discs(n: int) -> Dataset:
    """Grey discs of random place and size on a 64 x 64 picture."""
    rng = np.random.default_rng(0)
    centre, radius = rng.uniform(16, 48, (n, 2, 1, 1)), rng.uniform(5, 15, (n, 1, 1))
    y, x = np.mgrid[:SIDE, :SIDE]
    distance = np.hypot(x - centre[:, 0], y - centre[:, 1])
    picture = (255 * np.clip(radius - distance, 0, 1)).astype(np.uint8)
    return Dataset("discs", picture.reshape(n, -1), x_shape=(SIDE, SIDE), x_scale=1 / 255)


def small_nets() -> None:
    """Print the ratios of small nets: starting and training."""
    dataset = dataset_of(DATA)
    x = torch.from_numpy(dataset.x_float())
    sides: dict[str, Callable[[], object]] = {"lone": lambda: run_tutorial(small(x.shape[1]), x, BATCH, EPOCHS)}
    for p in (1, 8, 32):
        config = recipes.for_dataset(DATA, dataset, "vae", members=p, posterior="diagonal", batch=BATCH, epochs=EPOCHS)
        sides[f"p = {p:2d}"] = functools.partial(run_engine, config, dataset)
    in_turn(sides, 1)  # imports and caches
    seconds = in_turn(sides, REPEATS)
    lone, steps = seconds.pop("lone"), EPOCHS * (len(x) // BATCH)
    print(f"small nets ({HIDDEN} units, batch {BATCH}); a lone model's step takes {1e3 * lone.min() / steps:.2f} ms")
    for name, taken in seconds.items():
        p = int(name.removeprefix("p = "))
        print(f"  {name}: {1e3 * taken.min() / steps:5.2f} ms a step, {ratio(lone, taken, p)} against {p} in turn")


def convolutional_nets() -> None:
    """Print the ratios of convolutional nets: an epoch, once started."""
    pictures = discs(PICTURES)
    x = torch.from_numpy(pictures.x_float()).view(-1, 1, SIDE, SIDE)
    net = ConvNet(channels=CHANNELS)
    lone = convolutional(10, net.hidden)
    sides: dict[str, Callable[[], object]] = {"lone": lambda: run_tutorial(lone, x, BATCH, 1)}
    for p in (1, 8):
        config = recipes.for_dataset(
            DigitsData(), pictures, "vae", members=p, latents=10, posterior="diagonal", batch=BATCH, epochs=99
        )
        config = dataclasses.replace(config, model=dataclasses.replace(config.model, net=net))
        sides[f"p = {p}"] = functools.partial(an_epoch, engine_for(config, pictures), itertools.count())
    in_turn(sides, 1)
    seconds = in_turn(sides, REPEATS)
    alone, steps = seconds.pop("lone"), PICTURES // BATCH
    print(f"convolutional nets ({SIDE} x {SIDE} pixels, {CHANNELS} channels, batch {BATCH});")
    print(f"  a lone model's step takes {1e3 * alone.min() / steps:.0f} ms")
    for name, taken in seconds.items():
        p = int(name.removeprefix("p = "))
        print(f"  {name}: {1e3 * taken.min() / steps:5.0f} ms a step, {ratio(alone, taken, p)} against {p} in turn")


def an_epoch(engine: Engine, steps: Iterator[int]) -> None:
    """The engine's next epoch."""
    for step in itertools.islice(steps, engine.batches.steps_per_epoch):
        engine.step(step)


if __name__ == "__main__":
    torch.set_num_threads(1)
    small_nets()
    convolutional_nets()
