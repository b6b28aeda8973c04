"""The command `handout`: one HTML file of a run, of the talk, or of the playground."""

import argparse
import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvae_core.cli.common import RUN_HELP, existing_run
from dvae_core.config import ConfigError

if TYPE_CHECKING:
    from dvae_core.live.handout import Handout


def add_commands(commands: Any) -> None:
    """Add `handout`."""
    handout = commands.add_parser(
        "handout", help="write a run, the talk or the playground as one HTML file to hand out, live in any browser"
    )
    handout.set_defaults(command=_handout)
    handout.add_argument("run", metavar="RUN", help=f"talk, playground, or {RUN_HELP}")
    handout.add_argument("--out", metavar="FILE", required=True, help="a .html file")
    handout.add_argument("--member", type=int, metavar="N", help="which member is shown (default: the best bound)")
    handout.add_argument("--examples", action="store_true", help="put rows of the data in, if their licence allows it")


def _handout(options: argparse.Namespace) -> int:
    from dvae_core.live.handout import (
        playground_handout,
        run_handout,
    )  # plotly, which draws its curves, is loaded only on request

    out = Path(options.out)
    if out.suffix not in (".html", ".htm"):
        raise ConfigError(f"--out must end in .html; got {out.name}.")
    if options.run == "talk":
        made = _talk()
    elif options.run == "playground":
        made = playground_handout()
    else:
        made = run_handout(existing_run(options.run), options.member, with_examples=options.examples)
    size = made.write(out)
    print(f"Wrote {out}: {size / 1e6:.2f} MB; {'; '.join(made.notes)}")
    return 0


def _talk() -> "Handout":
    # The talk belongs to the app, which the library does not import: it is found where the app is installed.
    if (app := importlib.util.find_spec("disentanglement_lab")) is not None:  # from a wheel
        sys.path += app.submodule_search_locations or []
    try:
        talk = importlib.import_module("pages.ui.talk.handout")
    except ModuleNotFoundError as error:
        message = "The talk belongs to the app: install dvae-core[app], or run this in the repository"
        raise ConfigError(f"{message} ({error}).") from error
    return talk.talk_handout()
