"""NWB files written by pynwb read equal to what was written; skipped where it is not installed."""

from datetime import UTC, datetime

import numpy as np
import pytest

from dvae_core.data import readers

pynwb = pytest.importorskip("pynwb", reason="pip install -r requirements-peers.txt")

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
