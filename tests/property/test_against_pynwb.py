"""NWB files written by pynwb read equal to what was written, and to what pynwb reads of them."""

from datetime import UTC, datetime

import numpy as np
import pynwb
import pytest

from dvae_core.data import readers

RNG = np.random.default_rng(0)


def written(path):
    """Write units, a position, a head angle and trials with pynwb; return them."""
    from pynwb.behavior import CompassDirection, Position

    file = pynwb.NWBFile("a session", "id", datetime(2024, 1, 1, tzinfo=UTC))
    times = [np.sort(RNG.uniform(0, 60, k)) for k in (300, 200, 100)]
    for unit in times:
        file.add_unit(spike_times=unit, obs_intervals=np.array([[0.0, 20.0], [30.0, 60.0]]))
    clock = np.arange(0, 60, 0.02)
    where = np.stack([np.sin(clock), np.cos(clock)], 1)
    module = file.create_processing_module("behavior", "what it did")
    module.add(Position(name="Position", spatial_series=pynwb.behavior.SpatialSeries(
        name="place", data=where, timestamps=clock, reference_frame="corner", unit="cm", conversion=2.0)))  # fmt: skip
    module.add(CompassDirection(name="CompassDirection", spatial_series=pynwb.behavior.SpatialSeries(
        name="head", data=clock % (2 * np.pi), rate=50.0, starting_time=0.0, reference_frame="north")))  # fmt: skip
    file.add_trial_column("side", "where it went")
    for k in range(10):
        file.add_trial(start_time=6.0 * k, stop_time=6.0 * k + 5, side="LR"[k % 2])
    with pynwb.NWBHDF5IO(path, "w") as io:
        io.write(file)
    return times, clock, where


