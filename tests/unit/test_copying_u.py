"""The score of u alone, and the scores within u."""

import inspect

import numpy as np
import pytest

from dvae_core.metrics import floors_within_u, mcc, mcc_within_u, u_only
from tests.unit.test_metrics import rotated

# Without the shape checks of the tests, which would refuse before the function's own sentence is spoken.
plain_within, plain_u_only = (inspect.unwrap(f) for f in (mcc_within_u, u_only))


def segments(moves_means: bool, n: int = 4000, d: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Factors whose means (or only variances) change with the label."""
    rng = np.random.default_rng(3)
    u = rng.integers(0, 5, n)
    mean = rng.uniform(-5, 5, (5, d)) * moves_means
    return mean[u] + rng.uniform(0.5, 3, (5, d))[u] * rng.standard_normal((n, d)), u


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_copying_u_scores_high_but_nothing_within_u(method: str) -> None:
    z, u = segments(moves_means=True)
    means = np.array([z[u == c].mean(0) for c in range(5)])
    exact = means[u]
    noisy = exact + 0.1 * np.random.default_rng(4).standard_normal(z.shape)
    for copied in (exact, noisy, exact.astype(np.float32)):
        assert mcc(z, copied, method=method).value > 0.75
        # 0.07: more than four standard errors, 1 / sqrt(4000), of a correlation of independent columns.
        assert mcc_within_u(z, copied.astype(float), u, method=method).value < 0.07
    score = mcc_within_u(z, exact, u, method=method)
    assert score.value == 0
    assert score.notes == ("Latent 1, 2 are a function of u: their correlations count 0.",)
    assert score.blind_to.startswith("what u explains")


def test_references_within_u_are_blind_to_what_u_explains() -> None:
    z, u = segments(moves_means=True)
    means = np.array([z[u == c].mean(0) for c in range(5)])[u]
    turned = z @ np.array([[0.8, -0.6], [0.6, 0.8]])
    copied = floors_within_u(means[:3000], means[3000:], z[3000:], u[3000:])
    # 0.15: almost five standard errors, 1 / sqrt(1000), of a correlation; a mean of few rows is not quite that of all
    assert max(score.value for score in copied.values()) < 0.15
    found = floors_within_u(turned[:3000], turned[3000:], z[3000:], u[3000:])
    assert found["raw_x"].value == mcc_within_u(z[3000:], turned[3000:], u[3000:]).value
    assert 0.7 < found["raw_x"].value < 0.95


def test_within_u_of_the_truth_is_one_and_of_a_rotation_is_not() -> None:
    z, u = segments(moves_means=True)
    assert mcc_within_u(z, -z[:, ::-1], u).value == pytest.approx(1.0)
    white = np.random.default_rng(0).standard_normal(z.shape)
    assert mcc_within_u(white, rotated(white, 45), u).value == pytest.approx(np.sqrt(0.5), abs=0.03)


def test_within_u_leaves_out_lonely_rows() -> None:
    z, u = segments(moves_means=True, n=100)
    u = np.concatenate([u, [77, 78]])
    z = np.vstack([z, [[1e6, 0], [0, 1e6]]])
    score = mcc_within_u(z, z, u)
    assert score.value == pytest.approx(1.0)
    assert score.notes == ("2 rows were alone with their label and left out.",)


def test_within_u_refusals() -> None:
    z, u = segments(moves_means=True, n=50)
    with pytest.raises(ValueError, match="50 labels on 50 rows leave 0 rows"):
        mcc_within_u(z, z, np.arange(50))
    with pytest.raises(ValueError, match="Factor 2 of 2 is constant within every label"):
        mcc_within_u(np.column_stack([z[:, 0], u * 0.1]), z, u)
    with pytest.raises(ValueError, match="u must have the 50 rows"):
        plain_within(z, z, u[:-1])


def test_u_only_is_the_correlation_with_the_label_means() -> None:
    z, u = segments(moves_means=True)
    score = u_only(z[:3000], u[:3000], z[3000:], u[3000:])
    means = np.array([z[:3000][u[:3000] == c].mean(0) for c in range(5)])
    expected = [np.corrcoef(z[3000:, i], means[u[3000:], i])[0, 1] for i in range(2)]
    assert score.per_factor == pytest.approx(expected)
    assert score.value > 0.7
    assert "5 labels" in score.notes[0]
    spearman = u_only(z[:3000], u[:3000], z[3000:], u[3000:], method="spearman")
    assert spearman.value == pytest.approx(score.value, abs=0.1)


def test_u_only_is_nought_where_u_moves_no_mean() -> None:
    z, u = segments(moves_means=False)
    score = u_only(z[:3000], u[:3000], z[3000:], u[3000:])
    assert score.value == 0
    assert score.signs == (0, 0)
    assert "moves the mean of no factor" in score.notes[0]
    half = np.column_stack([z[:, 0] + 3 * u, z[:, 1]])
    score = u_only(half[:3000], u[:3000], half[3000:], u[3000:])
    assert score.per_factor[0] > 0.8
    assert score.per_factor[1] == 0
    assert "does not move the mean of factor 2" in score.notes[0]


def test_u_only_gives_an_unseen_label_the_overall_mean() -> None:
    z, u = segments(moves_means=True)
    changed = np.where(np.arange(4000) >= 3900, 99, u)
    score = u_only(z[:3000], u[:3000], z[3000:], changed[3000:])
    assert "100 rows have a label unseen" in score.notes[0]
    assert np.isfinite(score.value)


@pytest.mark.parametrize("columns", [1, 2])
def test_u_only_regression_comes_close_to_the_best_possible(columns: int) -> None:
    rng = np.random.default_rng(5)
    u = rng.uniform(-1, 1, (4000, columns)).astype(np.float32)
    best = np.column_stack([np.sin(4 * u[:, 0]), np.abs(u[:, -1])])
    z = best + [0.5, 0.3] * rng.standard_normal(best.shape)
    score = u_only(z[:3000], u[:3000], z[3000:], u[3000:])
    possible = [np.corrcoef(z[3000:, i], best[3000:, i])[0, 1] for i in range(2)]
    # 0.04: what is lost to estimating the curve from 3,000 rows.
    assert np.subtract(possible, score.per_factor).max() < 0.04
    assert "k nearest training rows" in score.notes[0]
    noise = rng.standard_normal(z.shape)
    assert u_only(noise[:3000], u[:3000], noise[3000:], u[3000:]).value == 0


def test_u_only_accepts_one_column_of_numbers_and_few_rows() -> None:
    rng = np.random.default_rng(6)
    u = rng.uniform(size=40)
    z = np.column_stack([u, -u]) + 0.05 * rng.standard_normal((40, 2))
    assert u_only(z[:30], u[:30], z[30:], u[30:]).value > 0.8
    tiny = u_only(z[:4], u[:4], z[30:], u[30:])
    assert 0 <= tiny.value <= 1


def test_u_only_refusals() -> None:
    z, u = segments(moves_means=True, n=50)
    with pytest.raises(ValueError, match="u_train must have the 50 rows"):
        plain_u_only(z, u[:-1], z, u)
    with pytest.raises(ValueError, match="u_test must hold finite numbers"):
        u_only(z, u.astype(float), z, np.full(50, np.nan))
    with pytest.raises(ValueError, match="same columns; got 1 and 2"):
        u_only(z, u[:, None].astype(float), z, np.zeros((50, 2)))
