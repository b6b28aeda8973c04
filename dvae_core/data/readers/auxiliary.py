"""u as labels or numbers, and the true factors."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core.data.dataset import DataError, encode_labels
from dvae_core.data.readers import grids
from dvae_core.data.readers.along import Along, period_of
from dvae_core.data.readers.choose import Choice
from dvae_core.data.readers.common import ANGLES, MAX_LABELS, WHOLE_LABELS, ReadOptions, is_whole
from dvae_core.data.readers.model import Labels, ReadingRecord, Recording, labels_of


def auxiliary_of(
    recording: Recording,
    options: ReadOptions,
    choice: Choice,
    out: Along,
    record: ReadingRecord,
    known_labels: tuple[str, ...],
) -> dict[str, Any]:
    """Return u as codes and labels, or as numbers; one-hot columns, or one of whole numbers or text, are labels."""
    path, names = recording.path, choice.u
    parts = {n: (v if out.known.all() else v[out.known]) for n, v in out.values.items() if n in names}
    if len(names) == 1:
        name = names[0]
        values = parts[name]
        if isinstance(values, Labels):
            return {"u_names": (name,), **_few(path, name, values)}
        titles = columns_of(recording, name, values.shape[1], choice.columns)
        period = (
            out.periods.get(name) or (period_of(recording.variable(name), options, values, record),) * values.shape[1]
        )
        if any(period):
            return {"u": values, "u_names": titles, "u_period": period}
        found, labels, notes = labels_or_numbers(path, name, values, known_labels, untyped=recording.untyped)
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
        titles += columns_of(recording, name, values.shape[1], choice.columns)
        period = (
            out.periods.get(name) or (period_of(recording.variable(name), options, values, record),) * values.shape[1]
        )
        periods += period
        record.notes += _category_note(name, values)
    stacked = np.hstack(columns)
    if _is_one_hot(stacked) and stacked.shape[1] > 1 and not any(periods):
        return {"u": stacked.argmax(axis=1), "u_labels": tuple(titles), "u_names": (", ".join(names[:6]),)}
    given: dict[str, Any] = {"u": stacked, "u_names": tuple(titles)}
    return given | ({"u_period": tuple(periods)} if any(periods) else {})


def columns_of(recording: Recording, name: str, count: int, columns: Mapping[str, int]) -> tuple[str, ...]:
    """Return the names of a variable's columns: those of the file, or its own name with numbers."""
    given = recording.columns.get(name, ())
    if len(given) == count and name not in columns:
        return given
    return (name,) if count == 1 else tuple(f"{name}{i + 1}" for i in range(count))


def _category_note(name: str, values: np.ndarray) -> list[str]:
    if values.dtype.kind in "biu" or is_whole(values):
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


def labels_or_numbers(
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
        whole = [j for j in range(values.shape[1]) if values.dtype.kind != "f" or is_whole(values[:, j])]
        few = [j + 1 for j in whole if len(np.unique(values[:, j])) <= 20]
        notes = [f"column {few[0]} of {name} holds whole numbers and is read as a number, not as labels"] if few else []
        return values, (), notes
    column = values[:, 0]
    if column.dtype.kind == "f":
        finite = np.isfinite(column)
        whole = column[finite]
        few = len(whole) and is_whole(whole) and len(np.unique(whole)) <= WHOLE_LABELS
        if few and finite.all() and not untyped:
            return (
                values,
                (),
                [f"{name} is whole numbers stored as fractions, read as a number; save integers for labels"],
            )
        if not few:
            return values, (), []
        codes = np.full(len(column), -1, np.int64)
        codes[finite], labels = encode_labels(whole.astype(np.int64))
        return codes, labels, [f"{name} holds whole numbers and is read as {len(labels)} labels"]
    if column.dtype.kind == "U" and not np.char.strip(column).all():
        found = labels_of(column)
        return found.codes, found.names, []
    if column.dtype.kind in "iu" and ANGLES.search(name) and len(np.unique(column)) > WHOLE_LABELS:
        return values, (), []
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


def factors_of(recording: Recording, choice: Choice, out: Along, record: ReadingRecord) -> dict[str, Any]:
    """Return the true factors side by side; for known sets, factors that never change are left out."""
    parts, titles = [], []
    for name in choice.z:
        values = out.values[name]
        if isinstance(values, Labels):
            raise DataError(f"{name} of {recording.path.name} is texts; true factors are numbers, so choose others.")
        values = values if out.known.all() else values[out.known]
        names = columns_of(recording, name, values.shape[1], choice.columns)
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
