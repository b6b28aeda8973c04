"""MATLAB files up to version 7: plain arrays, and the contents of structs and cells under names like beh.pupil.area.

The bytes are read by `mat_format`; version 7.3 (HDF5) by `mat73`, with the functions of this module.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core.data.readers import matlab_objects, stringer
from dvae_core.data.readers.columns import of_columns, role_of
from dvae_core.data.readers.common import ReadOptions, reading
from dvae_core.data.readers.mat_format import BLOCK, PLAIN, Entry, entries_of, too_many
from dvae_core.data.readers.model import Labels, Part, Ragged, Recording, Variable, describe, labels_of, unreadable

LOOKED_AT = 200  # parts of a cell that are checked for rising values

_TIMED = re.compile(r"(?i)time(?!course|range)|spike(?!s?{})|event|stamp")
_CURES = {
    "table": "save its columns with table2array({0}) or as separate variables ({0}.name)",
    "timetable": "save its columns with {0}.Variables and its times with seconds({0}.Time)",
    "string": "save it with cellstr({0})", "categorical": "save it with cellstr({0}) or double({0})",
    "datetime": "save it with posixtime({0})", "duration": "save it with seconds({0})",
    "function handle": "save what it computes", "containers.Map": "save keys({0}) and values({0})",
}  # fmt: skip


class _Group:
    """All entries of one name, and whether the values checked so far rise, as times do."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.rises, self.seen = True, 0

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        vector = entry.kind in PLAIN and 1 < prod(entry.shape) == max(entry.shape) <= BLOCK
        if vector and self.rises and self.seen < LOOKED_AT and ("{}" in entry.name or _TIMED.search(entry.name)):
            values = np.asarray(entry.load()).ravel().astype(np.float64)
            good = values[np.isfinite(values)]
            self.rises = not len(good) or bool((np.diff(good) >= 0).all() and good[-1] > good[0])
            self.seen += 1


def recording(path: Path, options: ReadOptions) -> Recording:
    """List the content of a file: numeric arrays, struct fields by dotted names, cells of vectors as event times.

    MATLAB's own classes (tables, strings, datetimes) are listed with advice on what to save instead.
    """
    with reading(path), open(path, "rb") as file:
        variables, groups, texts = collect(entries_of(path, file))
    found = made(path, options, variables, partial(_load, path), groups)
    return stringer.known(found, lambda wanted: _load_texts(path, wanted & texts))


def made(
    path: Path, options: ReadOptions, variables: list[Variable], load: Callable[[Mapping[str, Part]], Any],
    groups: Mapping[str, str], **more: Any,
) -> Recording:  # fmt: skip
    """Return the recording of a MATLAB file of any version; a lone table is read as a table."""
    columns = matlab_objects.converted(path, variables, options.budget_bytes)
    objects = {column.of for column in columns}
    others = [v for v in variables if v.name not in objects]
    several = any(v.readable and prod(v.shape) > 1 for v in others)
    alone = len(objects) == 1 and bool(columns[0].name) and not several
    found = matlab_objects.described(columns, alone=alone)

    def load_all(parts: Mapping[str, Part]) -> dict[str, Any]:
        stored = {name: part for name, part in parts.items() if name not in found}
        return (load(stored) if stored else {}) | matlab_objects.loaded(found, parts)

    if alone:
        table = [replace(v, role=v.role or role_of(v.name, None, whole=False)) for v, _ in found.values()]
        return of_columns(path, options, [*others, *table], load_all, strays={}, untyped=True, **more)
    variables = [*others, *(variable for variable, _ in found.values())]
    groups = {**groups, **{c.of: "a MATLAB table" for c in columns if c.name}}
    sampled = (("unit", "time"), ("time", "unit"))
    axes = {v.name: sampled.index(v.axes) ^ 1 for v in variables if v.axes in sampled}
    return Recording(path, variables, load_all, groups=groups, layout="F", untyped=True, axes=axes, **more)


def collect(entries: Iterable[Entry]) -> tuple[list[Variable], dict[str, str], set[str]]:
    """Return the variables of a file, descriptions of its containers, and the names of single texts."""
    groups: dict[str, _Group] = {}
    for entry in entries:
        if entry.load is too_many:  # the parts seen are not all of them
            groups = {name: found for name, found in groups.items() if re.split(r"[.{]", name)[0] != entry.name}
        groups.setdefault(entry.name, _Group()).add(entry)
    variables, holders, texts = [], {}, set()
    for name, group in groups.items():
        others = {max(e.shape, default=0) for k, v in groups.items() if k != name for e in v.entries}
        what = _variable(name, group, others)
        if isinstance(what, Variable):
            variables.append(what)
            texts |= {name} if what.dtype == "text" else set()
        elif what:
            holders[name] = what
    return variables, holders, texts


