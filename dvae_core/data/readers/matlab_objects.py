"""MATLAB's own objects in a .mat file (tables, strings, categoricals, datetimes, durations) as plain columns.

The package mat-io converts them in a separate process (`matlab_objects_child.py`). Without the package, or if it
fails on an object, that object stays in the list of variables as unreadable, with advice on what to save instead.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dvae_core.data.dataset import UNREADABLE
from dvae_core.data.readers import matlab_objects_child
from dvae_core.data.readers.model import Part, Variable, describe, labels_of, unreadable

KINDS = ("table", "timetable", "string", "categorical", "datetime", "duration")
PATIENCE_S = 60.0  # it imports pandas and scipy


class Column(NamedTuple):
    """A column of an object (or a whole vector, if it has no name): numbers, texts or seconds; kind "" for others."""

    of: str
    name: str
    kind: str
    values: np.ndarray


def converted(path: Path, variables: Sequence[Variable], budget_bytes: int) -> list[Column]:
    """Return the columns of all objects that mat-io understands; [] if there are none or it is not installed."""
    names = [
        v.name for v in variables if v.dtype in KINDS and not v.readable and "." not in v.name and "{" not in v.name
    ]
    if not names:
        return []
    command = [sys.executable, "-P", matlab_objects_child.__file__, str(path.absolute()), str(budget_bytes), *names]
    try:
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=False)
        with np.load(BytesIO(done.stdout), allow_pickle=False) as answer:
            index = json.loads(str(answer["index"]))
            return [Column(e["object"], e["column"], e["kind"], answer[f"a{i}"]) for i, e in enumerate(index)]
    except (subprocess.TimeoutExpired, *UNREADABLE):  # an empty answer: the process failed
        return []


def described(columns: Sequence[Column], *, alone: bool) -> dict[str, tuple[Variable, Any]]:
    """Return a variable and its values for each column, called object.column, or column if the table stands alone."""
    found: dict[str, tuple[Variable, Any]] = {}
    for column in columns:
        name = column.name if alone and column.name else f"{column.of}.{column.name}" if column.name else column.of
        note = "a column of a MATLAB table" if column.name else "a MATLAB object"
        values: Any = column.values
        if not column.kind:
            why = "holds neither plain numbers nor texts; save it as a separate variable"
            found[name] = unreadable(name, why, (), "object"), values
            continue
        if column.kind == "texts":
            values = labels_of(column.values.tolist())
            found[name] = Variable(name, values.shape, "str", "label", note, ("row",)), values
            continue
        seconds = {"unit": "s", "role": "clock"} if column.kind == "seconds" else {}
        found[name] = describe(name, values.shape, values.dtype.name, note=note, axes=("row",), **seconds), values
    return found


def loaded(found: Mapping[str, tuple[Variable, Any]], parts: Mapping[str, Part]) -> dict[str, Any]:
    """Return the values of these variables, or only their rows `kept`."""
    return {
        name: found[name][1] if part.kept is None else found[name][1][part.kept]
        for name, part in parts.items()
        if name in found
    }
