"""Synthetic data against the requested settings. Bounds are 5 standard errors unless another reason is given."""

import numpy as np
import pytest
from scipy import stats

from dvae_core.data.split import split
from dvae_core.data.worlds.neurons import neurons
from dvae_core.data.worlds.sources import HUMP, mixing, moments, sources

A, B = HUMP**2, 1 - HUMP**2  # "bimodal": squares of the humps' distance and of the noise about them
# moments at unit variance: the fourth, the sixth (the error of the third), the eighth (the error of the fourth)
KURTOSIS = {"gaussian": 3.0, "sech": 5.0, "laplace": 6.0, "bimodal": A**2 + 6 * A * B + 3 * B**2}
SIXTH = {"gaussian": 15.0, "sech": 61.0, "laplace": 90.0, "bimodal": A**3 + 15 * A**2 * B + 45 * A * B**2 + 15 * B**3}
EIGHTH = {
    "gaussian": 105.0, "sech": 1385.0, "laplace": 2520.0,
    "bimodal": A**4 + 28 * A**3 * B + 210 * A**2 * B**2 + 420 * A * B**3 + 105 * B**4,
}  # fmt: skip


def standardised(data, **arguments):
    """The noise inside the factors, by the moments that were asked for."""
    u = data.u if data.has_labels else data.u[:, 0]
    mean, scale = moments(u, n_latents=data.z.shape[1], **arguments)
    return (data.z - mean) / scale


# --- factors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", KURTOSIS)
def test_each_segment_has_the_requested_means_and_scales(noise, seed):
    n = 4000
    data = sources(n_latents=3, segments=6, per_segment=n, noise=noise, seed=seed)
    mean, scale = moments(np.arange(6), n_latents=3, segments=6, seed=seed)
    found = data.z.reshape(6, n, 3).astype(float)
    assert (abs(found.mean(axis=1) - mean) < 5 * scale / np.sqrt(n)).all()
    # var(s) = scale^2 (kurtosis - 1) / 4n for large n
    assert (abs(found.std(axis=1) - scale) < 5 * scale * np.sqrt((KURTOSIS[noise] - 1) / (4 * n))).all()


@pytest.mark.slow
@pytest.mark.parametrize("noise", KURTOSIS)
def test_noise_has_the_requested_shape(noise, seed):
    data = sources(n_latents=4, segments=2, per_segment=100_000, noise=noise, seed=seed)
    eps = standardised(data, segments=2, seed=seed).ravel()
    error = np.sqrt((EIGHTH[noise] - KURTOSIS[noise] ** 2) / eps.size)
    assert abs((eps**4).mean() - KURTOSIS[noise]) < 5 * error
    assert abs((eps**3).mean()) < 5 * np.sqrt(SIXTH[noise] / eps.size)


def test_student_noise_is_students_t_with_unit_variance(seed):
    eps = standardised(sources(segments=2, per_segment=5000, noise="student", seed=seed), segments=2, seed=seed).ravel()
    assert stats.kstest(eps * np.sqrt(5 / 3), stats.t(5).cdf).pvalue > 1e-3  # once in 1,000 draws by chance


def test_strength_spreads_or_shrinks_what_u_does():
    full, half, none = (moments(np.arange(5), strength=s, seed=3) for s in (1.0, 0.5, 0.0))
    np.testing.assert_allclose(half[0], 0.5 * full[0])
    np.testing.assert_allclose(half[1], np.sqrt(full[1]))
    np.testing.assert_allclose(none[0], 0)
    np.testing.assert_allclose(none[1], 1)
    z = sources(strength=0, segments=4, per_segment=2500, seed=3).z
    assert abs(z.std() - 1) < 5 / np.sqrt(2 * z.size)


