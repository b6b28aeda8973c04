"""Held-out means held out: the memory of data, the test of neighbours, gaps beside blocks, and what is recorded."""

import json

import numpy as np
import pytest
from scipy.signal import lfilter

from dvae_core import recipes, runs
from dvae_core.analysis.all_rows.compute import all_rows
from dvae_core.analysis.all_rows.record import AllRows
from dvae_core.cli import main
from dvae_core.config import Config, ConfigError, FileData, NeuronsData
from dvae_core.data import held_out
from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.load import examine
from dvae_core.data.order import ALARM
from dvae_core.data.saved import save
from dvae_core.data.split import split
from dvae_core.training.train import train
from pages.ui import controls


def series(n: int, columns: int = 5, memory: float | int = 20, seed: int = 0) -> np.ndarray:
    """Draw columns whose autocorrelation falls to 1/e within `memory` rows, so that their time is about 2 memory."""
    keep = np.exp(-1 / memory)
    return lfilter([1], [1, -keep], np.random.default_rng(seed).standard_normal((n + 500, columns)), axis=0)[500:]


def table(seed: int, **known) -> Dataset:
    return Dataset("table", np.random.default_rng(seed).standard_normal((120, 4)), **known)


# --- the test of neighbours -------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["counts", "sorted labels"])
def test_independent_rows_raise_no_warning(kind):
    # 200 draws at a false-alarm rate of 1 in 100 give 2 alarms on average; more than 5 % of them has p < 1e-4
    alarms = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        x, known = rng.standard_normal((100, 4)), {}
        if kind == "counts":
            x = rng.poisson(0.3, (100, 6)).astype(np.uint8) + np.eye(100, 6, dtype=np.uint8)
        if kind == "sorted labels":  # means and variances change from label to label, and rows are sorted by it
            u = np.repeat(np.arange(4), 25)
            x, known = x * np.array([0.2, 3, 1, 0.5])[u, None] + 5 * u[:, None], {"u": u}
        alarms += Dataset(kind, x, **known).order.resembles
    assert alarms <= 0.05 * 200


def test_rows_with_a_memory_are_noticed_and_the_memory_is_measured():
    found = Dataset("series", series(20_000, memory=20)).order
    assert found.resembles
    assert 35 < found.memory < 60  # 40 in an infinite series; the largest of five estimates, each with an error of 4


def test_a_slow_signal_is_found_under_the_noise_of_many_columns_and_one_artefact():
    rng, slow = np.random.default_rng(0), series(2000, 1, 30)
    x = 0.3 * slow / slow.std() @ rng.standard_normal((1, 60)) + rng.standard_normal((2000, 60))
    x[1234, 5] = 1e6
    found = Dataset("neurons", x).order
    assert found.resembles
    assert found.memory > 20  # no single column shows more than 7


# --- the plan ---------------------------------------------------------------------------------------------------------


def test_data_without_a_rate_is_split_in_blocks_only_if_neighbours_resemble_each_other():
    ordered, table_ = Dataset("series", series(2000)), table(0)
    plan = held_out.planned(ordered)
    assert plan.how == "blocks"
    assert plan.gap >= ordered.order.memory
    assert held_out.planned(table_) == ("auto", 0)
    assert held_out.planned(ordered, drawn=True) == ("auto", 0)
    assert held_out.planned(ordered, "random") == ("random", 0)


def test_trials_and_designed_pictures_keep_their_split():
    x = series(400, 4)
    assert held_out.planned(Dataset("trials", x, trial=np.repeat(np.arange(20), 20), rate_hz=10.0)) == ("auto", 0)
    grid = Dataset("grid", np.sort(np.abs(x), axis=0), x_shape=(2, 2), z=np.sort(x[:, :1], axis=0))
    assert held_out.planned(grid) == ("auto", 0)


def test_labels_that_blocks_would_miss_fall_back_to_a_random_split_and_the_record_warns():
    u = np.zeros(400, int)
    u[:3] = 1
    data = Dataset("rare", series(400, 4), u=u)
    assert held_out.planned(data) == ("auto", 0)
    words = held_out.record(data, split(data))["words"]
    assert "near-copies among the training rows" in words


def test_new_configs_of_time_series_carry_the_gap_and_drawn_worlds_stay_as_they_were():
    data = Dataset("recording", series(2000), rate_hz=20.0)
    config = recipes.for_dataset(FileData(path="recording.npz"), data, "vae")
    assert (config.split, config.gap) == ("blocks", data.order.gap)
    place = NeuronsData(tuning="place", per_segment=300, n_neurons=20)
    assert recipes.for_dataset(place, recipes.dataset_of(place), "vae").gap > 1
    assert recipes.talk_vae().split == "auto"
    assert recipes.talk_vae().gap == 0


# --- gaps -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gap", [1, 7, 30, 60, 200])
def test_no_training_row_is_nearer_than_the_gap(gap):
    data = Dataset("series", series(1000, 2), rate_hz=20.0)
    parts = split(data, "blocks", gap=gap)
    apart = np.abs(parts.held_out[:, None] - parts.train).min()
    assert apart == parts.gap_rows + 1
    assert parts.gap_rows == gap  # a quarter of the rows suffices for each of these
    assert len(parts.held_out) == 200
    everything = np.concatenate([parts.train, parts.held_out, parts.gap])
    np.testing.assert_array_equal(np.sort(everything), np.arange(1000))


