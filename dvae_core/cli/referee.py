"""Commands about latents from anywhere: `import` them as a run, `latents` writes them, `agree` compares seeds."""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from dvae_core.cli.common import RUN_HELP, existing_run, perform
from dvae_core.cli.options import add_reading, add_settings, data_of
from dvae_core.config import Config, ConfigError, Data, FileData, Split, data_to_text
from dvae_core.data.given import read_latents
from dvae_core.runs import Run, files
from dvae_core.runs.given import import_latents
from dvae_core.work import study as studies


def add_commands(commands: Any) -> None:
    """Add `import`, `latents` and `agree`."""
    importing = commands.add_parser("import", help="make a run of latents that another program computed")
    importing.set_defaults(command=_import)
    importing.add_argument(
        "latents", metavar="LATENTS", nargs="+",
        help="a file with mu_z [seed, row, latent] (.npz, .npy, .h5, .h5ad, .csv, .parquet), or one file for each seed",
    )  # fmt: skip
    importing.add_argument("--data", help="the data they belong to: a file, a folder or built-in data, as for train")
    where = importing.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", metavar="RUN", help="the new run's folder")
    where.add_argument(
        "--study", metavar="DIR", help="in place of --out: a study's folder; every seed is a row of its table"
    )
    importing.add_argument("--method", default="latents", help="what computed them, such as CEBRA (default: latents)")
    importing.add_argument("--title", default="", help="of the run (default: the method)")
    importing.add_argument("--key", default="", help="name of the array with the latents, or prefix of their columns")
    importing.add_argument(
        "--same-rows", action="store_true",
        help="state that row i is the same row in every file, for files without row numbers, times or names",
    )  # fmt: skip
    add_settings(importing, Config, ("split",))
    add_reading(importing)

    latents = commands.add_parser("latents", help="write the latents of all rows of a run, in the format of import")
    latents.set_defaults(command=_latents)
    latents.add_argument("run", metavar="RUN", help=RUN_HELP)
    latents.add_argument("--out", metavar="FILE.npz", required=True)

    agree = commands.add_parser("agree", help="up to which map the seeds of one or several runs agree")
    agree.set_defaults(command=_agree)
    agree.add_argument("run", metavar="RUN", nargs="+", help=RUN_HELP)
    agree.add_argument("--json", action="store_true", help="print only JSON")


def _import(options: argparse.Namespace) -> int:
    paths = [Path(name) for name in options.latents]
    of_latents = not options.data  # --u and --z name parts of the data file if there is one
    latents = read_latents(
        paths, key=options.key, u=tuple(options.u or ()) if of_latents else (),
        z=tuple(options.z or ()) if of_latents else (), same_rows=options.same_rows,
    )  # fmt: skip
    data, split = data_of(options.data, options) if options.data else (None, options.split or "auto")
    out = Path(options.out or Path(options.study) / f".import-{os.getpid()}")
    try:
        run = import_latents(
            latents, out, method=options.method, title=options.title, data=data, split_how=split,
            rate_hz=options.rate_hz, same_rows=options.same_rows, source=paths[0].name,
        )  # fmt: skip
        about, message = run.about, run.status().message
        if options.study:
            run = _row_of(run, Path(options.study), data, split)
    finally:
        if options.study:
            shutil.rmtree(out, ignore_errors=True)  # is still there only if the import failed
    p, n, d = latents.mu_z.shape
    print(f"Imported {p} seed{'s' * (p != 1)} of {d} latents on {n:,} rows: {run.path}")
    for note in [*filter(None, [message]), *about["given"]["notes"]]:
        print(f"  note: {note}")
    if options.study:
        print(f"The table with these rows: python -m dvae_core sweep --out {options.study}")
    else:
        print(f"Scores: python -m dvae_core score {run.path}")
    return 0


def _row_of(run: Run, folder: Path, data: Data | None, split: Split) -> Run:
    """Score a run, move it into a study, and return it."""
    perform(run, "score", {})
    if data is None or isinstance(data, FileData):
        return studies.add(folder, run, str(run.about["dataset"]))
    return studies.add(folder, run, data_to_text(data, split))


def _latents(options: argparse.Namespace) -> int:
    from dvae_core.export.latents import latents_of  # loads torch: only after the options are checked

    out = Path(options.out)
    if out.suffix != ".npz":
        raise ConfigError(f"--out must end in .npz; got {out.name}.")
    files.write_atomically(out, files.arrays_to(latents_of(existing_run(options.run))))
    print(f"Wrote {out}")
    return 0


def _agree(options: argparse.Namespace) -> int:
    from dvae_core.analysis.comparison.rows import pooled, u_of
    from dvae_core.referee import agreement

    given = [existing_run(name) for name in options.run]
    found = agreement(pooled(given), u_of(given))
    answer = {
        "rung": found.rung, "pairwise_mcc": found.pairwise_mcc, "rotation_floor": found.rotation_floor,
        "linear_r2": found.linear_r2,
    }  # fmt: skip
    print(json.dumps(files.plain(answer), indent=1) if options.json else found)
    if options.json:  # seeds that repeat u agree too: the notes say what the numbers do not show
        print(*(f"note: {note}" for note in found.notes), sep="\n", file=sys.stderr)
    return 0
