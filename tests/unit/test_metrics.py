"""Scores against answers known in closed form, and against shortcuts that must not pay."""

import inspect
import itertools
import subprocess
import sys
import warnings

import numpy as np
import pytest
from scipy import stats

from dvae_core.metrics import (
    Curve,
    align,
    autocorrelation_time,
    floors,
    independent_mcc,
    mcc,
    mcc_interval,
    monotone_fit,
    r2_affine,
    rotation_mcc,
    u_only,
)

# Without the shape checks of the tests, which would refuse before the function's own sentence is spoken.
plain_mcc, plain_floors = (inspect.unwrap(f) for f in (mcc, floors))


@pytest.fixture
def z() -> np.ndarray:
    """Two independent factors, 2,000 rows."""
    return np.random.default_rng(0).standard_normal((2000, 2))


def rotated(z: np.ndarray, degrees: float) -> np.ndarray:
    a = np.radians(degrees)
    return z @ np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])


# --- mcc --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_perfect_permuted_signed_scaled_shifted_is_one(z: np.ndarray, method: str) -> None:
    for z_hat in (z, z[:, ::-1], -2 * z[:, [1, 0]] + 3, z * [1e-6, -1e6] + [7, -7]):
        score = mcc(z, z_hat, method=method)
        assert score.value == pytest.approx(1.0, abs=1e-9)
        assert score.per_factor == pytest.approx((1.0, 1.0))
    score = mcc(z, -2 * z[:, [1, 0]] + 3, method=method)
    assert score.matching == (1, 0)
    assert score.signs == (-1, -1)
    assert score.notes == ()
    assert score.method == method
    assert "rotation" in score.blind_to


def test_hand_checked_arrays_to_one_part_in_a_million():
    # Columns of a 2-level design: exactly uncorrelated, mean 0, variance 1, so every correlation is known by hand.
    a, b, c = (np.array(signs, float) for signs in ([1, 1, 1, 1, -1, -1, -1, -1], [1, 1, -1, -1] * 2, [1, -1] * 4))
    true = np.column_stack([a, b])
    exact = {"abs": 1e-6}
    assert mcc(true, np.column_stack([b, a])).value == pytest.approx(1, **exact)  # permuted
    assert mcc(true, np.column_stack([-b, a])).signs == (1, -1)  # signed
    assert mcc(true, np.column_stack([5 * a + 2, -0.1 * b])).value == pytest.approx(1, **exact)  # scaled, shifted
    for degrees in (10, 30, 45, 60):  # rotated: the larger of |cos| and |sin|
        t = np.radians(degrees)
        turned = np.column_stack([np.cos(t) * a - np.sin(t) * b, np.sin(t) * a + np.cos(t) * b])
        assert mcc(true, turned).value == pytest.approx(max(np.cos(t), np.sin(t)), **exact)
    mixed = np.column_stack([(3 * a + 4 * c) / 5, b])  # correlations 0.6 and 1
    assert mcc(true, mixed).value == pytest.approx(0.8, **exact)
    assert mcc(true, np.column_stack([c, mixed])).value == pytest.approx(0.8, **exact)  # d_hat > d_z
    assert mcc(true, b[:, None]).value == pytest.approx(0.5, **exact)  # d_hat < d_z
    assert mcc(a[:, None], mixed).value == pytest.approx(0.6, **exact)  # d = 1
    assert mcc(true, np.column_stack([a, np.full(8, 7.0)])).value == pytest.approx(0.5, **exact)  # dead
    # ties, Spearman: mean ranks of (1, 2, 2, 3) are (1, 2.5, 2.5, 4), against (1, 2, 3, 4): 4.5 / sqrt(4.5 * 5)
    tied = mcc(np.array([[1.0], [2], [2], [3]]), np.array([[10.0], [20], [30], [40]]), method="spearman")
    assert tied.value == pytest.approx(4.5 / np.sqrt(22.5), **exact)


def test_rotation_by_45_degrees_scores_cos_45(z: np.ndarray) -> None:
    # Sampling error of a correlation near 0.7 on 2,000 rows: (1 - 0.5) / sqrt(2000) = 0.011, of the mean of two less.
    assert mcc(z, rotated(z, 45)).value == pytest.approx(np.sqrt(0.5), abs=0.03)
    assert mcc(z, rotated(z, 20)).value == pytest.approx(np.cos(np.radians(20)), abs=0.03)