def _variable(name: str, group: _Group, lengths: set[int]) -> Variable | str:
    """Return what a name stands for: a variable, readable or not, or a note on its content ("" if it is empty)."""
    entries, first = group.entries, group.entries[0]
    if "{}" not in name:
        if first.kind in PLAIN and not prod(first.shape):
            return unreadable(name, "is empty", first.shape, "empty")
        if first.kind in PLAIN:
            # a lone vector of rising numbers called so, as long as nothing else, cannot be counts beside something
            vector = "float" in first.kind and 1 < prod(first.shape) == max(first.shape)
            if vector and re.search("(?i)spike", name) and max(first.shape) not in lengths and group.rises:
                return Variable(name, first.shape, first.kind, "events", "event times, by its name")
            return describe(name, first.shape, first.kind)
        if first.kind == "char":
            if first.shape[0] > 1:
                return Variable(name, first.shape[:1], "str", "label", "a text a row")
            return unreadable(name, "is a text", first.shape, "text")
        return "a MATLAB struct" if first.kind == "struct" else _object(name, first)
    kinds, full = {e.kind for e in entries if prod(e.shape)}, [e.shape for e in entries if prod(e.shape)]
    if kinds == {"char"}:
        return Variable(name, (len(entries),), "str", "label")
    if not full:
        return ""
    if not kinds <= PLAIN:
        if kinds & {"struct"} or first.load is too_many:
            return f"a MATLAB {first.kind}"
        return unreadable(
            name, f"is a MATLAB cell of {', '.join(sorted(kinds))}; save its numbers", (len(entries),), "cell"
        )
    kind = first.kind if len(kinds) == 1 else "float64"
    sizes = {prod(shape) for shape in full}
    if all(prod(shape) == max(shape) for shape in full):
        even = len(sizes) == 1 and len(full) == len(entries)
        if even and not (group.rises and group.seen and _TIMED.search(name)):
            if sizes == {1}:
                return describe(name, (len(full), 1), kind)
            return describe(
                name, (len(full), *sizes), kind, axes=("unit", "time"), note="a cell of vectors, one a unit"
            )
        if not group.rises:
            why = "is vectors of different lengths whose values do not rise, so they are not times; pad or join them"
            return unreadable(name, why, (len(entries),), "cell")
        total = sum(prod(shape) for shape in full)
        return Variable(name, (len(entries),), kind, "events", f"{total:,} event times of {len(full)} units", ("unit",))
    if all(len(shape) == 2 for shape in full):
        if len(set(full)) == 1 and len(full) == len(entries) > 1:
            note = f"a cell of {len(full)} matrices"
            return describe(name, (len(full), *full[0]), kind, note=note, axes=("trial", "unknown", "unknown"))
        for axis in (0, 1):  # the axis whose length differs between pieces is time
            if len({shape[1 - axis] for shape in full}) == 1:
                rows = sum(shape[axis] for shape in full)
                note = f"{len(full)} pieces, one below another" + (", each turned" if axis else "")
                return describe(name, (rows, full[0][1 - axis]), kind, note=note, axes=("time", "unit"))
    why = f"is a ragged MATLAB cell ({len(full)} arrays whose shapes differ); save one array"
    return unreadable(name, why, (len(entries),), "cell")


def _object(name: str, entry: Entry) -> Variable:
    """Return an object of MATLAB's own classes as unreadable, with advice on what to save instead."""
    kind = entry.kind
    if entry.load is too_many:
        return unreadable(name, f"is a MATLAB {kind}; save the numbers in it", entry.shape, "struct")
    cure = _CURES.get(kind, "save the numbers in it as separate variables").format(name)
    return unreadable(name, f"is a MATLAB {kind}; {cure}", entry.shape, kind)


def _load(path: Path, parts: Mapping[str, Part]) -> dict[str, Any]:
    with reading(path), open(path, "rb") as file:
        return combine(entries_of(path, file, {re.split(r"[.{]", name)[0] for name in parts}), parts)


def combine(entries: Iterable[Entry], parts: Mapping[str, Part]) -> dict[str, Any]:
    """Return the named variables from all arrays in a file: arrays, or lists of vectors if a name is events."""
    pieces: dict[str, list[Any]] = {name: [] for name in parts}
    for entry in entries:
        if entry.name in parts:
            whole = "{}" in entry.name
            pieces[entry.name].append(entry.load() if whole else entry.load(*parts[entry.name][:2]))
    arrays: dict[str, Any] = {}
    for name, found in pieces.items():
        if "{}" not in name:
            arrays[name] = labels_of(found[0]) if isinstance(found[0], list) else found[0]
            continue
        if any(isinstance(piece, str | list) for piece in found):
            joined = [" ".join(piece) if isinstance(piece, list) else piece for piece in found]
            arrays[name] = labels_of([piece if isinstance(piece, str) else "" for piece in joined])
        else:
            if parts[name].events:
                arrays[name] = [piece.ravel(order="F") for piece in found]
                continue
            full = [piece for piece in found if piece.size]
            if all(piece.size == max(piece.shape) for piece in full):
                arrays[name] = np.stack([piece.ravel() for piece in full])
            elif len({piece.shape for piece in full}) == 1 and len(full) > 1:
                arrays[name] = np.stack(full)
            else:
                turn = len({piece.shape[1] for piece in full}) > 1
                upright = [piece.T if turn else piece for piece in full]
                if parts[name].kept is None:
                    arrays[name] = Ragged(upright)
                    continue
                arrays[name] = np.concatenate(upright)
        if isinstance(arrays[name], Labels):
            arrays[name] = arrays[name] if parts[name].kept is None else arrays[name][parts[name].kept]
        elif parts[name].kept is not None:
            arrays[name] = arrays[name].take(parts[name].kept, axis=parts[name].axis)
    return arrays


def _load_texts(path: Path, names: set[str]) -> dict[str, str]:
    if not names:
        return {}
    with reading(path), open(path, "rb") as file:
        entries = entries_of(path, file, {name.split(".")[0] for name in names})
        return {entry.name: entry.load() for entry in entries if entry.name in names}
