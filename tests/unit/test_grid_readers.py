"""SmallNORB and Cars3D in the layouts they are published in, made here small; hostile files are refused."""

import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from dvae_core.data import readers
from dvae_core.data.dataset import DataError
from dvae_core.data.readers import cars3d

RNG = np.random.default_rng(0)
TRAIN, TEST = "smallnorb-5x46789x9x18x6x2x96x96-training", "smallnorb-5x01235x9x18x6x2x96x96-testing"
CODES = {"uint8": 0x1E3D4C55, "int32": 0x1E3D4C54, "int16": 0x1E3D4C56, "float32": 0x1E3D4C51, "float64": 0x1E3D4C53}


def norb_bytes(array, shape=None):
    """An array as SmallNORB's files have it: at least three lengths, little-endian."""
    shape = shape or array.shape
    lengths = np.array([*shape, *[1] * (3 - len(shape))], "<i4")
    head = np.array([CODES[array.dtype.name], len(shape)], "<u4").tobytes() + lengths.tobytes()
    return head + array.astype(array.dtype.newbyteorder("<")).tobytes()


def norb(folder, name=TRAIN, n=30, packed=False):
    """Write the three files; return pictures of the first camera, and the factors."""
    pictures = RNG.integers(0, 256, (n, 2, 12, 12), dtype=np.uint8)
    cat, info = RNG.integers(0, 5, n, dtype=np.int32), RNG.integers(0, 18, (n, 4), dtype=np.int32)
    folder.mkdir(exist_ok=True)
    for what, array in (("dat", pictures), ("cat", cat), ("info", info)):
        content = norb_bytes(array)
        path = folder / f"{name}-{what}.mat{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(content) if packed else content)
    return pictures[:, 0].reshape(n, -1), np.column_stack([cat, info])


@pytest.mark.parametrize("packed", [False, True])
def test_smallnorb_is_the_first_camera_with_five_factors(tmp_path, packed):
    pictures, factors = norb(tmp_path / "norb", packed=packed)
    end = ".mat.gz" if packed else ".mat"
    data = readers.read(tmp_path / "norb")
    assert (data.x_shape, data.x.dtype, data.u) == ((12, 12), np.uint8, None)
    assert data.z_names == ("category", "instance", "elevation", "azimuth", "lighting")
    np.testing.assert_array_equal(data.x, pictures)
    np.testing.assert_array_equal(data.z, factors)
    assert data.meta["licence"] == "SmallNORB: for research"
    lone = tmp_path / "norb" / f"{TRAIN}-dat{end}"
    part = readers.read(lone, u="category", rows=20)
    rows = np.sort(np.random.default_rng(0).choice(30, 20, replace=False))
    np.testing.assert_array_equal(part.x, pictures[rows])
    np.testing.assert_array_equal(part.z, factors[rows])
    np.testing.assert_array_equal(np.array(part.u_labels)[part.u], factors[rows, 0].astype(str))
    assert [(v.name, v.shape) for v in readers.inspect(lone)] == [
        ("pictures", (30, 12, 12)), ("factors", (30, 5)), ("category", (30,))
    ]  # fmt: skip


def test_training_and_testing_of_smallnorb_are_one_set(tmp_path):
    test = norb(tmp_path, TEST, 20)
    train = norb(tmp_path, n=25)
    data = readers.read(tmp_path)
    np.testing.assert_array_equal(data.x, np.vstack([test[0], train[0]]))
    np.testing.assert_array_equal(data.z, np.vstack([test[1], train[1]]))
    part = readers.read(tmp_path, rows=9)
    rows = np.sort(np.random.default_rng(0).choice(45, 9, replace=False))
    np.testing.assert_array_equal(part.z, data.z[rows])


def test_smallnorb_without_its_factors_says_so(tmp_path):
    pictures, _ = norb(tmp_path / "norb")
    found = (tmp_path / "norb" / f"{TRAIN}-dat.mat").rename(tmp_path / "dropped-1a2b3c.mat")
    data = readers.read(found)
    assert data.z is None
    assert "do not lie beside" in data.meta["factors"]
    np.testing.assert_array_equal(data.x, pictures)


