"""The last step of reading: the Dataset with its names, its record, and sentences about what is missing."""

import re
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core.data.dataset import DataError, Dataset, MissingValues
from dvae_core.data.readers import units
from dvae_core.data.readers.along import Along
from dvae_core.data.readers.auxiliary import auxiliary_of, factors_of
from dvae_core.data.readers.choose import Choice, Layout
from dvae_core.data.readers.columns import role_of
from dvae_core.data.readers.common import ReadOptions, is_whole, licence_beside
from dvae_core.data.readers.model import Labels, Part, Question, ReadingRecord, Recording, Undecided

FILL_VALUES = (-99, -999, -9999, -99999, 999, 9999, 99999)  # that programs write for a missing value


def finish(
    recording: Recording, options: ReadOptions, choice: Choice, out: Along, record: ReadingRecord, *,
    rate: float | None, layout: Layout | None = None, x_names: tuple[str, ...] = (),
    meta: Mapping[str, str] | None = None,
) -> Dataset:  # fmt: skip
    """Build the Dataset from the aligned parts: flatten pictures, encode labels, complete the record."""
    path, known = recording.path, out.known
    everything = bool(known.all())
    x = out.rows.x if everything else out.rows.x[known]
    more: dict[str, Any] = recording.known(choice.x, choice.u, choice.z) if recording.known else {}
    shape = options.x_shape or more.pop("x_shape", None)
    if x.ndim > 2:
        shape, x = x.shape[1:], x.reshape(len(x), -1)
    elif recording.layout == "F" and is_whole(x):
        x = x.astype(np.int64)
    if recording.layout == "table" and shape is None and not options.no_picture:
        _ask_for_pixels(recording, x)
    scale = more.pop("x_scale", None) or (recording.scale() if recording.scale else None)
    if scale is None:
        scale = 1 / 255 if shape and x.dtype.kind in "iu" and x.max() > 1 else 1.0
    names = x_names or more.pop("x_names", ()) or _titles(recording, choice.x, choice.columns, x.shape[1], shape)
    if not x_names and shape is None and recording.layout != "table":
        record.units = units.described(recording, names, choice.x, np.arange(len(names)), len(names))
    if not x_names and (units.chooses_units(options) or recording.quality):
        x, names = _some_units(recording, options, choice, record, x, tuple(names), shape, options.rate_hz or rate)
    given: dict[str, Any] = {"x_names": names, "x_shape": shape, "x_scale": scale}
    if choice.u:
        given |= auxiliary_of(recording, options, choice, out, record, more.pop("u_labels", ()))
    if choice.z:
        given |= factors_of(recording, choice, out, record)
    given |= {k: v for k, v in more.items() if k not in ("x_names", "licence") and not (k == "rate_hz" and rate)}
    index = out.rows.at if everything else out.rows.at[known]
    if index.dtype.kind == "f" or not np.array_equal(index, np.arange(len(index))):
        given["index"] = index
    for role in ("trial", "session"):
        if (values := numbering(recording, choice, out.rows.at, role)) is not None and len(values) == len(known):
            given[role] = np.unique(values[known], return_inverse=True)[1]
            record.notes.append(f"the {role} of each row is {_numbers(recording, choice, out.rows.at, role)[0]}")
    record.notes += _fill_values(x, names) if shape is None else []
    if out.trial is not None:
        given["trial"] = np.unique(out.trial[known], return_inverse=True)[1]
    licence = more.get("licence") or recording.licence
    licences = ({"licence": licence} if licence else {}) | licence_beside(path)
    meta = {"source": path.name, **licences, **recording.meta, **(meta or {}), **given.pop("meta", {})}
    meta |= {"notes": "; ".join(dict.fromkeys(record.notes))} if record.notes else {}
    given.setdefault("rate_hz", options.rate_hz or rate)
    reading = _reading(record, choice, given, x, rate)
    try:
        return Dataset(name=given.pop("name", path.stem), x=x, meta=meta, **given, reading=reading)
    except MissingValues as error:
        error.args = (_gaps(path, error.given),)
        raise


