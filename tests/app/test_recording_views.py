"""The report on a recording on the Agree page, and the two goals in the form."""

import dataclasses

import numpy as np
import pytest

from dvae_core import runs
from dvae_core.analysis.recording.record import NOTHING, SAME_AXES, SAME_SPACE, Recording, RecordingAxes, statement_of
from pages.ui import recording_views

NUMBERS = {"mean": 0.98, "min": 0.97, "max": 0.99}
SCORES = {"latents": NUMBERS, "window": NUMBERS, "pca": NUMBERS, "chance": NUMBERS}
DECODING = {"measure": "R2", "neighbours_used": 15, "linear": SCORES, "neighbours": SCORES}
CONTROL = {"own_axes_mcc": {**NUMBERS, "mean": 0.8}, "linear_r2": NUMBERS, "same_pairs": 0.0, "decoding": DECODING}


def report(**changes) -> Recording:
    tree = {
        "goal": "axes", "latents": 2, "seeds": [0, 1, 2, 3], "rows": 400, "own_axes_mcc": NUMBERS,
        "rotation_floor": 0.9, "same_pairs": 1.0, "linear_r2": NUMBERS, "rule": "as trained",
        "rule_axes_mcc": {"u": NUMBERS, "slow": NUMBERS, "as trained": NUMBERS},
        "within_u": {"own_axes_mcc": NUMBERS, "linear_r2": NUMBERS, "rule_axes_mcc": NUMBERS}, "u_share": 0.4,
        "consensus": {"linear_r2": 0.99, "axes_mcc": 0.995}, "decoding": DECODING, "shuffled_u": CONTROL,
        "log_var_sd": 1.2, "share_start": False, "verdict": SAME_AXES, "statement": "", "notes": [],
    }  # fmt: skip
    return Recording(**{**tree, **changes})


def test_the_control_stands_beside_the_seeds():
    table = recording_views.agreement_table(report())
    assert "| Axes as trained (MCC) | 0.98 (0.97) | 0.98 (0.97) | 0.80 (0.97) |" in table
    assert "Random rotation (MCC) | 0.90" in table
    without = recording_views.agreement_table(report(shuffled_u=None, consensus=None, log_var_sd=None))
    assert "| Axes as trained (MCC) | 0.98 (0.97) | 0.98 (0.97) |  |" in without
    assert "Half of the seeds" not in without


def test_the_window_and_the_control_stand_beside_the_latents():
    assert recording_views.decoding_table(report()).count("\n") == 5
    assert "shuffled" not in recording_views.decoding_table(report(shuffled_u=None))


def test_a_gain_within_twice_its_error_is_none():
    of = {"elbo": -7.0, "poisson": -7.1, "gain": 0.1, "error": 0.06}
    assert recording_views.counts_line(report()) == ""
    assert recording_views.counts_line(report(negative_binomial=of)).endswith("Poisson does for these counts.")
    assert "vary more" in recording_views.counts_line(report(negative_binomial={**of, "error": 0.04}))


@pytest.mark.parametrize("verdict", [SAME_AXES, SAME_SPACE, NOTHING])
def test_every_verdict_has_its_statement(verdict):
    sentence = statement_of(vars(report(verdict=verdict)))
    assert ("u chose them" in sentence) == (verdict == SAME_AXES)
    assert ("axes are not determined" in sentence) == (verdict == SAME_SPACE)
    assert ("Nothing about these latents should be interpreted" in sentence) == (verdict == NOTHING)


def test_the_units_that_carry_a_latent_stand_strongest_first():
    effect = np.array([[[0.1, -2.0, 0.5]], [[0.1, -1.0, 0.7]]])  # two seeds, one axis, three units
    one = np.ones((2, 1))
    axes = RecordingAxes(
        "u", np.arange(2), one[..., None], one, one, one, one, np.zeros((2, 1), int), one[..., None], one,
        np.arange(4), np.zeros((4, 1)), effect,
    )  # fmt: skip
    table = recording_views.units_table(axes, ["a", "b", "c"], 0).splitlines()
    assert table[2] == "| b | -1.50 | -2.00 to -1.00 |"
    assert [line[2] for line in table[2:]] == ["b", "c", "a"]
    axes = dataclasses.replace(axes, effect_low=effect.mean(0) - 0.25, effect_high=effect.mean(0) + 0.25)
    known = {"a": {"area": "CA1", "depth": 120.0}, "b": {"area": "CA3", "depth": 80.5}, "c": {}}
    table = recording_views.units_table(axes, ["a", "b", "c"], 0, known).splitlines()
    assert table[0] == "| unit | area | depth | along z1 | 95 % interval |"
    assert table[2] == "| b | CA3 | 80.5 | -1.50 | -1.75 to -1.25 |"
    assert table[3].startswith("| c |  |  |")


def test_the_raster_has_the_units_in_the_order_of_the_axis_and_the_axis_below():
    run = runs.find("track-ivae")
    axes = RecordingAxes.load(run, "axes")
    figure = recording_views.raster(run, axes, run.about["x_names"], 0)
    heat, line = figure.data
    by_effect = np.argsort(-axes.effect[:, 0].mean(0))
    np.testing.assert_array_equal(heat.customdata[0], run.latents()["x"][:, by_effect[0]])
    np.testing.assert_allclose(line.y, axes.consensus_z[:, 0])
    # the axis is in the raster: units that go up with it fire more where it is high
    high = axes.consensus_z[:, 0] > np.median(axes.consensus_z[:, 0])
    assert heat.customdata[:5][:, high].mean() > heat.customdata[:5][:, ~high].mean()
    assert heat.customdata[-5:][:, high].mean() < heat.customdata[-5:][:, ~high].mean()
