"""The command `train`: a population from a file, from built-in data, from a recipe, or from where a run stopped."""

import argparse
import dataclasses
import sys
import time
from pathlib import Path
from typing import Any, get_args

from tqdm import tqdm

from dvae_core import recipes, runs
from dvae_core.cli.common import existing_run, perform, stop_on_signals
from dvae_core.cli.options import add_reading, add_settings, data_of, numbers
from dvae_core.config import (
    Config,
    ConfigError,
    CustomLikelihood,
    CustomPrior,
    Data,
    GaussianPrior,
    LearnedPrior,
    MixturePrior,
    ModelConfig,
    Prior,
    TimePrior,
    TrainConfig,
    uses_u,
)
from dvae_core.data.load import dataset_of
from dvae_core.data.worlds import WORLDS
from dvae_core.runs import Run
from dvae_core.work import jobs

MODEL_OPTIONS = ("latents", "posterior", "encoder", "dropout", "start")
OF_PRIOR = {
    "modulate": "gaussian",
    "turn_at": "gaussian",
    "k": "learned",
    "innovations": "time",
    "shuffle": "time",
    "components": "mixture",
}
FLAGS = {"turn_at": "turn-at", "shuffle": "shuffle-time"}
TRAIN_OPTIONS = ("epochs", "batch", "lr", "optimiser", "objective", "samples", "device")


def add_commands(commands: Any) -> None:
    """Add `train`."""
    train = commands.add_parser("train", help="train a population on a file or by a recipe, or resume a run")
    train.set_defaults(command=_train)
    train.add_argument(
        "--data",
        help="a file or folder (README.md lists the formats), or built-in data with "
        f"settings: {', '.join(WORLDS)}, such as sprites,side=32,correlation=0.5",
    )
    train.add_argument("--recipe", help=f"one of {', '.join(recipes.RECIPES)}")
    train.add_argument("--resume", metavar="DIR", help="resume the run in this folder")
    train.add_argument("--out", metavar="DIR", help="the new run's folder")
    train.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="train on the workers of this Dask cluster")
    train.add_argument(
        "--model", choices=get_args(recipes.ModelName), help="(default: ivae, or vae with a prior that needs no u)"
    )
    train.add_argument(
        "--for", dest="goal", choices=get_args(recipes.Goal),
        help="what a recording is trained for. axes: u changes only variances, which fixes each latent; reading: u "
        "changes means and variances, which is decoded best, and the axes follow a named rule",
    )  # fmt: skip
    train.add_argument(
        "--prior-of", metavar="RUN",
        help="another session of the same u: train its encoder and decoder against the prior p(z|u) of this run, so "
        "that its latents come out in the same order; `analyse DIR session` says whether they do",
    )  # fmt: skip
    train.add_argument("--beta", type=float, default=recipes.BETA, help="for beta-vae (default: %(default)g)")
    usual = f"{recipes.MEMBERS}, or {recipes.MEMBERS_OF_GOAL} with --for"
    train.add_argument("--members", type=int, help=f"seeds trained together (default: {usual})")
    seed_help = "seed of the first member; the others follow (default: %(default)s)"
    train.add_argument("--seed", type=int, default=0, help=seed_help)
    train.add_argument(
        "--likelihood", metavar="NAME",
        help=f"p(x|z): {', '.join(recipes.LIKELIHOODS)}, or a class of your own as package.module:Name (default: by "
        "the data)",
    )  # fmt: skip
    train.add_argument(
        "--prior", metavar="NAME",
        help=f"family of an iVAE's p(z|u): {', '.join(recipes.PRIORS)} (default: gaussian); or a prior without u: "
        "time, where each latent has a memory of its own, for rows in time order; mixture, of K Gaussians; or a class "
        "of your own as package.module:Name",
    )  # fmt: skip
    add_settings(train, TimePrior, ("innovations",))
    add_settings(train, MixturePrior, ("components",))
    train.add_argument(
        "--shuffle-time",
        dest="shuffle",
        action="store_true",
        help="the control of --prior time: pairs of rows that are not neighbours",
    )
    add_settings(train, GaussianPrior, ("modulate", "turn_at"))
    add_settings(train, LearnedPrior, ("k",))
    add_settings(train, ModelConfig, MODEL_OPTIONS)
    add_settings(train, TrainConfig, (name for name in TRAIN_OPTIONS if name != "lr"))
    lr_help = "peak learning rate; with several, every seed is trained at each (default: by the data)"
    add_settings(train, TrainConfig, ("lr",), type=numbers, metavar="1e-3,1e-2", help=lr_help)
    add_settings(train, Config, ("split", "gap"))
    add_reading(train)
    train.set_defaults(usual=vars(train.parse_args([])))


def _train(options: argparse.Namespace) -> int:
    if options.resume:
        _refuse_others(options, "resume", "scheduler")
    run = Run(Path(options.resume).absolute()) if options.resume else _new_run(options)
    run.config  # noqa: B018  a folder that is not a run is refused before torch is loaded
    (run.path / "STOP").unlink(missing_ok=True)
    stop_on_signals(run.path)
    if options.scheduler:
        return _train_there(run, options.scheduler)
    from dvae_core.training.train import train  # loads torch: only after the options are checked

    with tqdm(unit="step", desc=run.id, disable=None) as bar:
        for progress in train(run):
            bar.total = progress.steps
            bar.update(progress.step - bar.n)
            bar.set_postfix_str("held-out ELBO " + " ".join(f"{v:.2f}" for v in progress.elbo))
    if run.status().state == "stopped":
        print(f"Stopped. Resume with: python -m dvae_core train --resume {run.path}", file=sys.stderr)
        return 0
    perform(run, "score", {})  # scikit-learn: its 1.5 s must not delay the first point of the curves
    print(f"Finished: {run.path}. Scores: python -m dvae_core score {run.path}")
    return 0


