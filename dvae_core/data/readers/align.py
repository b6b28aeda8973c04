"""Make a Dataset from a recording and a choice: rows, clocks, bins, trials and labels, with every step recorded.

x leads: its rows are the Dataset's rows, and its clock is the Dataset's clock. Everything that describes x is aligned
with those rows. If it has as many rows as x, it is used as it is. If it has one entry per trial, the entries are
repeated. Otherwise it is aligned by its own clock (means in bins, circular means for angles, nearest sample for
labels), or by the interval that contains the row.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dvae_core.data.dataset import DataError, Dataset, MissingValues, encode_labels
from dvae_core.data.readers import grids, spikes
from dvae_core.data.readers.choose import Choice, Layout, choose, clock_of, in_table, orient, resolved, with_axes
from dvae_core.data.readers.common import Ask, check_budget, licence_beside, pick_rows, rows_note
from dvae_core.data.readers.model import (
    Intervals,
    Labels,
    Part,
    Question,
    Ragged,
    ReadingRecord,
    Recording,
    Undecided,
    Variable,
)

BIN_S = 0.1  # default bin width for event times
FEW_EVENTS = 0.01  # events per bin and unit: with fewer, the times are probably not in seconds
MAX_LABELS = 500  # if u has more distinct whole numbers than this, they are read as numbers: they count something
WHOLE_LABELS = 64  # MATLAB makes every number a double: at most this many distinct whole ones are read as labels


_ANGLES = re.compile(r"(?i)angle|heading|head_?dir|azimuth|orientation|phase|theta|compass")


class _Rows(NamedTuple):
    """The rows of x before anything is aligned with them."""

    x: np.ndarray  # [n, ...]
    times: np.ndarray | None  # [n] seconds, if x has a clock
    edges: list[np.ndarray]  # of the bins around the times, in stretches without a gap
    trial: np.ndarray | None  # [n]
    trials: int
    n: int  # number of rows, or of bins, before any was left out
    at: np.ndarray  # origin of each row: its row in the file, or the time of its bin


def dataset(recording: Recording, ask: Ask) -> Dataset:
    """Return the requested Dataset, with a record of how it was read.

    Raises:
        Undecided: If the user has to decide something; its `record` holds what was found so far.
        DataError: If the data cannot be read as requested.
    """
    record = ReadingRecord(variables=with_axes(recording))
    try:
        return _dataset(recording, ask, record)
    except Undecided as error:
        record.questions.append(error.question)
        error.record = record
        raise


def _dataset(recording: Recording, ask: Ask, record: ReadingRecord) -> Dataset:
    choice = choose(recording, ask, record)
    by_name = {v.name: v for v in recording.variables}
    events = [ask.bin_s is not None or by_name[name].kind == "events" for name in choice.x]
    for name in (*choice.u, *choice.z):
        if by_name[name].kind == "events":
            raise DataError(f"{name} of {recording.path.name} is event times, which can be x only; choose another.")
    if any(events):
        if not all(events):
            raise DataError(f"x of {recording.path.name} mixes event times with other variables; choose one kind.")
        return _binned(recording, ask, choice, record)
    return _rows(recording, ask, choice, record)


def _speed(recording: Recording, ask: Ask) -> tuple[str, ...]:
    if ask.min_speed is None:
        return ()
    if not recording.speed:
        raise DataError(
            f"{recording.path.name} has no speed to choose running periods by; leave the minimum speed out."
        )
    return (recording.speed,)


# --- rows as they are -------------------------------------------------------------------------------------------------


def _rows(recording: Recording, ask: Ask, choice: Choice, record: ReadingRecord) -> Dataset:
    path, by_name = recording.path, {v.name: v for v in recording.variables}
    speed = _speed(recording, ask)
    behaviour = tuple(dict.fromkeys((*choice.u, *choice.z, *speed)))
    lead = by_name[choice.x[0]]
    x_clock = _clock_of_x(recording, lead.name, ask)
    evidence = _evidence(recording, by_name, behaviour, lead, x_clock)
    layout = orient(recording, lead, ask, evidence)
    if layout.turned:
        record.notes.append(f"{lead.name} turned so that rows are examples")
    n = lead.shape[layout.rows] * (lead.shape[layout.axes.index("time")] if layout.is_trials else 1)
    if recording.layout == "table":
        _check_table(recording, ask, choice, n, record)
    pictures = "height" in layout.axes
    plain = not layout.is_trials and recording.layout != "table"
    direct = [b for b in behaviour if _fits(recording, by_name[b], n) and not _other_clock(recording, b, x_clock, ask)]
    whole = layout.is_trials or len(direct) < len(behaviour) or (x_clock is not None and recording.seconds)
    kept = None if whole else pick_rows(n, ask.rows, at_random=pictures)
    clocks = {b: _clock_for(recording, b, ask, lead, n) for b in behaviour if b not in direct and not layout.is_trials}
    tables = {b: table for b in behaviour if (table := _table_of(recording, b)) and b not in direct}
    wanted: dict[str, Part] = {}
    for name in choice.x:
        axis = layout.rows if name == lead.name else _axis_of(recording, by_name[name], n)
        wanted[name] = Part(axis, kept if by_name[name].shape[axis] == n else None)
    for name in direct:
        axis = _axis_of(recording, by_name[name], n)
        wanted[name] = Part(axis, kept)
    for name in behaviour:
        wanted.setdefault(name, Part())
    for name in (*clocks.values(), *(side for t in tables.values() for side in (t.start, t.stop))):
        if name:
            wanted.setdefault(name, Part())
    if x_clock:
        axis = int(by_name[x_clock].shape[:1] == (1,) and len(by_name[x_clock].shape) == 2)
        wanted.setdefault(x_clock, Part(axis, kept))
    _check_size(path, by_name, wanted, ask)
    arrays = recording.load(wanted)
    if isinstance(arrays[lead.name], Ragged):
        x, trial, trials = _joined(arrays[lead.name])
    else:
        x, trial, trials = _as_rows(recording, ask, choice, arrays, layout, lead)
    loaded = len(x) if not layout.is_trials else trials
    record.notes += rows_note(n, kept, at_random=pictures) if plain or kept is not None else []
    index = np.arange(len(x)) if kept is None or len(kept) != len(x) else kept
    if pictures and loaded != (n if kept is None else len(kept)):
        index = np.arange(len(x))
    times = None
    if x_clock and (x_clock in arrays) and trial is None:
        clock = np.asarray(arrays[x_clock]).ravel()
        times = clock.astype(np.float64) if clock.dtype.kind in "iuf" and len(clock) == len(x) else None
    rate = ask.rate_hz or _rate(recording, lead, times, ask, record, x_clock)
    rows = _Rows(x, times, [], trial, trials, len(x), index)
    out = _Brought(rows, untyped=recording.untyped)
    if times is not None and (recording.gaps is not None or not np.isfinite(times).all()):
        out.keep(np.isfinite(times), "rows", "where their time is missing", record)
    if times is not None and recording.gaps is not None and (stretches := recording.gaps()):
        inside = spikes.in_intervals(np.nan_to_num(times, nan=-np.inf), *stretches[0].T) >= 0
        out.keep(inside, "rows", f"outside {stretches[1]}", record)
    for name in behaviour:
        if name in direct:
            out.values[name] = _standing(arrays[name], len(x), choice.columns.get(name))
        elif (
            trial is not None
            and (values := _per_trial(arrays[name], trial, trials, choice.columns.get(name))) is not None
        ):
            out.values[name] = values
            record.notes.append(f"{name} repeated for the bins of each trial")
        elif name in tables and times is not None:
            out.by_interval(name, arrays, tables[name], times, record)
        elif times is not None and (clock_name := clocks.get(name)):
            out.by_clock(path, name, arrays[name], arrays[clock_name], by_name[name], times, ask, choice, record)
        else:
            raise _other_rows(recording, lead, by_name[name], len(x), trials, bool(x_clock))
    if speed:
        out.moving(recording, ask, speed[0], record)
    if ask.rows is not None and kept is None:
        out.first(ask.rows, record)
    return _finish(recording, ask, choice, out, record, layout=layout, rate=rate)


def _check_table(recording: Recording, ask: Ask, choice: Choice, n: int, record: ReadingRecord) -> None:
    """Ask which axis is rows if a table is wider than long and nothing in it describes its rows."""
    described = choice.u or choice.z or ask.x or ask.x_shape or any(v.role for v in recording.variables)
    width = sum(v.shape[1] if len(v.shape) > 1 else 1 for v in map(recording.variable, choice.x))
    if ask.rows_are == "auto" and width > n and not described:
        why = f"the table is {n:,} x {width:,}, and nothing says whether rows or columns are the examples"
        question = Question("rows", ("rows", "columns"), "--rows-are rows or --rows-are columns", why)
        raise Undecided(recording.path, question)
    if ask.rows_are == "columns" and (choice.u or choice.z):
        raise DataError(
            f"u of {recording.path.name} has an entry for each of its rows, so its columns cannot be the examples; "
            "leave u out, or --rows-are columns."
        )


def _clock_of_x(recording: Recording, name: str, ask: Ask) -> str | None:
    """Return the variable with the times of x's rows; `ask.time` names that of u, and that of x if it is as long."""
    found = clock_of(recording, name)
    if ask.time:
        asked = resolved(recording, ask.time)
        if found is None and not in_table(recording, asked):
            length = prod(recording.variable(asked).shape)
            found = asked if length in recording.variable(name).shape else None
    if found and not any(v.name == found and v.readable for v in recording.variables):
        return None
    return found


