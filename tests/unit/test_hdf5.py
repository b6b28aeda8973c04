"""HDF5, MATLAB 7.3 and NWB: what is read equals what h5py reads, and every hostile file is refused in one sentence."""

import os

import h5py
import numpy as np
import pytest

from dvae_core.data import readers
from dvae_core.data.dataset import DataError
from dvae_core.data.readers import hdf5, hdf5_child
from tests.shared_data import shared

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 4))


def written(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


# --- any HDF5 ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("how", [{}, {"chunks": (7, 2), "compression": "gzip", "shuffle": True}, {"dtype": ">f4"}])
@pytest.mark.parametrize("rows", [None, 9])
def test_numbers_are_those_of_h5py(tmp_path, how, rows):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("group/x", data=X, **how)
        file["u"] = np.arange(60) % 3
        file["who"] = ["a", "b"] * 30
        file["alias"] = h5py.SoftLink("/group/x")
    data = readers.read(path, x="group/x", rows=rows)
    n = rows or 60
    np.testing.assert_array_equal(data.x, h5py.File(path)["group/x"][:n].astype(np.float32))
    assert data.u_labels == ("0", "1", "2")
    assert readers.read(path, x="alias", u="who", rows=rows).u_labels == ("a", "b")
    assert {v.name for v in readers.inspect(path)} == {"group/x", "u", "who", "alias"}


def test_pictures_are_drawn_at_random_and_only_their_chunks_are_read(tmp_path):
    path = tmp_path / "a.h5"
    pictures = RNG.integers(0, 256, (500, 8, 8, 3), dtype=np.uint8)
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=pictures, chunks=(1, 8, 8, 3))
    data = readers.read(path, rows=20)
    rows = np.sort(np.random.default_rng(0).choice(500, 20, replace=False))
    np.testing.assert_array_equal(data.x.reshape(20, 8, 8, 3), pictures[rows])
    assert "20 of 500 rows, drawn at random (seed 0)" in data.meta["notes"]


# --- MATLAB 7.3 -------------------------------------------------------------------------------------------------------


def matlab73(path):
    """A file as MATLAB writes it: axes turned around, cells as references, a text header before."""
    with h5py.File(path, "w", userblock_size=512) as file:

        def put(where, array, kind="double"):
            item = file.create_dataset(where, data=np.atleast_2d(array).T)
            item.attrs["MATLAB_class"] = np.bytes_(kind)
            return item

        put("spikes_matrix", X)
        put("mask", (X > 0).astype(np.uint8), "logical")
        file.create_group("beh").attrs["MATLAB_class"] = np.bytes_("struct")
        put("beh/speed", X[:, :1])
        put("beh/name", np.frombuffer("mouse".encode("utf-16-le"), np.uint16), "char")
        put("nothing", np.array([0, 0], np.uint64)).attrs["MATLAB_empty"] = 1
        units = [np.sort(RNG.uniform(0, 10, k)) for k in (30, 5)]
        cell = file.create_dataset("units", (2, 1), dtype=h5py.ref_dtype)
        cell.attrs["MATLAB_class"] = np.bytes_("cell")
        for i, unit in enumerate(units):
            cell[i, 0] = put(f"#refs#/{'ab'[i]}", unit[:, None]).ref
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64, HDF5 schema 1.00 .".ljust(124) + b"\x00\x02IM")
    return units


@pytest.mark.slow
def test_matlab_73_reads_like_older_versions(tmp_path):
    path = tmp_path / "a.mat"
    units = matlab73(path)
    found = {v.name: (v.shape, v.kind) for v in readers.inspect(path) if v.readable}
    assert found == {
        "spikes_matrix": ((60, 4), "matrix"), "mask": ((60, 4), "matrix"), "beh.speed": ((60, 1), "column"),
        "units{}": ((2,), "events"),
    }  # fmt: skip
    data = readers.read(path, x="spikes_matrix", u="beh.speed", z="mask")
    np.testing.assert_array_equal(data.x, X.astype(np.float32))
    np.testing.assert_array_equal(data.z, X > 0)
    np.testing.assert_array_equal(readers.read(path, x="spikes_matrix", rows=7).x, X[:7].astype(np.float32))
    binned = readers.read(path, x="units{}", bin_s=1.0)
    for i, unit in enumerate(units):
        np.testing.assert_array_equal(binned.x[:, i], np.bincount(unit.astype(int), minlength=binned.n))
    with pytest.raises(DataError, match=r"beh\.name of a\.mat is a text"):
        readers.read(path, x="beh.name")


