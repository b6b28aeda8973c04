"""Times in files: units and their events, clocks, intervals, trials, angles, and what lies outside of them."""

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat

from dvae_core.data import readers
from dvae_core.data.dataset import DataError
from dvae_core.data.readers import spikes
from tests.unit.test_hdf5 import series

RNG = np.random.default_rng(0)
X = RNG.standard_normal((120, 5)).astype(np.float32)
T = np.arange(120) / 30


def recording(path, *, obs=None, trials=False):
    """Write an NWB of three units, one of them silent, with a head angle on a clock of its own."""
    times = [np.sort(RNG.uniform(0, 60, 300)), np.zeros(0), np.sort(RNG.uniform(0, 60, 200))]
    clock = np.arange(0, 60, 1 / 25)
    angle = clock * 90 % 360
    with h5py.File(path, "w") as file:
        file["units/spike_times"] = np.concatenate(times)
        file["units/spike_times_index"] = np.cumsum([len(t) for t in times])
        file["units/id"] = [7, 8, 9]
        if obs is not None:
            file["units/obs_intervals"] = np.tile(obs, (3, 1))
            file["units/obs_intervals_index"] = len(obs) * np.arange(1, 4)
        series(
            file, "processing/behavior/CompassDirection/head", "SpatialSeries", angle, timestamps=clock, unit="degrees"
        )
        if trials:
            file["intervals/trials/start_time"], file["intervals/trials/stop_time"] = [1.0, 11, 31], [9.0, 29, 41]
            file["intervals/trials/side"] = ["L", "R", "L"]
    return times, clock, angle


def test_units_keep_their_ids_and_silent_ones_are_counted(tmp_path):
    recording(tmp_path / "a.nwb")
    data = readers.read(tmp_path / "a.nwb")
    assert data.x_names == ("7", "9")
    assert "1 units without events left out" in data.meta["notes"]


def test_the_label_of_a_bin_is_that_of_the_interval_that_contains_it(tmp_path):
    recording(tmp_path / "a.nwb", trials=True)
    data = readers.read(tmp_path / "a.nwb", u="side", bin_s=0.5)
    at = data.row_index
    expected = np.where((at >= 11) & (at <= 29), "R", "L")
    assert np.array(data.u_labels)[data.u].tolist() == expected.tolist()
    assert (((at > 1) & (at < 9)) | ((at > 11) & (at < 29)) | ((at > 31) & (at < 41))).all()
    assert data.trial.max() == 2
    left = [entry for entry in data.reading["left_out"] if "interval" in entry["why"]]
    assert left[0]["rows"] + data.n == 120


def test_bins_outside_the_observed_intervals_are_left_out(tmp_path):
    recording(tmp_path / "a.nwb", obs=np.array([[0.0, 10.0], [50.0, 60.0]]))
    data = readers.read(tmp_path / "a.nwb", u=(), bin_s=0.5)
    assert ((data.row_index < 10) | (data.row_index > 50)).all()
    assert any("obs_intervals" in entry["why"] for entry in data.reading["left_out"])


def test_angles_are_averaged_on_the_circle_and_enter_as_sine_and_cosine(tmp_path):
    _, clock, angle = recording(tmp_path / "a.nwb")
    data = readers.read(tmp_path / "a.nwb", u="head", bin_s=0.4)
    assert data.u_period == (360.0,)
    for at, found in zip(data.row_index[::7], data.u[::7, 0], strict=True):
        inside = (clock >= at - 0.2 - 1e-9) & (clock < at + 0.2 - 1e-9)
        mean = np.degrees(np.angle(np.exp(1j * np.radians(angle[inside])).mean())) % 360
        assert abs((found - mean + 180) % 360 - 180) < 2  # degrees: a sample on an edge may fall to either side
    turn = np.radians(data.u[:, 0])
    np.testing.assert_allclose(data.u_features(), np.stack([np.sin(turn), np.cos(turn)], 1), atol=1e-5)


def test_the_circular_mean_of_355_and_5_is_0():
    values, known = spikes.at_bins(
        np.array([0.1, 0.2]), np.array([[355.0], [5.0]]), np.array([0, 0.5]), periods=[360.0]
    )
    assert known.all()
    assert min(values[0, 0], 360 - values[0, 0]) < 1e-9


@pytest.mark.parametrize("shape", ["time first", "units first"])
def test_a_series_of_nwb_is_turned_by_its_clock_and_behaviour_comes_to_it(tmp_path, shape):
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        series(
            file, "processing/ophys/F/plane0", "RoiResponseSeries", X if shape == "time first" else X.T, timestamps=T
        )
        clock = np.arange(0, 4, 0.01)
        series(file, "processing/behavior/p", "SpatialSeries", clock[:, None] * 3, timestamps=clock, unit="m")
    data = readers.read(tmp_path / "a.nwb")
    np.testing.assert_allclose(data.x, X)
    assert data.rate_hz == pytest.approx(30)
    np.testing.assert_allclose(data.u[1:-1, 0], 3 * T[1:-1], atol=0.05)  # a mean of 3 or 4 samples about each frame


