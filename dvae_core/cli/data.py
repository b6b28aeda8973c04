"""Commands about data: `inspect` reports how a file is read, `fetch` downloads public data."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from dvae_core.cli.options import add_reading, add_settings, file_of
from dvae_core.config import Config
from dvae_core.data import catalogue
from dvae_core.data.load import examine


def add_commands(commands: Any) -> None:
    """Add `inspect` and `fetch`."""
    inspect = commands.add_parser("inspect", help="report what a file or folder holds, and read it")
    inspect.set_defaults(command=_inspect)
    inspect.add_argument("path", metavar="PATH")
    inspect.add_argument("--json", action="store_true", help="print only the record of reading, as JSON")
    add_settings(inspect, Config, ("split",))
    add_reading(inspect)

    fetch = commands.add_parser("fetch", help="list the catalogue of public data, or fetch an entry and print its path")
    fetch.set_defaults(command=_fetch)
    fetch.add_argument("name", metavar="NAME", nargs="?", help="an entry of the catalogue (default: list the entries)")


def _inspect(options: argparse.Namespace) -> int:
    """Report what a file or folder holds, which parts are the data, and which questions remain."""
    record, problem = examine(file_of(Path(options.path), options), options.split or "auto")
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
        sides = zip(v["shape"], v["axes"], strict=False)
        axes = " x ".join(f"{side:,}" if axis == "unknown" else f"{side:,} {axis}" for side, axis in sides)
        facts = [
            v["unit"],
            f"{v['rate']:g} Hz" if v["rate"] else "",
            f"times: {v['clock']}" if v["clock"] else "",
            v["note"],
        ]
        facts = [f"NOT READ: it {v['reason']}"] if v["reason"] else [word for word in facts if word]
        print(f"{v['name']:32s} {axes or 'one value':>24s}  {v['dtype']:8s} {v['kind']:7s} {', '.join(facts)}".rstrip())
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
    if record.get("split"):
        print(f"  split: {record['split']['words']}")
    for note in record["notes"]:
        print(f"  note: {note}")
    for question in record["questions"]:
        print(f"  question: {question['why']}; {question['option']}: {', '.join(question['candidates'][:20])}")


def _fetch(options: argparse.Namespace) -> int:
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