def test_spearman_sees_through_monotone_changes_and_pearson_does_not(z: np.ndarray) -> None:
    bent = np.column_stack([np.exp(3 * z[:, 1]), -(z[:, 0] ** 3)])
    assert mcc(z, bent, method="spearman").value == pytest.approx(1.0, abs=1e-12)
    assert mcc(z, bent).value < 0.8


def test_matrix_agrees_with_scipy_ties_included(z: np.ndarray) -> None:
    true, hat = np.round(z, 1), np.round(rotated(z, 30) * 2)  # many ties
    for method, reference in (("pearson", stats.pearsonr), ("spearman", stats.spearmanr)):
        score = mcc(true, hat, method=method)
        expected = [[reference(true[:, i], hat[:, k])[0] for k in range(2)] for i in range(2)]
        np.testing.assert_allclose(score.matrix, expected, atol=1e-12)


@pytest.mark.parametrize(("d", "d_hat"), [(3, 3), (3, 5), (4, 2), (1, 4), (4, 1), (1, 1)])
def test_matching_is_the_best_of_all_assignments(d: int, d_hat: int) -> None:
    rng = np.random.default_rng(d * 10 + d_hat)
    true = rng.standard_normal((40, d))
    hat = true[:, :1] + rng.standard_normal((40, d_hat))
    score = mcc(true, hat)
    strength = np.abs(score.matrix)
    if d <= d_hat:
        totals = [sum(strength[i, k] for i, k in enumerate(p)) for p in itertools.permutations(range(d_hat), d)]
    else:
        totals = [sum(strength[i, k] for k, i in enumerate(p)) for p in itertools.permutations(range(d), d_hat)]
    assert score.value == pytest.approx(max(totals) / d)
    taken = [k for k in score.matching if k >= 0]
    assert len(set(taken)) == len(taken) == min(d, d_hat)
    assert score.value == pytest.approx(np.mean(score.per_factor))


def test_fewer_latents_than_factors_leave_factors_at_zero(z: np.ndarray) -> None:
    score = mcc(z, -z[:, 1:])
    assert score.value == pytest.approx(0.5)
    assert (score.matching, score.signs) == ((-1, 0), (0, -1))
    assert score.notes == ("1 latents for 2 factors: factor 1 has none and counts 0.",)


def test_more_latents_than_factors_are_allowed(z: np.ndarray) -> None:
    noise = np.random.default_rng(1).standard_normal((len(z), 3))
    score = mcc(z, np.column_stack([noise, z[:, 1], -z[:, 0]]))
    assert score.value == pytest.approx(1.0)
    assert score.matching == (4, 3)
    assert score.matrix.shape == (2, 5)


def test_dead_latent_scores_zero_and_is_named(z: np.ndarray) -> None:
    for constant in (0.0, 3.3, 1e9):
        score = mcc(z, np.column_stack([z[:, 0], np.full(len(z), constant)]))
        assert score.value == pytest.approx(0.5)
        assert score.per_factor == pytest.approx((1.0, 0.0))
        assert score.notes == ("Latent 2 is constant: its correlation counts 0.",)
    two = mcc(z, np.zeros((len(z), 8)), method="spearman")
    assert two.value == 0
    assert two.notes == ("Latent 1, 2, 3, 4, 5 and 3 more are constant: their correlations count 0.",)


def test_float32_rounding_of_a_dead_latent_is_still_dead(z: np.ndarray) -> None:
    dead = np.float32(5.0) + np.float32(4e-7) * np.sign(z[:, 0]).astype(np.float32)  # the last bit follows a factor
    score = mcc(z, np.column_stack([dead, z[:, 1].astype(np.float32)]))
    assert score.per_factor[0] == 0


def test_duplicated_latent_serves_one_factor_only(z: np.ndarray) -> None:
    assert mcc(z, z[:, [0, 0]]).value == pytest.approx(0.5, abs=0.03)


def test_huge_and_tiny_numbers_neither_overflow_nor_vanish(z: np.ndarray) -> None:
    assert mcc(z * 1e200, z * 1e-200).value == pytest.approx(1.0)


