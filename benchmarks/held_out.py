"""What a gap is worth, and how often independent rows are mistaken for a series.

    python benchmarks/held_out.py

First part: place cells whose slow gain (a true factor) remembers hundreds of bins. Printed is the correlation of the
gain of held-out rows with that of the nearest training row in time: what a model could know by copying a neighbour.
Second part: share of data sets whose neighbours are judged to resemble each other, for independent rows of several
kinds (false alarms) and for series of weak memory (power).
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that a script runs from any folder

import numpy as np

from dvae_core.data.dataset import Dataset
from dvae_core.data.held_out import planned
from dvae_core.data.split import Split, split
from dvae_core.data.worlds.neurons import neurons

WORLDS, DRAWS, ROWS = 8, 500, 200


def copied(dataset: Dataset, parts: Split) -> float:
    """Return the correlation of the gain of held-out rows with that of the nearest training row."""
    assert dataset.z is not None
    after = np.searchsorted(parts.train, parts.held_out).clip(1, len(parts.train) - 1)
    before = parts.train[after - 1]
    nearest = np.where(parts.held_out - before <= parts.train[after] - parts.held_out, before, parts.train[after])
    gain = dataset.z[:, 1]
    return float(np.corrcoef(gain[parts.held_out], gain[nearest])[0, 1])


def drawn(kind: str, rng: np.random.Generator) -> Dataset:
    """Draw one data set of a kind."""
    x = rng.standard_normal((ROWS, 5))
    if kind == "counts":
        return Dataset(kind, rng.poisson(0.5, (ROWS, 8)).astype(np.uint8))
    if kind == "heavy tails":
        return Dataset(kind, rng.standard_t(2, (ROWS, 5)))
    if kind == "sorted by label":
        u = np.repeat(np.arange(4), ROWS // 4)
        return Dataset(kind, x * np.array([0.2, 3, 1, 0.5])[u, None] + 5 * u[:, None], u=u)
    if kind.startswith("lag-1"):
        keep = float(kind.split()[1])
        for row in range(1, ROWS):
            x[row] = keep * x[row - 1] + np.sqrt(1 - keep**2) * x[row]
    return Dataset(kind, x)


def main() -> None:
    """Print both parts."""
    values: dict[str, list[float]] = {"random": [], "blocks without a gap": [], "blocks with a gap": []}
    for seed in range(WORLDS):
        data = neurons(tuning="place", seed=seed)
        plan = planned(data)
        values["random"].append(copied(data, split(data, "random")))
        values["blocks without a gap"].append(copied(data, split(data, "blocks")))
        values["blocks with a gap"].append(copied(data, split(data, plan.how, gap=plan.gap)))
    print(f"Gain of held-out rows against the nearest training row, {WORLDS} worlds of place cells:")
    for name, found in values.items():
        print(f"  {name:22s} r = {np.mean(found):5.2f} +- {np.std(found):.2f}")
    print(f"Neighbours judged to resemble each other, of {DRAWS} data sets of {ROWS} rows:")
    for kind in ("normal", "counts", "heavy tails", "sorted by label", "lag-1 0.3", "lag-1 0.6"):
        rng = np.random.default_rng(0)
        print(f"  {kind:22s} {np.mean([drawn(kind, rng).order.resembles for _ in range(DRAWS)]):.3f}", flush=True)


if __name__ == "__main__":
    main()
