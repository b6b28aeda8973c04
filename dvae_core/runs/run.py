"""A run is a folder: the one thing that training writes and everything else reads.

    config.json           all settings              weights.safetensors   every member's weights
    about.json            title, facts of the data  resume.safetensors    until it has finished: what it needs to go on
    history.csv           append-only rows          latents.npz           held-out posterior means, all members
    status.json           state, step, device       analysis/             scores and curves computed from the run
    log.txt               the worker's output       STOP                  present when somebody asked it to stop
    SHA256SUMS            written when it ends      .lock                 held by the process that trains it

Files are written under a temporary name and renamed, so a reader never sees half of one. Damage is noticed on reading:
safetensors carry a digest, npz a CRC, and a finished run has SHA256SUMS (`sha256sum -c` reads it too). Who writes
holds the lock; the system lets go of it when that process ends, and then a run that says "running" is lost, not
running. No torch here: the app's server reads runs without it.
"""

import contextlib
import dataclasses
import hashlib
import io
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core.axes import Table
from dvae_core.config import Config, ConfigError
from dvae_core.runs import files
from dvae_core.runs.files import in_words, process_is_alive, write_atomically
from dvae_core.runs.locks import LockedError, is_locked, locked

FORMAT = 1  # of the folder; raised only when an older reader would misread a newer run
ACTIVE = ("queued", "warming", "running")
STATES = ("new", *ACTIVE, "stopped", "failed", "lost", "finished")
SEALED = ("config.json", "history.csv", "weights.safetensors", "latents.npz")
LOST = "The process that worked on it is gone without saying why"


class RunError(ValueError):
    """A run that cannot be read or used, in one sentence."""


@dataclass(frozen=True)
class Status:
    """What a run is doing. `state`: new, queued, warming, running, stopped, failed, lost or finished."""

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
        """Whether a process is (or will be) working on the run."""
        return self.state in ACTIVE

    @property
    def seconds_left(self) -> float | None:
        """Estimate from the pace so far; None before there is one."""
        return self.seconds * (self.steps - self.step) / self.step if self.step > 0 else None