def test_fixed_ranges_fix_the_moments():
    data = sources(segments=2, per_segment=10_000, scale_range=(2.0, 2.0), mean_range=(3.0, 3.0))
    assert (abs(data.z.mean(axis=0) - 3) < 5 * 2 / np.sqrt(20_000)).all()
    assert (abs(data.z.std(axis=0) - 2) < 5 * 2 / np.sqrt(40_000)).all()


def test_moments_fill_their_ranges_evenly(seed):
    mean, scale = moments(np.arange(200), n_latents=20, segments=200, seed=seed)
    for values, low, high in ((mean, -5, 5), (scale, 0.5, 3)):
        assert low <= values.min() < low + 0.01 * (high - low)  # 4,000 draws: missing the last percent has chance e^-40
        assert high >= values.max() > high - 0.01 * (high - low)
        assert abs(values.mean() - (low + high) / 2) < 5 * (high - low) / np.sqrt(12 * values.size)


def test_modulate_leaves_the_other_moment_alone():
    u = np.arange(5)
    mean, scale = moments(u)
    only_mean, ones = moments(u, modulate="mean")
    zeros, only_scale = moments(u, modulate="variance")
    np.testing.assert_array_equal(only_mean, mean)
    np.testing.assert_array_equal(only_scale, scale)
    assert (ones == 1).all()
    assert (zeros == 0).all()
    assert abs(standardised(sources(modulate="variance"), modulate="variance").std() - 1) < 5 / np.sqrt(2 * 10_000)


@pytest.mark.parametrize("correlation", [0.6, -0.4])
@pytest.mark.parametrize("noise", ["gaussian", "laplace"])
def test_factors_correlate_given_u_and_keep_their_moments(correlation, noise, seed):
    data = sources(n_latents=3, segments=2, per_segment=20_000, correlation=correlation, noise=noise, seed=seed)
    eps = standardised(data, segments=2, seed=seed)
    # the error of a Gaussian correlation is (1 - r^2) / sqrt(n); tails make it at most about twice that
    assert np.abs(np.corrcoef(eps.T)[np.triu_indices(3, 1)] - correlation).max() < 5 * 2 / np.sqrt(40_000)
    assert np.abs(eps.std(axis=0) - 1).max() < 5 * np.sqrt(5 / (4 * 40_000))


def test_factors_are_uncorrelated_given_u_by_default(seed):
    eps = standardised(sources(n_latents=4, seed=seed), seed=seed)
    assert np.abs(np.corrcoef(eps.T)[np.triu_indices(4, 1)]).max() < 5 / np.sqrt(5000)


def test_continuous_u_moves_the_moments_smoothly(seed):
    data = sources(continuous_u=True, segments=10, per_segment=2000, seed=seed)
    assert not data.has_labels
    assert data.u.shape == (20_000, 1)
    assert -1 <= data.u.min() < -0.99
    assert 0.99 < data.u.max() <= 1
    eps = standardised(data, continuous_u=True, seed=seed)
    assert np.abs(eps.mean(axis=0)).max() < 5 / np.sqrt(20_000)
    assert np.abs(eps.std(axis=0) - 1).max() < 5 / np.sqrt(40_000)
    mean, scale = moments(np.linspace(-1, 1, 2001), continuous_u=True, seed=seed)
    assert np.abs(np.diff(mean, axis=0)).max() < 5 * 2 * np.pi * 1e-3  # amplitude times the highest frequency times du
    assert (np.ptp(mean, axis=0) > 9.9).all()  # at least one whole period
    assert (np.ptp(scale, axis=0) > 2.4).all()


# --- mixing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["xtanh", "leaky", "linear"])
@pytest.mark.parametrize("d_x", [None, 7])
def test_x_is_the_true_generator_of_the_true_factors(activation, d_x):
    data = sources(n_latents=3, d_x=d_x, activation=activation, layers=4, seed=5)
    f = mixing(n_latents=3, d_x=d_x, activation=activation, layers=4, seed=5)
    assert data.x.shape == (5000, d_x or 3)
    assert [matrix.shape for matrix in f.matrices] == [(3, d_x or 3)] + [(d_x or 3, d_x or 3)] * 3
    np.testing.assert_allclose(data.x, f(data.z), atol=1e-5)  # z and x are stored in float32


