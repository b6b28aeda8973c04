"""What is wrong with data is counted, and cured only on request, with a note."""

import dataclasses

import numpy as np
import pytest

from dvae_core.config import Config, FileData, data_from_text
from dvae_core.data import care
from dvae_core.data.dataset import DataError, Dataset, MissingValues
from dvae_core.data.load import dataset_of


def table(n: int = 400) -> np.ndarray:
    return np.random.default_rng(0).normal(10, 2, (n, 4)).astype(np.float32)


def test_findings_are_counted():
    x = table()
    x[3, 1], x[7, 1], x[7, 2] = 1e6, -1e6, 1e5
    x[:, 3] = 4
    x[20] = x[10]
    found = care.findings(Dataset("t", x))
    assert found == care.Findings(400, 3, 2, ("x2", "x3"), ("x4",), 1)
    assert care.findings(Dataset("p", x, x_shape=(2, 2))).constant == ()  # pictures have borders
    clean = care.findings(Dataset("t", table()))
    assert (clean.outlier_cells, clean.constant, clean.duplicates) == (0, (), 0)


def test_cures_change_what_they_say_and_no_more():
    x = table()
    x[3, 1] = 1e6
    x[:, 3] = 4
    x[20] = x[10]
    u = np.arange(400) % 5
    u[20] = 5  # the only row of its label goes with the repeated row
    data = Dataset("t", x, u=u, z=x[:, :2], u_labels=tuple("abcdef"))
    cured = care.cured(data, clip=10, constant=True, duplicates=True)
    assert (cured.n, cured.d_x, cured.x_names) == (399, 3, ("x1", "x2", "x3"))
    assert cured.u_labels == tuple("abcde")
    assert cured.x[3, 1] < 40
    untouched = np.delete(np.arange(400), [3, 20])
    assert (cured.x[np.delete(np.arange(399), 3)] == x[untouched][:, :3]).all()
    assert cured.meta["cures"] == (
        "values clipped at 10 robust deviations: 1; constant columns dropped: 1; repeated rows dropped: 1"
    )
    assert care.cured(data) is data
    with pytest.raises(DataError, match="cannot be dropped from pictures"):
        care.cured(Dataset("p", x, x_shape=(2, 2)), constant=True)
    with pytest.raises(DataError, match="positive number of deviations"):
        care.cured(data, clip=0)


def test_missing_values_are_refused_until_a_cure_is_chosen(tmp_path):
    x = table()
    x[5, 0], x[9, 0], x[9, 2] = np.nan, np.inf, np.nan
    u = np.arange(400.0)
    u[30] = np.nan
    np.savez(tmp_path / "a.npz", x=x, u=u)
    file = FileData(path=str(tmp_path / "a.npz"))
    with pytest.raises(
        MissingValues, match=r"Column x1 of a\.npz has 2 missing values in 400 rows, the first in row 6"
    ) as caught:
        dataset_of(file)
    assert care.missing(caught.value) == (3, 2, 2)
    rows = dataset_of(dataclasses.replace(file, missing="drop rows"))
    assert (rows.n, rows.d_x, len(rows.u)) == (397, 4, 397)
    assert rows.meta["cures"] == "rows with missing values dropped: 3"
    columns = dataset_of(dataclasses.replace(file, missing="drop columns"))
    assert (columns.n, columns.d_x) == (399, 2)
    np.savez(tmp_path / "b.npz", x=np.full((4, 2), np.nan))
    with pytest.raises(DataError, match="Nothing would be left"):
        dataset_of(FileData(path=str(tmp_path / "b.npz"), missing="drop rows"))


def test_cures_are_part_of_the_config_and_of_links():
    file = FileData(path="a.npz", x=("a", "b c"), u=("v",), clip=10.0, missing="drop rows", constant="drop")
    assert Config.from_json(Config(data=file).to_json()).data == file
    text = 'file,path=a.npz,x=["a", "b c"],u=["v"],missing=drop rows,clip=10.0,constant=drop'
    assert data_from_text(text) == (file, "auto")


def test_the_spectrum_is_pcas():
    from sklearn.decomposition import PCA

    x = table() @ np.random.default_rng(1).normal(size=(4, 4))
    assert care.spectrum(x, rows=1000) == pytest.approx(PCA().fit(x).explained_variance_ratio_, rel=1e-4)
    wide = np.random.default_rng(2).normal(size=(30, 200))
    assert care.spectrum(wide)[:29] == pytest.approx(PCA().fit(wide).explained_variance_ratio_[:29], rel=1e-6)