def numbering(recording: Recording, choice: Choice, at: np.ndarray, role: str) -> np.ndarray | None:
    """Return the trial (or session) of each row, if one variable that is not chosen numbers them by its name."""
    found = _numbers(recording, choice, at, role)
    if len(found) != 1 or found[0] in (*choice.x, *choice.u):
        return None
    sessions = _numbers(recording, choice, at, "session") if role == "trial" else []
    kept = at if at.dtype.kind != "f" else None
    rows = {name: int(recording.variable(name).shape[:1] == (1,)) for name in (*sessions, *found)}
    loaded = recording.load({name: Part(axis, kept) for name, axis in rows.items()})
    columns = [v.codes if isinstance(v, Labels) else np.asarray(v).ravel() for v in loaded.values()]
    # trial 1 of another session is another trial
    return columns[0] if len(columns) == 1 else np.unique(np.stack(columns, 1), axis=0, return_inverse=True)[1].ravel()


def _numbers(recording: Recording, choice: Choice, at: np.ndarray, role: str) -> list[str]:
    """Return the columns of a table with this role, or the arrays of such a name with an entry for every row of x."""
    if recording.layout == "table":
        return [v.name for v in recording.variables if v.role == role and v.readable]
    lengths = recording.variable(choice.x[0]).shape
    if at.dtype.kind == "f":  # rows are bins of event times
        return []
    return [
        v.name for v in recording.variables
        if v.readable and v.kind in ("column", "label") and role_of(re.split(r"[/.]", v.name)[-1], None, False) == role
        and prod(v.shape) == max(v.shape, default=0) and prod(v.shape) in lengths and prod(v.shape) > at.max(initial=0)
    ]  # fmt: skip


def _fill_values(x: np.ndarray, names: tuple[str, ...]) -> list[str]:
    """Return a note if columns hold a number that programs write for a missing value, far outside their other values.

    At most 4 million values are looked at, in evenly spaced rows.
    """
    part = x[:: max(1, -(-x.size // 4_000_000))]
    notes = []
    for fill in FILL_VALUES:
        if x.dtype.kind == "u" and fill < 0:
            continue
        is_fill = part == fill
        for j in np.flatnonzero(is_fill.sum(0) > 1):
            others = part[~is_fill[:, j], j].astype(np.float64)
            others = others[np.isfinite(others)]
            if len(others) and abs(fill) > 10 * max(np.abs(others).max(), 1e-9):
                notes.append(f"{names[j]} is {fill:g} in {int(is_fill[:, j].sum()):,} of {len(part):,} rows")
    if not notes:
        return []
    more = f" (and {len(notes) - 3:,} more)" if len(notes) > 3 else ""
    return [f"{', '.join(notes[:3])}{more}: if that stands for a missing value, leave those fields empty"]


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


def _some_units(
    recording: Recording, options: ReadOptions, choice: Choice, record: ReadingRecord, x: np.ndarray,
    names: tuple[str, ...], shape: Any, rate: float | None,
) -> tuple[np.ndarray, tuple[str, ...]]:  # fmt: skip
    """Return x and its names with only the units that the user wants."""
    if shape is not None:
        raise DataError(
            f"{recording.path.name} is pictures, whose pixels are not units; leave the choice of units out."
        )
    keep = units.chosen(recording, options, record, names, choice.x, np.arange(len(names)), len(names))
    counts = x.dtype.kind in "iu" and x.min(initial=0) >= 0 and rate
    often = units.active(recording, options, record, x.mean(0) * rate if counts else None, len(names))
    keep = keep if often is None else keep & often
    if not keep.any():
        raise DataError(f"No unit of {recording.path.name} fits every choice; choose others.")
    return x[:, keep], tuple(np.array(names)[keep].tolist())


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
