"""What a score must not depend on, for any data."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dvae_core.metrics import align, mcc, mcc_within_u, monotone_fit, r2_affine

METHODS = st.sampled_from(["pearson", "spearman"])


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """Factors and latents of many sizes, related or not, continuous or full of ties."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, d, d_hat = draw(st.integers(5, 60)), draw(st.integers(1, 5)), draw(st.integers(1, 6))
    z_true = rng.standard_normal((n, d))
    z_hat = draw(st.floats(0, 2)) * (z_true @ rng.standard_normal((d, d_hat))) + rng.standard_normal((n, d_hat))
    if draw(st.booleans()):
        z_true, z_hat = np.round(z_true, 1), np.round(z_hat, 1)  # ties
        z_true[0], z_true[1] = -5, 5  # and no constant factor
    return z_true, z_hat, rng


@given(pairs(), METHODS)
def test_mcc_lies_between_0_and_1(pair, method) -> None:
    z_true, z_hat, _ = pair
    score = mcc(z_true, z_hat, method=method)
    assert 0 <= score.value <= 1
    assert np.abs(score.matrix).max() <= 1
    assert sorted({k for k in score.matching if k >= 0}) == sorted(k for k in score.matching if k >= 0)
    assert sum(k >= 0 for k in score.matching) == min(score.matrix.shape)


@given(pairs(), METHODS, st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_mcc_is_blind_to_order_sign_scale_and_offset(pair, method, scale, offset) -> None:
    z_true, z_hat, rng = pair
    k = z_hat.shape[1]
    signs = rng.choice([-1.0, 1.0], k)
    changed = (z_hat * signs * scale + offset)[:, rng.permutation(k)]
    # 1e-6: an offset of 1e3 beside a scale of 1e-3 costs six digits; ties must stay ties for ranks.
    if method == "spearman":
        changed = z_hat[:, rng.permutation(k)] * 2.0
    assert abs(mcc(z_true, changed, method=method).value - mcc(z_true, z_hat, method=method).value) < 1e-6


@given(pairs(), METHODS)
def test_mcc_is_blind_to_order_of_factors_and_rows(pair, method) -> None:
    z_true, z_hat, rng = pair
    rows, columns = rng.permutation(len(z_true)), rng.permutation(z_true.shape[1])
    value = mcc(z_true, z_hat, method=method).value
    assert abs(mcc(z_true[rows][:, columns], z_hat[rows], method=method).value - value) < 1e-9


@given(pairs())
def test_spearman_is_blind_to_monotone_changes(pair) -> None:
    z_true, z_hat, _ = pair
    value = mcc(z_true, z_hat, method="spearman").value
    assert abs(mcc(np.arctan(z_true), z_hat**3, method="spearman").value - value) < 1e-9


@given(pairs(), METHODS)
def test_one_more_latent_never_lowers_the_score(pair, method) -> None:
    z_true, z_hat, rng = pair
    more = np.column_stack([z_hat, rng.standard_normal(len(z_hat))])
    assert mcc(z_true, more, method=method).value >= mcc(z_true, z_hat, method=method).value - 1e-12


@given(pairs(), METHODS)
def test_align_gives_correlations_that_are_the_score(pair, method) -> None:
    z_true, z_hat, _ = pair
    score, out = mcc(z_true, z_hat, method=method), align(z_true, z_hat, method=method)
    assert out.shape == z_true.shape
    for i, k in enumerate(score.matching):
        assert np.isnan(out[:, i]).all() == (k < 0)
        if k >= 0 and method == "pearson" and out[:, i].any():
            assert abs(np.corrcoef(out[:, i], z_true[:, i])[0, 1] - score.per_factor[i]) < 1e-9


@given(pairs(), st.integers(1, 4))
def test_within_u_is_blind_to_anything_added_per_label(pair, labels) -> None:
    z_true, z_hat, rng = pair
    u = np.arange(len(z_true)) % min(labels, len(z_true) // 3)
    added = z_hat + rng.uniform(-9, 9, (labels, z_hat.shape[1]))[u]
    moved = z_true + rng.uniform(-9, 9, (labels, z_true.shape[1]))[u]
    assert abs(mcc_within_u(moved, added, u).value - mcc_within_u(z_true, z_hat, u).value) < 1e-6


@given(pairs())
def test_affine_r2_is_blind_to_invertible_affine_maps(pair) -> None:
    z_true, z_hat, rng = pair
    k = z_hat.shape[1]
    if len(z_true) < 2 * (k + 2):
        return
    q = np.linalg.qr(rng.standard_normal((k, k)))[0] * rng.uniform(0.5, 2, k)
    assert abs(r2_affine(z_true, z_hat @ q + 3).value - r2_affine(z_true, z_hat).value) < 1e-6


@given(pairs())
def test_a_monotone_curve_fits_at_least_as_well_as_a_line(pair) -> None:
    z_true, z_hat, _ = pair
    if np.ptp(z_hat[:, 0]) == 0:
        return
    line = np.corrcoef(z_hat[:, 0], z_true[:, 0])[0, 1] ** 2
    assert monotone_fit(z_hat[:, 0], z_true[:, 0]).r2 >= line - 1e-9