def _train_there(run: Run, scheduler: str) -> int:
    """Train on a Dask cluster and follow the run folder, which the cluster and this process share."""
    future = jobs.submit(jobs.dask_executor(scheduler), run)
    with tqdm(unit="step", desc=run.id, disable=None) as bar:
        while not future.done():
            status = run.status()
            bar.total = status.steps or None
            bar.update(max(status.step - bar.n, 0))
            time.sleep(0.2)
    future.result()
    print(f"{run.status().state.capitalize()}: {run.path}. Scores: python -m dvae_core score {run.path}")
    return 0


def _new_run(options: argparse.Namespace) -> Run:
    if not options.out:
        raise ConfigError("Say where to write the run with --out DIR (or continue one with --resume DIR).")
    if options.recipe:
        config = _of_recipe(options)
    elif options.data:
        config = _config(options)
    else:
        raise ConfigError("Say what to train on with --data FILE, --recipe NAME or --resume DIR.")
    return runs.create(Path(options.out), config, title=options.recipe or "")


def _of_recipe(options: argparse.Namespace) -> Config:
    """Return a recipe's settings, on the device from the options."""
    _refuse_others(options, "recipe", "out", "scheduler", "device")
    config = recipes.recipe(options.recipe)
    train = config.train
    assert train is not None, "every recipe trains"
    return dataclasses.replace(config, train=dataclasses.replace(train, device=options.device or train.device))


def _refuse_others(options: argparse.Namespace, decider: str, *allowed: str) -> None:
    """Refuse every option that differs from its default, except one that decides the settings and those allowed."""
    names = {"goal": "for", **FLAGS}
    known = ("command", "usual", decider, *allowed)
    given = [name for name, usual in options.usual.items() if name not in known and getattr(options, name) != usual]
    if given:
        refused = " and ".join("--" + str(names.get(name, name)).replace("_", "-") for name in given)
        raise ConfigError(f"--{decider} decides {refused}; leave one of them out.")


def _config(options: argparse.Namespace) -> Config:
    data, split = data_of(options.data, options)
    chosen = {name: getattr(options, name) for name in ("likelihood", *MODEL_OPTIONS, *TRAIN_OPTIONS)}
    if ":" in (chosen["likelihood"] or ""):
        chosen["likelihood"] = CustomLikelihood(path=chosen["likelihood"])
    if options.prior_of:
        return _session(options, data, {"split": split, "gap": options.gap, "seed": options.seed} | chosen)
    if options.goal and (options.prior or options.modulate or options.turn_at is not None):
        raise ConfigError(
            f"--for {options.goal} decides the prior; leave --prior, --modulate and --turn-at out, or --for."
        )
    prior = None if options.goal else _prior(options)
    model = options.model or ("ivae" if prior is None or uses_u(prior) else "vae")
    usual = recipes.MEMBERS_OF_GOAL if options.goal else recipes.MEMBERS
    return recipes.for_dataset(
        data,
        dataset_of(data),
        model,
        beta=options.beta,
        members=usual if options.members is None else options.members,
        seed=options.seed,
        goal=options.goal,
        prior=prior,
        split=split,
        gap=options.gap,
        **chosen,
    )


def _session(options: argparse.Namespace, data: Data, chosen: dict[str, Any]) -> Config:
    """Return the settings of another session, trained against the prior of the best member of a run."""
    from dvae_core.analysis.session.record import prior_to_share

    taken = {name: getattr(options, name) for name in ("goal", "prior", "modulate", "latents", "start", "k")}
    given = [f"--{'for' if name == 'goal' else name}" for name, value in taken.items() if value is not None]
    if given or options.model not in (None, "ivae"):
        raise ConfigError(f"--prior-of decides {', '.join(given) or '--model'}; leave it out.")
    other = existing_run(options.prior_of)
    prior = prior_to_share(other)
    chosen = {name: value for name, value in chosen.items() if name not in taken}
    members = recipes.MEMBERS_OF_GOAL if options.members is None else options.members
    latents = other.config.model.latents
    return recipes.for_session(data, dataset_of(data), prior, latents=latents, members=members, **chosen)


def _prior(options: argparse.Namespace) -> Prior:
    """Return the prior from the options; refuse an option of another one."""
    has_u = options.model in (None, "ivae")
    family = options.prior or ("gaussian" if has_u else "standard")
    if ":" in family:
        return CustomPrior(path=family, uses_u=options.model == "ivae")
    known = recipes.PRIORS | recipes.WITHOUT_U
    if family not in known:
        raise ConfigError(f"--prior must be one of {', '.join(known)}, or package.module:Name; got {family!r}.")
    if options.model and has_u != (family in recipes.PRIORS):
        raise ConfigError(
            f"--prior {family} needs no u; use it with --model vae or beta-vae." if has_u
            else f"--prior {family} is about an iVAE's p(z|u); use it with --model ivae."
        )  # fmt: skip
    if not has_u and (options.modulate or options.turn_at is not None or options.k is not None):
        raise ConfigError("--modulate, --turn-at and --k are about an iVAE's p(z|u); use them with --model ivae.")
    given = {name: getattr(options, name) for name in OF_PRIOR}
    given = {name: value for name, value in given.items() if value is not None and value is not False}  # 0 is given
    for name in given:
        if family != OF_PRIOR[name]:
            raise ConfigError(
                f"--{FLAGS.get(name, name)} is about the {OF_PRIOR[name]} prior; leave it out with --prior {family}, "
                f"or use --prior {OF_PRIOR[name]}."
            )
    return known[family](**given)
