"""Decide which variables are x, u and the factors, and which axis is rows: by request, convention, or a question.

The size of a variable is never a reason: what the user meant may be the one that could not be read.
"""

import dataclasses
import re
from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from dvae_core.data.dataset import DataError
from dvae_core.data.readers.common import ReadOptions, no_such_name
from dvae_core.data.readers.model import (
    PHASE,
    UNIT_OF_TIME,
    Intervals,
    Question,
    ReadingRecord,
    Recording,
    Undecided,
    Variable,
)

X_NAMES = ("x", "X", "imgs", "images")  # the last two: dSprites, 3dshapes and MPI3D
U_NAMES = ("u", "label", "labels", "segment")
Z_NAMES = ("z", "s", "latents_values")
CLOCKS = ("t", "time", "times", "timestamps", "timestamp")
AXES = ("trial", "time", "unit", "row", "height", "width", "channel")

# Kinds that cannot be x, readable or not: an unreadable table or cell might have been the data, a text could not.
TEXTS = ("str", "bytes", "string", "char", "text", "categorical", "datetime", "function handle", "empty", "value")

_FIRST_COLUMNS = re.compile(r"(.+)\[:(\d{1,9})\]")
_PICTURES = re.compile(r"(?i)(^|[._/{}])(x|imgs?|images?|pictures?|frames?|faces?|digits?|photos?|movie)s?\d*$")
_NEURAL = re.compile(r"(?i)trial|spike|count|rate|neur|unit|dff|fluor|trace|psth|lfp|eeg|epoch")


class Choice(NamedTuple):
    """The variables for x, u and z; of some of them only the first few columns."""

    x: tuple[str, ...]
    u: tuple[str, ...]
    z: tuple[str, ...]
    columns: dict[str, int]


def choose(recording: Recording, options: ReadOptions, record: ReadingRecord) -> Choice:
    """Return the requested variables, completed by the format's conventions and the usual names.

    Raises:
        Undecided: If several variables could be x, or if an unreadable variable might be x.
        DataError: If a name does not exist or cannot be read, or if nothing could be x.
    """
    columns: dict[str, int] = {}
    known = {v.name: v for v in recording.variables}

    def named(names: tuple[str, ...]) -> tuple[str, ...]:
        found = []
        for name in names:
            match = None if name in known else _FIRST_COLUMNS.fullmatch(name)
            base = resolved(recording, match[1] if match and int(match[2]) > 0 else name)
            if match and int(match[2]) > 0:
                columns[base] = int(match[2])
            found.append(base)
        return tuple(found)

    x, u, z = named(options.x), named(options.u), named(options.z)
    taken = {*x}

    def usual(names: tuple[str, ...]) -> tuple[str, ...]:
        names = tuple(n if n in known else f"{n}{{}}" for n in names)  # a cell of texts is label{}
        found = next((n for n in names if n in known and known[n].dtype != "value" and n not in taken), "")
        return (resolved(recording, found),) if found else ()

    notes = record.notes
    notes.extend(recording.notes)
    if not x and recording.refused_x:
        raise DataError(recording.refused_x)
    format_x = named(recording.x)
    # the format's convention for u belongs to its convention for x
    format_u = named(recording.u) if not x or x == format_x else ()
    if not z and recording.z:
        z = named(recording.z)
    if not z and (z := usual(Z_NAMES)) and z[0] not in u:
        notes.append(f"the true factors are {z[0]}, by name")
    elif z and z[0] in u and not options.z:
        z = ()
    taken |= {*z}  # the labels of 3dshapes are its factors
    chosen_by_name = () if x or format_x else usual(X_NAMES)
    if chosen_by_name == ("X",) and known["X"].kind != "matrix":  # a column called X is more likely a position
        chosen_by_name = ()
    events = () if x or format_x or chosen_by_name else _events(recording)
    if not u and format_u:
        u = format_u
        notes.append(f"u is {', '.join(u)}")
    elif not u and events:
        u = tuple(
            v.name for v in recording.variables
            if v.readable and v.kind not in ("events", "other") and not v.role and v.name.split("/")[-1] not in CLOCKS
            and v.name not in z and clock_of(recording, v.name) and not in_table(recording, v.name)
        )  # fmt: skip
        notes += [f"u is {', '.join(u)}"] if u else []
    elif not u:
        names = (*U_NAMES, "y") if chosen_by_name == ("X",) else U_NAMES
        u = usual(names)
        notes += [f"u is {u[0]}, by name"] if u and u[0] != "u" else []
    if not x:
        x, why = (format_x, recording.why_x) if format_x else (chosen_by_name, ", by name")
        if not x:
            x, why = _found(recording, events, u, z)
        if x != ("x",):
            notes.append(f"x is {', '.join(x) if len(x) <= 6 else f'{len(x):,} columns'}{why}")
    return Choice(x, u, z, columns)


