"""Bins, means in bins and intervals equal pynapple's on 1,000 random recordings; skipped where it is not installed."""

import numpy as np
import pytest
from scipy.stats import circmean

from dvae_core.data.readers import spikes

nap = pytest.importorskip("pynapple", reason="pip install -r requirements-peers.txt")

RECORDINGS = 1000


@pytest.mark.slow
def test_counts_means_and_intervals_equal_those_of_pynapple():
    nap.nap_config.suppress_conversion_warnings = True
    worst, places = 0.0, 0
    for seed in range(RECORDINGS):
        rng = np.random.default_rng(seed)
        stop = float(rng.integers(3, 20))
        width = float(rng.choice([0.05, 0.1, 0.25, 0.5, 1.0]))
        # times a millionth of a bin away from every edge: on an edge, rounding decides in either library
        times = np.sort(rng.uniform(0, stop, rng.integers(5, 200)))
        times = times[np.abs(times / width - np.rint(times / width)) > 1e-6]
        clock = np.sort(rng.uniform(0, stop, rng.integers(20, 400)))
        clock = clock[np.abs(clock / width - np.rint(clock / width)) > 1e-6]
        values = rng.standard_normal((len(clock), 2)).cumsum(0)
        support = nap.IntervalSet(0, stop)
        edges = spikes.bin_edges(0.0, stop, width)
        centres = (edges[1:] + edges[:-1]) / 2

        theirs = nap.TsGroup({0: nap.Ts(times)}, time_support=support).count(width, ep=support)
        ours = spikes.bin_spikes([times], edges)
        n = min(len(theirs), len(ours))
        np.testing.assert_allclose(theirs.t[:n], centres[:n], atol=1e-9)
        np.testing.assert_array_equal(theirs.d[:n, 0], ours[:n, 0])

        mean = nap.TsdFrame(clock, values, time_support=support).bin_average(width, ep=support)
        found, _ = spikes.at_bins(clock, values, edges)
        at = np.searchsorted(centres, mean.t - width / 4)
        inside = at < len(centres)
        worst = max(worst, np.abs(found[at[inside]] - mean.d[inside]).max())
        places += int(inside.sum())

        angles = values[:, :1] * 100 % 360
        turned, _ = spikes.at_bins(clock, angles, edges, periods=[360.0])
        which = np.searchsorted(edges, clock, side="right") - 1
        for k in np.unique(which[which < len(centres)])[:5]:
            gap = turned[k, 0] - circmean(angles[which == k, 0], high=360)
            worst = max(worst, abs((gap + 180) % 360 - 180))

        bounds = np.sort(rng.uniform(0, stop, 8)).reshape(4, 2)
        ours_in = spikes.in_intervals(centres, bounds[:, 0], bounds[:, 1])
        for k, (begin, end) in enumerate(bounds):
            inside_k = nap.Ts(centres, time_support=support).restrict(nap.IntervalSet(begin, end)).t
            np.testing.assert_allclose(inside_k, centres[ours_in == k], atol=1e-9)
    assert places > 10_000
    assert worst < 1e-9
