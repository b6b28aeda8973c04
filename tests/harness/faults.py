"""Inject faults for real, count what is lost, and time the recovery; then the bars of the queue and the store.

    python -m tests.harness.faults [--times 200] [--only NAME ...]

Every fault hits a run while it trains, or a finished run's files. The run is then resumed to its end and compared with
an undisturbed one: weights, latents, score and every row of the history must be equal bit for bit. Two finished runs
in the same store must not change by a bit meanwhile. `lost` counts runs that differ, that cannot be read, or whose
damage was not noticed. Seconds depend on the machine and its load; `lost` does not.
"""

import argparse
import contextlib
import dataclasses
import hashlib
import os
import random
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.update(DVAE_CHECKPOINT_SECONDS="0.2", OMP_NUM_THREADS="1", DVAE_WARM="0")

import psutil

from dvae_core import runs
from dvae_core.analysis.score.record import Scores
from dvae_core.config import Config, GaussianLikelihood, MlpNet, ModelConfig, SourcesData, TrainConfig
from dvae_core.runs import Run, RunError, files
from dvae_core.work import jobs
from tests.helpers import PATIENCE_S, until

ROOT = Path(__file__).parents[2]
# Like the app's server: it queues the runs and then waits.
SERVER = """
import sys, time
from pathlib import Path
from dvae_core import runs
from dvae_core.work import jobs
for folder in sys.argv[1:]:
    try:
        jobs.start(runs.Run(Path(folder)))
    except runs.RunError as error:
        print(error, flush=True)
print("started", flush=True)
time.sleep(3600)
"""


@dataclasses.dataclass
class Row:
    """One line of the table."""

    fault: str
    times: int = 0
    lost: int = 0
    notice: list[float] = dataclasses.field(default_factory=list)
    recover: list[float] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)

    def __str__(self) -> str:
        """Return the row as text."""
        seconds = [f"{statistics.median(s):7.2f}" if s else "      -" for s in (self.notice, self.recover)]
        return f"{self.fault:44s} {self.times:5d} {self.lost:5d}   {seconds[0]}   {seconds[1]}"


class Bench:
    """A store with two finished runs, the undisturbed run to compare with, and local workers."""

    def __init__(self, store: Path, *, epochs: int = 100, workers: int = 1, seed: int = 0) -> None:
        self.store = store
        self.random = random.Random(seed)
        self.workers = jobs.Workers(workers)
        jobs.use(train=self.workers)
        self.config = Config(
            data=SourcesData(segments=3, per_segment=100),
            model=ModelConfig(net=MlpNet(hidden=8), likelihood=GaussianLikelihood(noise="scalar")),
            train=TrainConfig(seeds=(0, 1), betas=(1.0, 1.0), epochs=epochs, batch=16),
        )
        self.count = 0
        self.reference = self.new("reference")
        self.finish(self.reference)
        self.guards = [self.reference, Run(shutil.copytree(self.reference.path, store / "bystander"))]
        self.digests = [digests(run.path) for run in self.guards]

    def new(self, name: str = "", config: Config | None = None) -> Run:
        """Make a run."""
        self.count += 1
        return runs.create(self.store / (name or f"run-{self.count}"), config or self.config)

    def finish(self, run: Run) -> float:
        """Train to the end here; return the seconds until the first new step."""
        before = run.status().step
        began = time.monotonic()
        jobs.start(run)
        until(lambda: run.written_status().step > before or run.written_status().state == "finished")
        moving = time.monotonic() - began
        until(lambda: run.status().state == "finished" and "analysis/score.json" in run.sums())
        until(lambda: not run.is_locked())
        return moving

    def begin(self, run: Run) -> int:
        """Start here and return the worker's pid once it is somewhere in the middle."""
        jobs.start(run)
        at = self.random.uniform(0.02, 0.9)
        until(lambda: ((s := run.written_status()).steps and s.step >= at * s.steps) or s.state == "finished")
        return run.written_status().pid or 0

    def is_whole(self, run: Run) -> str:
        """Compare with the undisturbed run; return what differs, "" if nothing."""
        try:
            run.check()
            for what in ("weights", "latents"):
                found, wanted = getattr(run, what)(), getattr(self.reference, what)()
                if set(found) != set(wanted) or any((found[k] != wanted[k]).any() for k in wanted):
                    return f"{what} differ"
            history = [r.history().drop(columns="seconds") for r in (run, self.reference)]
            if not history[0].equals(history[1]):
                return "history differs"
            if Scores.of(run) != Scores.of(self.reference):
                return "score differs"
        except RunError as error:
            return str(error)
        return ""

    def bystanders(self) -> str:
        """Return what happened to the finished runs, "" if nothing."""
        same = [digests(run.path) for run in self.guards] == self.digests
        return "" if same else "a finished run changed"

    def recovered(self, row: Row, run: Run) -> None:
        """Resume to the end, compare, count."""
        row.times += 1
        state = run.status().state
        if state != "finished":
            row.recover.append(self.finish(run))
        jobs.score_if_missed(run)  # as the next server does
        until(lambda: Scores.of(run) is not None)
        problem = self.is_whole(run) or self.bystanders()
        if problem:
            row.lost += 1
            row.notes.append(problem)
        else:
            shutil.rmtree(run.path)


