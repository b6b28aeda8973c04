"""Files to Datasets: what each format gives, and that whatever is wrong with a file is one sentence, at once."""

import numpy as np
import pandas as pd
import pytest
from scipy.io import loadmat, savemat

from dvae_core.data import readers
from dvae_core.data.saved import save
from dvae_core.data.split import split
from dvae_core.data.worlds.digits import digits
from dvae_core.data.worlds.sources import sources
from tests.shared_data import shared

RNG = np.random.default_rng(0)
N = 40
X = RNG.standard_normal((N, 3)).astype(np.float32)
U = np.arange(N) % 4
S = RNG.standard_normal((N, 2)).astype(np.float32)
TABLE = pd.DataFrame({"x1": X[:, 0], "x2": X[:, 1], "x3": X[:, 2], "u": U, "s1": S[:, 0], "s2": S[:, 1]})


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


def test_the_default_columns_are_noted(tmp_path):
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


def test_an_index_that_pandas_wrote_is_not_data(tmp_path):
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
    data = readers.read(path, x="spikes", u="vel", rate_hz=1 / 0.049)
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
