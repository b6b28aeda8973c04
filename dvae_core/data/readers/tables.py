"""Tables with named columns: .csv, .tsv, .txt, .arff and .parquet.

The layout of a text file is determined once, from its beginning (`layout_of`): the separator, whether commas are
decimals, and which lines precede the rows. Columns of fractions are then read as numbers and all others as text, so
that a label stays as it was written: 01 and 1 differ, and NA is a label like any other.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dvae_core.data.dataset import DataError
from dvae_core.data.readers import parquet
from dvae_core.data.readers.columns import CLOCK, LOOK, MAX_COLUMNS, labels_in, of_columns, role_of
from dvae_core.data.readers.common import (
    ANGLES,
    MAX_LABELS,
    WHOLE_LABELS,
    ReadOptions,
    check_budget,
    reading,
    rows_note,
)
from dvae_core.data.readers.model import FULL_CIRCLE, Labels, Part, Recording, Variable, unreadable
from dvae_core.data.readers.text_layout import COMMA, GAPS, NUMBER, Layout, layout_of

_AMBIGUOUS = re.compile(r"[+-]?\d+([.,]\d+)+")
FEW = 20  # different whole numbers: these may be labels
UNSURE = 0.6  # DeepLabCut's own default cutoff


def recording(path: Path, options: ReadOptions) -> Recording:
    """Return the columns of a table.

    By default, a column called u, label or segment (or u1, u2, ...) is u, z1.. or s1.. are the true factors, and the
    other columns of numbers are x. In an ARFF file whose last attribute is nominal, that attribute is u. Columns that
    number or time the rows (id, frame, trial, time, or any that rises evenly) are not data and are listed as such.
    """
    return parquet.recording(path, options) if path.suffix.lower() == ".parquet" else _text(path, options)


def _text(path: Path, options: ReadOptions) -> Recording:
    layout = layout_of(path)
    if len(layout.fields) > MAX_COLUMNS:
        raise DataError(
            f"{path.name} has {len(layout.fields):,} columns where {MAX_COLUMNS:,} can be read; save it as .npz."
        )
    rows = _count_rows(path, layout)
    part = None if options.rows is None or options.rows >= rows else options.rows
    size = 2 * path.stat().st_size * (part or rows) // max(1, rows) + 8 * (part or rows) * len(layout.fields)
    check_budget(path, size, options.budget_bytes)
    frame = _read_text(path, layout, part)
    total = rows if part is not None else len(frame)
    variables, values, strays, notes = [], {}, {}, list(layout.notes)
    for name in frame.columns:
        variable, found, note = _column(str(name), pd.Series(frame[name]), layout, total)
        if name in layout.confidence and variable.readable:
            variable = replace(variable, role="confidence")
            note = _unsure(str(name), found)
        variables.append(variable)
        values[variable.name] = found
        notes += [note] if note else []
        if not variable.readable:
            strays[variable.name] = variable.reason
    notes += rows_note(total, np.arange(part)) if part is not None else []

    numbers = {v.name for v in variables if v.readable and v.dtype != "str"}

    def load(parts: Mapping[str, Part]) -> dict[str, Any]:
        arrays = {}
        for name, part in parts.items():
            found = values[name]
            if isinstance(found, pd.Series):  # whole numbers or texts: labels if they are u
                as_u = ((options.u or made.u) == (name,) and name not in options.circular) or name not in numbers
                found = labels_in(found, name in layout.nominal) if as_u else _whole(found)
                if isinstance(found, Labels) and name in numbers and not _may_be_labels(name, found):
                    found = _whole(values[name])
            arrays[name] = found if part.kept is None else found[part.kept]
        return arrays

    made = of_columns(path, options, variables, load, notes, layout.default_u, strays, untyped=True)
    few = [
        n for n in made.x if isinstance(values[n], pd.Series) and values[n].nunique() <= min(FEW, len(values[n]) / 3)
    ]
    if few and len(few) < len(made.x) and any(v.name in made.x and v.kind == "column" for v in variables):
        note = f"{', '.join(few[:6])}: few whole numbers beside fractions; if they are labels, choose them as u"
        made = replace(made, notes=(*made.notes, note))
    return made


def _column(
    name: str, column: pd.Series, layout: Layout, rows: int
) -> tuple[Variable, np.ndarray | pd.Series | None, str]:
    """Return a description of a column, its values, and a note on how text became numbers.

    Fractions are returned as an array; whole numbers and texts stay a Series of texts, since they may be labels.
    """
    unit = layout.units.get(name, "")
    axes = ("row",)

    def made(dtype: str, kind: Any, numbers: np.ndarray | None, whole: bool) -> Variable:
        role = role_of(name, numbers, whole)
        return Variable(
            name, (rows,), dtype, kind, axes=axes, unit=unit, role=role, period=FULL_CIRCLE.get(unit.lower())
        )

    if column.dtype.kind == "f":
        return made("float64", "column", column.to_numpy(), False), column.to_numpy(), ""
    if name in layout.nominal:
        return Variable(name, (rows,), "str", "label", axes=axes), column, ""
    texts = column.to_numpy(dtype=object)
    there = ~np.isin(texts, GAPS)
    seen = texts[there]
    if not len(seen):
        return made("float64", "column", None, False), np.full(len(texts), np.nan), ""
    found, note, stray = numbers_of(seen, layout.decimal)
    if found is None:
        share = 1 - stray / len(seen)
        if sum(_AMBIGUOUS.fullmatch(str(t).strip()) is not None for t in seen) == len(seen):
            why = f"holds numbers such as {seen[0]}, whose mark may be decimal or for thousands; save them plainly"
            return unreadable(name, why, (rows,), "column"), None, ""
        if share > 0.5 and not CLOCK.fullmatch(name):
            pattern = COMMA if layout.decimal == "," else NUMBER
            odd = [i for i, t in enumerate(texts) if t not in GAPS and not pattern.fullmatch(str(t).strip())]
            row, value = odd[0], texts[odd[0]]
            shown = str(value)[:40]
            return (
                unreadable(name, f"must be numbers, but row {row + 1:,} holds {shown!r}", (rows,), "column"),
                None,
                "",
            )
        return (
            Variable(name, (rows,), "str", "label", axes=axes, unit=unit, role=role_of(name, None, False)),
            column,
            "",
        )
    values = np.full(len(texts), np.nan)
    values[there] = found
    whole = bool(np.isfinite(found).all() and (found == np.rint(found)).all() and np.abs(found).max() < 2**53)
    note = f"{name}: {note}" if note else ""
    if whole and not note:
        dtype = "int64" if there.all() else "float64"
        return made(dtype, "label", values, bool(there.all())), column, ""
    return made("float64", "column", values, whole and bool(there.all())), values, note


def _unsure(name: str, found: Any) -> str:
    """Return a note on how many positions of a body part the tracker was not sure of; they are kept."""
    values = np.asarray(found, np.float64) if isinstance(found, np.ndarray) else np.zeros(0)
    low = int((values < UNSURE).sum())
    part = name.removesuffix(" likelihood")
    return f"{part}: {low:,} of {len(values):,} positions have a likelihood below {UNSURE:g}" if low else ""


def numbers_of(texts: np.ndarray, decimal: str = ".") -> tuple[np.ndarray | None, str, int]:
    """Return texts as numbers, a note if this took more than plain digits, and how many are not numbers.

    It understands decimal commas (if the table uses them), thousands (1,234.5), per cent, and one unit shared by all.
    """
    plain = [str(t).strip().replace("\u2212", "-") for t in texts]  # the minus sign of typesetting
    pattern = COMMA if decimal == "," else NUMBER
    notes = ["minus signs of typesetting were read"] if any("\u2212" in str(t) for t in texts) else []
    strays = sum(pattern.fullmatch(t) is None for t in plain)
    if strays and decimal == ",":
        mixed = sum(COMMA.fullmatch(t) is None and NUMBER.fullmatch(t) is None for t in plain)
        if not mixed:
            return None, "", strays  # dots and commas in one column: their meaning is not clear
    if strays:
        # a dot before letters is not a decimal point: 000001.jpg is the name of a file
        ends = Counter(re.sub(r"^[\s+-]*[\d.,\s'eE+-]*\d([.,](?![a-zA-Z]))?\s*", "", t) for t in plain)
        (end, count), *_ = ends.most_common(1)
        if end and end[0] != "." and count == len(plain) and re.fullmatch(r"[%‰°µμΩ\w/^²³·*().\s-]{1,12}", end):
            plain = [t[: len(t) - len(end)].strip() for t in plain]
            notes.append(f"the unit {end!r} was removed" if end != "%" else "the per cent sign was removed")
        front = Counter(t[:1] for t in plain if not re.match(r"[\d+.,-]", t))
        if len(front) == 1 and (sign := next(iter(front))) in "$€£¥" and front[sign] == len(plain):
            plain, notes = [t[1:].strip() for t in plain], [*notes, f"the sign {sign} was removed"]
        still = sum(pattern.fullmatch(t) is None for t in plain)
        thousands = re.compile(
            r"[+-]?(?!0)\d{1,3}([,'’\s]\d{3})*(\.\d+)?"
        )  # \s: blanks of any width, unbreakable ones too
        if still and decimal == "." and all(NUMBER.fullmatch(t) or thousands.fullmatch(t) for t in plain):
            if all(re.fullmatch(r"[+-]?\d{1,3},\d{3}", t) for t in plain):
                return None, "", strays  # 1,234 in every row: a thousand, or one and a bit
            plain = [re.sub(r"[,'’\s]", "", t) for t in plain]
            notes.append("thousands separators were removed")
        elif still and decimal == "." and all(re.fullmatch(r"[+-]?\d+(,\d+)?", t) for t in plain):
            plain, pattern = [t.replace(",", ".") for t in plain], NUMBER
            notes.append("decimal commas read as decimal points")
        strays = sum(pattern.fullmatch(t) is None for t in plain)
    if strays:
        return None, "", strays
    if decimal == ",":
        if any("." in t for t in plain):
            if any(re.match(r"[+-]?(0\.|\d{4})", t) for t in plain):
                return None, "", len(plain)  # 0.5 or 1234,5 beside dots: these are not all thousands separators
            notes.append("dots were read as thousands separators")
        plain = [t.replace(".", "").replace(",", ".") for t in plain]
    return np.array([float(t) for t in plain]), ", ".join(notes), 0


def _may_be_labels(name: str, found: Labels) -> bool:
    """Whether whole numbers are labels: few enough that they do not count something, and written without decimals."""
    most = WHOLE_LABELS if ANGLES.search(name) else MAX_LABELS
    return len(found.names) <= most and not any(re.search(r"\.|[eE][+-]\d", name) for name in found.names)


def _whole(column: pd.Series) -> np.ndarray:
    """Return a column of whole numbers, as floats if some are missing."""
    texts = column.to_numpy(dtype=object)
    gap = np.isin(texts, GAPS)
    if gap.any():
        out = np.full(len(texts), np.nan)
        out[~gap] = [float(t) for t in texts[~gap]]
        return out
    values = np.array([float(str(t).replace(",", ".")) for t in texts])
    return values if any("." in str(t) or "e" in str(t) for t in texts[:LOOK]) else values.astype(np.int64)


def _read_text(path: Path, layout: Layout, rows: int | None) -> pd.DataFrame:
    """Return the columns: those of fractions as numbers, all others as the original text."""
    names = [*(["row names"] if layout.extra == "row names" else []), *layout.fields]
    names += [""] if layout.extra == "empty" else []
    how: dict[str, Any] = {
        "sep": layout.separator or "\0", "names": names, "header": None, "skiprows": layout.skip, "nrows": rows,
        "encoding": "utf-8-sig", "compression": None, "skipinitialspace": True, "low_memory": False,
        "keep_default_na": False,
    }  # fmt: skip
    if layout.is_arff:
        how |= {"comment": "%", "quotechar": "'"}
    with reading(path):
        first = _csv(path, dtype=str, **{**how, "nrows": min(rows or LOOK, LOOK)})
        _check_rows(path, first, layout)
        fractions = (
            []
            if layout.decimal == ","
            else [n for n in first if n not in layout.nominal and _fractions(pd.Series(first[n]))]
        )
        types = {n: "float64" if n in fractions else "str" for n in names}
        gaps = {n: list(GAPS) for n in fractions}
        try:
            frame = _csv(path, dtype=types, na_values=gaps, **how)
        except (ValueError, TypeError) as error:
            if isinstance(error, pd.errors.ParserError):
                raise
            frame = _csv(path, dtype=str, **how)  # a later value is not a number: it is named below
    _check_rows(path, frame, layout)
    if frame.empty:
        raise DataError(f"{path.name} has a header but no rows; save it again with its data.")
    if layout.extra == "empty":
        if any(str(t).strip() for t in frame[""].dropna()):
            raise DataError(f"{path.name} has rows with more values than its {len(layout.fields)} columns.")
        frame = frame.drop(columns="")
    if "row names" in frame:
        frame = frame.rename(columns={"row names": "Unnamed: 0"})
    return frame


def _csv(path: Path, **how: Any) -> pd.DataFrame:
    return pd.read_csv(path, **how)


def _check_rows(path: Path, frame: pd.DataFrame, layout: Layout) -> None:
    """Refuse rows with more or fewer values than there are columns, since their assignment is unknown."""
    if not isinstance(frame.index, pd.RangeIndex):  # pandas made an index of an unnamed column
        raise DataError(
            f"{path.name} has rows with more values than its {len(layout.fields)} columns; check the separators."
        )
    for name in list(frame.columns)[::-1]:
        column = frame[name]
        if column.dtype.kind == "f" or name == "":
            continue
        short = column.isna().to_numpy()
        if short.any():
            raise DataError(
                f"Row {short.argmax() + 1:,} of {path.name} has fewer values than the {len(layout.fields)} columns; "
                "check the separators."
            )
        break  # a short row lacks its last values


def _fractions(column: pd.Series) -> bool:
    """Whether a column holds numbers, some of them with decimals."""
    texts = [t.strip() for t in column if isinstance(t, str) and t.strip() not in GAPS]
    if not texts or not all(NUMBER.fullmatch(t) for t in texts):
        return False
    return any(float(t) % 1 for t in texts)


def _count_rows(path: Path, layout: Layout) -> int:
    """Return the number of rows of a text file; line breaks in quotes do not count."""
    with reading(path), open(path, "rb") as file:
        quote = b"'" if layout.is_arff else b'"'
        lines, quoted, rest = 0, False, b""
        while chunk := file.read(2**20):
            if quote in chunk or quoted:
                for i, part in enumerate(chunk.split(quote)):
                    if i:
                        quoted = not quoted
                    lines += 0 if quoted else part.count(b"\n")
            else:
                lines += chunk.count(b"\n")
            rest = chunk[-1:]
    return max(0, lines + (rest not in (b"\n", b"")) - layout.skip)