def resolved(recording: Recording, name: str) -> str:
    """Return the variable with this name, or the only one whose path ends in it.

    Raises:
        DataError: If there is none, or if it cannot be read.
    """
    known = {v.name: v for v in recording.variables}
    path = recording.path
    if name not in known and f"{name}{{}}" in known:  # a cell: all its elements
        name = f"{name}{{}}"
    if name not in known:
        ends = [n for n in known if re.split(r"[/.]", n)[-1].removesuffix("{}") == name.removesuffix("{}")]
        if name in recording.groups:
            inside = [n for n in known if n.startswith((f"{name}.", f"{name}{{", f"{name}/")) and known[n].readable]
            advice = f"choose {', '.join(inside[:5])}" if inside else "save the numbers in it as separate variables"
            raise DataError(f"{name} of {path.name} is {recording.groups[name]}, not plain numbers; {advice}.")
        if len(ends) != 1:
            raise no_such_name(path, name, [n for n, v in known.items() if v.readable])
        name = ends[0]
    if not known[name].readable:
        raise DataError(f"{name} of {path.name} {known[name].reason}.")
    return name


def in_table(recording: Recording, name: str) -> bool:
    """Whether a variable is a column of a table of intervals."""
    return any(name in (*t.columns, t.start, t.stop, t.phase) for t in recording.intervals if not t.own_rows)


def clock_of(recording: Recording, name: str, options: ReadOptions | None = None) -> str | None:
    """Return the variable with the times of `name`: as requested, as the format says, or by name and length.

    Candidates by name are, in this order: NAME_t, NAME_time and the like; then t, time and timestamps in the same
    group; then those of the whole file. One axis of `name` must be as long as the clock.
    """
    shapes = {v.name: v.shape for v in recording.variables if v.readable and v.kind != "events"}
    if options is not None and options.time:
        return resolved(recording, options.time)
    if name in recording.clocks:
        return recording.clocks[name]
    if recording.layout == "table":
        return next((v.name for v in recording.variables if v.role == "clock"), None)
    if name not in shapes or "{}" in name:  # the parts of a cell or struct array are not sampled together
        return None
    group = re.split(r"[/.][^/.]*$", name)[0] if re.search("[/.]", name) else ""
    separator = "/" if "/" in name else "."
    inside = [f"{group}{separator}{c}" for c in CLOCKS] if group else []
    own = [f"{name}_{c}" for c in CLOCKS] + [f"{c}_{name}" for c in CLOCKS]
    bare = {UNIT_OF_TIME.sub("", n): n for n in shapes if UNIT_OF_TIME.search(n)} | {n: n for n in shapes}  # t_ms: t
    for candidate in (bare.get(c, c) for c in (*own, *inside, *CLOCKS)):
        length = prod(shapes.get(candidate, (0,)))
        if candidate != name and length > 1 and length == max(shapes[candidate]) and length in shapes[name]:
            return candidate
    return None


def _events(recording: Recording) -> tuple[str, ...]:
    """Return event times as the default for x, if every other variable could only be behaviour."""
    events = [v.name for v in recording.variables if v.kind == "events" and v.readable]
    if len(events) > 1 and not all(re.search("(?i)spike", name) and "{}" not in name for name in events):
        return ()
    return tuple(events)


