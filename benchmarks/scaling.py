"""How cost grows as n, d, p and batch double; and whether data of dSprites' size trains at full speed in little memory.

CPU seconds of one thread, measured in alternation. The pictures (737,280 x 64 x 64, black and white, drawn here) are
held once at a byte and once at a bit a pixel, each in a separate process whose peak memory is printed; their step is
compared with that of 2,000 such pictures.

    python benchmarks/scaling.py
"""

import dataclasses
import itertools
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from timing import engine_for, in_turn

from dvae_core import recipes
from dvae_core.config import ConvNet, DigitsData, SourcesData
from dvae_core.data.dataset import Dataset, PackedBits
from dvae_core.model.start import initialise
from dvae_core.model.vae import Vae
from dvae_core.training.checkpoint import sizes_of
from dvae_core.training.engine import Batches, Engine

MANY, FEW, SIDE = 737_280, 2_000, 64


def steps(engine: Engine, count: int) -> Callable[[], None]:
    """Some steps of an engine, as often as asked."""

    def work() -> None:
        for step in range(count):
            engine.step(step)

    return work


def noise_data(n: int, d: int) -> Dataset:
    """Rows of Gaussian noise."""
    return Dataset("noise", np.random.default_rng(0).standard_normal((n, d), dtype=np.float32))


def doubling() -> None:
    """Print milliseconds a step (and an epoch, for n) as one size doubles."""
    base = {"n": 4000, "d": 8, "p": 4, "batch": 128}
    for what in base:
        sides, sizes = {}, [base[what] * 2**k for k in range(4)]
        for size in sizes:
            case = {**base, what: size}
            config = recipes.for_dataset(
                SourcesData(), noise_data(case["n"], case["d"]), "vae", members=case["p"], latents=4,
                posterior="diagonal", batch=case["batch"], epochs=100,
            )  # fmt: skip
            engine = engine_for(config, noise_data(case["n"], case["d"]))
            sides[str(size)] = steps(engine, engine.batches.steps_per_epoch if what == "n" else 20)
        in_turn(sides, 1)
        taken = [1e3 * seconds.min() for seconds in in_turn(sides, 3).values()]
        unit = "ms an epoch" if what == "n" else "ms a step"
        shown = [t if what == "n" else t / 20 for t in taken]
        ratios = [b / a for a, b in itertools.pairwise(shown)]
        print(
            f"{what:5s} {', '.join(map(str, sizes))}: {', '.join(f'{t:.2f}' for t in shown)} {unit}; "
            f"each doubling costs {', '.join(f'{r:.2f}x' for r in ratios)}"
        )


def squares(n: int, packed: bool) -> Dataset:
    """White squares of random place and size, drawn 4,096 at a time."""
    rng = np.random.default_rng(0)
    store = np.empty((n, SIDE * SIDE // (8 if packed else 1)), np.uint8)
    axis = np.arange(SIDE)
    for start in range(0, n, 4096):
        count = min(4096, n - start)
        low, side = rng.integers(0, 40, (2, count, 1)), rng.integers(6, 24, (count, 1))
        y, x = ((axis >= corner) & (axis < corner + side) for corner in low)
        picture = (y[:, :, None] & x[:, None, :]).reshape(count, -1)
        store[start : start + count] = np.packbits(picture, axis=1) if packed else picture
    if packed:
        return Dataset("squares", PackedBits(store, SIDE * SIDE), x_shape=(SIDE, SIDE))  # type: ignore[arg-type]
    store.setflags(write=False)  # a Dataset keeps bytes that nobody can change as they are
    return Dataset("squares", store, x_shape=(SIDE, SIDE))


def train_on(n: int, kind: str) -> None:
    """Train a small convolutional VAE for some steps and print what it took, as JSON."""
    torch.set_num_threads(1)
    if kind == "bytes":
        import dvae_core.data.dataset

        dvae_core.data.dataset.PACK_ABOVE = 2**62  # bytes as asked, not packed
    dataset = squares(n, packed=kind == "bits")
    config = recipes.for_dataset(DigitsData(), dataset, "vae", members=1, latents=6, batch=64, epochs=1)
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, net=ConvNet(channels=8, hidden=64)))
    vae = Vae(config, sizes_of(dataset))
    rows = np.arange(n)
    initialise(vae, torch.from_numpy(dataset.x_float(rows[:: max(1, n // 4000)])))
    engine = Engine(vae, Batches(dataset, rows, vae, torch.device("cpu")))
    for step in range(3):
        engine.step(step)
    taken = []
    for step in range(3, 28):
        start = time.process_time()
        engine.step(step)
        taken.append(time.process_time() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({"ms": 1e3 * float(np.quantile(taken, 0.2)), "peak": peak, "meta": dict(dataset.meta)}))


def dsprites_size() -> None:
    """Print the step and the peak memory of the large data against the small."""
    shown = {}
    for kind in ("bytes", "bits"):
        for n in (FEW, MANY):
            done = subprocess.run([sys.executable, __file__, kind, str(n)], capture_output=True, text=True, check=True)
            shown[n] = json.loads(done.stdout)
        print(
            f"{MANY:,} pictures as {kind}: {shown[MANY]['ms']:.1f} ms a step ({shown[FEW]['ms']:.1f} ms with {FEW:,}), "
            f"peak memory {shown[MANY]['peak']:.2f} GB. {shown[MANY]['meta'].get('storage', '')}"
        )


if __name__ == "__main__":
    torch.set_num_threads(1)
    if len(sys.argv) == 3:
        train_on(int(sys.argv[2]), sys.argv[1])
    else:
        doubling()
        dsprites_size()
