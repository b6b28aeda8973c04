"""Work in a separate process: started, stopped, resumed, queued, lost; never twice, and never left behind."""

import dataclasses
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from dvae_core import runs
from dvae_core.analysis.score.record import Scores
from dvae_core.config import TrainConfig
from dvae_core.runs import Run, RunError
from dvae_core.training.train import train
from dvae_core.work import jobs
from tests.helpers import small_config, until

pytestmark = pytest.mark.timeout(300)


def a_pid_that_ended() -> int:
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    return gone.pid


@pytest.fixture(scope="module")
def place() -> Path:
    """Local workers for this module; their processes end with it."""
    workers = jobs.Workers(1)
    jobs.use(train=workers, analyse=workers)
    yield workers
    workers.shutdown()
    jobs.use()


def test_a_run_is_queued_trained_stopped_resumed_and_scored(place, tmp_path):
    whole, run, next_one = (
        runs.create(tmp_path / name, small_config((0,), model="vae", epochs=60)) for name in ("whole", "run", "next")
    )
    jobs.start(run)
    with pytest.raises(RunError, match="nothing to start"):
        jobs.start(run)
    jobs.start(next_one)
    assert (next_one.status().state, jobs.ahead(next_one)) == ("queued", 0)
    until(lambda: run.status().state == "running" and run.status().step > 0)

    jobs.stop(next_one)  # out of the queue
    assert next_one.status().state == "stopped"
    jobs.stop(run)
    until(lambda: run.status().state == "stopped")
    assert run.weights()
    until(lambda: not run.is_locked())

    jobs.start(run)
    until(lambda: run.status().state == "finished")
    until(lambda: Scores.of(run) is not None)
    with ThreadPoolExecutor(1) as here:  # the same interface, in this process
        here.submit(jobs.perform, str(whole.path), "train", {}).result()
    for name, weight in whole.weights().items():
        np.testing.assert_array_equal(run.weights()[name], weight, err_msg=name)
    whole.check()
    run.check()
    assert Scores.of(whole).mean == Scores.of(run).mean
    with pytest.raises(RunError, match="nothing to start"):
        jobs.start(run)


@pytest.mark.slow
def test_a_killed_worker_leaves_a_lost_run_that_resumes(place, tmp_path):
    run = runs.create(tmp_path / "run", small_config((0,), model="vae", epochs=300))
    jobs.start(run)
    until(lambda: run.status().step > 0)
    os.kill(run.status().pid, signal.SIGKILL)
    until(lambda: run.status().state == "lost")
    until(lambda: "signal 9" in run.status().message)
    jobs.start(run)
    until(lambda: run.status().state == "running")
    jobs.stop(run)
    until(lambda: run.status().state == "stopped")


@pytest.mark.slow
def test_an_error_is_the_runs_message_and_in_its_log(place, tmp_path):
    broken = dataclasses.replace(
        small_config((0,), model="vae"), train=TrainConfig(seeds=(0,), betas=(1.0,), device="mps")
    )
    run = runs.create(tmp_path / "run", broken)
    jobs.start(run)
    until(lambda: run.status().state == "failed")
    assert "this machine has only" in run.status().message
    until(lambda: "this machine has only" in jobs.log_tail(run))
    jobs.analyse(run, "no such analysis")
    until(lambda: jobs.why(run, "no such analysis"))
    assert "no analysis 'no such analysis'" in jobs.why(run, "no such analysis")
    assert not jobs.is_analysing(run)


def test_only_text_and_numbers_are_sent_to_a_worker(place):
    with pytest.raises(TypeError, match="can only perform"):
        place.submit(print, "x")


@pytest.mark.slow
def test_a_run_in_use_is_refused_and_its_state_left_alone(place, tmp_path):
    run = runs.create(tmp_path / "run", small_config((0,), model="vae"))
    with run.lock():
        run.set_status(state="running", pid=os.getpid())
        with pytest.raises(RunError, match="is running"):
            jobs.start(run)
        run.set_status(state="queued", pid=None)  # as another server might have left it
        jobs.start(run)
        until(lambda: "stop that first" in jobs.why(run, "train"))
        assert run.written_status().state == "queued"


@pytest.mark.slow
def test_a_worker_ended_between_training_and_scoring_leaves_no_run_without_scores(place, tmp_path):
    run = runs.create(tmp_path / "run", small_config((0,), model="vae"))
    jobs.start(run)
    until(lambda: run.written_status().state == "finished")
    os.kill(run.written_status().pid, signal.SIGKILL)  # scoring takes some tenths of a second
    until(lambda: Scores.of(run) is not None)


@pytest.mark.slow
def test_runs_left_without_scores_by_an_ended_server_are_scored(place, tmp_path, monkeypatch):
    monkeypatch.setenv("DVAE_RUNS", str(tmp_path))
    run, other = (runs.create(tmp_path / name, small_config((0,), model="vae")) for name in ("run", "other"))
    for each in (run, other):
        list(train(each))
    run.set_status(pid=a_pid_that_ended())
    jobs.resume_queue()
    until(lambda: Scores.of(run) is not None)
    assert Scores.of(other) is None  # the process that trained it, this one, may be about to


def test_jobs_left_queued_by_an_ended_server_resume_in_order(place, tmp_path, monkeypatch):
    pid = a_pid_that_ended()
    monkeypatch.setenv("DVAE_RUNS", str(tmp_path))
    for at, name in ((2.0, "second"), (1.0, "first"), (3.0, "third")):
        run = runs.create(tmp_path / name, small_config((0,), model="vae"))
        run.set_status(state="queued", pid=pid, host=socket.gethostname(), queued_at=at)
    runs.create(tmp_path / "mine", small_config((0,), model="vae"))
    Run(tmp_path / "third").write("status.json", "{")
    assert Run(tmp_path / "first").status().state == "lost"
    started: list[str] = []

    class Recorder(ThreadPoolExecutor):
        def submit(self, fn, /, *args, **kwargs) -> Future:
            started.append(Path(args[0]).name)
            return Future()

    jobs.use(train=Recorder(1), analyse=place)
    try:
        jobs.resume_queue()
    finally:
        jobs.use(train=place, analyse=place)
    assert started == ["first", "second"]
    assert Run(tmp_path / "first").status().state == "queued"
