"""The command line: `python -m dvae_core inspect | train | sweep | score | encode | analyse | list | fetch | examples`.

The same for people, scripts and cluster jobs. A wrong file or option is one sentence on stderr and exit code 2;
Ctrl-C or kill leaves a run that `train --resume` continues.
"""

import argparse
import dataclasses
import json
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from tqdm import tqdm

from dvae_core import recipes, runs
from dvae_core.config import (
    Config,
    ConfigError,
    Data,
    FileData,
    GaussianPrior,
    LearnedPrior,
    ModelConfig,
    Prior,
    Split,
    TrainConfig,
    data_from_text,
    data_to_text,
)
from dvae_core.data import readers
from dvae_core.data.dataset import DataError
from dvae_core.data.load import dataset_of, examine, read_file
from dvae_core.data.worlds import WORLDS
from dvae_core.runs import Run, RunError, files
from dvae_core.work import jobs

# The settings that the command line offers, by their names in the Config; `_add` creates the options.
MODEL_OPTIONS = ("latents", "posterior", "encoder")
TRAIN_OPTIONS = ("epochs", "batch", "lr", "optimiser", "objective", "samples", "device")
SWEEP_OPTIONS = ("epochs", "batch", "lr", "device")
READING_OPTIONS = ("rate_hz", "rows", "bin_s", "smooth_s", "min_speed", "time", "rows_are", "axes", "picture",
                   "circular", "u_from", "missing", "clip", "constant", "duplicates")  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except (ConfigError, DataError, RunError, ValueError) as error:
        print(f"dvae_core: {error}", file=sys.stderr)
    except OSError as error:
        print(f"dvae_core: {error.filename or 'a file'} could not be used: {error.strerror}.", file=sys.stderr)
    return 2


def _train(options: argparse.Namespace) -> int:
    run = Run(Path(options.resume).absolute()) if options.resume else _new_run(options)
    run.config  # noqa: B018  a folder that is not a run is refused before torch is loaded
    (run.path / "STOP").unlink(missing_ok=True)
    _stop_on_signals(run.path)
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
    _perform(run, "score", {})  # scikit-learn: its 1.5 s must not delay the first point of the curves
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
        config = recipes.recipe(options.recipe)
    elif options.data:
        config = _config(options)
    else:
        raise ConfigError("Say what to train on with --data FILE, --recipe NAME or --resume DIR.")
    return runs.create(Path(options.out), config, title=options.recipe or "")


def _config(options: argparse.Namespace) -> Config:
    data, split = _data_of(options.data, options)
    chosen = {name: getattr(options, name) for name in ("likelihood", *MODEL_OPTIONS, *TRAIN_OPTIONS)}
    return recipes.for_dataset(
        data,
        dataset_of(data),
        options.model,
        beta=options.beta,
        members=options.members,
        seed=options.seed,
        prior=_prior(options),
        split=split,
        **chosen,
    )


def _reading(options: argparse.Namespace) -> dict[str, Any]:
    """Return the read settings of a file: those of `FileData` that were given."""
    given = {name: getattr(options, name) for name in READING_OPTIONS}
    given |= {"axes": _split_names([options.axes])} if options.axes else {}
    given |= {"circular": _split_names(options.circular)} if options.circular else {}
    given |= {"u_from": str(Path(options.u_from).absolute())} if options.u_from else {}
    return {name: value for name, value in given.items() if value is not None}


def _file_of(path: Path, options: argparse.Namespace) -> FileData:
    """Return a file and its read settings, from the options."""
    x, u, z = (_names_in(path, given) for given in (options.x, options.u, options.z))
    return FileData(path=str(path.absolute()), x=x, u=u, z=z, **_reading(options))


def _names_in(path: Path, given: list[str] | None) -> tuple[str, ...]:
    """Return names separated by commas; a name that contains a comma stays whole if the file has it."""
    if not any("," in part for part in given or ()):
        return tuple(given or ())
    known = {v.name for v in readers.inspect(path)}
    return tuple(name for part in given or () for name in ((part,) if part in known else _split_names([part])))


