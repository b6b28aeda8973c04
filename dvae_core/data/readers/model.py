"""The facts that a file states, before any conclusion: variables with named axes and clocks, intervals, questions.

Every format fills a `Recording` with these facts. `choose` and `align` turn it into a Dataset. The `ReadingRecord`
keeps what was read, what was left out and why, and what the user was asked.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from dvae_core.data.dataset import DataError

Kind = Literal["matrix", "column", "label", "events", "other"]

PHASE = "phase"  # role and name of the position within a trial, which no file has to store

PICTURE = ("row", "height", "width", "channel")  # the axes of pictures, in order; grey ones have no channel

FULL_CIRCLE = {"degrees": 360.0, "degree": 360.0, "deg": 360.0, "°": 360.0, "radians": 2 * np.pi, "radian": 2 * np.pi,
               "rad": 2 * np.pi}  # fmt: skip


_SECONDS = {"s": 1.0, "sec": 1.0, "second": 1.0, "ms": 1e-3, "msec": 1e-3, "millisecond": 1e-3, "us": 1e-6, "µs": 1e-6,
            "μs": 1e-6, "usec": 1e-6, "microsecond": 1e-6, "ns": 1e-9, "nanosecond": 1e-9}  # fmt: skip
UNIT_OF_TIME = re.compile(r"(?i)[_ (\[]+([mµμun]?s|[mu]?sec(?:ond)?s?|(?:milli|micro|nano)seconds?)[)\]]?$")


@dataclass(frozen=True)
class Variable:
    """A variable of a file: its name, and what is known of its axes before anything is read.

    Attributes:
        name: The name by which it is chosen.
        shape: As stored; for event times, the number of units.
        dtype: Type of its values.
        kind: A matrix, a column of numbers, a column that can be labels, event times, or something unreadable.
        note: What it counts or how it is stored in the file; shown to the user.
        axes: A name for each axis: time, unit, trial, height, width, channel, row or unknown.
        clock: The variable that holds its times in seconds, "" if there is none.
        rate_hz: Samples per second, if the file states it.
        unit: As stated in the file.
        reason: Why it cannot be read, and what to do about it; "" if it can.
        role: "index", "clock" or "trial" for columns that number or time the rows and are not data; "phase" for the
            position within a trial, which is computed; "unit" for what describes the units and not the rows.
        period: For an angle, its full circle in its own unit.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    kind: Kind
    note: str = ""
    axes: tuple[str, ...] = ()
    clock: str = ""
    rate_hz: float | None = None
    unit: str = ""
    reason: str = ""
    role: str = ""
    period: float | None = None

    @property
    def readable(self) -> bool:
        """Whether it can be chosen."""
        return not self.reason

    @property
    def in_seconds(self) -> float | None:
        """For a clock, the seconds in one of its steps of 1, if its unit or its name (time_ms, Time (s)) states it."""
        named = UNIT_OF_TIME.search(self.name)
        for word in (self.unit, named[1] if named else ""):
            if (found := _SECONDS.get(word.lower()) or _SECONDS.get(word.lower().removesuffix("s"))) is not None:
                return found
        return None

    def as_dict(self) -> dict[str, Any]:
        """Return its description as `inspect --json` prints it."""
        return {
            "name": self.name, "kind": self.kind, "axes": list(self.axes) or ["unknown"] * len(self.shape),
            "shape": list(self.shape), "dtype": self.dtype, "rate": self.rate_hz, "clock": self.clock or None,
            "unit": self.unit or None, "readable": self.readable, "reason": self.reason or None,
            "note": self.note or None,
        }  # fmt: skip


def describe(name: str, shape: tuple[int, ...], dtype: str, **more: Any) -> Variable:
    """Return the Variable of a shape and type: one column of whole numbers or text can serve as labels."""
    if prod(shape) > max(shape, default=0):
        return Variable(name, shape, dtype, "matrix", **more)
    return Variable(name, shape, dtype, "column" if "float" in dtype else "label", **more)


def unreadable(name: str, reason: str, shape: tuple[int, ...] = (), dtype: str = "other") -> Variable:
    """Return a variable that is listed but cannot be read, with the reason."""
    return Variable(name, shape, dtype, "other", reason=reason)


class Labels:
    """A column of labels: codes 0..K-1, -1 if a row has none, and their texts in order."""

    ndim = 1

    def __init__(self, codes: np.ndarray, names: Sequence[str]) -> None:
        self.codes, self.names = np.asarray(codes, np.int64), tuple(map(str, names))

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Any) -> "Labels":
        return Labels(self.codes[rows], self.names)

    @property
    def shape(self) -> tuple[int, ...]:
        """One code per row."""
        return self.codes.shape


def labels_of(texts: Iterable[str]) -> Labels:
    """Return texts as labels in alphabetical order; an empty one is a gap."""
    given = np.array([str(text).strip() for text in texts], np.str_)
    there = given != ""
    codes = np.full(len(given), -1, np.int64)
    names, codes[there] = np.unique(given[there], return_inverse=True)
    return Labels(codes, names.tolist())


class Ragged(NamedTuple):
    """Trials of different lengths, as one array [time, unit] per trial."""

    pieces: list[np.ndarray]


@dataclass(frozen=True)
class Intervals:
    """A table of trials or epochs: the variables with its starts and stops, and the columns that describe them."""

    name: str
    start: str
    stop: str
    columns: tuple[str, ...] = ()
    own_rows: bool = False  # the table itself is the data: its rows are the examples
    phase: str = ""  # the variable that offers the position within the interval, 0 to 1