def _found(
    recording: Recording, events: tuple[str, ...], u: tuple[str, ...], z: tuple[str, ...]
) -> tuple[tuple[str, ...], str]:
    """Return the only variable that could be x and the reason, or options."""
    path = recording.path
    rest = [
        v for v in recording.variables
        if v.readable and v.dtype not in TEXTS and not v.dtype.startswith(("str", "byt")) and not v.role
        and v.name not in (*u, *z) and prod(v.shape) > (v.kind != "events") and not in_table(recording, v.name)
        and re.split(r"[/.]", v.name)[-1] not in CLOCKS
    ]  # fmt: skip
    matrices = [v.name for v in rest if v.kind == "matrix" and v.name not in events]
    vectors = [v.name for v in rest if v.kind in ("column", "label")]
    hidden = [v for v in recording.variables if not v.readable and v.dtype not in TEXTS]
    others = [v.name for v in rest if v.kind == "events" and v.name not in events]
    sure = list(events) or matrices or vectors
    parts = tuple(name.partition("{}")[0] + "{}" for name in events if "{}" in name)
    competing = [n for n in matrices if not (parts and n.startswith(parts))] if events else []
    competing += others
    if sure and not hidden and not competing and (events or len(sure) == 1):
        kind = "event times" if events else "matrix" if matrices else "variable"
        return tuple(sure), f", the only {kind} in it" if len(sure) == 1 else ", all event times in it"
    found = [*events, *others, *matrices] or vectors
    candidates: tuple[str, ...] = tuple(sorted(set(found), key=found.index))
    reasons = "; ".join(f"{v.name} {v.reason}" for v in hidden[:3])
    if not candidates:
        if reasons:
            raise DataError(f"{path.name} has no numbers that could be x: {reasons}.")
        names = ", ".join(v.name for v in recording.variables[:20]) or "nothing"
        raise DataError(f"{path.name} has no numbers that could be x; it has {names}.")
    why = "which variable is x is not clear" if len(candidates) > 1 or not reasons else "no variable is clearly x"
    why += f", and {reasons}" if reasons else ""
    raise Undecided(path, Question("x", candidates, "--x NAME", why))


# --- which axis is rows -----------------------------------------------------------------------------------------------


class Layout(NamedTuple):
    """The layout of a stored array: a name for each of its axes, from which its rows follow.

    A matrix has one axis called row or time. Pictures have row, height, width (and channel). Trials have trial, time
    and unit. `turned` means that rows were not the first axis.
    """

    axes: tuple[str, ...]
    turned: bool = False
    sure: bool = True  # False: recognised as pictures by shape and type, to be confirmed by the values

    @property
    def rows(self) -> int:
        """The axis whose entries are rows or trials."""
        return next(i for i, name in enumerate(self.axes) if name in ("row", "trial")) if len(self.axes) > 1 else 0

    @property
    def is_trials(self) -> bool:
        """Whether rows are the time bins of trials."""
        return "trial" in self.axes


def orient(
    recording: Recording, variable: Variable, options: ReadOptions, evidence: Sequence[tuple[str, int]]
) -> Layout:
    """Name the axes of x from the request, the format's knowledge, and the lengths of other variables.

    Args:
        recording: For the format's conventions.
        variable: x.
        options: `axes` and `rows_are` take precedence over everything else; `x_shape` says which axes are pixels.
        evidence: The variables that describe the rows (u, factors, clocks) by name, with their lengths.

    Raises:
        Undecided: If rows could be on either axis.
    """
    shape, name = variable.shape, variable.name
    lengths = {n for _, n in evidence}
    if options.axes:
        return _as_requested(recording, variable, options.axes)
    if len(shape) == 1 or recording.layout == "table":
        return Layout(("row",) + ("unit",) * (len(shape) - 1))
    if len(shape) > 2:
        return _many_axes(recording, variable, options, lengths)
    long, wide = map(int, shape)
    if options.rows_are != "auto":
        at = int(options.rows_are == "columns")
    elif name in recording.axes:
        at = recording.axes[name]
    elif options.x_shape and prod(options.x_shape) in shape and long != wide:
        at = 1 - shape.index(prod(options.x_shape))
    elif long == 1 and recording.layout == "F":
        at = 1
    elif lengths & {*shape}:
        at = 0 if long in lengths and (wide not in lengths or lengths <= {long}) else 1
    elif lengths or wide <= long:
        at = 0  # a length that fits no axis is refused when the rows are counted
    else:
        pixels = _square(wide) if variable.dtype == "uint8" else None
        option = "--rows-are rows or --rows-are columns"
        option += f" (or --picture {pixels}x{pixels}, if rows are pictures)" if pixels else ""
        why = f"{name} is {long:,} x {wide:,}, and nothing says whether rows or columns are the examples"
        raise Undecided(recording.path, Question("rows", ("rows", "columns"), option, why))
    axes = ("row", "unit") if at == 0 else ("unit", "row")
    return Layout(axes, turned=at == 1 and name not in recording.axes)


