"""Commands that train many populations: `sweep` over a product of settings, `study` over kinds of u."""

import argparse
import sys
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_args

from tqdm import tqdm

from dvae_core import recipes, runs
from dvae_core.analysis.conditions import record as kinds_of_u
from dvae_core.analysis.dimensions import sentence_of
from dvae_core.cli.common import perform, stop_on_signals
from dvae_core.cli.options import add_reading, add_settings, data_of, numbers, whole_numbers
from dvae_core.config import Config, ConfigError, FileData, TrainConfig, data_to_text
from dvae_core.data.worlds import WORLDS
from dvae_core.work import jobs
from dvae_core.work import study as studies
from dvae_core.work.populations import BETAS, MODELS, SEEDS, Population, by_latents, populations

SWEEP_OPTIONS = ("epochs", "batch", "lr", "device")


def add_commands(commands: Any) -> None:
    """Add `sweep` and `study`."""
    sweep = commands.add_parser("sweep", help="train data sets x models x betas x seeds into one table, or resume that")
    sweep.set_defaults(command=_sweep)
    sweep.add_argument("--out", metavar="DIR", required=True, help="the study's folder; without --data: resume it")
    sweep.add_argument("--data", nargs="+", help=f"files, or built-in data with settings: {', '.join(WORLDS)}")
    models_help = f"vae, ivae, each with settings if wanted: vae,posterior=diagonal (default: {' '.join(MODELS)})"
    sweep.add_argument("--models", nargs="+", default=[*MODELS], metavar="MODEL", help=models_help)
    usual = ",".join(map(str, BETAS))
    sweep.add_argument("--betas", type=numbers, default=BETAS, metavar="1,2,4", help=f"default: {usual}")
    seeds_help = "seeds of every model and beta (default: %(default)s)"
    sweep.add_argument("--seeds", type=int, default=SEEDS, help=seeds_help)
    sweep.add_argument(
        "--for", dest="goal", choices=get_args(recipes.Goal),
        help="how many latents has a recording? train it for this goal with each of --latents 1-8, in place of "
        "--models and --betas, and state the number; stability first",
    )  # fmt: skip
    sweep.add_argument(
        "--latents", type=whole_numbers, metavar="N or 1-8",
        help="Latents: dimensions of z (default: by the data); with --for, the numbers to try (default: 1-4)",
    )  # fmt: skip
    sweep.add_argument("--full", action="store_true", help="also DCI and other scores that take a minute a model")
    where = sweep.add_mutually_exclusive_group()
    where.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="a Dask cluster (default: this process)")
    where.add_argument("--workers", type=int, help="train in this many processes on this machine")
    add_settings(sweep, TrainConfig, SWEEP_OPTIONS)
    add_settings(sweep, Config, ("split",))
    add_reading(sweep)

    kinds = commands.add_parser("study", help="what must u be like? train small populations on world after world")
    kinds.set_defaults(command=_kinds_of_u)
    kinds.add_argument("--out", metavar="DIR", required=True, help="the study's folder; an unfinished study is resumed")
    kinds.add_argument(
        "--worlds", type=int, default=kinds_of_u.WORLDS, help="how many, for the error bars (default: %(default)s)"
    )
    kinds.add_argument("--seed", type=int, default=0, help="data seed of the first world (default: %(default)s)")


def _sweep(options: argparse.Namespace) -> int:
    """Train a study, or resume it, and write its table."""
    path = Path(options.out).absolute()
    if options.workers is not None and options.workers < 1:
        raise ConfigError(f"--workers must be at least 1; got {options.workers}.")
    if options.data:
        sources = [data_of(text, options) for text in options.data]
        data = [d if isinstance(d, FileData) else data_to_text(d, split) for d, split in sources]
        chosen = {name: getattr(options, name) for name in ("split", *SWEEP_OPTIONS)}
        everything = _populations(data, options, chosen)
        study = studies.create(path, everything, full=options.full)
    else:
        study = studies.opened(path)
    begun = study.status()
    print(f"{begun.models} models in {begun.populations} populations; {begun.done} are finished.")
    if options.scheduler:
        executor: Executor = jobs.dask_executor(options.scheduler)
    else:
        executor = ThreadPoolExecutor(1) if options.workers is None else jobs.Workers(options.workers)
    stop_on_signals(path)
    try:
        with tqdm(total=begun.models, unit="model", desc=study.id, disable=None) as bar:
            for progress in studies.perform(study, executor):
                bar.update(progress.done - bar.n)
                left = "" if progress.seconds_left is None else f", about {progress.seconds_left:.0f} s left"
                bar.set_postfix_str(f"{len(progress.at_work)} at work{left}")
    finally:
        executor.shutdown(wait=True)
    if progress.problem:
        print(f"dvae_core: {progress.problem}", file=sys.stderr)
    if progress.state != "finished":
        print(f"Not finished. Resume with: python -m dvae_core sweep --out {path}", file=sys.stderr)
        return 1 if progress.problem else 0
    print(f"Finished in {progress.seconds:.0f} s: {path / 'table.parquet'}")
    found = study.dimensions()
    for one in found:
        print(
            f"  latents {one.latents}: bound {one.bound:8.3f} +- {one.error:.3f}, R2 between seeds {one.mean_r2:.3f}, "
            f"worst pair {one.least_r2:.3f}" + (f", {one.lost} failed or stuck" if one.lost else "")
        )
    if found:
        print(sentence_of(found))
    return 0


def _populations(data: list[Any], options: argparse.Namespace, chosen: dict[str, Any]) -> list[Population]:
    """Return what a sweep trains: a product of models and betas, or a recording with several numbers of latents.

    Raises:
        ConfigError: If the options do not go together.
    """
    latents = options.latents
    if options.goal is None:
        if latents is not None and len(latents) > 1:
            raise ConfigError("Several --latents are for --for axes or --for reading; name one number, or the goal.")
        chosen |= {"latents": None if latents is None else latents[0]}
        return populations(data, options.models, options.betas, options.seeds, **chosen)
    if len(data) > 1:
        raise ConfigError("--for asks how many latents one recording has; name one --data.")
    return by_latents(data[0], latents or range(1, 5), options.goal, seeds=options.seeds, **chosen)


def _kinds_of_u(options: argparse.Namespace) -> int:
    run = runs.unlisted_run(Path(options.out).absolute())
    (run.path / "STOP").unlink(missing_ok=True)
    stop_on_signals(run.path)
    perform(run, "kinds_of_u", {"worlds": options.worlds, "seed": options.seed})
    print(f"Wrote {run.path / 'analysis' / 'study.json'}")
    return 0
