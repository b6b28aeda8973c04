"""Shared by several test files: small settings, a trained run, a served app, and what a page shows."""

import dataclasses
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jaxtyping
from streamlit.testing.v1 import AppTest

from dvae_core import recipes, runs
from dvae_core.analysis.common import Computation
from dvae_core.analysis.score.record import Scores
from dvae_core.config import Config, MlpNet, SourcesData, TrainConfig
from dvae_core.data.dataset import Dataset
from dvae_core.data.load import dataset_of

ROOT = Path(__file__).parents[1]
PATIENCE_S = 180.0  # for what takes seconds on a quiet machine
SMALL_DATA = SourcesData(segments=3, per_segment=100)


def small_config(seeds=(0, 1), *, model: str = "ivae", epochs: int = 12, betas=None, **train_settings) -> Config:
    """Return settings that train in about a second: nets of 8 units on 300 examples."""
    made = recipes.for_dataset(SMALL_DATA, dataset_of(SMALL_DATA), model, batch=16, posterior="full")
    return dataclasses.replace(
        made,
        model=dataclasses.replace(made.model, net=MlpNet(hidden=8)),
        train=TrainConfig(seeds=seeds, betas=betas or (1.0,) * len(seeds), epochs=epochs, batch=16, **train_settings),
    )


def trained_run(
    path: Path, config: Config, dataset: Dataset | None = None, *, title: str = "", score: bool = False
) -> runs.Run:
    """Make a run at `path`, train it to its end in this process, and score it where asked."""
    from dvae_core.analysis.score.compute import score as score_run

    run = finish(runs.create(path, config, title=title), dataset)
    if score:
        score_run(run)
    return run


def scores_of(run: runs.Run) -> Scores:
    """Return the scores of a run that is scored."""
    scores = Scores.of(run)
    assert scores is not None
    return scores


def finish(run: runs.Run, dataset: Dataset | None = None) -> runs.Run:
    """Train a run to its end in this process, and return it.

    Shapes are checked up to the first report. Later steps have the same shapes, and checking them doubles their time.
    """
    from dvae_core.training.train import train

    training = train(run, dataset)
    next(training, None)
    with unchecked():
        for _ in training:
            pass
    return run


@contextmanager
def unchecked() -> Iterator[None]:
    """Leave out the checks of shapes, for long work in shapes that another test checks."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", before)


def result_of(computation: Computation) -> Mapping[str, Any]:
    """Run an analysis to its end, and return what it found."""
    while True:
        try:
            next(computation)
        except StopIteration as end:
            return end.value


def until(is_true: Callable[[], object], seconds: float = PATIENCE_S) -> float:
    """Wait until something is true; return how long it took. A TimeoutError if it does not come true."""
    began = time.monotonic()
    while not is_true():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"it did not come true within {seconds:g} s")
        time.sleep(0.01)
    return time.monotonic() - began


# --- pages ---


def check(at: AppTest) -> AppTest:
    """Assert that the page shows neither an exception nor an error; return it."""
    assert not at.exception, [e.message for e in at.exception]
    assert not at.error, [e.value for e in at.error]
    return at


def page_text(at: AppTest) -> str:
    """Return all text of the page: paragraphs, captions and boxes of every kind."""
    kinds = ("markdown", "info", "warning", "error", "success", "caption", "text")
    return "\n".join(str(element.value) for kind in kinds for element in at.get(kind))


def figures(at: AppTest) -> list[dict]:
    """Return the plotly figures of the page, in order."""
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


# --- servers ---


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextmanager
def serve(
    store: Path, script: Path = ROOT / "app.py", **environment: str
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run a Streamlit script on a free port with this store; yield host:port and the process, which is ended after."""
    port, log = free_port(), store / ".server.log"
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DVAE_RUNS": str(store), **environment}
    with log.open("ab") as out:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5):
                    break
            except OSError:
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
        yield f"127.0.0.1:{port}", server
    finally:
        server.terminate()
        server.wait(30)
