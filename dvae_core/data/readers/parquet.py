"""Parquet files: columns, lists of one length, decimals, dates and categories."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dvae_core.data.dataset import DataError
from dvae_core.data.readers.columns import LOOK, MAX_COLUMNS, labels_in, of_columns, role_of
from dvae_core.data.readers.common import ReadOptions, check_budget, reading, rows_note
from dvae_core.data.readers.model import Part, Recording, Variable, unreadable
from dvae_core.data.readers.text_layout import GAPS, NUMBER


def recording(path: Path, options: ReadOptions) -> Recording:
    """Return the columns of a Parquet file; only those that are wanted are read."""
    rows, schema, index = _schema(path)
    part = None if options.rows is None or options.rows >= rows else options.rows
    variables, columns = [], {}
    for column in schema:
        variable, width = _parquet_variable(column, rows, index)
        variables.append(variable)
        if width:
            columns[column.name] = tuple(f"{column.name}{i + 1}" for i in range(width))
    texts = [v.name for v in variables if v.dtype == "str"]

    def load(parts: Mapping[str, Part]) -> dict[str, Any]:
        wanted = list(parts)
        widths = sum(len(columns.get(n, "1")) for n in wanted)
        check_budget(path, 8 * (part or rows) * widths, options.budget_bytes)
        table = _read_parquet(path, wanted, [n for n in texts if n in wanted], part)
        out = {name: _parquet_values(path, name, table.column(name)) for name in wanted}
        return {n: v if parts[n].kept is None else v[parts[n].kept] for n, v in out.items()}

    notes = rows_note(rows, np.arange(part)) if part is not None else []
    fractions = _fractions(path, texts, min(rows, LOOK))
    even = [
        v.name
        for v in variables
        if v.readable and "int" in v.dtype and (not v.role or v.name not in index) and rows >= 10
    ]
    if even:  # a column that numbers the rows
        look = _read_parquet(path, even, [], min(rows, LOOK))
        for i, v in enumerate(variables):
            if v.name in even and not look.column(v.name).null_count:
                numbers = look.column(v.name).to_numpy().astype(np.float64)
                variables[i] = Variable(
                    v.name, v.shape, v.dtype, v.kind, axes=v.axes, role=role_of(v.name, numbers, True)
                )
    for i, v in enumerate(variables):
        if v.name in fractions and not v.role:
            why = "holds numbers as text; save it as numbers (pandas: frame[name].astype(float))"
            variables[i] = unreadable(v.name, why, v.shape, "column")
    strays = dict.fromkeys(fractions, "text")
    return of_columns(path, options, variables, load, notes, strays=strays, columns=columns)


def _fractions(path: Path, texts: list[str], rows: int) -> set[str]:
    """Return the columns of text that hold numbers with decimals: no labels, and no numbers as they are."""
    look = _read_parquet(path, texts, [], rows) if texts else None
    found = set()
    for name in texts:
        seen = [str(t).strip() for t in look.column(name).unique().to_pylist() if t is not None]  # type: ignore[union-attr]
        if len(seen) > 2 and all(NUMBER.fullmatch(t) or t in GAPS for t in seen) and sum("." in t for t in seen) > 1:
            found.add(name)
    return found


def _schema(path: Path) -> tuple[int, Any, set[str]]:
    with reading(path, pa.ArrowException):
        schema, rows = pq.read_schema(path), pq.read_metadata(path).num_rows
        known = json.loads((schema.metadata or {}).get(b"pandas", b"{}") or b"{}")
        index = {c for c in known.get("index_columns", []) if isinstance(c, str)} if isinstance(known, dict) else set()
    if not rows or len(set(schema.names)) < len(schema.names):
        raise DataError(
            f"{path.name} has {'two columns of one name' if rows else 'no rows'}; correct and save it again."
        )
    if len(schema) > MAX_COLUMNS:
        raise DataError(f"{path.name} has {len(schema):,} columns where {MAX_COLUMNS:,} can be read; save it as .npz.")
    return rows, schema, index


def _parquet_variable(column: Any, rows: int, index: set[str]) -> tuple[Variable, int]:
    """Return a description of a schema column, and its width if each row is a list."""
    name, kind = column.name, column.type
    axes = ("row",)
    labelled = pa.types.is_dictionary(kind)
    kind = kind.value_type if labelled else kind
    role = "index" if name in index else role_of(name, None, False)
    if pa.types.is_fixed_size_list(kind) and _is_number(kind.value_type):
        width = int(kind.list_size)
        dtype = np.dtype(kind.value_type.to_pandas_dtype()).name
        return Variable(name, (rows, width), dtype, "matrix", f"lists of {width}", ("row", "unit"), role=role), width
    if labelled or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return Variable(name, (rows,), "str", "label", axes=axes, role=role), 0
    if pa.types.is_decimal(kind):
        return Variable(name, (rows,), "float64", "column", "decimals", axes, role=role), 0
    if _is_number(kind):
        dtype = np.dtype(kind.to_pandas_dtype()).name
        return Variable(name, (rows,), dtype, "column" if "float" in dtype else "label", axes=axes, role=role), 0
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return Variable(name, (rows,), "float64", "column", "dates, in seconds", axes, role=role or "clock"), 0
    if (pa.types.is_list(kind) or pa.types.is_large_list(kind)) and _is_number(kind.value_type):
        return Variable(name, (rows, 0), "float64", "matrix", "lists", ("row", "unit"), role=role), 0
    return unreadable(name, f"is {kind}, neither numbers nor text; save its parts as separate columns", (rows,),
                      "table"), 0  # fmt: skip


def _is_number(kind: Any) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)


def _parquet_values(path: Path, name: str, column: Any) -> Any:
    """Return a column as an array (of lists: [rows, width]) or as labels."""
    kind = column.type
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        frame = column.to_pandas()
        return labels_in(frame.astype(object).map(lambda t: t if t is None or t != t else str(t)), False)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        flat = column.combine_chunks()
        values = np.concatenate([c.flatten().to_numpy(zero_copy_only=False) for c in _chunks(flat)])
        width = len(values) // max(1, len(column))
        lengths = {len(v) for v in column.slice(0, 1000).to_pylist() if v is not None}
        if column.null_count or len(values) != width * len(column) or lengths != {width}:
            raise DataError(f"Column {name} of {path.name} holds lists of different lengths; save lists of one length.")
        return values.reshape(len(column), width)
    if pa.types.is_temporal(kind):
        return column.to_pandas().astype("datetime64[ns]").astype("int64").to_numpy() / 1e9
    if pa.types.is_decimal(kind):
        return column.cast(pa.float64()).to_pandas().to_numpy()
    values = column.to_pandas()
    if pa.types.is_boolean(kind) and column.null_count:
        return labels_in(values.astype(object).map(lambda v: None if v is None else str(v)), False)
    return values.to_numpy()


def _chunks(column: Any) -> list[Any]:
    return column.chunks if isinstance(column, pa.ChunkedArray) else [column]


def _read_parquet(path: Path, wanted: list[str], texts: list[str], rows: int | None) -> pa.Table:
    with reading(path, pa.ArrowException):
        # text stays a dictionary: a long text that repeats is stored once, in memory as in the file
        file = pq.ParquetFile(path, read_dictionary=texts)
        if rows is None:
            return file.read(wanted)
        batches, have = [], 0
        for batch in file.iter_batches(min(rows, 2**16), columns=wanted):
            batches.append(batch)
            have += len(batch)
            if have >= rows:
                break
        return pa.Table.from_batches(batches)[:rows]
