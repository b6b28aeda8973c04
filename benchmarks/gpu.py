"""GPU against CPU: the same populations, elapsed seconds of a step once warm. Without a GPU it says so.

python benchmarks/gpu.py
"""

import dataclasses
import time

import numpy as np
import torch
from timing import engine_for  # noqa: F401  (puts the library on the path)

from dvae_core import recipes
from dvae_core.config import MlpNet, SourcesData
from dvae_core.data.load import dataset_of
from dvae_core.model.start import initialise
from dvae_core.model.vae import Vae
from dvae_core.training.checkpoint import sizes_of
from dvae_core.training.engine import Batches, Engine

DATA = SourcesData(segments=5, per_segment=2000)


def step_ms(device: str, p: int, hidden: int, batch: int) -> float:
    """Milliseconds a step, the quickest of five rounds of 40."""
    dataset = dataset_of(DATA)
    config = recipes.for_dataset(DATA, dataset, "vae", members=p, posterior="diagonal", batch=batch, epochs=99)
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, net=MlpNet(hidden=hidden)))
    vae = Vae(config, sizes_of(dataset))
    initialise(vae, torch.from_numpy(dataset.x_float()))
    vae.to(device)
    engine = Engine(vae, Batches(dataset, np.arange(dataset.n), vae, torch.device(device)))
    taken = []
    for round_ in range(6):
        start = time.perf_counter()
        for step in range(40 * round_, 40 * round_ + 40):
            engine.step(step)
        if device == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    return 1e3 * min(taken[1:]) / 40


def main() -> None:
    """Print milliseconds and ratios."""
    if not torch.cuda.is_available():
        print("This machine has no CUDA device, so there is nothing to compare.")
        return
    for p, hidden, batch in ((1, 64, 64), (8, 64, 64), (32, 64, 256), (8, 512, 1024)):
        cpu, gpu = step_ms("cpu", p, hidden, batch), step_ms("cuda", p, hidden, batch)
        print(f"p = {p}, {hidden} units, batch {batch}: CPU {cpu:.2f} ms, GPU {gpu:.2f} ms a step: {cpu / gpu:.1f}x")


if __name__ == "__main__":
    main()
