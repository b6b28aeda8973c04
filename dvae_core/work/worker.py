"""The process that trains and analyses: it loads and warms up torch, then reads tasks as lines from stdin.

    {"run": folder, "name": "train" or an analysis, "settings": {...}}   ->   {"error": ""} or {"error": sentence}

The first line of output is {"ready": true}. The end of stdin means that the parent process is gone, for whatever reason
(a clean end, a crash, kill -9); training then stops with a checkpoint, and the process ends. `perform` does the same
work in any other place: this process, a notebook, a Dask worker.
"""

import contextlib
import faulthandler
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from dvae_core.analysis.score.compute import score
from dvae_core.analysis.score.record import Scores
from dvae_core.analysis.table import begin
from dvae_core.runs import Run, RunError
from dvae_core.runs.files import os_error_message
from dvae_core.runs.locks import LockedError, locked
from dvae_core.training.device import keep_memory
from dvae_core.training.train import train

GRACE_SECONDS = 8.0  # time to write a checkpoint after the parent is gone; then the process ends regardless
NICENESS = 10  # gives the app priority; on an idle machine, training is as fast as ever


def perform(
    folder: str,
    name: str,
    settings: Mapping[str, Any],
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[float], object] = lambda fraction: None,
) -> Mapping[str, Any] | None:
    """Train the run in this folder and score it (name "train"), or compute an analysis on it.

    Args:
        folder: The run's folder.
        name: "train", or one of `analysis.table.ANALYSES`.
        settings: Settings of the analysis, typed or as text; an unknown setting is refused.
        should_stop: Called between steps; once it returns true, the work so far is kept and the work ends.
        on_progress: Called with the fraction of the analysis that is done, 0..1.

    Returns:
        The analysis's output; None for a training, or if the analysis was stopped.

    Raises:
        RunError, ValueError: An error as one sentence; for training it is also stored in the run's status.
    """
    keep_memory()
    run = Run(Path(folder))
    if name != "train":
        return _analyse(run, name, settings, should_stop, on_progress)
    status = run.status()
    if status.state in ("queued", "stopped") and (run.path / "STOP").exists():
        run.set_status(state="stopped", message="Removed from the queue.")
        return None
    if status.state != "finished":
        for _ in train(run, should_stop=should_stop):
            pass
    if run.status().state == "finished" and Scores.of(run) is None:
        score(run)
    return None


def _analyse(
    run: Run,
    name: str,
    settings: Mapping[str, Any],
    should_stop: Callable[[], bool],
    on_progress: Callable[[float], object],
) -> Mapping[str, Any] | None:
    computation = begin(run, name, settings)
    (run.path / "analysis").mkdir(exist_ok=True)
    progress = f"analysis/{name}.progress"
    try:
        with locked(run.path / "analysis" / f".{name}.lock", wait=0.1, remove=True):
            fraction = 0.0
            try:
                while not should_stop():
                    run.write_json(progress, {"fraction": fraction, "pid": os.getpid()})
                    on_progress(fraction)
                    fraction = next(computation)
            except StopIteration as end:
                return end.value
            finally:
                (run.path / progress).unlink(missing_ok=True)
    except LockedError as error:
        raise RunError(f"This is being computed on {run.title} already; wait for it.") from error
    return None


def warm() -> None:
    """Compute one small gradient: the first one in a process initialises autograd and its threads."""
    weight = torch.nn.Parameter(torch.zeros(2, 3))
    torch.nn.functional.softplus(weight @ weight.T).sum().backward()


def main() -> None:
    """Serve tasks until stdin ends."""
    faulthandler.enable()
    gone = threading.Event()
    tasks: queue.SimpleQueue[dict | None] = queue.SimpleQueue()
    answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    signal.signal(signal.SIGTERM, lambda *_: _leave(gone, tasks))
    signal.signal(signal.SIGINT, lambda *_: _leave(gone, tasks))
    threading.Thread(target=_listen, args=(gone, tasks), daemon=True).start()
    warm()
    idle = os.dup(2)
    with contextlib.suppress(BrokenPipeError):
        answers.write('{"ready": true}\n')
        while (task := tasks.get()) is not None:
            error = _in_the_runs_log(task, idle, gone.is_set)
            if gone.is_set():
                break  # no answer: tells the parent to send no more tasks
            answers.write(json.dumps({"error": error}) + "\n")
    os._exit(0)  # no destructors: nothing is left to write, and a reader may still block on stdin


def _in_the_runs_log(task: dict, idle: int, should_stop: Callable[[], bool]) -> str:
    """Do a task with stdout and stderr (crashes too) redirected to the run's log; return "" or the error message."""
    try:
        with open(Path(task["run"]) / "log.txt", "ab") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
    except OSError:
        pass  # a full or read-only disk: `perform` reports it
    try:
        perform(task["run"], task["name"], task["settings"], should_stop)
    except (ValueError, RuntimeError, OSError, MemoryError, KeyError) as error:
        message = os_error_message(error) if isinstance(error, OSError) else str(error)
        with contextlib.suppress(OSError):  # the log's disk may be the full one
            sys.stderr.write(f"dvae_core: {message}\n")
        return message.split("\n", 1)[0] or type(error).__name__
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os.dup2(idle, 1)
        os.dup2(idle, 2)
    return ""


def _listen(gone: threading.Event, tasks: queue.SimpleQueue) -> None:
    """Read lines from stdin without Python's buffer, whose lock a blocked read would hold forever."""
    rest = b""
    while data := os.read(0, 65536):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            tasks.put(json.loads(line))
    _leave(gone, tasks)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def _leave(gone: threading.Event, tasks: queue.SimpleQueue) -> None:
    gone.set()
    tasks.put(None)


if __name__ == "__main__":
    main()
