"""A run is a folder: the one thing that training writes and everything else reads.

    config.json           all settings              weights.safetensors   every member's weights
    about.json            title, facts of the data  resume.safetensors    what training needs to go on, bit for bit
    history.csv           append-only rows          latents.npz           held-out posterior means, all members
    status.json           state, step, device       analysis/             scores and curves computed from the run
    log.txt               the worker's output       STOP                  present when somebody asked it to stop

Files are written under a temporary name and renamed, so a reader never sees half of one. No torch here: the app's
server reads runs without it.
"""

import dataclasses
import io
import json
import os
import re
import secrets
import shutil
import socket
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from dvae_core.axes import Table
from dvae_core.config import Config, ConfigError

ACTIVE = ("queued", "warming", "running")


class RunError(ValueError):
    """A run that cannot be read or used, in one sentence."""


@dataclass(frozen=True)
class Status:
    """What a run is doing. `state`: queued, warming, running, stopped, failed or finished."""

    state: str = "queued"
    step: int = 0
    steps: int = 0
    seconds: float = 0.0
    message: str = ""
    device: str = ""
    failed_members: tuple[int, ...] = ()
    pid: int | None = None
    host: str = ""
    updated: float = 0.0

    @property
    def is_active(self) -> bool:
        """Whether a process is (or will be) working on the run."""
        return self.state in ACTIVE

    @property
    def seconds_left(self) -> float | None:
        """Estimate from the pace so far; None before there is one."""
        return self.seconds * (self.steps - self.step) / self.step if self.step > 0 else None


