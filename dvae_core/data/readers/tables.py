"""Tables with named columns: .csv, .tsv, .txt, .arff and .parquet.

The header of an ARFF is read here and its rows by pandas, as those of a CSV: scipy.io.arff goes row by row in Python,
and answers damaged files with a dozen kinds of exception.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dvae_core.data.dataset import DataError, Dataset, MissingValues
from dvae_core.data.readers.common import (
    MAX_LABELS,
    Ask,
    Variable,
    assemble,
    check_budget,
    check_names,
    describe,
    reading,
    rows_note,
)

MAX_COLUMNS = 20_000

# Columns taken for u and for the true factors where none are chosen; one of the first group, or all of the second.
_U_ONE, _U_MANY, _Z = re.compile("u|labels?|segment"), re.compile(r"u\d+"), re.compile(r"z|s|[zs]\d+")


def inspect(path: Path) -> list[Variable]:
    """List the columns of a table; types in a text file are those of its first 1,000 rows."""
    if path.suffix.lower() == ".parquet":
        rows, types = _parquet_types(path)
    else:
        frame = _read_text(path, rows=1000)
        rows, types = _count_lines(path) - frame.attrs["header lines"], _types(frame)
    return [describe(name, (rows,), kind) for name, kind in types.items() if kind]


def read(path: Path, ask: Ask) -> Dataset:
    """Read a table.

    By default a column called u, label or segment (or u1, u2, ...) is u, z1.. or s1.. are the true factors, and the
    other columns of numbers are x; in an ARFF whose last attribute is nominal, that one is u. One column of text or
    whole numbers in u is labels; several columns are numbers.
    """
    default_u = ""
    if path.suffix.lower() == ".parquet":
        rows, types = _parquet_types(path)
        x, u, z, notes = _choose(path, types, ask)
        wanted = list(dict.fromkeys((*x, *u, *z)))
        part = None if ask.rows is None or ask.rows >= rows else ask.rows
        check_budget(path, 8 * (part or rows) * len(wanted), ask.budget_bytes)
        frame = _read_parquet(path, wanted, [name for name in wanted if types[name] == "str"], part)
    else:
        layout = _layout(path)
        rows = max(1, _count_lines(path) - layout.header_lines)
        part = None if ask.rows is None or ask.rows >= rows else ask.rows
        size = path.stat().st_size * (part or rows) // rows + 8 * (part or rows) * len(layout.fields)
        check_budget(path, size, ask.budget_bytes)
        frame = _read_text(path, part)
        types, default_u = _types(frame), layout.default_u
        if not ask.x:
            mixed = [name for name, kind in types.items() if kind == "str" and name not in (*ask.u, default_u)]
            _refuse_strays(path, frame, mixed)
        x, u, z, notes = _choose(path, types, ask, default_u)
    if part is not None:
        notes += rows_note(rows, np.arange(part))
    gaps = _missing(path, frame, (*x, *u, *z))
    if any(types[name] == "str" for name in gaps):
        raise DataError(next(iter(gaps.values())))
    labels: tuple[str, ...] = ()
    if len(u) == 1 and types[u[0]] == "str":
        frame[u[0]], labels = _encode(path, u[0], frame[u[0]])
        types[u[0]] = "int64"
    for name in (*x, *u, *z):
        if types[name] == "str":
            raise DataError(_not_numbers(path, name, frame[name]))
    arrays = {name: frame[name].to_numpy() for name in (*x, *u, *z)}
    try:
        return assemble(path, arrays, x, u, z, notes, u_labels=labels, rate_hz=ask.rate_hz, x_shape=ask.x_shape)
    except MissingValues as error:
        error.args = tuple(gaps.values())[:1] or error.args  # says the column and row as they are in the file
        raise


def _read_parquet(path: Path, wanted: list[str], texts: list[str], rows: int | None) -> pd.DataFrame:
    with reading(path, pa.ArrowException):
        # text stays a dictionary: a long text that repeats is stored once, in memory as in the file
        file = pq.ParquetFile(path, read_dictionary=texts)
        if rows is None:
            return file.read(wanted).to_pandas(ignore_metadata=True)
        batches, have = [], 0
        for batch in file.iter_batches(min(rows, 2**16), columns=wanted):
            batches.append(batch)
            have += len(batch)
            if have >= rows:
                break
        return pa.Table.from_batches(batches)[:rows].to_pandas(ignore_metadata=True)


def _choose(
    path: Path, types: dict[str, str], ask: Ask, default_u: str = ""
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], list[str]]:
    """Return the columns for x, u and z, chosen or by the rule of `read`, and notes on what the rule took."""
    x, u, z = ask.x, ask.u, ask.z
    check_names(path, (*x, *u, *z), [name for name, kind in types.items() if kind])
    notes = []
    many_u, many_z = ([name for name in types if p.fullmatch(name) and name not in x] for p in (_U_MANY, _Z))
    one_u = [name for name in types if _U_ONE.fullmatch(name) and name not in x]
    numeric = {name for name, kind in types.items() if kind and kind != "str"}
    if not u and default_u and default_u not in x:
        u = (default_u,)
        notes.append(f"u is {default_u}, the nominal attribute at the end")
    if not u and (one_u or many_u):
        u = tuple(one_u[:1] or many_u)
        notes.append(f"u is {', '.join(u)}, by name")
    if not z and not set(many_z) <= set(u):
        z = tuple(name for name in many_z if name not in u and name in numeric)
        notes += [f"true factors are {', '.join(z)}, by name"] if z else []
    if not x:
        named = {*u, *z, *one_u, *many_u, *many_z}
        x = tuple(name for name in types if name in numeric and name not in named and not name.startswith("Unnamed: "))
        left = [name for name in types if name not in (*x, *u, *z)]
        notes.append("x is all other columns of numbers" + (f", without {', '.join(left[:10])}" if left else ""))
    if not x:
        raise DataError(f"{path.name} has no columns of numbers for x; it has {', '.join(list(types)[:20])}.")
    return x, u, z, notes


def _types(frame: pd.DataFrame) -> dict[str, str]:
    numeric = pd.api.types.is_numeric_dtype
    return {str(name): kind.name if numeric(kind) else "str" for name, kind in frame.dtypes.items()}


def _parquet_types(path: Path) -> tuple[int, dict[str, str]]:
    """Return the number of rows and the type of each column, "" for those that are neither numbers nor text."""
    with reading(path, pa.ArrowException):
        schema, rows = pq.read_schema(path), pq.read_metadata(path).num_rows
    types = {}
    for column in schema:
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
            types[column.name] = np.dtype(kind.to_pandas_dtype()).name
        else:
            types[column.name] = "str" if pa.types.is_string(kind) or pa.types.is_large_string(kind) else ""
    if not rows or len(types) < len(schema):
        raise DataError(
            f"{path.name} has {'two columns of one name' if rows else 'no rows'}; correct and save it again."
        )
    # an index that pandas kept on writing is no column of the data
    return rows, {name: kind for name, kind in types.items() if not re.fullmatch(r"__index_level_\d+__", name)}


@dataclass(frozen=True)
class _Layout:
    """How a text file is laid out: what separates values, names of the columns, and lines before the rows."""

    separator: str
    fields: list[str]
    header_lines: int
    is_arff: bool = False
    default_u: str = ""


def _layout(path: Path) -> _Layout:
    if path.suffix.lower() == ".arff":
        layout = _arff_layout(path)
    else:
        with reading(path), open(path, encoding="utf-8-sig", newline="") as file:
            line = file.readline(2**22)
            separator = "\t" if path.suffix.lower() == ".tsv" else max(",\t;", key=line.count)
            fields = next(csv.reader([line], delimiter=separator), [])
        layout = _Layout(separator, fields, 0 if all(_is_number(field) for field in fields) else 1)
    if len(layout.fields) > MAX_COLUMNS:
        raise DataError(
            f"{path.name} has {len(layout.fields):,} columns where {MAX_COLUMNS:,} can be read; save it as .npz."
        )
    return layout


_ATTRIBUTE = re.compile(r"""@attribute\s+(?:'([^']*)'|"([^"]*)"|(\S+))\s*(.*)""", re.IGNORECASE)