def _inspect(options: argparse.Namespace) -> int:
    """Report what a file or folder holds, which parts are the data, and which questions remain."""
    record, problem = examine(_file_of(Path(options.path), options))
    if options.json:
        print(json.dumps(record, indent=1, default=str))
    else:
        _print_record(record, Path(options.path).stem)
    if problem:
        print(f"dvae_core: {problem}", file=sys.stderr)
    return 2 if problem else 0


def _print_record(record: dict[str, Any], name: str) -> None:
    """Print a reading record: every variable, then x, u and the factors, what was left out, notes, questions."""
    for v in record["variables"]:
        sides = v["shape"]
        axes = " x ".join(f"{side:,} {axis}" if axis != "unknown" else f"{side:,}"
                          for side, axis in zip(sides, v["axes"], strict=False)) or "one value"  # fmt: skip
        words = [
            v["unit"],
            f"{v['rate']:g} Hz" if v["rate"] else "",
            f"times: {v['clock']}" if v["clock"] else "",
            v["note"],
        ]
        words = [f"NOT READ: it {v['reason']}"] if v["reason"] else [word for word in words if word]
        print(f"{v['name']:32s} {axes:>24s}  {v['dtype']:8s} {v['kind']:7s} {', '.join(words)}".rstrip())
    if record["rows"] is not None:
        rate = "unknown" if record["rate"] is None else f"{record['rate']:g} Hz"
        print(f"\n{name}: {record['rows']:,} rows\n  rate  {rate}")
    for key in ("x", "u", "z"):
        what = record[key]
        if what:
            names = what.get("labels") or what["names"]
            columns = what["shape"][1] if len(what["shape"]) > 1 else 1
            shown = f"{', '.join(map(str, names[:12]))}{' ...' if len(names) > 12 else ''} (from {what['name']})"
            if key == "x":
                pixels = f", pictures of {' x '.join(map(str, what['picture']))}" if what.get("picture") else ""
                print(f"  x     {columns:,} columns of {what['name']}{pixels}{f': {shown}' if names else ''}")
            else:
                kind = "labels" if what.get("labels") else "numbers" if key == "u" else "true factors"
                print(f"  {key}     {len(names) if kind == 'labels' else columns} {kind}: {shown}")
    for key, text in (record.get("meta") or {}).items():
        if key != "notes":  # printed below, one by one
            print(f"  {key}: {text}")
    for left in record["left_out"]:
        print(f"  left out: {left['rows']:,} {left['what']}, {left['why']}")
    for note in record["notes"]:
        print(f"  note: {note}")
    for question in record["questions"]:
        print(f"  question: {question['why']}; {question['option']}: {', '.join(question['candidates'][:20])}")


def _split_names(given: list[str] | None) -> tuple[str, ...]:
    return tuple(name for part in given or () for name in part.split(",") if name)


def _prior(options: argparse.Namespace) -> Prior:
    """Return p(z|u) from the options; refuse an option of another family."""
    family, modulate, k = options.prior or "gaussian", options.modulate, options.k
    if options.model != "ivae" and (options.prior or modulate or k is not None):
        raise ConfigError("--prior, --modulate and --k are about an iVAE's p(z|u); use them with --model ivae.")
    if modulate and family != "gaussian":
        raise ConfigError(f"--modulate is about the Gaussian prior; leave it out with --prior {family}.")
    if k is not None and family != "learned":
        raise ConfigError(
            f"--k is about the learned prior; leave it out with --prior {family}, or use --prior learned."
        )
    chosen = {name: value for name, value in (("modulate", modulate), ("k", k)) if value is not None}
    return recipes.PRIORS[family](**chosen)