def test_linear_mixing_is_exactly_linear():
    data = sources(n_latents=3, d_x=5, activation="linear")
    f = mixing(n_latents=3, d_x=5, activation="linear")
    matrix = np.linalg.multi_dot(f.matrices)
    np.testing.assert_allclose(data.x, data.z @ matrix, atol=1e-5)  # float32
    assert np.linalg.matrix_rank(data.x - data.x.mean(axis=0), tol=1e-2) == 3


def test_nonlinear_mixing_is_not_linear():
    data = sources(n_latents=3)
    design = np.column_stack([data.z, np.ones(data.n)])
    residual = data.x - design @ np.linalg.lstsq(design, data.x, rcond=None)[0]
    assert (residual.std(axis=0) > 0.05 * data.x.std(axis=0)).all()


@pytest.mark.parametrize("d", [2, 5])
def test_matrices_are_well_conditioned_with_unit_columns(d, seed):
    rng = np.random.default_rng(100 + seed)
    draws = rng.uniform(-1, 1, (20_000, d, d))
    condition = np.linalg.cond(draws / np.linalg.norm(draws, axis=1, keepdims=True))
    # the library estimates its 25th percentile from 1,000 draws: +- 1.4 % of rank, so 5 of these reach the 32nd
    limit = np.quantile(condition, 0.32)
    for matrix in mixing(n_latents=d, layers=20, seed=seed).matrices:
        np.testing.assert_allclose(np.linalg.norm(matrix, axis=0), 1, atol=1e-12)
        assert np.linalg.cond(matrix) < limit


def test_the_generator_is_injective_where_it_lifts():
    for matrix in mixing(n_latents=3, d_x=10, layers=3).matrices:
        assert np.linalg.matrix_rank(matrix) == min(matrix.shape)


def test_observation_noise_is_a_fraction_of_each_column(seed):
    clean, noisy = sources(seed=seed), sources(observation_noise=0.3, seed=seed)
    np.testing.assert_array_equal(clean.z, noisy.z)
    added = (noisy.x - clean.x).std(axis=0) / clean.x.std(axis=0)
    assert np.abs(added - 0.3).max() < 5 * 0.3 / np.sqrt(2 * 5000)


# --- neurons ----------------------------------------------------------------------------------------------------------


def test_neurons_are_poisson_of_the_true_rates(seed):
    data = neurons(n_neurons=30, seed=seed)
    rate = np.exp(2 * np.tanh(mixing(d_x=30, seed=seed)(data.z)))
    assert data.is_counts
    assert data.x.dtype == np.uint8
    assert (np.abs(data.x.mean(axis=0) - rate.mean(axis=0)) < 5 * np.sqrt(rate.mean(axis=0) / 5000)).all()
    # (x - r)^2 / r has mean 1 and variance 2 + 1/r
    dispersion = ((data.x - rate) ** 2 / rate).mean()
    assert abs(dispersion - 1) < 5 * np.sqrt((2 + 1 / rate).mean() / rate.size)


@pytest.mark.slow
def test_neurons_share_factors_with_sources():
    np.testing.assert_array_equal(neurons(seed=3).z, sources(seed=3).z)


# --- all --------------------------------------------------------------------------------------------------------------

MAKERS = [
    sources,
    neurons,
    lambda seed: sources(continuous_u=True, seed=seed),
    lambda seed: sources(noise="laplace", d_x=4, observation_noise=0.1, correlation=0.2, seed=seed),
]


@pytest.mark.slow
@pytest.mark.parametrize("make", MAKERS)
def test_the_seed_fixes_everything(make):
    first, again, other = make(seed=4), make(seed=4), make(seed=5)
    assert first.fingerprint == again.fingerprint
    assert first.fingerprint != other.fingerprint
    assert not np.allclose(first.z, other.z)


