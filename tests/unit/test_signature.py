"""Latents of different sessions compared by what u does to them, in closed form."""

import numpy as np
import pytest

from dvae_core.metrics.signature import MOVES, common_cells, likeness, order_of, signature

RNG = np.random.default_rng(0)
CELLS = np.repeat(np.arange(20), 200)
MEANS, LOG_SDS = RNG.standard_normal((20, 3)), RNG.uniform(-1, 1, (20, 3))


def session(mean: float, seed: int) -> np.ndarray:
    """Three latents whose spread follows u, and whose mean follows it as far as `mean` says."""
    noise = np.random.default_rng(seed).standard_normal((len(CELLS), 3))
    return mean * MEANS[CELLS] + np.exp(LOG_SDS[CELLS]) * noise


def of(z: np.ndarray):
    return signature(z, CELLS, common_cells(CELLS))


@pytest.mark.parametrize("mean", [0.0, 1.5])
def test_other_rows_with_the_same_prior_are_alike_one_by_one(mean):
    """The second session differs in order, signs and scales, which the signature does not see or finds."""
    one, two = session(mean, 1), session(mean, 2)
    strength = likeness(of(one), of(two))
    # log deviations of 200 rows have a standard error of .05, a tenth of their spread over u: likeness .99
    assert np.diagonal(strength).min() > 0.97
    order = order_of(strength)
    assert order.is_same
    assert order.in_order > order.next + 0.2
    mixed = (two * [1, -3, 0.2])[:, [2, 0, 1]]
    found = order_of(likeness(of(one), of(mixed)))
    assert found.best == (1, 2, 0)
    assert not found.is_same
    assert found.matched == pytest.approx(order.in_order, abs=1e-9)  # sign and scale change nothing


def test_the_sign_is_free_where_u_moves_the_spread_alone():
    assert of(session(0.0, 1)).sign_is_free.all()
    assert not of(session(1.5, 1)).sign_is_free.any()
    still = session(1.5, 1)
    still[:, 1] = session(0.0, 1)[:, 1]
    assert of(still).sign_is_free.tolist() == [False, True, False]


def test_the_share_of_the_means_is_that_of_the_truth():
    """Var(E[z|u]) / Var(z), known from the numbers drawn; 4,000 rows give it to a hundredth."""
    expected = (1.5 * MEANS).var(0) / ((1.5 * MEANS).var(0) + np.exp(2 * LOG_SDS).mean(0))
    np.testing.assert_allclose(of(session(1.5, 1)).share, expected, atol=0.03)
    assert (of(session(0.0, 3)).share < MOVES / 2).all()  # the noise of the means is taken off


def test_shuffled_cells_are_alike_by_chance_only():
    one, two = session(1.5, 1), session(1.5, 2)
    shuffled = signature(two, RNG.permutation(CELLS), common_cells(CELLS))
    # noise against structure over 20 cells, twice: a correlation of 40 numbers, of which |means| counts
    assert order_of(likeness(of(one), shuffled)).matched < 0.6


def test_cells_with_few_rows_in_a_session_are_left_out():
    assert common_cells(np.repeat([0, 1, 2], [9, 4, 9]), np.repeat([0, 1, 2, 3], [9, 9, 9, 9])).tolist() == [0, 2]