def _stop_on_signals(folder: Path) -> None:
    """Let the first Ctrl-C or TERM request a checkpoint and a clean end; a second one ends at once."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        (folder / "STOP").touch()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


def _sweep(options: argparse.Namespace) -> int:
    """Train a study, or resume it, and write its table."""
    from dvae_core.work import jobs
    from dvae_core.work import study as studies

    path = Path(options.out).absolute()
    if options.workers is not None and options.workers < 1:
        raise ConfigError(f"--workers must be at least 1; got {options.workers}.")
    if options.data:
        sources = [_data_of(text, options) for text in options.data]
        data = [d if isinstance(d, FileData) else data_to_text(d, split) for d, split in sources]
        chosen = {name: getattr(options, name) for name in ("latents", "split", *SWEEP_OPTIONS)}
        everything = studies.populations(data, options.models, options.betas, options.seeds, **chosen)
        study = studies.create(path, everything, full=options.full)
    else:
        study = studies.Study(path, path)
    begun = study.status()
    print(f"{begun.models} models in {begun.populations} populations; {begun.done} are finished.")
    if options.scheduler:
        executor: Executor = jobs.dask_executor(options.scheduler)
    else:
        executor = ThreadPoolExecutor(1) if options.workers is None else jobs.Workers(options.workers)
    _stop_on_signals(path)
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
    return 0


def _data_of(text: str, options: argparse.Namespace) -> tuple[Data, Split]:
    """Return the data source (built-in data by its text, or a file with its columns) and the split."""
    if text.partition(",")[0] in WORLDS and not Path(text).exists():
        data, split = data_from_text(text)
        return data, options.split or split
    return _file_of(Path(text), options), options.split or "auto"


def _score(options: argparse.Namespace) -> int:
    run = _existing(options.run)
    result = _perform(run, "score", {})
    if options.json:
        print(json.dumps(files.plain(result), indent=1))
        return 0
    mean, std, floors = result["mean"], result["std"], result["floors"]
    print(
        f"{run.title}: {run.config.model_name}, {run.config.members} members, {result['held_out_rows']} held-out rows"
    )
    for name, value in mean.items():
        if value is not None:
            print(f"  {name:18s} {value:8.3f} +- {std[name]:.3f}")
    for name, value in floors.items():
        if value is not None:
            print(f"  floor {name:12s} {value:8.3f}")
    for note in result["notes"]:
        print(f"  note: {note}")
    return 0


def _encode(options: argparse.Namespace) -> int:
    import numpy as np
    import pandas as pd

    from dvae_core.analysis.encode import encode_only, needs_u

    run, out = _existing(options.run), Path(options.out)
    if out.suffix not in (".npz", ".csv"):
        raise ConfigError(f"--out must end in .npz or .csv; got {out.name}.")
    data = run.config.data
    how = data if isinstance(data, FileData) else FileData()
    needed = needs_u(run.config)
    u_from = options.u_from or (how.u_from if needed else None)
    how = dataclasses.replace(how, u=how.u if needed else (), z=(), rows=None, u_from=u_from)
    other = read_file(how, Path(options.data))
    latents = encode_only(run, other)
    at = other.row_index
    name = "time" if at.dtype.kind == "f" else "row"  # bins have times, rows of a file have numbers
    if out.suffix == ".npz":
        np.savez_compressed(out, allow_pickle=False, **latents, **{name: at})
    else:
        p, n, d = latents["mu_z"].shape
        table = pd.DataFrame(latents["mu_z"].reshape(p * n, d), columns=[f"z{i + 1}" for i in range(d)])
        if name == "time":
            table.insert(0, "time", np.tile(at, p))
        table.insert(0, "row", np.tile(np.arange(n) if name == "time" else at, p))
        table.insert(0, "member", np.repeat(np.arange(p), n))
        table.to_csv(out, index=False)
    print(f"Wrote {out}")
    return 0


def _analyse(options: argparse.Namespace) -> int:
    run = _existing(options.run)
    record = _perform(run, options.name, dict(text.partition("=")[::2] for text in options.set))
    if options.json:
        print(json.dumps(files.plain(record), indent=1))
    return 0


def _perform(run: Run, name: str, settings: dict[str, Any]) -> Mapping[str, Any]:
    """Compute an analysis in this process, as a worker of the app does, and return its record."""
    from dvae_core.work import worker  # loads torch: only after the options are checked

    with tqdm(total=100, unit="%", desc=name, disable=None) as bar:
        record = worker.perform(
            str(run.path), name, settings, on_progress=lambda done: bar.update(round(100 * done) - bar.n)
        )
    assert record is not None, "it was not asked to stop"
    return record


class _AnalysesHelp(argparse.Action):
    """The help of `analyse`, which lists the analyses with their settings; they are loaded only on request."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from dvae_core.analysis.table import described

        parser.epilog = "analyses and their settings:\n" + "\n".join(f"  {line}" for line in described())
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.print_help()
        parser.exit()