def _square(count: int) -> int | None:
    side = round(count**0.5)
    return side if side >= 8 and side * side == count else None


def _as_requested(recording: Recording, variable: Variable, axes: tuple[str, ...]) -> Layout:
    shape = " x ".join(map(str, variable.shape))
    wrong = [a for a in axes if a not in AXES]
    kinds = {*axes}
    fits = len(axes) == len(variable.shape) == len(kinds) and not wrong
    two = fits and len(axes) == 2 and len(kinds & {"row", "time", "trial"}) == 1 and "unit" in kinds
    trials = kinds == {"trial", "time", "unit"} or kinds == {"trial", "time"}
    pictures = kinds in ({"row", "height", "width"}, {"row", "height", "width", "channel"})
    if not fits or not (two or trials or pictures):
        raise DataError(
            f"--axes names each of the {len(variable.shape)} axes of {variable.name} of {recording.path.name} ({shape})"
            f" once: trial,time,unit or row,height,width or time,unit in their order; got {','.join(axes)}."
        )
    if two and not trials:
        axes = tuple("unit" if a == "unit" else "row" for a in axes)
    return Layout(axes, turned=axes[0] not in ("row", "trial"))


def _many_axes(recording: Recording, variable: Variable, options: ReadOptions, lengths: set[int]) -> Layout:
    """Name the axes of an array of rank 3 or more: pictures or trials, if names, u, shape and type agree."""
    shape, name = variable.shape, variable.name
    if name in recording.axes or "height" in variable.axes:
        return Layout(variable.axes or _picture_axes(len(shape), 0, shape))
    known_trial = variable.axes.index("trial") if "trial" in variable.axes else None
    if known_trial is None and not (_NEURAL.search(name) and not _PICTURES.search(name)):
        pictures = _pictures(recording, variable, options, lengths)
        if pictures is not None:
            return pictures
    if len(shape) != 3:
        why = f"{name} has {len(shape)} axes ({' x '.join(map(str, shape))}), and what they are is not clear"
        raise Undecided(recording.path, Question("axes", ("row,height,width,channel",), "--axes NAME,NAME,...", why))
    if known_trial is None:
        fits = [i for i in range(3) if shape[i] in lengths]
        known_trial = fits[0] if len(fits) == 1 else None
    named = [("trial", "time", "unit"), ("trial", "unit", "time"), ("unit", "time", "trial"), ("time", "unit", "trial")]
    named = [axes for axes in named if known_trial is None or axes[known_trial] == "trial"]
    if known_trial == 1:
        named = [("time", "trial", "unit"), ("unit", "trial", "time")]
    if known_trial is None:
        named += [("row", "height", "width"), ("height", "width", "row")]
    clock = clock_of(recording, name)
    if known_trial is not None and clock:
        n = prod(recording.variable(clock).shape)
        sure = [axes for axes in named if shape[axes.index("time")] == n]
        if len(sure) == 1:
            return Layout(sure[0], turned=sure[0] != ("trial", "time", "unit"))
    sides = " x ".join(f"{side:,}" for side in shape)
    why = f"{name} is {sides}, and nothing says which axis is " + ("time and which is units" if known_trial is not None
                                                                    else "what (trials, or pictures)")  # fmt: skip
    raise Undecided(recording.path, Question("axes", tuple(map(",".join, named)), "--axes NAME,NAME,NAME", why))


