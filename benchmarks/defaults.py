"""Which posterior should `train --model ivae` use? Held-out MCC of iVAE and VAE by posterior, world by world.

Two sets of worlds of the same kinds: settings are chosen on the first (data seeds 100 to 113), and reported on the
second (200 to 213), which nothing was chosen on. iVAE and VAE are equal in everything but the prior. Two members each,
small worlds, so that a set takes some 20 CPU minutes on one core.

    python benchmarks/defaults.py choose       # every candidate on the first set
    python benchmarks/defaults.py report       # the default against the last one on the second set
    python benchmarks/defaults.py report --jsonl FILE   # also one JSON line a population; those in FILE are not redone
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
from dvae_core.analysis import compute
from dvae_core.config import Data, NeuronsData, SourcesData
from dvae_core.data.load import dataset_of
from dvae_core.training.train import train

MEMBERS = 2
CANDIDATES: dict[str, dict[str, Any]] = {
    "full": {"posterior": "full"},
    "gauss-newton": {"posterior": "gauss-newton"},
    "gauss-newton, half the steps": {"posterior": "gauss-newton", "share": 0.5},
}
REPORTED = ("full", "gauss-newton")


def worlds(first: int) -> dict[str, Data]:
    """Return the fourteen worlds whose data seeds begin at `first`."""
    small = {"segments": 5, "per_segment": 400}
    five = {"n_latents": 5, "segments": 40, "per_segment": 100}
    kinds: list[tuple[str, Data]] = [
        ("2-D, means and variances", SourcesData(**small)),
        ("2-D, means and variances", SourcesData(**small)),
        ("2-D, means and variances", SourcesData(**small)),
        ("2-D, 20 segments", SourcesData(segments=20, per_segment=100)),
        ("2-D, variances only", SourcesData(**small, modulate="variance")),
        ("2-D, variances only", SourcesData(**small, modulate="variance")),
        ("2-D lifted to 10", SourcesData(**small, d_x=10)),
        ("2-D lifted to 10", SourcesData(**small, d_x=10)),
        ("2-D, noise .1", SourcesData(**small, observation_noise=0.1)),
        ("2-D, noise .1", SourcesData(**small, observation_noise=0.1)),
        ("50 Poisson neurons", NeuronsData(n_neurons=50, **small)),
        ("50 Poisson neurons", NeuronsData(n_neurons=50, **small)),
        ("5-D, variances only", SourcesData(**five, modulate="variance")),
        ("5-D, means and variances", SourcesData(**five)),
    ]
    return {
        f"{name}, seed {first + i}": dataclasses.replace(data, seed=first + i) for i, (name, data) in enumerate(kinds)
    }


def population(data: Data, model: str, share: float = 1.0, **settings: Any) -> dict[str, Any]:
    """Train one population with the defaults of its posterior; return MCC by member and what it cost."""
    dataset = dataset_of(data)
    config = recipes.for_dataset(data, dataset, model, members=MEMBERS, device="cpu", **settings)  # type: ignore[arg-type]
    if share != 1:
        config = dataclasses.replace(
            config, train=dataclasses.replace(config.train, epochs=max(1, round(share * config.train.epochs)))
        )
    with tempfile.TemporaryDirectory() as folder:
        run = runs.create(Path(folder) / "run", config)
        before = time.process_time()
        for _ in train(run):
            pass
        seconds = time.process_time() - before
        score = compute.score(run)
    values = [m["mcc_pearson"] for m in score["members"]]
    return {"mcc": values, "seconds": seconds / MEMBERS, "raw_x": score["floors"]["raw_x"]}


def main() -> None:
    """Train and print what the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("what", choices=["choose", "report"])
    parser.add_argument("--jsonl", type=Path, help="keep each population here, and do not redo those it holds")
    options = parser.parse_args()
    torch.set_num_threads(1)
    known: dict[tuple[str, ...], dict[str, Any]] = {}
    if options.jsonl and options.jsonl.exists():
        for line in options.jsonl.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            known[record["world"], record["candidate"], record["model"]] = record
    names = tuple(CANDIDATES) if options.what == "choose" else REPORTED
    table: dict[str, dict[str, list[float]]] = {n: {"ivae": [], "vae": [], "seconds": []} for n in names}
    for world, data in worlds(100 if options.what == "choose" else 200).items():
        cells = []
        for name in names:
            means = {}
            for model in ("ivae", "vae"):
                record = known.get((world, name, model))
                if record is None:
                    record = {"world": world, "candidate": name, "model": model}
                    record |= population(data, model, **CANDIDATES[name])
                    if options.jsonl:
                        with options.jsonl.open("a", encoding="utf-8") as file:
                            file.write(json.dumps(record) + "\n")
                good = [v for v in record["mcc"] if v is not None]
                means[model] = float(np.mean(good)) if good else float("nan")
                table[name][model].append(means[model])
                if model == "ivae":
                    table[name]["seconds"].append(record["seconds"])
            cells.append(f"{name} {means['ivae']:.3f} / {means['vae']:.3f}")
        print(f"{world:36s} " + "; ".join(cells), flush=True)
    print(f"\nMCC, mean +- standard deviation over {len(worlds(0))} worlds of {MEMBERS} members' mean; iVAE / VAE:")
    for name in names:
        ours, vae = np.array(table[name]["ivae"]), np.array(table[name]["vae"])
        print(
            f"{name:30s} {np.nanmean(ours):.3f} +- {np.nanstd(ours):.3f} / {np.nanmean(vae):.3f} +- {np.nanstd(vae):.3f}; "
            f"iVAE above VAE in {int((ours > vae).sum())}; {np.mean(table[name]['seconds']):.0f} CPU s a member"
        )


if __name__ == "__main__":
    main()
