"""The bad news, number by number: what rotating the latents changes, against closed forms.

Golden values: recomputed here from their formulas; a change of any of them is a bug, not a new number.
"""

import math

import numpy as np
import pytest
from scipy import stats

from dvae_core.identify.any_prior import carry, sample
from dvae_core.identify.linear_gaussian import (
    LinearGaussian,
    curves,
    diagonal_gap,
    diagonal_gap_curve,
    from_posterior,
    log_pxu_curve,
    refitted_gap,
)
from dvae_core.identify.matrices import random_orthogonal, rotation_matrix
from dvae_core.identify.two_sample import energy_test, rotated_prior_test
from dvae_core.metrics import mcc

pytestmark = pytest.mark.statistical
ANGLES = np.arange(0.0, 181.0, 5.0)
S = np.diag([1.0, 0.05])


# --- golden values ---


def test_golden_gap_of_the_diagonal_q():
    # precisions of the turned axes: c^2 + 20 s^2 and s^2 + 20 c^2; gap = 1/2 log of their product / 20
    gap = diagonal_gap_curve(S, [0, 15, 30, 45])
    np.testing.assert_allclose(gap, [0.0, 0.378, 0.739, 0.854], atol=5e-4)
    assert gap[3] == pytest.approx(0.5 * math.log(10.5**2 / 20))
    np.testing.assert_allclose(gap, curves(from_posterior([1, 0.05]), step=15)["gap_closed_form"][:4], atol=1e-12)


@pytest.mark.parametrize(("degrees", "expected"), [(15, 0.96), (30, 0.86), (45, 0.69)])
def test_golden_mcc_of_uniform_marginals(degrees, expected):
    # Uniform marginals see a Gaussian copula: its correlation rho = cos becomes 6 / pi asin(rho / 2)
    exact = 6 / math.pi * math.asin(math.cos(math.radians(degrees)) / 2)
    assert exact == pytest.approx(expected, abs=0.006)  # the specification rounds to two digits
    z = sample(["uniform"] * 2, 20_000)
    found = mcc(z, carry(z, rotation_matrix(2, degrees), ["uniform"] * 2).back).value
    assert found == pytest.approx(exact, abs=0.012)  # 3 standard errors of a correlation of 20,000, matched


def test_golden_mcc_of_white_latents():
    z = np.linalg.qr(np.random.default_rng(0).normal(size=(500, 3)) @ np.diag([0, 1, 1]) + np.array([1, 0, 0]))[0][
        :, 1:
    ]
    for degrees in (0, 15, 45, 60, 90):
        turn = math.radians(degrees)
        found = mcc(z, z @ rotation_matrix(2, degrees).T).value  # columns of z: mean 0, white to rounding
        assert found == pytest.approx(max(abs(math.cos(turn)), abs(math.sin(turn))), abs=1e-9)
    assert mcc(z, z @ rotation_matrix(2, 45).T).value == pytest.approx(0.707, abs=2e-4)


# --- the exact linear-Gaussian model ---


def model(seed: int, d_z: int = 3, d_x: int = 5) -> LinearGaussian:
    rng = np.random.default_rng(seed)
    return LinearGaussian(rng.normal(size=(d_x, d_z)), rng.normal(size=d_x), rng.uniform(0.3, 1.0, d_x))


def test_linear_gaussian_bounds_are_exact(seed):
    ours = model(seed)
    x, _ = ours.sample(200, seed)
    reference = stats.multivariate_normal(ours.b, ours.W @ ours.W.T + np.diag(ours.noise_std**2)).logpdf(x)
    np.testing.assert_allclose(ours.log_px(x), reference, rtol=1e-10)
    np.testing.assert_allclose(ours.elbo_full(x), ours.log_px(x), atol=1e-10)  # the exact posterior leaves no gap
    M = random_orthogonal(3, seed)
    twin = ours.rotated(M)
    np.testing.assert_allclose(twin.log_px(x), ours.log_px(x), atol=1e-10)
    np.testing.assert_allclose(twin.posterior_mean(x), ours.posterior_mean(x) @ M.T, atol=1e-10)
    np.testing.assert_allclose(twin.posterior_cov, M @ ours.posterior_cov @ M.T, atol=1e-12)
    loss = twin.elbo_full(x) - twin.elbo_diagonal(x)
    np.testing.assert_allclose(loss, diagonal_gap(M @ ours.posterior_cov @ M.T), atol=1e-10)


def test_no_diagonal_q_does_better(seed):
    ours = model(seed)
    x, _ = ours.sample(20, seed)
    best, rng = ours.elbo_diagonal(x), np.random.default_rng(seed)
    precision = np.diag(np.linalg.inv(ours.posterior_cov))
    for _ in range(50):
        mu = ours.posterior_mean(x) + 0.1 * rng.normal(size=(20, 3))
        other = ours.elbo(x, mu, np.diag(np.exp(0.2 * rng.normal(size=3)) / precision))
        assert (other < best).all()


