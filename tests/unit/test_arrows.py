"""Where latents point: exact for a rotation, blind to what a score is blind to, and drawn for every seed."""

import numpy as np
import pytest

from dvae_core import figures
from dvae_core.figures.paper_style import bar_lengths
from dvae_core.figures.svg import chart
from dvae_core.identify import bend
from dvae_core.identify.matrices import rotation_matrix
from dvae_core.metrics import latent_axes, mcc

RNG = np.random.default_rng(0)
Z = np.linalg.qr(RNG.standard_normal((2000, 2)) - 0.0)[0] * np.sqrt(2000)
Z = (Z - Z.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov((Z - Z.mean(0)).T, bias=True))).T  # exactly white


@pytest.mark.parametrize("angle", [0, 10, 30, -25])
def test_arrows_of_turned_factors_are_the_rotation(angle):
    M = rotation_matrix(2, angle)
    assert latent_axes(Z, Z @ M.T) == pytest.approx(M, abs=1e-12)


def test_order_sign_scale_and_offset_leave_the_arrows():
    M = rotation_matrix(2, 20)
    other = (Z @ M.T)[:, ::-1] * [-3.0, 0.1] + 7
    assert latent_axes(Z, other) == pytest.approx(M, abs=1e-12)


def test_noise_lowers_the_score_and_leaves_the_arrow_where_it_is():
    noisy = Z + RNG.standard_normal(Z.shape)
    assert mcc(Z, noisy).value < 0.75
    assert np.abs(latent_axes(Z, noisy) - np.eye(2)).max() < 4 / np.sqrt(2000)  # four standard errors of a weight


def test_a_missing_and_a_dead_latent_have_no_arrow():
    assert np.isnan(latent_axes(Z, Z[:, :1])[1]).all()
    assert np.isnan(latent_axes(Z, np.column_stack([Z[:, 0], np.zeros(len(Z))]))[1]).all()


def test_the_third_factor_does_not_turn_the_arrows_of_the_first_two():
    z = np.column_stack([Z, RNG.standard_normal(len(Z))])
    assert np.abs(latent_axes(z, z @ rotation_matrix(3, 10).T) - rotation_matrix(2, 10)).max() < 1e-9


def fan(angles):
    return [rotation_matrix(2, angle) for angle in angles]


def test_the_figure_states_the_range_of_the_turns_and_draws_every_seed():
    curve = bend.pairs((0.9, 0.3))
    figure = figures.seed_arrows(
        {"time": fan([1, 2, 4]), "shuffled": fan([-30, 12, 40])}, curves={"time": (curve.angles, curve.nats)}
    )
    titles = [note.text for note in figure.layout.annotations]
    assert titles[:2] == ["time: 1° to 4° off", "shuffled: 12° to 40° off"]
    tips = [len(trace.x) for trace in figure.data if trace.mode == "markers"]
    assert tips == [3, 3, 3, 3]
    assert chart(figure).count("<svg") >= 3  # the hand-out draws it too


def test_a_member_without_arrows_is_left_out_and_an_empty_population_says_so():
    axes = np.stack([np.full((2, 2), np.nan), rotation_matrix(2, 5)])
    figure = figures.seed_arrows({"a": axes, "b": axes[:1]})
    assert [note.text for note in figure.layout.annotations] == ["a: 5° to 5° off", "b: no pair of latents"]
    assert figures.seed_arrows({}).layout.annotations[0].text.startswith("No population")


def test_what_a_hidden_u_would_need_is_stated_only_where_a_mixture_found_the_factors():
    rows = [
        {"model": model, "rows": rows, "separation": separation, "mcc": mcc, "low": mcc - 0.02, "high": mcc + 0.03}
        for model, rows, separation, mcc in (
            ("u seen", 5000, 1, 0.97), ("mixture K = 5", 5000, 1, 0.8), ("mixture K = 5", 20000, 1, 0.82),
            ("mixture K = 5", 5000, 0, 0.7),
        )
    ]  # fmt: skip
    drawn = figures.hidden_recovery(rows, 0.9)
    title = drawn.layout.title.text.replace("<br>", " ")
    assert title == "Up to 20,000 rows or separation 1, a mixture does not find the factors: MCC 0.82 at best"
    of_rows, of_separation = (t for t in drawn.data if t.name == "mixture K = 5")
    assert list(of_rows.y) == [0.8, 0.82]
    assert list(of_separation.x) == [0, 1]
    assert bar_lengths(of_rows.error_y) == pytest.approx(np.array([[0.02, 0.02], [0.03, 0.03]]))  # in print, too
    rows[2]["mcc"] = 0.96
    assert "With 20,000 rows and separation 1, a mixture finds" in figures.hidden_recovery(rows, 0.9).layout.title.text
