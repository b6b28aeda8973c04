"""Make a Dataset from a recording and a choice: rows, clocks, bins, trials and labels, with every step recorded.

x leads: its rows are the Dataset's rows, and its clock is the Dataset's clock. Everything that describes x is aligned
with those rows. If it has as many rows as x, it is used as it is. If it has one entry per trial, the entries are
repeated. Otherwise it is aligned by its own clock (means in bins, circular means for angles, nearest sample for
labels), or by the interval that contains the row.
"""

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path

import numpy as np

from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.readers import spikes
from dvae_core.data.readers.along import Along, Rows
from dvae_core.data.readers.binned import binned
from dvae_core.data.readers.choose import (
    Choice,
    axis_of,
    choose,
    clock_of,
    in_table,
    orient,
    resolved,
    speed_of,
    table_of,
    with_axes,
)
from dvae_core.data.readers.common import Ask, check_budget, pick_rows, rows_note
from dvae_core.data.readers.finish import finish
from dvae_core.data.readers.model import (
    Part,
    Question,
    Ragged,
    ReadingRecord,
    Recording,
    Undecided,
    Variable,
)
from dvae_core.data.readers.stack import as_rows, joined, per_trial, standing


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
        return binned(recording, ask, choice, record)
    return _rows(recording, ask, choice, record)


def _rows(recording: Recording, ask: Ask, choice: Choice, record: ReadingRecord) -> Dataset:
    path, by_name = recording.path, {v.name: v for v in recording.variables}
    speed = speed_of(recording, ask)
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
    clocks = {
        b: clock_of(recording, b, ask)
        for b in behaviour
        if b not in direct and not layout.is_trials and not in_table(recording, b)
    }
    tables = {b: table for b in behaviour if (table := table_of(recording, b)) and b not in direct}
    wanted: dict[str, Part] = {}
    for name in choice.x:
        axis = layout.rows if name == lead.name else axis_of(recording, by_name[name], n)
        wanted[name] = Part(axis, kept if by_name[name].shape[axis] == n else None)
    for name in direct:
        axis = axis_of(recording, by_name[name], n)
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
        x, trial, trials = joined(arrays[lead.name])
    else:
        x, trial, trials = as_rows(recording, ask, choice, arrays, layout, lead)
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
    rows = Rows(x, times, [], trial, trials, len(x), index)
    out = Along(rows, untyped=recording.untyped)
    if times is not None and (recording.gaps is not None or not np.isfinite(times).all()):
        out.keep(np.isfinite(times), "rows", "where their time is missing", record)
    if times is not None and recording.gaps is not None and (stretches := recording.gaps()):
        inside = spikes.in_intervals(np.nan_to_num(times, nan=-np.inf), *stretches[0].T) >= 0
        out.keep(inside, "rows", f"outside {stretches[1]}", record)
    for name in behaviour:
        if name in direct:
            out.values[name] = standing(arrays[name], len(x), choice.columns.get(name))
        elif (
            trial is not None
            and (values := per_trial(arrays[name], trial, trials, choice.columns.get(name))) is not None
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
    return finish(recording, ask, choice, out, record, layout=layout, rate=rate)


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


def _other_clock(recording: Recording, name: str, x_clock: str | None, ask: Ask | None) -> bool:
    """Whether a variable has its own clock, different from that of x."""
    own = clock_of(recording, name)
    return bool(own and x_clock and own != x_clock and recording.layout != "table")


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


def _other_rows(recording: Recording, lead: Variable, other: Variable, n: int, trials: int, clocked: bool) -> DataError:
    rows = f"{n:,} rows" + (f" in {trials:,} trials" if trials else "")
    if in_table(recording, other.name):
        table = table_of(recording, other.name)
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
