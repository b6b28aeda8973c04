"""The command line: `python -m dvae_core COMMAND`. Each module here adds the commands of one group.

Use it by hand, from scripts and in cluster jobs. A wrong file or option is one sentence on stderr and exit code 2;
Ctrl-C or kill leaves a run that `train --resume` continues.
"""

import argparse
import sys

from dvae_core.cli import data, examples, handout, referee, runs, study, train
from dvae_core.config import ConfigError
from dvae_core.data.dataset import DataError
from dvae_core.runs import RunError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit code."""
    options = parser().parse_args(arguments)
    try:
        return options.command(options)
    except (ConfigError, DataError, RunError, ValueError) as error:
        print(f"dvae_core: {error}", file=sys.stderr)
    except OSError as error:
        print(f"dvae_core: {error.filename or 'a file'} could not be used: {error.strerror}.", file=sys.stderr)
    return 2


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; `command` of what it parses is the function that performs the command."""
    whole = argparse.ArgumentParser(prog="python -m dvae_core", description=(__doc__ or "").split("\n\n")[1])
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    for group in (data, train, study, runs, referee, handout, examples):
        group.add_commands(commands)
    return whole
