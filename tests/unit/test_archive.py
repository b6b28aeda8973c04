"""A run as a zip: exported and imported again unchanged; a hostile zip leaves no trace and is refused in a sentence."""

import dataclasses
import io
import json
import pickle
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dvae_core import runs
from dvae_core.config import Config, FileData
from dvae_core.runs import Run, RunError, archive


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = runs.create(tmp_path / "there" / "mine", Config(), title="Mine")
    made.write_tensors("weights.safetensors", {"w": np.arange(6.0).reshape(2, 3)})
    made.write_npz("latents.npz", {"mu_z": np.ones((2, 3))})
    made.write("history.csv", "step,elbo\n0,1.5\n")
    made.write_json("analysis/score.json", {"mean": {"elbo": 1.5}})
    made.write("resume.safetensors", b"x")
    made.write("analysis/rotation.progress", "{}")
    (made.path / "STOP").touch()
    made.seal()
    made.set_status(state="finished", step=3, steps=3, pid=1, host="elsewhere")
    return made


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "store").mkdir()
    return tmp_path / "store"


def rezipped(data: bytes, add: dict[str, bytes] | None = None, drop: tuple[str, ...] = ()) -> bytes:
    """Return the zip without some members and with others."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            if info.filename not in drop:
                new.writestr(info, old.read(info))
        for name, contents in (add or {}).items():
            new.writestr(name, contents)
    return buffer.getvalue()


def test_an_exported_run_can_be_imported_again(run, store):
    data = archive.pack(run)
    names = {name.removeprefix("mine/") for name in zipfile.ZipFile(io.BytesIO(data)).namelist()}
    assert names == {
        "config.json", "about.json", "status.json", "history.csv", "weights.safetensors", "latents.npz", "SHA256SUMS",
        "analysis/score.json",
    }  # fmt: skip
    come = archive.unpack(data, store)
    assert come.path.parent == store
    assert come.id != "mine"
    assert (come.title, come.status().state, come.status().pid) == ("Mine", "finished", None)
    assert come.config == run.config
    for name in ("weights.safetensors", "latents.npz", "history.csv", "analysis/score.json"):
        assert (come.path / name).read_bytes() == (run.path / name).read_bytes()
    come.check()
    assert [r.id for r in runs.list_runs(store)] == [come.id]
    assert "mine/resume.safetensors" in zipfile.ZipFile(io.BytesIO(archive.pack(run, resumable=True))).namelist()


def test_an_unfinished_run_arrives_stopped_and_a_file_is_looked_for_at_home_only(tmp_path, store):
    config = dataclasses.replace(Config(), data=FileData(path="/etc/passwd"))
    run = runs.create(tmp_path / "x", config, title="[click](http://x) <b>")
    run.set_status(state="running", pid=1, host="elsewhere")
    come = archive.unpack(archive.pack(run), store)
    assert come.status().state == "stopped"
    assert come.config.data.path == str(store / "data" / "passwd")
    assert come.title == "click(http://x) b"


def link_member(name: str, target: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        info = zipfile.ZipInfo(name)
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        made.writestr(info, target)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("add", "message"),
    [
        ({"mine/../../evil.json": b"{}"}, "not a file of a run"),
        ({"../config.json": b"{}"}, "not a file of a run"),
        ({"/etc/config.json": b"{}"}, "not a file of a run"),
        ({"mine/analysis/../../../x.npz": b""}, "not a file of a run"),
        ({"mine\\..\\evil.json": b"{}"}, "not a file of a run"),
        ({"C:/config.json": b"{}"}, "twice"),
        ({"C:/log.txt": b"{}"}, "does not hold one run"),
        ({"mine/evil.py": b"import os"}, "not a file of a run"),
        ({"mine/weights.pkl": pickle.dumps([1])}, "not a file of a run"),
        ({"mine/.lock": b""}, "not a file of a run"),
        ({"mine/STOP": b""}, "not a file of a run"),
        ({"mine/analysis/.x.npz": b""}, "not a file of a run"),
        ({"other/about.json": b"{}"}, "twice"),
        ({"mine/analysis/big.json": bytes(3_000_000)}, "more than 2 MiB"),
    ],
)
def test_a_hostile_zip_is_refused_and_leaves_no_trace(run, store, tmp_path, add, message):
    before = sorted(tmp_path.rglob("*"))
    data = rezipped(archive.pack(run), add)
    with pytest.raises(RunError, match=message):
        archive.unpack(data, store, max_bytes=2**21)
    assert sorted(tmp_path.rglob("*")) == before


def test_sizes_are_counted_not_believed(run, store):
    """A zip whose directory says 100 bytes where 30 MB come out."""
    data = bytearray(rezipped(archive.pack(run), {"mine/analysis/bomb.json": bytes(30_000_000)}))
    at = data.rfind(b"PK\x01\x02", 0, data.rfind(b"bomb.json"))
    data[at + 24 : at + 28] = (100).to_bytes(4, "little")
    with pytest.raises(RunError, match=r"MiB|damaged"):
        archive.unpack(bytes(data), store, max_bytes=2**21)
    assert not list(store.iterdir())


def test_a_bomb_inside_an_npz_is_refused(run, store):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as npz:
        npz.writestr("a.npy", bytes(30_000_000))
    data = rezipped(archive.pack(run), {"mine/analysis/bomb.npz": inner.getvalue()})
    with pytest.raises(RunError, match="more memory"):
        archive.unpack(data, store, max_bytes=2**21)
    assert not list(store.iterdir())


def test_links_objects_and_damage_are_refused(run, store):
    linked = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive.pack(run))) as old, zipfile.ZipFile(linked, "w") as new:
        for info in old.infolist():
            if info.filename.endswith("latents.npz"):
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
                new.writestr(info, "/etc/passwd")
            else:
                new.writestr(info, old.read(info))
    with pytest.raises(RunError, match="link or device"):
        archive.unpack(linked.getvalue(), store)

    objects = io.BytesIO()
    np.savez(objects, a=np.array([{}], dtype=object))
    data = rezipped(archive.pack(run), {"mine/analysis/o.npz": objects.getvalue()})
    with pytest.raises(RunError, match="damaged"):
        archive.unpack(data, store)

    whole = archive.pack(run)
    changed = (run.path / "weights.safetensors").read_bytes()[:-1] + b"\x01"
    data = rezipped(whole, {"mine/weights.safetensors": changed}, drop=("mine/weights.safetensors",))
    with pytest.raises(RunError, match="damaged"):
        archive.unpack(data, store)
    newer = json.dumps({**run.about, "format": 99}).encode()
    with pytest.raises(RunError, match="update the software"):
        archive.unpack(rezipped(whole, {"mine/about.json": newer}, drop=("mine/about.json", "mine/SHA256SUMS")), store)
    for wrong in (b"", b"no zip", whole[: len(whole) // 2]):
        with pytest.raises(RunError, match="not a zip file of a run"):
            archive.unpack(wrong, store)
    assert not list(store.iterdir())
