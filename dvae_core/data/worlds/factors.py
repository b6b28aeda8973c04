"""Draw factors that are each uniform, and either independent of each other or evenly correlated."""

import numpy as np
from jaxtyping import Float64


def uniform_factors(n: int, d: int, *, correlation: float | int = 0.0, seed: int = 0) -> Float64[np.ndarray, "n d"]:
    """Draw rows of d factors, each uniform on [0, 1), tied by a Gaussian copula.

        v_i = Phi(g_i),   g ~ N(0, R),   R = 1 on the diagonal and `correlation` elsewhere

    Whatever the correlation, each factor stays uniform; the rank correlation of two is 6/pi asin(correlation/2).

    Args:
        n: Number of rows.
        d: Number of factors.
        correlation: Correlation of every pair, above -1/(d - 1) and below 1; 0 for independent factors.
        seed: Determines everything.

    Raises:
        ValueError: If an argument is out of range.

    References:
        Traeuble et al. 2021, who correlate pairs of dSprites' factors and see beta-VAEs learn the correlation.
    """
    if n < 1 or d < 1:
        raise ValueError(f"At least one row and one factor are needed; got {n} and {d}.")
    if not -1 / max(d - 1, 1) < correlation < 1:
        raise ValueError(
            f"correlation of {d} factors must be above {-1 / max(d - 1, 1):.3g} and below 1; got {correlation:g}."
        )
    rng = np.random.default_rng(seed)
    if not correlation:
        return rng.random((n, d))
    from scipy.special import ndtr  # the app's server does not load scipy until this is needed

    g = rng.standard_normal((n, d)) @ np.linalg.cholesky(np.full((d, d), correlation) + (1 - correlation) * np.eye(d)).T
    return np.minimum(ndtr(g), 1 - 2.0**-53)