@dataclass(frozen=True)
class Question:
    """A question that the file does not settle: its subject, the possible answers, and the option that answers it."""

    about: str
    candidates: tuple[str, ...]
    option: str
    why: str

    def as_dict(self) -> dict[str, Any]:
        """Return what `inspect --json` prints of it."""
        return {"about": self.about, "candidates": list(self.candidates), "option": self.option, "why": self.why}


class Undecided(DataError):
    """A question must be answered before the file can be read; `question` has the candidates and the option."""

    def __init__(self, path: Path, question: Question) -> None:
        shown = ", ".join(question.candidates[:12]) + (" ..." if len(question.candidates) > 12 else "")
        super().__init__(f"{path.name}: {question.why} ({shown}); answer with {question.option}.")
        self.question = question
        self.record: ReadingRecord | None = None


@dataclass
class ReadingRecord:
    """How a file was read. The Dataset and every run on it keep this record, so it can always be looked up."""

    variables: list[Variable] = field(default_factory=list)
    x: dict[str, Any] | None = None
    u: dict[str, Any] | None = None
    z: dict[str, Any] | None = None
    rows: int | None = None
    rate: float | None = None
    left_out: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    units: dict[str, dict[str, Any]] = field(default_factory=dict)  # by name, their area and depth where stated

    def leave_out(self, what: str, rows: int, total: int, why: str) -> None:
        """Count rows or bins that were left out of the data."""
        if rows:
            self.left_out.append({"what": what, "rows": int(rows), "why": why})
            self.notes.append(f"{int(rows):,} of {int(total):,} {what} left out, {why}")

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as `inspect --json` prints them and about.json keeps them."""
        return {
            "variables": [v.as_dict() for v in self.variables[:2000]],
            "x": self.x, "u": self.u, "z": self.z, "rows": self.rows, "rate": self.rate,
            "left_out": self.left_out, "notes": self.notes, "questions": [q.as_dict() for q in self.questions],
        } | ({"units": self.units} if self.units else {})  # fmt: skip


class Part(NamedTuple):
    """The part of a variable to load: all of it, or the rows `kept` along `axis`; or lists of event times."""

    axis: int = 0
    kept: np.ndarray | None = None
    events: bool = False


def rows_of(parts: Mapping[str, Part], n: int) -> np.ndarray:
    """Return which of n rows to read: variables that are read together are read at the same rows."""
    kept = next(iter(parts.values())).kept
    return np.arange(n) if kept is None else kept


@dataclass(frozen=True)
class Recording:
    """The content of a file or folder, before any of it is read.

    Attributes:
        path: Used in messages.
        variables: All variables in the file; unreadable ones carry the reason.
        load: Reads some of the variables, as stored arrays, Labels, or lists of times.
        groups: Containers (structs, groups) by name, with what each one is.
        x: The format's choice for x; likewise u and z. `NAME[:3]` stands for the first three columns.
        u: See x.
        z: See x.
        why_x: Explains the format's choice of x, if it may surprise.
        refused_x: Why nothing can be x unless it is named; "" if something can.
        notes: Facts about the whole file that may surprise.
        rate_hz: Sampling rate of the rows, if the format has one for all of them.
        axes: Which axis of an array is rows, if the format says so.
        n: Number of rows of x, if `axes` determines it.
        clocks: For each variable, the one that holds its times in seconds.
        seconds: Whether clocks are in seconds by the format's standard.
        intervals: Tables of trials and epochs.
        gaps: Reads the intervals outside of which event times say nothing, and the name of their source.
        speed: The variable that holds the animal's speed.
        quality: Qualities of the units that the format's users use by default; () for any.
        layout: "C": rows first, as numpy writes; "F": any axis may be rows, as MATLAB's users store them; "table":
            columns of one table, whose rows are the examples.
        untyped: Whether the format stores whole numbers as floats (MATLAB, text).
        meta: Source, licence, units.
        licence: The licence known for this format, if nothing in or beside the file states another.
        columns: Names of a variable's columns (for events: of its units), if it has any; factors included.
        known: Other fields of the Dataset that the format knows.
        scale: Returns the factor from stored x to the model's units, once pictures have been read.
        close: Closes what was opened for the recording.
    """

    path: Path
    variables: list[Variable]
    load: Callable[[Mapping[str, Part]], dict[str, Any]]
    groups: Mapping[str, str] = field(default_factory=dict)
    x: tuple[str, ...] = ()
    u: tuple[str, ...] = ()
    z: tuple[str, ...] = ()
    why_x: str = ""
    refused_x: str = ""
    notes: tuple[str, ...] = ()
    rate_hz: float | None = None
    axes: Mapping[str, int] = field(default_factory=dict)
    n: int | None = None
    clocks: Mapping[str, str] = field(default_factory=dict)
    seconds: bool = False
    intervals: tuple[Intervals, ...] = ()
    gaps: Callable[[], tuple[np.ndarray, str] | None] | None = None
    speed: str = ""
    quality: tuple[str, ...] = ()
    layout: Literal["C", "F", "table"] = "C"
    untyped: bool = False
    meta: Mapping[str, str] = field(default_factory=dict)
    licence: str = ""
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    known: Callable[[tuple[str, ...], tuple[str, ...], tuple[str, ...]], dict[str, Any]] | None = None
    scale: Callable[[], float | None] | None = None
    close: Callable[[], None] = lambda: None

    def __enter__(self) -> "Recording":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def variable(self, name: str) -> Variable:
        """Return the variable with this name."""
        return next(v for v in self.variables if v.name == name)