KINDS = {f.name: f.type for f in dataclasses.fields(Status)}


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
        """The settings; a RunError if the file is missing or damaged, or a newer version wrote it."""
        if (made := self.about.get("format", 0)) > FORMAT:
            raise RunError(f"Run {self.id} has format {made}, this version reads up to {FORMAT}; update the software.")
        try:
            return files.parsed(f"{self.path}/config.json", Config.from_json)
        except FileNotFoundError as error:
            raise RunError(f"{self.id} is not a readable run: config.json is missing.") from error
        except OSError as error:
            raise self._cannot("read config.json of", error) from error
        except (UnicodeDecodeError, ConfigError) as error:
            raise self._damaged("config.json", error) from error

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
        status = self.written_status()
        if not status.is_active or status.pid is None or self.is_locked():
            return status
        # Not being written to: a worker is coming (its process is there), or nobody is.
        here = status.host == socket.gethostname()
        coming = process_is_alive(status.pid) if here else status.state == "queued"
        if coming and status.state != "running":
            return status
        now = self.written_status()  # it may have ended between the two looks
        if now != status:
            return now
        return dataclasses.replace(status, state="lost", message=f"{self._why_lost()}; nothing saved is lost.")

    def written_status(self) -> Status:
        """Return status.json as it stands; what a newer version added to it is left out."""
        raw = self._json("status.json")
        if raw is None:
            return Status(message="Nothing has happened to this run yet.")
        told: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items() if k in KINDS}
        if told.get("state") not in STATES or not all(_fits(v, KINDS[k]) for k, v in told.items()):
            raise RunError(f"status.json of run {self.id} is damaged; delete the run or restore the file.")
        return Status(**told)

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
        """Be the only writer of the run.

        Raises:
            RunError: If another process is, or the folder cannot be written to.
        """
        with contextlib.ExitStack() as held:
            with told(self, "lock"):
                held.enter_context(locked(self.path / ".lock"))
            yield

    def history(self) -> Table:
        """Return the rows written so far: one per logged step, member and split, in nats per example.

        Where members differ in their learning rate, there is a column lr.
        """
        import pandas as pd

        data = self._bytes("history.csv")
        if data is None:
            return pd.DataFrame()
        whole = data[: data.rfind(b"\n") + 1]  # a reader may come in the middle of a write
        try:
            rows = pd.read_csv(io.BytesIO(whole)) if whole else pd.DataFrame()
        except (ValueError, UnicodeDecodeError) as error:
            raise self._damaged("history.csv", error) from error
        lrs = np.array(self.config.train.lrs)
        return rows.assign(lr=lrs[rows["member"]]) if len(lrs) and len(rows) else rows

    def latents(self) -> dict[str, np.ndarray] | None:
        """Return latents.npz as arrays (see train.write_latents for names and shapes), None before the first."""
        return self._npz("latents.npz")

    def weights(self) -> dict[str, np.ndarray]:
        """Return every weight by name, each with a leading member axis (buffers without)."""
        tensors = self.tensors("weights.safetensors")
        if tensors is None:
            raise RunError(f"Run {self.id} has no weights yet; let it train first.")
        return tensors

    def tensors(self, name: str) -> dict[str, np.ndarray] | None:
        """Return a safetensors file as arrays once its digest is right, None where there is no such file."""
        data = self._bytes(name)
        if data is None:
            return None
        try:
            return files.tensors_from(data)
        except ValueError as error:
            raise self._damaged(name, error) from error

    def score(self) -> dict[str, Any] | None:
        """Return the held-out scores (analysis/score.json), None where they are not computed yet."""
        return self._json("analysis/score.json")

    def record(self, name: str) -> dict[str, Any] | None:
        """Return analysis/<name>.json, None where it is not computed yet."""
        return self._json(f"analysis/{name}.json")

    def analysis(self, name: str) -> dict[str, np.ndarray] | None:
        """Return analysis/<name>.npz as arrays, None where it is not computed yet."""
        return self._npz(f"analysis/{name}.npz")

    # --- writing ---

    def write(self, name: str, data: bytes | str) -> None:
        """Write a file of the run whole or not at all. Changing a sealed file breaks the seal: `seal` it again."""
        if name in SEALED:
            self.unseal()
        write_atomically(self.path / name, data)

    def seal(self) -> None:
        """Write SHA256SUMS over what does not change any more; from now on a changed file is a damaged one."""
        self.unseal()
        files = [name for name in SEALED if (self.path / name).is_file()]
        lines = [f"{hashlib.sha256((self.path / name).read_bytes()).hexdigest()}  {name}\n" for name in files]
        self.write("SHA256SUMS", "".join(lines))

    def unseal(self) -> None:
        """Remove SHA256SUMS, before anything it speaks of is written again."""
        (self.path / "SHA256SUMS").unlink(missing_ok=True)

    def write_json(self, name: str, tree: Mapping[str, Any]) -> None:
        """Write a small JSON file with a CRC; NaN becomes null, so that every reader can read it."""
        self.write(name, files.json_to(tree))

    def write_npz(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Write arrays (never objects) as a compressed npz."""
        self.write(name, files.arrays_to(arrays))

    def write_tensors(self, name: str, tensors: Mapping[str, np.ndarray]) -> None:
        """Write arrays as safetensors, with a digest of all values and names in the header."""
        self.write(name, files.tensors_to({k: np.asarray(v, order="C") for k, v in tensors.items()}))

    def set_status(self, **changes: Any) -> None:
        """Update status.json, keeping what is not named."""
        path = self.path / "status.json"
        old = files.json_from(path.read_text(encoding="utf-8")) if path.exists() else {}
        self.write_json("status.json", {**old, **changes, "updated": time.time()})

    def fail(self, message: str) -> None:
        """Say why it ended; where even that cannot be written, `status` finds out by itself that it is lost."""
        with contextlib.suppress(OSError):
            self.set_status(state="failed", message=message)

    # --- reading helpers ---

    def problem(self) -> str:
        """Say what is wrong with the run's small files, which lists read; "" if nothing is."""
        try:
            _ = self.config, self.about, self.status(), self.score()
        except RunError as error:
            return str(error)
        return ""

    def check(self) -> None:
        """Read everything there is; a RunError names the first file that is damaged."""
        if problem := self.problem():
            raise RunError(problem)
        self.history()
        for path in sorted(p for p in self.path.rglob("*.npz") if not p.name.startswith(".")):
            self._npz(str(path.relative_to(self.path)))
        for path in sorted(self.path.glob("*.safetensors")):
            self.tensors(path.name)
        for name in self._sums():
            if self._bytes(name) is None:
                raise RunError(f"{name} of run {self.id} is gone; restore it, or train the run again.")

    def _json(self, name: str) -> dict[str, Any] | None:
        try:
            tree = files.parsed(f"{self.path}/{name}", files.json_from)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            raise self._damaged(name, error) from error
        return dict(tree)

    def _npz(self, name: str) -> dict[str, np.ndarray] | None:
        data = self._bytes(name)
        if data is None:
            return None
        try:
            return files.arrays_from(data)
        except ValueError as error:
            raise self._damaged(name, error) from error

    def _bytes(self, name: str) -> bytes | None:
        """Return a file's contents, compared with SHA256SUMS where the run is sealed; None if there is no such file."""
        for _ in range(2):
            sums = self._sums()
            try:
                data = (self.path / name).read_bytes()
            except FileNotFoundError:
                return None
            except OSError as error:
                raise self._cannot(f"read {name} of", error) from error
            if sums.get(name) in (None, hashlib.sha256(data).hexdigest()):
                return data
            # Perhaps it was unsealed and rewritten between the two reads: look once more.
        raise self._damaged(name, "it has changed since the run ended")

    def _sums(self) -> dict[str, str]:
        try:
            return files.parsed(f"{self.path}/SHA256SUMS", _digests)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise self._damaged("SHA256SUMS", error) from error

    def _damaged(self, name: str, why: object) -> RunError:
        said = str(why).split("\n", 1)[0].rstrip(".") or type(why).__name__
        return RunError(f"{name} of run {self.id} is damaged ({said}); restore the file, or train the run again.")

    def _cannot(self, what: str, error: OSError) -> RunError:
        return RunError(f"Could not {what} run {self.id}: {in_words(error)}")


def _digests(text: str) -> dict[str, str]:
    found = {name: digest for digest, _, name in (line.partition("  ") for line in text.splitlines())}
    if not set(found) <= set(SEALED) or not all(re.fullmatch("[0-9a-f]{64}", v) for v in found.values()):
        raise ValueError("not a list of digests")
    return found


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value read from status.json is of the field's type."""
    if isinstance(value, tuple) or value is None:
        return hint not in (str, int, float) and all(isinstance(v, int) for v in value or ())
    return isinstance(value, {str: str, float: int | float}.get(hint, int))


class BusyError(RunError):
    """Somebody else is writing to the run."""


@contextmanager
def told(run: Run, what: str) -> Iterator[None]:
    """Turn what the system refuses into a RunError in words."""
    try:
        yield
    except LockedError as error:
        status = run.written_status()
        by = f" by process {status.pid} on {status.host}" if status.pid else ""
        raise BusyError(f"{run.title} is being trained{by}; stop that first.") from error
    except OSError as error:
        raise run._cannot(what, error) from error


# --- the store: a folder of runs ---


def default_store() -> Path:
    """Return where the app keeps runs: $DVAE_RUNS, or ./runs."""
    return Path(os.environ.get("DVAE_RUNS") or "runs").absolute()


def examples_folder() -> Path:
    """Return the folder of the runs that ship with the software."""
    return Path(__file__).parents[1] / "examples"


def examples() -> list[Run]:
    """Return the shipped runs, by name."""
    return list_runs(examples_folder(), newest_first=False)


def list_runs(store: Path, *, newest_first: bool = True) -> list[Run]:
    """Return the runs in a folder, broken ones too: any folder that holds a file that only runs have."""
    found: list[tuple[float, Run]] = []
    try:
        with os.scandir(store) as entries:
            for entry in entries:
                ours = not entry.name.startswith(".") and entry.is_dir()
                if ours and (made := _made(entry.path)) is not None:
                    found.append((made, Run(Path(entry.path))))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise RunError(f"The runs in {store} cannot be listed: {in_words(error)}") from error
    found.sort(key=(lambda f: (-f[0], f[1].id)) if newest_first else (lambda f: f[1].id))
    return [run for _, run in found]


def _made(folder: str) -> float | None:
    """Return when a run folder was made, None if it is none."""
    for name in ("config.json", "about.json", "status.json", "weights.safetensors"):
        try:
            return os.stat(f"{folder}/{name}").st_mtime
        except OSError:
            continue
    return None


def find(run_id: str, store: Path | None = None) -> Run:
    """Return the run with this id from the store or the shipped ones.

    Raises:
        RunError: If there is none. Ids are plain folder names, so a link cannot reach outside the store.
    """
    if run_id and Path(run_id).name == run_id and not run_id.startswith("."):
        for folder in (store or default_store(), examples_folder()):
            if _made(f"{folder}/{run_id}") is not None:
                return Run(folder / run_id)
    raise RunError(f"There is no run called {run_id!r}; pick one from the Runs page.")


def create(path: Path, config: Config, *, title: str = "") -> Run:
    """Make a run folder at `path` with its settings, ready to train.

    Raises:
        RunError: If the folder exists and is not empty.
    """
    path = Path(path).absolute()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise RunError(f"{path} already exists and is not empty; choose another folder, or resume the run in it.")
    new = Run(path.with_name(f".new-{secrets.token_hex(6)}"))
    try:
        new.path.mkdir(parents=True)
        about = {"title": clean_title(title) or path.name, "created": time.time(), "format": FORMAT}
        new.write_json("about.json", about)
        new.write("config.json", config.to_json())
        new.write_json("status.json", dataclasses.asdict(Status(updated=time.time())))
        if path.exists():
            path.rmdir()  # empty, as seen above
        new.path.rename(path)  # all of it or nothing: no list ever shows half a run
    except OSError as error:
        shutil.rmtree(new.path, ignore_errors=True)
        raise RunError(f"The run folder {path} cannot be written: {in_words(error)}") from error
    return Run(path)


def clean_title(text: str) -> str:
    """Return a title without control characters and without what pages would take for links or pictures."""
    return re.sub(r"[\x00-\x1f\x7f\[\]<>`$\\]", "", text).strip()[:100]


def new_path(store: Path, title: str) -> Path:
    """Return a free folder for a new run: a slug of the title and six random characters. Names come from us."""
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40] or "run"
    return store / f"{slug}-{secrets.token_hex(3)}"


