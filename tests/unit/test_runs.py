"""The run folder: whole or absent files, damage named in a sentence, names that cannot leave the store."""

import contextlib
import gc
import json
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from dvae_core import runs
from dvae_core.analysis.tables import run_table
from dvae_core.config import Config
from dvae_core.runs import RunError, files


@pytest.fixture
def run(tmp_path):
    return runs.create(tmp_path / "store" / "mine", Config(), title="Mine")


def test_created_runs_are_listed_found_and_renamed(run, tmp_path):
    store = tmp_path / "store"
    assert [r.id for r in runs.list_runs(store)] == ["mine"]
    assert runs.find("mine", store) == run
    assert run.config == Config()
    assert (run.title, run.status().state) == ("Mine", "new")
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
        ("analysis/score.json", lambda r: r.record("score")),
    ],
)
@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 40, b"[1]", b"<html>quota</html>"])
def test_a_damaged_file_gives_one_sentence(run, name, read_it, content):
    run.write(name, content)
    with pytest.raises(RunError) as caught:
        read_it(run)
    assert "\n" not in str(caught.value)


def test_a_broken_run_is_listed_with_its_reason_and_hides_no_other(run, tmp_path):
    broken = runs.create(tmp_path / "store" / "broken", Config())
    broken.write("config.json", "{")
    table = run_table(runs.list_runs(tmp_path / "store")).set_index("id")
    assert table.loc["mine", "problem"] == ""
    assert table.loc["broken", "state"] == "broken"
    assert "not valid JSON" in table.loc["broken", "problem"]


def test_a_worker_that_vanished_is_lost_not_running(run):
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    for state, pid in (("running", gone.pid), ("running", os.getpid()), ("warming", gone.pid), ("queued", gone.pid)):
        run.set_status(state=state, pid=pid, host=socket.gethostname())
        assert run.status().state == "lost"  # a running one holds the lock: a number used again is no sign of life
    for state in ("warming", "queued"):
        run.set_status(state=state, pid=os.getpid())
        assert run.status().state == state
    with run.lock():
        run.set_status(state="running", pid=os.getpid())
        assert run.status().state == "running"
        with pytest.raises(RunError, match="stop it first"):
            runs.delete(run)
        with pytest.raises(runs.BusyError, match="stop that first"), run.lock():
            pass


def test_writes_are_whole_or_not_at_all(run):
    run.write("a.txt", "old")
    with pytest.raises(TypeError):
        run.write("a.txt", 3)
    assert (run.path / "a.txt").read_text() == "old"
    assert not list(run.path.glob(".*tmp"))


def test_nan_becomes_null_in_json(run):
    run.write_json("analysis/score.json", {"a": np.array([1.0, np.nan]), "b": np.float32("inf"), "c": (np.int64(2),)})
    assert run.record("score") == {"a": [1.0, None], "b": None, "c": [2]}


def test_shipped_runs_cannot_be_changed():
    shipped = runs.Run(runs.examples_folder() / "any")
    with pytest.raises(RunError, match="came with the software"):
        runs.delete(shipped)
    with pytest.raises(RunError, match="keep their names"):
        runs.rename(shipped, "x")


# --- damage -----------------------------------------------------------------------------------------------------------


FILES = (
    "about.json", "analysis/a.npz", "analysis/score.json", "config.json", "history.csv", "latents.npz",
    "resume.safetensors", "status.json", "weights.safetensors",
)  # fmt: skip


@pytest.fixture
def ended(run):
    """A finished run of small, known contents."""
    run.write_tensors("weights.safetensors", {"w": np.arange(600.0).reshape(2, 300)})
    run.write_tensors("resume.safetensors", {"w": np.arange(60.0)})
    run.write_npz("latents.npz", {"mu_z": np.random.default_rng(0).normal(size=(2, 30))})
    run.write("history.csv", "step,elbo\n" + "".join(f"{i},{i / 7:.5f}\n" for i in range(50)))
    run.write_json("analysis/score.json", {"mean": {"elbo": 1.0}})
    run.set_status(state="finished", step=49, steps=49)
    run.write_npz("analysis/a.npz", {"x": np.arange(5.0), "y": np.ones(3)})
    return run


