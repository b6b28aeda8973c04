"""A run is a folder: training writes only this folder, and everything else reads it.

    config.json           all settings              weights.safetensors   every member's weights
    about.json            title, facts of the data  resume.safetensors    the checkpoint, until the run is finished
    history.csv           append-only rows          latents.npz           held-out posterior means, all members
    status.json           state, step, device       analysis/             scores and curves computed from the run
    log.txt               the worker's output       STOP                  present when a stop was requested
    SHA256SUMS            digests of these files    .lock                 held by the process that trains it

A run that was trained on principal components of x also has components.npz, the axes by which other data is reduced.

A run of kind "latents" was computed by another program (`runs.given`): it has no weights and no history, and

    given.npz             its latents of all rows, with u, the true factors and x as far as they are known

Files are written under a temporary name and renamed, so a reader never sees half of one. SHA256SUMS lists each file's
digest from the moment it is written, and a listed file that has changed is reported when it is read. Three files are
rewritten or appended to many times a minute during training and are listed only afterwards: status.json while no
process works on the run, history.csv and latents.npz once it has finished. The process that trains a run holds its
lock. The system releases the lock when that process ends; if the run still says "running" then, it is lost. This module
does not import torch: the app's server reads runs without it.
"""

import contextlib
import dataclasses
import io
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from dvae_core.axes import Table
from dvae_core.config import Config
from dvae_core.runs import files, sums
from dvae_core.runs.files import os_error_message, process_is_alive
from dvae_core.runs.locks import LockedError, is_locked, locked

T = TypeVar("T")
FORMAT = 2  # of the folder; incremented when older readers cannot read newer runs (2: weights have other names)
ACTIVE = ("queued", "warming", "running")
STATES = ("new", *ACTIVE, "stopped", "failed", "lost", "finished")
FILES = (
    *("config.json", "about.json", "history.csv", "weights.safetensors", "latents.npz"),
    *("given.npz", "components.npz"),
)
GROWING = ("history.csv", "latents.npz")  # written throughout training, so listed in SHA256SUMS only after it
EXAMPLES = Path(__file__).parents[1] / "examples"
RENAMED = {  # parts of the model, by their weights' names in older runs
    "log_std_x": "likelihood.log_std",
    "encoder": "encoder_net",
    "generator": "decoder_net",
    "conditional": "prior",
    **{name: f"scaling.{name}" for name in ("x_mean", "x_forward", "x_inverse", "x_log_det", "u_mean", "u_scale")},
}
LATENT_ROWS = 5000  # held-out rows in latents.npz, at most
LOST = "The process that worked on it ended without a message"


class RunError(ValueError):
    """A run that cannot be read or used; the message is one sentence."""


class BusyError(RunError):
    """Another process is writing to the run."""


@dataclass(frozen=True)
class Status:
    """The state of a run. `state`: new, queued, warming, running, stopped, failed, lost or finished."""

    state: str = "new"
    step: int = 0
    steps: int = 0
    seconds: float = 0.0
    message: str = ""
    device: str = ""
    failed_members: tuple[int, ...] = ()
    stuck_members: tuple[int, ...] = ()
    pid: int | None = None
    host: str = ""
    queued_at: float = 0.0
    updated: float = 0.0

    @property
    def is_active(self) -> bool:
        """Whether a process is working on the run or will be."""
        return self.state in ACTIVE

    @property
    def seconds_left(self) -> float | None:
        """Estimate the time left from the pace so far; None before there is a pace."""
        return self.seconds * (self.steps - self.step) / self.step if self.step > 0 else None


KINDS = {f.name: f.type for f in dataclasses.fields(Status)}


