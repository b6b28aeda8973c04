"""Does training in the browser end where the library's does, and how long does it take? The talk's world and recipe.

Both train on the same rows and are scored by the library on the same held-out rows: e(x), which sees x alone, and the
refined mean. The JavaScript runs in node, one thread, as the library does; the page divides the seeds over workers.
Some four minutes of CPU.

    python benchmarks/playground.py                # everything
    python benchmarks/playground.py --seeds 8      # fewer seeds in the distributions
"""

import argparse
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # so that a script runs from any folder

import numpy as np
import torch
from scipy.stats import ks_2samp

from dvae_core import recipes, runs
from dvae_core.config import Config
from dvae_core.data.dataset import Dataset
from dvae_core.data.load import dataset_of
from dvae_core.data.split import split
from dvae_core.metrics import mcc
from dvae_core.training.checkpoint import load_vae
from dvae_core.training.train import train

CLI = ROOT / "tests" / "js" / "playground_train.js"
ENOUGH = 0.01  # p of the Kolmogorov-Smirnov test above which the distributions count as equal
NAMES = ("e(x)", "refined mean")


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--seeds", type=int, default=32, help="seeds in the distributions")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if shutil.which("node") is None:
        sys.exit("This benchmark needs node on the PATH.")
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores: read ratios, not seconds")
    for name in ("talk-ivae", "talk-vae"):
        talk = recipes.recipe(name)
        seeds = range(options.seeds if name == "talk-ivae" else 8)
        config = dataclasses.replace(
            talk, train=dataclasses.replace(talk.train, seeds=tuple(seeds), betas=(1.0,) * len(seeds), device="cpu")
        )
        ours, theirs = library(config), javascript(config)
        print(f"\n{name}, {len(seeds)} seeds")
        for what in NAMES:
            a, b = np.array(ours[what]), np.array(theirs[what])
            test = ks_2samp(a, b)
            print(f"  MCC of {what:13s} library {spread(a)}; browser's engine {spread(b)}")
            print(f"     same distribution: KS {test.statistic:.2f}, p {test.pvalue:.2f} (enough above {ENOUGH})")
        first = np.array(theirs[NAMES[1]][:8])
        print(f"  the first 8 seeds in the browser's engine: refined mean {first.mean():.3f}, e(x) "
              f"{np.mean(theirs[NAMES[0]][:8]):.3f}")  # fmt: skip
        for clock in ("wall", "CPU"):
            ratio = theirs[clock] / ours[clock]
            print(f"  {clock}: library {ours[clock]:.0f} s, browser's engine {theirs[clock]:.0f} s: {ratio:.1f} times")


def spread(values: np.ndarray) -> str:
    """Mean, standard deviation and range."""
    return f"{values.mean():.3f} +- {values.std():.3f} ({values.min():.3f} to {values.max():.3f})"


def library(config: Config) -> dict[str, Any]:
    """Train with the library; return each seed's held-out MCC, and the seconds of training."""
    dataset = dataset_of(config.data)
    with tempfile.TemporaryDirectory() as folder:
        run = runs.create(Path(folder) / "run", config)
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in train(run, dataset):
            pass
        seconds = {"CPU": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        vae = load_vae(run)
    rows = split(dataset, config.split, gap=config.gap).held_out
    u = dataset.u_features()
    assert u is not None
    x = torch.from_numpy(dataset.x_float(rows)).expand(vae.p, -1, -1)
    given = torch.from_numpy(u[rows]).expand(vae.p, -1, -1)
    vae.eval()
    with torch.no_grad():
        latents = {NAMES[0]: vae.amortised(x), NAMES[1]: vae.encoder(x, given).mu}
    return seconds | {name: scores(dataset, rows, z.numpy()) for name, z in latents.items()}


def javascript(config: Config) -> dict[str, Any]:
    """Train with the playground's engine on the same rows; return the same."""
    dataset = dataset_of(config.data)
    rows = split(dataset, config.split, gap=config.gap).held_out
    u = np.unique(np.asarray(dataset.u), return_inverse=True)[1].ravel()
    model, trained = config.model, config.train
    per_epoch = (dataset.n - len(rows)) // trained.batch
    asked = {
        "world": {
            "x": dataset.x_float().ravel().tolist(), "n": dataset.n, "dx": dataset.d_x, "dz": model.latents,
            "u": u.tolist(), "segments": int(u.max()) + 1,
        },
        "settings": {
            "posterior": model.posterior, "prior": "u" if config.is_conditional else "normal", "beta": 1.0,
            "steps": trained.epochs * per_epoch, "batch": trained.batch, "rate": trained.lr,
            "hidden": getattr(model.net, "hidden", 0), "shuffleTime": False, "optimiser": trained.optimiser,
        },
        "seeds": list(trained.seeds), "heldOut": rows.tolist(),
    }  # fmt: skip
    answer = subprocess.run(["node", str(CLI)], input=json.dumps(asked), capture_output=True, text=True, check=True)
    found = json.loads(answer.stdout)
    shape = (len(trained.seeds), len(rows), model.latents)
    of_rows = {NAMES[0]: found["guess"], NAMES[1]: found["mean"]}
    latents = {name: np.array(values, dtype=np.float32).reshape(shape) for name, values in of_rows.items()}
    return found["seconds"] | {name: scores(dataset, rows, z) for name, z in latents.items()}


def scores(dataset: Dataset, rows: np.ndarray, latents: np.ndarray) -> Sequence[float]:
    """Held-out MCC of each member."""
    assert dataset.z is not None
    return [mcc(dataset.z[rows], z).value for z in latents]


if __name__ == "__main__":
    main()
