"""The place where work on a run happens, behind one interface: `Executor.submit(perform, folder, name, settings)`.

    ThreadPoolExecutor(1)        this process: tests, notebooks
    Workers(2)                   warm local processes: what the app uses
    dask_executor("tcp://...")   a Dask cluster; DVAE_SCHEDULER=tcp://... makes the app use it

The sides share nothing but the run folder: state, curves and results are files. A refresh, a second browser, a second
server and a cluster worker therefore all see the same. This module does not import torch, so the server that submits
stays light.
"""

import collections
import contextlib
import importlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

from dvae_core import runs
from dvae_core.analysis.score.record import Scores
from dvae_core.runs import Run, RunError, files
from dvae_core.runs.locks import is_locked

LIMIT = 2  # trainings at once: networks this small use one core each, and a laptop has few
ROOT = Path(__file__).parents[2]
_guard = threading.RLock()  # serialises decisions about a run's state


def perform(folder: str, name: str, settings: dict[str, Any]) -> None:
    """Train (name "train") or analyse the run in this folder, in this process."""
    importlib.import_module("dvae_core.work.worker").perform(folder, name, settings)  # imported by name: it loads torch


class Process:
    """A worker process: it is spawned and warms up, then it is idle or busy with one task."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "dvae_core.work.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C in the server's terminal reaches workers as the end of their stdin
        )  # fmt: skip
        self._ready = threading.Lock()
        self.is_warm = False

    def wait_until_warm(self) -> None:
        """Return once the process has loaded torch (or has ended)."""
        with self._ready:
            if not self.is_warm:
                self.is_warm = bool(self.popen.stdout and self.popen.stdout.readline())

    def do(self, task: dict) -> str | None:
        """Do one task; return "" or the error message, or None if the process ended during the task."""
        self.wait_until_warm()
        assert self.popen.stdin is not None and self.popen.stdout is not None  # noqa: PT018  as started above
        try:
            self.popen.stdin.write(json.dumps(task).encode() + b"\n")
            self.popen.stdin.flush()
            answer = self.popen.stdout.readline()
        except (BrokenPipeError, ValueError):
            answer = b""
        return json.loads(answer)["error"] if answer.endswith(b"\n") else None

    def end(self, *, wait: bool = True) -> int | None:
        """Close its stdin, upon which it writes a checkpoint and ends; return its exit code once it has ended."""
        assert self.popen.stdin is not None and self.popen.stdout is not None  # noqa: PT018  as started above
        with contextlib.suppress(BrokenPipeError):
            self.popen.stdin.close()
        if not wait:
            return None
        code = self.popen.wait()
        self.popen.stdout.close()
        return code


class Workers(Executor):
    """Run at most `limit` tasks at once, first come first served, each in a warm process that is then reused."""

    _idle: ClassVar[collections.deque[Process]] = collections.deque()  # shared: a warm process does either kind of work

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self._waiting: collections.deque[tuple[Future, tuple]] = collections.deque()
        self._change = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._busy: dict[str, Process] = {}
        self._free = 0
        self._closed = False

    def submit(self, fn: Callable, /, *args: Any, **kwargs: Any) -> Future:
        """Queue `perform, folder, name, settings`; only these texts and numbers are sent to the worker, never code."""
        if fn is not perform:
            raise TypeError("A worker process can only perform(folder, name, settings).")
        future: Future = Future()
        with self._change:
            if self._closed:
                raise RuntimeError("These workers were shut down.")
            self._waiting.append((future, args))
            if self._free < len(self._waiting) and len(self._threads) < self.limit:
                # daemon: the interpreter's exit does not wait for a training; the worker sees the end of its stdin
                thread = threading.Thread(target=self._serve, daemon=True, name="dvae-worker")
                self._threads.append(thread)
                thread.start()
            self._change.notify()
        return future

    def ahead(self, folder: Path) -> int | None:
        """Return how many tasks will begin before the one on this run; None if none on this run waits here."""
        with self._change:
            waiting = [args[0] for future, args in self._waiting if not future.cancelled()]
        return waiting.index(str(folder)) if str(folder) in waiting else None

    def process(self, folder: Path) -> Process | None:
        """Return the process that works on this run."""
        return self._busy.get(str(folder))

    @classmethod
    def warm(cls) -> None:
        """Start one process ahead of the first click."""
        if not any(p.popen.poll() is None for p in cls._idle):
            cls._idle.append(Process())

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes; running trainings stop with a checkpoint."""
        with self._change:
            self._closed = True
            for future, _ in self._waiting:
                future.cancel()
            self._waiting.clear()
            busy = list(self._busy.values())
            self._change.notify_all()
        while self._idle:
            busy.append(self._idle.popleft())
        for process in busy:
            process.end(wait=False)
        for process in busy if wait else ():
            process.end()

    def _serve(self) -> None:
        while True:
            with self._change:
                self._free += 1
                self._change.wait_for(lambda: self._waiting or self._closed)
                self._free -= 1
                if self._closed:
                    return
                future, args = self._waiting.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                self._do(*args)
            except (RunError, OSError) as error:
                future.set_exception(error)
            else:
                future.set_result(None)

    def _do(self, folder: str, name: str, settings: dict) -> None:
        run = Run(Path(folder))
        queued_at = run.written_status().queued_at
        process = self._take()
        with self._change:
            self._busy[folder] = process
        try:
            waits = name == "train" and run.status().state == "queued" and not process.is_warm
            if waits and not run.is_locked():  # another process works on this run and writes its own status
                run.set_status(
                    state="warming", pid=process.popen.pid, host=socket.gethostname(), message="Loading torch"
                )
            error = process.do({"run": folder, "name": name, "settings": settings})
        finally:
            with self._change:
                self._busy.pop(folder, None)
        if error is None:
            message = _how_it_ended(process)
            if name == "train":
                _settle(run, queued_at, "lost", message)
                score_if_missed(run)
            raise RunError(message)
        self._idle.append(process)
        if len(self._idle) > LIMIT:
            self._idle.popleft().end()
        if error:
            if name == "train":
                _settle(run, queued_at, "failed", error)
            raise RunError(error)

    def _take(self) -> Process:
        while self._idle:
            process = self._idle.pop()
            if process.popen.poll() is None:
                return process
            process.end()
        return Process()


