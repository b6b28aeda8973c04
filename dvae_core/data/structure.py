"""How many directions of x hold more than its columns would share by chance: the default number of latents."""

import numpy as np

from dvae_core.axes import evenly

ROWS, COLUMNS = 1000, 200  # evenly spaced, so that data of any size takes a fraction of a second
SHIFTS = 20  # random shifts; the threshold is the largest value of 20, about the 95 % quantile
FAR = 10.0  # robust standard deviations at which values are clipped: one artefact is no structure


def components_above_chance(x: np.ndarray, seed: int = 0) -> int:
    """Return how many principal components of x are larger than those of unrelated columns (parallel analysis).

    Each column is shifted along the rows by a random number, with wrap-around: its values and its own memory stay, and
    what columns share is gone. The k-th component counts if its variance exceeds that of the k-th component of every
    shifted copy, and all before it do. Columns are standardised. The number is that of shared linear directions: a
    curved map of 2 factors to 100 neurons has about 5, five factors lifted to 50 dimensions have 5. It is blind to
    factors that no two columns share, as when x has as many columns as factors.

    Args:
        x: Data `[n d]` of any real type, or packed bits.
        seed: Seed of the shifts.

    References:
        Horn 1965, A rationale and test for the number of factors in factor analysis.
    """
    part = np.asarray(x[evenly(x.shape[0], ROWS)], np.float64)[:, evenly(x.shape[1], COLUMNS)]
    part = part[:, part.std(0) > 0]
    if part.shape[1] < 2:
        return part.shape[1]
    centre = np.median(part, axis=0)
    spread = 1.4826 * np.median(np.abs(part - centre), axis=0)
    part = ((part - centre) / np.where(spread > 0, spread, part.std(0))).clip(-FAR, FAR)
    part = (part - part.mean(0)) / part.std(0)
    rng, rows = np.random.default_rng(seed), np.arange(len(part))[:, None]
    given, most = _variances(part), np.zeros(part.shape[1])
    for _ in range(SHIFTS):
        shifted = np.take_along_axis(part, (rows + rng.integers(0, len(part), part.shape[1])) % len(part), axis=0)
        most = np.maximum(most, _variances(shifted))
    above = given > most
    return int(len(above) if above.all() else above.argmin())


def _variances(part: np.ndarray) -> np.ndarray:
    return np.linalg.eigvalsh(part.T @ part)[::-1]
