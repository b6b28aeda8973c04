"""What a file says is read, what it does not say is asked, and nothing is passed over in silence.

Small layouts of every container, made here. Cases that people reported: `python benchmarks/reading.py`.
"""

import json

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import sparse
from scipy.io import savemat

from dvae_core.cli import main
from dvae_core.config import FileData, data_from_text, data_to_text
from dvae_core.data import care, readers
from dvae_core.data.dataset import DataError, Dataset, MissingValues
from dvae_core.data.load import read_file
from dvae_core.data.saved import save

RNG = np.random.default_rng(0)
N, D = 120, 5
X = RNG.standard_normal((N, D)).astype(np.float32)
LABELS = RNG.integers(0, 3, N)
T = np.arange(N) / 30


def mat73(path, content):
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in content.items():
            values = np.atleast_2d(values)
            values = values.T if values.shape[0] == 1 else values
            file.create_dataset(name, data=values.T).attrs["MATLAB_class"] = np.bytes_("double")
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64, HDF5 schema 1.00 .".ljust(124) + b"\x00\x02IM")


def hdf5(path, content):
    with h5py.File(path, "w") as file:
        for name, values in content.items():
            file[name] = values


CONTAINERS = {
    "npz": lambda path, content: np.savez(path, **content),
    "h5": hdf5,
    "mat": savemat,
    "73.mat": mat73,
}


def stored(tmp_path, container, **content):
    path = tmp_path / f"a.{container}"
    CONTAINERS[container](path, {k: np.asarray(v) for k, v in content.items()})
    return path


# --- what is x --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("container", CONTAINERS)
def test_size_is_not_a_reason_to_choose_a_variable(tmp_path, container):
    path = stored(tmp_path, container, rates=X, mask=np.ones((40, 300)))
    with pytest.raises(readers.Undecided, match=r"which variable is x is not clear \(.*mask.*--x NAME") as caught:
        readers.read(path)
    assert set(caught.value.question.candidates) == {"rates", "mask"}
    np.testing.assert_allclose(readers.read(path, x="rates").x, X)


@pytest.mark.parametrize("container", CONTAINERS)
def test_the_only_matrix_is_x_and_that_is_noted(tmp_path, container):
    data = readers.read(stored(tmp_path, container, rates=X, speed=X[:, 0] * 2))
    np.testing.assert_allclose(data.x, X)
    assert "x is rates, the only matrix in it" in data.meta["notes"]


def test_something_unreadable_that_could_be_x_is_a_question(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, small=X, data=np.zeros((N, 9), "f4,i4"))
    with pytest.raises(readers.Undecided, match="data is a structured array"):
        readers.read(path)
    listed = {v.name: v for v in readers.inspect(path)}
    assert not listed["data"].readable
    assert listed["small"].readable


def test_a_sparse_matrix_of_matlab_is_read(tmp_path):
    raster = (RNG.random((N, 7)) < 0.2).astype(float)
    savemat(tmp_path / "a.mat", {"raster": sparse.csc_matrix(raster), "t0": 1.0})
    np.testing.assert_array_equal(readers.read(tmp_path / "a.mat").x, raster)


def test_counts_of_10x_and_anndata(tmp_path):
    counts = RNG.poisson(0.4, (40, 12))
    csr = sparse.csr_matrix(counts)
    with h5py.File(tmp_path / "tenx.h5", "w") as file:
        for name, values in (("data", csr.data), ("indices", csr.indices), ("indptr", csr.indptr), ("shape", [12, 40])):
            file[f"matrix/{name}"] = values
        file["matrix/barcodes"] = [f"c{i}" for i in range(40)]
        file["matrix/features/name"] = [f"g{i}" for i in range(12)]
    with h5py.File(tmp_path / "ann.h5", "w") as file:
        group = file.create_group("X")
        group.attrs["encoding-type"], group.attrs["shape"] = "csr_matrix", counts.shape
        group["data"], group["indices"], group["indptr"] = csr.data, csr.indices, csr.indptr
        file["obs/type/categories"], file["obs/type/codes"] = ["B", "T"], np.arange(40) % 2
    tenx = readers.read(tmp_path / "tenx.h5")
    np.testing.assert_array_equal(tenx.x, counts)
    assert tenx.x_names[:2] == ("g0", "g1")
    cells = readers.read(tmp_path / "ann.h5", u="obs/type")
    np.testing.assert_array_equal(cells.x, counts)
    assert cells.u_labels == ("B", "T")


