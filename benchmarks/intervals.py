"""How often a nominal 95 % interval of the MCC covers the value that it estimates, for rows with and without memory.

    python benchmarks/intervals.py

Two independent factors and noisy copies of them, all first-order autoregressive with the same memory. The true MCC is
that of an infinite series, 1 / sqrt(1 + noise^2). The interval is `metrics.mcc_interval` with the memory estimated from
the rows. Beside it stands the rule of version 0.1 in the same run: blocks of a hundredth of the rows.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that a script runs from any folder

import numpy as np
from scipy.signal import lfilter

from dvae_core.metrics import mcc, mcc_interval
from dvae_core.metrics.memory import autocorrelation_time

NOISE, TRIALS, RESAMPLES = 0.5, 500, 100
CASES = ((1000, 0), (1000, 20), (5000, 20), (5000, 70))  # rows, memory in rows (0: independent)


def series(rng: np.random.Generator, n: int, memory: int, columns: int) -> np.ndarray:
    """Draw columns [n, columns] of variance 1 whose autocorrelation falls to 1/e within `memory` rows."""
    if not memory:
        return rng.standard_normal((n, columns))
    keep = np.exp(-1 / memory)
    start = rng.standard_normal((1, columns)) * keep
    return lfilter([np.sqrt(1 - keep**2)], [1, -keep], rng.standard_normal((n, columns)), axis=0, zi=start)[0]


def earlier(z: np.ndarray, z_hat: np.ndarray, block: int, rng: np.random.Generator) -> tuple[float, float]:
    """Return the percentile interval of version 0.1: resampled blocks of fixed length."""
    n, values = len(z), []
    for _ in range(RESAMPLES):
        starts = rng.integers(0, n - block + 1, -(-n // block))
        rows = (starts[:, None] + np.arange(block)).ravel()[:n]
        values.append(mcc(z[rows], z_hat[rows]).value)
    return float(np.quantile(values, 0.025)), float(np.quantile(values, 0.975))


def main() -> None:
    """Print one line a case."""
    truth = 1 / np.sqrt(1 + NOISE**2)
    print(f"{'rows':>8s} {'memory':>8s} {'given':>8s} {'covers':>8s} {'version 0.1 covers':>20s}")
    for n, memory in CASES:
        rng = np.random.default_rng(0)
        given, covered, before = 0, 0, 0
        for trial in range(TRIALS):
            z = series(rng, n, memory, 2)
            z_hat = z + NOISE * series(rng, n, memory, 2)
            found = mcc_interval(z, z_hat, n_boot=RESAMPLES, seed=trial, memory=autocorrelation_time(z))
            if np.isfinite(found.low):
                given += 1
                covered += found.low <= truth <= found.high
            low, high = earlier(z, z_hat, max(1, n // 100) if memory else 1, rng)
            before += low <= truth <= high
        print(f"{n:8,d} {memory:8d} {given / TRIALS:8.2f} {covered / max(given, 1):8.2f} {before / TRIALS:20.2f}")
    print(f"{TRIALS} series each; the error of a coverage near .95 is {np.sqrt(0.95 * 0.05 / TRIALS):.2f}.")


if __name__ == "__main__":
    main()
