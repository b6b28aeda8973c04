"""The command `handout`: one HTML file of a run."""

import argparse
from pathlib import Path
from typing import Any

from dvae_core.cli.common import RUN_HELP, existing_run
from dvae_core.config import ConfigError


def add_commands(commands: Any) -> None:
    """Add `handout`."""
    handout = commands.add_parser("handout", help="write a run as one HTML file to hand out, live in any browser")
    handout.set_defaults(command=_handout)
    handout.add_argument("run", metavar="RUN", help=RUN_HELP)
    handout.add_argument("--out", metavar="FILE", required=True, help="a .html file")
    handout.add_argument("--member", type=int, metavar="N", help="which member is shown (default: the best bound)")
    handout.add_argument("--examples", action="store_true", help="put rows of the data in, if their licence allows it")


def _handout(options: argparse.Namespace) -> int:
    from dvae_core.live.handout import run_handout  # plotly draws its curves

    out = Path(options.out)
    if out.suffix not in (".html", ".htm"):
        raise ConfigError(f"--out must end in .html; got {out.name}.")
    made = run_handout(existing_run(options.run), options.member, with_examples=options.examples)
    size = made.write(out)
    print(f"Wrote {out}: {size / 1e6:.2f} MB; {'; '.join(made.notes)}")
    return 0
