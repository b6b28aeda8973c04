"""The command `examples`: train the shipped runs again."""

import argparse
import dataclasses
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core import recipes, runs
from dvae_core.analysis.common import best_member
from dvae_core.analysis.tables import member_table
from dvae_core.cli.common import perform
from dvae_core.runs import Run
from dvae_core.runs.run import LATENT_ROWS
from dvae_core.work import study as studies
from dvae_core.work.populations import populations

SEEDS = 20  # of the VAE whose bounds are ranked in the talk
HALVED = ("digits-beta-vae", "faces-beta-vae")  # nets of large pictures: float16 changes nothing that can be seen
STUDY = "study"  # beside the runs: what the Study page shows before there is another one, with the defaults of its form
WORLDS = [f"sources,per_segment=400,seed={seed}" for seed in range(4)]


def add_commands(commands: Any) -> None:
    """Add `examples`."""
    examples = commands.add_parser("examples", help="train the shipped runs again")
    examples.set_defaults(command=_examples)
    examples.add_argument("name", metavar="NAME", nargs="*", choices=[[], *recipes.SHIPPED, STUDY], help="default: all")
    examples.add_argument("--out", metavar="DIR", help="where to write them (default: the package's own examples)")


def many_seeds(folder: Path, seeds: int = SEEDS) -> None:
    """Train the talk's VAE from many seeds, and keep only bound and score of each, in many_seeds.json."""
    from dvae_core.training.train import train

    config = recipes.recipe("talk-vae")
    many = dataclasses.replace(config.train, seeds=tuple(range(seeds)), betas=(1.0,) * seeds)
    with tempfile.TemporaryDirectory() as place:
        run = runs.create(Path(place) / "run", dataclasses.replace(config, train=many), title="many seeds")
        for _ in train(run):
            pass
        perform(run, "score", {})
        table = member_table(run)[["seed", "elbo", "elbo_error", "mcc_pearson", "failed", "stuck"]]
    text = str(table.round(5).to_json(orient="records", indent=1))
    (folder / "many_seeds.json").write_text(text + "\n", encoding="utf-8")


def halve(run: Run) -> None:
    """Round a trained run's weights to float16, and write anew what the rounded model finds for the held-out rows."""
    import torch

    from dvae_core.data.load import dataset_of
    from dvae_core.data.split import split
    from dvae_core.training.checkpoint import load_vae
    from dvae_core.training.record import HeldOut, write_latents

    weights = run.weights()
    run.write_tensors("weights.safetensors", {name: weight.astype(np.float16) for name, weight in weights.items()})
    dataset, vae = dataset_of(run.config.data), load_vae(run)
    held_out = HeldOut(dataset, split(dataset, run.config.split).held_out, vae, torch.device("cpu"))
    run.unseal()
    write_latents(run, vae, held_out, LATENT_ROWS)
    run.seal()


def study(folder: Path) -> None:
    """Train the study that the Study page offers, and keep only its table, in study.json."""
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(1) as executor:
        everything = populations(WORLDS, betas=(1, 4), seeds=2, epochs=60)
        made = studies.create(Path(place), everything)
        for _ in studies.perform(made, executor):
            pass
        keep_study(folder, made)


def keep_study(folder: Path, made: studies.Study) -> None:
    """Write a study's table without the columns that only its runs need."""
    table = made.table().drop(columns=["state", "run", "member", "problem"])
    text = str(table.round(4).to_json(orient="records")).replace("},{", "},\n{")
    (folder / "study.json").write_text(text + "\n", encoding="utf-8")


def _analyses(run: Run) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what pages show of a shipped run: the names of the analyses and their settings."""
    shown = {"member_index": best_member(run)}  # the member that pages open with
    if run.about["x_shape"] and run.about["z_names"]:
        yield "disentanglement", shown
    yield "rotation", shown
    if run.config.model.latents == 2 and not run.config.model.student:
        yield "posterior", shown
    if run.config.is_conditional:
        yield "conditions", shown
    if run.config.model.student:
        yield "recording", {"control": "yes"}
    if run.about["u_names"]:
        yield "downstream", {}


def _examples(options: argparse.Namespace) -> int:
    """Retrain every shipped run as the app would, and keep only the files that readers need."""
    from dvae_core.training.train import train

    folder = Path(options.out) if options.out else runs.examples_folder()
    if STUDY in (options.name or [STUDY]):
        study(folder)
    for name in [name for name in options.name if name != STUDY] if options.name else recipes.SHIPPED:
        if (folder / name).exists():
            shutil.rmtree(folder / name)
        began = time.time()
        run = runs.create(folder / name, recipes.recipe(name), title=recipes.TITLES[name])
        for _ in train(run):
            pass
        if name in HALVED:
            halve(run)
        mean = perform(run, "score", {})["mean"]
        for analysis, settings in _analyses(run):
            perform(run, analysis, settings)
        run.set_status(pid=None, host="")
        mcc = "" if mean["mcc_pearson"] is None else f", MCC {mean['mcc_pearson']:.3f}"
        print(f"{name}: ELBO {mean['elbo']:.2f}{mcc}, {time.time() - began:.0f} s")
    if "talk-vae" in (options.name or recipes.SHIPPED):
        many_seeds(folder)
    if options.name and not {"talk-ivae", "talk-vae"} & set(options.name):
        return 0
    talk = Run(folder / "talk-ivae")
    perform(talk, "agreement", {"other": "talk-vae"})
    perform(talk, "linear_ica", {})
    return 0
