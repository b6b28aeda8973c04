"""Tests whether columns are independent (HSIC with a permutation p-value) or uniform (Kolmogorov-Smirnov)."""

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

INDUCING = 24  # grid points for each kernel: with the median width the 24th eigenvalue is at rounding error


@dataclass(frozen=True, eq=False)
class Independence:
    """Dependence between columns, and how often chance alone gives at least as much.

    Attributes:
        statistic: Sum of HSIC over the pairs of columns. It tends to 0 if they are independent.
        p_value: Share of permutations (including the observed order) with a statistic at least as large; in (0, 1].
        null: The statistic of each permutation.
        rows: Number of rows used.
        method: A sentence on what was computed.
    """

    statistic: float
    p_value: float
    null: np.ndarray
    rows: int
    method: str


@dataclass(frozen=True)
class Ks:
    """Kolmogorov-Smirnov distance from a known distribution, and its p-value (uniform if the sample is from it)."""

    statistic: float
    p_value: float


def ks_test(v: Float[np.ndarray, " n"]) -> Ks:
    """Compare values in (0, 1), such as F(z), with the uniform distribution."""
    from scipy.stats import kstest

    found = kstest(v, "uniform")
    return Ks(float(found.statistic), float(found.pvalue))


def normal_scores(z: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Return each column's ranks, mapped to a standard normal: Phi^-1((rank - 1/2) / n)."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    return ndtri((rankdata(z, axis=0) - 0.5) / len(z))


def hsic(z: Float[np.ndarray, "n d"], *, permutations: int = 199, seed: int = 0, rows: int = 1000) -> Independence:
    """Test whether the columns of z are independent of each other.

        HSIC_ij = 1/n^2 tr(K_i H K_j H),  K_i(a, b) = exp(-(a - b)^2 / (2 w^2)),  H = I - 1/n,  summed over pairs i < j

    Columns are first replaced by normal scores of their ranks, so that the test is blind to the marginals. w is the
    median distance. Every column except the first is permuted on its own. With more than two columns the test considers
    pairs, so it is blind to dependence that no pair shows. It assumes that rows are independent (not a time series).

    Args:
        z: Examples in rows, at least two columns.
        permutations: B; the p-value is a multiple of 1 / (B + 1).
        seed: Seed for the permutations and the choice of rows.
        rows: Largest number of rows used (drawn at random).

    Raises:
        ValueError: If there is one column, fewer than 8 rows, or a constant column.

    References:
        Gretton et al. 2008, A kernel statistical test of independence.
    """
    n, d = z.shape
    if d < 2:
        raise ValueError("Independence is between columns: at least two are needed; got one.")
    if n < 8:
        raise ValueError(f"A test of independence needs at least 8 rows; got {n}.")
    if not np.isfinite(z).all():
        raise ValueError("A test of independence needs finite numbers; z has NaN or infinity.")
    if (np.ptp(z, axis=0) == 0).any():
        raise ValueError(f"Column {int((np.ptp(z, axis=0) == 0).argmax()) + 1} is constant; leave it out.")
    rng = np.random.default_rng(seed)
    chosen = z if n <= rows else z[rng.choice(n, rows, replace=False)]
    n = len(chosen)
    features = [_features(column) for column in normal_scores(chosen).T]

    def dependence(orders: list[np.ndarray]) -> float:
        # tr(K_i H K_j H) = || F_i^T F_j ||^2 for centred features with K = F F^T
        turned = [features[0], *(F[order] for F, order in zip(features[1:], orders, strict=True))]
        pairs = itertools.combinations(turned, 2)
        return sum(float(np.square(A.T @ B).sum()) for A, B in pairs) / n**2

    observed = dependence([np.arange(n)] * (d - 1))
    null = np.array([dependence([rng.permutation(n) for _ in range(d - 1)]) for _ in range(permutations)])
    p_value = (1 + int((null >= observed).sum())) / (permutations + 1)
    method = (
        f"HSIC on normal scores, Gaussian kernel of median width ({INDUCING} inducing points), {permutations} "
        f"permutations, {n} rows"
    )
    return Independence(observed, p_value, null, n, method)


def _features(column: np.ndarray) -> np.ndarray:
    """Centred features [n, k] whose inner products are the kernel (Nystrom; exact to 1e-6 in one dimension)."""
    some = column[:: max(1, len(column) // 500)]
    width = np.median(np.abs(some[:, None] - some)[np.triu_indices(len(some), 1)])
    at = np.linspace(column.min(), column.max(), INDUCING)
    values, vectors = np.linalg.eigh(np.exp(-0.5 * ((at[:, None] - at) / width) ** 2))
    kept = values > 1e-9 * values[-1]
    F = np.exp(-0.5 * ((column[:, None] - at) / width) ** 2) @ (vectors[:, kept] / np.sqrt(values[kept]))
    return F - F.mean(0)