def test_a_damaged_sparse_matrix_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("X")
        group.attrs["encoding-type"], group.attrs["shape"] = "csr_matrix", (3, 4)
        group["data"], group["indices"], group["indptr"] = [1.0, 2.0], [0, 99], [0, 1, 1, 2]
    with pytest.raises(DataError, match="damaged sparse matrix"):
        readers.read(tmp_path / "a.h5")


# --- which axis is rows -----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("container", CONTAINERS)
def test_a_wide_matrix_without_evidence_is_a_question(tmp_path, container):
    path = stored(tmp_path, container, dff=X.T)
    with pytest.raises(readers.Undecided, match="nothing says whether rows or columns"):
        readers.read(path)
    np.testing.assert_allclose(readers.read(path, rows_are="columns").x, X)
    assert readers.read(path, rows_are="rows").n == D


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("evidence", ["u", "t"])
def test_what_describes_the_rows_says_which_they_are(tmp_path, container, evidence):
    path = stored(tmp_path, container, dff=X.T, **{evidence: LABELS if evidence == "u" else T})
    np.testing.assert_allclose(readers.read(path).x, X)


def test_a_saved_data_set_that_is_wide_keeps_its_rows(tmp_path):
    wide = Dataset("wide", X.T.copy())
    save(wide, tmp_path / "wide.npz")
    assert readers.read(tmp_path / "wide.npz").fingerprint == wide.fingerprint


@pytest.mark.parametrize("container", CONTAINERS)
def test_trials_become_rows_of_bins_once_their_axes_are_known(tmp_path, container):
    counts = RNG.poisson(2.0, (12, 10, 4))
    turned = counts if container in ("npz", "h5") else counts.transpose(2, 1, 0)
    if container == "73.mat":
        with h5py.File(tmp_path / "a.73.mat", "w", userblock_size=512) as file:
            for name, values in (("spikes", turned.T), ("cond", np.arange(12.0)[None] % 3)):
                file.create_dataset(name, data=values.astype(float)).attrs["MATLAB_class"] = np.bytes_("double")
        with open(tmp_path / "a.73.mat", "r+b") as file:
            file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64, HDF5 schema 1.00 .".ljust(124) + b"\x00\x02IM")
        path = tmp_path / "a.73.mat"
    else:
        path = stored(tmp_path, container, spikes=turned, cond=np.arange(12) % 3)
    with pytest.raises(readers.Undecided, match="--axes NAME,NAME,NAME"):
        readers.read(path, x="spikes", u="cond")
    axes = "trial,time,unit" if container in ("npz", "h5") else "unit,time,trial"
    data = readers.read(path, x="spikes", u="cond", axes=axes)
    np.testing.assert_array_equal(data.x, counts.reshape(-1, 4))
    np.testing.assert_array_equal(data.trial, np.repeat(np.arange(12), 10))
    np.testing.assert_array_equal(data.u, np.repeat(np.arange(12) % 3, 10))


def test_pieces_of_different_lengths_say_which_axis_is_time(tmp_path):
    pieces = [RNG.standard_normal((3, k)) for k in (4, 6, 5)]
    cell = np.empty((1, 3), object)
    for i, piece in enumerate(pieces):
        cell[0, i] = piece
    savemat(tmp_path / "a.mat", {"trials": cell, "cond": np.array([1.0, 2, 1])})
    data = readers.read(tmp_path / "a.mat", x="trials{}", u="cond")
    np.testing.assert_allclose(data.x, np.concatenate([p.T for p in pieces]), rtol=1e-6)
    assert data.trial.tolist() == [0] * 4 + [1] * 6 + [2] * 5
    assert data.u.tolist() == [0] * 4 + [1] * 6 + [0] * 5


def test_vectors_of_equal_length_that_do_not_rise_are_not_event_times(tmp_path):
    cell = np.empty((1, 4), object)
    traces = RNG.standard_normal((4, 50))
    for i in range(4):
        cell[0, i] = traces[i][:, None]
    savemat(tmp_path / "a.mat", {"spikeTrains": cell})
    np.testing.assert_allclose(readers.read(tmp_path / "a.mat").x, traces.T, rtol=1e-6)


