"""Train what chapter 4 of the talk shows at once, and write dvae_core/examples/without_u.json.

    python benchmarks/stops.py               # every part; about 5 minutes of CPU
    python benchmarks/stops.py clock time    # some; the other parts of the file stay as they are

Parts: `clock` (the number of a stretch of time as u, and the same with shuffled rows), `time` (a prior over time, with
time shuffled and with equal memories), `hidden` (a mixture in place of an observed u). Scores are held-out.
"""

import argparse
import dataclasses
import json
import sys
import tempfile
import time as timing
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that a script runs from any folder

from dvae_core import metrics, recipes, runs
from dvae_core.analysis.common import good_members
from dvae_core.analysis.recovery.record import recovery
from dvae_core.analysis.score.compute import score
from dvae_core.analysis.score.record import Scores
from dvae_core.config import Config, FileData, MemoriesData, MixturePrior, TimePrior
from dvae_core.data.load import dataset_of
from dvae_core.data.worlds.sources import mixing
from dvae_core.training.train import train

SEEDS = 6
TALK_SEED = 45  # of the data
HIDDEN_EPOCHS = 50  # twice the talk's
ROWS, BIN, MEMORY = 8000, 200, 100  # of the clock: rows, rows a stretch, and rows over which the variances keep


def trained(folder: Path, name: str, config: Config) -> dict[str, Any]:
    """Train a population and return what the talk draws of it, one value for each seed that arrived."""
    began = timing.process_time()
    run = runs.create(folder / name, config)
    for _ in train(run):
        pass
    members = score(run).members
    good = good_members(run)
    found, latents = [recovery(run, member) for member in good], run.latents()
    assert latents is not None, "a trained run has latents"
    axes = [metrics.latent_axes(each.z_true, each.z_hat).round(4).tolist() for each in found if each is not None]
    kept = {
        "mcc": [round(members[m].mcc_pearson, 4) for m in good],
        "elbo": [round(float(v), 4) for v in latents["elbo"][good]],
        "axes": axes,
        "seeds": len(members),
        "cpu_s": round(timing.process_time() - began, 1),
    }
    mcc = np.array(kept["mcc"])
    print(f"{name:28s} MCC {mcc.mean():.3f} +- {mcc.std():.3f}  {mcc.tolist()}  {kept['cpu_s']} CPU s", flush=True)
    return kept


def clock(folder: Path) -> dict[str, Any]:
    """An iVAE whose u is the number of the stretch that a row lies in; nothing else is observed."""
    rng = np.random.default_rng([TALK_SEED, 4])
    smooth = gaussian_filter1d(rng.standard_normal((ROWS + 8 * MEMORY, 2)), MEMORY / 2, axis=0)[
        4 * MEMORY : -4 * MEMORY
    ]
    smooth /= smooth.std(0)
    z = 2 * np.exp(0.8 * smooth - 0.3) * rng.standard_normal((ROWS, 2))
    x = mixing(n_latents=2, seed=TALK_SEED)(z)
    order = rng.permutation(ROWS)
    found = {}
    for name, rows in (("the clock", np.arange(ROWS)), ("rows shuffled", order)):
        path = folder / f"{name.replace(' ', '-')}.npz"
        bins = np.array([f"stretch {k // BIN + 1}" for k in range(ROWS)])
        np.savez(path, x=x[rows].astype("f4"), u=bins, z=z[rows].astype("f4"))
        found[name] = trained(folder, f"clock-{path.stem}", of_the_talk(FileData(path=str(path)), "ivae"))
    return {"populations": found, "bins": ROWS // BIN, "rows_a_bin": BIN, "chance": round(metrics.rotation_mcc(2), 4)}


def time(folder: Path) -> dict[str, Any]:
    """A prior over time on two factors with memories of their own; with time shuffled; and with equal memories."""
    own, equal = (0.95, 0.6), (0.8, 0.8)
    conditions = {
        "memories .95, .6": (own, own, TimePrior()),
        "time shuffled": (own, (0.0, 0.0), TimePrior(shuffle=True)),
        "equal memories .8, .8": (equal, equal, TimePrior()),
    }
    found = {}
    for k, (name, (memory, seen, prior)) in enumerate(conditions.items()):
        config = recipes.over_time(MemoriesData(memory=memory, seed=TALK_SEED), prior, members=SEEDS)
        found[name] = {"memories": seen, **trained(folder, f"time-{k}", config)}
    return {"populations": found, "data_seed": TALK_SEED}


def hidden(folder: Path) -> dict[str, Any]:
    """The talk's world without its u: a mixture prior of five Gaussians in its place, twice as many steps."""
    config = of_the_talk(recipes.TALK_DATA, "vae", epochs=HIDDEN_EPOCHS, prior=MixturePrior(components=5))
    found = trained(folder, "hidden", config)
    shipped = Scores.of(runs.find("talk-ivae"))
    assert shipped is not None, "the shipped runs are scored"
    ivae = [member.mcc_pearson for member in shipped.members]
    return found | {"components": 5, "epochs": HIDDEN_EPOCHS, "ivae": round(float(np.mean(ivae)), 4)}


def of_the_talk(data: Any, model: str, epochs: int = 12, **more: Any) -> Config:
    """Return the talk's recipe for other data."""
    talk = recipes.talk_ivae()
    made = recipes.for_dataset(
        data, dataset_of(data), model, members=SEEDS, posterior="gauss-newton", epochs=epochs, batch=128, lr=1.5e-2,
        net=talk.model.net, likelihood=talk.model.likelihood, split="random", **more,
    )  # fmt: skip
    return dataclasses.replace(made, train=dataclasses.replace(made.train, seeds=tuple(range(SEEDS))))


PARTS = {"clock": clock, "time": time, "hidden": hidden}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", choices=[[], *PARTS], help="default: all")
    options = parser.parse_args()
    path = runs.examples_folder() / "without_u.json"
    for part in options.part or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            found = PARTS[part](Path(folder))
        kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        kept |= {part: found, "made by": "benchmarks/stops.py"}
        path.write_text(json.dumps(kept) + "\n", encoding="utf-8")
        print(f"{path}: {path.stat().st_size:,} bytes")