def digests(folder: Path) -> dict[str, str]:
    """Return sha256 of every file but the log and the locks."""
    files = [p for p in folder.rglob("[!.]*") if p.is_file() and p.name != "log.txt"]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@contextlib.contextmanager
def server(*folders: Path) -> Iterator[subprocess.Popen]:
    """Another process that starts runs, as the app's server does."""
    command = [sys.executable, "-c", SERVER, *map(str, folders)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def kill_worker(bench: Bench, times: int) -> Row:
    """Kill -9 of the training process."""
    row = Row("kill -9 of the worker, mid-run")
    for _ in range(times):
        run = bench.new()
        pid = bench.begin(run)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        row.notice.append(until(lambda run=run: run.status().state in ("lost", "finished")))
        bench.recovered(row, run)
    return row


def term_worker(bench: Bench, times: int) -> Row:
    """SIGTERM, as at shutdown."""
    row = Row("SIGTERM of the worker, mid-run")
    for _ in range(times):
        run = bench.new()
        pid = bench.begin(run)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        row.notice.append(until(lambda run=run: run.status().state in ("stopped", "finished")))
        until(lambda pid=pid: not files.process_is_alive(pid))
        bench.recovered(row, run)
    return row


def stop_and_resume(bench: Bench, times: int) -> Row:
    """Stop by the button, and Resume."""
    row = Row("Stop by the button (notice: until stopped)")
    for _ in range(times):
        run = bench.new()
        bench.begin(run)
        jobs.stop(run)
        row.notice.append(until(lambda run=run: run.status().state in ("stopped", "finished")))
        until(lambda run=run: not run.is_locked())
        bench.recovered(row, run)
    return row


def kill_server(bench: Bench, times: int) -> Row:
    """Kill -9 of the server: its worker has to end by itself, with a checkpoint."""
    row = Row("kill -9 of the server (notice: worker gone)")
    for _ in range(times):
        run = bench.new()
        with server(run.path) as process:
            until(lambda run=run: run.written_status().step > 0 or run.written_status().state == "finished")
            pid = run.written_status().pid
            process.kill()
            row.notice.append(until(lambda pid=pid: not files.process_is_alive(pid)))
        if run.status().state not in ("stopped", "finished"):
            row.notes.append(f"left {run.status().state}")
        bench.recovered(row, run)
    return row


def file_limit(bench: Bench, times: int) -> Row:
    """No file may grow beyond some bytes from now on: what a quota does."""
    row = Row("file-size quota reached, mid-run")
    for _ in range(times):
        run = bench.new()
        pid = bench.begin(run)
        limit = bench.random.choice([3000, 9000, 14_000])
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        row.notice.append(until(lambda run=run: run.status().state in ("failed", "lost", "finished")))
        if run.status().state == "failed" and "would be larger" not in run.status().message:
            row.notes.append(run.status().message)
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        bench.recovered(row, run)
    return row


def full_disk(bench: Bench, times: int) -> Row:
    """A small tmpfs that fills up; needs root."""
    row = Row("disk full (tmpfs), mid-run")
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        row.notes.append("skipped: mounting a tmpfs needs root")
        return row
    with tempfile.TemporaryDirectory() as folder:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], check=False).returncode:
            row.notes.append("skipped: no tmpfs can be mounted here")
            return row
        try:
            for i in range(times):
                run = runs.create(Path(folder) / f"run-{i}", bench.config)
                bench.begin(run)
                filler = Path(folder) / "filler"
                with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
                    while True:
                        file.write(bytes(1024))
                row.notice.append(until(lambda run=run: run.status().state in ("failed", "lost", "finished")))
                if "disk is full" not in run.status().message and run.status().state != "finished":
                    row.notes.append(run.status().message)
                filler.unlink()
                bench.recovered(row, run)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run(["umount", folder], check=False)
    return row


