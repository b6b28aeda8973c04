"""Shared by several commands: finding a run, computing an analysis with a progress bar, stopping cleanly."""

import signal
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from tqdm import tqdm

from dvae_core import runs
from dvae_core.runs import Run, RunError

RUN_HELP = "a folder, or the id of a run of the app or of a shipped run"


def existing_run(name: str) -> Run:
    """Return the run in this folder or, if there is no such folder, the run of the app or shipped run with this id.

    Raises:
        RunError: If there is neither, or the folder is not a run.
    """
    run = Run(Path(name).absolute())
    if not run.path.exists() and Path(name).name == name:
        try:
            run = runs.find(name)
        except RunError:
            message = f"There is no folder {name!r} here, and no run of the app and no shipped run has that id."
            raise RunError(f"{message} Name the run's folder.") from None
    run.config  # noqa: B018  raises a RunError if this is not a run
    return run


def perform(run: Run, name: str, settings: dict[str, Any]) -> Mapping[str, Any]:
    """Compute an analysis in this process, as a worker of the app does, and return its record."""
    from dvae_core.work import worker  # loads torch: only after the options are checked

    with tqdm(total=100, unit="%", desc=name, disable=None) as bar:
        record = worker.perform(
            str(run.path), name, settings, on_progress=lambda done: bar.update(round(100 * done) - bar.n)
        )
    assert record is not None, "it was not asked to stop"
    return record


def stop_on_signals(folder: Path) -> None:
    """Let the first Ctrl-C or TERM request a checkpoint and a clean end; a second one ends at once."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        (folder / "STOP").touch()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
