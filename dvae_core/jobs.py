"""Where work on a run happens: a worker process of its own, so that training never blocks whoever asked for it.

The worker is the command line (`python -m dvae_core train --resume DIR`), and the run folder is all that the two
sides share: a refresh, a second tab, a notebook and a cluster job see the same run. No torch here.
"""

import os
import socket
import subprocess
import sys
from pathlib import Path

from dvae_core.runs import Run, RunError

LIMIT = 2  # workers at once: nets this small use one core each, and a laptop has few

_workers: dict[Path, subprocess.Popen] = {}  # kept so that ended ones are reaped


def start(run: Run) -> None:
    """Start (or resume) training in a worker process that ends, resumably, when this process ends.

    Raises:
        RunError: If the run is finished or being trained, or `LIMIT` workers are busy.
    """
    status = run.status()
    if run.is_shipped:
        raise RunError("Runs that came with the software are finished; train a new one.")
    if status.state == "finished" or (status.is_active and status.pid is not None):
        raise RunError(f"{run.title} is {status.state}; there is nothing to start.")
    if len(_busy()) >= LIMIT:
        raise RunError(f"{LIMIT} runs are training already; stop one or wait for it.")
    run.set_status(state="warming", pid=None, message="Starting the worker")
    (run.path / "STOP").unlink(missing_ok=True)
    worker = _spawn(run, ["train", "--resume", str(run.path), "--parent", str(os.getpid())])
    run.set_status(state="warming", pid=worker.pid, host=socket.gethostname(), message="Loading torch and the data")


def stop(run: Run) -> None:
    """Ask a training run to stop; it writes a checkpoint within a few steps."""
    (run.path / "STOP").touch()


def analyse(run: Run, name: str, **settings: str | int | float) -> None:
    """Start a computation on the run (`python -m dvae_core analyse`), unless one is running already."""
    if not is_analysing(run):
        options = [f"--set={key}={value}" for key, value in settings.items()]
        _spawn(run, ["analyse", str(run.path), name, *options])


def is_analysing(run: Run) -> bool:
    """Whether a worker of ours is busy with this run."""
    return run.path in _busy()


def log_tail(run: Run, lines: int = 20) -> str:
    """Return the last lines the worker wrote, for a person to read when it failed."""
    try:
        return "\n".join((run.path / "log.txt").read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def _busy() -> set[Path]:
    for path, worker in list(_workers.items()):
        if worker.poll() is not None:
            del _workers[path]
    return set(_workers)


def _spawn(run: Run, arguments: list[str]) -> subprocess.Popen:
    root = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])}
    with open(run.path / "log.txt", "ab") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "dvae_core", *arguments],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
            start_new_session=True,  # Ctrl-C in the server's terminal stops workers through --parent, resumably
        )  # fmt: skip
    _workers[run.path] = worker
    return worker
