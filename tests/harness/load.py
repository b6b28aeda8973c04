"""Does the app stay quick while two models train? One run, both answers: idle first, then under load.

    python -m tests.harness.load [--moves 60]

A visitor (a websocket, no browser) moves a dial of the Data page and waits until the script has run; p95 of that with
two trainings at work is compared with p95 idle, on the same server within the same minute. Then twenty visitors at
once, and the server's memory over 200 reruns.
"""

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import psutil
from streamlit.proto.WidgetStates_pb2 import WidgetState

from dvae_core import recipes, runs
from dvae_core.config import SourcesData
from dvae_core.data.load import dataset_of
from dvae_core.runs import Run
from dvae_core.work import jobs
from tests.harness.sessions import Visitor
from tests.helpers import serve

PAGES = ("", "to=data", "to=train", "to=traverse", "to=rotate", "to=any_prior", "to=recover", "to=runs")


def quantiles(times: list[float]) -> tuple[float, float]:
    """p50 and p95, in milliseconds."""
    return 1000 * statistics.median(times), 1000 * sorted(times)[int(0.95 * (len(times) - 1))]


def moves(visitor: Visitor, count: int) -> list[float]:
    """Move the first dial of the page there and back; return the seconds of each."""
    dial = next(inner for kind, inner in visitor.widgets.values() if kind == "number_input")
    took = []
    for i in range(count):
        took.append(visitor.rerun(WidgetState(id=dial.id, double_value=float(2 + i % 2))))
    assert not visitor.exceptions, visitor.exceptions
    return took


def long_runs(store: Path, count: int = 2) -> list[Run]:
    """Start trainings that last longer than the measurement, each in a worker as the app's."""
    data = SourcesData()
    config = recipes.for_dataset(data, dataset_of(data), "ivae", members=4, epochs=100_000)
    made = [runs.create(store / f"long-{i}", config) for i in range(count)]
    for run in made:
        jobs.start(run)
    while not all(run.written_status().step > 0 for run in made):
        time.sleep(0.1)
    return made


def crowd(address: str, visitors: int, clicks: int) -> tuple[list[float], list[str]]:
    """Let visitors click about at once; return the seconds of each rerun and what went wrong."""
    took: list[float] = []
    wrong: list[str] = []

    def visit(i: int) -> None:
        visitor = Visitor(address, PAGES[i % len(PAGES)])
        for _ in range(clicks):
            took.append(visitor.rerun())
        wrong.extend(visitor.exceptions)
        visitor.close()

    threads = [threading.Thread(target=visit, args=(i,)) for i in range(visitors)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took, wrong


def main() -> None:
    """Measure and print; exit with 1 if a page failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--moves", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder)
        with serve(store, DVAE_WARM="0") as (address, server):
            visitor = Visitor(address, "to=data")
            moves(visitor, 10)
            idle = quantiles(moves(visitor, options.moves))
            training = long_runs(store)
            busy = quantiles(moves(visitor, options.moves))
            print(f"idle: p50 {idle[0]:.0f} ms, p95 {idle[1]:.0f} ms")
            print(f"with {len(training)} trainings: p50 {busy[0]:.0f} ms, p95 {busy[1]:.0f} ms")
            print(f"p95 busy / idle = {busy[1] / idle[1]:.2f} (bar 2)")
            took, wrong = crowd(address, 20, 10)
            print(f"20 visitors x 10 reruns beside them: p50, p95 = {quantiles(took)} ms, {len(wrong)} exceptions")
            for run in training:
                jobs.stop(run)
            while any(run.status().is_active for run in training):
                time.sleep(0.05)
            memory = psutil.Process(server.pid).memory_info
            moves(visitor, 50)
            before = memory().rss
            moves(visitor, 200)
            print(f"server memory: {before / 2**20:.0f} MB, {(memory().rss - before) / 2**20:+.1f} MB after 200 reruns")
            jobs.place().shutdown()
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