# --- Cars3D -----------------------------------------------------------------------------------------------------------


def car_bytes(im, compressed=True):
    buffer = io.BytesIO()
    savemat(buffer, {"mask": im[:, :, 0], "im": im}, do_compression=compressed)
    return buffer.getvalue()


def cars(side=128, n=2):
    """Return files of cars by name, and their pictures as [car, azimuth, elevation, height, width, colour]."""
    im = RNG.integers(0, 256, (n, side, side, 3, 4, 2), dtype=np.uint8)
    return {f"car_{i:03d}_mesh.mat": car_bytes(im[i]) for i in range(n)}, im.transpose(0, 4, 5, 1, 2, 3)


def tarred(path, members, kind=tarfile.REGTYPE):
    with tarfile.open(path, "w:gz" if path.suffix != ".tar" else "w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.type, member.linkname = len(content), kind, "secret.mat"
            tar.addfile(member, io.BytesIO(content))
    return path


def written(folder, members):
    for name, content in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("how", ["folder", "tar", "tar.gz"])
def test_cars3d_is_a_grid_of_car_azimuth_and_elevation(tmp_path, how):
    files, pictures = cars()
    members = {f"data/cars/{name}": content for name, content in reversed(files.items())} | {"data/cars/list.txt": b"a"}
    path = written(tmp_path / "set", members) if how == "folder" else tarred(tmp_path / f"set.{how}", members)
    data = readers.read(path)
    assert (data.n, data.x_shape, data.x.dtype) == (16, (64, 64, 3), np.uint8)
    assert data.z_names == ("object_type", "azimuth", "elevation")
    np.testing.assert_array_equal(data.z, np.argwhere(np.ones((2, 4, 2))))
    small = pictures.reshape(16, 64, 2, 64, 2, 3).mean(axis=(2, 4))
    np.testing.assert_array_equal(data.x, np.rint(small).reshape(16, -1))
    part = readers.read(path, rows=5, x_shape=(128, 128, 3))
    rows = np.sort(np.random.default_rng(0).choice(16, 5, replace=False))
    np.testing.assert_array_equal(part.x, pictures.reshape(16, -1)[rows])
    np.testing.assert_array_equal(part.z, data.z[rows])
    assert "5 of 16 rows" in part.meta["notes"]


# --- hostile ----------------------------------------------------------------------------------------------------------

DAT = f"{TRAIN}-dat.mat"


SMALL = np.zeros((9, 2, 4, 4), np.uint8)


def unequal(folder):
    norb(folder)
    (folder / DAT.replace("dat", "cat")).write_bytes(norb_bytes(np.zeros(29, np.int32)))
    return folder


def bomb(path):
    """100 MB of nothing in front of a car, which gzip makes 100 kB."""
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for name, size in (("a", 10**8), ("car_001_mesh.mat", 10)):
            member = tarfile.TarInfo(name)
            member.size = size
            tar.addfile(member, io.BytesIO(bytes(size)))
    return path


def many_in_tar(path):
    return put(path, tarfile.TarInfo("a").tobuf() * 30_000)


def put(path, content):
    path.write_bytes(content)
    return path


HOSTILE = {
    "claim": (lambda d: put(d / DAT, norb_bytes(np.zeros(9, np.uint8), (2**30, 2, 96, 96))), {}, "its size cannot"),
    "packed claim": (
        lambda d: put(d / f"{DAT}.gz", gzip.compress(norb_bytes(np.zeros(9, np.uint8), (2**30, 2, 96, 96)))),
        {},
        "its size cannot",
    ),
    "gzip bomb": (
        lambda d: put(d / f"{DAT}.gz", gzip.compress(norb_bytes(np.zeros(2**25, np.uint8), (900, 2, 96, 96)), 1)),
        {"budget_bytes": 2**20},
        "would take 8 MiB",
    ),
    "cut": (lambda d: put(d / f"{DAT}.gz", gzip.compress(norb_bytes(SMALL)[:-1])), {}, "cut off"),
    "long": (lambda d: put(d / DAT, norb_bytes(SMALL) + b"1"), {}, "more than its header"),
    "shape": (lambda d: put(d / DAT, norb_bytes(np.zeros(9, np.uint8), (-1, 2, 4, 4))), {}, "its shape is"),
    "axes": (lambda d: put(d / DAT, norb_bytes(np.zeros(9, np.uint8), (1,) * 99)), {}, "as SmallNORB's files do"),
    "factors of other pictures": (unequal, {}, r"holds \(29,\) numbers where 30 pictures need"),
    "no tar": (lambda d: put(d / "a.tar", b"PK\x03\x04" * 99), {}, "is damaged or not a .tar file"),
    "cut tar": (
        lambda d: put(d / "a.tgz", tarred(d / "b.tgz", cars(64)[0]).read_bytes()[:20_000]),
        {},
        "is damaged",
    ),
    "tar of others": (lambda d: tarred(d / "a.tar.gz", {"a.csv": b"a,b\n1,2\n"}), {}, "has no cars"),
    "tar bomb": (lambda d: bomb(d / "a.tar.gz"), {}, "more than 100 times its size"),
    "links": (lambda d: tarred(d / "a.tar", {"car_001_mesh.mat": b""}, tarfile.SYMTYPE), {}, "has no cars"),
    "many members": (lambda d: many_in_tar(d / "a.tar"), {}, "more than 20,000 members"),
    "twice": (
        lambda d: tarred(d / "a.tar", {f"{i}/car_1_mesh.mat": car_bytes(cars(64, 1)[1][0].T) for i in "ab"}),
        {},
        "two cars of one name",
    ),
    "other array": (
        lambda d: tarred(d / "a.tar", {"car_1_mesh.mat": car_bytes(np.zeros((4, 4, 3)))}), {}, "float64 of shape"
    ),
    "no matlab": (lambda d: tarred(d / "a.tar", {"car_1_mesh.mat": b"<html>"}), {}, "is not a MATLAB 5 to 7 file"),
    "of two sizes": (
        lambda d: written(d / "s", {f"car_{s}_mesh.mat": next(iter(cars(s, 1)[0].values())) for s in (64, 32)}),
        {},
        "pictures of another shape",
    ),
    "size": (lambda d: written(d / "s", cars(64)[0]), {"x_shape": (48, 48, 3)}, "give a size that divides this"),
    "grey": (lambda d: written(d / "s", cars(64)[0]), {"x_shape": (64, 64)}, "give a size that divides this"),
    "budget": (lambda d: written(d / "s", cars(64)[0]), {"budget_bytes": 10**5}, "would take"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused_in_one_sentence(tmp_path, case):
    make, arguments, message = HOSTILE[case]
    path = make(tmp_path)
    with pytest.raises(DataError, match=message) as caught:
        readers.read(path, **arguments)
    assert str(caught.value).count(". ") == 0
    assert str(caught.value).endswith(".")


def test_members_of_a_tar_stay_where_they_are(tmp_path):
    files, _ = cars(64, 1)
    tarred(tmp_path / "a.tar", {"../../etc/car_001_mesh.mat": files["car_000_mesh.mat"]})
    assert readers.read(tmp_path / "a.tar").n == 8
    assert [f.name for f in tmp_path.iterdir()] == ["a.tar"]
    assert not (tmp_path.parent.parent / "etc").exists()


def test_a_folder_of_cars_elsewhere_is_not_followed(tmp_path):
    written(tmp_path / "secret", cars(64)[0])
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "cars").symlink_to(tmp_path / "secret")
    assert cars3d.files(tmp_path / "set") == []
    assert isinstance(cars3d.files(tmp_path / "secret")[0], Path)
