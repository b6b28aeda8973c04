"""What is recovered, bar by bar: MCC of held-out posterior means over 8 members, and the cost of a member.

Trains by the command line with its default settings, start-up included, and prints for each part its bars, what was
measured (mean +- standard deviation over members that are not stuck) and CPU seconds a member.

    python benchmarks/recovery.py                    # every part; 25 minutes of CPU on one core
    python benchmarks/recovery.py five talk          # some
    python benchmarks/recovery.py five --members 2   # quicker, but more CPU per member
"""

import argparse
import dataclasses
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # so that a script runs from any folder

from dvae_core import metrics, recipes, runs
from dvae_core.analysis.encode import encode_only
from dvae_core.analysis.score.compute import score
from dvae_core.analysis.score.record import Scores
from dvae_core.config import (
    Config,
    FileData,
    GaussianLikelihood,
    GaussianPrior,
    MlpNet,
    ModelConfig,
    SpritesData,
    TrainConfig,
)
from dvae_core.data.load import dataset_of
from dvae_core.data.saved import save
from dvae_core.data.split import split
from dvae_core.data.worlds.neurons import neurons
from dvae_core.data.worlds.sources import sources
from dvae_core.runs import Run

FIVE = {"n_latents": 5, "segments": 40, "per_segment": 1000, "modulate": "variance", "seed": 0}


def command_line(*options: str) -> float:
    """Run `python -m dvae_core train` with these options; return its CPU seconds, start-up included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "dvae_core", "train", *options]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def trained(folder: Path, members: int | None, *options: str) -> tuple[Scores, float]:
    """Train by the command line and score; return the scores and the CPU seconds of training, start-up included.

    A recipe decides the number of members: None.
    """
    many = () if members is None else ("--members", str(members))
    seconds = command_line("--out", str(folder), *many, *options)
    return Scores.of(Run(folder)) or score(Run(folder)), seconds


def line(what: str, bar: str, score: Scores, seconds: float) -> None:
    """Print a population's row."""
    members = [m for m in score.members if m.mcc_pearson is not None]
    best = max(members, key=lambda m: m.elbo)
    mean, std, floors = score.mean, score.std, score.floors
    lost = f", {score.members_failed} failed" if score.members_failed else ""
    lost += f", {score.members_stuck} stuck" if score.members_stuck else ""
    print(
        f"{what:34s} {bar:34s} refined {mean.mcc_pearson:.3f} +- {std.mcc_pearson:.3f}, best by bound "
        f"{best.mcc_pearson:.3f}, e(x) alone {mean.mcc_encoder_only:.3f} +- {std.mcc_encoder_only:.3f}; "
        f"{seconds / len(score.members):.1f} CPU s a member{lost} (raw x {floors['raw_x']:.2f}, "
        f"FastICA {floors['fastica'] or float('nan'):.2f})",
        flush=True,
    )


def on_sources(what: str, bar: str, changes: dict) -> Callable[[Path, int], None]:
    """A part that trains an iVAE on the 5-D sources, changed."""

    def part(folder: Path, members: int) -> None:
        save(sources(**{**FIVE, **changes}), folder / "data.npz")
        options = ("--data", str(folder / "data.npz"), "--model", "ivae", "--posterior", "gauss-newton")
        line(what, bar, *trained(folder / "run", members, *options))

    return part


def poisson(folder: Path, members: int) -> None:
    """Spike counts: the Fisher information of a Poisson likelihood in place of 1 / s^2."""
    save(neurons(n_latents=2, n_neurons=100, segments=20, seed=0), folder / "data.npz")
    options = ("--data", str(folder / "data.npz"), "--model", "ivae", "--posterior", "gauss-newton")
    line("100 Poisson neurons, 2 factors", "none; the refined mean named", *trained(folder / "run", members, *options))


