"""Trials: tables of them inside any file, and the phase within a trial, which no file has to store."""

import dataclasses
import re

from dvae_core.data.readers.model import PHASE, Intervals, Recording, Variable

_START = r"(starts?|start_?times?|t_?start|onsets?|begins?)"
_STOP = r"(stops?|stop_?times?|t_?stop|ends?|end_?times?|t_?end|offsets?)"
_FLAT = re.compile(rf"(?i)(trial|epoch|event|stim|stimulus)s?_?(?:{_START}|{_STOP})")
_NOTE = "0 to 1 within each trial, computed; with --circular the end meets the start"


def offered(recording: Recording) -> Recording:
    """Return the recording with the tables of trials that its names imply, and with the phase within trials as u."""
    intervals = recording.intervals if recording.layout == "table" else (*recording.intervals, *_found(recording))
    with_phase = tuple(t if t.own_rows else dataclasses.replace(t, phase=f"{_path(t.start)}{PHASE}") for t in intervals)
    known = {v.name for v in recording.variables}
    names = [t.phase for t in with_phase if t.phase]
    if not names and any(_of_trials(v) for v in recording.variables):
        names = [PHASE]
    sure = names != [PHASE] or bool(with_phase) or any(v.role == "trial" for v in recording.variables)
    note = _NOTE if sure else ""  # without a note it is not listed: only the user's --axes may make trials of an array
    added = [
        Variable(name, (1,), "float64", "column", note, ("time",), role=PHASE) for name in names if name not in known
    ]
    taken = known & {*names}  # the file has a variable of that name, which it may mean
    with_phase = tuple(dataclasses.replace(t, phase="") if t.phase in taken else t for t in with_phase)
    return dataclasses.replace(recording, variables=[*recording.variables, *added], intervals=with_phase)


def _of_trials(variable: Variable) -> bool:
    pictures = "height" in variable.axes
    return variable.readable and not pictures and (
        variable.role == "trial" or len(variable.shape) == 3 or "pieces, one below another" in variable.note
    )  # fmt: skip


def _path(name: str) -> str:
    """Return the struct or group of a variable, with its separator."""
    match = re.match(r".*[/.]", name)
    return match[0] if match else ""


def _prefix(name: str) -> str:
    """Return what precedes the last part of a name: the struct or group, or the word before _start."""
    flat = _FLAT.fullmatch(name)
    return f"{flat[1]}_" if flat else _path(name)


def _found(recording: Recording) -> list[Intervals]:
    """Return tables of starts and stops: the fields of a struct or group, or variables as trial_start, trial_stop."""
    sides: dict[str, dict[str, Variable]] = {}
    known = {name for t in recording.intervals for name in (t.start, t.stop)}
    for v in recording.variables:
        last = re.split(r"[/.]", v.name)[-1] if re.search(r"[/.]", v.name) else re.sub(r"^[^_]*?_", "", v.name)
        inside = re.search(r"[/.]", v.name) or _FLAT.fullmatch(v.name)
        if (
            not inside
            or not v.readable
            or v.kind in ("events", "other", "matrix")
            or "str" in v.dtype
            or v.name in known
        ):
            continue
        for side, pattern in (("start", _START), ("stop", _STOP)):
            if re.fullmatch(f"(?i){pattern}", last):
                sides.setdefault(_prefix(v.name), {})[side] = v
    tables = []
    for prefix, found in sides.items():
        if len(found) < 2 or max(found["start"].shape) != max(found["stop"].shape) or max(found["start"].shape) < 2:
            continue
        n = max(found["start"].shape)
        columns = [
            v.name for v in recording.variables
            if v.name.startswith(prefix) and not re.search("[/.]", v.name[len(prefix) :]) and v not in found.values()
            and v.readable and v.kind not in ("events", "other") and max(v.shape, default=0) == n
        ]  # fmt: skip
        name = prefix.rstrip("/._").removesuffix("{}") or "trials"
        tables.append(Intervals(name, found["start"].name, found["stop"].name, tuple(columns)))
    return tables
