"""Figures of data as it comes: recordings with behaviour, tuning curves, the spectrum."""

import numpy as np
import pytest

from dvae_core import figures

RNG = np.random.default_rng(0)


def test_a_recording_stands_over_its_behaviour():
    x, u = RNG.poisson(2, (300, 5)), RNG.normal(size=(300, 4))
    fig = figures.recording(x, u, rate_hz=20.0, u_names=("vx", "vy", "vz", "w"), unit="spikes a bin", limit=200)
    assert [type(trace).__name__ for trace in fig.data] == ["Heatmap", "Scatter", "Scatter", "Scatter"]
    assert fig.data[0].z.min() >= 0
    assert fig.data[0].z.max() <= 1
    assert fig.layout.title.text == "5 columns over 10 s, with vx, vy, vz"
    assert "first 200 of 300 rows" in fig.layout.title.subtitle.text.replace("<br>", " ")
    labels = figures.recording(x.astype(float), RNG.integers(0, 2, 300), u_names=("eyes",), u_labels=("open", "shut"))
    assert labels.data[1].line.shape == "hv"
    assert list(labels.layout.yaxis2.ticktext) == ["open", "shut"]
    assert len(figures.recording(np.ones((50, 2))).data) == 1


@pytest.mark.slow
def test_a_recording_of_very_many_neurons_draws_some_of_them():
    fig = figures.recording(RNG.normal(size=(50, 10_000)), rate_hz=3.0)
    assert fig.data[0].z.shape == (200, 50)
    assert fig.layout.title.text.startswith("10,000 columns over 16.7 s")
    assert "200 of 10,000 columns, evenly spaced" in fig.layout.title.subtitle.text.replace("<br>", " ")


def test_latents_over_time_are_drawn_on_the_longest_stretch_alone():
    rows = np.r_[np.arange(100, 130), np.arange(500, 700)]
    z = RNG.normal(size=(230, 8))
    fig = figures.latents_over_time(z, rows, RNG.integers(0, 2, 230), rate_hz=10.0, labels=("a", "b"), title="t")
    assert len(fig.data) == 7  # six latents and u
    assert (fig.data[0].x[0], fig.data[0].x[-1], len(fig.data[0].x)) == (50.0, 69.9, 200)
    assert np.array_equal(fig.data[3].y, z[30:, 3])
    assert fig.layout.xaxis7.title.text == "time (s)"
    assert "6 of 8 latents" in fig.layout.title.subtitle.text.replace("<br>", " ")


def test_tuning_curves_show_the_columns_that_follow_and_their_means():
    u = RNG.uniform(-1, 1, 4000)
    x = np.column_stack([RNG.normal(size=4000), 3 * u + RNG.normal(size=4000)])
    fig = figures.tuning_curves(x, u, name="speed", names=("flat", "tuned"), limit=1)
    (curve,) = fig.data
    assert fig.layout.annotations[0].text == "tuned"
    assert curve.y == pytest.approx(3 * np.array(curve.x), abs=0.35)  # 5 standard errors of 200 rows a bin
    coded = figures.tuning_curves(x, (u > 0).astype(int), name="side", labels=("left", "right"))
    assert list(coded.layout.xaxis.ticktext) == ["left", "right"]
    assert "too few values" in figures.tuning_curves(x, np.ones(4000)).layout.annotations[0].text.replace("<br>", " ")


def test_ids_of_units_are_names_on_the_axis():
    fig = figures.recording(RNG.random((20, 3)), names=("0", "4", "70"))
    assert fig.layout.yaxis.type == "category"


def test_the_tuning_curve_of_an_angle_is_closed():
    angle = RNG.uniform(-360, 360, 8000)  # also as minus a turn
    fig = figures.tuning_curves(np.cos(np.radians(angle))[:, None], angle, name="head", period=360)
    (curve,) = fig.data
    assert curve.y[0] == curve.y[-1]
    assert curve.x[-1] - curve.x[0] == 360
    assert curve.y == pytest.approx(np.cos(np.radians(curve.x)), abs=0.05)  # bins of 18 degrees: within 0.03


def test_the_spectrum_says_how_many_components_matter():
    fig = figures.variance_spectrum(np.array([0.5, 0.45, 0.05]))
    assert fig.layout.title.text.startswith("2 components hold 90 %")
    assert figures.variance_spectrum(np.array([1.0])).layout.title.text.startswith("One component holds")
    assert "Nothing varies" in figures.variance_spectrum(np.zeros(3)).layout.annotations[0].text


def test_a_factor_map_names_the_factors_with_a_latent_of_their_own():
    share = np.array([[0.8, 0.1, 0.0], [0.3, 0.4, 0.3]])
    fig = figures.factor_map(share, ("skin", "age"))
    assert fig.layout.title.text == "One latent stands out for skin"
    assert fig.data[0].z[0][0] == 80
    lost = figures.factor_map(np.array([[0.9, 0.05], [0.06, 0.05]]), ("skin", "gaze"))
    assert lost.layout.title.text == "One latent stands out for skin; none holds gaze"
    assert figures.factor_map(share[1:]).layout.title.text.startswith("No factor has")


def test_the_parts_of_a_split_have_lanes_and_only_what_exists_is_drawn():
    x, rows = RNG.normal(size=(50, 4)), np.arange(0, 501, 10)
    stretches = {"training": [(0, 190), (310, 500)], "held out": [(200, 300)], "gap": [(190, 200), (300, 310)]}
    fig = figures.split_over_time(x, rows, stretches, RNG.normal(size=50), rate_hz=10.0, name="speed", title="100 held")
    bars = {bar.y[0]: bar for bar in fig.data if bar.type == "bar"}
    assert list(bars["held out"].base) == [20.0]
    assert list(bars["gap"].x) == [1.0, 1.0]
    assert len({bar.marker.pattern.shape for bar in bars.values()}) == 3  # a second cue beside colour
    assert fig.layout.barmode == "overlay"
    drawn = figures.split_over_time(x, rows, {})
    assert [trace.type for trace in drawn.data] == ["heatmap"]