# --- labels and numbers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "labels"),
    [
        (["NA", "K", "CL"], {"NA", "K", "CL"}),
        (["01", "1", "10"], {"01", "1", "10"}),
        (["None", "a", "b"], {"None", "a", "b"}),
    ],
)
def test_a_label_is_its_text(tmp_path, written, labels):
    frame = pd.DataFrame(X, columns=list("abcde")).assign(label=[written[k] for k in LABELS])
    frame.to_csv(tmp_path / "a.csv", index=False)
    assert set(readers.read(tmp_path / "a.csv").u_labels) == labels


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_whole_numbers_with_a_gap_stay_labels(tmp_path, suffix):
    label = pd.array(LABELS, dtype="Int64")
    label[5] = pd.NA
    frame = pd.DataFrame(X, columns=list("abcde")).assign(label=label)
    path = tmp_path / f"a.{suffix}"
    frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path)
    with pytest.raises(
        MissingValues, match=r"Column label .* 1 missing values in 120 rows, the first in row 6"
    ) as caught:
        readers.read(path)
    data = care.complete(caught.value, "drop rows")
    assert (data.n, data.u_labels) == (N - 1, ("0", "1", "2"))
    assert data.row_index.tolist() == [i for i in range(N) if i != 5]


def test_decimal_commas_and_units_are_numbers(tmp_path):
    rows = "\n".join(
        f"{a:.3f};{b:.1f} cm;{k}".replace(".", ",") for a, b, k in zip(X[:, 0], X[:, 1], LABELS, strict=True)
    )
    (tmp_path / "a.csv").write_text("v;w;label\n" + rows + "\n")
    data = readers.read(tmp_path / "a.csv")
    assert (data.x_names, data.n_labels) == (("v", "w"), 3)
    np.testing.assert_allclose(data.x, X[:, :2], atol=0.06)  # as written: one decimal
    assert "commas are decimals" in data.meta["notes"]
    assert "w: the unit 'cm' was removed" in data.meta["notes"]


def test_names_of_files_are_not_numbers_with_a_unit(tmp_path):
    lines = [f"{name:06d}.jpg,{name % 7},{name * 0.5}" for name in (12, 3, 10, 77, 5, 6)]
    (tmp_path / "a.csv").write_text("image,a,b\n" + "\n".join(lines) + "\n")
    data = readers.read(tmp_path / "a.csv", u="image")
    assert data.x_names == ("a", "b")
    assert data.u_labels[:2] == ("000003.jpg", "000005.jpg")


def test_a_first_line_of_whole_numbers_names_columns_of_fractions(tmp_path):
    pd.DataFrame(X).to_csv(tmp_path / "a.csv", index=False)
    data = readers.read(tmp_path / "a.csv")
    assert (data.n, data.x_names) == (N, ("0", "1", "2", "3", "4"))
    (tmp_path / "b.csv").write_text("0,1\n3,4\n5,6\n7,8\n")  # no fractions: numbers from the first line on
    assert readers.read(tmp_path / "b.csv").n == 4


@pytest.mark.parametrize("name", ["id", "time", "frame", "trial", "cell_nr"])
def test_columns_that_number_the_rows_are_not_data(tmp_path, name):
    frame = pd.DataFrame(X, columns=list("abcde"))
    frame.insert(0, name, np.arange(N) * 2 + 1)
    frame.to_csv(tmp_path / "a.csv", index=False)
    data = readers.read(tmp_path / "a.csv")
    assert data.x_names == tuple("abcde")
    assert f"{name} (" in data.meta["notes"]
    assert readers.read(tmp_path / "a.csv", x=[name, "a"]).x_names == (name, "a")


def test_an_offset_does_not_eat_the_signal(tmp_path):
    np.savez(tmp_path / "a.npz", x=1e6 + 0.01 * X.astype(float), u=1.7e9 + T)
    data = readers.read(tmp_path / "a.npz")
    got = data.x.astype(float) - data.x.mean(0, dtype=float)
    np.testing.assert_allclose(got, 0.01 * (X - X.mean(0, dtype=float)), atol=1e-6)
    assert len(np.unique(data.u)) == N
    assert data.x_offset is not None
    with pytest.raises(DataError, match="even 64-bit numbers hardly hold"):
        Dataset("a", 1e17 + np.round(X.astype(float) * 50))