def test_the_curve_of_the_exact_model():
    found = curves(from_posterior([1, 0.05]), prior_var=np.array([[0.2, 1.0], [1.0, 0.3], [2.0, 2.0]]))
    assert np.ptp(found["log_px"]) == np.ptp(found["elbo_full"]) == 0
    x, _ = from_posterior([1, 0.05]).sample(20_000)
    by_sampling = from_posterior([1, 0.05]).log_px(x)
    assert found["log_px"][0] == pytest.approx(by_sampling.mean(), abs=4 * by_sampling.std() / math.sqrt(len(x)))
    assert found["elbo_diagonal"].argmin() == 9  # 45 degrees
    assert found["mcc"].min() == pytest.approx(math.sqrt(0.5))
    assert found["log_pxu_refitted"].argmax() == found["log_pxu_fixed"].argmax() == 0


def test_where_the_true_axes_lie_shows_in_the_mcc_alone():
    model = from_posterior((1.0, 0.05))
    here, there = curves(model), curves(model, truth_deg=35)
    assert there["angle"][there["mcc"].argmax()] == 35
    assert there["mcc"].max() == pytest.approx(1)
    for name in here.keys() - {"mcc"}:
        np.testing.assert_array_equal(here[name], there[name])


# --- log p(x|u): the flat and the bent case, side by side ---

MEANS = np.array([[-3.0, 0.0], [1.0, 2.0], [2.0, -2.5]])
EQUAL, UNEQUAL = np.ones((3, 2)), np.tile([0.3, 2.0], (3, 1))
MODULATED = np.array([[0.2, 1.0], [1.0, 0.3], [2.0, 2.0]])
LINEAR = LinearGaussian(np.array([[1.0, 0.4], [-0.3, 1.2], [0.5, 0.5]]), np.zeros(3), np.full(3, 0.05))


def test_means_only_with_equal_variances_is_flat():
    """Affine indeterminacy: the theorem leaves every rotation free, and refitting shows it."""
    assert np.ptp(log_pxu_curve(LINEAR, MEANS, EQUAL, ANGLES)) < 1e-10
    np.testing.assert_allclose(refitted_gap(EQUAL, ANGLES), 0, atol=1e-12)
    fixed = log_pxu_curve(LINEAR, MEANS, EQUAL, ANGLES, how="fixed")
    assert fixed.argmax() == 0
    assert fixed[0] - fixed[9] > 1  # nats; the prior held fixed bends where nothing is identified: drawn thin


def test_modulated_variances_touch_their_maximum_only_at_multiples_of_90_degrees():
    curve = log_pxu_curve(LINEAR, 0 * MEANS, MODULATED, ANGLES)
    gap = refitted_gap(MODULATED, ANGLES)
    at_axes = ANGLES % 90 == 0
    np.testing.assert_allclose(curve[at_axes], curve[0], atol=1e-10)
    np.testing.assert_allclose(gap[at_axes], 0, atol=1e-12)
    assert (curve[~at_axes] < curve[0] - 1e-3).all()
    assert (gap[~at_axes] > 1e-3).all()
    # 1/2 [2 log((v1 + v2) / 2) - log v1 v2] at 45 degrees, a mean over the three u
    expected = np.mean([0.5 * math.log(((a + b) / 2) ** 2 / (a * b)) for a, b in MODULATED])
    assert gap[9] == pytest.approx(expected)
    # noise of 0.05 on latents of spread 0.5 to 1.4 hides a little of the gap, never adds to it
    np.testing.assert_allclose(curve[0] - curve, gap, atol=0.03)
    assert (curve[0] - curve <= gap + 1e-10).all()
    fixed = log_pxu_curve(LINEAR, 0 * MEANS, MODULATED, ANGLES, how="fixed")
    np.testing.assert_allclose(fixed[[0, -1]], fixed.max(), atol=1e-10)  # at 0, and at 180 when the means are 0
    assert (fixed[1:-1] < fixed[0] - 1e-3).all()


def test_constant_unequal_variances_bend_but_not_in_whitened_coordinates():
    assert np.ptp(log_pxu_curve(LINEAR, MEANS, UNEQUAL, ANGLES)) > 0.1
    assert np.ptp(log_pxu_curve(LINEAR, MEANS, UNEQUAL, ANGLES, within_u_whitened=True)) < 1e-10
    assert np.ptp(log_pxu_curve(LINEAR, MEANS, MODULATED, ANGLES, within_u_whitened=True)) > 0.1


# --- two samples ---


@pytest.mark.slow
def test_p_values_are_uniform_under_the_null():
    p = [rotated_prior_test(rotation_matrix(2, 30), n=120, seed=s, permutations=199).p_value for s in range(200)]
    # multiples of 1/200: half a step of shift is far below what 200 draws resolve
    assert stats.kstest(p, stats.uniform(0, 1).cdf).pvalue > 0.01


def test_the_same_points_are_not_a_null():
    """Z against M z of the very same points: pairs are not exchangeable, the p-values crowd near 1."""
    p = []
    for seed in range(40):
        z = np.random.default_rng(seed).standard_normal((100, 2))
        p.append(energy_test(z, z @ rotation_matrix(2, 5).T, permutations=99, seed=seed).p_value)
    assert np.median(p) > 0.9