# --- NWB --------------------------------------------------------------------------------------------------------------


def test_nwb_of_the_shared_data():
    path = shared("pynapple-nwb-suite2p/A8604-211122.nwb")
    data = readers.read(path, bin_s=0.2)
    with h5py.File(path) as file:
        ends = file["units/spike_times_index"][()]
        units = np.split(file["units/spike_times"][()], ends[:-1])
    assert [len(unit) for unit in units] == [11_020, 4_690, 5_644]
    for i, unit in enumerate(units):
        np.testing.assert_array_equal(data.x[:, i], np.bincount((unit / 0.2).astype(int), minlength=data.n))
    assert (data.rate_hz, data.meta["format"]) == (5.0, "NWB")


def series(file, where, kind, data, **more):
    group = file.create_group(where)
    group.attrs["neurodata_type"] = kind
    group["data"] = data
    group["data"].attrs.update({k: v for k, v in more.items() if k in ("unit", "conversion", "offset")})
    if "timestamps" in more:
        group["timestamps"] = more["timestamps"]
    if "rate" in more:
        group["starting_time"] = 100.0
        group["starting_time"].attrs["rate"] = more["rate"]


def test_nwb_series_are_found_by_type_with_unit_and_clock(tmp_path):
    path = tmp_path / "a.nwb"
    clock = 100 + np.arange(0, 20, 0.02)
    times = np.sort(RNG.uniform(100, 120, 200))
    with h5py.File(path, "w") as file:
        file["session_description"] = "a rat runs"
        file["units/spike_times"] = np.concatenate([times, times[::2]])
        file["units/spike_times_index"] = np.array([200, 300])
        where = "processing/behavior/Position/track"
        series(file, where, "SpatialSeries", np.arange(1000.0)[:, None], timestamps=clock, conversion=0.01, unit="m")
        series(file, "processing/ophys/DfOverF/rois", "RoiResponseSeries", RNG.standard_normal((200, 5)), rate=10.0)
    data = readers.read(path, bin_s=1.0)
    assert (data.d_x, data.u_names, data.meta["session"]) == (2, (where,), "a rat runs")
    np.testing.assert_allclose(data.u[:3, 0], [0.245, 0.745, 1.245], rtol=1e-5)
    assert {v.name: v.unit for v in readers.inspect(path)}[where] == "m"
    calcium = readers.read(path, x="processing/ophys/DfOverF/rois")
    assert (calcium.x.shape, calcium.u) == ((200, 5), None)
    both = readers.read(path, x="units/spike_times", u="processing/ophys/DfOverF/rois", bin_s=0.5)
    assert both.u.shape == (both.n, 5)


# --- hostile ----------------------------------------------------------------------------------------------------------


def external_link(path):
    written(path.with_name("secret.h5"), x=X)
    with h5py.File(path, "w") as file:
        file["x"] = h5py.ExternalLink("secret.h5", "x")


def external_link_behind_a_soft_one(path):
    written(path.with_name("secret.h5"), x=X)
    with h5py.File(path, "w") as file:
        file["deep/er"] = h5py.ExternalLink("secret.h5", "/")
        file["x"] = h5py.SoftLink("/deep/er/x")


def external_storage(path):
    path.with_name("secret").write_bytes(bytes(1600))
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (50, 4), "f8", external=[(str(path.with_name("secret")), 0, 1600)])


def virtual(path):
    written(path.with_name("secret.h5"), x=X)
    layout = h5py.VirtualLayout((60, 4), "f8")
    layout[:] = h5py.VirtualSource(str(path.with_name("secret.h5")), "x", (60, 4))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("x", layout)


def terabytes(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (10**6, 10**6), "f8", chunks=(1000, 1000))


def bomb(path):
    with h5py.File(path, "w") as file:
        item = file.create_dataset("x", (2**14, 2**12), "u1", chunks=(2**11, 2**12), compression="gzip")
        item[: 2**11] = 0


