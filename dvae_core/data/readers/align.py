"""Make a Dataset from a recording and a choice: rows, clocks, bins, trials and labels, with every step recorded.

x leads: its rows are the Dataset's rows, and its clock is the Dataset's clock. Everything that describes x is aligned
with those rows. If it has as many rows as x, it is used as it is. If it has one entry per trial, the entries are
repeated. Otherwise it is aligned by its own clock (means in bins, circular means for angles, nearest sample for
labels), or by the interval that contains the row.
"""

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.readers import spikes
from dvae_core.data.readers.along import Along, Rows, check_clocks, seconds
from dvae_core.data.readers.binned import binned
from dvae_core.data.readers.choose import (
    Choice,
    Layout,
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
from dvae_core.data.readers.common import ReadOptions, check_budget, pick_rows, rows_note
from dvae_core.data.readers.finish import finish, numbering
from dvae_core.data.readers.model import (
    PHASE,
    Intervals,
    Part,
    Question,
    Ragged,
    ReadingRecord,
    Recording,
    Undecided,
    Variable,
)
from dvae_core.data.readers.stack import as_rows, joined, per_trial, standing


def dataset(recording: Recording, options: ReadOptions) -> Dataset:
    """Return the requested Dataset, with a record of how it was read.

    Raises:
        Undecided: If the user has to decide something; its `record` holds what was found so far.
        DataError: If the data cannot be read as requested.
    """
    record = ReadingRecord(variables=with_axes(recording))
    try:
        return _dataset(recording, options, record)
    except Undecided as error:
        record.questions.append(error.question)
        error.record = record
        raise


def _dataset(recording: Recording, options: ReadOptions, record: ReadingRecord) -> Dataset:
    choice = choose(recording, options, record)
    by_name = {v.name: v for v in recording.variables}
    events = [options.bin_s is not None or by_name[name].kind == "events" for name in choice.x]
    for name in (*choice.u, *choice.z):
        if by_name[name].kind == "events":
            raise DataError(f"{name} of {recording.path.name} is event times, which can be x only; choose another.")
    if any(events):
        if not all(events):
            raise DataError(f"x of {recording.path.name} mixes event times with other variables; choose one kind.")
        return binned(recording, options, choice, record)
    return _rows(recording, options, choice, record)


class _Plan(NamedTuple):
    """The facts about x and the variables beside it that are known before anything is loaded."""

    lead: Variable  # the first variable of x
    layout: Layout
    n: int  # rows of x; for trials their bins
    x_clock: str | None
    behaviour: tuple[str, ...]
    direct: tuple[str, ...]  # those with an entry a row
    clocks: Mapping[str, str | None]
    tables: Mapping[str, Intervals]
    kept: np.ndarray | None  # the rows to load, if not all


def _rows(recording: Recording, options: ReadOptions, choice: Choice, record: ReadingRecord) -> Dataset:
    """Return a Dataset whose rows are rows (or trials' bins) of stored arrays."""
    speed = speed_of(recording, options)
    plan = _plan(recording, options, choice, tuple(dict.fromkeys((*choice.u, *choice.z, *speed))), record)
    wanted = _wanted(recording, choice, plan)
    _check_size(recording.path, {v.name: v for v in recording.variables}, wanted, options)
    arrays = recording.load(wanted)
    sides = (side for table in plan.tables.values() for side in (table.start, table.stop))
    seconds(recording, arrays, (plan.x_clock, *plan.clocks.values(), *sides), record)
    rows = _rows_of_x(recording, options, choice, plan, arrays, record)
    rate = options.rate_hz or _rate(recording, plan.lead, rows.times, options, record, plan.x_clock)
    out = Along(rows, untyped=recording.untyped)
    if rows.times is not None:
        _leave_gaps_out(recording, out, rows.times, record)
    _add_behaviour(recording, options, choice, plan, arrays, out, record)
    if speed:
        out.moving(recording, options, speed[0], record)
    if options.rows is not None and plan.kept is None:
        out.first(options.rows, record)
    return finish(recording, options, choice, out, record, layout=plan.layout, rate=rate)


def _plan(
    recording: Recording, options: ReadOptions, choice: Choice, behaviour: tuple[str, ...], record: ReadingRecord
) -> _Plan:  # fmt: skip
    by_name = {v.name: v for v in recording.variables}
    lead = by_name[choice.x[0]]
    x_clock = _clock_of_x(recording, lead.name, options)
    stored = tuple(b for b in behaviour if by_name[b].role != PHASE)
    layout = orient(recording, lead, options, _evidence(recording, by_name, stored, lead, x_clock))
    if layout.turned:
        record.notes.append(f"{lead.name} turned so that rows are examples")
    n = lead.shape[layout.rows] * (lead.shape[layout.axes.index("time")] if layout.is_trials else 1)
    if recording.layout == "table":
        _check_table(recording, options, choice, n)
    direct = tuple(b for b in stored if _fits(recording, by_name[b], n) and not _other_clock(recording, b, x_clock))
    whole = layout.is_trials or len(direct) < len(behaviour) or (x_clock is not None and recording.seconds)
    rest = [b for b in stored if b not in direct]
    return _Plan(
        lead, layout, n, x_clock, behaviour, direct,
        {b: clock_of(recording, b, options) for b in rest if not layout.is_trials and not in_table(recording, b)},
        {b: table for b in behaviour if b not in direct and (table := table_of(recording, b))},
        None if whole else pick_rows(n, options.rows, at_random="height" in layout.axes),
    )  # fmt: skip


def _wanted(recording: Recording, choice: Choice, plan: _Plan) -> dict[str, Part]:
    """Return what to load: x, the variables beside it, their clocks and the sides of their intervals."""
    by_name, wanted = {v.name: v for v in recording.variables}, {}
    for name in choice.x:
        axis = plan.layout.rows if name == plan.lead.name else axis_of(recording, by_name[name], plan.n)
        wanted[name] = Part(axis, plan.kept if by_name[name].shape[axis] == plan.n else None)
    for name in plan.direct:
        wanted[name] = Part(axis_of(recording, by_name[name], plan.n), plan.kept)
    sides = (side for table in plan.tables.values() for side in (table.start, table.stop))
    for name in (*plan.behaviour, *plan.clocks.values(), *sides):
        if name and by_name[name].role != PHASE:
            wanted.setdefault(name, Part())
    if plan.x_clock:
        shape = by_name[plan.x_clock].shape
        wanted.setdefault(plan.x_clock, Part(int(shape[:1] == (1,) and len(shape) == 2), plan.kept))
    return wanted


def _rows_of_x(
    recording: Recording,
    options: ReadOptions,
    choice: Choice,
    plan: _Plan,
    arrays: dict[str, Any],
    record: ReadingRecord,
) -> Rows:
    """Return x with rows first, the time of each row if x has a clock, and its trial if rows are bins of trials."""
    stored, n, kept = arrays[plan.lead.name], plan.n, plan.kept
    pictures = "height" in plan.layout.axes
    if isinstance(stored, Ragged):
        x, trial, trials = joined(stored)
    else:
        x, trial, trials = as_rows(recording, options, choice, arrays, plan.layout, plan.lead)
    if kept is not None or not (plan.layout.is_trials or recording.layout == "table"):
        record.notes += rows_note(n, kept, at_random=pictures)
    loaded = trials if plan.layout.is_trials else len(x)
    index = np.arange(len(x)) if kept is None or len(kept) != len(x) else kept
    if pictures and loaded != (n if kept is None else len(kept)):  # some could not be read
        index = np.arange(len(x))
    times = None
    if plan.x_clock in arrays and trial is None:
        clock = np.asarray(arrays[plan.x_clock]).ravel()
        times = clock.astype(np.float64) if clock.dtype.kind in "iuf" and len(clock) == len(x) else None
        back = np.flatnonzero(np.diff(times if times is not None else ()) < 0)
        if len(back):
            record.notes.append(
                f"{plan.x_clock} goes back at {len(back):,} of {n:,} rows, first at row {back[0] + 2:,}: rows stay in "
                "the order of the file, which is not that of time"
            )
    return Rows(x, times, [], trial, trials, len(x), index)


def _leave_gaps_out(recording: Recording, out: Along, times: np.ndarray, record: ReadingRecord) -> None:
    if not np.isfinite(times).all():
        out.keep(np.isfinite(times), "rows", "where their time is missing", record)
    if recording.gaps is not None and (stretches := recording.gaps()):
        inside = spikes.in_intervals(np.nan_to_num(times, nan=-np.inf), *stretches[0].T) >= 0
        out.keep(inside, "rows", f"outside {stretches[1]}", record)


def _add_behaviour(
    recording: Recording, options: ReadOptions, choice: Choice, plan: _Plan, arrays: dict[str, Any], out: Along,
    record: ReadingRecord,
) -> None:  # fmt: skip
    """Align every variable beside x with its rows: by position, by trial, by interval or by clock."""
    by_name, rows = {v.name: v for v in recording.variables}, out.rows
    for name in plan.behaviour:
        columns, table, values = choice.columns.get(name), plan.tables.get(name), arrays.get(name)
        if name in plan.direct:
            out.values[name] = standing(values, len(rows.x), columns)
        elif table is not None and rows.times is not None:
            out.by_interval(name, arrays, table, rows.times, record)
        elif by_name[name].role == PHASE:
            trial = rows.trial if rows.trial is not None else numbering(recording, choice, rows.at, "trial")
            out.within_trial(name, trial, recording.path)
        elif rows.trial is not None and (each := per_trial(values, rows.trial, rows.trials, columns)) is not None:
            out.values[name] = each
            record.notes.append(f"{name} repeated for the bins of each trial")
        elif rows.times is not None and (clock := plan.clocks.get(name)):
            check_clocks(recording, plan.lead.name, rows.times, name, arrays[clock])
            own = (recording.path, name, values, arrays[clock], by_name[name])
            out.by_clock(*own, rows.times, options, choice, record)
        else:
            raise _other_rows(recording, plan.lead, by_name[name], len(rows.x), rows.trials, bool(plan.x_clock))


def _check_table(recording: Recording, options: ReadOptions, choice: Choice, n: int) -> None:
    """Ask which axis is rows if a table is wider than long and nothing in it describes its rows."""
    described = (
        choice.u
        or choice.z
        or options.x
        or options.x_shape
        or any(v.role in ("clock", "trial", "session") for v in recording.variables)
    )
    width = sum(v.shape[1] if len(v.shape) > 1 else 1 for v in map(recording.variable, choice.x))
    if options.rows_are == "auto" and width > n and not described:
        why = f"the table is {n:,} x {width:,}, and nothing says whether rows or columns are the examples"
        question = Question("rows", ("rows", "columns"), "--rows-are rows or --rows-are columns", why)
        raise Undecided(recording.path, question)
    if options.rows_are == "columns" and (choice.u or choice.z):
        raise DataError(
            f"u of {recording.path.name} has an entry for each of its rows, so its columns cannot be the examples; "
            "leave u out, or --rows-are columns."
        )


def _clock_of_x(recording: Recording, name: str, options: ReadOptions) -> str | None:
    """Return the variable with the times of x's rows; `time` in the options names that of u, and of x if as long."""
    found = clock_of(recording, name)
    if options.time:
        clock = resolved(recording, options.time)
        if found is None and not in_table(recording, clock):
            length = prod(recording.variable(clock).shape)
            found = clock if length in recording.variable(name).shape else None
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
        if name in behaviour and (in_table(recording, name) or _other_clock(recording, name, clock)):
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


def _other_clock(recording: Recording, name: str, x_clock: str | None) -> bool:
    """Whether a variable has its own clock, different from that of x."""
    own = clock_of(recording, name)
    return bool(own and x_clock and own != x_clock and recording.layout != "table")


def _check_size(path: Path, by_name: Mapping[str, Variable], wanted: Mapping[str, Part], options: ReadOptions) -> None:
    size = 0
    for name, part in wanted.items():
        shape = by_name[name].shape
        length = shape[part.axis] if shape else 1
        row = _item_bytes(by_name[name]) * prod(shape) // max(1, length)
        size += row * (length if part.kept is None else len(part.kept))
    check_budget(path, size, options.budget_bytes)


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
    recording: Recording,
    lead: Variable,
    times: np.ndarray | None,
    options: ReadOptions,
    record: ReadingRecord,
    clock: str | None,
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
    if recording.seconds or options.time or (clock and recording.variable(clock).in_seconds):
        return float(f"{1 / step:.6g}")
    record.notes.append(f"{clock} goes up by {step:.4g}: a rate of {1 / step:.6g} Hz, if that is seconds (--rate)")
    return None