def _evidence(
    recording: Recording, by_name: Mapping[str, Variable], behaviour: Sequence[str], lead: Variable, clock: str | None
) -> list[tuple[str, int]]:
    """Return the names and lengths of the variables that describe the rows of x."""
    found = []
    for name in (*behaviour, *([clock] if clock else [])):
        if name == clock and found:  # the chosen variable is better evidence than one that is called t
            break
        shape = by_name[name].shape
        if name in behaviour and (in_table(recording, name) or _other_clock(recording, name, clock, None)):
            continue
        sides = [max(shape)] if prod(shape) == max(shape, default=0) else [s for s in shape[:2] if s in lead.shape]
        found += [(name, sides[0])] if len(sides) == 1 or (sides and sides[0] == shape[0]) else []
    return found


def _fits(recording: Recording, variable: Variable, n: int) -> bool:
    """Whether a variable has an entry for each of n rows."""
    if in_table(recording, variable.name):
        return False
    shape = variable.shape
    return shape[0] == n or (len(shape) == 2 and shape[1] == n and (recording.layout != "table"))


def _axis_of(recording: Recording, variable: Variable, n: int) -> int:
    if variable.name in recording.axes:
        return recording.axes[variable.name]
    shape = variable.shape
    return 1 if len(shape) == 2 and shape[0] != n and (shape[1] == n or shape[0] == 1) else 0


def _other_clock(recording: Recording, name: str, x_clock: str | None, ask: Ask | None) -> bool:
    """Whether a variable has its own clock, different from that of x."""
    own = clock_of(recording, name)
    return bool(own and x_clock and own != x_clock and recording.layout != "table")