def test_other_ingredients_keep_their_draws():
    base, other = sources(seed=2), sources(seed=2, noise="laplace")
    np.testing.assert_allclose(other.x, mixing(seed=2)(other.z), atol=1e-5)  # same f; float32
    for segment in range(5):  # same means and scales under another noise
        rows = base.u == segment
        assert np.abs(base.z[rows].mean(axis=0) - other.z[rows].mean(axis=0)).max() < 5 * 3 * np.sqrt(2 / 1000)


def test_labels_names_and_a_split_that_works():
    data = sources(n_latents=2, segments=3, per_segment=10)
    assert (data.u_labels, data.u_names, data.z_names) == (("1", "2", "3"), ("segment",), ("s1", "s2"))
    assert {"source", "licence", "notes"} <= set(data.meta)
    assert len(split(data).held_out) == 6


def test_one_factor_one_segment():
    data = sources(n_latents=1, segments=1, layers=1, correlation=0.5)
    assert data.x.shape == (1000, 1)
    np.testing.assert_allclose(np.abs(data.x), np.abs(data.z))


WRONG = {
    "n_latents": ({"n_latents": 0}, "at least 1; got 0"),
    "layers": ({"layers": 0}, "at least 1; got 2 and 0"),
    "segments": ({"segments": 0}, "at least 1; got 2, 0 and 1000"),
    "d_x": ({"n_latents": 3, "d_x": 2}, "injective; got 2 and 3"),
    "scales": ({"scale_range": (0.0, 1.0)}, "scales be above 0"),
    "means": ({"mean_range": (1.0, -1.0)}, "Ranges must rise"),
    "strength": ({"strength": -1}, "strength must be 0 or more"),
    "noise": ({"observation_noise": -0.1}, "0 or more"),
    "correlation": ({"n_latents": 5, "correlation": -0.3}, r"above -0\.25 and below 1; got -0\.3"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arguments_say_what_was_expected(case):
    arguments, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        sources(**arguments)


def test_place_cells_fire_in_their_fields():
    data = neurons(tuning="place", n_latents=3, n_neurons=40, segments=4, per_segment=1000, seed=1)
    assert (data.n, data.d_x, data.rate_hz) == (4000, 40, 20.0)
    assert data.u_names == ("position",)
    assert data.z_names == ("position", "gain 1", "gain 2")
    assert (data.u == data.z[:, :1]).all()
    assert np.abs(np.diff(data.z[:, 0])).max() < 0.15  # an animal does not jump
    # each neuron's mean count by position has one clear peak: its field, 0.1 wide of a track of 1
    place = np.minimum((data.z[:, 0] * 10).astype(int), 9)
    curve = np.array([data.x[place == k].mean(0) for k in range(10)])
    assert (curve.max(0) > 3 * np.median(curve, axis=0)).mean() > 0.8
    assert (neurons(tuning="place", segments=1, per_segment=50, seed=2).x == neurons(
        tuning="place", segments=1, per_segment=50, seed=2).x).all()  # fmt: skip


def test_direction_cells_follow_the_stimulus():
    data = neurons(tuning="stimulus", n_latents=3, n_neurons=30, segments=8, per_segment=300)
    assert data.u_labels[:3] == ("0°", "45°", "90°")
    assert data.rate_hz is None
    means = np.array([data.z[data.u == k, :2].mean(0) for k in range(8)])
    angle = np.degrees(np.arctan2(means[:, 1], means[:, 0])) % 360
    assert np.abs((angle - 45 * np.arange(8) + 180) % 360 - 180).max() < 10  # spread 0.6 / sqrt(300) = 2 degrees
    curve = np.array([data.x[data.u == k].mean(0) for k in range(8)])
    assert (np.ptp(curve, axis=0) > 1).all()
    with pytest.raises(ValueError, match="at least 2 factors"):
        neurons(tuning="stimulus", n_latents=1)
