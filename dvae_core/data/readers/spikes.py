"""Count spike times in bins, smooth counts to rates on request, and align behaviour with the same bins."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int64, Integer, Real, Shaped, UInt16

MAX_BINS = 10_000_000


def bin_edges(start: float | int, stop: float | int, width_s: float | int) -> Float64[np.ndarray, " edges"]:
    """Return the edges of whole bins of equal width from `start` on; a remainder before `stop` is dropped.

    Raises:
        ValueError: If no bin, or more than 10 million, would fit, or the width is not above 0.
    """
    if not (np.isfinite(width_s) and width_s > 0):
        raise ValueError(f"A bin must be wider than 0 s; got {width_s}.")
    if not np.isfinite([start, stop]).all():
        raise ValueError("Times must be finite, but some are not; remove them first.")
    count = (stop - start) / width_s
    if not 1 - 1e-9 <= count <= MAX_BINS:
        raise ValueError(
            f"{start:.6g} to {stop:.6g} s makes {count:,.3g} bins of {width_s:g} s where 1 to {MAX_BINS:,} can be "
            "made; choose another width."
        )
    return start + width_s * np.arange(int(count + 1e-9) + 1)


def bin_spikes(
    times: Sequence[Real[np.ndarray, " _"]], edges: Float64[np.ndarray, " edges"]
) -> UInt16[np.ndarray, "n units"]:
    """Count spikes in bins of equal width: column i counts the times of unit i with edge <= time < next edge.

    Args:
        times: The times of each unit, in any order; times outside the edges are not counted.
        edges: As from `bin_edges`.
    """
    bins = len(edges) - 1
    counts = np.zeros((bins, len(times)), np.uint16)
    for unit, spikes in enumerate(times):
        where = np.searchsorted(edges, np.asarray(spikes, np.float64), side="right") - 1
        where = where[(where >= 0) & (where < bins)]
        counts[:, unit] = np.minimum(np.bincount(where, minlength=bins), np.iinfo(np.uint16).max)
    return counts


def smooth_rates(
    counts: Integer[np.ndarray, "n units"], width_s: float | int, sigma_s: float | int
) -> Float64[np.ndarray, "n units"]:
    """Return firing rates in spikes per second: counts convolved with a Gaussian of standard deviation `sigma_s`.

    The kernel is cut at 4 standard deviations and divided by its mass inside the recording, so a constant rate stays
    constant up to the ends. Smoothing uses the future as much as the past and makes neighbouring rows more alike, so
    hold out blocks.

    Raises:
        ValueError: If a width is not above 0.
    """
    if not (np.isfinite([width_s, sigma_s]).all() and width_s > 0 and sigma_s > 0):
        raise ValueError(f"Bins and smoothing must be wider than 0 s; got {width_s:g} and {sigma_s:g}.")
    reach = min(int(np.ceil(4 * sigma_s / width_s)), len(counts) - 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * width_s / sigma_s) ** 2)
    inside = np.convolve(np.ones(len(counts)), kernel)[reach : reach + len(counts)]
    rates = np.empty(counts.shape)
    for unit in range(counts.shape[1]):
        rates[:, unit] = np.convolve(counts[:, unit], kernel)[reach : reach + len(counts)] / inside / width_s
    return rates


def at_bins(
    clock: Real[np.ndarray, " samples"],
    values: Shaped[np.ndarray, "samples d"],
    edges: Float64[np.ndarray, " edges"],
    *,
    nearest: bool = False,
    periods: Sequence[float | None] = (),
) -> tuple[Shaped[np.ndarray, "n d"], Bool[np.ndarray, " n"]]:
    """Align samples of behaviour with the bins: their mean in each bin, or the sample nearest to its middle.

    A column with a period is an angle. Its mean is the direction of the mean of its unit vectors, so the mean of 355
    and 5 degrees is 0. Bins without a sample are interpolated linearly between the surrounding samples, unless these
    are further apart than both 5 bins and 5 typical sampling steps: such a gap means that nothing was recorded.

    Args:
        clock: Times of the samples, in seconds.
        values: The samples.
        edges: As from `bin_edges`, or the edges of neighbouring bins of any widths.
        nearest: Take the nearest sample; for labels, which have no meaningful mean.
        periods: Full circle of each column that is an angle; None or 0 for the others.

    Returns:
        Values at the bins, and a mask of the bins where they are known.
    """
    order = np.argsort(clock, kind="stable")
    clock, values = np.asarray(clock, np.float64)[order], values[order]
    centres = (edges[1:] + edges[:-1]) / 2
    after = np.searchsorted(clock, centres).clip(1, max(1, len(clock) - 1))
    before = after - 1
    after = np.minimum(after, len(clock) - 1)
    step = max(np.median(np.diff(clock)) if len(clock) > 1 else 0.0, float(np.median(np.diff(edges))))
    known = (centres >= clock[0] - step) & (centres <= clock[-1] + step) & (clock[after] - clock[before] <= 5 * step)
    if nearest:
        closer = np.where(centres - clock[before] <= clock[after] - centres, before, after)
        return values[closer], known
    which = np.searchsorted(edges, clock, side="right") - 1
    inside = (which >= 0) & (which < len(centres))
    count = np.bincount(which[inside], minlength=len(centres))

    def mean(numbers: np.ndarray) -> np.ndarray:
        total = np.bincount(which[inside], numbers[inside], minlength=len(centres))
        return np.where(count > 0, total / np.maximum(count, 1), np.interp(centres, clock, numbers))

    out = np.empty((len(centres), values.shape[1]))
    for column, period in zip(range(values.shape[1]), [*periods] or [None] * values.shape[1], strict=True):
        numbers = values[:, column].astype(np.float64)
        if not period:
            out[:, column] = mean(numbers)
            continue
        turn = 2 * np.pi * numbers / period
        out[:, column] = np.arctan2(mean(np.sin(turn)), mean(np.cos(turn))) * period / (2 * np.pi) % period
    return out, known | (count > 0)


def in_intervals(
    centres: Float64[np.ndarray, " n"], start: Real[np.ndarray, " k"], stop: Real[np.ndarray, " k"]
) -> Int64[np.ndarray, " n"]:
    """Return the interval that contains each time (start <= time <= stop), -1 if none does.

    If intervals overlap, the one that began last is returned. One without a start or a stop contains nothing.
    """
    order = np.argsort(start, kind="stable")
    which = np.full(len(centres), -1, np.int64)
    for k in order[np.isfinite(start[order]) & np.isfinite(stop[order])]:  # later intervals overwrite earlier ones
        which[np.searchsorted(centres, start[k], side="left") : np.searchsorted(centres, stop[k], side="right")] = k
    return which


def common(intervals: Sequence[np.ndarray]) -> Float64[np.ndarray, "m 2"]:
    """Return the times that lie in an interval of every table `[k 2]`, as intervals in order."""
    out = np.asarray(intervals[0], np.float64).reshape(-1, 2)
    for table in intervals[1:]:
        pairs = [
            (max(a, c), min(b, d))
            for a, b in out
            for c, d in np.asarray(table, float).reshape(-1, 2)
            if min(b, d) > max(a, c)
        ]
        out = np.array(sorted(pairs)).reshape(-1, 2)
    return out[np.argsort(out[:, 0], kind="stable")]
