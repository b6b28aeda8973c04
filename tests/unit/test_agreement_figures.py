"""Figures of agreement and use state their finding and survive what there is too little of; the exact caution."""

import numpy as np
import pytest

from dvae_core import figures, metrics
from dvae_core.identify.linear_gaussian import diagonal_seeds, from_posterior
from dvae_core.identify.matrices import rotation_matrix
from dvae_core.metrics import mcc


def title(figure) -> str:
    return figure.layout.title.text.replace("<br>", " ")


def test_map_names_each_block():
    mcc_of = np.array([[1, 0.9, 0.5], [0.9, 1, 0.6], [0.5, 0.6, 1]])
    both = figures.agreement_map(mcc_of, ["seed 0", "seed 1", "seed 0"], np.array([0, 0, 1]), ["iVAE", "VAE"])
    assert title(both) == "MCC: A with A 0.90 (0.90 to 0.90); A with B 0.55 (0.50 to 0.60)"
    assert list(both.layout.xaxis.ticktext) == ["A0", "A1", "B0"]
    assert "single member" in figures.agreement_map(np.eye(1), ["a"], np.zeros(1, int)).layout.annotations[0].text


def test_ladder_chart_states_the_rung():
    low = {"identity": [np.nan], "permutation": [0.7], "monotone": [0.7], "orthogonal": [0.97], "affine": [0.98]}
    assert title(figures.ladder_chart({"VAE": low})) == "Agreement: VAE up to rotation"
    assert title(figures.ladder_chart({"VAE": {k: [0.1] for k in low}})) == "Agreement: VAE not even linearly"
    assert "Too few rows" in figures.ladder_chart({"VAE": {"identity": [np.nan]}}).layout.annotations[0].text


def test_the_typical_rung_is_the_first_that_half_of_the_pairs_reach():
    mixed = {"permutation": [0.99, 0.5, 0.6], "orthogonal": [0.99, 0.96, 0.7], "affine": [0.99, 0.97, 0.96]}
    assert metrics.typical_rung(mixed) == ("orthogonal", 2, 3)
    assert metrics.typical_rung(mixed | {"orthogonal": [0.99, 0.7, 0.7]}) == ("affine", 3, 3)
    assert metrics.typical_rung({"affine": [0.9, 0.99, 0.9]}) == (None, 0, 3)
    assert metrics.typical_rung({"identity": [float("nan")], "affine": [0.99]}) == ("affine", 1, 1)


def test_stability_counts_latents_and_leaves_dead_ones_out():
    strength = np.array([[0.99, 0.4, np.nan], [0.98, 0.6, np.nan]])
    figure = figures.stability(strength, ["z1", "z2", "z3"], independent=0.1, turned=0.9)
    assert title(figure) == "1 of 2 latents come back in every seed"
    assert list(figure.layout.xaxis.ticktext) == ["z1", "z2"]
    assert [note.text for note in figure.layout.annotations] == ["a random rotation 0.90", "independent latents 0.10"]
    assert "no other member" in figures.stability(np.zeros((0, 2)), ["z1", "z2"]).layout.annotations[0].text


def test_a_latent_that_one_seed_misses_does_not_come_back_in_every_seed():
    mostly = np.array([[0.99, 0.99]] * 6 + [[0.72, 0.99]])  # the mean of the first is .95
    assert title(figures.stability(mostly, ["z1", "z2"])) == "1 of 2 latents come back in every seed"
    assert title(figures.stability(mostly[:, :1], ["z1"])) == "No latent comes back in every seed"


def test_decoding_and_theorem_map_and_layers():
    figure = figures.decoding(
        ["iVAE", "PCA", "chance"], [0.6, 0.4, 0.0], [0.5, 0.3, 0.0], [0.7, 0.5, 0.0], [[0.6, 0.6], [0.4], [0.0]],
        target="vel", measure="R²",
    )  # fmt: skip
    assert title(figure) == "vel: iVAE does best (R² 0.60)"
    A = figures.theorem_map(np.eye(2), ["s1", "s2"], ["z1", "z2"], 1.0, 0.9)
    assert "condition number of A 1.0" in title(A)
    assert (
        "not fitted" in figures.theorem_map(np.full((1, 1), np.nan), ["s"], ["z"], 1.0, 0.9).layout.annotations[0].text
    )
    layers = figures.ica_by_layers(np.array([1, 2]), {"FastICA": np.array([[1.0, 1.0], [0.6, 0.8]])}, 0.7)
    assert "1.00 on linear mixing" in title(layers)


@pytest.mark.statistical
def test_diagonal_seeds_agree_on_the_posteriors_axes_whatever_the_truth():
    found = diagonal_seeds((0.3, 0.02), 35)
    assert found.pairs.min() == pytest.approx(1, abs=1e-9)
    assert set(found.ends) <= {0.0, 90.0}
    assert (found.at_ends >= found.at_starts).all()
    # the closed form against a sample: the truth turned by 35 degrees, posterior means along the model's own axes
    model = from_posterior((0.3, 0.02))
    x, z = model.sample(200_000)
    sampled = mcc(z @ rotation_matrix(2, 35.0).T, model.posterior_mean(x)).value
    assert found.with_truth == pytest.approx(sampled, abs=0.005)  # std of a correlation on 200,000 rows: 0.002
    assert found.at_truth > found.with_truth.max() + 0.1
    assert diagonal_seeds((0.3, 0.02), 0).with_truth == pytest.approx(diagonal_seeds((0.3, 0.02), 0).at_truth)