@dataclass(frozen=True)
class Run:
    """A handle on a run folder; it holds the path only, everything is read when asked."""

    path: Path

    @property
    def id(self) -> str:
        """The folder's name: what links and the command line use."""
        return self.path.name

    @property
    def is_shipped(self) -> bool:
        """Whether the run came with the software (it can be opened and copied, not changed)."""
        return self.path.parent == examples_folder()

    @property
    def config(self) -> Config:
        """The settings; a RunError if the file is missing or damaged."""
        try:
            return Config.from_json((self.path / "config.json").read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, ConfigError) as error:
            raise RunError(f"{self.path} is not a readable run: {error}") from error

    @property
    def about(self) -> dict[str, Any]:
        """Title, creation time and facts of the data (sizes, names, split); {} before anything is known."""
        return self._json("about.json") or {}

    @property
    def title(self) -> str:
        """What a person called the run."""
        return str(self.about.get("title") or self.id)

    def status(self) -> Status:
        """Return the state, corrected where the process that should be working is gone."""
        raw = self._json("status.json")
        if raw is None:
            return Status(message="Nothing has happened to this run yet.")
        known = {f.name for f in dataclasses.fields(Status)}
        told: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items() if k in known}
        status = Status(**told)
        gone = status.pid is not None and status.host == socket.gethostname() and not process_is_alive(status.pid)
        if status.is_active and gone:
            message = "The training process is gone without saying why; Resume goes on from its last checkpoint."
            return dataclasses.replace(status, state="failed", message=message)
        return status

    def history(self) -> Table:
        """Return the rows written so far: one per logged step, member and split, in nats per example."""
        import pandas as pd

        try:
            text = (self.path / "history.csv").read_text(encoding="utf-8")
        except FileNotFoundError:
            return pd.DataFrame()
        whole = text[: text.rfind("\n") + 1]  # a reader may come in the middle of a write
        return pd.read_csv(io.StringIO(whole)) if whole else pd.DataFrame()

    def latents(self) -> dict[str, np.ndarray] | None:
        """Return latents.npz as arrays (see train.write_latents for names and shapes), None before the first."""
        return self._npz(self.path / "latents.npz")

    def weights(self) -> dict[str, np.ndarray]:
        """Return every weight by name, each with a leading member axis (buffers without)."""
        try:
            return load_file(self.path / "weights.safetensors")
        except FileNotFoundError as error:
            raise RunError(f"Run {self.id} has no weights yet; let it train first.") from error
        except (SafetensorError, OSError, ValueError) as error:
            raise RunError(f"The weights of run {self.id} are damaged ({error}); train it again.") from error

    def score(self) -> dict[str, Any] | None:
        """Return the held-out scores (analysis/score.json), None where they are not computed yet."""
        return self._json("analysis/score.json")

    def record(self, name: str) -> dict[str, Any] | None:
        """Return analysis/<name>.json, None where it is not computed yet."""
        return self._json(f"analysis/{name}.json")

    def analysis(self, name: str) -> dict[str, np.ndarray] | None:
        """Return analysis/<name>.npz as arrays, None where it is not computed yet."""
        return self._npz(self.path / "analysis" / f"{name}.npz")

    # --- writing ---

    def write(self, name: str, data: bytes | str) -> None:
        """Write a file of the run whole or not at all."""
        write_atomically(self.path / name, data)

    def write_json(self, name: str, tree: Mapping[str, Any]) -> None:
        """Write a small JSON file; NaN becomes null, so that every reader can read it."""
        self.write(name, json.dumps(_plain(tree), indent=1, allow_nan=False))

    def write_npz(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Write arrays (never objects) as a compressed npz."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)  # type: ignore[arg-type]
        self.write(name, buffer.getvalue())

    def write_tensors(self, name: str, tensors: Mapping[str, np.ndarray]) -> None:
        """Write arrays as safetensors."""
        self.write(name, save({k: np.asarray(v, order="C") for k, v in tensors.items()}))

    def set_status(self, **changes: Any) -> None:
        """Update status.json, keeping what is not named."""
        old = self._json("status.json") or {}
        self.write_json("status.json", {**old, **changes, "updated": time.time()})

    # --- reading helpers ---

    def _json(self, name: str) -> dict[str, Any] | None:
        try:
            tree = json.loads((self.path / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise RunError(
                f"{name} of run {self.id} is damaged ({error}); delete the run or restore the file."
            ) from error
        if not isinstance(tree, dict):
            raise RunError(f"{name} of run {self.id} is damaged (not an object); delete the run or restore the file.")
        return tree

    def _npz(self, path: Path) -> dict[str, np.ndarray] | None:
        try:
            with np.load(path, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise RunError(
                f"{path.name} of run {self.id} is damaged ({error}); resume or train the run again."
            ) from error


def write_atomically(path: Path, data: bytes | str) -> None:
    """Write to a temporary name beside `path`, flush to disk, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    """Turn arrays and numpy numbers into what JSON has; NaN and infinities become None."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def process_is_alive(pid: int) -> bool:
    """Whether a process exists and is not a zombie waiting for its parent."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True  # no /proc here: the signal is all we know
    return stat.rpartition(")")[2].split()[0] != "Z"


# --- the store: a folder of runs ---


def default_store() -> Path:
    """Return where the app keeps runs: $DVAE_RUNS, or ./runs."""
    return Path(os.environ.get("DVAE_RUNS") or "runs").absolute()


def examples_folder() -> Path:
    """Return the folder of the runs that ship with the software."""
    return Path(__file__).parent / "examples"


def examples() -> list[Run]:
    """Return the shipped runs, by name."""
    return list_runs(examples_folder(), newest_first=False)


def list_runs(store: Path, *, newest_first: bool = True) -> list[Run]:
    """Return the runs in a folder; a folder without config.json is not a run."""
    if not store.is_dir():
        return []
    found = [Run(p.parent) for p in store.glob("*/config.json")]
    if newest_first:
        return sorted(found, key=lambda r: (r.path / "config.json").stat().st_mtime, reverse=True)
    return sorted(found, key=lambda r: r.id)


def find(run_id: str, store: Path | None = None) -> Run:
    """Return the run with this id from the store or the shipped ones.

    Raises:
        RunError: If there is none. Ids are plain folder names, so a link cannot reach outside the store.
    """
    for run in [*list_runs(store or default_store()), *examples()]:
        if run.id == run_id:
            return run
    raise RunError(f"There is no run called {run_id!r}; pick one from the Runs page.")


def create(path: Path, config: Config, *, title: str = "") -> Run:
    """Make a run folder at `path` with its settings, ready to train.

    Raises:
        RunError: If the folder exists and is not empty.
    """
    path = Path(path).absolute()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise RunError(f"{path} already exists and is not empty; choose another folder, or resume the run in it.")
    try:
        path.mkdir(parents=True, exist_ok=True)
        run = Run(path)
        run.write_json("about.json", {"title": title or path.name, "created": time.time()})
        run.write("config.json", config.to_json())
        run.write_json("status.json", dataclasses.asdict(Status(updated=time.time())))
    except OSError as error:
        raise RunError(f"The run folder {path} cannot be written: {error.strerror}.") from error
    return run


def new_path(store: Path, title: str) -> Path:
    """Return a free folder for a new run: a slug of the title and six random characters. Names come from us."""
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40] or "run"
    return store / f"{slug}-{secrets.token_hex(3)}"


def rename(run: Run, title: str) -> None:
    """Change what a person calls the run; its id and links stay."""
    if run.is_shipped:
        raise RunError("Runs that came with the software keep their names.")
    if not title.strip():
        raise RunError("A title needs at least one character.")
    run.write_json("about.json", {**run.about, "title": title.strip()[:100]})


def delete(run: Run) -> None:
    """Remove the run's folder for good."""
    if run.is_shipped:
        raise RunError("Runs that came with the software cannot be deleted here.")
    status = run.status()
    if status.is_active and status.pid is not None:
        raise RunError(f"{run.title} is training; stop it first.")
    if not (run.path / "config.json").is_file():
        raise RunError(f"{run.path} is not a run, so it is not deleted.")
    shutil.rmtree(run.path)


def to_zip(run: Run) -> bytes:
    """Return the run as a zip file, without what only resuming needs."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(run.path.rglob("*")):
            if path.is_file() and path.name not in ("resume.safetensors", "STOP") and not path.name.endswith(".tmp"):
                archive.write(path, f"{run.id}/{path.relative_to(run.path)}")
    return buffer.getvalue()
