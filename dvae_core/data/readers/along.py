"""Variables that describe the rows of x, aligned with them by position, by clock or by interval."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dvae_core.data.dataset import DataError
from dvae_core.data.readers import spikes
from dvae_core.data.readers.choose import Choice
from dvae_core.data.readers.common import ANGLES, WHOLE_LABELS, ReadOptions, is_whole, pick_rows, rows_note
from dvae_core.data.readers.model import PHASE, Intervals, Labels, ReadingRecord, Recording, Variable
from dvae_core.data.readers.stack import standing


class Rows(NamedTuple):
    """The rows of x before anything is aligned with them."""

    x: np.ndarray  # [n, ...]
    times: np.ndarray | None  # [n] seconds, if x has a clock
    edges: list[np.ndarray]  # of the bins around the times, in stretches without a gap
    trial: np.ndarray | None  # [n]
    trials: int
    n: int  # number of rows, or of bins, before any was left out
    at: np.ndarray  # origin of each row: its row in the file, or the time of its bin


class Along:
    """x and the variables aligned with its rows, restricted to rows where all of them are known."""

    def __init__(self, rows: Rows, *, untyped: bool) -> None:
        self.rows, self.untyped = rows, untyped
        self.values: dict[str, Any] = {}
        self.periods: dict[str, tuple[float, ...]] = {}
        self.known = np.ones(len(rows.x), bool)
        self.trial = rows.trial

    def keep(self, good: np.ndarray, what: str, why: str, record: ReadingRecord) -> None:
        """Drop rows and count them."""
        record.leave_out(what, int((self.known & ~good).sum()), len(good), why)
        self.known &= good

    def by_interval(
        self, name: str, arrays: Mapping[str, Any], table: Intervals, times: np.ndarray, record: ReadingRecord
    ) -> None:
        """Give each row the entry of the interval that contains it."""
        start, stop = (np.asarray(arrays[side], np.float64).ravel() for side in (table.start, table.stop))
        which = (
            spikes.in_intervals(times, start, stop) if np.all(np.diff(times) >= 0) else _unsorted(times, start, stop)
        )
        inside = which >= 0
        ends = np.stack([start, stop], 1)
        ends = np.sort(ends[np.isfinite(ends).all(1)], axis=0)  # without overlaps, the k-th to begin is the k-th to end
        if (ends[1:, 0] < ends[:-1, 1]).any():
            record.notes.append(
                f"intervals of {table.name} overlap: a time in two of them is in the one that began last"
            )
        if not inside.any():
            raise DataError(f"No row of x lies inside an interval of {table.name}; check that clocks are the same.")
        what = "rows" if not self.rows.edges else "bins"
        self.keep(inside, what, f"outside every interval of {table.name}", record)
        self.trial = which if self.trial is None else self.trial
        if name == table.phase:
            length = np.where(stop > start, stop - start, 1.0)[which.clip(0)]
            self.values[name] = ((times - start[which.clip(0)]) / length)[:, None]
            return
        values = arrays[name]
        values = values if isinstance(values, Labels) else standing(values, len(start), None)
        self.values[name] = values[which.clip(0)]
        if not isinstance(values, Labels) and values.dtype.kind == "f":
            there = np.isfinite(self.values[name]).all(axis=1)
            self.keep(there | ~inside, what, f"where {name} is missing", record)

    def within_trial(self, name: str, trial: np.ndarray | None, path: Path) -> None:
        """Add the phase of each row: the position of its middle in its trial, from 0 to 1."""
        if trial is None or len(trial) != len(self.known):
            raise DataError(
                f"{path.name} has no trials whose bins are the rows of x, so there is no phase; choose another u."
            )
        order = np.argsort(trial, kind="stable")
        _, begins, counts = np.unique(trial[order], return_index=True, return_counts=True)
        phase = np.empty(len(trial))
        phase[order] = (np.arange(len(trial)) - np.repeat(begins, counts) + 0.5) / np.repeat(counts, counts)
        self.values[name] = phase[:, None]

    def by_clock(
        self, path: Path, name: str, values: Any, clock: Any, variable: Variable, times: np.ndarray,
        options: ReadOptions, choice: Choice, record: ReadingRecord,
    ) -> None:  # fmt: skip
        """Align behaviour that has its own clock with the times of x."""
        own, samples = samples_of(path, name, values, clock, choice.columns)
        finite = np.isfinite(times)
        order = np.argsort(times[finite], kind="stable")
        steps = times[finite][order]
        step = float(np.median(np.diff(steps))) if len(steps) > 1 else 1.0
        breaks = np.flatnonzero(np.diff(steps) > 5 * step) + 1
        edges = []
        for part in np.split(steps, breaks):
            middle = (part[1:] + part[:-1]) / 2
            edges.append(np.r_[part[0] - step / 2, middle, part[-1] + step / 2])
        found, known = _at(own, samples, edges, variable, options, record, name, self)
        back = np.flatnonzero(finite)[order]
        full = np.zeros(len(times), bool)
        full[back] = known
        if isinstance(found, Labels):
            codes = np.full(len(times), -1)
            codes[back] = found.codes
            self.values[name] = Labels(codes, found.names)
        else:
            out = np.zeros((len(times), found.shape[1]), found.dtype)
            out[back] = found
            self.values[name] = out
        self.keep(full, "rows", f"where {name} was not sampled", record)
        record.notes.append(f"{name} was aligned with the clock of x")

    def in_bins(
        self, name: str, clock: np.ndarray, values: Any, variable: Variable, options: ReadOptions,
        edges: list[np.ndarray], record: ReadingRecord,
    ) -> None:  # fmt: skip
        """Align behaviour with the bins of event times."""
        found, known = _at(clock, values, edges, variable, options, record, name, self)
        self.values[name] = found
        self.keep(known, "bins", "where behaviour was not sampled", record)

    def moving(self, recording: Recording, options: ReadOptions, speed: str, record: ReadingRecord) -> None:
        """Keep the rows where the animal moves."""
        least = options.min_speed or 0.0
        values = np.asarray(self.values[speed]).ravel()
        moving = values >= least
        if not (moving & self.known).any():
            raise DataError(
                f"{recording.path.name} has no row with a speed of {least:g} or more (the fastest has "
                f"{values.max():.3g}); choose a lower minimum."
            )
        total = int(self.known.sum())
        kept = int((moving & self.known).sum())
        record.left_out.append({"what": "rows", "rows": total - kept, "why": f"{speed} below {least:g}"})
        record.notes.append(f"{kept:,} of {total:,} rows, those with {speed} of {least:g} or more")
        self.known &= moving

    def first(self, rows: int, record: ReadingRecord) -> None:
        """Keep the first rows."""
        at = np.flatnonzero(self.known)
        kept = pick_rows(len(at), rows)
        if kept is not None:
            record.notes.extend(rows_note(len(at), kept))
            self.known[at[len(kept) :]] = False


def seconds(recording: Recording, arrays: dict[str, Any], clocks: Iterable[str | None], record: ReadingRecord) -> None:
    """Convert the clocks whose unit is stated, and is not the second, to seconds."""
    for name in dict.fromkeys(c for c in clocks if c in arrays):
        variable = recording.variable(name)
        scale = variable.in_seconds or 1.0
        if scale != 1 and np.asarray(arrays[name]).dtype.kind in "iuf":
            arrays[name] = np.asarray(arrays[name], np.float64) * scale
            record.notes.append(f"{name} was converted to seconds (times {scale:g})")


def check_clocks(recording: Recording, x: str, times: np.ndarray, name: str, clock: Any) -> None:
    """Refuse two clocks that cannot be one: they do not meet, or one is about 1,000 times (or 10^6, 10^9) as long."""
    clock = np.asarray(clock).ravel()
    if clock.dtype.kind not in "iuf":
        return  # `samples_of` says so
    times, clock = times[np.isfinite(times)], clock[np.isfinite(clock)]
    if len(times) < 2 or len(clock) < 2:
        return
    (a, b), (c, d) = (times.min(), times.max()), (clock.min(), clock.max())
    ranges = f"the times of {x} run from {a:.6g} to {b:.6g} and those of {name} from {c:.6g} to {d:.6g}"
    if b < c or d < a:
        raise DataError(f"In {recording.path.name} {ranges}: they never meet; bring both to one clock, in seconds.")
    power = np.log10(max(d - c, b - a) / max(min(d - c, b - a), 1e-12))
    near = min((3, 6, 9), key=lambda p: abs(power - p))
    half_or_double = abs(power - near) < np.log10(2)  # one may have begun later, or ended earlier
    if half_or_double and not recording.seconds:
        raise DataError(
            f"In {recording.path.name} {ranges}: one seems to be in another unit; store both in "
            "seconds, or name the unit in the name of the clock (time_ms, time_us)."
        )


def samples_of(
    path: Path, name: str, values: Any, clock: np.ndarray, columns: Mapping[str, int]
) -> tuple[np.ndarray, Any]:
    """Return times and samples of behaviour, one row per time, without values that are not finite."""
    clock = np.asarray(clock).ravel()
    if isinstance(values, Labels):
        good = np.isfinite(clock) & (values.codes >= 0) if len(clock) == len(values) else np.zeros(0, bool)
    else:
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim == 2 and len(values) != len(clock) and values.shape[1] == len(clock):
            values = values.T
        good = np.ones(len(clock), bool)
    shape = values.shape
    two = isinstance(values, Labels) or len(shape) == 2
    if not two or shape[0] != len(clock) or clock.dtype.kind not in "biuf" or len(clock) < 2:
        raise DataError(
            f"{name} of {path.name} has shape {shape} but {len(clock):,} times; choose another variable or clock."
        )
    if not isinstance(values, Labels):
        values = values[:, : columns.get(name)]
        if clock.dtype.kind == "f":
            good &= np.isfinite(clock)
        if values.dtype.kind == "f":
            good &= np.isfinite(values).all(axis=1)
    if good.sum() < 2:
        raise DataError(f"{name} of {path.name} has fewer than two finite samples; choose another variable.")
    order = np.argsort(clock[good], kind="stable")
    return clock[good][order].astype(np.float64), values[good][order]


def _unsorted(times: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    order = np.argsort(times, kind="stable")
    which = np.empty(len(times), np.int64)
    which[order] = spikes.in_intervals(times[order], start, stop)
    return which


def period_of(variable: Variable, options: ReadOptions, values: np.ndarray, record: ReadingRecord) -> float:
    """Return the full circle of an angle, or 0 if it is none: from its unit, its kind, or the user's choice."""
    ends = {variable.name, variable.name.split("/")[-1], variable.name.split(".")[-1]}
    if not (variable.period or ends & {*options.circular}):
        looks = ANGLES.search(variable.name) and values.dtype.kind in "iuf" and np.nanmax(np.abs(values)) <= 360
        if looks and len(np.unique(values)) > WHOLE_LABELS:
            record.notes.append(f"{variable.name} is read as a plain number; if it is an angle, use --circular")
        return 0.0
    if values.dtype.kind not in "iuf":
        raise DataError(f"{variable.name} is not a number, so it is not an angle; choose another for --circular.")
    period = 1.0 if variable.role == PHASE else variable.period
    if not period or not np.isfinite(period):  # known to be an angle; its values tell the unit
        period = 360.0 if np.nanmax(np.abs(values)) > 2 * np.pi + 1e-3 else 2 * np.pi
    unit = {360.0: "degrees", 1.0: "parts of a circle"}.get(period, "radians")
    record.notes.append(f"{variable.name} is an angle in {unit}: its means are circular, models see sine and cosine")
    return float(period)


def _at(
    clock: np.ndarray, values: Any, edges: list[np.ndarray], variable: Variable, options: ReadOptions,
    record: ReadingRecord, name: str, out: Along,
) -> tuple[Any, np.ndarray]:  # fmt: skip
    """Return samples at the bins of all stretches, and a mask of the bins where they are known."""
    if isinstance(values, Labels):
        parts = [spikes.at_bins(clock, values.codes[:, None], e, nearest=True) for e in edges]
        return Labels(np.concatenate([v[:, 0] for v, _ in parts]), values.names), np.concatenate([k for _, k in parts])
    period = period_of(variable, options, values, record)
    labels = values.dtype.kind in "biuUS" or (
        out.untyped and is_whole(values) and len(np.unique(values)) <= WHOLE_LABELS
    )
    labels = labels and not period
    periods = [period] * values.shape[1]
    parts = [spikes.at_bins(clock, values, e, nearest=labels, periods=periods) for e in edges]
    if period:
        out.periods[name] = tuple(periods)
    return np.concatenate([v for v, _ in parts]), np.concatenate([k for _, k in parts])