def test_a_memory_longer_than_the_data_allows_is_cut_and_admitted():
    data = Dataset("slow", np.arange(100.0)[:, None] + series(100, 2, 1), rate_hz=1.0)
    parts = split(data, "blocks", gap=90)
    assert parts.gap_rows == 25
    assert "too short for a gap" in held_out.record(data, split(data, "blocks", gap=10**6))["words"] or (
        data.order.gap <= 25
    )


def test_a_gap_keeps_every_label_and_becomes_narrower_where_it_must():
    u = np.arange(1000) * 20 // 1000 % 5 == 2  # only in the held-out stretches 2, 7, 12, 17 of 20
    data = Dataset("labels", series(1000, 2), u=u.astype(int), rate_hz=1.0)
    with pytest.raises(DataError, match="training part has no row of label 1"):
        split(data, "blocks")
    wide = split(data, "blocks", gap=40)  # the finest division fails without any gap; a coarser one has both labels
    assert set(data.u[wide.train]) == set(data.u[wide.held_out]) == {0, 1}


def test_without_a_gap_the_split_is_the_earlier_one_bit_for_bit():
    data = Dataset("series", series(997, 2), rate_hz=20.0)
    parts = split(data, "blocks")
    block = np.arange(997) * 20 // 997
    np.testing.assert_array_equal(parts.held_out, np.flatnonzero(np.isin(block, [2, 7, 12, 17])))
    assert len(parts.gap) == 0
    with pytest.raises(ValueError, match="gap must be 0 rows or more; got -1"):
        split(data, "blocks", gap=-1)


def test_a_config_without_a_gap_keeps_its_key_and_one_with_a_gap_gets_another():
    old = Config(split="blocks")
    tree = json.loads(old.to_json())
    del tree["gap"]  # as version 0.1 wrote it
    assert Config.from_json(json.dumps(tree)) == old
    assert old.key() != Config(split="blocks", gap=5).key()


# --- the record -------------------------------------------------------------------------------------------------------


def test_the_gap_is_in_the_record_in_inspect_and_in_about(tmp_path, capsys):
    path = tmp_path / "recording.npz"
    data = Dataset("recording", series(1000, 4, 5), rate_hz=20.0)
    save(data, path)
    record, problem = examine(FileData(path=str(path)))
    assert problem == ""
    found = record["split"]
    assert found["gap_rows"] >= found["memory_rows"]
    assert found["memory_seconds"] == pytest.approx(found["memory_rows"] / 20, abs=0.01)
    assert f"{found['gap_rows']} rows (" in found["words"]
    left = [entry for entry in record["left_out"] if entry["what"] == "rows beside held-out stretches"]
    assert left[0]["rows"] == found["neither"] == 2 * 4 * found["gap_rows"]
    assert main(["inspect", str(path)]) == 0
    assert found["words"] in capsys.readouterr().out

    config = recipes.for_dataset(FileData(path=str(path)), data, "vae", members=1, latents=2, epochs=1)
    run = runs.create(tmp_path / "run", config)
    for _ in train(run):
        pass
    about = run.about
    assert about["reading"]["split"] == found
    assert about["n_train"] + about["n_held_out"] + found["neither"] == about["n"] == 1000
    assert 0 < ALARM <= 0.05


def test_all_rows_are_exported_in_order_with_their_part_and_the_verdicts(tmp_path):
    path = tmp_path / "recording.npz"
    data = Dataset("recording", series(600, 4, 5), rate_hz=20.0)
    save(data, path)
    config = recipes.for_dataset(FileData(path=str(path)), data, "vae", members=2, latents=2, epochs=1)
    run = runs.create(tmp_path / "run", config)
    for _ in train(run):
        pass
    assert list(all_rows(run))[-1] == 0.9
    found = AllRows.load(run, "all_rows")
    assert found is not None
    assert found.mu_z.shape == (2, 600, 2)
    parts = split(data, config.split, gap=config.gap)
    np.testing.assert_array_equal(np.flatnonzero(found.part == 1), parts.held_out)
    np.testing.assert_array_equal(np.flatnonzero(found.part == 2), parts.gap)
    latents = run.latents()
    np.testing.assert_allclose(found.mu_z[:, latents["index"]], latents["mu_z"], atol=1e-5)  # float32
    assert any("stretches are held out" in line for line in found.verdicts)


def test_a_link_cannot_name_a_file_of_the_machine_as_the_source_of_u(tmp_path, monkeypatch):
    monkeypatch.setenv("DVAE_RUNS", str(tmp_path))
    uploads = tmp_path / "data" / "uploads"
    uploads.mkdir(parents=True)
    (uploads / "x.csv").write_text("a,b\n1,2\n")
    (tmp_path / "secret.csv").write_text("u\n1\n")
    for outside in (str(tmp_path / "secret.csv"), "../../secret.csv", "uploads/../../secret.csv"):
        with pytest.raises(ConfigError):
            controls.data_from_text(f"file,path=uploads/x.csv,u_from={outside}")
    inside = FileData(path=str(uploads / "x.csv"), u_from=str(uploads / "x.csv"))
    assert "u_from=uploads/x.csv" in controls.data_to_text(inside)
    assert controls.data_from_text(controls.data_to_text(inside))[0] == inside
