"""The Darmois construction: turns any two variables into two independent ones that are still mixed."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from dvae_core.identify.independence import Independence, Ks, hsic, ks_test
from dvae_core.identify.marginals import empirical
from dvae_core.metrics import Score, mcc

FITTED = 8000  # largest number of rows used for the estimate
HELD_OUT = 500  # largest number, and at most a fifth: they must be too few to detect the estimate's own error
CHECKED = 300  # left-out rows on which the bandwidths are chosen
WIDTHS = (0.02, 0.035, 0.06, 0.1, 0.17, 0.3, 0.5)  # bandwidths tried, in standard deviations of normal scores


@dataclass(frozen=True, eq=False)
class Darmois:
    """Two independent uniforms made from any two variables, on rows not used for the estimate.

    Attributes:
        y: y1 = F(x1), y2 = F(x2|x1), m by 2.
        rows: Row numbers of x.
        independence: Test of y1 and y2, which finds no dependence.
        independence_before: The same test of x1 and x2, on the same rows.
        ks: Tests of y1 and y2 against the uniform distribution. These p-values are too low, because F is estimated.
        mcc: MCC of the true factors and y: y is independent but still mixed. None if no factors are given.
        method: A sentence on how F was estimated.
    """

    y: np.ndarray
    rows: np.ndarray
    independence: Independence
    independence_before: Independence
    ks: list[Ks]
    mcc: Score | None
    method: str


def darmois(
    x: Float[np.ndarray, "n d"],
    factors: Float[np.ndarray, "n d_z"] | None = None,
    *,
    seed: int = 0,
    rows: Int[np.ndarray, " m"] | None = None,
) -> Darmois:
    """Turn any two variables into two independent ones: y1 = F(x1), y2 = F(x2|x1), both uniform.

    The independence of y1 and y2 says nothing about the factors that x was mixed from: y1 is a function of x1 alone,
    for any x1. The construction is exact for the true F. Here F is estimated on some rows and applied to others (a
    fifth, at most 500):

        F(x1)    = the smoothed marginal of `empirical`
        F(x2|x1) = sum_k w_k Phi((x2 - x2_k) / b) / sum_k w_k,   w_k = exp(-(x1 - x1_k)^2 / (2 h^2))

    on normal scores of both columns, corrected for the linear trend of x2 near x1 (each x2_k is shifted by the slope
    there times x1 - x1_k). h and b are chosen by the likelihood of left-out training points.

    Args:
        x: Data, two continuous columns with independent rows.
        factors: The factors that x was mixed from, if known. They are scored against y.
        seed: Seed for the held-out rows and the permutations.
        rows: Hold out these rows instead of a random choice.

    Raises:
        ValueError: If x does not have two varying columns, or has fewer than 100 rows.

    References:
        Darmois 1951; Hyvarinen & Pajunen 1999, Nonlinear independent component analysis: existence and uniqueness.
    """
    n, d = x.shape
    if d != 2:
        raise ValueError(f"The Darmois construction is shown for 2 columns; got {d}: choose two of them.")
    if n < 100:
        raise ValueError(f"An estimate of F(x2|x1) needs at least 100 rows; got {n}.")
    if not np.isfinite(x).all() or (np.ptp(x, axis=0) == 0).any():
        raise ValueError("The Darmois construction needs two varying columns of finite numbers.")
    rng = np.random.default_rng(seed)
    order = rng.permutation(n)
    if rows is None:
        rows = np.sort(order[: min(n // 5, HELD_OUT)])
    kept = order[~np.isin(order, rows)][:FITTED]
    y, h, b = _conditional_cdf(x[kept].astype(float), x[rows].astype(float))
    method = (
        f"smoothed marginal CDF; kernel-weighted, locally linear conditional CDF on normal scores (widths {h:g} in x1, "
        f"{b:g} in x2, chosen by left-out likelihood), fitted on {len(kept)} rows, applied to {len(rows)} others"
    )
    return Darmois(
        y=y,
        rows=rows,
        independence=hsic(y, seed=seed),
        independence_before=hsic(x[rows].astype(float), seed=seed),
        ks=[ks_test(column) for column in y.T],
        mcc=None if factors is None else mcc(factors[rows].astype(float), y),
        method=method,
    )


def _conditional_cdf(fit: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, float, float]:
    from scipy.special import ndtr

    marginals = [empirical(column) for column in fit.T]
    a, c = (np.stack([m.score(column) for m, column in zip(marginals, x.T, strict=True)], 1) for x in (fit, new))
    every = max(3, len(a) // CHECKED)
    check, rest = a[::every], np.delete(a, np.s_[::every], axis=0)
    scored = {}
    for h in WIDTHS:
        weights, centres = _local(rest, check, h)
        away = check[:, 1:] - centres
        for b in WIDTHS:
            density = (weights * np.exp(-0.5 * (away / b) ** 2)).sum(1) / b
            scored[h, b] = float(np.log(density + 1e-12).mean())  # a single point far from all others must not decide
    h, b = max(scored, key=scored.__getitem__)
    weights, centres = _local(a, c, h)
    y2 = (weights * ndtr((c[:, 1:] - centres) / b)).sum(1)
    return np.stack([ndtr(c[:, 0]), y2], 1), h, b


def _local(fit: np.ndarray, new: np.ndarray, h: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights [m, k] of the fitted points near each new x1, and their x2 shifted along the local slope."""
    away = fit[:, 0] - new[:, :1]
    log_weights = -0.5 * (away / h) ** 2
    weights = np.exp(log_weights - log_weights.max(1, keepdims=True))  # the nearest point always counts
    weights /= weights.sum(1, keepdims=True)
    mean1, mean2 = (weights * away).sum(1), weights @ fit[:, 1]
    var1 = (weights * away**2).sum(1) - mean1**2
    slope = ((weights * away) @ fit[:, 1] - mean1 * mean2) / (var1 + 0.01 * h**2)
    return weights, fit[:, 1] - slope[:, None] * away