def _clock_for(recording: Recording, name: str, ask: Ask, lead: Variable, n: int) -> str | None:
    return None if in_table(recording, name) else clock_of(recording, name, ask)


def _table_of(recording: Recording, name: str) -> Intervals | None:
    return next((t for t in recording.intervals if not t.own_rows and name in (*t.columns, t.start, t.stop)), None)


def _check_size(path: Path, by_name: Mapping[str, Variable], wanted: Mapping[str, Part], ask: Ask) -> None:
    size = 0
    for name, part in wanted.items():
        shape = by_name[name].shape
        length = shape[part.axis] if shape else 1
        row = _item_bytes(by_name[name]) * prod(shape) // max(1, length)
        size += row * (length if part.kept is None else len(part.kept))
    check_budget(path, size, ask.budget_bytes)


def _item_bytes(variable: Variable) -> int:
    try:
        return np.dtype(variable.dtype).itemsize or 8
    except TypeError:  # "logical" and other type names of MATLAB
        return 8


def _as_rows(
    recording: Recording, ask: Ask, choice: Choice, arrays: dict[str, Any], layout: Layout, lead: Variable
) -> tuple[np.ndarray, np.ndarray | None, int]:
    """Return x with rows first; for bins of trials also the trial of each row and the number of trials."""
    if len(lead.shape) > 2:
        values = arrays[lead.name]
        if "height" in layout.axes:
            order = [layout.axes.index(a) for a in ("row", "height", "width", "channel") if a in layout.axes]
            values = np.transpose(values, order)
            values = values[..., 0] if values.ndim == 4 and values.shape[-1] == 1 else values
            if not layout.sure and not _are_pictures(values):
                sides = " x ".join(f"{side:,}" for side in lead.shape)
                asked = tuple(map(",".join, (("row", "height", "width"), ("trial", "time", "unit"))))
                raise Undecided(
                    recording.path,
                    Question("axes", asked, "--axes NAME,NAME,NAME", f"{lead.name} is {sides} and could be pictures, "
                             "but its values are not those of pictures"),
                )  # fmt: skip
            return values, None, 0
        order = [layout.axes.index(a) for a in ("trial", "time", "unit")]
        values = np.transpose(values, order)
        k, t, d = values.shape
        return values.reshape(k * t, d), np.repeat(np.arange(k), t), k
    if layout.is_trials:  # trial, time: one unit
        values = arrays[lead.name] if layout.axes[0] == "trial" else arrays[lead.name].T
        return values.reshape(-1, 1), np.repeat(np.arange(len(values)), values.shape[1]), len(values)
    parts = []
    for name in choice.x:
        part = arrays[name]
        if isinstance(part, Labels):
            raise DataError(f"{name} of {recording.path.name} is texts, which can be u only; choose other variables.")
        axis = layout.rows if name == lead.name else _axis_of(recording, recording.variable(name), len(parts[0]))
        part = part.T if part.ndim == 2 and axis == 1 else part
        part = part[:, None] if part.ndim == 1 else part
        if part.ndim != 2:
            raise DataError(f"{name} of {recording.path.name} has shape {part.shape}; give rows (examples) by columns.")
        parts.append(part[:, : choice.columns.get(name)])
    if recording.layout == "table" and ask.rows_are == "columns":
        return np.hstack(parts).T, None, 0
    if len({len(part) for part in parts}) > 1:
        counts = ", ".join(f"{name} {len(part):,}" for name, part in zip(choice.x, parts, strict=True))
        raise DataError(
            f"Variables side by side need equal row counts, but {recording.path.name} has {counts}; choose others."
        )
    return parts[0] if len(parts) == 1 else np.hstack(parts), None, 0


def _are_pictures(values: np.ndarray) -> bool:
    """Whether values look like grey levels: bytes that use their range, or numbers from 0 to 1."""
    if values.dtype.kind == "b":
        return True
    low, high = values.min(initial=0), values.max(initial=0)
    if values.dtype == np.uint8:
        return bool(high > 100 or high == 1)
    return bool(low >= 0 and 0.2 < high <= 1)


def _joined(ragged: Ragged) -> tuple[np.ndarray, np.ndarray, int]:
    lengths = [len(piece) for piece in ragged.pieces]
    return np.concatenate(ragged.pieces), np.repeat(np.arange(len(lengths)), lengths), len(lengths)


def _standing(values: Any, n: int, columns: int | None) -> Any:
    """Return a variable that describes n rows, with its rows first."""
    if isinstance(values, Labels):
        return values
    values = np.asarray(values)
    if values.ndim == 2 and values.shape[0] != n and values.shape[1] == n:
        values = values.T
    values = values[:, None] if values.ndim == 1 else values
    return values[:, :columns] if columns else values


def _per_trial(values: Any, trial: np.ndarray, trials: int, columns: int | None) -> Any | None:
    """Return a variable with one entry per trial, repeated for the trial's rows; None if it has another length."""
    if isinstance(values, Labels):
        return values[trial] if len(values) == trials else None
    values = np.asarray(values)
    if trials not in values.shape[:2] or values.ndim > 2:
        return None
    return _standing(values, trials, columns)[trial]


def _other_rows(recording: Recording, lead: Variable, other: Variable, n: int, trials: int, clocked: bool) -> DataError:
    rows = f"{n:,} rows" + (f" in {trials:,} trials" if trials else "")
    if in_table(recording, other.name):
        table = _table_of(recording, other.name)
        how = f"it is a column of the intervals {table.name}, and x has no clock (--time NAME)"  # type: ignore[union-attr]
    elif clocked:
        how = "name the variable with its times (--time NAME)"
    else:
        how = "check that both come from one recording and that rows are examples"
    shape = " x ".join(f"{side:,}" for side in other.shape)
    return DataError(
        f"x and {other.name} must describe the same rows, but {lead.name} of {recording.path.name} has {rows} and "
        f"{other.name} has {shape}; {how}."
    )