def test_u_from_another_file_with_its_own_clock(tmp_path):
    savemat(tmp_path / "s.mat", {"spiketimes": np.sort(RNG.uniform(0, 20, 400))})
    clock = np.arange(0, 20, 0.05)
    pd.DataFrame({"t": clock, "speed": np.sin(clock)}).to_csv(tmp_path / "b.csv", index=False)
    data = readers.read(tmp_path / "s.mat", u="speed", u_from=tmp_path / "b.csv", bin_s=0.5)
    np.testing.assert_allclose(data.u[:, 0], np.sin(clock[: 10 * data.n]).reshape(-1, 10).mean(1), atol=1e-3)


TRIALS = {"start": np.array([1.0, 11, 31]), "stop": np.array([9.0, 29, 41])}


def trial_files(folder):
    """Write spikes with a table of trials: as a struct, a struct array, flat variables, a group, and a CSV beside."""
    times = np.sort(RNG.uniform(0, 50, 400))
    side = np.array(["L", "R", "L"], dtype=object)
    savemat(folder / "struct.mat", {"spiketimes": times, "trials": {**TRIALS, "side": side}})
    array = np.zeros((1, 3), dtype=[("start", object), ("stop", object), ("side", object)])
    for i in range(3):
        array[0, i] = (TRIALS["start"][i], TRIALS["stop"][i], side[i])
    savemat(folder / "array.mat", {"spiketimes": times, "trials": array})
    code = np.array([0, 1, 0])
    savemat(folder / "flat.mat", {"spiketimes": times, "trial_start": TRIALS["start"], "trial_stop": TRIALS["stop"],
                                  "trial_side": code})  # fmt: skip
    savemat(folder / "alone.mat", {"spiketimes": times})
    pd.DataFrame({**TRIALS, "side": side}).to_csv(folder / "trials.csv", index=False)


@pytest.mark.parametrize(
    ("file", "u", "more"),
    [
        ("struct.mat", "trials.side", {}),
        ("array.mat", "side", {}),
        ("flat.mat", "trial_side", {}),
        ("alone.mat", "side", {"u_from": "trials.csv"}),
    ],
)
def test_tables_of_trials_are_u_and_the_trial_of_each_row(tmp_path, file, u, more):
    trial_files(tmp_path)
    more = {name: tmp_path / value for name, value in more.items()}
    data = readers.read(tmp_path / file, x="spiketimes", u=u, bin_s=0.5, **more)
    at = data.row_index
    inside = [(at >= a) & (at <= b) for a, b in zip(TRIALS["start"], TRIALS["stop"], strict=True)]
    assert np.any(inside, axis=0).all()
    np.testing.assert_array_equal(data.trial, np.argmax(inside, axis=0))
    assert (data.u == np.where(inside[1], 1, 0)).all()
    phase = readers.read(tmp_path / file, x="spiketimes", u="phase", bin_s=0.5, circular="phase", **more)
    start, stop = (TRIALS[k][np.argmax(inside, axis=0)] for k in ("start", "stop"))
    np.testing.assert_allclose(phase.u[:, 0], (at - start) / (stop - start), atol=1e-6)
    assert phase.u_period == (1.0,)
    np.testing.assert_array_equal(phase.trial, data.trial)


def test_the_phase_within_trials_of_an_array_and_of_a_table(tmp_path):
    np.savez(tmp_path / "a.npz", spikes=RNG.poisson(2.0, (6, 5, 4)))
    data = readers.read(tmp_path / "a.npz", u="phase", axes="trial,time,unit")
    np.testing.assert_allclose(data.u[:, 0], np.tile((np.arange(5) + 0.5) / 5, 6), rtol=1e-6)
    frame = pd.DataFrame(X, columns=list("abcde")).assign(trial=np.repeat([3, 1, 2], [20, 60, 40]))
    frame.to_csv(tmp_path / "a.csv", index=False)
    found = readers.read(tmp_path / "a.csv", u="phase").u[:, 0]
    np.testing.assert_allclose(found[:20], (np.arange(20) + 0.5) / 20, rtol=1e-6)
    np.testing.assert_allclose(found[20:80], (np.arange(60) + 0.5) / 60, rtol=1e-6)
    np.savez(tmp_path / "b.npz", spikes=X)
    with pytest.raises(DataError, match="nothing called 'phase'"):
        readers.read(tmp_path / "b.npz", u="phase")