def _kinds_of_u(options: argparse.Namespace) -> int:
    run = runs.unlisted_run(Path(options.out).absolute())
    (run.path / "STOP").unlink(missing_ok=True)
    _stop_on_signals(run.path)
    _perform(run, "kinds_of_u", {"seed": options.seed})
    print(f"Wrote {run.path / 'analysis' / 'study.json'}")
    return 0


def _list(options: argparse.Namespace) -> int:
    from dvae_core.analysis.tables import run_table

    folder = Path(options.folder)
    if not folder.is_dir():
        raise RunError(f"{folder} is not a folder; name the one that holds the runs.")
    table = run_table(runs.list_runs(folder))
    print(
        "No runs here."
        if table.empty
        else table.drop(columns=["shipped", "created"], errors="ignore").to_string(index=False)
    )
    return 0


def _fetch(options: argparse.Namespace) -> int:
    from dvae_core.data import catalogue

    if not options.name:
        for known in catalogue.CATALOGUE:
            size = f"{known.size / 1e6:,.0f} MB" if known.size else "size unknown"
            here = ", here" if catalogue.is_fetched(known) else ""
            print(f"{known.key:20s} {known.about} ({known.licence}, {size}{here})")
        return 0
    with tqdm(total=100, unit="%", desc=options.name, disable=None) as bar:

        def progress(share: float) -> None:
            bar.update(round(100 * share) - bar.n)

        path = catalogue.fetch(catalogue.entry(options.name), progress=progress)
    print(path)
    return 0


def _examples(options: argparse.Namespace) -> int:
    """Retrain every shipped run as the app would, and keep only the files that readers need."""
    from dvae_core.analysis.agreement.compute import agreement
    from dvae_core.analysis.common import best_member
    from dvae_core.analysis.disentanglement.compute import disentanglement
    from dvae_core.analysis.downstream.compute import downstream
    from dvae_core.analysis.linear_ica.compute import linear_ica
    from dvae_core.analysis.rotation.compute import rotation
    from dvae_core.analysis.score.compute import score
    from dvae_core.training.train import train

    folder = Path(options.out) if options.out else runs.examples_folder()
    for name in options.name or recipes.SHIPPED:
        if (folder / name).exists():
            shutil.rmtree(folder / name)
        began = time.time()
        run = runs.create(folder / name, recipes.recipe(name), title=recipes.TITLES[name])
        for _ in train(run):
            pass
        mean = score(run)["mean"]
        if run.about["x_shape"] and run.about["z_names"]:
            for _ in disentanglement(run, member_index=best_member(run)):
                pass
        for _ in rotation(run, member_index=best_member(run)):  # the member shown when a page opens
            pass
        run.set_status(pid=None, host="")
        mcc = "" if mean["mcc_pearson"] is None else f", MCC {mean['mcc_pearson']:.3f}"
        print(f"{name}: ELBO {mean['elbo']:.2f}{mcc}, {time.time() - began:.0f} s")
        if run.about["u_names"]:
            for _ in downstream(run):
                pass
    if options.name and not {"talk-ivae", "talk-vae"} & set(options.name):
        return 0
    talk = Run(folder / "talk-ivae")
    for _ in agreement(talk, other="talk-vae"):
        pass
    for _ in linear_ica(talk):
        pass
    return 0