def _arff_layout(path: Path) -> _Layout:
    fields, lines, kind = [], 0, ""
    with reading(path), open(path, encoding="utf-8-sig", newline="") as file:
        while line := file.readline(2**20):
            lines += 1
            word = line.strip()
            if word.lower().startswith("@data"):
                return _Layout(",", fields, lines, True, fields[-1] if kind.startswith("{") else "")
            if not word or word[0] == "%" or word.lower().startswith("@relation"):
                continue
            match = _ATTRIBUTE.match(word)
            if match is None or len(fields) > MAX_COLUMNS:
                raise ValueError(f"line {lines} is no @ATTRIBUTE")
            fields.append(next(name for name in match.groups()[:3] if name is not None))
            kind = match[4]
        raise ValueError("it has no @DATA")


def _read_text(path: Path, rows: int | None = None) -> pd.DataFrame:
    layout = _layout(path)
    names = None if layout.header_lines else [f"x{i + 1}" for i in range(len(layout.fields))]
    how: dict[str, Any] = {"header": 0 if layout.header_lines else None, "names": names}
    if layout.is_arff:
        if len(set(layout.fields)) < len(layout.fields) or not layout.fields:
            raise DataError(f"{path.name} has no attributes, or two of one name; correct and save it again.")
        how = {"header": None, "names": layout.fields, "skiprows": layout.header_lines, "comment": "%",
               "quotechar": "'", "na_values": ["?"]}  # fmt: skip
    with reading(path):
        frame = pd.read_csv(
            path,
            sep=layout.separator,
            nrows=rows,
            encoding="utf-8-sig",
            compression=None,
            skipinitialspace=True,
            low_memory=False,
            **how,
        )
    if not isinstance(frame.index, pd.RangeIndex):  # pandas made an index of what the header does not name
        raise DataError(
            f"{path.name} has rows with more values than its {len(layout.fields)} columns; check the separators."
        )
    if frame.empty:
        raise DataError(f"{path.name} has a header but no rows; save it again with its data.")
    frame.attrs["header lines"] = layout.header_lines
    return frame