def _rate(
    recording: Recording, lead: Variable, times: np.ndarray | None, ask: Ask, record: ReadingRecord, clock: str | None
) -> float | None:
    """Return the rate of x: stated, or from even times in seconds. Even times in another unit only add a note."""
    if lead.rate_hz or recording.rate_hz:
        return lead.rate_hz or recording.rate_hz
    if times is None or len(times) < 3:
        return None
    steps = np.diff(times[np.isfinite(times)])
    step = float(np.median(steps)) if len(steps) else 0.0
    if not (step > 0 and np.ptp(steps) < 0.01 * step):
        return None
    if recording.seconds or ask.time:
        return float(f"{1 / step:.6g}")
    record.notes.append(f"{clock} goes up by {step:.4g}: a rate of {1 / step:.6g} Hz, if that is seconds (--rate)")
    return None


# --- event times ------------------------------------------------------------------------------------------------------


def _binned(recording: Recording, ask: Ask, choice: Choice, record: ReadingRecord) -> Dataset:
    path, width = recording.path, ask.bin_s if ask.bin_s is not None else BIN_S
    by_name = {v.name: v for v in recording.variables}
    if not width > 0:
        raise DataError(f"A bin must be wider than 0 s; got {width:g}.")
    speed = _speed(recording, ask)
    behaviour = tuple(dict.fromkeys((*choice.u, *choice.z, *speed)))
    tables = {b: table for b in behaviour if (table := _table_of(recording, b))}
    clocks: dict[str, str] = {}
    for name in behaviour:
        if name in tables:
            continue
        clock = clock_of(recording, name, ask)
        if clock is None:
            raise DataError(f"{name} of {path.name} has no times to bin it by; name them (time=NAME, --time NAME).")
        clocks[name] = clock
    sides = [side for table in tables.values() for side in (table.start, table.stop)]
    wanted = {name: Part(events=name in choice.x) for name in (*choice.x, *behaviour, *clocks.values(), *sides)}
    size = sum(8 * prod(by_name[name].shape) for name in wanted)
    check_budget(path, size, ask.budget_bytes)
    arrays = recording.load(wanted)
    times, names, silent = _units(recording, arrays, choice.x)
    every = np.concatenate(times) if times else np.zeros(0)
    if not len(every):
        raise DataError(f"{', '.join(choice.x)} of {path.name} holds no event times; choose other variables.")
    if silent:
        record.notes.append(f"{silent:,} units without events left out")
    samples = {
        name: _samples(path, name, arrays[name], arrays[clock], choice.columns) for name, clock in clocks.items()
    }
    # behaviour says when the recording was on; without any, the events do
    start = max((clock[0] for clock, _ in samples.values()), default=np.floor(every.min() / width) * width)
    stop = min((clock[-1] for clock, _ in samples.values()), default=(np.floor(every.max() / width) + 1) * width)
    stretches, what = [(float(start), float(stop))], ""
    if recording.gaps is not None and (found := recording.gaps()):
        table, what = found
        bounds = [(start, stop)] if samples else [(-np.inf, np.inf)]
        stretches = [
            tuple(map(float, s)) for s in spikes.common([table, np.array(bounds)]) if s[1] - s[0] > width - 1e-9
        ]
        if not stretches:
            raise DataError(f"{path.name} has no bin of {width:g} s inside {what}; choose another width.")
    bins = sum(b - a for a, b in stretches) / width
    if np.isfinite(bins) and bins <= spikes.MAX_BINS:  # otherwise refused below with its own message
        check_budget(path, int(size + bins * (10 * len(times) + 64 * (1 + len(behaviour)))), ask.budget_bytes)
    try:
        edges = [spikes.bin_edges(a, b, width) for a, b in stretches]
    except ValueError as error:
        raise DataError(f"{path.name} cannot be binned: {str(error)[0].lower()}{str(error)[1:]}") from error
    counted = [spikes.bin_spikes(times, e) for e in edges]
    counts = np.concatenate(counted)
    lost = len(every) - int(counts.sum(dtype=np.int64))
    unit = "counts"
    x: np.ndarray = counts
    if ask.smooth_s is not None:
        try:
            x = np.concatenate([spikes.smooth_rates(c, width, ask.smooth_s) for c in counted]).astype(np.float32)
        except ValueError as error:
            raise DataError(str(error)) from error
        unit = f"rates in events/s, smoothed with a Gaussian of {ask.smooth_s:g} s"
    centres = np.concatenate([(e[1:] + e[:-1]) / 2 for e in edges])
    meta = {"bins": f"{width:g} s, {unit}, {edges[0][0]:,.6g} to {edges[-1][-1]:,.6g} s"}
    record.notes += [f"{lost:,} events outside that time"] if lost else []
    if what:
        before = (np.floor(every.max() / width) + 1) - np.floor(every.min() / width)
        record.leave_out("bins", max(0, int(before) - len(counts)), int(before), f"outside {what}")
    if len(every) / max(1, counts.size) < FEW_EVENTS:
        record.notes.append(
            f"a bin of {width:g} s holds {len(every) / max(1, counts.size):.2g} events: if times are not in seconds "
            "(milliseconds, samples), convert them or choose wider bins"
        )
    out = _Brought(_Rows(x, centres, edges, None, 0, len(x), centres), untyped=recording.untyped)
    for name in behaviour:
        if name in tables:
            out.by_interval(name, arrays, tables[name], centres, record)
        else:
            clock, values = samples[name]
            out.in_bins(path, name, clock, values, by_name[name], ask, choice, recording, edges, record)
    if not out.known.all():
        meta["bins"] += f", {out.known.sum():,} of {len(out.known):,} kept"
    if speed:
        out.moving(recording, ask, speed[0], record)
    if ask.rows is not None:
        out.first(ask.rows, record)
    return _finish(recording, ask, choice, out, record, rate=1 / width, x_names=names, meta=meta)


