"""How long imported latents take to judge: 10,000 rows x 32 latents x 16 seeds, Agree < 10 s and Recover < 5 s.

python benchmarks/referee.py
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from dvae_core.analysis.agreement.compute import agreement
from dvae_core.analysis.recovery.compute import recovery
from dvae_core.runs.given import from_latents

ROWS, LATENTS, SEEDS = 10_000, 32, 16
BARS = {"Agree": 10.0, "Recover": 5.0}  # seconds on two quiet cores


def main() -> None:
    rng = np.random.default_rng(0)
    u = rng.integers(0, 20, ROWS)
    z = rng.laplace(size=(ROWS, LATENTS)) * rng.uniform(0.3, 2, (20, LATENTS))[u]
    seeds = [z[:, rng.permutation(LATENTS)] + 0.1 * rng.standard_normal(z.shape) for _ in range(SEEDS)]
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        run = from_latents(seeds, Path(folder) / "run", u=u, z=z)
        print(f"import   {time.perf_counter() - began:6.1f} s")
        for name, work in (("Agree", lambda: list(agreement(run))), ("Recover", lambda: recovery(run))):
            wall, cpu = time.perf_counter(), time.process_time()
            work()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            print(f"{name:8s} {wall:6.1f} s ({cpu:.1f} s of one core); the bar is {BARS[name]:.0f} s")


if __name__ == "__main__":
    main()