@dataclass(frozen=True)
class Run:
    """A handle on a run folder; it holds only the path, and everything is read on request."""

    path: Path

    @property
    def id(self) -> str:
        """The folder's name, which links and the command line use."""
        return self.path.name

    @property
    def is_shipped(self) -> bool:
        """Whether the run came with the software (it can be opened and copied, but not changed)."""
        return self.path.parent == EXAMPLES

    @property
    def config(self) -> Config:
        """The settings; raises a RunError if the file is missing or damaged, or if a newer version wrote it."""
        if (made := self.about.get("format", 0)) > FORMAT:
            raise RunError(f"Run {self.id} has format {made}, this version reads up to {FORMAT}; update the software.")
        config = self._parsed("config.json", _config)
        if config is None:
            raise RunError(f"{self.id} is not a readable run: config.json is missing.")
        return config

    @property
    def about(self) -> dict[str, Any]:
        """Title, creation time and facts of the data (sizes, names, split); {} before anything is known."""
        return self._json("about.json") or {}

    @property
    def kind(self) -> Literal["model", "latents"]:
        """Whether a model was trained here, or the latents were computed elsewhere and imported."""
        return "latents" if self.config.is_given else "model"

    @property
    def title(self) -> str:
        """The name that the user gave the run."""
        return str(self.about.get("title") or self.id)

    def status(self) -> Status:
        """Return the state, corrected if the process that should be working is gone."""
        status = self.written_status()
        if not status.is_active or status.pid is None or self.is_locked():
            return status
        # Nobody is writing to it: either a worker is starting (its process exists), or no process works on it.
        here = status.host == socket.gethostname()
        starting = process_is_alive(status.pid) if here else status.state == "queued"
        if starting and status.state != "running":
            return status
        now = self.written_status()  # it may have ended between the two reads
        if now != status:
            return now
        return dataclasses.replace(status, state="lost", message=f"{self._why_lost()}; nothing saved is lost.")

    def written_status(self) -> Status:
        """Return status.json as written, without fields that only a newer version knows."""
        raw = self._json("status.json")
        if raw is None:
            return Status(message="Nothing has happened to this run yet.")
        known: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items() if k in KINDS}
        if known.get("state") not in STATES or not all(_fits(v, KINDS[k]) for k, v in known.items()):
            raise RunError(f"status.json of run {self.id} is damaged; delete the run or restore the file.")
        return Status(**known)

    def _why_lost(self) -> str:
        if not os.access(self.path, os.W_OK):
            return "Its folder cannot be written to"
        return "The disk is full" if shutil.disk_usage(self.path).free < 2**20 else LOST

    def is_locked(self) -> bool:
        """Whether a process is training the run now, on this machine or (in a shared store) on another."""
        try:
            return is_locked(self.path / ".lock")
        except OSError as error:
            raise self._cannot("look at the lock of", error) from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run's lock, so that no other process trains it.

        Raises:
            RunError: If another process trains it, or if the folder cannot be written to.
        """
        with contextlib.ExitStack() as held:
            with os_errors_as_run_errors(self, "lock"):
                held.enter_context(locked(self.path / ".lock"))
            yield

    def history(self) -> Table:
        """Return the rows written so far: one per logged step, member and split, in nats per example.

        If members differ in their learning rate, there is a column lr.
        """
        import pandas as pd

        data = self._bytes("history.csv")
        if data is None:
            return pd.DataFrame()
        whole = data[: data.rfind(b"\n") + 1]  # the last row may be half written
        try:
            rows = pd.read_csv(io.BytesIO(whole)) if whole else pd.DataFrame()
        except (ValueError, UnicodeDecodeError) as error:
            raise self._damaged("history.csv", error) from error
        lrs = np.array(self.config.train.lrs)
        return rows.assign(lr=lrs[rows["member"]]) if len(lrs) and len(rows) else rows

    def latents(self) -> dict[str, np.ndarray] | None:
        """Return latents.npz as arrays (see `write_latents` for names and shapes), or None before the first write."""
        return self._npz("latents.npz")

    def components(self) -> dict[str, np.ndarray] | None:
        """Return components.npz, the principal axes of a run that was trained on components of x, or None."""
        return self._npz("components.npz")

    def weights(self) -> dict[str, np.ndarray]:
        """Return every weight by name, each with a leading member axis (buffers without).

        Shipped weights of pictures are stored in float16; they are returned in float32.
        """
        tensors = self.tensors("weights.safetensors")
        if tensors is None and self.kind == "latents":
            raise RunError(f"{self.title} holds imported latents and no model; choose a run that was trained here.")
        if tensors is None:
            raise RunError(f"Run {self.id} has no weights yet; let it train first.")
        return {
            _current_name(name): tensor.astype(np.float32) if tensor.dtype == np.float16 else tensor
            for name, tensor in tensors.items()
        }

    def tensors(self, name: str) -> dict[str, np.ndarray] | None:
        """Return a safetensors file as arrays, or None if there is no such file."""
        data = self._bytes(name)
        if data is None:
            return None
        try:
            return files.tensors_from(data)
        except ValueError as error:
            raise self._damaged(name, error) from error

    def record(self, name: str) -> dict[str, Any] | None:
        """Return analysis/<name>.json, or None if it is not computed yet."""
        return self._json(f"analysis/{name}.json")

    def analysis(self, name: str) -> dict[str, np.ndarray] | None:
        """Return analysis/<name>.npz as arrays, or None if it is not computed yet."""
        return self._npz(f"analysis/{name}.npz")

    # --- writing ---

    def write(self, name: str, data: bytes | str) -> None:
        """Write a file of the run atomically, and list its digest unless training keeps rewriting the file."""
        listed = name not in GROWING and not name.endswith(".progress")
        self._write(name, data.encode() if isinstance(data, str) else data, listed=listed)

    def write_json(self, name: str, tree: Mapping[str, Any]) -> None:
        """Write a small JSON file; NaN becomes null, so that every reader can read it."""
        self.write(name, files.json_to(tree))

    def write_npz(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Write arrays (never objects) as a compressed npz."""
        self.write(name, files.arrays_to(arrays))

    def write_tensors(self, name: str, tensors: Mapping[str, np.ndarray]) -> None:
        """Write arrays as safetensors."""
        self.write(name, files.tensors_to(tensors))

    def set_status(self, **changes: Any) -> None:
        """Update status.json and keep fields that are not named; a run that becomes finished is sealed first."""
        self.replace_status(**{**(self._json("status.json") or {}), **changes})

    def replace_status(self, **fields: Any) -> None:
        """Write a new status.json without reading the old one."""
        if fields.get("state") == "finished":
            self.seal()
        tree = {**fields, "updated": time.time()}
        self._write("status.json", files.json_to(tree).encode(), listed=fields.get("state") not in ACTIVE)

    def fail(self, message: str) -> None:
        """Record why the run failed. If that write fails too, `status` will notice that the process is gone."""
        with contextlib.suppress(OSError, RunError):
            self.set_status(state="failed", message=message)

    def seal(self) -> None:
        """List every file that is not listed yet: from now on, a change means damage."""
        found = [name for name in FILES if (self.path / name).is_file()]
        found += [p.relative_to(self.path).as_posix() for p in self.path.glob("analysis/[!.]*") if p.suffix in _RESULTS]
        with self._list_errors():
            sums.add(self.path, found)

    def unseal(self) -> None:
        """Remove the files that training appends to from the list, before it appends."""
        with self._list_errors():
            sums.drop(self.path, GROWING)

    @property
    def is_sealed(self) -> bool:
        """Whether the run was sealed when its training finished."""
        return set(GROWING) <= set(self.sums())

    def remove(self, name: str) -> None:
        """Remove a file of the run, if there is one."""
        with self._list_errors():
            sums.remove(self.path, name)

    def _write(self, name: str, data: bytes, *, listed: bool) -> None:
        with self._list_errors():
            sums.replace(self.path, name, data, listed=listed)

    @contextmanager
    def _list_errors(self) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            raise self._damaged(sums.NAME, error) from error

    # --- reading helpers ---

    def problem(self) -> str:
        """Return the fault of the run's small files, which lists read; "" if there is none."""
        try:
            _ = self.config, self.about, self.status(), self.record("score")
        except RunError as error:
            return str(error)
        return ""

    def check(self) -> None:
        """Read every file; a RunError names the first one that is damaged."""
        if problem := self.problem():
            raise RunError(problem)
        self.history()
        readers = {".npz": self._npz, ".safetensors": self.tensors, ".json": self._json}
        for path in sorted(p for p in self.path.rglob("[!.]*") if p.suffix in readers):
            readers[path.suffix](path.relative_to(self.path).as_posix())
        for name in self.sums():
            self._bytes(name)

    def sums(self) -> Mapping[str, str]:
        """Return the listed sha256 of each file by name; raise a RunError if the list is damaged."""
        try:
            return sums.read(self.path)
        except OSError as error:
            raise self._cannot(f"read {sums.NAME} of", error) from error
        except ValueError as error:
            raise self._damaged(sums.NAME, error) from error

    def _json(self, name: str) -> dict[str, Any] | None:
        tree = self._parsed(name, _json)
        return None if tree is None else dict(tree)

    def _npz(self, name: str) -> dict[str, np.ndarray] | None:
        data = self._bytes(name)
        if data is None:
            return None
        try:
            return files.arrays_from(data)
        except ValueError as error:
            raise self._damaged(name, error) from error

    def _parsed(self, name: str, parse: Callable[[bytes], tuple[str, T]]) -> T | None:
        """Return a small file parsed, cached while it stays the same; None if there is no such file."""
        return self._compared(name, lambda: files.parsed(f"{self.path}/{name}", parse))

    def _bytes(self, name: str) -> bytes | None:
        """Return a file's contents; None if there is no such file."""

        def read() -> tuple[str, bytes]:
            data = (self.path / name).read_bytes()
            return sums.digest(data) if name in self.sums() else "", data

        return self._compared(name, read)

    def _compared(self, name: str, read: Callable[[], tuple[str, T]]) -> T | None:
        """Return the result of `read` and the file's digest, once that matches the listed one."""
        while True:
            listed = self.sums()
            try:
                digest, value = read()
            except FileNotFoundError:
                digest, value = None, None
            except OSError as error:
                raise self._cannot(f"read {name} of", error) from error
            except (ValueError, RecursionError) as error:
                raise self._damaged(name, error) from error
            if listed.get(name) in (None, digest):
                return value
            if self.sums() == listed:  # otherwise the file was replaced between the two reads: read again
                why = "it has changed since it was written" if digest is not None else "it is gone"
                raise self._damaged(name, why)

    def _damaged(self, name: str, why: object) -> RunError:
        reason = str(why).split("\n", 1)[0].rstrip(".") or type(why).__name__
        other = "delete it, and files are read unchecked" if name == sums.NAME else "train the run again"
        return RunError(f"{name} of run {self.id} is damaged ({reason}); restore the file, or {other}.")

    def _cannot(self, action: str, error: OSError) -> RunError:
        return RunError(f"Could not {action} run {self.id}: {os_error_message(error)}")


_RESULTS = (".npz", ".json")


def _json(data: bytes) -> tuple[str, dict[str, Any]]:
    return sums.digest(data), files.json_from(data)


def _config(data: bytes) -> tuple[str, Config]:
    return sums.digest(data), Config.from_json(data.decode())


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value read from status.json has the field's type."""
    if isinstance(value, tuple) or value is None:
        return hint not in (str, int, float) and all(isinstance(v, int) for v in value or ())
    return isinstance(value, {str: str, float: int | float}.get(hint, int))


@contextmanager
def os_errors_as_run_errors(run: Run, action: str) -> Iterator[None]:
    """Re-raise an OSError as a RunError with a readable message."""
    try:
        yield
    except LockedError as error:
        status = run.written_status()
        by = f" by process {status.pid} on {status.host}" if status.pid else ""
        raise BusyError(f"{run.title} is being trained{by}; stop that first.") from error
    except OSError as error:
        raise run._cannot(action, error) from error


def _current_name(weight: str) -> str:
    part, dot, rest = weight.partition(".")
    return RENAMED.get(part, part) + dot + rest