def talk(folder: Path, members: int) -> None:
    """The demonstration set: iVAE against VAE at equal weights, FastICA, raw x and copying u."""
    scores = {}
    total = 0.0
    for name in ("talk-ivae", "talk-vae"):
        score, seconds = trained(folder / name, None, "--recipe", name)
        scores[name], total = score, total + seconds
        line(name, "iVAE >= .94, .10 above the rest" if "i" in name[5:6] else "", score, seconds)
    floors = {k: v for k, v in scores["talk-ivae"].floors.items() if k in ("raw_x", "fastica", "u_only") and v}
    ours, vae = (scores[name].mean.mcc_pearson for name in ("talk-ivae", "talk-vae"))
    rest = {"VAE": vae, **floors}
    name = max(rest, key=lambda k: rest[k])
    print(
        f"{'':34s} iVAE {ours:.3f}, {ours - rest[name]:.3f} above {name} ({rest[name]:.3f}); {total:.0f} CPU s for both"
    )


def seeds(folder: Path, members: int) -> None:
    """2-D, 5 segments, means and variances modulated: 8 data seeds, iVAE against VAE at equal weights."""
    won = 0
    for seed in range(8):
        save(sources(n_latents=2, segments=5, seed=seed), folder / f"{seed}.npz")
        means = []
        for model in ("ivae", "vae"):
            options = ("--data", str(folder / f"{seed}.npz"), "--model", model, "--posterior", "gauss-newton")
            means.append(trained(folder / f"{model}-{seed}", members, *options)[0].mean.mcc_pearson)
        won += means[0] > means[1]
        print(f"{'2-D, 5 segments, data seed':26s} {seed}: iVAE {means[0]:.3f}, VAE {means[1]:.3f}", flush=True)
    print(f"{'':34s} iVAE above VAE on {won} of 8 data seeds (bar: 7)")


def worlds(folder: Path, members: int) -> None:
    """The talk's recipe, unchanged, on data seeds that were not chosen: written to the shipped runs, for Recover."""
    rows = []
    for seed in range(10):
        row: dict[str, Any] = {"data_seed": seed}
        for name in ("talk-ivae", "talk-vae"):
            config = recipes.recipe(name)
            train = config.train
            few = dataclasses.replace(train, seeds=train.seeds[:members], betas=train.betas[:members])
            config = dataclasses.replace(config, data=dataclasses.replace(recipes.TALK_DATA, seed=seed), train=few)
            run = runs.create(folder / f"{name}-{seed}", config)
            command_line("--resume", str(run.path))
            scored = Scores.of(run) or score(run)
            good = [m for m in scored.members if not m.failed and not m.stuck]
            row[config.model_name] = [round(m.mcc_pearson, 4) for m in good]
            row["references"] = {k: v and round(v, 4) for k, v in scored.floors.items()}
        rows.append(row)
        means = ", ".join(f"{k} {np.mean(row[k]):.3f}" for k in ("iVAE", "VAE"))
        print(f"{'the talk, data seed':26s} {seed}: {means}, best line {max(map(float, lines(row))):.3f}", flush=True)
        text = json.dumps({"members": members, "worlds": rows}, indent=1)
        (runs.examples_folder() / "other_worlds.json").write_text(text + "\n", encoding="utf-8")
    gap = np.mean([np.mean(row["iVAE"]) - np.mean(row["VAE"]) for row in rows])
    print(f"{'':34s} iVAE above VAE by {gap:.3f}, mean over {len(rows)} data seeds")
    every = np.concatenate([row["iVAE"] for row in rows])
    print(f"{'':34s} iVAE {every.mean():.3f} +- {every.std():.3f}, {(every >= 0.95).sum()} of {every.size} at .95")


def lines(row: dict) -> list[float]:
    """Return the reference lines of a world that need no model and no truth."""
    return [value for key, value in row["references"].items() if value is not None and key != "random_rotation"]


