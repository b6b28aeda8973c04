"""A study: the product of data sets, models, betas and seeds, trained as populations and scored into one table.

    study.json       its definition: the data, model and complete Config of every population
    state.json       how long it has run, and which errors occurred
    table.parquet    one row per model: data, model, beta, seed, failed, stuck, and every score
    STOP, .lock      STOP: present when a stop was requested; .lock: held by the process that hands out the work

The betas and seeds of one data set and model are members of the same Run, so that they train in one program. A Run
holds at most 16 of them, with all seeds of a beta together. Runs lie in a store under names made of their Config's key,
so that a finished Run is skipped, no matter which study trained it. The Executor decides where they train (`jobs`).
This module does not import torch.
"""

import dataclasses
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvae_core import runs
from dvae_core.analysis.dimensions import Dimension, dimension_of
from dvae_core.analysis.score.record import Scores
from dvae_core.analysis.study_table import NAMES
from dvae_core.axes import Table
from dvae_core.config import Config, ConfigError
from dvae_core.runs import Run, RunError, files
from dvae_core.runs.files import write_atomically
from dvae_core.runs.locks import LockedError, is_locked, locked
from dvae_core.work import jobs
from dvae_core.work.populations import Population

LOOK_SECONDS = 0.1  # between two checks for STOP
TRAINING = 0.9  # approximate share of a population's work; the rest is scoring
COLUMNS = ("data", "model", "beta", "seed", "state", "failed", "stuck", *NAMES, "run", "member", "problem")