def read(run, name: str):
    """Read one file of the run by the method that pages and scripts use."""
    readers = {
        "about.json": lambda: run.about, "config.json": lambda: run.config, "status.json": run.status,
        "history.csv": run.history, "latents.npz": run.latents, "weights.safetensors": run.weights,
        "resume.safetensors": lambda: run.tensors(name), "analysis/score.json": lambda: run.record("score"),
        "analysis/a.npz": lambda: run.analysis("a"),
    }  # fmt: skip
    return readers[name]()


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_every_flipped_bit_and_every_cut_of_a_finished_run_is_noticed_on_reading(ended, name):
    ended.check()
    path = ended.path / name
    whole = path.read_bytes()
    flips = np.random.default_rng(1).integers(0, len(whole) * 8, 40)
    damaged = [bytes([*whole[: at // 8], whole[at // 8] ^ 1 << at % 8, *whole[at // 8 + 1 :]]) for at in flips.tolist()]
    damaged += [whole[:length] for length in (0, 1, len(whole) // 2, len(whole) - 1)]
    for contents in damaged:
        path.write_bytes(contents)
        for look in (lambda: read(ended, name), ended.check):
            with pytest.raises(RunError) as caught:
                look()
            assert path.name in str(caught.value)
            assert "\n" not in str(caught.value)
    path.write_bytes(whole)
    ended.check()
    path.unlink()
    for look in (lambda: read(ended, name), ended.check):
        with pytest.raises(RunError, match=path.name):
            look()


@pytest.mark.slow
def test_every_flipped_bit_and_every_cut_of_the_list_itself_is_noticed(ended):
    path, known = ended.path / "SHA256SUMS", dict(ended.sums())
    whole = path.read_bytes()
    for at in range(0, len(whole) * 8, 7):  # every place within a byte
        path.write_bytes(bytes([*whole[: at // 8], whole[at // 8] ^ 1 << at % 8, *whole[at // 8 + 1 :]]))
        with contextlib.suppress(RunError):
            assert ended.sums() != known  # a name or a digest that fits no file
            if at % 91 == 0:  # all of them would take a minute
                with pytest.raises(RunError):
                    ended.check()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(RunError, match="SHA256SUMS of run mine is damaged"):
            ended.sums()


def test_sha256sum_reads_the_list(ended):
    done = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=ended.path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines() == [f"{name}: OK" for name in FILES]


def test_what_training_keeps_rewriting_is_listed_when_it_has_finished(run):
    with run.lock():
        run.set_status(state="running", pid=os.getpid(), host=socket.gethostname())
        run.write("history.csv", "step,elbo\n")
        run.write_npz("latents.npz", {"mu_z": np.ones(3)})
        run.write_tensors("resume.safetensors", {"step": np.array(3)})
        assert sorted(run.sums()) == ["about.json", "config.json", "resume.safetensors"]
        with open(run.path / "history.csv", "a", encoding="utf-8") as file:
            file.write("0,1.5\n")
        run.check()
    run.set_status(state="finished")
    assert {"history.csv", "latents.npz", "status.json"} < set(run.sums())
    run.remove("resume.safetensors")
    run.check()
    run.unseal()
    with open(run.path / "history.csv", "a", encoding="utf-8") as file:
        file.write("1,1.6\n")
    run.check()


@pytest.mark.slow
def test_a_file_is_read_soundly_while_another_process_rewrites_it(run):
    """The list and the file are two files: a reader that meets one old and one new must not cry damage."""
    code = """
import sys, numpy as np
from pathlib import Path
from dvae_core.runs import Run
run = Run(Path(sys.argv[1]))
for i in range(40):
    run.write_npz("analysis/a.npz", {"x": np.full(50, i)})
    run.write_json("analysis/score.json", {"i": i})
    run.set_status(state="running" if i % 2 else "stopped", step=i)
"""
    writers = [subprocess.Popen([sys.executable, "-c", code, str(run.path)]) for _ in range(2)]
    reads = 0
    while any(writer.poll() is None for writer in writers):
        found, _, _ = run.analysis("a"), run.record("score"), run.written_status()
        reads += found is not None
        assert found is None or (found["x"] == found["x"][0]).all()
    assert [writer.returncode for writer in writers] == [0, 0]
    assert reads > 10
    run.check()


@pytest.mark.parametrize("moment", range(1, 7))
def test_a_write_that_is_killed_leaves_a_file_that_is_read(ended, monkeypatch, moment):
    """Killed before each of its renames and flushes: old or new contents, and never a false report of damage."""

    class KilledError(BaseException):
        pass

    calls = iter(range(1, 100))

    def until_killed(call):
        def run(*arguments):
            if next(calls) == moment:
                raise KilledError
            return call(*arguments)

        return run

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", until_killed(os.replace))
        patch.setattr(os, "fsync", until_killed(os.fsync))
        with pytest.raises(KilledError):
            ended.write_npz("analysis/a.npz", {"x": np.zeros(2)})
    assert ended.analysis("a")["x"].tolist() in ([0, 0], [0, 1, 2, 3, 4])
    ended.check()


@pytest.mark.parametrize("shipped", runs.examples(), ids=lambda run: run.id)
def test_shipped_runs_list_all_their_files(shipped):
    shipped.check()
    present = {p.relative_to(shipped.path).as_posix() for p in shipped.path.rglob("[!.]*") if p.is_file()}
    assert set(shipped.sums()) == present - {"SHA256SUMS", "log.txt"}


def test_a_run_of_an_earlier_version_is_read_with_its_marks(ended):
    """Its JSON ends with a CRC, its list has four files and no head: the CRC is dropped, the list still compared."""
    about = json.dumps({**ended.about, "crc32": "0badcafe"})
    (ended.path / "about.json").write_text(about)
    four = ("config.json", "history.csv", "weights.safetensors", "latents.npz")
    (ended.path / "SHA256SUMS").write_text("".join(f"{ended.sums()[name]}  {name}\n" for name in four))
    ended.check()
    assert "crc32" not in ended.about
    runs.rename(ended, "Renamed")
    assert (ended.title, len(ended.sums())) == ("Renamed", 5)
    damaged = bytearray((ended.path / "latents.npz").read_bytes())
    damaged[40] ^= 1
    (ended.path / "latents.npz").write_bytes(damaged)
    with pytest.raises(RunError, match=r"latents\.npz"):
        ended.latents()


def test_a_damaged_status_is_repaired_from_what_is_there(ended, tmp_path):
    ended.write("status.json", '{"state": "finishee"}')
    with pytest.raises(RunError, match="damaged"):
        ended.status()
    runs.repair(ended)
    assert (ended.status().state, ended.status().step) == ("finished", 49)
    other = runs.create(tmp_path / "store" / "other", Config())
    other.write("status.json", "")
    runs.repair(other)
    assert other.status().state == "lost"


def test_half_a_run_is_listed_as_broken_and_can_be_deleted(run, tmp_path):
    half = tmp_path / "store" / "half"
    half.mkdir()
    (half / "about.json").write_text("{}")
    (tmp_path / "store" / "data").mkdir()  # uploads, not a run
    (tmp_path / "store" / ".new-123").mkdir()  # on its way
    table = run_table(runs.list_runs(tmp_path / "store")).set_index("id")
    assert set(table.index) == {"mine", "half"}
    assert "config.json is missing" in table.loc["half", "problem"]
    runs.delete(runs.Run(half))
    assert not half.exists()


def test_a_newer_run_says_update_and_a_newer_notice_is_read(run):
    run.set_status(mood="cheerful", state="stopped")
    assert run.status().state == "stopped"
    run.write_json("about.json", {**run.about, "format": runs.FORMAT + 1})
    with pytest.raises(RunError, match="update the software"):
        _ = run.config


def test_titles_are_plain_text(run):
    runs.rename(run, "a [link](http://x) `code` <b>\n$x$")
    assert run.title == "a link(http://x) code bx"


def test_a_read_only_store_gives_a_clear_message(run, tmp_path, monkeypatch):
    import errno

    def refuse(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(RunError, match="the disk is read-only; keep runs elsewhere"):
        runs.rename(run, "x")
    with pytest.raises(RunError, match="read-only"):
        runs.create(tmp_path / "store" / "new", Config())
    assert [r.id for r in runs.list_runs(tmp_path / "store")] == ["mine"]


def test_many_threads_read_arrays_at_once():
    """Python before 3.11.8 fails in parsing the headers if a thread changes in the middle, as a collection may do."""
    data = files.arrays_to({f"a{i}": np.arange(3.0) for i in range(8)})
    thresholds = gc.get_threshold()

    def pause(*_: object) -> None:
        time.sleep(0)

    gc.callbacks.append(pause)
    gc.set_threshold(10)
    try:
        with ThreadPoolExecutor(6) as threads:
            read = list(threads.map(files.arrays_from, [data] * 150))
    finally:
        gc.callbacks.remove(pause)
        gc.set_threshold(*thresholds)
    assert all(len(arrays) == 8 for arrays in read)
