"""Files to Datasets: what each format gives, and that whatever is wrong with a file is one sentence, at once."""

import io
import pickle
import struct
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.io import loadmat, savemat

from dvae_core.data import readers
from dvae_core.data.dataset import DataError
from dvae_core.data.saved import save
from dvae_core.data.split import split
from dvae_core.data.worlds.digits import digits
from dvae_core.data.worlds.sources import sources
from tests.shared_data import SHARED

RNG = np.random.default_rng(0)
N = 40
X = RNG.standard_normal((N, 3)).astype(np.float32)
U = np.arange(N) % 4
S = RNG.standard_normal((N, 2)).astype(np.float32)
TABLE = pd.DataFrame({"x1": X[:, 0], "x2": X[:, 1], "x3": X[:, 2], "u": U, "s1": S[:, 0], "s2": S[:, 1]})


def shared(name):
    """Path of a file of the shared data; the test is skipped on a machine without them."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"shared/data/{name} is not beside this repository")
    return path


def write(path, content):
    path.write_bytes(content)
    return path


def npz(path, **arrays):
    np.savez(path, **arrays)
    return path


def csv(path, text):
    return write(path, text.encode())


# --- one table, every format ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["csv", "tsv", "txt", "parquet", "npz", "mat"])
def test_the_same_table_is_the_same_dataset(tmp_path, suffix):
    path = tmp_path / f"table.{suffix}"
    if suffix == "parquet":
        TABLE.to_parquet(path)
    elif suffix == "npz":
        npz(path, x=X, u=U, s=S)
    elif suffix == "mat":
        savemat(path, {"x": X, "u": U.astype(float), "s": S})
    else:
        TABLE.to_csv(path, index=False, sep="," if suffix == "csv" else "\t")
    data = readers.read(path)
    assert (data.x_names, data.u_names, data.z_names) == (("x1", "x2", "x3"), ("u",), ("s1", "s2"))
    assert data.u_labels == ("0", "1", "2", "3")
    np.testing.assert_array_equal(data.x, X)
    expected = npz(tmp_path / "expected.npz", x=X, u=U, s=S)
    assert data.fingerprint == readers.read(expected).fingerprint
    assert data.meta["source"] == path.name


def test_what_save_wrote_reads_back(tmp_path):
    data = sources(segments=3, per_segment=30)
    save(data, tmp_path / "data.npz")
    back = readers.read(tmp_path / "data.npz")
    assert back.fingerprint == data.fingerprint
    assert back.name == data.name
    assert back.meta["licence"] == data.meta["licence"]
    # other choices leave the saved names and shape out
    assert readers.read(tmp_path / "data.npz", x="z", z="x").x_names == ("z1", "z2")


# --- .npz and .npy ----------------------------------------------------------------------------------------------------


def test_npy_is_x_alone(tmp_path):
    np.save(tmp_path / "F.npy", X)
    data = readers.read(tmp_path / "F.npy", rate_hz=30.0)
    assert (data.name, data.u, data.z, data.rate_hz) == ("F", None, None, 30.0)
    np.testing.assert_array_equal(data.x, X)


def test_names_choose_variables_side_by_side(tmp_path):
    path = npz(tmp_path / "a.npz", rates=X, speed=S[:, 0], angle=S[:, 1])
    data = readers.read(path, x="rates", u=["speed", "angle"])
    assert (data.x_names, data.u_names) == (("rates1", "rates2", "rates3"), ("speed", "angle"))
    np.testing.assert_array_equal(data.u, S)


def test_the_layout_of_the_ivae_authors(tmp_path):
    one_hot = np.eye(4)[U]
    path = npz(tmp_path / "tcl.npz", s=S, x=X, u=one_hot, m=np.ones((4, 2)), L=np.ones((4, 2)))
    data = readers.read(path)
    assert data.u_labels == ("1", "2", "3", "4")
    np.testing.assert_array_equal(data.u, U)
    np.testing.assert_array_equal(data.z, S)


@pytest.mark.parametrize(
    ("u", "labels"),
    [
        (np.array(["left", "right"] * 20), ("left", "right")),
        (np.array([b"left", b"right"] * 20), ("left", "right")),
        (np.arange(N) % 2 == 0, ("False", "True")),
        ((np.arange(N) % 2)[:, None] * 7, ("0", "7")),
    ],
)
def test_whole_numbers_and_text_are_labels(tmp_path, u, labels):
    data = readers.read(npz(tmp_path / "a.npz", x=X, u=u))
    assert (data.has_labels, data.u_labels) == (True, labels)


def test_floats_are_numbers_and_a_clock_is_too(tmp_path):
    assert not readers.read(npz(tmp_path / "a.npz", x=X, u=U.astype(float))).has_labels
    many = np.arange(1000)
    data = readers.read(npz(tmp_path / "b.npz", x=RNG.standard_normal((1000, 2)), u=many))
    assert data.u.shape == (1000, 1)
    assert "1,000 different whole numbers" in data.meta["notes"]


@pytest.mark.parametrize(
    ("shape", "x_shape"),
    [((N, 4, 5), (4, 5)), ((N, 4, 5, 3), (4, 5, 3)), ((N, 3, 4, 5), (4, 5, 3)), ((N, 4, 5, 1), (4, 5))],
)
def test_pictures_are_flattened_rows_then_columns_then_channels(tmp_path, shape, x_shape):
    pictures = RNG.integers(0, 256, shape, dtype=np.uint8)
    data = readers.read(npz(tmp_path / "a.npz", x=pictures))
    assert (data.x_shape, data.x.dtype, data.x_scale) == (x_shape, np.uint8, 1 / 255)
    hwc = np.moveaxis(pictures, 1, -1) if shape[1] == 3 else pictures
    np.testing.assert_array_equal(data.x.reshape(N, *x_shape), hwc.reshape(N, *x_shape))
    assert data.x_float().max() <= 1


def test_pictures_of_zeros_and_ones_need_no_scale_and_flat_rows_take_a_shape(tmp_path):
    path = npz(tmp_path / "a.npz", imgs=RNG.integers(0, 2, (N, 4, 4), dtype=np.uint8))
    assert readers.read(path).x_scale == 1
    flat = npz(tmp_path / "b.npz", x=RNG.integers(0, 256, (N, 16), dtype=np.uint8))
    assert readers.read(flat).is_counts
    assert readers.read(flat, x_shape=(4, 4)).x_scale == 1 / 255


def test_a_pickle_beside_the_data_is_left_closed(tmp_path):
    # the layout of dSprites: plain arrays and one pickled dictionary
    path = npz(tmp_path / "a.npz", imgs=RNG.integers(0, 2, (N, 4, 4)), metadata=np.array({"a": 1}, dtype=object))
    assert readers.read(path).n == N
    assert [variable.name for variable in readers.inspect(path) if variable.readable] == ["imgs"]


# --- tables -----------------------------------------------------------------------------------------------------------


def test_the_default_columns_are_told(tmp_path):
    path = csv(tmp_path / "t.csv", "when,a,b,label\nmon,1.5,2,go\ntue,2.5,3,stop\n")
    data = readers.read(path)
    assert (data.x_names, data.u_names, data.u_labels) == (("a", "b"), ("label",), ("go", "stop"))
    assert data.meta["notes"] == "u is label; x is a, b, all columns of numbers, without when"


def test_chosen_columns(tmp_path):
    path = csv(tmp_path / "t.csv", "a,b,c,d\n1,2,3.5,p\n2,3,4.5,q\n")
    data = readers.read(path, x=["c", "a"], u="d", z="b")
    assert (data.x_names, data.u_labels, data.z_names) == (("c", "a"), ("p", "q"), ("b",))
    assert data.x.tolist() == [[3.5, 1], [4.5, 2]]
    assert readers.read(path, x="c", u=["a", "b"]).u.tolist() == [[1, 2], [2, 3]]


def test_separators_byte_order_mark_and_no_header(tmp_path):
    assert readers.read(write(tmp_path / "a.csv", "\ufeffa;b\n1;2\n3;4\n".encode())).x_names == ("a", "b")
    headless = readers.read(csv(tmp_path / "b.csv", "1,2\n3,4\n5,6\n"))
    assert (headless.n, headless.x_names) == (3, ("x1", "x2"))
    assert readers.inspect(tmp_path / "b.csv")[0].shape == (3,)


def test_an_index_that_pandas_wrote_is_no_data(tmp_path):
    TABLE.to_csv(tmp_path / "t.csv")
    TABLE[TABLE.u > 0].to_parquet(tmp_path / "t.parquet")
    for name in ("t.csv", "t.parquet"):
        assert readers.read(tmp_path / name).x_names == ("x1", "x2", "x3")


def test_text_labels_of_a_parquet_are_sorted(tmp_path):
    frame = TABLE.assign(u=pd.Categorical(["b", "a"] * 20, categories=["b", "a"]))
    frame.to_parquet(tmp_path / "t.parquet")
    data = readers.read(tmp_path / "t.parquet")
    assert (data.u_labels, data.u[:2].tolist()) == (("a", "b"), [1, 0])


# --- .mat -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "?", ">f8", ">i2"])
def test_mat_numbers_are_those_of_scipy(tmp_path, compressed, dtype):
    array = RNG.integers(0, 2, (7, 5)).astype(dtype)
    array[2, 3] = 1
    savemat(tmp_path / "a.mat", {"note": "text", "box": {"a": 1}, "x": array, "tiny": 3.0}, do_compression=compressed)
    data = readers.read(tmp_path / "a.mat")
    np.testing.assert_array_equal(data.x, loadmat(tmp_path / "a.mat")["x"])
    assert {v.name: v.shape for v in readers.inspect(tmp_path / "a.mat")} == {
        "note": (1, 4),  # listed, with the reason why it is no data
        "x": (7, 5),
        "box.a": (1, 1),
        "tiny": (1, 1),
    }


def test_mat_turns_arrays_to_where_u_has_a_row_an_example(tmp_path):
    savemat(tmp_path / "a.mat", {"cells": X.T, "speed": S[:, 0]})  # units by time, and a row vector
    data = readers.read(tmp_path / "a.mat", x="cells", u="speed")
    np.testing.assert_array_equal(data.x, X)
    assert data.u.shape == (N, 1)
    assert data.meta["notes"] == "cells turned so that rows are examples"
    with pytest.raises(readers.Undecided, match=r"cells is 3 x 40, and nothing says .* --rows-are columns"):
        readers.read(tmp_path / "a.mat")
    np.testing.assert_array_equal(readers.read(tmp_path / "a.mat", rows_are="columns").x, X)


def test_mat_doubles_that_are_whole_are_counts_and_labels(tmp_path):
    savemat(tmp_path / "a.mat", {"x": RNG.poisson(2.0, (200, 3)).astype(float), "u": np.arange(200.0) % 8})
    data = readers.read(tmp_path / "a.mat")
    assert data.is_counts
    assert data.n_labels == 8
    savemat(tmp_path / "b.mat", {"x": RNG.standard_normal((200, 3)), "u": np.arange(200.0)})
    assert not readers.read(tmp_path / "b.mat").has_labels


# --- real files -------------------------------------------------------------------------------------------------------


def test_s1_reach():
    path = shared("s1-reach/s1_data.mat")
    start = time.perf_counter()
    data = readers.read(path, x="spikes", u="vel", rate_hz=1 / 0.049)
    assert time.perf_counter() - start < 1
    assert (data.n, data.d_x, data.u.shape) == (35_129, 52, (35_129, 2))
    assert data.is_counts
    assert data.x.max() == 15
    parts = split(data)
    assert parts.how == "blocks"
    # a data-integrity test: linear decoding is known to reach 0.46 and 0.48 on the last 7,129 bins
    design = np.column_stack([data.x_float(), np.ones(data.n)])
    train, test = np.arange(data.n) < 28_000, np.arange(data.n) >= 28_000
    weights = np.linalg.lstsq(design[train], data.u[train], rcond=None)[0]
    r2 = 1 - ((data.u[test] - design[test] @ weights) ** 2).mean(axis=0) / data.u[test].var(axis=0)
    np.testing.assert_allclose(r2, [0.46, 0.48], atol=0.01)  # the published figures are rounded to 0.01


@pytest.mark.parametrize(
    "name",
    ["s1-reach/s1_data.mat", "case-studies/spikes-1.mat", "case-studies/10_spikes-1.mat", "case-studies/EEG-1.mat"],
)
def test_real_mat_files_hold_what_scipy_finds(name):
    path = shared(name)
    expected = {key: value for key, value in loadmat(path).items() if not key.startswith("__")}
    variables = readers.inspect(path)
    assert {v.name: v.shape for v in variables} == {key: value.shape for key, value in expected.items()}
    largest = max(variables, key=lambda v: np.prod(v.shape)).name
    np.testing.assert_array_equal(
        readers.read(path, x=largest, rows_are="rows").x, expected[largest].astype(np.float32)
    )


def test_pixel_faces_have_factors():
    data = readers.read(shared("pixel-faces/pixel_faces_64x64.npz"))
    assert (data.n, data.x_shape, data.x_scale, data.z.shape) == (6144, (64, 64, 3), 1 / 255, (6144, 6))


def test_suite2p_array():
    path = shared("pynapple-nwb-suite2p/F.npy")
    with pytest.raises(readers.Undecided, match="nothing says whether rows or columns are the examples"):
        readers.read(path)
    assert readers.read(path, rows_are="columns").x.shape == (2000, 219)


def test_digits():
    data = digits()
    assert (data.n, data.d_x, data.x_shape, data.n_labels) == (1797, 64, (8, 8), 10)
    assert (data.x.min(), data.x.max(), data.x.dtype) == (0, 1, np.float32)
    assert {"source", "licence"} <= set(data.meta)


# --- inspect ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["csv", "parquet", "npz", "mat"])
def test_inspect_lists_what_read_accepts(tmp_path, suffix):
    path = tmp_path / f"t.{suffix}"
    frame = TABLE.assign(who=["a", "b"] * 20)
    columns = {name: frame[name].to_numpy() for name in frame if name != "who"}
    {
        "csv": lambda: frame.to_csv(path, index=False),
        "parquet": lambda: frame.to_parquet(path),
        "npz": lambda: np.savez(path, **columns, who=np.array(["a", "b"] * 20), m=X),
        "mat": lambda: savemat(path, {**columns, "m": X}),
    }[suffix]()
    kinds = {variable.name: variable.kind for variable in readers.inspect(path)}
    assert (kinds["x1"], kinds["u"]) == ("column", "label")
    assert kinds.get("who", "label") == "label"
    assert kinds.get("m", "matrix") == "matrix"
    for name in kinds:
        readers.read(path, x="x1", u=name)


# --- dangers ----------------------------------------------------------------------------------------------------------


def npy_header(shape, descr="<f8"):
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def zipped(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


class Boom:
    """Unpickling this writes a file: the sign that something ran."""

    def __reduce__(self):
        return Path.touch, (Path("ran"),)


def mat73():
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, HDF5 schema 1.00 .".ljust(124) + b"\x00\x02IM"
    return head.ljust(512, b"\x00") + b"\x89HDF\r\n\x1a\n" + bytes(500)


def mat_bytes(**arrays):
    buffer = io.BytesIO()
    savemat(buffer, arrays)
    return buffer.getvalue()


def mat_bomb():
    """2,000 numbers by the header, and a compressed body that says it has 4 GB."""
    body = struct.pack("<4I", 6, 8, 6, 0) + struct.pack("<2I2i", 5, 8, 1000, 2) + struct.pack("<2I8s", 1, 1, b"x")
    packed = zlib.compress(struct.pack("<2I", 14, 2**32 - 9) + body + struct.pack("<2I", 9, 2**32 - 8) + bytes(2**22))
    return mat_bytes()[:128] + struct.pack("<2I", 15, len(packed)) + packed


def truncated(content):
    return content[: len(content) * 2 // 3]


def file_bytes(writer):
    buffer = io.BytesIO()
    writer(buffer)
    return buffer.getvalue()


def nested(depth):
    """A cell in a cell in a cell ..."""
    inside = np.zeros(3)
    for _ in range(depth):
        inside, cell = np.empty((1, 1), object), inside
        inside[0, 0] = cell
    return inside


RAGGED = np.empty((1, 2), object)
RAGGED[0, 0], RAGGED[0, 1] = np.zeros((2, 3)), np.zeros((4, 5))
NAN = np.where(np.arange(N)[:, None] == 4, np.nan, X)
HTML = b"\n<!DOCTYPE html><html><body>Quota exceeded</body></html>"
GIB = 2**30

# name: (write the file in a folder, arguments of read, what the sentence says)
DANGERS = {
    "missing": (lambda d: d / "a.npz", {}, r"a\.npz cannot be opened \(No such file"),
    "folder": (lambda d: d, {}, "is a folder with no data file; give one data file"),
    "empty npz": (lambda d: write(d / "a.npz", b""), {}, "is empty"),
    "empty csv": (lambda d: write(d / "a.csv", b""), {}, "is empty"),
    "blank csv": (lambda d: write(d / "a.csv", b"\n\n"), {}, r"a\.csv has no rows"),
    "unknown suffix": (lambda d: write(d / "a.xls", b"abc"), {}, r"no reader knows; save it as one of \.npz"),
    "pickle": (lambda d: write(d / "a.pkl", pickle.dumps(Boom())), {}, "refused; in the program that made it"),
    "joblib": (lambda d: write(d / "a.jl", zlib.compress(pickle.dumps(Boom()))), {}, "can run code when opened"),
    "pickle named npy": (lambda d: write(d / "a.npy", pickle.dumps(Boom())), {}, "can run code when opened"),
    "pickled npy": (
        lambda d: write(d / "a.npy", file_bytes(lambda f: np.save(f, np.array([Boom()]), allow_pickle=True))),
        {},
        r"x of a\.npy is Python objects.*x\.astype\(float\)",
    ),
    "pickled npz": (lambda d: npz(d / "a.npz", x=np.array([Boom()] * 3)), {}, r"x of a\.npz is Python objects"),
    "pickled u": (lambda d: npz(d / "a.npz", x=X, u=U.astype(object)), {"x": "x"}, r"u of a\.npz is Python objects"),
    "torch file": (lambda d: write(d / "a.pt", b"PK\x03\x04abc"), {}, "refused"),
    "huge npy claim": (
        lambda d: write(d / "a.npy", npy_header((10**11,)) + bytes(80)),
        {},
        "800,000,000,000 bytes but",
    ),
    "absurd npy claim": (lambda d: write(d / "a.npy", npy_header((10**15, 10**15))), {}, "cut off or damaged"),
    "negative npy claim": (lambda d: write(d / "a.npy", npy_header((-1, 3)) + bytes(80)), {}, "is negative"),
    "free npy claim": (lambda d: write(d / "a.npy", npy_header((10**12,), "<U0")), {}, "cut off or damaged"),
    "huge npz claim": (lambda d: zipped(d / "a.npz", x=npy_header((10**11,)) + bytes(80)), {}, "holds only"),
    "npz bomb": (
        lambda d: zipped(d / "a.npz", x=npy_header((40, 10**5)) + bytes(32 * 10**6)),
        {"budget_bytes": 10**7, "rows_are": "rows"},
        r"would take 31 MiB of memory; 10 MiB are allowed",
    ),
    "long npy header": (
        lambda d: write(d / "a.npy", b"\x93NUMPY\x02\x00" + struct.pack("<I", 20_000) + b" " * 20_000),
        {},
        r"Header info length \(20000\) is large",
    ),
    "mixed npy header": (
        lambda d: write(d / "a.npy", npy_header((3,)).replace(b"{'descr'", b"{b'descr'") + bytes(80)),
        {},
        "is damaged",
    ),
    "record npy": (lambda d: npz(d / "a.npz", x=np.zeros(4, "f4,i4")), {}, "x of a.npz is a structured array"),
    "complex npz": (lambda d: npz(d / "a.npz", x=X + 1j), {}, "x of a.npz is complex numbers"),
    "text npz": (lambda d: npz(d / "a.npz", x=X.astype(str)), {"x": "x"}, "x must be numbers"),
    "empty archive": (lambda d: npz(d / "a.npz"), {}, "has 0 arrays"),
    "empty array": (lambda d: npz(d / "a.npz", x=X[:0]), {}, r"x of a\.npz is empty: it has the shape \(0, 3\)"),
    "rank 5": (lambda d: npz(d / "a.npz", x=np.zeros((2, 2, 2, 2, 2))), {}, "has 5 axes .* --axes"),
    "truncated npz": (lambda d: write(d / "a.npz", truncated(npz(d / "b.npz", x=X).read_bytes())), {}, "is damaged"),
    "truncated npy": (lambda d: write(d / "a.npy", file_bytes(lambda f: np.save(f, X))[:-8]), {}, "cut off"),
    "npy named npz": (lambda d: write(d / "a.npz", npy_header((1,))), {}, r"does not hold what \.npz files hold"),
    "html npz": (lambda d: write(d / "a.npz", HTML), {}, "is a web page, not data"),
    "html mat": (lambda d: write(d / "a.mat", HTML), {}, "is a web page, not data"),
    "html csv": (lambda d: write(d / "a.csv", HTML), {}, "is a web page, not data"),
    "html parquet": (lambda d: write(d / "a.parquet", HTML), {}, "is a web page, not data"),
    "NaN": (
        lambda d: npz(d / "a.npz", x=NAN),
        {},
        r"Column x1 of a\.npz has 1 missing values in 40 rows, the first in row 5 \(2 other columns",
    ),
    "infinite": (
        lambda d: npz(d / "a.npz", x=np.where(X > 2, -np.inf, X)),
        {},
        "1 infinite or too large values .* row 27",
    ),
    "constant": (lambda d: npz(d / "a.npz", x=np.ones((N, 3))), {}, "x must vary, but all its 40 rows are the same"),
    "one row": (lambda d: npz(d / "a.npz", x=X[:1]), {"rows_are": "rows"}, "x must vary"),
    "rows": (lambda d: npz(d / "a.npz", x=X, u=U[:-1]), {}, r"x of a\.npz has 40 rows and u has 39"),
    "rows side by side": (lambda d: npz(d / "a.npz", x=X, u=U[:-1]), {"x": ["x", "u"]}, "has x 40, u 39"),
    "wrong name": (
        lambda d: npz(d / "a.npz", spikes=X),
        {"x": "spike"},
        r"nothing called 'spike'; did you mean 'spikes'\?",
    ),
    "no such name": (lambda d: npz(d / "a.npz", spikes=X), {"u": "qq"}, r"nothing called 'qq'; it has spikes\."),
    "v7.3 mat": (lambda d: write(d / "a.mat", mat73()), {}, "is damaged or not an HDF5 file"),
    "hdf5 named mat": (lambda d: write(d / "a.mat", mat73()[512:]), {}, "is damaged or not an HDF5 file"),
    "no mat": (lambda d: write(d / "a.mat", b"abc"), {}, "is not a MATLAB 5 to 7 file"),
    "truncated mat": (lambda d: write(d / "a.mat", truncated(mat_bytes(x=X))), {}, "is damaged"),
    "mat name": (lambda d: write(d / "a.mat", mat_bytes(vel=X)), {"u": "vels"}, "did you mean 'vel'"),
    "mat rows": (
        lambda d: write(d / "a.mat", mat_bytes(x=X, u=U[:-1])),
        {},
        r"x of a\.mat has 40 rows and u has 1 x 39",
    ),
    "mat budget": (lambda d: write(d / "a.mat", mat_bytes(x=X)), {"budget_bytes": 400}, "choose fewer variables"),
    "mat struct": (lambda d: write(d / "a.mat", mat_bytes(x={"a": X})), {"x": "x"}, "x of a.mat is a MATLAB struct"),
    "mat complex": (lambda d: write(d / "a.mat", mat_bytes(x=X * 1j)), {"x": "x"}, "is a MATLAB complex"),
    "mat bomb": (lambda d: write(d / "a.mat", mat_bomb()), {}, "numbers came where 2000 were expected"),
    "mat of ragged cells": (lambda d: write(d / "a.mat", mat_bytes(x=RAGGED)), {"x": "x{}"}, "is a ragged MATLAB cell"),
    "mat of cells in cells": (lambda d: write(d / "a.mat", mat_bytes(x=nested(40))), {}, "nested more than 16 deep"),
    "mat NaN": (lambda d: write(d / "a.mat", mat_bytes(x=NAN)), {}, "Column x1 of a.mat has 1 missing"),
    "ragged csv": (lambda d: csv(d / "a.csv", "a,b\n1,2\n1,2,3\n"), {}, r"is damaged or not a \.csv file.*line 3"),
    "ragged first row": (lambda d: csv(d / "a.csv", "a,b\n1,2,3\n1,2,3\n"), {}, "more values than its 2 columns"),
    "short csv row": (
        lambda d: csv(d / "a.csv", "a,b\n1,2\n1\n3,4\n"),
        {},
        "Column b .* 1 missing .* in 3 rows.*row 2",
    ),
    "infinite csv": (lambda d: csv(d / "a.csv", "a,b\n1,2\ninf,3\n4,5\n"), {}, "Column a of a.csv has 1 infinite"),
    "arff of nothing": (lambda d: write(d / "a.arff", b"@relation r\n@attribute a real\n@data\n"), {}, "but no rows"),
    "arff without data": (lambda d: write(d / "a.arff", b"@relation r\n@attribute a real\n"), {}, "it has no @DATA"),
    "html arff": (lambda d: write(d / "a.arff", HTML), {}, "is a web page"),
    "text csv": (lambda d: csv(d / "a.csv", "a,b\np,q\nr,s\n"), {}, r"no numbers that could be x; it has a, b\."),
    "stray text": (lambda d: csv(d / "a.csv", "a,b\n1,2\n1,oops\n3,4\n"), {}, "Column b .* row 2 holds 'oops'"),
    "text as x": (
        lambda d: csv(d / "a.csv", "a,b\n1,p\n2,q\n"),
        {"x": "b"},
        "b of a.csv is texts, which can be u only",
    ),
    "header alone": (lambda d: csv(d / "a.csv", "a,b\n"), {}, "a header but no rows"),
    "latin-1 csv": (
        lambda d: write(d / "a.csv", "a,größe\n1,2\n".encode("latin-1")),
        {},
        "is not UTF-8 text",
    ),
    "csv budget": (lambda d: csv(d / "a.csv", "a,b\n" + "1,2\n" * 99), {"budget_bytes": 900}, "would take"),
    "wide csv": (lambda d: csv(d / "a.csv", "1," * 20_000 + "1\n"), {}, "20,001 columns where 20,000 can be read"),
    "csv name": (lambda d: csv(d / "a.csv", "speed,b\n1,2\n2,3\n"), {"u": "sped"}, "did you mean 'speed'"),
    "identifier": (
        lambda d: csv(d / "a.csv", "a,u\n" + "".join(f"{i % 7},id{i}\n" for i in range(600))),
        {},
        "600 different texts where at most 500",
    ),
    "truncated parquet": (
        lambda d: write(d / "a.parquet", truncated(file_bytes(lambda f: TABLE.to_parquet(f)))),
        {},
        "is damaged",
    ),
    "parquet of lists": (
        lambda d: write(d / "a.parquet", file_bytes(lambda f: pd.DataFrame({"a": [[1], [2, 3]]}).to_parquet(f))),
        {"x": "a"},
        "lists of different lengths",
    ),
    "parquet budget": (
        lambda d: write(d / "a.parquet", file_bytes(lambda f: pd.DataFrame({"a": np.zeros(10**6)}).to_parquet(f))),
        {"budget_bytes": 10**6},
        "would take 8 MiB",
    ),
    "parquet NaN": (
        lambda d: write(d / "a.parquet", file_bytes(lambda f: TABLE.replace(0, np.nan).to_parquet(f))),
        {},
        "Column u .* 10 missing values in 40 rows, the first in row 1",
    ),
}


@pytest.mark.parametrize("case", DANGERS)
def test_danger(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    make, arguments, message = DANGERS[case]
    path = make(tmp_path)
    start = time.process_time()
    with pytest.raises(DataError, match=message) as caught:
        readers.read(path, **arguments)
    assert time.process_time() - start < 1
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence[-1] in ".?"
    assert str(tmp_path) not in sentence or "No such" in sentence  # the name is enough; paths are nobody's business
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    "case", ["folder", "empty csv", "pickle", "html npz", "v7.3 mat", "truncated npz", "ragged first row"]
)
def test_inspect_refuses_the_same(tmp_path, case):
    with pytest.raises(DataError, match=DANGERS[case][2]):
        readers.inspect(DANGERS[case][0](tmp_path))


def test_the_heavy_libraries_wait_until_they_are_needed():
    import subprocess
    import sys

    code = "import sys; from dvae_core.data import dataset, readers, worlds; print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not [name for name in ("torch", "scipy", "sklearn", "pandas", "pyarrow") if f"'{name}'" in loaded]
