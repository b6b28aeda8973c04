"""Any factorial prior can be carried through a rotation: the same density, the same marginals, other latents."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from dvae_core.identify import any_prior
from dvae_core.identify.any_prior import carry, darmois, empirical, empirical_marginals, judge, marginal, sample
from dvae_core.identify.independence import hsic
from dvae_core.identify.matrices import random_orthogonal, reflection, rotation_matrix
from dvae_core.identify.two_sample import energy_test, rotated_prior_test

GAMMA = empirical(np.random.default_rng(0).gamma(2.0, size=3000), "skewed")
ALL = [*any_prior.MARGINALS, GAMMA]
SCIPY = {
    "uniform": stats.uniform(-np.sqrt(3), 2 * np.sqrt(3)),
    "laplace": stats.laplace(scale=np.sqrt(0.5)),
    "logistic": stats.logistic(scale=np.sqrt(3) / np.pi),
    "student_t": stats.t(5, scale=np.sqrt(3 / 5)),
}


def resolve(m):
    return marginal(m) if isinstance(m, str) else m


def name(m):
    return m if isinstance(m, str) else m.name


@pytest.mark.parametrize("which", any_prior.MARGINALS)
def test_marginals_have_mean_0_variance_1_and_density_1(which):
    m = marginal(which)
    edge = 1.7320508 if which == "uniform" else 400.0  # t with 5 df leaves 1e-6 of its variance beyond 400
    z = np.sign(t := np.linspace(-1, 1, 400_001)) * edge * np.abs(t) ** (1 if which == "uniform" else 4)
    p = np.exp(m.log_pdf(z))
    assert np.trapezoid(p, z) == pytest.approx(1, abs=1e-6)
    assert np.trapezoid(p * z, z) == pytest.approx(0, abs=1e-9)
    assert np.trapezoid(p * z**2, z) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("which", SCIPY)
def test_marginals_are_those_of_scipy(which):
    m, reference = marginal(which), SCIPY[which]
    z = np.linspace(-1.7, 1.7, 35)
    np.testing.assert_allclose(m.log_pdf(z), reference.logpdf(z), rtol=1e-12)
    np.testing.assert_allclose(m.cdf(z), reference.cdf(z), rtol=1e-12)
    np.testing.assert_allclose(m.score(z), stats.norm.ppf(reference.cdf(z)), atol=1e-12)


@pytest.mark.parametrize("which", ALL, ids=name)
def test_points_far_out_come_back_as_themselves(which):
    m = resolve(which)
    z = np.array([-1.7320508, -1.0, 0.0, 0.5, 1.7320508])
    if which != "uniform":
        z = np.concatenate([z, [-40.0, -9.0, 9.0, 40.0]])  # beyond 8.2 std a Gaussian's 1 - F is 0 in float64
    score = m.score(z)
    assert np.isfinite(score).all()
    np.testing.assert_allclose(m.unscore(score), z, rtol=1e-9, atol=1e-9)
    a = np.linspace(-6, 6, 201)
    np.testing.assert_allclose(m.score(m.unscore(a)), a, atol=1e-6)
    assert (np.diff(m.unscore(a)) > 0).all()


def test_the_empirical_marginal_is_smooth_strictly_increasing_and_near_its_sample():
    values = np.random.default_rng(1).gamma(2.0, size=2000)
    m = empirical(values, "z1")
    z = np.linspace(-1, 15, 4001)
    assert (np.diff(m.score(z)) > 0).all()  # the CDF itself is 1 in float64 from about 13 on
    np.testing.assert_allclose(np.diff(m.cdf(z)) / np.diff(z), np.exp(m.log_pdf(z[:-1] + 0.002)), atol=1e-5)
    # Silverman's width smooths the edge at 0; elsewhere the CDFs agree
    assert stats.kstest(values, m.cdf).statistic < 0.03
    assert "100 Gaussians" in m.method
    assert len(empirical_marginals(np.stack([values, -values], 1))) == 2


@pytest.mark.parametrize("names", [("laplace", "student_t"), ("bimodal", GAMMA), ("uniform", "logistic")], ids=str)
@pytest.mark.parametrize("which", [0, 1])
def test_the_density_is_unchanged_and_the_jacobian_is_the_real_one(names, which):
    R = [rotation_matrix(2, 33), reflection(2) @ rotation_matrix(2, 70)][which]
    z = sample(names, 400, seed=which)
    carried = carry(z, R, names)
    assert carried.identity_error < 1e-6
    # log |det J| by central differences of g itself: the closed form is not taken at its word
    h = 1e-5 * np.ones(2)
    columns = [(carry(z + h * e, R, names).back - carry(z - h * e, R, names).back) / 2e-5 for e in np.eye(2)]
    numeric = np.log(np.abs(np.linalg.det(np.stack(columns, -1))))
    inside = (np.abs(carried.gaussian) < 3).all(1) & (np.abs(carried.rotated) < 3).all(1)
    inside &= (np.abs(z) > 1e-4).all(1) & (np.abs(carried.back) > 1e-3).all(1)  # Laplace has a kink at 0
    error = np.abs(numeric - carried.log_det)[inside]
    assert inside.sum() > 300
    assert np.quantile(error, 0.99) < 1e-6
    assert error.max() < 1e-4  # central differences near the kink and in the steep tails


def test_the_five_stages_are_what_they_say():
    names = ["laplace", "uniform"]
    z = sample(names, 500)
    carried = carry(z, rotation_matrix(2, 40), names)
    np.testing.assert_allclose(carried.gaussian, stats.norm.ppf(carried.uniform), atol=1e-9)
    np.testing.assert_allclose(carried.rotated, carried.gaussian @ rotation_matrix(2, 40).T)
    home = carry(carried.back, rotation_matrix(2, -40), names)
    np.testing.assert_allclose(home.back, z, atol=1e-9)
    np.testing.assert_allclose(home.log_det, -carried.log_det, atol=1e-9)


def test_pointwise_equality_holds_for_uniform_marginals_only():
    uniform = carry(sample(["uniform"] * 2, 300), rotation_matrix(2, 40), ["uniform"] * 2)
    np.testing.assert_array_equal(uniform.log_p, uniform.log_p_back)
    laplace = carry(sample(["laplace"] * 2, 300), rotation_matrix(2, 40), ["laplace"] * 2)
    assert np.abs(laplace.log_p - laplace.log_p_back).mean() > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("names", [("uniform", "uniform"), ("laplace", "bimodal"), ("student_t", GAMMA)], ids=str)
def test_nothing_observable_has_changed_and_the_latents_have(names):
    z = sample(names, 3000, seed=4)
    verdict = judge(carry(z, rotation_matrix(2, 45), names), names)
    assert min(k.p_value for k in verdict.ks) > 0.01
    assert min(verdict.independence.p_value, verdict.independence_before.p_value) > 0.01
    difference = verdict.mean_log_p.value - verdict.mean_log_p_back.value
    assert abs(difference) < 4 * np.hypot(verdict.mean_log_p.error, verdict.mean_log_p_back.error)
    assert verdict.mcc.value < 0.75
    for degrees in (0, 90):
        assert judge(carry(z, rotation_matrix(2, degrees), names), names).mcc.value == pytest.approx(1, abs=0.12)


def test_by_angle_begins_at_z_relabels_at_90_degrees_and_mixes_between():
    z = sample(["laplace", "laplace"], 400)
    turned, back, scores = any_prior.by_angle(z, ["laplace", "laplace"], (0, 45, 90))
    assert np.allclose(back[0], z, atol=1e-9)  # F and its inverse, in double precision
    assert np.allclose((turned**2).sum(2), (turned[0] ** 2).sum(1))  # a rotation keeps lengths
    assert scores[0] == pytest.approx(1, abs=1e-9)
    assert scores[2] == pytest.approx(1, abs=1e-9)  # each latent is one of z's, up to sign: Laplace is symmetric
    assert scores[1] < 0.95


def test_a_seed_is_the_same_points_whatever_the_marginals():
    """So that a cloud changes shape, not its points, when another prior is picked."""
    a = carry(sample(["laplace", "bimodal"], 50, seed=3), np.eye(2), ["laplace", "bimodal"]).gaussian
    b = carry(sample(["uniform", GAMMA], 50, seed=3), np.eye(2), ["uniform", GAMMA]).gaussian
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_more_than_two_latents():
    names = ["uniform", "laplace", "logistic", "bimodal"]
    verdict = judge(carry(sample(names, 600), random_orthogonal(4), names), names)
    assert verdict.identity_error < 1e-6
    assert verdict.independence.p_value > 0.01


def test_dependence_is_noticed():
    rng = np.random.default_rng(0)
    ring = rng.normal(size=(600, 2))
    ring /= np.linalg.norm(ring, axis=1, keepdims=True) + 0.1  # uncorrelated, dependent
    assert hsic(ring).p_value == pytest.approx(1 / 200)
    third = np.column_stack([rng.normal(size=(600, 2)), ring[:, 0]])
    assert hsic(third).p_value > 0.01
    third[:, 1] = ring[:, 1]
    assert hsic(third).p_value == pytest.approx(1 / 200)


def test_the_two_sample_test_notices_another_distribution():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 400, 2))
    assert energy_test(a, b @ np.array([[1.5, 0.0], [0.6, 1.0]])).p_value == pytest.approx(1 / 200)
    uniform = sample(["uniform"] * 2, 1500)
    turned = sample(["uniform"] * 2, 1500, seed=1) @ rotation_matrix(2, 45).T  # same moments, another prior
    assert energy_test(uniform, turned, rows=1500).p_value < 0.05
    with pytest.raises(ValueError, match="same number of columns; got 2 and 3"):
        energy_test(a, np.zeros((5, 3)))
    with pytest.raises(ValueError, match="at least 2 rows"):
        energy_test(a, b[:1])
    with pytest.raises(ValueError, match=r"not orthogonal: \|\|M\^T M - I\|\|"):
        rotated_prior_test(np.eye(2) * 2)


@pytest.mark.slow
def test_darmois_makes_independent_variables_that_are_still_mixed(seed):
    p_values = []
    for which in range(5):
        factors = np.random.default_rng([seed, which]).uniform(-1, 1, (3000, 2))
        x = np.tanh(factors @ rotation_matrix(2, 30).T) + 0.2 * factors
        found = darmois(x, factors, seed=seed)
        p_values.append(found.independence.p_value)
        assert found.independence_before.p_value < 0.01
        assert found.mcc is not None
        assert found.mcc.value < 0.9  # y1 is a function of x1, which mixes both
    # the median of 5 uniform p-values is below 0.03 once in 4,000 times; of dependent variables it is 1 / 200
    assert np.median(p_values) > 0.03
    assert stats.spearmanr(found.y[:, 0], x[found.rows, 0]).statistic == pytest.approx(1)
    assert found.y.shape == (500, 2)
    assert ((found.y >= 0) & (found.y <= 1)).all()
    assert "fitted on 2500 rows, applied to 500 others" in found.method


def test_darmois_holds_out_rows_in_truth():
    """Changing the held-out rows changes nothing of how the others are transformed."""
    x = np.random.default_rng(0).normal(size=(300, 2)) @ np.array([[1.0, 0.8], [0.0, 1.0]])
    rows = np.arange(60)
    before = darmois(x, rows=rows)
    moved = x.copy()
    moved[rows[1:]] *= 3
    np.testing.assert_array_equal(darmois(moved, rows=rows).y[0], before.y[0])


def test_bad_inputs_are_sentences():
    z = sample(["uniform"] * 2, 50)
    R = rotation_matrix(2, 30)
    for call, message in (
        (lambda: carry(z[:, :1], np.eye(1), ["uniform"]), "at least two latents"),
        (lambda: carry(z, R + 0.1, ["uniform"] * 2), r"not orthogonal: \|\|M\^T M - I\|\|"),
        (lambda: carry(z, np.eye(3), ["uniform"] * 2), "R must be 2 x 2"),
        (lambda: carry(z, R, ["uniform"]), "2 latents, 1 marginals"),
        (lambda: carry(2 * z, R, ["uniform"] * 2), r"\d+ values lie outside"),
        (lambda: carry(z * np.nan, R, ["laplace"] * 2), "NaN or infinity"),
        (lambda: carry(z, R, ["gauss"] * 2), "no marginal called 'gauss'; known are uniform"),
        (lambda: sample([], 10), "at least one marginal"),
        (lambda: empirical(np.ones(100)), "constant"),
        (lambda: empirical(np.arange(5.0), "z1"), "at least 20 finite values; z1 has 5"),
        (lambda: hsic(z[:, :1]), "at least two are needed"),
        (lambda: hsic(z[:5]), "at least 8 rows"),
        (lambda: hsic(np.column_stack([z, np.ones(50)])), "Column 3 is constant"),
        (lambda: darmois(np.ones((200, 3))), "for 2 columns; got 3"),
        (lambda: darmois(np.ones((200, 2))), "two varying columns"),
        (lambda: darmois(z), "at least 100 rows; got 50"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_records_do_not_change():
    carried = carry(sample(["laplace"] * 2, 10), np.eye(2), ["laplace"] * 2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        carried.z = None
