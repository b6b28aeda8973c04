"""A zip of recordings is unpacked whole or not at all, and nothing in it can leave its folder."""

import io
import stat
import zipfile

import numpy as np
import pytest

from dvae_core.data import readers
from dvae_core.data.dataset import DataError
from dvae_core.data.unpack import holds_recordings, inside, unpack


def zipped(path, files: dict[str, bytes]):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def array_file() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, x=np.random.default_rng(0).normal(size=(30, 3)))
    return buffer.getvalue()


def test_files_of_one_folder_are_unpacked_and_open(tmp_path):
    files = {"rec/data.npz": array_file(), "__MACOSX/junk": b"x", "rec/README": b"hi"}
    path = zipped(tmp_path / "rec.zip", files)
    assert holds_recordings(path, readers.SUFFIXES)
    folder = inside(unpack(path, tmp_path / "out"))
    assert sorted(f.name for f in folder.iterdir()) == ["README", "data.npz"]
    assert readers.read(folder).x.shape == (30, 3)
    assert inside(unpack(path, tmp_path / "out")) == folder  # a second time nothing is written


def test_a_zip_of_pictures_is_not_unpacked(tmp_path):
    assert not holds_recordings(zipped(tmp_path / "p.zip", {"a.png": b"1", "labels.csv": b"2"}), readers.SUFFIXES)
    (tmp_path / "no.zip").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(DataError, match=r"no\.zip is not a zip file, or it is damaged"):
        holds_recordings(tmp_path / "no.zip", readers.SUFFIXES)


@pytest.mark.parametrize("name", ["../evil.npz", "/evil.npz", "a/../../evil.npz", "C:evil.npz", "a\\evil.npz"])
def test_a_path_that_leads_out_is_refused_and_nothing_is_written(tmp_path, name):
    path = tmp_path / "in" / "bad.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fine.npz", b"1")
        archive.writestr(zipfile.ZipInfo(name), b"2")
    with pytest.raises(DataError, match="not safe"):
        unpack(path, tmp_path / "in" / "out")
    assert [f.name for f in tmp_path.rglob("*")] == ["in", "bad.zip"]


def test_links_bombs_encryption_pickles_and_doubles_are_refused(tmp_path):
    link = zipfile.ZipInfo("link.npz")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match="link or device"):
        unpack(tmp_path / "link.zip", tmp_path / "a")
    bomb = zipped(tmp_path / "bomb.zip", {"a.npy": bytes(3_000_000), "b.npy": bytes(3_000_000)})
    with pytest.raises(DataError, match="unpacks to more than"):
        unpack(bomb, tmp_path / "b", max_bytes=4_000_000)
    raw = bytearray(bomb.read_bytes())
    for at in range(len(raw)):  # a directory that states small sizes: the bytes themselves are counted
        if raw[at : at + 4] == b"PK\x01\x02":
            raw[at + 24 : at + 28] = (10).to_bytes(4, "little")
    (tmp_path / "liar.zip").write_bytes(raw)
    with pytest.raises(DataError):
        unpack(tmp_path / "liar.zip", tmp_path / "c", max_bytes=4_000_000)
    with pytest.raises(DataError, match="can run code"):
        unpack(zipped(tmp_path / "pickle.zip", {"a.pkl": b"1", "b.npy": b"2"}), tmp_path / "d")
    with pytest.raises(DataError, match="two files called"):
        unpack(zipped(tmp_path / "twice.zip", {"a.npy": b"1", "A.npy": b"2"}), tmp_path / "e")
    many = zipped(tmp_path / "many.zip", {f"f{i}": b"" for i in range(501)})
    with pytest.raises(DataError, match="501 files"):
        unpack(many, tmp_path / "f")
    assert not [f for f in tmp_path.iterdir() if f.is_dir()]  # nothing is left behind


def test_a_zip_of_recordings_opens_like_its_folder(tmp_path):
    files = {"rec/data.npz": array_file(), "rec/README": b"hi"}
    path = zipped(tmp_path / "rec.zip", files)
    data = readers.read(path)
    assert data.fingerprint == readers.read(inside(unpack(path, tmp_path / "out"))).fingerprint
    assert [v.name for v in readers.inspect(path)] == ["x"]
    assert data.name == "data"
    assert readers.read(path / "data.npz").fingerprint == data.fingerprint


def test_of_several_recordings_in_a_zip_one_is_named_and_u_comes_from_another(tmp_path):
    path = zipped(tmp_path / "s.zip", {"a.npz": array_file(), "b.csv": b"side\n" + b"left\nright\n" * 15})
    with pytest.raises(
        DataError, match=r"s\.zip holds several recordings \(a\.npz, b\.csv\); name one as s\.zip/a\.npz"
    ):
        readers.read(path)
    data = readers.read(path / "a.npz", u="side", u_from=path / "b.csv")
    assert data.x.shape == (30, 3)
    assert data.u_labels == ("left", "right")
    with pytest.raises(DataError, match="outside"):
        readers.read(path / ".." / ".." / "a.npz")
