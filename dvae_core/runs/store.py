"""The store: a folder of runs, the shipped runs, and the functions that make, rename and delete a run."""

import dataclasses
import json
import os
import re
import secrets
import shutil
import time
from pathlib import Path
from typing import Any

from dvae_core.config import Config
from dvae_core.runs.files import os_error_message
from dvae_core.runs.run import EXAMPLES, FORMAT, BusyError, Run, RunError, Status, os_errors_as_run_errors


def default_store() -> Path:
    """Return the folder in which the app keeps runs: $DVAE_RUNS, or ./runs."""
    return Path(os.environ.get("DVAE_RUNS") or "runs").absolute()


def examples_folder() -> Path:
    """Return the folder of the runs that ship with the software."""
    return EXAMPLES


def shipped(file: str, command: str) -> Any:
    """Return the content of a JSON file that ships beside the runs.

    Args:
        file: Its name.
        command: The command that makes it again.

    Raises:
        RunError: If it is missing or damaged.
    """
    try:
        return json.loads((EXAMPLES / file).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise RunError(f"The shipped file {file} is missing or damaged; `{command}` makes it again.") from None


def examples() -> list[Run]:
    """Return the shipped runs, by name."""
    return list_runs(examples_folder(), newest_first=False)


def list_runs(store: Path, *, newest_first: bool = True) -> list[Run]:
    """Return the runs in a folder, broken ones included: any folder with a file that only runs have."""
    dated: list[tuple[float, Run]] = []
    try:
        with os.scandir(store) as entries:
            for entry in entries:
                is_visible = not entry.name.startswith(".") and entry.is_dir()
                if is_visible and (made := _made(entry.path)) is not None:
                    dated.append((made, Run(Path(entry.path))))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise RunError(f"The runs in {store} cannot be listed: {os_error_message(error)}") from error
    dated.sort(key=(lambda pair: (-pair[0], pair[1].id)) if newest_first else (lambda pair: pair[1].id))
    return [run for _, run in dated]


def _made(folder: str) -> float | None:
    """Return when a run folder was created, or None if the folder is not a run."""
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
    """Create a run folder at `path` with its settings, ready to train.

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
        new.replace_status(**dataclasses.asdict(Status()))
        if path.exists():
            path.rmdir()  # empty, as checked above
        new.path.rename(path)  # atomic: no list ever shows half a run
    except OSError as error:
        shutil.rmtree(new.path, ignore_errors=True)
        raise RunError(f"The run folder {path} cannot be written: {os_error_message(error)}") from error
    return Run(path)


def clean_title(text: str) -> str:
    """Return a title without control characters and without text that pages would render as links or pictures."""
    return re.sub(r"[\x00-\x1f\x7f\[\]<>`$\\]", "", text).strip()[:100]


def new_path(store: Path, title: str) -> Path:
    """Return an unused folder for a new run: a slug of the title and six random characters, never the title itself."""
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40] or "run"
    return store / f"{slug}-{secrets.token_hex(3)}"


def unlisted_run(path: Path) -> Run:
    """Return the folder of an analysis that belongs to no run of the store; create it if it does not exist.

    It is stored as a run so that the same workers can process it, but nested so that it is not listed as one.
    """
    return Run(path) if (path / "config.json").is_file() else create(path, Config(), title="What must u be like?")


def rename(run: Run, title: str) -> None:
    """Change the run's title; its id and links stay the same."""
    if run.is_shipped:
        raise RunError("Runs that came with the software keep their names.")
    if not clean_title(title):
        raise RunError("A title needs at least one character.")
    with os_errors_as_run_errors(run, "rename"):
        run.write_json("about.json", {**run.about, "title": clean_title(title)})


def repair(run: Run) -> None:
    """Write a new status.json if it is damaged: finished if all sealed files are sound, otherwise lost (resumable)."""
    if run.is_shipped:
        raise RunError("Runs that came with the software are not written to; install it again.")
    run.config  # noqa: B018  what to train must be known
    with run.lock(), os_errors_as_run_errors(run, "repair"):
        run.replace_status(state="lost", message="status.json was damaged.")
        if run.is_sealed:
            run.check()
            steps = int(run.history()["step"].to_numpy().max())
            run.set_status(state="finished", step=steps, steps=steps, message="status.json was damaged and rewritten.")


def delete(run: Run) -> None:
    """Remove the run's folder permanently, unless a process is writing to it."""
    if run.is_shipped:
        raise RunError("Runs that came with the software cannot be deleted here.")
    if _made(str(run.path)) is None:
        raise RunError(f"{run.path} is not a run, so it is not deleted.")
    try:
        busy = run.status().is_active
    except RunError:
        busy = run.is_locked()  # a broken run can still be deleted
    if busy:
        raise BusyError(f"{run.title} is still running; stop it first.")
    gone = run.path.with_name(f".gone-{secrets.token_hex(6)}")
    with os_errors_as_run_errors(run, "delete"):
        run.path.rename(gone)  # hidden first, so that a list never shows half of it
        shutil.rmtree(gone)
