"""Axes by a named rule, and the consensus of seeds: known answers, invariance, and where a rule fixes only a plane."""

import numpy as np
import pytest

from dvae_core import metrics
from dvae_core.metrics.canonical import canonical_axes, consensus, given_u, linear_r2

RNG = np.random.default_rng(0)
N = 3000
MIX = np.array([[1.0, 2.0, 0.3], [-0.5, 1.0, 2.0], [3.0, 0.2, 1.0]])


def noise(n: int, memory: float) -> np.ndarray:
    """Return an autoregressive series of variance 1."""
    a = np.exp(-1 / memory)
    out, z = np.zeros(n), 0.0
    for t, e in enumerate(RNG.standard_normal(n) * np.sqrt(1 - a**2)):
        out[t] = z = a * z + e
    return out


@pytest.fixture(scope="module")
def world():
    """Three independent sources: u explains 80, 40 and 0 % of their variances; their memories are 1, 30 and 6 rows."""
    u = RNG.standard_normal((N, 2))
    slow = noise(N, 30)
    z = np.column_stack([
        np.sqrt(0.8) * u[:, 0] + np.sqrt(0.2) * RNG.standard_normal(N),
        np.sqrt(0.4) * u[:, 1] + np.sqrt(0.6) * slow,
        noise(N, 6),
    ])  # fmt: skip
    return z, u


def test_the_axes_of_u_are_the_sources_whatever_the_basis(world):
    z, u = world
    found = canonical_axes(z @ MIX.T + 5, "u", u=u)
    turned = found.of(z @ MIX.T + 5)
    strength = np.abs(np.diag(np.corrcoef(turned.T, z.T)[:3, 3:]))
    assert strength.min() > 0.98  # sampling error of correlations between sources: 1 / sqrt(3000)
    assert np.diag(np.cov(turned.T)) == pytest.approx(1, abs=1e-6)
    # 25 neighbours leave 1/25 of the unexplained variance in E[z|u], and in the tails of u they all lie further inside
    assert found.eigenvalue == pytest.approx([0.8, 0.4, 0.04], abs=0.09)
    assert (found.low < found.eigenvalue).all()
    assert found.plane.tolist() == [0, 1, 2]
    assert np.corrcoef(turned[:, 0], u[:, 0])[0, 1] > 0  # the sign follows u
    other = canonical_axes(z @ MIX @ MIX, "u", u=u).of(z @ MIX @ MIX)
    np.testing.assert_allclose(np.abs(other), np.abs(turned), atol=1e-4)


def test_the_slow_axes_skip_the_borders_of_stretches():
    z = np.column_stack([noise(N, 30), noise(N, 5), RNG.standard_normal(N)])
    stretch = np.arange(N) // 100
    shuffled = RNG.permutation(30)
    rows = np.concatenate([np.flatnonzero(stretch == s) for s in shuffled])
    found = canonical_axes(z[rows] @ MIX.T, "slow", stretch=np.repeat(np.arange(30), 100))
    strength = np.abs(np.diag(np.corrcoef(found.of(z[rows] @ MIX.T).T, z[rows].T)[:3, 3:]))
    assert strength.min() > 0.97
    assert found.eigenvalue == pytest.approx([2 * (1 - np.exp(-1 / m)) for m in (30, 5)] + [2.0], rel=0.1)


def test_axes_with_equal_eigenvalues_are_a_plane():
    u = RNG.standard_normal((N, 2))
    z = np.column_stack([u + 0.5 * RNG.standard_normal((N, 2)), RNG.standard_normal(N)])
    assert canonical_axes(z @ MIX.T, "u", u=u).plane.tolist() == [0, 0, 1]


def test_too_few_stretches_have_no_interval():
    z = np.column_stack([noise(400, 60), noise(400, 60)])
    found = canonical_axes(z, "slow")
    assert np.isnan(found.low).all()
    assert "No interval" in found.note


def test_as_trained_only_standardises():
    z = RNG.standard_normal((200, 2)) * [3.0, 0.1]
    found = canonical_axes(z, "as trained")
    np.testing.assert_allclose(np.abs(found.A), np.diag(1 / z.std(0)))


def test_a_rule_that_cannot_be_followed():
    with pytest.raises(ValueError, match="The rule must be one of u, slow, as trained; got 'ica'"):
        canonical_axes(np.eye(3), "ica")
    with pytest.raises(ValueError, match="needs u"):
        canonical_axes(np.eye(3), "u")


def test_the_mean_given_labels_is_the_mean_of_each_label():
    e, u = np.array([[1.0], [3.0], [10.0]]), np.array([0, 0, 1])
    assert given_u(e, u).tolist() == [[2.0], [2.0], [10.0]]


def test_the_consensus_undoes_linear_maps_and_averages_noise_away(world):
    z, _ = world
    noisy = [z + 0.3 * RNG.standard_normal(z.shape) for _ in range(6)]
    members = np.stack([own @ RNG.standard_normal((3, 3)) + RNG.standard_normal(3) for own in noisy])
    both = consensus(members).of(members)
    lone = np.mean([linear_r2(m, z) for m in members])
    assert linear_r2(both, z) > lone + 0.05  # noise of variance .09 falls to .015
    order = [[2, 0, 1], [0, 1, 2], [1, 2, 0]]
    same = np.stack([z[:, o] * [1, -2, 3] + 7 for o in order])
    one = consensus(same, free="order").of(same)
    assert metrics.pair_mcc(one, z).value > 1 - 1e-9
    assert metrics.pair_mcc(consensus(same).of(same), same[0]).value < 1  # turned freely, axes are not kept


def test_linear_r2_is_blind_to_linear_maps_and_to_nothing_else(world):
    z, _ = world
    assert linear_r2(z @ MIX, z) == pytest.approx(1)
    assert linear_r2(RNG.standard_normal(z.shape), z) < 0.02
    assert linear_r2(z[:, :2] @ MIX[:2], z) < 0.9