# --- pictures ---------------------------------------------------------------------------------------------------------


def test_one_scale_for_a_set_of_deep_pictures_in_the_order_of_their_numbers(tmp_path):
    for i in range(1, 13):
        values = np.full((8, 8), 100 * i, np.uint16) + np.eye(8, dtype=np.uint16)
        Image.fromarray(values).save(tmp_path / f"frame{i}.png")
    data = readers.read(tmp_path)
    means = data.x_float().mean(1)
    assert (np.diff(means) > 0).all()
    assert data.x.max() == 1201
    assert data.x_float().max() == pytest.approx(1)
    assert "all divided by 1201" in data.meta["levels"]


@pytest.mark.slow
def test_pixels_of_a_table_are_asked_about(tmp_path):
    pixels = RNG.integers(0, 256, (N, 64))
    pixels[0, 0] = 255
    pd.DataFrame(pixels, columns=[f"p{i}" for i in range(64)]).assign(label=LABELS).to_csv(
        tmp_path / "a.csv", index=False
    )
    with pytest.raises(readers.Undecided, match="--picture 8x8 or --picture none"):
        read_file(FileData(path=str(tmp_path / "a.csv")))
    assert read_file(FileData(path=str(tmp_path / "a.csv"), picture="8x8")).x_shape == (8, 8)
    assert read_file(FileData(path=str(tmp_path / "a.csv"), picture="none")).x_shape is None


# --- the record and the command line ----------------------------------------------------------------------------------


def test_inspect_prints_the_record_as_json_and_asks_with_exit_code_2(tmp_path, capsys):
    np.savez(tmp_path / "a.npz", rates=X, u=LABELS)
    assert main(["inspect", str(tmp_path / "a.npz"), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["x"] == {"name": "rates", "shape": [N, D], "names": [f"rates{i + 1}" for i in range(D)]}
    assert record["u"]["labels"] == ["0", "1", "2"]
    assert {v["name"]: v["readable"] for v in record["variables"]} == {"rates": True, "u": True}
    assert set(record["variables"][0]) >= {
        "name",
        "kind",
        "axes",
        "shape",
        "dtype",
        "rate",
        "clock",
        "unit",
        "readable",
    }
    np.savez(tmp_path / "b.npz", a=X, b=X)
    assert main(["inspect", str(tmp_path / "b.npz"), "--json"]) == 2
    question = json.loads(capsys.readouterr().out)["questions"][0]
    assert (question["about"], question["candidates"], question["option"]) == ("x", ["a", "b"], "--x NAME")
    assert main(["train", "--data", str(tmp_path / "b.npz"), "--out", str(tmp_path / "run")]) == 2
    assert "--x NAME" in capsys.readouterr().err


def test_links_keep_file_names_with_commas_and_numbers():
    for path in ("/d/cond=1,rep=2.csv", "/d/plain, with comma.csv", "1", '"quoted"'):
        data = FileData(path=path, time="1", x=("speed, cm/s", "b"))
        assert data_from_text(data_to_text(data))[0] == data


def test_a_number_above_numbers_is_a_row_and_not_a_name(tmp_path):
    (tmp_path / "a.txt").write_text("".join(f"{i:06d}.jpg {i % 3}\n" for i in range(1, 25)))
    data = readers.read(tmp_path / "a.txt", u="x1")
    assert (data.n, data.x_names) == (24, ("x2",))
    pixels = pd.DataFrame(RNG.integers(0, 9, (N, 4))).assign(label=LABELS)
    pixels.to_csv(tmp_path / "b.csv", index=False)  # its names are 0, 1, 2, 3, label
    assert readers.read(tmp_path / "b.csv").x_names == ("0", "1", "2", "3")


def test_a_field_of_a_struct_array_beside_times_has_no_clock(tmp_path):
    cells = np.zeros((1, 3), dtype=[("time", object), ("depth", object)])
    for i in range(3):
        cells[0, i] = (np.sort(RNG.uniform(0, 20, 50 + i))[:, None], float(i))
    savemat(tmp_path / "a.mat", {"spikes": cells})
    data = readers.read(tmp_path / "a.mat")
    assert (data.d_x, data.u) == (3, None)