def _count_lines(path: Path) -> int:
    count, last = 0, b"\n"
    with reading(path), open(path, "rb") as file:
        while chunk := file.read(2**20):
            count, last = count + chunk.count(b"\n"), chunk[-1:]
    return count + (last != b"\n")


def _encode(path: Path, name: str, column: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    # as objects, a dictionary's texts are shared between rows and sorted by text, not by first appearance
    codes, labels = pd.factorize(column.astype(object), sort=True)
    if len(labels) > MAX_LABELS:
        raise DataError(
            f"Column {name} of {path.name} has {len(labels):,} different texts where at most {MAX_LABELS} can be "
            "labels; choose another column for u."
        )
    return codes, tuple(map(str, labels))


def _missing(path: Path, frame: pd.DataFrame, names: tuple[str, ...]) -> dict[str, str]:
    """Return a sentence for every column with missing values."""
    gaps = {}
    for name in names:
        missing = np.asarray(frame[name].isna())
        if missing.any():
            gaps[name] = (
                f"Column {name} of {path.name} has {missing.sum():,} missing values in {len(frame):,} rows, the first "
                f"in row {missing.argmax() + 1:,}; fill them or remove those rows."
            )
    return gaps


def _refuse_strays(path: Path, frame: pd.DataFrame, texts: list[str]) -> None:
    """Refuse a column of numbers with some text in it: leaving it out of x in silence would be a wrong answer."""
    for name in texts:
        if np.mean([_is_number(value) for value in frame[name].head(1000)]) > 0.5:
            raise DataError(_not_numbers(path, name, frame[name]))


def _not_numbers(path: Path, name: str, column: Any) -> str:
    row, value = next(((i, value) for i, value in enumerate(column) if not _is_number(value)), (0, column.iloc[0]))
    return (
        f"Column {name} of {path.name} must be numbers, but row {row + 1:,} holds {str(value)[:40]!r}; correct it or "
        "choose other columns."
    )


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (ValueError, TypeError):
        return False
    return True