def _existing(name: str) -> Run:
    """Return the run in this folder; if there is no such folder, the app's or the shipped run with this id."""
    run = Run(Path(name).absolute())
    if not run.path.exists() and Path(name).name == name:
        try:
            run = runs.find(name)
        except RunError:
            message = f"There is no folder {name!r} here, and no run of the app and no shipped run has that id."
            raise RunError(f"{message} Name the run's folder.") from None
    run.config  # noqa: B018  raises a sentence if this is no run
    return run


def _add(parser: argparse.ArgumentParser, of: type, names: Iterable[str], **more: Any) -> None:
    """Add an option for each of these settings, with the choices, type and help of its field.

    An option that is not given is None: the setting's own default applies or, if the data decides, a rule's.
    """
    fields, hints = {f.name: f for f in dataclasses.fields(of)}, get_type_hints(of)
    for name in names:
        hint, about = hints[name], fields[name].metadata
        kinds = [kind for kind in get_args(hint) if kind is not type(None)] or [hint]
        default = "by the data" if name in recipes.RULES else fields[name].default
        words = ": ".join(filter(None, (about["title"], about["description"])))
        how: dict[str, Any] = {"help": words if default in (None, (), "") else f"{words} (default: {default})"}
        if get_origin(hint) is Literal:
            how["choices"] = get_args(hint)
        elif get_origin(hint) is tuple:
            how |= {"nargs": "+", "metavar": "NAME"}
        else:
            how |= {"type": kinds[0], "metavar": {int: "N", float: "X", str: "TEXT"}[kinds[0]]}
        how["help"] = how["help"].replace("%", "%%")
        flag = {"rate_hz": "rate", "bin_s": "bin", "smooth_s": "smooth"}.get(name, name).replace("_", "-")
        parser.add_argument(f"--{flag}", dest=name, **(how | more))


