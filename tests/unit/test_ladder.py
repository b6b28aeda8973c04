"""Agreement between latents: the ladder against copies whose rung is known, the scores against hand-made cases."""

import inspect

import numpy as np
import pytest
from scipy.stats import ortho_group

from dvae_core.metrics import ladder, pair_mcc, strengths, udr
from dvae_core.metrics.agreement import LINEAR, POINTWISE, REACHED, RUNGS, lowest

plain_ladder = inspect.unwrap(ladder)
STRETCHES = (
    lambda z: z**3, lambda z: np.exp(1.5 * z), lambda z: np.sinh(2 * z), lambda z: np.sign(z) * np.abs(z) ** 5,
    lambda z: np.sign(z) * np.abs(z) ** 0.1,
)  # fmt: skip


def factors(rng: np.random.Generator, n: int, d: int, kind: int) -> np.ndarray:
    draws = (rng.standard_normal, lambda size: rng.laplace(size=size), lambda size: rng.uniform(-1.7, 1.7, size))
    return draws[kind % 3]((n, d))


def far_rotation(rng: np.random.Generator, d: int) -> np.ndarray:
    """Draw an orthogonal matrix with every axis at least 20 degrees from every old one, so from every signed order."""
    while True:
        M = ortho_group.rvs(d, random_state=rng)
        if np.abs(M).max() < np.cos(np.radians(20)):
            return M


def stretched(rng: np.random.Generator, z: np.ndarray) -> np.ndarray:
    """Return a column through a monotone map with squared Pearson below 0.9."""
    for k in rng.permutation(len(STRETCHES)):
        out = STRETCHES[k](z)
        if np.corrcoef(z, out)[0, 1] ** 2 < 0.9:
            return out
    raise AssertionError("no map is nonlinear enough for this column")


def copies(trial: int) -> dict[str, tuple[np.ndarray, np.ndarray, str | None, str | None]]:
    """Return named pairs of latents with the rung each branch must stop at."""
    rng = np.random.default_rng(trial)
    d, n = int(rng.integers(2, 5)), int(rng.integers(400, 900))
    z = factors(rng, n, d, trial)
    order, signs = rng.permutation(d), rng.choice([-1, 1], d)
    permuted = z[:, order] * signs * rng.uniform(0.5, 3, d) + rng.normal(0, 2, d)
    shear = np.eye(d)
    i, j = rng.choice(d, 2, replace=False)
    shear[i, j] = rng.choice([-1, 1]) * rng.uniform(1, 3)
    bent = np.column_stack([signs[k] * stretched(rng, z[:, order[k]]) for k in range(d)])
    return {
        "permuted": (z, permuted, "permutation", "permutation"),
        "rotated": (z, z @ far_rotation(rng, d).T, None, "orthogonal"),
        "sheared": (z, z @ shear.T, None, "affine"),
        "monotone": (z, bent, "monotone", None),
        "noise": (z, rng.standard_normal((n, d)), None, None),
    }


@pytest.mark.parametrize("first", [0, *(pytest.param(first, marks=pytest.mark.slow) for first in (50, 100, 150))])
def test_ladder_names_the_rung_of_every_copy_in_50_random_trials(first):
    for trial in range(first, first + 50):
        for name, (a, b, pointwise, linear) in copies(trial).items():
            found = ladder(a, b)
            assert (found.pointwise, found.linear) == (pointwise, linear), (trial, name, found.r2)


def test_a_copy_stands_on_the_first_rung_and_rungs_hold_their_exact_values():
    z = np.random.default_rng(0).standard_normal((1000, 3))
    found = ladder(z, z.copy())
    assert (found.pointwise, found.linear) == ("identity", "identity")
    assert [found.r2[rung] for rung in ("identity", "permutation", "orthogonal", "affine")] == pytest.approx([1.0] * 4)
    assert found.matching == (0, 1, 2)
    a = np.array([1.0, 2, 3, 4, 5, 6, 7, 8])[:, None]
    b = 2 * a + 1 + np.array([0, 0.5] * 4)[:, None]
    # by hand: the fit on rows 1, 3, 5, 7 is 2 a + 1, every test row is off by 0.5, and lies 2.5 + 4 (k - 1.5) from the
    # mean 9 of the fitted half
    expected = 1 - 4 * 0.25 / sum((x - 9) ** 2 for x in (5.5, 9.5, 13.5, 17.5))
    assert ladder(a, b).r2["permutation"] == pytest.approx(expected, abs=1e-12)
    assert ladder(a, b).r2["affine"] == pytest.approx(expected, abs=1e-12)


