"""Matching latents to factors, and the matched correlation to expect by chance."""

from functools import lru_cache

import numpy as np

from dvae_core.metrics.score import BLIND_TO, MIN_ROWS, Score, correlations

FEW_ROWS = 30  # with fewer, independent columns correlate at 0.18 and more by chance
NAMED = 5  # constant columns listed by name in a note; the rest are counted


def matched(
    z_true: np.ndarray, z_hat: np.ndarray, method: str, *, what: str = "latent", dead: str = "constant"
) -> Score:
    """Return the MCC of checked arrays. `what` names the columns of z_hat, `dead` a constant one."""
    matrix, is_dead = correlations(z_true, z_hat, method)
    matching, strength = assign(np.abs(matrix))
    taken = matrix[np.arange(len(matrix)), matching]
    signs = np.where(matching >= 0, np.where(taken < 0, -1, 1), 0)
    notes = notes_on(len(z_true), is_dead, dead, what)
    left = np.flatnonzero(matching < 0)
    if len(left):
        names = ", ".join(str(i + 1) for i in left)
        notes = (
            *notes,
            f"{z_hat.shape[1]} {what}s for {z_true.shape[1]} factors: factor {names} has none and counts 0.",
        )
    return Score(
        value=float(strength.mean()),
        matrix=matrix,
        matching=tuple(matching.tolist()),
        signs=tuple(signs.tolist()),
        per_factor=tuple(strength.tolist()),
        method=method,
        notes=notes,
        blind_to=BLIND_TO[method],
        chance=rotation_mcc(z_true.shape[1]),
    )


def notes_on(n: int, is_dead: np.ndarray, dead: str, what: str = "latent") -> tuple[str, ...]:
    """Return sentences about few rows and constant columns."""
    notes = []
    if n < FEW_ROWS:
        notes.append(f"Only {n} rows: independent columns correlate at about {1 / np.sqrt(n):.2f} by luck.")
    gone = np.flatnonzero(is_dead)
    if len(gone):
        names = ", ".join(str(k + 1) for k in gone[:NAMED])
        more = f" and {len(gone) - NAMED:,} more" if len(gone) > NAMED else ""
        is_are, its = ("is", "its correlation counts") if len(gone) == 1 else ("are", "their correlations count")
        notes.append(f"{what.capitalize()} {names}{more} {is_are} {dead}: {its} 0.")
    return tuple(notes)


def assign(strength: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each factor its latent in the best assignment (-1 if none is left) and the strength (then 0)."""
    from scipy.optimize import linear_sum_assignment

    factors, latents = linear_sum_assignment(strength, maximize=True)
    matching = np.full(len(strength), -1)
    matching[factors] = latents
    return matching, np.where(matching >= 0, strength[np.arange(len(strength)), matching], 0.0)


@lru_cache(maxsize=256)
def rotation_mcc(d: int) -> float:
    """Mean MCC of random rotations of d white factors: 0.90 / 0.83 / 0.73 / 0.60 / 0.47 for d = 2 / 3 / 5 / 10 / 20.

    For white z, corr(z_i, (M z)_j) = M_ji, so this draws orthogonal matrices (uniformly, fixed seed) instead of
    samples. The number of draws falls from 2,000 to 20 as d grows; the standard error stays below 0.003.

    Raises:
        ValueError: If d is below 1.
    """
    if d < 1:
        raise ValueError(f"The number of factors must be 1 or more; got {d}.")
    rng = np.random.default_rng(0)
    draws = int(np.clip(20_000 // d**2, 20, 2000))
    return float(np.mean([assign(np.abs(orthogonal(d, rng)))[1].mean() for _ in range(draws)]))


@lru_cache(maxsize=256)
def independent_mcc(d: int, n: int) -> float:
    """Mean MCC of d latents that are independent of the d factors, on n rows: 0.14 / 0.04 for d = 5, n = 100 / 1,000.

    Correlations of independent columns are drawn from their large-sample law N(0, 1/(n - 1)), 200 times, fixed seed.

    Raises:
        ValueError: If d is below 1 or n below 3.
    """
    if d < 1 or n < MIN_ROWS:
        raise ValueError(f"At least 1 factor and {MIN_ROWS} rows are needed; got {d} and {n}.")
    rng = np.random.default_rng(0)
    draws = np.minimum(np.abs(rng.standard_normal((200, d, d))) / np.sqrt(n - 1), 1.0)
    return float(np.mean([assign(c)[1].mean() for c in draws]))


def orthogonal(d: int, rng: np.random.Generator) -> np.ndarray:
    """Draw an orthogonal matrix uniformly, by QR of a Gaussian matrix with the diagonal of R made positive."""
    q, r = np.linalg.qr(rng.standard_normal((d, d)))
    return q * np.sign(np.diag(r))