def _add_reading(parser: argparse.ArgumentParser) -> None:
    _add(parser, FileData, ("x", "u", "z", *(name for name in READING_OPTIONS if name != "axes")))
    _add(parser, FileData, ("axes",), nargs=None, metavar="A,B,C")


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"numbers with commas between them, such as 1,2,4; got {text!r}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dvae_core", description=(__doc__ or "").split("\n\n")[1])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    inspect = commands.add_parser("inspect", help="say what a file or folder holds, and read it")
    inspect.set_defaults(command=_inspect)
    inspect.add_argument("path", metavar="PATH")
    inspect.add_argument("--json", action="store_true", help="print the record of reading as JSON only")
    _add_reading(inspect)

    train = commands.add_parser("train", help="train a population on a file, by a recipe, or go on with a run")
    train.set_defaults(command=_train)
    train.add_argument(
        "--data",
        help="a file or folder (README.md lists the formats), or built-in data with "
        f"settings: {', '.join(WORLDS)}, such as sprites,side=32,correlation=0.5",
    )
    train.add_argument("--recipe", help=f"one of {', '.join(recipes.RECIPES)}")
    train.add_argument("--resume", metavar="DIR", help="go on with the run in this folder")
    train.add_argument("--out", metavar="DIR", help="the new run's folder")
    train.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="train on the workers of this Dask cluster")
    train.add_argument("--model", choices=get_args(recipes.ModelName), default="ivae")
    train.add_argument("--beta", type=float, default=recipes.BETA, help="of beta-vae (default 4)")
    train.add_argument("--members", type=int, default=recipes.MEMBERS, help="seeds trained together (default 4)")
    train.add_argument("--seed", type=int, default=0, help="seed of the first member; the others follow (default 0)")
    train.add_argument("--likelihood", choices=list(recipes.LIKELIHOODS), help="p(x|z) (default: by the data)")
    train.add_argument("--prior", choices=list(recipes.PRIORS), help="family of p(z|u) (default: gaussian)")
    _add(train, GaussianPrior, ("modulate",))
    _add(train, LearnedPrior, ("k",))
    _add(train, ModelConfig, MODEL_OPTIONS)
    _add(train, TrainConfig, (name for name in TRAIN_OPTIONS if name != "lr"))
    _add(train, TrainConfig, ("lr",), type=_numbers, metavar="1e-3,1e-2",
         help="peak of the learning rate; of several, every seed gets each (default: by the data)")  # fmt: skip
    _add(train, Config, ("split",))
    _add_reading(train)

    study = commands.add_parser(
        "sweep", help="train data sets x models x betas x seeds into one table, or go on with it"
    )
    study.set_defaults(command=_sweep)
    study.add_argument(
        "--out", metavar="DIR", required=True, help="the study's folder; alone: go on with what is there"
    )
    study.add_argument("--data", nargs="+", help=f"files, or built-in: {', '.join(WORLDS)}, with settings")
    study.add_argument("--models", nargs="+", default=["vae", "ivae"], metavar="MODEL",
                       help="vae, ivae, with settings: vae,posterior=diagonal (default: vae ivae)")  # fmt: skip
    study.add_argument("--betas", type=_numbers, default=(1, 2, 4, 8), metavar="1,2,4", help="default 1,2,4,8")
    study.add_argument("--seeds", type=int, default=5, help="of every model and beta (default 5)")
    study.add_argument("--full", action="store_true", help="also DCI and others that take a minute a model")
    where = study.add_mutually_exclusive_group()
    where.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="a Dask cluster (default: this process)")
    where.add_argument("--workers", type=int, help="so many processes on this machine")
    _add(study, ModelConfig, ("latents",))
    _add(study, TrainConfig, SWEEP_OPTIONS)
    _add(study, Config, ("split",))
    _add_reading(study)

    score = commands.add_parser("score", help="score a run on its held-out rows")
    score.set_defaults(command=_score)
    score.add_argument("run", metavar="RUN", help="a folder, or the id of a run in the app or of a shipped one")
    score.add_argument("--json", action="store_true", help="print JSON only")

    encode = commands.add_parser("encode", help="write the latents of a file's rows")
    encode.set_defaults(command=_encode)
    encode.add_argument("run", metavar="RUN", help="a folder, or the id of a run in the app or of a shipped one")
    encode.add_argument("--data", required=True)
    encode.add_argument("--u-from", metavar="FILE", help="the file of u, where it was another one in training")
    encode.add_argument("--out", required=True, help="a .npz or .csv file")

    analyse = commands.add_parser(
        "analyse", help="compute something on a run, into its analysis folder", add_help=False
    )
    analyse.set_defaults(command=_analyse)
    analyse.add_argument("-h", "--help", action=_AnalysesHelp, nargs=0, help="show this help and list the analyses")
    analyse.add_argument("run", metavar="RUN", help="a folder, or the id of a run in the app or of a shipped one")
    analyse.add_argument("name", metavar="NAME", help="which analysis; --help lists them")
    analyse.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the analysis")
    analyse.add_argument("--json", action="store_true", help="print what was computed, as JSON")

    kinds = commands.add_parser("study", help="what must u be like? train small populations on world after world")
    kinds.set_defaults(command=_kinds_of_u)
    kinds.add_argument("--out", metavar="DIR", required=True, help="goes on where an earlier one stopped")
    kinds.add_argument("--seed", type=int, default=45, help="of the worlds (default 45)")

    listing = commands.add_parser("list", help="list the runs in a folder")
    listing.set_defaults(command=_list)
    listing.add_argument("folder", metavar="DIR")

    fetch = commands.add_parser(
        "fetch", help="list the catalogue of public data, or fetch one entry and print its path"
    )
    fetch.set_defaults(command=_fetch)
    fetch.add_argument("name", metavar="NAME", nargs="?", help="nothing lists the catalogue")

    examples = commands.add_parser("examples", help="train the shipped runs anew")
    examples.set_defaults(command=_examples)
    examples.add_argument("name", metavar="NAME", nargs="*", choices=[[], *recipes.SHIPPED], help="default: all")
    examples.add_argument("--out", metavar="DIR", help="where to (default: the package's own examples)")
    return parser
