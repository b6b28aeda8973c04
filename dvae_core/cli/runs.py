"""Commands about trained runs: `score`, `encode`, `analyse`, `import-run` and `list`."""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

from dvae_core import runs
from dvae_core.cli.common import RUN_HELP, existing_run, perform
from dvae_core.config import ConfigError, FileData
from dvae_core.data.dataset import DataError
from dvae_core.data.load import read_file
from dvae_core.runs import RunError, files


def add_commands(commands: Any) -> None:
    """Add `score`, `encode`, `analyse`, `import-run` and `list`."""
    score = commands.add_parser("score", help="score a run on its held-out rows, or a file of latents by its truth")
    score.set_defaults(command=_score)
    score.add_argument("run", metavar="RUN", help=f"{RUN_HELP}; with --truth a file of latents, as for import")
    score.add_argument("--truth", metavar="FILE", help="a file with the true factors z, and u if it is known")
    score.add_argument("--key", default="", help="with --truth: name of the array with the latents")
    score.add_argument("--z", nargs="+", default=[], metavar="NAME", help="with --truth: names of the factors in FILE")
    score.add_argument("--u", nargs="+", default=[], metavar="NAME", help="with --truth: names of u in FILE")
    score.add_argument(
        "--same-rows", action="store_true", help="with --truth: state that row i is the same row in both files"
    )
    score.add_argument("--json", action="store_true", help="print only JSON")

    encode = commands.add_parser("encode", help="write the latents of a file's rows")
    encode.set_defaults(command=_encode)
    encode.add_argument("run", metavar="RUN", help=RUN_HELP)
    encode.add_argument("--data", required=True)
    encode.add_argument("--u-from", metavar="FILE", help="the file of u (default: the one used in training)")
    encode.add_argument("--out", required=True, help="a .npz or .csv file")
    encode.add_argument(
        "--consensus", action="store_true", help="the mean of the seeds in the axes of the analysis `recording`"
    )

    analyse = commands.add_parser(
        "analyse", help="compute an analysis of a run and write it into the run's analysis folder", add_help=False
    )
    analyse.set_defaults(command=_analyse)
    analyse.add_argument("-h", "--help", action=_AnalysesHelp, nargs=0, help="show this help and list the analyses")
    analyse.add_argument("run", metavar="RUN", help=RUN_HELP)
    analyse.add_argument("name", metavar="NAME", help="which analysis; --help lists them")
    analyse.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the analysis")
    analyse.add_argument("--json", action="store_true", help="print the result as JSON")

    importing = commands.add_parser("import-run", help="make a run of a population saved in the playground")
    importing.set_defaults(command=_import_run)
    importing.add_argument("file", metavar="FILE.safetensors", help="what the playground's Save wrote")
    importing.add_argument("--out", metavar="RUN", help="the new run's folder (default: in the app's store)")
    importing.add_argument("--title", default="", help="of the run")

    listing = commands.add_parser("list", help="list the runs in a folder")
    listing.set_defaults(command=_list)
    listing.add_argument("folder", metavar="DIR")


def _import_run(options: argparse.Namespace) -> int:
    from dvae_core.training.from_browser import import_run  # loads torch: only after the options are checked

    path = Path(options.out) if options.out else runs.new_path(runs.default_store(), options.title or "playground")
    run = import_run(Path(options.file), path, title=options.title)
    print(f"Imported {run.config.members} seeds of the playground: {run.path}")
    if run.status().message:
        print(f"  note: {run.status().message}")
    print(f"Scores: python -m dvae_core score {run.path}")
    return 0


def _score(options: argparse.Namespace) -> int:
    if options.truth:
        return _score_file(options)
    run = existing_run(options.run)
    result = perform(run, "score", {})
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


def _score_file(options: argparse.Namespace) -> int:
    """Score a file of latents against a file of true factors, with rows matched by their keys."""
    from dvae_core import referee
    from dvae_core.data.given import positions, read_latents, read_truth

    path, truth_path = Path(options.run), Path(options.truth)
    latents = read_latents([path], key=options.key)
    truth, u = read_truth(truth_path, z=options.z, u=options.u)
    z, u_values = truth.values, None if u is None else u.values
    if latents.rows is not None and truth.rows is not None:
        at = positions(truth.rows, latents.rows, truth_path.name, path.name)
        z, u_values = z[at], None if u_values is None else u_values[at]
    elif path.resolve() != truth_path.resolve() and not options.same_rows:
        lacking = path if latents.rows is None else truth_path
        raise DataError(
            f"{lacking.name} has no row, time or name for its rows, so the two files cannot be matched; add one, or "
            "state with --same-rows that row i is the same row in both."
        )
    found = referee.score(z, latents.mu_z, latents.u if u_values is None else u_values, x=latents.x)
    if options.json:
        tree = {
            "mcc": found.value, "interval": found.interval, "lines": found.lines, "beats": found.beats,
            "seeds": found.seeds, "within_u": found.within_u, "linear_r2": found.linear_r2, "matrix": found.matrix,
            "matching": found.matching, "blind_to": found.blind_to, "notes": found.notes,
        }  # fmt: skip
        print(json.dumps(files.plain(tree), indent=1))
    else:
        print(found)
    return 0


def _encode(options: argparse.Namespace) -> int:
    import numpy as np
    import pandas as pd

    from dvae_core.analysis.encode import encode_only, needs_u
    from dvae_core.analysis.recording.record import consensus_of

    run, out = existing_run(options.run), Path(options.out)
    if out.suffix not in (".npz", ".csv"):
        raise ConfigError(f"--out must end in .npz or .csv; got {out.name}.")
    data = run.config.data
    how = data if isinstance(data, FileData) else FileData()
    needed = needs_u(run.config)
    u_from = options.u_from or (how.u_from if needed else None)
    how = dataclasses.replace(how, u=how.u if needed else (), z=(), rows=None, u_from=u_from)
    other = read_file(how, Path(options.data))
    latents = encode_only(run, other)
    if options.consensus:
        latents = {"mu_z": consensus_of(run, latents["mu_z"])[None]}
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
        if not options.consensus:
            table.insert(0, "member", np.repeat(np.arange(p), n))
        table.to_csv(out, index=False)
    print(f"Wrote {out}")
    return 0


def _analyse(options: argparse.Namespace) -> int:
    run = existing_run(options.run)
    record = perform(run, options.name, dict(text.partition("=")[::2] for text in options.set))
    if options.json:
        print(json.dumps(files.plain(record), indent=1))
    return 0


class _AnalysesHelp(argparse.Action):
    """The help of `analyse`, which lists the analyses with their settings; they are loaded only on request."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from dvae_core.analysis.table import described

        parser.epilog = "analyses and their settings:\n" + "\n".join(f"  {line}" for line in described())
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.print_help()
        parser.exit()


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