def released(folder: Path, members: int) -> None:
    """The loss released with the iVAE paper, and the same model at equal weights: same nets, data, batch and rate.

    Its published .93 is not reached: .76 in its 20 epochs, .82 in 60 (two seeds), where equal weights score .83 in 20.
    On standardised x it is .65; three layers, leaky units, other rates and q(z|x) move it by less than .05, a noise
    a tenth as large in variance takes .10.
    """
    save(sources(**FIVE), folder / "data.npz")
    for objective in ("released-ivae", "elbo"):
        config = Config(
            data=FileData(path=str(folder / "data.npz")),
            model=ModelConfig(
                latents=5, net=MlpNet(hidden=100), posterior="diagonal", encoder="xu", preprocess="whiten",
                likelihood=GaussianLikelihood(noise="fixed", std=0.1**0.5),
            ),
            prior=GaussianPrior(modulate="variance"),
            train=TrainConfig(
                seeds=tuple(range(members)), betas=(1.0,) * members, epochs=20, batch=64, lr=5e-3, objective=objective
            ),
        )  # fmt: skip
        run = runs.create(folder / objective, config)
        seconds = command_line("--resume", str(run.path))
        scored = Scores.of(run) or score(run)
        line(f"objective {objective}", "published .93, not an ELBO" if objective != "elbo" else "", scored, seconds)
        print(f"{'':34s} its ELBO: {scored.mean.elbo:.2f} +- {scored.std.elbo:.2f} nats")


def beta_sprites(folder: Path, members: int) -> None:
    """MIG and DCI of beta-VAEs on sprites by beta, three seeds each."""
    data = SpritesData(side=16, n=10_000)
    betas = tuple(b for b in (1.0, 2.0, 4.0, 8.0) for _ in range(3))
    config = recipes.for_dataset(data, dataset_of(data), "beta-vae", betas=betas, latents=8)
    config = dataclasses.replace(config, train=dataclasses.replace(config.train, seeds=(0, 1, 2) * 4))
    run = runs.create(folder / "sprites", config)
    command_line("--resume", str(run.path))
    dataset = dataset_of(data)
    rows = split(dataset, config.split, gap=config.gap).held_out
    codes = encode_only(run, dataset)["mu_z"][:, rows].astype(float)
    factors = dataset.z[rows].astype(float)
    for beta in sorted(set(betas)):
        mine = [m for m, b in enumerate(betas) if b == beta]
        gaps = [metrics.mig(factors, codes[m]).value for m in mine]
        trees = [metrics.dci(factors, codes[m], sizes=(1000, 500)) for m in mine]
        columns = {
            "MIG": gaps,
            "DCI-D": [t.disentanglement.value for t in trees],
            "DCI-C": [t.completeness.value for t in trees],
        }
        text = ", ".join(f"{k} {np.mean(v):.3f} +- {np.std(v):.3f}" for k, v in columns.items())
        print(f"sprites, beta {beta:<21g} {text}", flush=True)


PARTS: dict[str, Callable[[Path, int], None]] = {
    "five": on_sources("5-D, 40 segments, variances", ">= .970 mean, .985 best, .930 e(x)", {}),
    "both": on_sources("the same, means too", ">= .970", {"modulate": "both"}),
    "lift10": on_sources("x lifted to 10", ">= .950", {"d_x": 10}),
    "lift50": on_sources("x lifted to 50", ">= .950", {"d_x": 50}),
    "noise": on_sources("noise .1 of x's deviation", ">= .940 (the true model: .90)", {"observation_noise": 0.1}),
    "poisson": poisson,
    "talk": talk,
    "seeds": seeds,
    "worlds": worlds,
    "released": released,
    "sprites": beta_sprites,
}


def main() -> None:
    """Run the parts named on the command line, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--members", type=int, default=8, help="seeds a population (default 8)")
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in options.parts or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            PARTS[name](Path(folder), options.members)


if __name__ == "__main__":
    main()