def _pictures(recording: Recording, variable: Variable, options: ReadOptions, lengths: set[int]) -> Layout | None:
    """Return the layout of pictures if shape, type and name allow no other reading; None otherwise."""
    shape, n = variable.shape, len(variable.shape)
    by_name = bool(_PICTURES.search(variable.name)) and variable.name not in ("x", "X")
    channels = [i for i in range(n) if shape[i] in (1, 3)] if n == 4 else []
    if n > 4 or (n == 4 and len(channels) != 1 and shape[-1] not in (1, 3)):
        return None
    channel = (channels[0] if len(channels) == 1 else n - 1) if n == 4 else None
    rest = [i for i in range(n) if i != channel]
    if options.x_shape:
        pairs = [r for r in rest if tuple(shape[i] for i in rest if i != r) == tuple(options.x_shape[:2])]
        if len(pairs) == 1:
            return Layout(_picture_axes(n, pairs[0], shape, channel), turned=pairs[0] != 0)
    fits = [r for r in rest if shape[r] in lengths]
    rows = fits[0] if len(fits) == 1 else None
    equal = [r for r in rest if len({shape[i] for i in rest if i != r}) == 1]
    if rows is None:
        if len(equal) == 1 or (by_name and 0 in equal):
            rows = equal[0] if len(equal) == 1 else 0
        elif not equal and (by_name or (variable.dtype == "uint8" and recording.layout == "C")):
            rows = 0
        else:
            return None
    height, width = (shape[i] for i in rest if i != rows)
    squarish = max(height, width) <= 1.5 * min(height, width) and min(height, width) >= 4
    typed = variable.dtype in ("uint8", "bool", "logical") or "float" in variable.dtype or by_name
    if not by_name and not (squarish and typed):
        return None
    return Layout(_picture_axes(n, rows, shape, channel), turned=rows != 0, sure=by_name)


def _picture_axes(n: int, rows: int, shape: tuple[int, ...], channel: int | None = None) -> tuple[str, ...]:
    if n == 4 and channel is None:
        channel = 1 if shape[1] in (1, 3) and shape[-1] not in (1, 3) else n - 1
    sides = iter(("height", "width"))
    return tuple("row" if i == rows else "channel" if i == channel else next(sides, "unknown") for i in range(n))


def with_axes(recording: Recording) -> list[Variable]:
    """Return the variables with their axes named as far as they are known, for the list shown to the user."""
    out = []
    for v in recording.variables:
        if v.role == PHASE and not v.note:
            continue
        axes = v.axes
        if not axes and v.readable and v.shape:
            clock = clock_of(recording, v.name) if v.kind != "events" else None
            n = max(recording.variable(clock).shape, default=0) if clock and clock in _names(recording) else None
            at = [i for i, side in enumerate(v.shape) if side == n]
            known = {recording.axes[v.name]: "time" if clock else "row"} if v.name in recording.axes else {}
            known |= {at[0]: "time"} if len(at) == 1 else {}
            if recording.layout == "table" or len(v.shape) == 1:
                known.setdefault(0, "unit" if v.kind == "events" else "time" if clock else "row")
            axes = tuple(
                known.get(i, "unit" if len(v.shape) == 2 and known else "unknown") for i in range(len(v.shape))
            )
        clock = v.clock or (
            clock_of(recording, v.name) or "" if v.readable and v.kind not in ("events", "other") else ""
        )
        out.append(dataclasses.replace(v, axes=axes, clock=clock if clock != v.name else ""))
    return out


def _names(recording: Recording) -> set[str]:
    return {v.name for v in recording.variables}


def axis_of(recording: Recording, variable: Variable, n: int) -> int:
    """Return the axis of a variable whose entries are the n rows."""
    if variable.name in recording.axes:
        return recording.axes[variable.name]
    shape = variable.shape
    return 1 if len(shape) == 2 and shape[0] != n and (shape[1] == n or shape[0] == 1) else 0


def table_of(recording: Recording, name: str) -> Intervals | None:
    """Return the table of intervals that a variable is a column of."""
    return next(
        (t for t in recording.intervals if not t.own_rows and name in (*t.columns, t.start, t.stop, t.phase)), None
    )


def speed_of(recording: Recording, options: ReadOptions) -> tuple[str, ...]:
    """Return the variable with the animal's speed, if running periods were requested."""
    if options.min_speed is None:
        return ()
    if not recording.speed:
        raise DataError(
            f"{recording.path.name} has no speed to choose running periods by; leave the minimum speed out."
        )
    return (recording.speed,)
