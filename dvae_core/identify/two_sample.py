"""A two-sample test of whether z and M z' have the same distribution."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dvae_core.identify.matrices import require_orthogonal

NULL_NOTE = (
    "If both clouds come from one distribution, the p-value is uniform: below 0.05 once in 20 draws, 0.9 no more "
    "trustworthy than 0.2. A large p-value does not prove them equal; it says that this many points cannot tell."
)


@dataclass(frozen=True, eq=False)
class TwoSample:
    """The energy distance of two samples, and how often chance alone gives one at least as large.

    Attributes:
        statistic: Squared energy distance, 0 for equal samples, in the data's units.
        p_value: Share of relabellings (including the observed one) with a statistic at least as large; in (0, 1].
        null: The statistic of each relabelling.
        rows: Number of points used from each sample.
        method: A sentence on what was computed.
    """

    statistic: float
    p_value: float
    null: np.ndarray
    rows: tuple[int, int]
    method: str


def energy_test(
    a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m k"], *, permutations: int = 199, seed: int = 0, rows: int = 500
) -> TwoSample:
    """Test whether two independent samples have the same distribution, by energy distance and random relabelling.

        E = 2 mean |a - b| - mean |a - a'| - mean |b - b'|

    Under the null (one distribution, all n + m points exchangeable) the p-value is uniform on 1/(B+1), ..., 1. The test
    needs *independent* samples: z and M z of the same points are not exchangeable, and the p-value is then mostly near
    1. Given enough points it detects every difference between distributions; with few points it misses small ones.

    Args:
        a: One sample.
        b: The other.
        permutations: B, the number of relabellings of the pooled points.
        seed: Seed for the relabelling and the choice of rows.
        rows: Largest number of rows used from each sample (drawn at random); the work grows with its square.

    Raises:
        ValueError: If dimensions differ, a sample has fewer than 2 rows, or values are not finite.

    References:
        Szekely & Rizzo 2004, Testing for equal distributions in high dimension.
    """
    from scipy.spatial.distance import cdist

    if a.shape[1] != b.shape[1]:
        raise ValueError(f"Both samples need the same number of columns; got {a.shape[1]} and {b.shape[1]}.")
    if min(len(a), len(b)) < 2:
        raise ValueError(f"A two-sample test needs at least 2 rows on each side; got {len(a)} and {len(b)}.")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("A two-sample test needs finite numbers; a sample has NaN or infinity.")
    rng = np.random.default_rng(seed)
    a, b = (s if len(s) <= rows else s[rng.choice(len(s), rows, replace=False)] for s in (a, b))
    n, m = len(a), len(b)
    pooled = np.concatenate([a, b]).astype(float)
    distance = cdist(pooled, pooled)
    first = np.zeros((n + m, permutations + 1))  # one relabelling per column; the first is the observed one
    first[:n, 0] = 1.0
    for k in range(1, permutations + 1):
        first[rng.permutation(n + m)[:n], k] = 1.0
    to_first = distance @ first
    total = distance.sum()
    aa = np.einsum("ij,ij->j", first, to_first)
    ab = to_first.sum(0) - aa
    bb = total - aa - 2 * ab
    statistic = 2 * ab / (n * m) - aa / n**2 - bb / m**2
    # Relabellings tie only up to rounding: distinct points give distinct statistics.
    p_value = float((statistic >= statistic[0]).mean())
    method = f"energy distance, {permutations} random relabellings, {n} and {m} points"
    return TwoSample(float(statistic[0]), p_value, statistic[1:], (n, m), method)


def rotated_prior_test(
    M: Float[np.ndarray, "d d"], *, n: int = 500, seed: int = 0, permutations: int = 199
) -> TwoSample:
    """Test z against M z' for independent z and z' from N(0, I). There is no difference if M is orthogonal.

    Args:
        M: Orthogonal.
        n: Number of points in each sample.
        seed: Seed for both draws and the relabelling. A new seed gives another p-value.
        permutations: Number of relabellings.

    Raises:
        ValueError: If M is not orthogonal.
    """
    require_orthogonal(M)
    rng = np.random.default_rng([seed, 1])
    z, other = rng.standard_normal((2, n, len(M)))
    return energy_test(z, other @ M.T, permutations=permutations, seed=seed, rows=n)
