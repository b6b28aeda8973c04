"""Which posterior should `train --model ivae` use? Held-out MCC by posterior, world by world.

Two sets of worlds of the same kinds. Settings are chosen on the first (data seeds 100 to 113, iVAEs only) and reported
on the second (200 to 213), which nothing was chosen on, beside VAEs that are equal in everything but the prior. Two
members each, 2,000 rows (five factors: 4,000), with the default steps and rate of each posterior; some 15 and 25
minutes of CPU on one core.

    python benchmarks/defaults.py choose
    python benchmarks/defaults.py report
    python benchmarks/defaults.py report --jsonl FILE   # keep one JSON line a population; those in FILE are not redone
"""

import argparse
import dataclasses
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # so that a script runs from any folder

import numpy as np
import torch

from dvae_core import recipes, runs
from dvae_core.analysis.score.compute import score
from dvae_core.config import Data, NeuronsData, SourcesData
from dvae_core.data.load import dataset_of
from dvae_core.training.train import train

MEMBERS = 2
POSTERIORS = ("full", "gauss-newton")


def worlds(first: int) -> dict[str, Data]:
    """Return the fourteen worlds whose data seeds begin at `first`."""
    small = {"segments": 5, "per_segment": 400}
    five = {"n_latents": 5, "segments": 40, "per_segment": 100}
    both, variances = SourcesData(**small), SourcesData(**small, modulate="variance")
    lifted, noisy = SourcesData(**small, d_x=10), SourcesData(**small, observation_noise=0.1)
    counts, many = NeuronsData(n_neurons=50, **small), SourcesData(segments=20, per_segment=100)
    kinds: list[tuple[str, Data]] = [
        ("2-D, means and variances", both), ("2-D, variances only", variances), ("2-D lifted to 10", lifted),
        ("2-D, noise .1", noisy), ("50 Poisson neurons", counts), ("2-D, 20 segments", many),
        ("2-D, means and variances", both), ("2-D, variances only", variances), ("2-D lifted to 10", lifted),
        ("2-D, noise .1", noisy), ("50 Poisson neurons", counts), ("2-D, means and variances", both),
        ("5-D, variances only", SourcesData(**five, modulate="variance")),
        ("5-D, means and variances", SourcesData(**five)),
    ]  # fmt: skip
    return {
        f"{name}, seed {first + i}": dataclasses.replace(data, seed=first + i) for i, (name, data) in enumerate(kinds)
    }


def population(data: Data, posterior: Any, model: Any) -> dict[str, Any]:
    """Train one population with the defaults of its posterior; return MCC by member and what it cost."""
    config = recipes.for_dataset(
        data, dataset_of(data), model, members=MEMBERS, posterior=posterior, device="cpu"
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        run = runs.create(Path(folder) / "run", config)
        before = time.process_time()
        for _ in train(run):
            pass
        seconds = time.process_time() - before
        scored = score(run)
    values = [m.mcc_pearson for m in scored.members]
    return {"mcc": values, "seconds": seconds / MEMBERS, "raw_x": scored.floors["raw_x"]}


def main() -> None:
    """Train and print what the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("what", choices=["choose", "report"])
    parser.add_argument("--jsonl", type=Path, help="keep each population here, and do not redo those it holds")
    options = parser.parse_args()
    torch.set_num_threads(1)
    known: dict[tuple[str, str, str], dict[str, Any]] = {}
    if options.jsonl and options.jsonl.exists():
        for line in options.jsonl.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            known[record["world"], record["posterior"], record["model"]] = record
    models = ("ivae",) if options.what == "choose" else ("ivae", "vae")
    columns: dict[tuple[str, str], list[float]] = {(p, m): [] for p in POSTERIORS for m in models}
    seconds: dict[tuple[str, str], list[float]] = {key: [] for key in columns}
    for world, data in worlds(100 if options.what == "choose" else 200).items():
        cells = []
        for posterior, model in columns:
            record = known.get((world, posterior, model))
            if record is None:
                record = {"world": world, "posterior": posterior, "model": model}
                record |= population(data, posterior, model)
                if options.jsonl:
                    with options.jsonl.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(record) + "\n")
            good = [v for v in record["mcc"] if v is not None]
            columns[posterior, model].append(float(np.mean(good)) if good else float("nan"))
            seconds[posterior, model].append(record["seconds"])
            cells.append(f"{model}, {posterior} {columns[posterior, model][-1]:.3f}")
        print(f"{world:36s} {'; '.join(cells)}; raw x {record['raw_x']:.3f}", flush=True)
    print(f"\nMCC, mean +- standard deviation over the worlds (each the mean of {MEMBERS} members):")
    for key, values in columns.items():
        print(
            f"{', '.join(reversed(key)):24s} {np.nanmean(values):.3f} +- {np.nanstd(values):.3f} over {len(values)} "
            f"worlds, least {np.nanmin(values):.3f}; {np.mean(seconds[key]):.0f} CPU s a member"
        )
    if len(models) == 2:
        for posterior in POSTERIORS:
            ours, vae = np.array(columns[posterior, "ivae"]), np.array(columns[posterior, "vae"])
            print(f"{posterior:24s} iVAE above VAE on {int((ours > vae).sum())} of {len(ours)} worlds")


if __name__ == "__main__":
    main()
