"""Training on principal components of x: fitted on training rows alone, kept in the run, applied to other data."""

import shutil

import numpy as np
import pytest

from dvae_core import recipes, runs
from dvae_core.config import FileData
from dvae_core.data import readers
from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.load import dataset_of, examine, read_file
from dvae_core.data.reduce import fitted, reduced
from dvae_core.data.split import split
from dvae_core.runs.data import axes_of, data_of, matched


def recording(n=300, d=12, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 3)) @ rng.standard_normal((3, d)) + 0.1 * rng.standard_normal((n, d)) + 5
    return x.astype(np.float32)


def test_components_are_those_of_the_training_rows_and_held_out_rows_have_no_say():
    x = recording()
    data = Dataset("a", x, rate_hz=10.0)
    train = split(data, "blocks").train
    centred = x[train] - x[train].mean(0)
    turn = np.linalg.svd(centred.astype(float), full_matrices=False)[2][:4]
    got = reduced(data, "blocks", 0, 4)
    assert got.x.shape == (300, 4)
    assert got.x_names == ("PC1", "PC2", "PC3", "PC4")
    # equal up to the sign of each axis; 1e-3: x and its components are float32, of size 10
    assert np.abs(got.x) == pytest.approx(np.abs((x - x[train].mean(0)) @ turn.T), abs=1e-3)
    changed = x.copy()
    changed[split(data, "blocks").held_out] *= -7
    other = fitted(Dataset("b", changed, rate_hz=10.0), "blocks", 0, 4)
    assert np.array_equal(other.axes, fitted(data, "blocks", 0, 4).axes)


def test_as_many_components_as_columns_keep_every_distance():
    data = Dataset("a", recording(d=5))
    got = reduced(data, "random", 0, 5).x
    before = np.linalg.norm(data.x[:50, None] - data.x[None, :50], axis=2)
    # float32 sums of five squares of size 10
    assert np.linalg.norm(got[:50, None] - got[None, :50], axis=2) == pytest.approx(before, abs=1e-4)


def test_pictures_and_too_many_components_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match="pictures, which are trained on as they are"):
        reduced(Dataset("p", rng.integers(0, 256, (40, 64), np.uint8), x_shape=(8, 8)), "random", 0, 3)
    with pytest.raises(DataError, match="at most 12 principal components; got 13"):
        reduced(Dataset("a", recording()), "random", 0, 13)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pca")
    np.savez(folder / "a.npz", x=recording(), u=np.arange(300) % 3)
    data = FileData(path=str(folder / "a.npz"), rate_hz=10.0, pca=4)
    config = recipes.for_dataset(data, dataset_of(data), "ivae", members=1, epochs=1, latents=2)
    run = runs.create(folder / "run", config)
    from dvae_core.training.train import train

    for _ in train(run):
        pass
    return run, data


def test_a_run_sees_components_and_its_record_says_so(trained):
    run, _ = trained
    assert run.about["d_x"] == 4
    assert run.latents()["x"].shape[1] == 4
    reading = run.about["reading"]
    assert reading["pca"]["columns"] == 12
    assert reading["pca"]["components"] == 4
    assert reading["pca"]["share"] > 0.99  # three signals and a tenth of noise
    assert reading["pca"]["fitted_rows"] == run.about["n_train"]
    assert "4 principal components of the 12 columns" in reading["notes"][-1]
    assert data_of(run).d_x == 4


def test_other_data_is_reduced_by_the_axes_of_the_run_in_any_order_of_columns(trained, tmp_path):
    from dvae_core.analysis.encode import encode_only

    run, data = trained
    whole = encode_only(run, read_file(data))["mu_z"]
    x = recording()
    part = Dataset("part", x[:40, ::-1], np.arange(40) % 3, x_names=tuple(f"x{i}" for i in range(12, 0, -1)))
    # another batch size changes the last bits of float32 sums
    assert encode_only(run, part)["mu_z"] == pytest.approx(whole[:, :40], abs=1e-4)
    with pytest.raises(DataError, match="lacks x12"):
        encode_only(run, Dataset("less", x[:40, :11], np.arange(40) % 3))


def test_an_exported_run_keeps_its_axes(trained, tmp_path):
    from dvae_core.runs import archive

    run, _ = trained
    copy = archive.unpack(archive.pack(run), tmp_path / "store")
    kept = (copy.components() or {})["axes"]
    assert np.array_equal(kept, (run.components() or {})["axes"])


def test_inspect_reports_the_components(tmp_path):
    np.savez(tmp_path / "a.npz", x=recording())
    record, problem = examine(FileData(path=str(tmp_path / "a.npz"), rate_hz=10.0, pca=3))
    assert problem == ""
    assert record["x"]["shape"] == [300, 3]
    assert readers.read(tmp_path / "a.npz").d_x == 12


def test_axes_that_are_not_complete_are_one_sentence(trained, tmp_path):
    run, data = trained
    shutil.copytree(run.path, tmp_path / "run", ignore=shutil.ignore_patterns("SHA256SUMS"))
    broken = runs.Run(tmp_path / "run")
    for change in ({"mean": np.zeros(3)}, {"names": np.array(["a"])}):
        broken.write_npz("components.npz", {**(run.components() or {}), **change})
        with pytest.raises(runs.RunError, match=r"components\.npz of run run is not complete"):
            axes_of(broken)
    broken.write_npz("components.npz", {"axes": np.eye(2)})
    with pytest.raises(runs.RunError, match="is not complete"):
        matched(broken, read_file(data), needs_u=False)