def study_folder(path: Path) -> Run:
    """Return the folder of a study (many small populations, one file of records), made if it is not there.

    It has the form of a run, so that the same workers serve it, but lies too deep in the store to be listed as one.
    """
    return Run(path) if (path / "config.json").is_file() else create(path, Config(), title="What must u be like?")


def rename(run: Run, title: str) -> None:
    """Change what a person calls the run; its id and links stay."""
    if run.is_shipped:
        raise RunError("Runs that came with the software keep their names.")
    if not clean_title(title):
        raise RunError("A title needs at least one character.")
    with told(run, "rename"):
        run.write_json("about.json", {**run.about, "title": clean_title(title)})


def repair(run: Run) -> None:
    """Write a new status.json where it is damaged: finished if everything sealed is sound, else lost (resumable)."""
    if run.is_shipped:
        raise RunError("Runs that came with the software are not written to; install it again.")
    run.config  # noqa: B018  what to train must be known
    with run.lock(), told(run, "repair"):
        run.write_json("status.json", {"state": "lost", "message": "status.json was damaged."})
        if run._sums():
            run.check()
            steps = int(run.history()["step"].to_numpy().max())
            run.set_status(state="finished", step=steps, steps=steps, message="status.json was damaged and rewritten.")


def delete(run: Run) -> None:
    """Remove the run's folder for good, unless somebody is writing to it."""
    if run.is_shipped:
        raise RunError("Runs that came with the software cannot be deleted here.")
    if _made(str(run.path)) is None:
        raise RunError(f"{run.path} is not a run, so it is not deleted.")
    try:
        busy = run.status().is_active
    except RunError:
        busy = run.is_locked()  # a broken run can be deleted all the same
    if busy:
        raise BusyError(f"{run.title} is at work; stop it first.")
    gone = run.path.with_name(f".gone-{secrets.token_hex(6)}")
    with told(run, "delete"):
        run.path.rename(gone)  # first out of sight: a list never shows half of it
        shutil.rmtree(gone)
