"""What share of the machine's arithmetic does a training step use? Its FLOP/s against a same-shape matrix product.

512 units, batch 1024: the product [1024, 512] x [512, 512] is the limit. Counted are the products of the MLPs alone
(forwards, and twice backwards where a gradient of the input is needed); activations, the bound, Adam, clipping and the
gather get nothing. Prints the share for one member and for four, on one thread and on all; bar: 50 % on one thread.

    python benchmarks/flops.py
"""

import dataclasses
import os
import time
from collections.abc import Callable

import torch
from timing import engine_for

from dvae_core import recipes
from dvae_core.config import MlpNet, SourcesData
from dvae_core.data.load import dataset_of
from dvae_core.training.engine import Engine

HIDDEN, BATCH = 512, 1024
DATA = SourcesData(n_latents=5, segments=40, per_segment=100)


def best(work: Callable[[], object], repeats: int) -> float:
    """CPU seconds (all threads) of the quickest of some calls; elapsed seconds where several threads share the work."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    work()
    taken = []
    for _ in range(repeats):
        start = clock()
        work()
        taken.append(clock() - start)
    return min(taken)


def product_flops(p: int) -> float:
    """FLOP/s of the product."""
    a, b = torch.randn(p, BATCH, HIDDEN), torch.randn(p, HIDDEN, HIDDEN)
    return 2 * p * BATCH * HIDDEN * HIDDEN / best(lambda: torch.bmm(a, b), 20)


def step_flops(engine: Engine, p: int) -> tuple[float, float]:
    """FLOP/s of a step, and its milliseconds."""
    passes = 0
    for name, w in engine.vae.named_parameters():
        if w.dim() == 3:  # the encoder's first layer and skip see data, which need no gradient
            sees_data = name in ("encoder_net.mlp.hidden.0.weight", "encoder_net.skip.weight")
            passes += (2 if sees_data else 3) * w[0].numel()
    steps = iter(range(10**6))
    seconds = best(lambda: engine.step(next(steps)), 12)
    return 2 * p * BATCH * passes / seconds, 1e3 * seconds


def main() -> None:
    """Print the shares."""
    dataset = dataset_of(DATA)
    for threads in (1, os.cpu_count() or 1):
        torch.set_num_threads(threads)
        for p in (1, 4):
            config = recipes.for_dataset(DATA, dataset, "vae", members=p, posterior="diagonal", batch=BATCH, epochs=100)
            config = dataclasses.replace(config, model=dataclasses.replace(config.model, net=MlpNet(hidden=HIDDEN)))
            engine = engine_for(config, dataset)
            before = product_flops(p)
            reached, ms = step_flops(engine, p)
            limit = max(before, product_flops(p))
            print(
                f"{threads} thread{'s' if threads > 1 else ' '} p = {p}: product {limit / 1e9:5.1f} GFLOP/s, "
                f"step {reached / 1e9:5.1f} GFLOP/s ({ms:.0f} ms): {100 * reached / limit:.0f} %"
            )


if __name__ == "__main__":
    main()