def test_units_position_angle_and_trials_of_pynwb(tmp_path):
    times, clock, where = written(tmp_path / "a.nwb")
    data = readers.read(tmp_path / "a.nwb", bin_s=0.5)
    starts = data.row_index - 0.25
    for i, unit in enumerate(times):
        expected = [((unit >= s) & (unit < s + 0.5)).sum() for s in starts]
        assert np.abs(data.x[:, i].astype(int) - expected).sum() == 0
    assert not ((data.row_index > 20) & (data.row_index < 30)).any()
    at = 17
    inside = (clock >= starts[at] - 1e-9) & (clock < starts[at] + 0.5 - 1e-9)
    np.testing.assert_allclose(data.u[at], 2 * where[inside].mean(0), atol=0.05)  # a sample on an edge, of 25
    turned = readers.read(tmp_path / "a.nwb", u="head", bin_s=0.5)
    assert turned.u_period == pytest.approx((2 * np.pi,))
    sides = readers.read(tmp_path / "a.nwb", u="side", bin_s=0.5)
    assert (np.array(sides.u_labels)[sides.u] == np.where((sides.row_index // 6).astype(int) % 2, "R", "L")).all()


def drawn(path, seed):
    """Write a random recording of every kind that the reader knows, with pynwb."""
    from pynwb.behavior import Position, SpatialSeries
    from pynwb.ecephys import ElectricalSeries
    from pynwb.ophys import Fluorescence, ImageSegmentation, OpticalChannel, RoiResponseSeries

    rng = np.random.default_rng(seed)
    file = pynwb.NWBFile("a session", "id", datetime(2024, 1, 1, tzinfo=UTC))
    start, seconds, n_units = float(rng.uniform(0, 50)), 20.0, int(rng.integers(2, 6))
    device = file.create_device(name="probe")
    group = file.create_electrode_group(name="shank", description="a shank", location="CA1", device=device)
    for k in range(4):
        file.add_electrode(location="CA1" if k < 2 else "VISp", group=group)
    table = file.create_electrode_table_region(region=[0, 1, 2, 3], description="all")
    file.add_unit_column("quality", "by hand")
    for k in range(n_units):
        times = np.sort(start + rng.uniform(0, seconds, int(rng.integers(20, 200))))
        file.add_unit(spike_times=times, quality="good" if k % 2 == 0 else "mua", electrodes=[k % 4])
    at = {"rate": float(rng.choice([20.0, 31.25])), "starting_time": start}
    n = int(seconds * at["rate"])
    clocked = {"timestamps": start + np.cumsum(rng.uniform(0.5, 1.5, n)) * seconds / n} if rng.random() < 0.5 else at
    scale = {"conversion": float(rng.uniform(0.5, 2)), "offset": float(rng.normal())}
    place = SpatialSeries(
        name="place", data=rng.standard_normal((n, 2)).cumsum(0), reference_frame="corner", **clocked, **scale
    )
    module = file.create_processing_module("behavior", "what it did")
    module.add(Position(spatial_series=place))
    lfp = rng.standard_normal((int(seconds * 100), 4))
    file.add_acquisition(
        ElectricalSeries(
            name="lfp", data=lfp, electrodes=table, rate=100.0, starting_time=start, conversion=scale["conversion"]
        )
    )
    channel = OpticalChannel(name="green", description="one", emission_lambda=520.0)
    plane = file.create_imaging_plane(
        optical_channel=channel, description="one", device=device, excitation_lambda=920.0, indicator="GCaMP",
        location="CA1", name="plane",
    )  # fmt: skip
    segmented = ImageSegmentation()
    cells = segmented.create_plane_segmentation(description="cells", imaging_plane=plane, name="segments")
    for _ in range(3):
        cells.add_roi(pixel_mask=[(1, 1, 1.0)])
    module = file.create_processing_module("ophys", "calcium")
    module.add(segmented)
    region = cells.create_roi_table_region(description="all", region=[0, 1, 2])
    traces = RoiResponseSeries(name="dff", data=rng.standard_normal((n, 3)), rois=region, unit="n.a.", **clocked)
    module.add(Fluorescence(roi_response_series=traces))
    file.add_trial_column("side", "where it went")
    edges = start + np.sort(rng.uniform(0, seconds, 8))
    for k in range(4):
        file.add_trial(start_time=edges[2 * k], stop_time=edges[2 * k + 1], side="LR"[k % 2])
    with pynwb.NWBHDF5IO(path, "w") as io:
        io.write(file)


def seconds_of(series):
    """Return the times of a series of pynwb."""
    if series.timestamps is not None:
        return series.timestamps[:]
    return series.starting_time + np.arange(len(series.data)) / series.rate


@pytest.mark.filterwarnings("ignore")  # of pynwb, about its own tables
@pytest.mark.parametrize("number", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in range(1, 60))])
def test_random_files_of_pynwb_read_as_pynwb_reads_them(tmp_path, number):
    path = tmp_path / "a.nwb"
    drawn(path, number)
    with pynwb.NWBHDF5IO(path, "r") as io:
        file = io.read()
        units = file.units.to_dataframe()
        counted = readers.read(path, u=(), bin_s=0.25)
        low = counted.row_index - 0.125
        for column, times in zip(counted.x.T, units["spike_times"], strict=True):
            np.testing.assert_array_equal(np.histogram(times, np.r_[low, low[-1] + 0.25])[0], column)
        assert counted.x_names == tuple(map(str, units.index))
        good = readers.read(path, u=(), bin_s=0.25, quality="good")
        assert good.x_names == tuple(map(str, units.index[units["quality"] == "good"]))
        inside = readers.read(path, u=(), bin_s=0.25, area="CA1")
        areas = [row["electrodes"]["location"].iloc[0] for _, row in units.iterrows()]
        assert inside.x_names == tuple(str(i) for i, area in zip(units.index, areas, strict=True) if area == "CA1")

        lfp = file.acquisition["lfp"]
        read = readers.read(path, x="lfp", u=())
        np.testing.assert_allclose(read.x, lfp.data[:] * lfp.conversion + lfp.offset, rtol=1e-6, atol=1e-6)
        assert read.rate_hz == pytest.approx(lfp.rate)

        place = file.processing["behavior"]["Position"]["place"]
        dff = file.processing["ophys"]["Fluorescence"]["dff"]
        frames = readers.read(path, x="dff", u="place")  # one clock: by position
        np.testing.assert_allclose(frames.x, dff.data[:], rtol=1e-6)
        stated = place.data[:] * place.conversion + place.offset
        offset = 0.0 if frames.u_offset is None else frames.u_offset
        np.testing.assert_allclose(frames.u + offset, stated, rtol=1e-5, atol=1e-5)

        trials = file.trials.to_dataframe()
        sides = readers.read(path, x="dff", u="side")
        times, which = seconds_of(dff), np.full(len(dff.data), "")
        for _, trial in trials.iterrows():
            which[(times >= trial.start_time) & (times <= trial.stop_time)] = trial.side
        np.testing.assert_array_equal(sides.row_index, np.flatnonzero(which != ""))
        assert (np.array(sides.u_labels)[sides.u] == which[which != ""]).all()
