"""The run folder: whole or not at all, damaged files said in words, names that cannot leave the store."""

import io
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from dvae_core import runs
from dvae_core.analysis import read
from dvae_core.config import Config
from dvae_core.runs import RunError


@pytest.fixture
def run(tmp_path):
    return runs.create(tmp_path / "store" / "mine", Config(), title="Mine")


def test_created_runs_are_listed_found_and_renamed(run, tmp_path):
    store = tmp_path / "store"
    assert [r.id for r in runs.list_runs(store)] == ["mine"]
    assert runs.find("mine", store) == run
    assert run.config == Config()
    assert (run.title, run.status().state) == ("Mine", "queued")
    runs.rename(run, "  Yours ")
    assert (run.title, run.id) == ("Yours", "mine")
    with pytest.raises(RunError, match="at least one character"):
        runs.rename(run, "  ")
    runs.delete(run)
    assert runs.list_runs(store) == []


@pytest.mark.parametrize("name", ["../mine", "/etc", "", "mine/.."])
def test_a_link_cannot_leave_the_store(run, tmp_path, name):
    with pytest.raises(RunError, match="no run called"):
        runs.find(name, tmp_path / "store")


def test_new_paths_are_ours_whatever_the_title(tmp_path):
    for title in ("../../etc/passwd", "<b>", "", "é" * 500, "a b"):
        path = runs.new_path(tmp_path, title)
        assert path.parent == tmp_path
        assert path.name.isascii()
        assert len(path.name) < 60


def test_an_occupied_folder_is_not_overwritten(run):
    with pytest.raises(RunError, match="not empty"):
        runs.create(run.path, Config())


@pytest.mark.parametrize(
    ("name", "read_it"),
    [
        ("config.json", lambda r: r.config),
        ("status.json", lambda r: r.status()),
        ("weights.safetensors", lambda r: r.weights()),
        ("latents.npz", lambda r: r.latents()),
        ("analysis/score.json", lambda r: r.score()),
    ],
)
@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 40, b"[1]", b"<html>quota</html>"])
def test_a_damaged_file_is_said_in_one_sentence(run, name, read_it, content):
    run.write(name, content)
    with pytest.raises(RunError) as caught:
        read_it(run)
    assert "\n" not in str(caught.value)


def test_a_broken_run_is_listed_with_its_reason_and_hides_no_other(run, tmp_path):
    broken = runs.create(tmp_path / "store" / "broken", Config())
    broken.write("config.json", "{")
    table = read.run_table(runs.list_runs(tmp_path / "store")).set_index("id")
    assert table.loc["mine", "problem"] == ""
    assert table.loc["broken", "state"] == "broken"
    assert "not valid JSON" in table.loc["broken", "problem"]


def test_a_worker_that_vanished_is_failed_not_running(run):
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    import socket

    run.set_status(state="running", pid=gone.pid, host=socket.gethostname())
    assert run.status().state == "failed"
    run.set_status(pid=os.getpid())
    assert run.status().state == "running"
    with pytest.raises(RunError, match="stop it first"):
        runs.delete(run)


def test_writes_are_whole_or_not_at_all(run):
    run.write("a.txt", "old")
    with pytest.raises(TypeError):
        run.write("a.txt", 3)
    assert (run.path / "a.txt").read_text() == "old"
    assert not list(run.path.glob(".*tmp"))


def test_nan_becomes_null_in_json(run):
    run.write_json("analysis/score.json", {"a": np.array([1.0, np.nan]), "b": np.float32("inf"), "c": (np.int64(2),)})
    assert run.score() == {"a": [1.0, None], "b": None, "c": [2]}


def test_the_zip_holds_the_run_without_what_only_resuming_needs(run):
    run.write("resume.safetensors", b"x" * 1000)
    run.write("analysis/score.json", "{}")
    names = zipfile.ZipFile(io.BytesIO(runs.to_zip(run))).namelist()
    assert sorted(names) == ["mine/about.json", "mine/analysis/score.json", "mine/config.json", "mine/status.json"]


def test_shipped_runs_cannot_be_changed():
    shipped = runs.Run(runs.examples_folder() / "any")
    with pytest.raises(RunError, match="came with the software"):
        runs.delete(shipped)
    with pytest.raises(RunError, match="keep their names"):
        runs.rename(shipped, "x")