def cycle(path):
    written(path, x=X)
    with h5py.File(path, "r+") as file:
        file["loop/inner"] = file["/"]
        file["soft"] = h5py.SoftLink("/soft")


def many(path):
    with h5py.File(path, "w", libver="latest") as file:
        file["x"] = 1.0
        for i in range(hdf5_child.MAX_OBJECTS):
            file.id.links.create_hard(f"x{i}".encode(), file.id, b"x")


HOSTILE = {
    "external link": (external_link, {}, "links to another file, which is not followed"),
    "external link behind a soft one": (external_link_behind_a_soft_one, {}, "links to another file"),
    "external storage": (external_storage, {}, "its numbers lie in another file"),
    "virtual dataset": (virtual, {}, "parts of other files"),
    "terabytes": (terabytes, {}, "would take 7,629,395 MiB"),
    "terabytes, a row of it": (terabytes, {"rows": 30}, "8,000,000,000,000 bytes but holds only 0"),
    "bomb": (bomb, {"budget_bytes": 10**7}, "would take"),
    "many": (many, {}, "more than 5,000 objects"),
    "compound": (
        lambda p: written(p, x=np.zeros(4, "f4,i4")),
        {"x": "x"},
        r"x of a\.h5 is a table, not plain numbers; choose x\.f0, x\.f1",
    ),
    "one value": (lambda p: written(p, x=1.0), {"x": "x"}, "is one value, not a column"),
    "a group": (lambda p: written(p, **{"g/x": X}), {"x": "g"}, "g of a.h5 is a group, not plain numbers; choose"),
    "empty": (written, {}, "has no numbers that could be x"),
    "NaN": (lambda p: written(p, x=np.where(X > 2, np.nan, X)), {}, r"Column x\d of a.h5 has \d missing values"),
    "truncated": (lambda p: written(p, x=X) and os.truncate(p, 1000), {}, "is damaged or not an HDF5 file"),
    "cut header": (lambda p: written(p, x=X) and os.truncate(p, 20), {}, "is damaged or not an HDF5 file"),
    "nwb with an external link": (external_link, {}, "links to another file", "a.nwb"),
    "nwb with external storage": (external_storage, {}, "its numbers lie in another file", "a.nwb"),
    "nwb with a virtual dataset": (virtual, {}, "parts of other files", "a.nwb"),
    "nwb of another program": (lambda p: written(p, x=X), {}, "nothing that could be x", "a.nwb"),
    "mat 7.3 with an external link": (external_link, {}, "links to another file", "a.mat"),
    "mat 7.3 with external storage": (external_storage, {}, "its numbers lie in another file", "a.mat"),
    "mat 7.3 with a virtual dataset": (virtual, {}, "parts of other files", "a.mat"),
    "mat 7.3 of terabytes": (terabytes, {}, "would take 7,629,395 MiB", "a.mat"),
    "other bytes": (lambda p: p.write_bytes(b"PK\x03\x04" + bytes(50)), {}, r"does not hold what \.h5 files hold"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused_in_one_sentence(tmp_path, case):
    make, arguments, message, *name = HOSTILE[case]
    path = tmp_path / (name[0] if name else "a.h5")
    make(path)
    with pytest.raises(DataError, match=message) as caught:
        readers.read(path, **arguments)
    assert str(caught.value).count(". ") == 0
    assert str(caught.value).endswith(".")


def test_a_file_that_holds_itself_is_read_once(tmp_path):
    cycle(tmp_path / "a.h5")
    assert readers.read(tmp_path / "a.h5").n == 60


def test_a_file_that_takes_for_ever_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5, "PATIENCE_S", 0.2)
    slow = tmp_path / "slow.py"
    slow.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(hdf5.hdf5_child, "__file__", str(slow))
    with pytest.raises(DataError, match=r"is damaged or not an HDF5 file \(it takes too long\)"):
        readers.read(written(tmp_path / "a.h5", x=X))


def test_a_crash_of_the_library_is_a_sentence(tmp_path, monkeypatch):
    crash = tmp_path / "crash.py"
    crash.write_text("import os\nos.abort()\n")
    monkeypatch.setattr(hdf5.hdf5_child, "__file__", str(crash))
    with pytest.raises(DataError, match="the HDF5 library fails on it"):
        readers.read(written(tmp_path / "a.h5", x=X))