def _how_it_ended(process: Process) -> str:
    code = process.end() or 0
    how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
    memory = " (perhaps it ran out of memory)" if code == -9 else ""
    return f"The process {how}{memory}; what it had saved is still there."


def _settle(run: Run, queued_at: float, state: str, message: str) -> None:
    """Record how a training ended that could not record it itself, unless the run was queued again meanwhile."""
    with _guard:
        status = run.written_status()
        if not status.is_active or status.queued_at != queued_at or run.is_locked():
            return
        if (run.path / "STOP").exists():
            state, message = "stopped", "Stopped; Resume continues from here."
            (run.path / "STOP").unlink(missing_ok=True)
        run.set_status(state=state, message=message)


# --- the interface for pages and scripts ------------------------------------------------------------------------------

_tasks: dict[tuple[Path, str], Future] = {}

_places: dict[str, Executor] = {}


def place(kind: str = "train") -> Executor:
    """Return the executor for tasks of this kind: the cluster of DVAE_SCHEDULER, or local workers.

    Analyses have their own worker, so that a question in the lecture does not wait for a training.
    """
    scheduler = os.environ.get("DVAE_SCHEDULER", "")
    with _guard:
        key = scheduler or ("train" if kind == "train" else "analyse")
        if key not in _places:
            _places[key] = dask_executor(scheduler) if scheduler else Workers(LIMIT if kind == "train" else 1)
        return _places[key]


def use(train: Executor | None = None, analyse: Executor | None = None) -> None:
    """Send this process's trainings and analyses to these executors, such as a thread pool in a notebook.

    None restores the default of `place`. Executors that were in use are not shut down.
    """
    with _guard:
        _places.clear()
        _places.update({kind: e for kind, e in (("train", train), ("analyse", analyse)) if e is not None})


