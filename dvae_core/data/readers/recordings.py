"""Recordings: files and folders of named arrays, with a clock, a rate and event times, from a choice to a Dataset."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.readers import grids, spikes
from dvae_core.data.readers.common import (
    Ask,
    Variable,
    assemble,
    check_budget,
    check_names,
    choose,
    pick_rows,
    rows_note,
)

BIN_S = 0.1  # where event times come and no width is asked for
CLOCKS = ("t", "time", "times", "timestamps")
WHOLE_LABELS = 64  # MATLAB makes every number a double: this many different whole ones at most are taken for labels

_FIRST_COLUMNS = re.compile(r"(.+)\[:(\d{1,9})\]")


class Part(NamedTuple):
    """What of a variable to load: all, or the rows `kept` along `axis`; or lists of event times."""

    axis: int = 0
    kept: np.ndarray | None = None
    events: bool = False


@dataclass(frozen=True)
class Recording:
    """What a file or folder holds, before anything of it is read.

    Attributes:
        path: For messages.
        variables: What can be chosen.
        load: Reads some of them: arrays as stored, or lists of times.
        opaque: What cannot be chosen, by name, and what it is instead.
        x: What the format has for x; likewise u and z. `NAME[:3]` stands for the first three columns.
        u: See x.
        z: See x.
        rate_hz: Of the rows, where the format knows it.
        axes: Which axis of an array is rows, where the format knows it.
        n: Number of rows of x, where `axes` says that.
        clocks: For a variable, the one that holds its times in seconds.
        speed: The variable that says how fast the animal moves.
        matlab: Whether arrays may need turning, and doubles may be counts.
        meta: Source, licence, units.
        licence: That the format is known to have, where nothing in or beside it says another.
        columns: Names of the columns of a variable, where it has any; factors among them.
    """

    path: Path
    variables: list[Variable]
    load: Callable[[Mapping[str, Part]], dict[str, Any]]
    opaque: Mapping[str, str] = field(default_factory=dict)
    x: tuple[str, ...] = ()
    u: tuple[str, ...] = ()
    z: tuple[str, ...] = ()
    rate_hz: float | None = None
    axes: Mapping[str, int] = field(default_factory=dict)
    n: int | None = None
    clocks: Mapping[str, str] = field(default_factory=dict)
    speed: str = ""
    matlab: bool = False
    meta: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    licence: str = ""


class _Choice(NamedTuple):
    x: tuple[str, ...]
    u: tuple[str, ...]
    z: tuple[str, ...]
    columns: dict[str, int]  # of some, only the first so many
    notes: list[str]


def dataset(recording: Recording, ask: Ask) -> Dataset:
    """Return the Dataset that was asked for, binned where x is event times."""
    by_name = {variable.name: variable for variable in recording.variables}
    choice = _choose(recording, ask)
    events = [ask.bin_s is not None or by_name[name].kind == "events" for name in choice.x]
    for name in (*choice.u, *choice.z):
        if by_name[name].kind == "events":
            raise DataError(f"{name} of {recording.path.name} is event times, which can be x only; choose another.")
    if any(events):
        if not all(events):
            raise DataError(f"x of {recording.path.name} mixes event times with other variables; choose one kind.")
        return _binned(recording, ask, choice, by_name)
    return _rows(recording, ask, choice, by_name)


def _choose(recording: Recording, ask: Ask) -> _Choice:
    columns: dict[str, int] = {}

    def whole(names: tuple[str, ...]) -> tuple[str, ...]:
        known = {variable.name for variable in recording.variables}
        found = []
        for name in names:
            match = None if name in known else _FIRST_COLUMNS.fullmatch(name)
            if match and int(match[2]) > 0:
                columns[match[1]] = int(match[2])
            found.append(match[1] if match else name)
        return tuple(found)

    for name in (*ask.x, *ask.u, *ask.z):
        if name in recording.opaque:
            inside = [v.name for v in recording.variables if v.name.startswith((f"{name}.", f"{name}{{", f"{name}/"))]
            advice = f"choose {', '.join(inside[:5])}" if inside else "save the numbers in it as variables of their own"
            raise DataError(
                f"{name} of {recording.path.name} is {recording.opaque[name]}, not plain numbers; {advice}."
            )
    plain = dataclasses.replace(ask, x=whole(ask.x), u=whole(ask.u), z=whole(ask.z))
    x = whole(recording.x) or (_event_names(recording) if not ask.x else ())
    u = whole(recording.u) or (_on_the_clock(recording) if x and not recording.x else ())
    x, u, z, notes = choose(recording.path, recording.variables, plain, x=x, u=u, z=whole(recording.z))
    return _Choice(x, u, z, columns, notes)


def _event_names(recording: Recording) -> tuple[str, ...]:
    if any(variable.name in ("x", "imgs", "images") for variable in recording.variables):
        return ()
    return tuple(variable.name for variable in recording.variables if variable.kind == "events")


def _clock_of(recording: Recording, name: str, ask: Ask | None = None) -> str | None:
    """Return the variable with the times of `name`: as asked, as the format says, or the usual name and as long."""
    shapes = {variable.name: variable.shape for variable in recording.variables}
    if ask is not None and ask.time:
        check_names(recording.path, [ask.time], list(shapes))
        return ask.time
    if name in recording.clocks:
        return recording.clocks[name]
    return next((c for c in CLOCKS if c in shapes and c != name and max(shapes[c]) in shapes[name]), None)


def _on_the_clock(recording: Recording) -> tuple[str, ...]:
    """Return the variables that share a clock: behaviour, beside event times."""
    names = [v.name for v in recording.variables if v.kind != "events" and v.name not in CLOCKS]
    return tuple(name for name in names if _clock_of(recording, name))


# --- rows as they are -------------------------------------------------------------------------------------------------


def _rows(recording: Recording, ask: Ask, choice: _Choice, by_name: Mapping[str, Variable]) -> Dataset:
    x, u, z, columns, notes = choice
    speed = _speed(recording, ask)
    names = dict.fromkeys((*x, *u, *z, *speed))
    axes, turned = _axes(recording, {name: by_name[name].shape for name in names}, x, (*u, *z, *speed))
    shape = by_name[x[0]].shape
    pictures = len(shape) > 2
    kept = pick_rows(shape[axes[x[0]]], ask.rows, at_random=pictures)
    parts, size, n = {}, 0, shape[axes[x[0]]]
    for name in names:
        length = by_name[name].shape[axes[name]]
        parts[name] = Part(axes[name], kept if length == n else None)
        size_of_row = _item_bytes(by_name[name]) * prod(by_name[name].shape) // max(1, length)
        size += size_of_row * (length if kept is None or length != n else len(kept))
    check_budget(recording.path, size, ask.budget_bytes)
    arrays = recording.load(parts)
    for name, axis in axes.items():
        arrays[name] = arrays[name].T if axis and arrays[name].ndim == 2 else arrays[name]
        if name in columns:
            arrays[name] = arrays[name][:, : columns[name]]
    notes = notes + turned + rows_note(n, kept, at_random=pictures)
    notes += _step_of_the_clock(recording, ask, shape)
    if speed:
        notes += _only_moving(recording, arrays, (*x, *u, *z), arrays[speed[0]], ask.min_speed)
    if recording.matlab:
        _whole_numbers(arrays, by_name, x, u, z)
    named: dict[str, Any] = {}
    for key, names_of in (("u_names", u), ("z_names", z)):
        if len(names_of) == 1 and names_of[0] in recording.columns and names_of[0] not in columns:
            named[key] = recording.columns[names_of[0]]
    if "z_names" in named:
        arrays[z[0]], named["z_names"], still = grids.varying(arrays[z[0]], named["z_names"])
        notes += still
    return assemble(
        recording.path, arrays, x, u, z, notes, rate_hz=ask.rate_hz or recording.rate_hz, x_shape=ask.x_shape,
        meta=recording.meta, licence=recording.licence, **named,
    )  # fmt: skip


def _item_bytes(variable: Variable) -> int:
    try:
        return np.dtype(variable.dtype).itemsize or 8
    except TypeError:  # "logical" and other words of MATLAB's
        return 8


def _step_of_the_clock(recording: Recording, ask: Ask, shape: tuple[int, ...]) -> list[str]:
    """Return a note where a variable looks like the clock of x: its unit is unknown, so the rate is not set by it."""
    clock = next((v for v in recording.variables if v.name in CLOCKS and max(v.shape) in shape), None)
    if clock is None or ask.rate_hz or recording.rate_hz or not 2 < max(clock.shape) == prod(clock.shape) < 10**7:
        return []
    times = recording.load({clock.name: Part()})[clock.name].ravel().astype(np.float64)
    steps = np.diff(times)
    step = float(np.median(steps))
    if not (step > 0 and np.ptp(steps) < 0.01 * step):
        return []
    return [f"{clock.name} goes up by {step:.4g}: a rate of {1 / step:.6g} Hz, if that is seconds (--rate)"]


def _axes(
    recording: Recording, shapes: dict[str, tuple[int, ...]], x: tuple[str, ...], others: tuple[str, ...]
) -> tuple[dict[str, int], list[str]]:
    """Return which axis of each array is rows, and notes: row vectors stand up, matrices follow the count all share."""
    if not recording.matlab:
        return {name: recording.axes.get(name, 0) for name in shapes}, []
    axes = {name: 1 if len(shape) == 2 and shape[0] == 1 else 0 for name, shape in shapes.items()}
    first = shapes[x[0]]
    counts = (first[1:] if axes[x[0]] else first) if len(first) == 2 else first[:1]
    if x[0] in recording.axes:
        counts = (first[recording.axes[x[0]]],)
    elif not others:
        wide = len(first) == 2 and first[1] > first[0] > 1
        note = f"{x[0]} has more columns than rows; rows are taken for examples, so turn it if they are not"
        return axes, [note] if wide else []
    n = next((count for count in counts if all(count in shapes[name] for name in shapes)), None)
    turned = []
    for name, shape in shapes.items():
        if n and len(shape) == 2 and shape[axes[name]] != n:
            axes[name] = 1 - axes[name]
            turned.append(name)
    return axes, [f"{', '.join(turned)} turned so that rows are examples"] if turned else []


def _whole_numbers(
    arrays: dict[str, Any],
    by_name: Mapping[str, Variable],
    x: tuple[str, ...],
    u: tuple[str, ...],
    z: tuple[str, ...],
) -> None:
    """Make integers of doubles that are whole, however MATLAB packed them: counts and labels are to be known."""
    for name in {*x, *u} - {*z}:
        if "float" in by_name[name].dtype and _is_whole(arrays[name]):
            many = name in u and len(np.unique(arrays[name])) > WHOLE_LABELS
            arrays[name] = arrays[name].astype(np.float64 if many else np.int64)


def _is_whole(array: np.ndarray) -> bool:
    return bool(np.isfinite(array).all() and (array == np.rint(array)).all() and np.abs(array).max(initial=0) < 2**31)


def _speed(recording: Recording, ask: Ask) -> tuple[str, ...]:
    if ask.min_speed is None:
        return ()
    if not recording.speed:
        raise DataError(
            f"{recording.path.name} has no speed to choose running periods by; leave the minimum speed out."
        )
    return (recording.speed,)


def _only_moving(
    recording: Recording, arrays: dict[str, Any], names: tuple[str, ...], speed: np.ndarray, least: float | None
) -> list[str]:
    moving = speed.ravel() >= (least or 0.0)
    if not moving.any():
        raise DataError(
            f"{recording.path.name} has no row with a speed of {least:g} or more (the fastest has {speed.max():.3g}); "
            "choose a lower minimum."
        )
    for name in dict.fromkeys(names):
        arrays[name] = arrays[name][moving]
    return [f"{moving.sum():,} of {len(moving):,} rows, those with {recording.speed} of {least:g} or more"]


# --- event times ------------------------------------------------------------------------------------------------------


def _binned(recording: Recording, ask: Ask, choice: _Choice, by_name: Mapping[str, Variable]) -> Dataset:
    x, u, z, columns, notes = choice
    path, width = recording.path, ask.bin_s if ask.bin_s is not None else BIN_S
    if not width > 0:
        raise DataError(f"A bin must be wider than 0 s; got {width:g}.")
    behaviour = tuple(dict.fromkeys((*u, *z, *_speed(recording, ask))))
    clocks = {}
    for name in behaviour:
        clock = _clock_of(recording, name, ask)
        if clock is None:
            raise DataError(f"{name} of {path.name} has no times to bin it by; name them (time=NAME, --time NAME).")
        clocks[name] = clock
    wanted = {name: Part(events=by_name[name].kind == "events") for name in (*x, *behaviour, *clocks.values())}
    size = sum(8 * prod(by_name[name].shape) for name in wanted)
    check_budget(path, size, ask.budget_bytes)
    arrays = recording.load(wanted)
    times, names = _units(arrays, x)
    samples = {name: _samples(path, name, arrays[name], arrays[clocks[name]], columns) for name in behaviour}
    every = np.concatenate(times) if times else np.zeros(0)
    if not len(every):
        raise DataError(f"{', '.join(x)} of {path.name} holds no event times; choose other variables.")
    # behaviour says when the recording was on; without any, the events do
    start = max((clock[0] for clock, _ in samples.values()), default=np.floor(every.min() / width) * width)
    stop = min((clock[-1] for clock, _ in samples.values()), default=(np.floor(every.max() / width) + 1) * width)
    bins = (stop - start) / width
    if np.isfinite(bins) and bins <= spikes.MAX_BINS:  # else refused below, in words of its own
        check_budget(path, int(size + bins * (10 * len(times) + 64 * (1 + len(behaviour)))), ask.budget_bytes)
    try:
        edges = spikes.bin_edges(float(start), float(stop), width)
    except ValueError as error:
        raise DataError(f"{path.name} cannot be binned: {str(error)[0].lower()}{str(error)[1:]}") from error
    counts = spikes.bin_spikes(times, edges)
    lost = len(every) - int(counts.sum(dtype=np.int64))
    unit = "counts"
    title = f"bins of {', '.join(x)}"
    out: dict[str, np.ndarray] = {title: counts}
    if ask.smooth_s is not None:
        try:
            out[title] = spikes.smooth_rates(counts, width, ask.smooth_s).astype(np.float32)
        except ValueError as error:
            raise DataError(str(error)) from error
        unit = f"rates in events/s, smoothed with a Gaussian of {ask.smooth_s:g} s"
    known = np.ones(len(counts), bool)
    for name, (clock, values) in samples.items():
        labels = values.dtype.kind in "biuUS" or (
            recording.matlab and _is_whole(values) and len(np.unique(values)) <= WHOLE_LABELS
        )
        out[name], there = spikes.at_bins(clock, values, edges, nearest=labels)
        known &= there
    if recording.matlab:
        _whole_numbers(out, by_name, (), u, z)
    meta = {"bins": f"{width:g} s, {unit}, {edges[0]:,.6g} to {edges[-1]:,.6g} s"}
    notes += [f"{lost:,} events outside that time"] if lost else []
    if not known.all():
        notes.append(f"{(~known).sum():,} of {len(known):,} bins left out, where behaviour was not sampled")
        out = {name: array[known] for name, array in out.items()}
    if ask.min_speed is not None:
        notes += _only_moving(recording, out, (title, *u, *z), out[recording.speed], ask.min_speed)
    kept = pick_rows(len(out[title]), ask.rows)
    if kept is not None:
        notes += rows_note(len(out[title]), kept)
        out = {name: array[: len(kept)] for name, array in out.items() if name in (title, *u, *z)}
    return assemble(
        path,
        out,
        (title,),
        u,
        z,
        notes,
        x_names=names,
        rate_hz=1 / width,
        licence=recording.licence,
        meta={**recording.meta, **meta},
    )


def _units(arrays: dict[str, Any], x: tuple[str, ...]) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Return the times of every unit, and a name for each."""
    times, names = [], []
    for name in x:
        units = arrays[name] if isinstance(arrays[name], list) else [arrays[name]]
        times += [np.asarray(unit, np.float64).ravel() for unit in units]
        names += [name] if len(units) == 1 else [f"unit{i + 1}" for i in range(len(units))]
    return times, tuple(names)


def _samples(
    path: Path, name: str, values: np.ndarray, clock: np.ndarray, columns: Mapping[str, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return times and samples of behaviour, one row a time, without those that are not finite."""
    clock = np.asarray(clock).ravel()
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim == 2 and len(values) != len(clock) and values.shape[1] == len(clock):
        values = values.T
    if values.ndim != 2 or len(values) != len(clock) or clock.dtype.kind not in "biuf" or len(clock) < 2:
        raise DataError(
            f"{name} of {path.name} has shape {values.shape} but {len(clock):,} times; choose another variable "
            "or clock."
        )
    values = values[:, : columns.get(name)]
    good = np.isfinite(clock) if clock.dtype.kind == "f" else np.ones(len(clock), bool)
    if values.dtype.kind == "f":
        good &= np.isfinite(values).all(axis=1)
    if good.sum() < 2:
        raise DataError(f"{name} of {path.name} has fewer than two finite samples; choose another variable.")
    order = np.argsort(clock[good], kind="stable")
    return clock[good][order].astype(np.float64), values[good][order]
