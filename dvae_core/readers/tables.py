"""Tables with named columns: .csv, .tsv, .txt and .parquet."""

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dvae_core.data import DataError, Dataset
from dvae_core.readers.arrays import MAX_LABELS, Variable, assemble, check_budget, check_names, describe, reading

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


def read(
    path: Path,
    *,
    x: tuple[str, ...],
    u: tuple[str, ...],
    z: tuple[str, ...],
    budget_bytes: int,
    rate_hz: float | None,
    x_shape: tuple[int, ...] | None,
) -> Dataset:
    """Read a table.

    By default a column called u, label or segment (or u1, u2, ...) is u, z1.. or s1.. are the true factors, and the
    other columns of numbers are x. One column of text or whole numbers in u is labels; several columns are numbers.
    """
    if path.suffix.lower() == ".parquet":
        rows, types = _parquet_types(path)
        x, u, z, notes = _choose(path, types, x, u, z)
        wanted = list(dict.fromkeys((*x, *u, *z)))
        check_budget(path, 8 * rows * len(wanted), budget_bytes)
        # text stays a dictionary: a long text that repeats is stored once, in memory as in the file
        texts = [name for name in wanted if types[name] == "str"]
        with reading(path, pa.ArrowException):
            frame = pq.ParquetFile(path, read_dictionary=texts).read(wanted).to_pandas(ignore_metadata=True)
    else:
        check_budget(path, path.stat().st_size, budget_bytes)
        lines, fields = _count_lines(path), _first_line(path)[1]
        check_budget(path, path.stat().st_size + 8 * lines * len(fields), budget_bytes)
        frame = _read_text(path)
        types = _types(frame)
        if not x:
            _refuse_strays(path, frame, [name for name, kind in types.items() if kind == "str" and name not in u])
        x, u, z, notes = _choose(path, types, x, u, z)
    _refuse_missing(path, frame, (*x, *u, *z))
    labels: tuple[str, ...] = ()
    if len(u) == 1 and types[u[0]] == "str":
        frame[u[0]], labels = _encode(path, u[0], frame[u[0]])
        types[u[0]] = "int64"
    for name in (*x, *u, *z):
        if types[name] == "str":
            raise DataError(_not_numbers(path, name, frame[name]))
    arrays = {name: frame[name].to_numpy() for name in (*x, *u, *z)}
    return assemble(path, arrays, x, u, z, notes, u_labels=labels, rate_hz=rate_hz, x_shape=x_shape)


def _choose(
    path: Path, types: dict[str, str], x: tuple[str, ...], u: tuple[str, ...], z: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], list[str]]:
    """Return the columns for x, u and z, chosen or by the rule of `read`, and notes on what the rule took."""
    check_names(path, (*x, *u, *z), [name for name, kind in types.items() if kind])
    notes = []
    many_u, many_z = ([name for name in types if p.fullmatch(name) and name not in x] for p in (_U_MANY, _Z))
    one_u = [name for name in types if _U_ONE.fullmatch(name) and name not in x]
    numeric = {name for name, kind in types.items() if kind and kind != "str"}
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


def _first_line(path: Path) -> tuple[str, list[str]]:
    """Return the separator and the fields of the first line."""
    with reading(path), open(path, encoding="utf-8-sig", newline="") as file:
        line = file.readline(2**22)
        separator = "\t" if path.suffix.lower() == ".tsv" else max(",\t;", key=line.count)
        fields = next(csv.reader([line], delimiter=separator), [])
    if len(fields) > MAX_COLUMNS:
        raise DataError(f"{path.name} has {len(fields):,} columns where {MAX_COLUMNS:,} can be read; save it as .npz.")
    return separator, fields


def _read_text(path: Path, rows: int | None = None) -> pd.DataFrame:
    separator, fields = _first_line(path)
    headless = all(_is_number(field) for field in fields)
    with reading(path):
        frame = pd.read_csv(
            path,
            sep=separator,
            header=None if headless else 0,
            names=[f"x{i + 1}" for i in range(len(fields))] if headless else None,
            nrows=rows,
            encoding="utf-8-sig",
            compression=None,
            skipinitialspace=True,
            low_memory=False,
        )
    if not isinstance(frame.index, pd.RangeIndex):  # pandas made an index of what the header does not name
        raise DataError(f"{path.name} has rows with more values than its {len(fields)} columns; check the separators.")
    if frame.empty:
        raise DataError(f"{path.name} has a header but no rows; save it again with its data.")
    frame.attrs["header lines"] = 0 if headless else 1
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


def _refuse_missing(path: Path, frame: pd.DataFrame, names: tuple[str, ...]) -> None:
    for name in names:
        missing = np.asarray(frame[name].isna())
        if missing.any():
            raise DataError(
                f"Column {name} of {path.name} has {missing.sum():,} missing values in {len(frame):,} rows, the first "
                f"in row {missing.argmax() + 1:,}; fill them or remove those rows."
            )


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