def test_chance_is_the_random_rotation(z: np.ndarray) -> None:
    assert mcc(z, z).chance == rotation_mcc(2)


def test_few_rows_are_noted(z: np.ndarray) -> None:
    assert mcc(z[:12], z[:12]).notes == ("Only 12 rows: independent columns correlate at about 0.29 by luck.",)


@pytest.mark.parametrize(
    ("z_true", "z_hat", "message"),
    [
        (np.zeros((5, 2)), np.zeros((4, 2)), r"same rows; got 5 and 4"),
        (np.eye(2), np.eye(2), r"at least 3 rows; got 2"),
        (np.zeros((0, 2)), np.zeros((0, 2)), r"at least 3 rows; got 0"),
        (np.column_stack([np.arange(5.0), np.ones(5)]), np.eye(5), r"Factor 2 of 2 is constant"),
        (
            np.eye(4),
            np.where(np.eye(4) > 0, np.nan, 1.0),
            r"z_hat has 4 values that are not finite, the first in row 0",
        ),
        (np.where(np.eye(4) > 0, np.inf, 1.0), np.eye(4), r"z_true has 4 values that are not finite"),
        (np.arange(4.0), np.arange(4.0), r"at least one column; got shape \(4,\)"),
        (np.zeros((4, 0)), np.eye(4), r"at least one column; got shape \(4, 0\)"),
        (np.eye(4), np.eye(4) * 1j, r"real numbers; got complex128"),
    ],
)
def test_latents_that_cannot_be_scored_are_refused_with_a_message(
    z_true: np.ndarray, z_hat: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        plain_mcc(z_true, z_hat)


def test_unknown_method_is_refused(z: np.ndarray) -> None:
    with pytest.raises(ValueError, match="'pearson' or 'spearman'; got 'kendall'"):
        plain_mcc(z, z, method="kendall")


# --- affine, floors, reference lines ----------------------------------------------------------------------------------


def test_affine_r2_forgives_rotation_and_nothing_else(z: np.ndarray) -> None:
    assert r2_affine(z, rotated(z, 45) * 3 - 1).value == pytest.approx(1.0)
    assert r2_affine(z, np.random.default_rng(1).standard_normal((2000, 2))).value == pytest.approx(0.0, abs=0.01)
    noisy = z + 0.5 * np.random.default_rng(1).standard_normal(z.shape)
    score = r2_affine(z, noisy)
    assert score.value == pytest.approx(0.8, abs=0.03)  # 1 / (1 + 0.25); std of R^2 on 1,000 rows is about 0.012
    assert score.matching == (0, 1)
    dead = r2_affine(z, np.column_stack([z[:, 0], np.ones(2000)]))
    assert dead.per_factor == pytest.approx((1.0, 0.0), abs=0.01)
    assert dead.notes == ("Latent 2 is constant: its correlation counts 0.",)
    assert r2_affine(z, z[:, :1]).value == pytest.approx(0.5, abs=0.01)


def test_affine_r2_refuses_too_few_rows(z: np.ndarray) -> None:
    with pytest.raises(ValueError, match="2 latents needs at least 8 rows; got 7"):
        r2_affine(z[:7], z[:7])


@pytest.mark.parametrize(("d", "expected"), [(1, 1.0), (2, 0.90), (3, 0.83), (5, 0.73), (10, 0.60), (20, 0.47)])
def test_random_rotations_score_what_is_published(d: int, expected: float) -> None:
    assert rotation_mcc(d) == pytest.approx(expected, abs=0.01)


def test_random_rotation_is_that_of_real_samples() -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((4000, 5))
    scores = [mcc(z, z @ np.linalg.qr(rng.standard_normal((5, 5)))[0]).value for _ in range(100)]
    assert np.mean(scores) == pytest.approx(rotation_mcc(5), abs=0.02)  # 3 standard errors of 100 draws


@pytest.mark.parametrize(("n", "expected"), [(100, 0.14), (1000, 0.04), (40_000, 0.01)])
def test_independent_latents_score_what_is_published(n: int, expected: float) -> None:
    assert independent_mcc(5, n) == pytest.approx(expected, abs=0.005)


def test_reference_lines_refuse_nonsense() -> None:
    with pytest.raises(ValueError, match="1 or more; got 0"):
        rotation_mcc(0)
    with pytest.raises(ValueError, match="got 2 and 1"):
        independent_mcc(2, 1)


def test_floors_of_a_linear_mixture() -> None:
    rng = np.random.default_rng(7)
    z = rng.laplace(size=(4000, 2))
    x = z @ np.array([[1.0, 0.8], [0.6, -1.0]])
    u = rng.integers(0, 3, 4000)
    lines = floors(x[:3000], x[3000:], z[:3000], z[3000:], u[:3000], u[3000:])
    assert list(lines) == ["raw_x", "pca", "fastica", "u_only", "random_rotation"]
    values = {name: line.value for name, line in lines.items() if line is not None}
    assert values["fastica"] > 0.98  # independent, not Gaussian, linear: what ICA is for
    assert 0.6 < values["raw_x"] < 0.95
    assert values["pca"] < 0.95
    assert values["u_only"] == 0
    assert values["random_rotation"] == rotation_mcc(2)
    assert floors(x[:3000], x[3000:], z[:3000], z[3000:], None, None)["u_only"] is None


def test_floors_with_constant_and_too_few_columns() -> None:
    rng = np.random.default_rng(8)
    z = rng.standard_normal((500, 3)).astype(np.float32)
    x = np.column_stack([z[:, 0], np.full(500, 2.0), z[:, 0] * 2]).astype(np.float32)
    lines = floors(x[:400], x[400:], z[:400], z[400:], None, None, method="spearman")
    assert all(line is None or np.isfinite(line.value) for line in lines.values())
    assert lines["raw_x"] is not None
    assert "Column 2 is constant" in lines["raw_x"].notes[0]
    assert lines["pca"] is not None
    assert lines["pca"].value == pytest.approx(1 / 3, abs=0.01)  # one direction in x, one factor of three


def test_fastica_that_does_not_converge_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.decomposition import FastICA

    def impatient(**settings: object) -> FastICA:
        return FastICA(**{**settings, "max_iter": 1, "tol": 1e-12})

    monkeypatch.setattr("sklearn.decomposition.FastICA", impatient)
    rng = np.random.default_rng(9)
    z = rng.laplace(size=(300, 4))
    x = np.tanh(z @ rng.standard_normal((4, 4)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        line = floors(x[:200], x[200:], z[:200], z[200:], None, None)["fastica"]
    assert line is not None
    assert any("did not converge" in note for note in line.notes)


def test_floors_refuse_rows_that_do_not_fit(z: np.ndarray) -> None:
    with pytest.raises(ValueError, match="x_train has 9 rows and its factors have 10"):
        plain_floors(z[:9], z, z[:10], z, None, None)
    with pytest.raises(ValueError, match="x_test has values that are not finite"):
        floors(z, np.full_like(z, np.nan), z, z, None, None)


# --- interval, align, monotone ----------------------------------------------------------------------------------------


def test_interval_covers_the_truth_and_is_the_right_width() -> None:
    rng = np.random.default_rng(10)
    covered, widths = 0, []
    for _ in range(20):
        z = rng.standard_normal((400, 1))
        found = mcc_interval(z, 0.8 * z + 0.6 * rng.standard_normal((400, 1)), n_boot=100)
        covered += found.low <= 0.8 <= found.high
        widths.append(found.high - found.low)
        assert found.low <= found.value <= found.high
        assert found.low <= found.mean <= found.high
    assert covered >= 16  # 19 expected; 15 or fewer has probability 0.003
    # Standard error of a correlation of 0.8 on 400 rows: (1 - 0.64) / 20 = 0.018; 2 x 1.96 of them.
    assert np.mean(widths) == pytest.approx(0.0706, rel=0.15)


def test_interval_repeats_itself_and_widens_with_blocks() -> None:
    rng = np.random.default_rng(11)
    slow = rng.standard_normal((50, 2)).repeat(20, 0)  # 1,000 rows, 50 independent ones
    hat = slow + rng.standard_normal((50, 2)).repeat(20, 0)
    one, again = mcc_interval(slow, hat), mcc_interval(slow, hat)
    assert one == again
    assert one != mcc_interval(slow, hat, seed=1)
    memory = autocorrelation_time(np.hstack([slow, hat]))
    assert memory == pytest.approx(20, rel=0.4)  # rows repeat 20 times; error about sqrt(2 x 5 x 20 / 1,000)
    blocks = mcc_interval(slow, hat, memory=memory, method="spearman")
    assert blocks.high - blocks.low > 2 * (one.high - one.low)


def test_too_few_independent_stretches_give_a_sentence_and_no_interval() -> None:
    slow = np.random.default_rng(12).standard_normal((10, 2)).repeat(100, 0)
    found = mcc_interval(slow, slow + 0.1, memory=100)
    assert np.isnan([found.mean, found.low, found.high]).all()
    assert found.value == pytest.approx(1)
    assert "10 independent stretches" in found.note


@pytest.mark.parametrize("columns", [1, 3])
def test_the_autocorrelation_time_of_a_series_of_known_memory(columns: int) -> None:
    rng = np.random.default_rng(13)
    z = rng.standard_normal((20_000, columns))
    assert autocorrelation_time(z) < 1.3
    for i in range(1, len(z)):
        z[i] = 0.9 * z[i - 1] + np.sqrt(1 - 0.81) * z[i]
    assert autocorrelation_time(z) == pytest.approx(19, rel=0.4)  # (1 + .9) / (1 - .9); the longest of 3, error 14 %
    assert autocorrelation_time(np.ones((50, 2))) == 1
    u = np.repeat(np.arange(5), 200)
    by_label = 3.0 * u[:, None] + rng.standard_normal((1000, 1))
    assert autocorrelation_time(by_label, u) < 1.5 < 20 < autocorrelation_time(by_label)


@pytest.mark.slow
def test_a_slow_factor_is_not_proof_that_u_moves_it() -> None:
    passed = {1: 0, 20: 0}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        for hold in passed:  # u and factor are independent of each other, each a walk that holds its value
            u = rng.standard_normal((2000 // hold, 1)).repeat(hold, 0)
            z = rng.standard_normal((2000 // hold, 1)).repeat(hold, 0)
            passed[hold] += u_only(z[:1000], u[:1000], z[1000:], u[1000:]).value > 0
    assert passed[1] <= 3  # 1 % expected of 20
    assert passed[20] <= 3


def test_interval_refusals(z: np.ndarray) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        mcc_interval(z, z, level=95.0)
    with pytest.raises(ValueError, match="memory 1 or more"):
        mcc_interval(z, z, memory=0.5)


def test_align_matches_signs_and_standardises(z: np.ndarray) -> None:
    out = align(z, -3 * z[:, ::-1] + 5)
    np.testing.assert_allclose(out, (z - z.mean(0)) / z.std(0), atol=1e-12)
    short = align(z, z[:, 1:])
    assert np.isnan(short[:, 0]).all()
    assert np.isfinite(short[:, 1]).all()
    dead = align(z, np.column_stack([z[:, 0], np.ones(len(z))]))
    assert (dead[:, 1] == 0).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_monotone_fit_finds_curve_and_direction(z: np.ndarray, sign: int) -> None:
    hat = sign * np.tanh(z[:, 0])
    curve = monotone_fit(hat, z[:, 0])
    assert isinstance(curve, Curve)
    assert curve.is_increasing == (sign > 0)
    assert curve.r2 == pytest.approx(1.0)
    assert (np.diff(curve.x) > 0).all()
    assert (np.diff(curve.y) * sign >= 0).all()
    np.testing.assert_allclose(np.interp(hat, curve.x, curve.y), z[:, 0], atol=1e-9)


def test_monotone_fit_of_noise_and_of_a_dead_latent(z: np.ndarray) -> None:
    assert monotone_fit(z[:, 1], z[:, 0]).r2 < 0.05
    flat = monotone_fit(np.ones(2000), z[:, 0])
    assert flat.r2 == pytest.approx(0.0)
    with pytest.raises(ValueError, match="constant"):
        monotone_fit(z[:, 0], np.ones(2000))


def test_importing_metrics_stays_light() -> None:
    code = "import sys, dvae_core.metrics; print([m for m in ('torch', 'sklearn', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_docstring_example_holds() -> None:
    import doctest

    (example,) = doctest.DocTestFinder().find(plain_mcc, "mcc", globs={"np": np, "mcc": mcc})
    assert doctest.DocTestRunner().run(example) == doctest.TestResults(failed=0, attempted=2)