def test_lowest_is_the_first_that_reaches():
    r2 = dict.fromkeys(RUNGS, 0.96) | {"identity": float("nan"), "permutation": 0.94}
    assert (lowest(r2, POINTWISE), lowest(r2, LINEAR)) == ("monotone", "orthogonal")
    assert lowest(dict.fromkeys(RUNGS, 0.949), LINEAR) is None


def test_other_numbers_of_latents_and_constant_ones():
    rng = np.random.default_rng(1)
    z = rng.standard_normal((600, 3))
    wider = ladder(z[:, :2], -z)  # two of the three are known
    assert wider.r2["permutation"] == pytest.approx(2 / 3, abs=0.02)
    assert np.isnan(wider.r2["identity"])
    assert wider.matching[2] == -1
    assert "without a partner count 0" in wider.notes[0]
    dead = ladder(z, np.column_stack([z[:, 1], np.zeros(600), z[:, 0]]))
    assert dead.pointwise == "permutation"
    assert np.isnan(dead.per_latent["affine"][1])
    assert dead.notes == ("Latent 2 is constant and left out.",)
    assert np.isnan(ladder(z, z, same_axes=False).r2["identity"])


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (np.zeros((9, 1)), np.zeros((8, 1)), "same rows; got 9 and 8"),
        (np.eye(5), np.eye(5), "at least 14 rows; got 5"),
        (np.zeros((50, 1)), np.ones((50, 1)), "All latents of one side are constant"),
        (np.full((50, 1), np.nan), np.ones((50, 1)), "not finite"),
    ],
)
def test_latents_that_cannot_be_compared_are_refused_with_a_message(a, b, message):
    with pytest.raises(ValueError, match=message):
        plain_ladder(a, b)


def test_pair_mcc_is_the_same_from_either_side():
    rng = np.random.default_rng(2)
    a = rng.standard_normal((300, 3))
    b = np.column_stack([-a[:, 2], a[:, 0] + rng.standard_normal(300)])
    assert pair_mcc(a, b).value == pytest.approx(pair_mcc(b, a).value, abs=1e-12)
    expected = (1 + abs(np.corrcoef(a[:, 0], b[:, 1])[0, 1])) / 3
    assert pair_mcc(a, b).value == pytest.approx(expected, abs=1e-9)
    assert pair_mcc(np.zeros((300, 2)), a).value == 0


def test_strengths_follow_each_latent_into_another_seed():
    rng = np.random.default_rng(3)
    z = rng.standard_normal((500, 3))
    np.testing.assert_allclose(strengths(z, -z[:, [2, 0, 1]]), 1, atol=1e-12)
    np.testing.assert_allclose(strengths(-z[:, [2, 0, 1]], z[:, :2]), [0, 1, 1], atol=1e-12)  # one has no partner
    np.testing.assert_allclose(strengths(z, z[:, :0]), 0)


def test_udr_is_high_for_copies_and_low_for_rotations():
    rng = np.random.default_rng(4)
    z = rng.standard_normal((2000, 3))
    kl = np.ones((3, 3))
    same = udr(np.stack([z, -z[:, [1, 2, 0]], 3 * z]), kl)
    turned = udr(np.stack([z, z @ far_rotation(rng, 3).T, z @ far_rotation(rng, 3).T]), kl)
    # One coefficient a row, shrunk by alpha = 0.1 from 1 to 0.9: max^2 / sum = 0.9. Correlations of independent columns
    # on 2,000 rows (0.02) lie below alpha and leave nothing.
    np.testing.assert_allclose(same, 0.9, atol=0.01)
    assert (turned < 0.7).all()
    masked = udr(np.stack([z, z, z]), np.array([[1, 1, 0.005]] * 3))
    np.testing.assert_allclose(masked, 0.9, atol=0.01)
    assert np.isnan(udr(z[None], kl[:1])).all()


def test_the_monotone_rung_contains_the_straight_line():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        z = rng.standard_t(3, (300, 2))  # rows far out: where a curve of ranks does worse than a line
        found = ladder(z, 2 * z[:, ::-1] + 0.4 * rng.standard_normal((300, 2)))
        assert (found.per_latent["monotone"] >= found.per_latent["permutation"]).all(), seed
        assert found.pointwise != "monotone" or found.r2["permutation"] < REACHED
