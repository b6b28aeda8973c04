"""The autocorrelation time of a series, whose neighbouring rows are not independent examples."""

import numpy as np
from jaxtyping import Float, Int

from dvae_core.axes import means_by_code

NO_SERIES = 1.5  # rows: a shorter time is consistent with independent rows, given the error of its estimate
WINDOW = 5.0  # multiple of the time itself at which the sum over lags ends (Sokal)
FEWEST_STRETCHES = 25  # with fewer independent stretches, no interval and no test can be trusted


def autocorrelation_time(z: Float[np.ndarray, "n d"], u: Int[np.ndarray, " n"] | None = None) -> float:
    """Number of rows after which a series is independent: the integrated autocorrelation time, largest over columns.

        tau = 1 + 2 sum_{t=1..W} rho(t),   W the first lag of at least 5 tau

    n rows carry as much information about a mean as n / tau independent ones. The time is 1 for independent rows in any
    order. If u is given, the mean of each label is subtracted first, so that rows sorted by label do not look like a
    series. The estimate is blind to gaps between the rows, and too short if the memory is much longer than the series.

    Args:
        z: The series, rows in time order.
        u: Labels, same rows.

    Returns:
        At least 1. Constant columns are skipped.

    References:
        Sokal 1997, Monte Carlo methods in statistical mechanics, section 3.
    """
    residual = np.asarray(z, float)
    residual = residual - residual.mean(0)
    if u is not None:
        codes = np.unique(u, return_inverse=True)[1]
        residual = residual - means_by_code(residual, codes)[codes]
    n, longest = len(residual), 1.0
    for column in residual.T:
        power = np.square(np.abs(np.fft.rfft(column, 2 * n)))
        covariance = np.fft.irfft(power)[:n]
        if covariance[0] <= 1e-12 * n * max(float(np.square(z).max()), np.finfo(float).tiny):
            continue
        tau = 2 * np.cumsum(covariance / covariance[0]) - 1
        inside = np.flatnonzero(np.arange(n) >= WINDOW * tau)
        longest = max(longest, float(tau[inside[0]] if len(inside) else tau.max()))
    return longest


def resampled_rows(
    n: int, time: float | int, draws: int, rng: np.random.Generator
) -> Int[np.ndarray, "draws n"] | None:
    """Draw rows for a bootstrap, in blocks of three autocorrelation times that wrap round the end.

    Args:
        n: Number of rows.
        time: Their autocorrelation time, see `autocorrelation_time`.
        draws: Number of resamples.
        rng: Draws the starts of the blocks.

    Returns:
        Row indices, or None with fewer than 25 independent stretches, since no interval can be trusted then.
    """
    if n / time < FEWEST_STRETCHES:
        return None
    block = independent_step(time, 3)
    starts = rng.integers(0, n, (draws, -(-n // block)))
    return ((starts[:, :, None] + np.arange(block)) % n).reshape(draws, -1)[:, :n]


def mean_error(values: Float[np.ndarray, " n"]) -> float:
    """Return the standard error of the mean of a series, whose neighbouring values need not be independent."""
    stretches = len(values) / max(1.0, autocorrelation_time(values[:, None]))
    return float(values.std(ddof=1) / np.sqrt(max(stretches, 1.0)))


def too_few(n: int, time: float | int) -> str:
    """Return the sentence that replaces an interval."""
    return (
        f"No interval: {n:,} rows that remember {time:.0f} rows are {n / time:.0f} independent stretches, and fewer "
        f"than {FEWEST_STRETCHES} give none that can be trusted."
    )


def independent_step(time: float | int, times: float | int) -> int:
    """Return this many autocorrelation times as a whole number of rows, or 1 if rows are independent."""
    return 1 if time < NO_SERIES else int(np.ceil(times * time))