# --- the folder -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Progress:
    """The progress of a study. `state`: new, running, stopping, stopped or finished; `done`, `models` count members.

    `share`, 0..1, also counts work that is half done.
    """

    state: str
    share: float
    done: int
    models: int
    populations: int
    seconds: float
    seconds_left: float | None
    at_work: tuple[Population, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Study:
    """A handle on a study's folder and on the store of its runs; everything is read on request."""

    path: Path
    store: Path

    @property
    def id(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def title(self) -> str:
        """The study's title."""
        return str(self._tree()["title"])

    @property
    def populations(self) -> list[Population]:
        """The study's populations.

        Raises:
            RunError: If study.json is missing or damaged.
        """
        try:
            return [
                Population(p["data"], p["model"], Config.from_json(json.dumps(p["config"])))
                for p in self._tree()["populations"]
            ]
        except (KeyError, TypeError, ConfigError) as error:
            raise RunError(
                f"study.json in {self.path} is damaged ({error}); restore it or delete the folder."
            ) from error

    def dimensions(self) -> list[Dimension]:
        """The results so far by number of latents, ascending; [] unless the populations differ in nothing else."""
        trained = [p for p in self.populations if not p.config.given.method]
        alike = {p.run_id: dataclasses.replace(p.config.model, latents=1) for p in trained}
        models = {p.config.model.latents for p in trained}
        is_recording = all(p.config.model.student for p in trained)
        if not is_recording or len(set(alike.values())) > 1 or len(models) < max(2, len(trained)):
            return []
        found = [dimension_of(self.run(p)) for p in trained]
        return sorted((one for one in found if one is not None), key=lambda one: one.latents)

    def run(self, population: Population) -> Run:
        """Return the population's run, which may not exist yet."""
        return Run(self.store / population.run_id)

    def is_running(self) -> bool:
        """Whether a process is handing out its work now."""
        return is_locked(self.path / ".lock")

    def status(self) -> Progress:
        """Return the study's progress, from the runs' folders; the time left is measured, so it is None at first."""
        everything, state_file = self.populations, self._state()
        parts = [self._part(p) for p in everything]
        members = [p.config.members for p in everything]
        done = sum(m for m, (share, _, _) in zip(members, parts, strict=True) if share == 1)
        running = self.is_running()
        if running:
            state = "stopping" if (self.path / "STOP").exists() else "running"
        elif all(share == 1 for share, _, _ in parts):
            state = "finished"
        else:
            state = "stopped" if state_file.get("seconds") or any(share for share, _, _ in parts) else "new"
        seconds = float(state_file.get("seconds", 0.0)) + (
            time.time() - float(state_file.get("began", 0)) if running else 0.0
        )
        at_work = tuple(p for p, (_, _, active) in zip(everything, parts, strict=True) if active)
        left = self._left(everything, parts, state_file) if running else None
        share = sum(m * s for m, (s, _, _) in zip(members, parts, strict=True)) / sum(members)
        return Progress(
            state,
            share,
            done,
            sum(members),
            len(everything),
            seconds,
            left,
            at_work,
            str(state_file.get("problem", "")),
        )

    def _part(self, population: Population) -> tuple[float, float, bool]:
        """Return the share of a population that is done, its seconds of training, and whether it is running."""
        run = self.run(population)
        if not (run.path / "config.json").is_file():
            return 0.0, 0.0, False
        status = run.status()
        if status.state == "finished":
            scored = run.record("members") is not None
            return (1.0 if scored else TRAINING), status.seconds, not scored and self.is_running()
        share = TRAINING * status.step / status.steps if status.steps else 0.0
        return share, status.seconds, status.state in ("warming", "running")

    def _left(
        self, everything: list[Population], parts: list[tuple[float, float, bool]], state_file: dict
    ) -> float | None:
        """Estimate from the finished populations: a population takes as long as others of its kind did."""
        through = [(p, s) for p, (share, s, _) in zip(everything, parts, strict=True) if share == 1 and s > 0]
        if not through:
            return None

        def cost(population: Population) -> float:
            for alike in (
                lambda p: (p.data, p.model) == (population.data, population.model),
                lambda p: p.data == population.data,
                lambda p: True,
            ):
                per_member = [s / p.config.members for p, s in through if alike(p)]
                if per_member:
                    return population.config.members * sum(per_member) / len(per_member)
            return 0.0

        costs = [cost(p) for p in everything]
        whole = sum(costs)
        now = sum(c * share for c, (share, _, _) in zip(costs, parts, strict=True))
        before = float(state_file.get("share", 0.0)) * whole  # work that was done when this session began
        spent = time.time() - float(state_file.get("began", time.time()))
        return spent * (whole - now) / (now - before) if now > before else None

    def table(self) -> Table:
        """Return the rows known so far, one per model in a fixed order; NaN if a score is unknown.

        `failed`: its bound was not finite, or its run failed (`problem` has the message). `stuck`: see `metrics.stuck`.
        Scores are held-out; the ELBO and its parts are in nats per example. `agreement` and `udr` compare a member with
        the other seeds of its beta.
        """
        import pandas as pd

        rows = [row for p in self.populations for row in self._rows(p)]
        table = pd.DataFrame(rows).reindex(columns=list(COLUMNS))
        return table.astype(dict.fromkeys(NAMES, float) | {"failed": bool, "stuck": bool, "beta": float})

    def _rows(self, population: Population) -> list[dict[str, Any]]:
        run, train = self.run(population), population.config.train
        status = run.status() if (run.path / "config.json").is_file() else runs.Status()
        scores, more = Scores.of(run), run.record("members") or {}
        rows = []
        for m in range(population.config.members):
            row: dict[str, Any] = {
                "data": population.data, "model": population.model, "beta": train.betas[m], "seed": train.seeds[m],
                "state": status.state, "failed": status.state == "failed" or m in status.failed_members, "stuck": False,
                "run": run.id, "member": m, "problem": status.message if status.state == "failed" else "",
            }  # fmt: skip
            known = [dataclasses.asdict(scores.members[m])] if scores else []
            for record in (*known, *more.get("members", ())[m : m + 1]):
                row |= {k: v for k, v in record.items() if k in COLUMNS and k not in row}
            if scores:
                row["mcc"], row["stuck"] = scores.members[m].mcc_pearson, scores.members[m].stuck
            rows.append(row)
        return rows

    def _tree(self) -> dict[str, Any]:
        try:
            return files.parsed(self.path / "study.json", json.loads)
        except FileNotFoundError as error:
            raise RunError(f"There is no study in {self.path}.") from error
        except (OSError, ValueError) as error:
            raise RunError(f"study.json in {self.path} cannot be read: {error}") from error

    def _state(self) -> dict[str, Any]:
        try:
            return json.loads((self.path / "state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}  # only a clock and a message; the runs themselves record the progress

    def _write_state(self, **changes: Any) -> None:
        write_atomically(self.path / "state.json", json.dumps({**self._state(), **changes}))


def create(
    path: Path, everything: Sequence[Population], *, title: str = "", store: Path | None = None, full: bool = False
) -> Study:
    """Create a study at `path`, or open the same one if it already exists there.

    Args:
        path: Its folder.
        everything: Its populations, from `populations` or built from any other Configs.
        title: Its title.
        store: Folder for its runs; None for the same folder.
        full: Also compute the scores that take minutes per model (DCI and others).

    Raises:
        RunError: If a different study exists there, or if the folder cannot be written to.
    """
    path = Path(path).absolute()
    study = Study(path, (store or path).absolute())
    tree = {
        "title": runs.clean_title(title) or path.name, "created": time.time(), "full": full,
        "populations": [_entry(p) for p in everything],
    }  # fmt: skip
    if (path / "study.json").exists():
        if [p.run_id for p in study.populations] != [p.run_id for p in everything]:
            raise RunError(f"{path} holds another study; choose another folder, or resume it with its own settings.")
        if study._tree().get("full") == full:
            return study
    try:
        path.mkdir(parents=True, exist_ok=True)
        write_atomically(path / "study.json", json.dumps(tree, indent=1))
    except OSError as error:
        raise RunError(f"The study cannot be written to {path}: {files.os_error_message(error)}") from error
    return study


def opened(path: Path) -> Study:
    """Return the study in a folder. Its runs lie there too; those of a study of the app lie in the store above it."""
    path = Path(path).absolute()
    above = Study(path, path.parent.parent)
    of_app = path.parent.name == "studies" and any(above.run(p).path.exists() for p in above.populations)
    return above if of_app else Study(path, path)


def add(path: Path, run: Run, data: str) -> Run:
    """Move a run of imported latents into a study, created if it does not exist: one row of its table per seed.

    Args:
        path: The study's folder.
        run: The run, which gets the folder that the study expects.
        data: The name of its data in the table.

    Returns:
        The run in its place.

    Raises:
        RunError: If the study is running, has such a row, or cannot be written to.
    """
    path, new = Path(path).absolute(), Population(data, run.config.given.method, run.config)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with locked(path / ".lock"):
            study = opened(path) if (path / "study.json").exists() else create(path, [new])
            place = study.run(new).path
            if place.exists():
                raise RunError(
                    f"{study.title} has latents of {new.model} on {data} with these seeds; give another --method."
                )
            run.path.rename(place)
            if new.run_id not in [p.run_id for p in study.populations]:
                tree = study._tree()
                tree["populations"].append(_entry(new))
                write_atomically(path / "study.json", json.dumps(tree, indent=1))
            return Run(place)
    except LockedError as error:
        raise RunError(f"The study in {path} is running; add the latents when it has finished.") from error
    except OSError as error:
        raise RunError(f"The study cannot be written to {path}: {files.os_error_message(error)}") from error


def _entry(population: Population) -> dict[str, Any]:
    """Return what study.json holds of a population."""
    config = json.loads(population.config.to_json())
    return {"data": population.data, "model": population.model, "config": config}


def list_studies(store: Path) -> list[Study]:
    """Return the studies of a store, newest first: those under studies/, and one in the store itself."""
    found = [*store.glob("studies/*/study.json"), *store.glob("study.json")]
    found.sort(key=lambda file: (-file.stat().st_mtime, file))
    return [Study(file.parent, store) for file in found]


def new_path(store: Path, title: str) -> Path:
    """Return an unused folder for a new study of a store."""
    return runs.new_path(store / "studies", title)


# --- the work ---------------------------------------------------------------------------------------------------------


def perform(study: Study, executor: Executor, *, should_stop: Callable[[], bool] = lambda: False) -> Iterator[Progress]:
    """Train and score unfinished populations on any Executor; write table.parquet. To resume, call it again.

    Local workers are given no more at once than they can process, so another training waits for one population at most.
    Any other Executor gets everything at once. A population that fails becomes a row that says so, and is tried again
    next time.

    Yields:
        Progress, several times a second while it works.

    Raises:
        RunError: If another process is working on the study, or if the folder cannot be written to.
    """
    try:
        with locked(study.path / ".lock"):
            yield from _perform(study, executor, should_stop)
    except LockedError as error:
        raise RunError(f"{study.title} is already running.") from error
    except OSError as error:
        raise RunError(f"{study.title} cannot continue: {files.os_error_message(error)}") from error
    yield study.status()  # no process holds it now: finished or stopped


def _perform(study: Study, executor: Executor, should_stop: Callable[[], bool]) -> Iterator[Progress]:
    (study.path / "STOP").unlink(missing_ok=True)
    everything, full = study.populations, bool(study._tree().get("full"))
    parts = [study._part(p)[0] * p.config.members for p in everything]
    share = sum(parts) / sum(p.config.members for p in everything)
    seconds, began = float(study._state().get("seconds", 0.0)), time.time()
    study._write_state(began=began, share=share, problem="")
    at_once = executor.limit if isinstance(executor, jobs.Workers) else len(everything)
    waiting = [p for p in everything if study._part(p)[0] < 1 or _wants_more(study.run(p), full)]
    futures: dict[Future, tuple[Population, str]] = {}
    try:
        while waiting or futures:
            while waiting and len(futures) < at_once:
                population = waiting.pop(0)
                try:
                    name, future = _submit(study, population, executor, full)
                except RunError as error:  # another process is training it, or its folder is damaged
                    study._write_state(problem=str(error))
                    continue
                futures[future] = population, name
            ended, _ = wait(futures, LOOK_SECONDS, FIRST_COMPLETED)
            for future in ended:
                population, name = futures.pop(future)
                if future.cancelled():
                    continue
                if (error := future.exception()) is not None:
                    _note(study, population, name, error)
                elif name == "train" and study.run(population).status().state == "finished":
                    waiting.insert(0, population)  # it is scored next
            if ended:
                _write(study)
            yield study.status()
            if should_stop() or (study.path / "STOP").exists():
                break
    finally:
        for future, (population, name) in futures.items():
            if name == "train":
                jobs.stop(study.run(population))
            future.cancel()
        _settled(study, [population for population, _ in futures.values()])
        study._write_state(seconds=seconds + time.time() - began)
        (study.path / "STOP").unlink(missing_ok=True)
        _write(study)


def _wants_more(run: Run, full: bool) -> bool:
    record = run.record("members")
    return full and record is not None and not record.get("full")


def _submit(study: Study, population: Population, executor: Executor, full: bool) -> tuple[str, Future]:
    run = study.run(population)
    if not run.path.exists():
        runs.create(run.path, population.config, title=title_of(population))
    if run.status().state == "finished":
        return "members", jobs.submit(executor, run, "members", {"full": full})
    return "train", jobs.start(run, executor)


def title_of(population: Population) -> str:
    """Return the name of a population among all runs: "beta-VAE, posterior full, on neurons, n neurons 30"."""
    settings = population.model.split(",")[1:]
    pieces = [population.config.model_name, *settings, f"on {population.data}"]
    return ", ".join(pieces).replace(",", ", ").replace(",  ", ", ").replace("=", " ").replace("_", " ")


def _note(study: Study, population: Population, name: str, error: BaseException) -> None:
    """Keep the error message in the study's state, and in the run's if the run does not know it (its worker died)."""
    run, message = study.run(population), str(error).split("\n", 1)[0] or type(error).__name__
    study._write_state(problem=f"{population.model} on {population.data}: {message}")
    if name == "train" and run.status().state not in ("failed", "stopped", "finished"):
        run.set_status(state="failed", message=message)


def _settled(study: Study, stopping: list[Population]) -> None:
    """Wait a few seconds until the trainings that were asked to stop have written their checkpoints."""
    deadline = time.monotonic() + 10
    while any(study.run(p).is_locked() for p in stopping) and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)


def _write(study: Study) -> None:
    temporary = study.path / f".table-{os.getpid()}.parquet"
    study.table().to_parquet(temporary, index=False)
    temporary.replace(study.path / "table.parquet")


# --- in the background of the app -------------------------------------------------------------------------------------

_guard = threading.Lock()


def start(study: Study) -> None:
    """Start or resume in a thread of this process, on the app's workers; it ends with the server and can be resumed.

    Raises:
        RunError: If it is already running.
    """
    with _guard:
        if study.is_running():
            raise RunError(f"{study.title} is already running.")
        begun = threading.Event()
        threading.Thread(target=_drive, args=(study, begun), daemon=True, name="dvae-study").start()
        begun.wait(5)


def _drive(study: Study, begun: threading.Event) -> None:
    try:
        for _ in perform(study, jobs.place()):
            begun.set()
    except RunError as error:
        study._write_state(problem=str(error))
    finally:
        begun.set()


def stop(study: Study) -> None:
    """Ask the process that works on the study to stop; trainings write their checkpoints first."""
    if study.is_running():
        (study.path / "STOP").touch()