def dask_executor(scheduler: str, *, timeout: float | int = 10) -> Executor:
    """Return a Dask cluster's workers as an Executor.

    The store must be a folder that all workers see under the same path. If a worker is lost, its task is retried
    elsewhere from the run's last checkpoint.

    Args:
        scheduler: Address of the scheduler, tcp://host:port (or tls://).
        timeout: Seconds to wait for the scheduler.

    Raises:
        RunError: If `distributed` is not installed, or the scheduler does not answer.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise RunError("A cluster needs Dask: pip install -r requirements-cluster.txt") from error
    try:
        client = Client(scheduler, timeout=timeout, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise RunError(f"No Dask scheduler answers at {scheduler}: start it, or unset DVAE_SCHEDULER.") from error
    return client.get_executor(pure=False)


def start(run: Run, executor: Executor | None = None) -> Future:
    """Queue the run for training, from its beginning or from its last checkpoint.

    Args:
        run: A run that is not finished.
        executor: Where to train; None for `place()`.

    Raises:
        RunError: If the run is finished or already at work, or if the folder cannot be written to.
    """
    with _guard:
        status = run.status()
        if run.is_shipped:
            raise RunError("Runs that came with the software are finished; train a new one.")
        if status.is_active and (status.state != "queued" or status.pid is not None):
            raise RunError(f"{run.title} is {status.state}; there is nothing to start.")
        if status.state == "finished":
            raise RunError(f"{run.title} is finished; there is nothing to start.")
        executor = executor or place()
        with runs.os_errors_as_run_errors(run, "queue"):
            (run.path / "STOP").unlink(missing_ok=True)
            run.set_status(
                state="queued", pid=os.getpid(), host=socket.gethostname(), queued_at=time.time(),
                message="Waiting for a free worker",
            )  # fmt: skip
        _tasks[run.path, "train"] = future = submit(executor, run)
        return future


def stop(run: Run) -> None:
    """Take the run out of the queue, or ask its training to stop; it writes a checkpoint within a second."""
    with runs.os_errors_as_run_errors(run, "stop"):
        (run.path / "STOP").touch()
        status = run.status()
        future = _tasks.get((run.path, "train"))
        if future is not None and future.cancel() and not run.is_locked():
            run.set_status(state="stopped", message="Removed from the queue.")
        elif status.state == "warming" and not run.is_locked() and (process := _process(run)) is not None:
            process.popen.kill()  # nothing is computed yet; its thread reports "stopped"


def _process(run: Run) -> Process | None:
    workers = _places.get("train")
    return workers.process(run.path) if isinstance(workers, Workers) else None


def analyse(run: Run, name: str, **settings: str | int | float) -> None:
    """Queue a computation on the run, unless one is already running on it."""
    with _guard:
        if not is_analysing(run):
            _tasks[run.path, name] = submit(place("analyse"), run, name, settings)


def stop_analysis(run: Run) -> None:
    """Ask the computation on a run to end at its next step; one that still waits is taken out of the queue.

    A computation that obeys removes the file STOP, so that a stop that comes early is not lost.
    """
    with runs.os_errors_as_run_errors(run, "stop"):
        (run.path / "STOP").touch()
        tasks = [task for (path, name), task in list(_tasks.items()) if path == run.path and name != "train"]
        cancelled = [task.cancel() for task in tasks]
        if any(cancelled):
            (run.path / "STOP").unlink(missing_ok=True)


def score_if_missed(run: Run) -> None:
    """Score a finished run if the process that trained it ended before it could do so."""
    status = run.status()
    here = status.host == socket.gethostname()
    ended = status.pid is not None and not files.process_is_alive(status.pid)
    if status.state == "finished" and here and ended and Scores.of(run) is None:
        analyse(run, "score")


def is_analysing(run: Run) -> bool:
    """Whether a computation is queued or running on this run, in this process or another."""
    for (path, name), future in list(_tasks.items()):
        if path == run.path and name != "train" and not future.done():
            return True
    return any(is_locked(path) for path in (run.path / "analysis").glob(".*.lock"))


def ahead(run: Run) -> int | None:
    """Return how many trainings will begin before this one; None if this process does not know."""
    workers = _places.get("train")
    return workers.ahead(run.path) if isinstance(workers, Workers) else None


_began = threading.Event()


def warm() -> None:
    """Start a worker ahead of the first click and resume jobs left queued by a previous server. Runs once."""
    if _began.is_set() or os.environ.get("DVAE_WARM") == "0":
        return
    _began.set()
    if not os.environ.get("DVAE_SCHEDULER"):
        Workers.warm()
    threading.Thread(target=resume_queue, daemon=True).start()


def resume_queue() -> None:
    """Queue runs again, in order, if their server ended before they began; score finished runs that have no score."""
    left = []
    for run in runs.list_runs(runs.default_store()):
        try:
            score_if_missed(run)
            status, raw = run.status(), run.written_status()
            if raw.state == "queued" and status.state == "lost" and raw.host == socket.gethostname():
                left.append((raw.queued_at, run))
        except RunError:
            continue  # a broken run must not hold up the others
    for _, run in sorted(left, key=lambda item: item[0]):
        try:
            start(run)
        except RunError:
            continue  # another server was first


def log_tail(run: Run, lines: int = 20) -> str:
    """Return the last lines of the worker's output, to show when it failed."""
    try:
        with open(run.path / "log.txt", "rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - 20_000))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def why(run: Run, name: str) -> str:
    """Return the error message of the last computation of this name, "" if it succeeded or is not known here."""
    future = _tasks.get((run.path, name))
    return "" if future is None or not future.done() or future.cancelled() else str(future.exception() or "")


def submit(executor: Executor, run: Run, name: str = "train", settings: dict[str, Any] | None = None) -> Future:
    """Submit one task to an executor; on a cluster, a run that needs cuda goes to a worker with --resources GPU=1."""
    on_gpu = not isinstance(executor, Workers | ThreadPoolExecutor) and run.config.train.device == "cuda"
    more = {"resources": {"GPU": 1}} if on_gpu else {}
    return executor.submit(perform, str(run.path), name, settings or {}, **more)