def _damage(path: Path, how: str, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    if how == "cut":
        data = data[: chance.randrange(len(data))]
    else:
        at = chance.randrange(len(data) * 8)
        data[at // 8] ^= 1 << (at % 8)
    path.write_bytes(data)


def damaged_files(bench: Bench, times: int, how: str) -> Row:
    """Flip one bit of, or cut, a file of a finished run: it must be noticed, and only that run is concerned."""
    row = Row(f"{'bit flipped in' if how == 'flip' else 'truncated:'} a finished run's file")
    for i in range(times):
        folder = bench.store / f"damaged-{i}"
        run = Run(shutil.copytree(bench.reference.path, folder))
        path = bench.random.choice(sorted(p for p in folder.rglob("[!.]*") if p.is_file() and p.name != "log.txt"))
        before = path.read_bytes()
        _damage(path, how, bench.random)
        row.times += 1
        began = time.monotonic()
        if path.read_bytes() != before:
            try:
                run.check()
                row.notes.append(f"{path.name}: not noticed")
                row.lost += 1
            except RunError:
                row.notice.append(time.monotonic() - began)
        if bench.reference.id not in {r.id for r in runs.list_runs(bench.store)} or bench.bystanders():
            row.lost += 1
        shutil.rmtree(folder)
    return row


def damaged_checkpoint(bench: Bench, times: int) -> Row:
    """Damage what resuming reads: training begins again where it has to, with the same result."""
    row = Row("damaged checkpoint or history, then Resume")
    for i in range(times):
        run = bench.new()
        pid = bench.begin(run)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        until(lambda run=run: run.status().state in ("lost", "finished"))
        name = ("resume.safetensors", "history.csv", "weights.safetensors", "latents.npz")[i % 4]
        if run.status().state == "lost" and (run.path / name).is_file():
            _damage(run.path / name, "cut" if i % 2 else "flip", bench.random)
        bench.recovered(row, run)
    return row


def two_servers(bench: Bench, times: int) -> Row:
    """Two servers start the same run at the same moment."""
    row = Row("two servers start one run")
    for _ in range(times):
        run = bench.new()
        with server(run.path), server(run.path):
            until(lambda run=run: run.written_status().state == "finished")
            until(lambda run=run: Scores.of(run) is not None)
        bench.recovered(row, run)
    return row


def long_queue(bench: Bench, jobs_count: int) -> Row:
    """Many queued runs; the server that queued them is killed, and the next continues with all of them, in order."""
    row = Row(f"{jobs_count} queued jobs, server killed half-way")
    short = dataclasses.replace(bench.config, train=dataclasses.replace(bench.config.train, epochs=2))
    queued = [bench.new(f"queued-{i:03d}", short) for i in range(jobs_count)]
    with server(*(run.path for run in queued)) as process:
        until(lambda: sum(run.written_status().state == "finished" for run in queued) >= jobs_count // 4)
        process.kill()
    began = time.monotonic()
    os.environ["DVAE_RUNS"] = str(bench.store)
    until(lambda: all(not run.is_locked() for run in queued))
    jobs.resume_queue()
    for run in queued:
        if run.status().state in ("stopped", "lost"):
            jobs.start(run)
    until(lambda: all(r.status().state == "finished" and Scores.of(r) for r in queued), 4 * PATIENCE_S)
    row.recover.append(time.monotonic() - began)
    first = queued[0].weights()
    for run in queued:
        row.times += 1
        run.check()
        if any((run.weights()[k] != v).any() for k, v in first.items()):
            row.lost += 1
        shutil.rmtree(run.path)
    return row


def kill_dask_worker(bench: Bench, times: int) -> Row:
    """Kill -9 of a Dask worker mid-run: the scheduler gives the run to another, which continues from the checkpoint."""
    row = Row("kill -9 of a Dask worker, mid-run")
    try:
        from distributed import LocalCluster
    except ImportError:
        row.notes.append("skipped: pip install -r requirements-cluster.txt")
        return row
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        executor = jobs.dask_executor(cluster.scheduler_address)
        for _ in range(times):
            run = bench.new()
            future = executor.submit(jobs.perform, str(run.path), "train", {})
            until(lambda run=run: run.written_status().step > 0)
            pid = run.written_status().pid
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            row.recover.append(
                until(lambda run=run, pid=pid: (s := run.written_status()).pid != pid or s.state == "finished")
            )
            future.result(PATIENCE_S)
            bench.recovered(row, run)
        executor._client.close()
    return row


def orphans() -> list[str]:
    """Return the command lines of worker processes whose parent is gone."""
    found = []
    for process in psutil.process_iter(["cmdline", "ppid", "environ"]):
        line = " ".join(process.info["cmdline"] or ())
        is_child = (process.info["environ"] or {}).get("DVAE_FAULTS") == os.environ["DVAE_FAULTS"]
        if is_child and "dvae_core.work.worker" in line and process.info["ppid"] == 1:
            found.append(line)
    return found


def listing(bench: Bench, count: int = 1000) -> None:
    """Time the list of a store with many runs: the first look, and the next."""
    from dvae_core.analysis.tables import run_table

    with tempfile.TemporaryDirectory(dir=bench.store) as folder:
        light = [p for p in bench.reference.path.rglob("*") if p.suffix == ".json" or p.name == "SHA256SUMS"]
        for i in range(count):
            for path in light:
                target = Path(folder) / f"r{i}" / path.relative_to(bench.reference.path)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
        run_table([bench.reference])  # pandas is loaded
        time.sleep(0.3)
        for what in ("first", "again"):
            wall, cpu = time.perf_counter(), time.process_time()
            found = runs.list_runs(Path(folder))
            table = run_table(found)
            took = f"{1000 * (time.perf_counter() - wall):.0f} ms, CPU {1000 * (time.process_time() - cpu):.0f} ms"
            assert len(table) == count
            print(f"list {count:,} runs, {what}: {took} (bar 300 ms)")


def first_point(bench: Bench, times: int = 5) -> None:
    """Time from the click to the first point of the curve, with a warm worker."""
    took = []
    for _ in range(times):
        run = bench.new()
        began = time.monotonic()
        jobs.start(run)
        until(lambda run=run: (run.path / "history.csv").exists())
        took.append(time.monotonic() - began)
        until(lambda run=run: run.status().state == "finished" and Scores.of(run) is not None)
    print(f"first point, warm: median {statistics.median(took):.2f} s of {times} (bar 1 s)")


FAULTS: dict[str, tuple[Callable[..., Row], int]] = {  # how many of 200
    "stop": (stop_and_resume, 20),
    "kill-worker": (kill_worker, 30),
    "term-worker": (term_worker, 12),
    "kill-server": (kill_server, 10),
    "quota": (file_limit, 20),
    "disk-full": (full_disk, 12),
    "flip": (lambda bench, times: damaged_files(bench, times, "flip"), 40),
    "cut": (lambda bench, times: damaged_files(bench, times, "cut"), 26),
    "checkpoint": (damaged_checkpoint, 12),
    "two-servers": (two_servers, 4),
    "dask": (kill_dask_worker, 6),
    "queue": (long_queue, 50),
}


def main() -> None:
    """Inject, print the table, exit with 1 if anything was lost or left behind."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--times", type=int, default=200, help="faults in all, about (default 200; the queue is extra)")
    parser.add_argument("--only", nargs="+", choices=list(FAULTS), default=list(FAULTS))
    options = parser.parse_args()
    os.environ["DVAE_FAULTS"] = str(os.getpid())
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        print(f"{'fault':44s} times  lost    notice   recover  (median seconds)", flush=True)
        for name in options.only:
            inject, share = FAULTS[name]
            rows.append(inject(bench, max(1, round(share * options.times / 200))))
            print(rows[-1], *(f"\n    {note}" for note in sorted(set(rows[-1].notes))), flush=True)
        first_point(bench)
        listing(bench)
        bench.workers.shutdown()
        left = orphans()
    total, lost = sum(r.times for r in rows), sum(r.lost for r in rows)
    print(f"{total} faults, {lost} lost or corrupted, {len(left)} orphan processes")
    sys.exit(bool(lost or left))


if __name__ == "__main__":
    main()