def _units(
    recording: Recording, arrays: dict[str, Any], x: tuple[str, ...]
) -> tuple[list[np.ndarray], tuple[str, ...], int]:
    """Return the times of every unit that has events, its name by its place in the file, and how many have none."""
    times, names, silent = [], [], 0
    for name in x:
        units = arrays[name] if isinstance(arrays[name], list) else [arrays[name]]
        given = recording.columns.get(name, ())
        for i, unit in enumerate(units):
            unit = np.asarray(unit, np.float64).ravel()
            if not len(unit):
                silent += 1
                continue
            times.append(unit)
            plain = name if len(units) == 1 else f"unit{i + 1}"
            names.append(given[i] if len(given) == len(units) else plain)
    return times, tuple(names), silent


def _samples(
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


# --- what describes the rows ------------------------------------------------------------------------------------------


class _Brought:
    """x and the variables aligned with its rows, restricted to rows where all of them are known."""

    def __init__(self, rows: _Rows, *, untyped: bool) -> None:
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
        if not inside.any():
            raise DataError(f"No row of x lies inside an interval of {table.name}; check that clocks are the same.")
        what = "rows" if not self.rows.edges else "bins"
        self.keep(inside, what, f"outside every interval of {table.name}", record)
        values = arrays[name]
        values = values if isinstance(values, Labels) else _standing(values, len(start), None)
        self.values[name] = values[which.clip(0)]
        if not isinstance(values, Labels) and values.dtype.kind == "f":
            there = np.isfinite(self.values[name]).all(axis=1)
            self.keep(there | ~inside, what, f"where {name} is missing", record)
        self.trial = which if self.trial is None else self.trial

    def by_clock(
        self, path: Path, name: str, values: Any, clock: Any, variable: Variable, times: np.ndarray, ask: Ask,
        choice: Choice, record: ReadingRecord,
    ) -> None:  # fmt: skip
        """Align behaviour that has its own clock with the times of x."""
        own, samples = _samples(path, name, values, clock, choice.columns)
        finite = np.isfinite(times)
        order = np.argsort(times[finite], kind="stable")
        steps = times[finite][order]
        step = float(np.median(np.diff(steps))) if len(steps) > 1 else 1.0
        breaks = np.flatnonzero(np.diff(steps) > 5 * step) + 1
        edges = []
        for part in np.split(steps, breaks):
            middle = (part[1:] + part[:-1]) / 2
            edges.append(np.r_[part[0] - step / 2, middle, part[-1] + step / 2])
        found, known = _at(own, samples, edges, variable, ask, record, name, self)
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
        record.notes.append(f"{name} brought to the clock of x")

    def in_bins(
        self, path: Path, name: str, clock: np.ndarray, values: Any, variable: Variable, ask: Ask, choice: Choice,
        recording: Recording, edges: list[np.ndarray], record: ReadingRecord,
    ) -> None:  # fmt: skip
        """Align behaviour with the bins of event times."""
        found, known = _at(clock, values, edges, variable, ask, record, name, self)
        self.values[name] = found
        self.keep(known, "bins", "where behaviour was not sampled", record)

    def moving(self, recording: Recording, ask: Ask, speed: str, record: ReadingRecord) -> None:
        """Keep the rows where the animal moves."""
        least = ask.min_speed or 0.0
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


def _unsorted(times: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    order = np.argsort(times, kind="stable")
    which = np.empty(len(times), np.int64)
    which[order] = spikes.in_intervals(times[order], start, stop)
    return which


def _period(variable: Variable, ask: Ask, values: np.ndarray, record: ReadingRecord) -> float:
    """Return the full circle of an angle, or 0 if it is none: from its unit, its kind, or the user's choice."""
    ends = {variable.name, variable.name.split("/")[-1], variable.name.split(".")[-1]}
    if not (variable.period or ends & {*ask.circular}):
        looks = _ANGLES.search(variable.name) and values.dtype.kind == "f" and np.nanmax(np.abs(values)) <= 360
        if looks and len(np.unique(values)) > WHOLE_LABELS:
            record.notes.append(f"{variable.name} is read as a plain number; if it is an angle, say --circular")
        return 0.0
    if values.dtype.kind not in "iuf":
        raise DataError(f"{variable.name} is no number, so it is no angle; choose another for --circular.")
    period = variable.period
    if not period or not np.isfinite(period):  # known to be an angle; its values tell the unit
        period = 360.0 if np.nanmax(np.abs(values)) > 2 * np.pi + 1e-3 else 2 * np.pi
    unit = "degrees" if period == 360 else "radians"
    record.notes.append(f"{variable.name} is an angle in {unit}: its means are circular, models see sine and cosine")
    return float(period)


def _at(
    clock: np.ndarray, values: Any, edges: list[np.ndarray], variable: Variable, ask: Ask, record: ReadingRecord,
    name: str, out: _Brought,
) -> tuple[Any, np.ndarray]:  # fmt: skip
    """Return samples at the bins of all stretches, and a mask of the bins where they are known."""
    if isinstance(values, Labels):
        parts = [spikes.at_bins(clock, values.codes[:, None], e, nearest=True) for e in edges]
        return Labels(np.concatenate([v[:, 0] for v, _ in parts]), values.names), np.concatenate([k for _, k in parts])
    period = _period(variable, ask, values, record)
    labels = values.dtype.kind in "biuUS" or (
        out.untyped and _is_whole(values) and len(np.unique(values)) <= WHOLE_LABELS
    )
    labels = labels and not period
    periods = [period] * values.shape[1]
    parts = [spikes.at_bins(clock, values, e, nearest=labels, periods=periods) for e in edges]
    if period:
        out.periods[name] = tuple(periods)
    return np.concatenate([v for v, _ in parts]), np.concatenate([k for _, k in parts])


# --- the Dataset ------------------------------------------------------------------------------------------------------


def _finish(
    recording: Recording, ask: Ask, choice: Choice, out: _Brought, record: ReadingRecord, *, rate: float | None,
    layout: Layout | None = None, x_names: tuple[str, ...] = (), meta: Mapping[str, str] | None = None,
) -> Dataset:  # fmt: skip
    """Build the Dataset from the aligned parts: flatten pictures, encode labels, complete the record."""
    path, known = recording.path, out.known
    everything = bool(known.all())
    x = out.rows.x if everything else out.rows.x[known]
    more: dict[str, Any] = recording.known(choice.x, choice.u, choice.z) if recording.known else {}
    shape = ask.x_shape or more.pop("x_shape", None)
    if x.ndim > 2:
        shape, x = x.shape[1:], x.reshape(len(x), -1)
    elif recording.layout == "F" and _is_whole(x):
        x = x.astype(np.int64)
    if recording.layout == "table" and shape is None and not ask.no_picture:
        _ask_for_pixels(recording, x)
    scale = more.pop("x_scale", None) or (recording.scale() if recording.scale else None)
    if scale is None:
        scale = 1 / 255 if shape and x.dtype.kind in "iu" and x.max() > 1 else 1.0
    names = x_names or more.pop("x_names", ()) or _titles(recording, choice.x, choice.columns, x.shape[1], shape)
    given: dict[str, Any] = {"x_names": names, "x_shape": shape, "x_scale": scale}
    if choice.u:
        given |= _auxiliary(recording, ask, choice, out, record, more.pop("u_labels", ()))
    if choice.z:
        given |= _factors(recording, choice, out, record)
    given |= {k: v for k, v in more.items() if k not in ("x_names", "licence") and not (k == "rate_hz" and rate)}
    index = out.rows.at if everything else out.rows.at[known]
    if index.dtype.kind == "f" or not np.array_equal(index, np.arange(len(index))):
        given["index"] = index
    for role in ("trial", "session"):
        numbering = [v.name for v in recording.variables if v.role == role and v.readable]
        if recording.layout == "table" and len(numbering) == 1 and numbering[0] not in (*choice.x, *choice.u):
            column = recording.load({numbering[0]: Part(kept=out.rows.at if out.rows.at.dtype.kind != "f" else None)})
            values = column[numbering[0]]
            values = values.codes if isinstance(values, Labels) else values
            if len(values) == len(known):
                given[role] = np.unique(values[known], return_inverse=True)[1]
    if out.trial is not None:
        given["trial"] = np.unique(out.trial[known], return_inverse=True)[1]
    licence = more.get("licence") or recording.licence
    licences = ({"licence": licence} if licence else {}) | licence_beside(path)
    meta = {"source": path.name, **licences, **recording.meta, **(meta or {}), **given.pop("meta", {})}
    meta |= {"notes": "; ".join(dict.fromkeys(record.notes))} if record.notes else {}
    given.setdefault("rate_hz", ask.rate_hz or rate)
    reading = _reading(record, choice, given, x, rate)
    try:
        return Dataset(name=given.pop("name", path.stem), x=x, meta=meta, **given, reading=reading)
    except MissingValues as error:
        error.args = (_gaps(path, error.given),)
        raise


def _gaps(path: Path, given: Mapping[str, Any]) -> str:
    """Report which column has gaps and where the first one is, in the file's own terms."""
    index = given["index"]
    for key in ("x", "u", "z"):
        values = given[key]
        if values is None:
            continue
        values = np.asarray(values)
        if key == "u" and given["u_labels"]:
            bad = values[:, None] < 0
        elif values.dtype.kind == "f":
            with np.errstate(over="ignore"):
                bad = ~np.isfinite(_two(values).astype(np.float32))
        else:
            continue
        if not bad.any():
            continue
        j = int(bad.any(axis=0).argmax())
        names = given[f"{key}_names"]
        name = names[j] if j < len(names) else f"{key}{j + 1}"
        row = int(bad[:, j].argmax())
        at = f"row {row + 1 if index is None or index.dtype.kind == 'f' else index[row] + 1:,}"
        what = (
            "missing"
            if (key == "u" and given["u_labels"]) or np.isnan(_two(values)[:, j]).any()
            else "infinite or too large"
        )
        more = int(bad.any(axis=0).sum()) - 1
        others = f" ({more:,} other columns of {key} have some too)" if more else ""
        return (
            f"Column {name} of {path.name} has {bad[:, j].sum():,} {what} values in {len(bad):,} rows, the first in "
            f"{at}{others}; fill them or remove those rows."
        )
    return f"{path.name} has missing values; fill them or remove those rows."


def _ask_for_pixels(recording: Recording, x: np.ndarray) -> None:
    """Ask whether columns are pixels of square pictures, if they are bytes and their number fits such pictures."""
    side = round(x.shape[1] ** 0.5)
    if side < 8 or side * side != x.shape[1] or x.dtype.kind not in "iu" or x.min() < 0 or not 128 <= x.max() <= 255:
        return
    why = f"its {x.shape[1]:,} columns of x hold 0 to {x.max()} and may be the pixels of pictures"
    raise Undecided(
        recording.path,
        Question("picture", (f"{side}x{side}", "none"), f"--picture {side}x{side} or --picture none", why),
    )


def _reading(
    record: ReadingRecord, choice: Choice, given: Mapping[str, Any], x: np.ndarray, rate: float | None
) -> dict[str, Any]:
    """Complete the record with the final form of x, u and z, and return it as plain values."""
    names = list(given["x_names"])
    record.x = {"name": ", ".join(choice.x[:20]), "shape": list(x.shape), "names": names[:1000]}
    record.x |= {"picture": list(given["x_shape"])} if given.get("x_shape") else {}
    for key, chosen in (("u", choice.u), ("z", choice.z)):
        if chosen:
            values = given[key]
            what = {
                "name": ", ".join(chosen[:20]),
                "shape": list(np.shape(values)),
                "names": list(given[f"{key}_names"]),
            }
            labels = given.get("u_labels") if key == "u" else None
            what |= {"labels": list(labels)} if labels else {}
            setattr(record, key, what)
    record.rows, record.rate = len(x), given.get("rate_hz", rate)
    record.notes = list(dict.fromkeys(record.notes))
    return record.as_dict()


def _two(values: np.ndarray) -> np.ndarray:
    return values[:, None] if values.ndim == 1 else values


def _titles(
    recording: Recording, names: tuple[str, ...], columns: Mapping[str, int], width: int, shape: Any
) -> tuple[str, ...]:
    """Return a name for every column of the joined variables; no names for pixels."""
    if shape is not None:
        return ()
    if len(names) == width:
        return names
    titles: list[str] = []
    for name in names:
        v = recording.variable(name)
        given = recording.columns.get(name, ())
        left = width - len(titles) - sum(1 for n in names[names.index(name) + 1 :])
        sides = [s for s in (columns.get(name), *v.shape[::-1], left) if s]
        count = left if len(names) == 1 else min(next((s for s in sides if s <= left), left), left)
        short = name
        titles += (
            list(given) if len(given) == count else [short] if count == 1 else [f"{short}{i + 1}" for i in range(count)]
        )
    return tuple(titles) if len(titles) == width else tuple(f"x{i + 1}" for i in range(width))


def _auxiliary(
    recording: Recording, ask: Ask, choice: Choice, out: _Brought, record: ReadingRecord, known_labels: tuple[str, ...]
) -> dict[str, Any]:
    """Return u as codes and labels, or as numbers; one-hot columns, or one of whole numbers or text, are labels."""
    path, names = recording.path, choice.u
    parts = {n: (v if out.known.all() else v[out.known]) for n, v in out.values.items() if n in names}
    if len(names) == 1:
        name = names[0]
        values = parts[name]
        if isinstance(values, Labels):
            return {"u_names": (name,), **_few(path, name, values)}
        titles = _columns_of(recording, name, values.shape[1], choice.columns)
        period = out.periods.get(name) or (_period(recording.variable(name), ask, values, record),) * values.shape[1]
        if any(period):
            return {"u": values, "u_names": titles, "u_period": period}
        found, labels, notes = auxiliary(path, name, values, known_labels, untyped=recording.untyped)
        record.notes += notes
        return {"u": found, "u_labels": labels, "u_names": titles if np.ndim(found) == 2 else (name,)}
    columns, titles, periods = [], [], []
    for name in names:
        values = parts[name]
        if isinstance(values, Labels):
            if (values.codes < 0).any() or len(values.names) > WHOLE_LABELS:
                raise DataError(
                    f"{name} of {path.name} is texts with gaps or too many labels beside other columns of u; choose it "
                    "alone."
                )
            columns.append(np.eye(len(values.names), dtype=np.float32)[values.codes])
            titles += [f"{name}={label}" for label in values.names]
            periods += [0.0] * len(values.names)
            record.notes.append(f"{name} is labels beside other columns of u: one column of 0 and 1 a label")
            continue
        columns.append(values)
        titles += _columns_of(recording, name, values.shape[1], choice.columns)
        period = out.periods.get(name) or (_period(recording.variable(name), ask, values, record),) * values.shape[1]
        periods += period
        record.notes += _category_note(name, values)
    stacked = np.hstack(columns)
    if _is_one_hot(stacked) and stacked.shape[1] > 1 and not any(periods):
        return {"u": stacked.argmax(axis=1), "u_labels": tuple(titles), "u_names": (", ".join(names[:6]),)}
    given: dict[str, Any] = {"u": stacked, "u_names": tuple(titles)}
    return given | ({"u_period": tuple(periods)} if any(periods) else {})


def _columns_of(recording: Recording, name: str, count: int, columns: Mapping[str, int]) -> tuple[str, ...]:
    given = recording.columns.get(name, ())
    if len(given) == count and name not in columns:
        return given
    return (name,) if count == 1 else tuple(f"{name}{i + 1}" for i in range(count))


def _category_note(name: str, values: np.ndarray) -> list[str]:
    if values.dtype.kind in "biu" or _is_whole(values):
        few = [j for j in range(values.shape[1]) if 2 < len(np.unique(values[:, j])) <= 20]
        if few:
            return [
                f"{name} is whole numbers beside other columns of u and is read as a number; choose it alone for labels"
            ]
    return []


def _few(path: Path, name: str, labels: Labels) -> dict[str, Any]:
    used = np.unique(labels.codes[labels.codes >= 0])
    if len(used) > MAX_LABELS:
        raise DataError(
            f"Column {name} of {path.name} has {len(used):,} different texts where at most {MAX_LABELS} can be labels; "
            "choose another column for u."
        )
    if not len(used):
        raise DataError(f"Column {name} of {path.name} is empty; choose another for u.")
    codes = np.where(labels.codes < 0, -1, np.searchsorted(used, labels.codes.clip(used[0])))
    return {"u": codes, "u_labels": tuple(labels.names[i] for i in used)}


def auxiliary(
    path: Path, name: str, values: np.ndarray, labels: tuple[str, ...] = (), *, untyped: bool
) -> tuple[np.ndarray, tuple[str, ...], list[str]]:
    """Return u as codes and labels, or as numbers without labels, with a note if that may surprise.

    One column of whole numbers or text, and one-hot columns, are labels; everything else is numbers. Floats that are
    all whole are read as labels if the format cannot write labels in another way: if some are missing (code -1), or
    always for `untyped` formats (MATLAB, text).
    """
    if values.shape[1] >= 2 and _is_one_hot(values):
        values = values.argmax(axis=1)[:, None] + 1
    if values.shape[1] > 1:
        whole = [j for j in range(values.shape[1]) if values.dtype.kind != "f" or _is_whole(values[:, j])]
        few = [j + 1 for j in whole if len(np.unique(values[:, j])) <= 20]
        notes = [f"column {few[0]} of {name} holds whole numbers and is read as a number, not as labels"] if few else []
        return values, (), notes
    column = values[:, 0]
    if column.dtype.kind == "f":
        finite = np.isfinite(column)
        whole = column[finite]
        few = len(whole) and (untyped or not finite.all()) and _is_whole(whole)
        if not few or len(np.unique(whole)) > WHOLE_LABELS:
            return values, (), []
        codes = np.full(len(column), -1, np.int64)
        codes[finite], labels = encode_labels(whole.astype(np.int64))
        return codes, labels, [f"{name} holds whole numbers and is read as {len(labels)} labels"]
    if labels:
        return column, labels, []  # already codes, as `data.save` writes them
    codes, labels = encode_labels(column)
    if len(labels) <= MAX_LABELS:
        return codes, labels, []
    if column.dtype.kind in "US":
        raise DataError(
            f"u of {path.name} has {len(labels):,} different texts where at most {MAX_LABELS} can be labels; choose "
            "another column for u."
        )
    return values, (), [f"u has {len(labels):,} different whole numbers and is read as a number"]


def _factors(recording: Recording, choice: Choice, out: _Brought, record: ReadingRecord) -> dict[str, Any]:
    """Return the true factors side by side; for known sets, factors that never change are left out."""
    parts, titles = [], []
    for name in choice.z:
        values = out.values[name]
        if isinstance(values, Labels):
            raise DataError(f"{name} of {recording.path.name} is texts; true factors are numbers, so choose others.")
        values = values if out.known.all() else values[out.known]
        names = _columns_of(recording, name, values.shape[1], choice.columns)
        if name in recording.columns and name not in choice.columns and names == recording.columns[name]:
            values, names, still = grids.varying(values, names)
            record.notes += still
        parts.append(values)
        titles += names
    return {"z": np.hstack(parts), "z_names": tuple(titles)}


def _is_one_hot(values: np.ndarray) -> bool:
    return values.dtype.kind in "biuf" and bool(
        ((values == 0) | (values == 1)).all() and (values.sum(axis=1) == 1).all()
    )


def _is_whole(array: np.ndarray) -> bool:
    if array.dtype.kind != "f":
        return array.dtype.kind in "biu"
    return bool(np.isfinite(array).all() and (array == np.rint(array)).all() and np.abs(array).max(initial=0) < 2**31)


def merged(first: Recording, second: Recording, **more: Any) -> Recording:
    """Return two recordings as one; a name of the second that the first also has gets its file's name as a prefix."""
    ours = {v.name for v in first.variables}
    renamed = {v.name: f"{second.path.stem}/{v.name}" if v.name in ours else v.name for v in second.variables}
    back = {new: old for old, new in renamed.items()}
    theirs = [
        dataclasses.replace(v, name=renamed[v.name], clock=renamed.get(v.clock, v.clock)) for v in second.variables
    ]

    def load(parts: Mapping[str, Part]) -> dict[str, Any]:
        found = {name: part for name, part in parts.items() if name in ours}
        other = {back[name]: part for name, part in parts.items() if name in back and name not in ours}
        arrays = first.load(found) if found else {}
        return arrays | ({renamed[k]: v for k, v in second.load(other).items()} if other else {})

    def again(names: Mapping[str, Any]) -> dict[str, Any]:
        return {renamed.get(k, k): v for k, v in names.items()}

    if recorded := [t for t in first.intervals if t.own_rows]:
        first = dataclasses.replace(first, intervals=tuple(t for t in first.intervals if t not in recorded))
    tables = tuple(
        Intervals(t.name, renamed[t.start], renamed[t.stop], tuple(renamed[c] for c in t.columns))
        for t in second.intervals
    )
    clocks = {renamed[k]: renamed.get(v, v) for k, v in second.clocks.items() if k in renamed}
    for v in second.variables:
        clock = clock_of(second, v.name)
        if clock and v.name not in second.clocks:
            clocks[renamed[v.name]] = renamed[clock]
    return dataclasses.replace(
        first, variables=[*first.variables, *theirs], load=load, groups={**second.groups, **first.groups},
        clocks={**clocks, **first.clocks}, axes={**again(second.axes), **first.axes},
        intervals=(*first.intervals, *tables), columns={**again(second.columns), **first.columns},
        speed=first.speed or renamed.get(second.speed, ""), meta={**second.meta, **first.meta}, **more,
    )  # fmt: skip
