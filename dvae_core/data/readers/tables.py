"""Tables with named columns: .csv, .tsv, .txt, .arff and .parquet.

The layout of a text file is determined once, from its beginning (`layout_of`): the separator, whether commas are
decimals, and which lines precede the rows. Columns of fractions are then read as numbers and all others as text, so
that a label stays as it was written: 01 and 1 differ, and NA is a label like any other.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dvae_core.data.dataset import DataError
from dvae_core.data.readers.common import MAX_LABELS, Ask, check_budget, reading, rows_note
from dvae_core.data.readers.model import FULL_CIRCLE, Intervals, Labels, Part, Recording, Variable, unreadable

MAX_COLUMNS = 20_000
SAMPLE_LINES, SAMPLE_BYTES = 200, 2**22  # the beginning, from which the layout is determined
UNSURE = 0.6  # DeepLabCut's own default cutoff
LOOK = 1000  # rows from which `inspect` infers types
GAPS = (
    "",
    "NA",
    "N/A",
    "#N/A",
    "NaN",
    "nan",
    "-nan",
    "NAN",
    "null",
    "NULL",
    "None",
    "?",
    "<NA>",
)  # in columns of numbers

# Default columns for u and for the true factors: one of the first group, or all of the second.
_U_ONE, _U_MANY, _Z = re.compile("u|labels?|segment"), re.compile(r"u\d+"), re.compile(r"z|s|[zs]\d+")
_CLOCK = re.compile(r"(?i)t|times?|timestamps?|date|date_?time|seconds|time[ _]?\(?(s|ms|sec|seconds)?\)?")
_INDEX = re.compile(
    r"(?i)|unnamed: \d+|ids?|idx|index|row|frames?|sample|epoch|\w+_id|level_\d+|__index_level_\d+__"
    r"|(rows?|frames?|samples?)_?(id|no|nr|number|index)"
)
_TRIAL = re.compile(r"(?i)trials?|trial_?(id|no|nr|number|index)")
_SESSION = re.compile(r"(?i)sessions?|session_?(id|no|nr|number)")
_START = re.compile(r"(?i)start|starts|start_?time|t_?start|onset|begin")
_STOP = re.compile(r"(?i)stop|stops|stop_?time|t_?stop|end|end_?time|t_?end|offset")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity)", re.IGNORECASE)
_COMMA = re.compile(r"[+-]?(\d+,\d*|,\d+|\d+)([eE][+-]?\d+)?|[+-]?\d{1,3}(\.\d{3})+(,\d+)?")
_ATTRIBUTE = re.compile(r"""@attribute\s+(?:'([^']*)'|"([^"]*)"|(\S+))\s*(.*)""", re.IGNORECASE)


@dataclass(frozen=True)
class Layout:
    """The layout of a text file.

    Attributes:
        separator: What separates values; a regular expression for blanks.
        fields: Names of the columns.
        skip: Physical lines before the rows.
        decimal: "." or ",".
        units: Units of the columns, if a line of them follows the names.
        extra: Columns without a name: "row names" at the start, or an empty one if every line ends in a separator.
        nominal: Columns that the file declares to be labels.
        has_header: Whether the names came from the file.
        confidence: Columns that state how sure a tracker is; they are no data.
        notes: Facts about the layout that may surprise.
    """

    separator: str
    fields: list[str]
    skip: int
    decimal: str = "."
    units: Mapping[str, str] = field(default_factory=dict)
    extra: str = ""
    nominal: frozenset[str] = frozenset()
    has_header: bool = True
    notes: tuple[str, ...] = ()
    is_arff: bool = False
    confidence: frozenset[str] = frozenset()
    default_u: str = ""


def recording(path: Path, ask: Ask) -> Recording:
    """Return the columns of a table.

    By default, a column called u, label or segment (or u1, u2, ...) is u, z1.. or s1.. are the true factors, and the
    other columns of numbers are x. In an ARFF file whose last attribute is nominal, that attribute is u. Columns that
    number or time the rows (id, frame, trial, time, or any that rises evenly) are not data and are listed as such.
    """
    return _parquet(path, ask) if path.suffix.lower() == ".parquet" else _text(path, ask)


def of_columns(
    path: Path, ask: Ask, variables: list[Variable], load: Any, notes: Sequence[str] = (), default_u: str = "",
    strays: Mapping[str, str] | None = None, columns: Mapping[str, tuple[str, ...]] | None = None, **more: Any,
) -> Recording:  # fmt: skip
    """Return the recording of a table: columns for x, u and z are chosen by the rule of `recording`."""
    usable = [v for v in variables if v.readable]
    names = [v.name for v in usable]
    chosen = {*ask.x, *ask.u, *ask.z}
    one_u = [n for n in names if _U_ONE.fullmatch(n) and n not in ask.x]
    many_u = [n for n in names if _U_MANY.fullmatch(n) and n not in ask.x]
    numbers = [v.name for v in usable if v.dtype != "str"]
    u = (default_u,) if default_u and default_u not in ask.x else tuple(one_u[:1] or many_u)
    many_z = tuple(n for n in names if _Z.fullmatch(n) and n in numbers and n not in (*u, *ask.x, *ask.u))
    z = many_z if not many_u or not {*many_z} <= {*u} else ()
    named = {*(ask.u or u), *(ask.z or z), *u, *one_u, *many_u, *many_z}
    x = tuple(v.name for v in usable if v.dtype != "str" and not v.role and v.name not in named)
    left = [v.name for v in usable if v.name not in (*x, *u, *z, *chosen) and not v.role]
    roles = [f"{v.name} ({v.role})" for v in usable if v.role and v.name not in chosen]
    why = ", all columns of numbers" + (f", without {', '.join(left[:10])}" if left else "")
    why += f"; {', '.join(roles[:6])} {'is' if len(roles) == 1 else 'are'} no data" if roles else ""
    hidden = [
        f"Column {v.name} of {path.name} {v.reason}" for v in variables if not v.readable and v.name in (strays or {})
    ]
    start = next((v.name for v in usable if _START.fullmatch(v.name) and v.dtype != "str"), "")
    stop = next((v.name for v in usable if _STOP.fullmatch(v.name) and v.dtype != "str"), "")
    tables = (Intervals(path.stem, start, stop, tuple(n for n in names if n not in (start, stop)), own_rows=True),)
    return Recording(
        path, variables, load, x=x, u=u, z=z, why_x=why, layout="table", notes=tuple(notes),
        refused_x=f"{hidden[0]}; correct it or choose other columns (--x NAME)." if hidden else "",
        intervals=tables if start and stop else (), columns=columns or {}, untyped=strays is not None, **more,
    )  # fmt: skip


def _role(name: str, numbers: np.ndarray | None, whole: bool) -> str:
    """Return a column's role if it is not data, judged by its name or because it rises evenly from row to row."""
    if _TRIAL.fullmatch(name):
        return "trial"
    if _SESSION.fullmatch(name):
        return "session"
    if _CLOCK.fullmatch(name):
        return "clock"
    if _INDEX.fullmatch(name):
        return "index"
    if numbers is not None and whole and len(numbers) >= 10:
        steps = np.diff(numbers)
        if steps[0] != 0 and (steps == steps[0]).all():
            return "index"
    return ""


# --- text -------------------------------------------------------------------------------------------------------------


def _text(path: Path, ask: Ask) -> Recording:
    layout = layout_of(path)
    if len(layout.fields) > MAX_COLUMNS:
        raise DataError(
            f"{path.name} has {len(layout.fields):,} columns where {MAX_COLUMNS:,} can be read; save it as .npz."
        )
    rows = _count_rows(path, layout)
    part = None if ask.rows is None or ask.rows >= rows else ask.rows
    size = 2 * path.stat().st_size * (part or rows) // max(1, rows) + 8 * (part or rows) * len(layout.fields)
    check_budget(path, size, ask.budget_bytes)
    frame = _read_text(path, layout, part)
    total = rows if part is not None else len(frame)
    variables, values, strays, notes = [], {}, {}, list(layout.notes)
    for name in frame.columns:
        variable, found, note = _column(path, str(name), pd.Series(frame[name]), layout, total)
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
                as_u = (ask.u or made.u) == (name,) or name not in numbers
                found = _labels(found, name in layout.nominal) if as_u else _whole(found)
                if isinstance(found, Labels) and name in numbers and not _may_be_labels(found):
                    found = _whole(values[name])
            arrays[name] = found if part.kept is None else found[part.kept]
        return arrays

    made = of_columns(path, ask, variables, load, notes, layout.default_u, strays)
    return made


def _column(
    path: Path, name: str, column: pd.Series, layout: Layout, rows: int
) -> tuple[Variable, np.ndarray | pd.Series | None, str]:
    """Return a description of a column, its values, and a note on how text became numbers.

    Fractions are returned as an array; whole numbers and texts stay a Series of texts, since they may be labels.
    """
    unit = layout.units.get(name, "")
    axes = ("row",)

    def made(dtype: str, kind: Any, numbers: np.ndarray | None, whole: bool) -> Variable:
        role = _role(name, numbers, whole)
        return Variable(
            name, (rows,), dtype, kind, axes=axes, unit=unit, role=role, period=FULL_CIRCLE.get(unit.lower())
        )

    if column.dtype.kind == "f":
        return made("float64", "column", None, False), column.to_numpy(), ""
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
        if share > 0.5 and not _CLOCK.fullmatch(name):
            pattern = _COMMA if layout.decimal == "," else _NUMBER
            odd = [i for i, t in enumerate(texts) if t not in GAPS and not pattern.fullmatch(str(t).strip())]
            row, value = odd[0], texts[odd[0]]
            shown = str(value)[:40]
            return (
                unreadable(name, f"must be numbers, but row {row + 1:,} holds {shown!r}", (rows,), "column"),
                None,
                "",
            )
        return Variable(name, (rows,), "str", "label", axes=axes, unit=unit, role=_role(name, None, False)), column, ""
    values = np.full(len(texts), np.nan)
    values[there] = found
    whole = bool(np.isfinite(found).all() and (found == np.rint(found)).all() and np.abs(found).max() < 2**53)
    note = f"{name}: {note}" if note else ""
    if whole and not note:
        dtype = "int64" if there.all() else "float64"
        return made(dtype, "label", values, bool(there.all())), column, ""
    return made("float64", "column", values if whole else None, whole and bool(there.all())), values, note


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
    plain = [str(t).strip() for t in texts]
    pattern = _COMMA if decimal == "," else _NUMBER
    notes = []
    strays = sum(pattern.fullmatch(t) is None for t in plain)
    if strays and decimal == ",":
        mixed = sum(_COMMA.fullmatch(t) is None and _NUMBER.fullmatch(t) is None for t in plain)
        if not mixed:
            return None, "", strays  # dots and commas in one column: their meaning is not clear
    if strays:
        ends = Counter(re.sub(r"^[\s+-]*[\d.,\s'eE+-]*\d[.,]?\s*", "", t) for t in plain)
        (end, count), *_ = ends.most_common(1)
        if end and count == len(plain) and re.fullmatch(r"[%‰°µμΩ\w/^²³·*().\s-]{1,12}", end):
            plain = [t[: len(t) - len(end)].strip() for t in plain]
            notes.append(f"the unit {end!r} taken off" if end != "%" else "per cent taken off")
        front = Counter(t[:1] for t in plain if not re.match(r"[\d+.,-]", t))
        if len(front) == 1 and (sign := next(iter(front))) in "$€£¥" and front[sign] == len(plain):
            plain, notes = [t[1:].strip() for t in plain], [*notes, f"{sign} taken off"]
        still = sum(pattern.fullmatch(t) is None for t in plain)
        thousands = re.compile(r"[+-]?\d{1,3}([,'  ]\d{3})*(\.\d+)?")
        if still and decimal == "." and all(_NUMBER.fullmatch(t) or thousands.fullmatch(t) for t in plain):
            plain = [re.sub(r"[,'  ]", "", t) for t in plain]
            notes.append("thousands separators taken out")
        elif still and decimal == "." and all(re.fullmatch(r"[+-]?\d+(,\d+)?", t) for t in plain):
            plain, pattern = [t.replace(",", ".") for t in plain], _NUMBER
            notes.append("decimal commas read as decimal points")
        strays = sum(pattern.fullmatch(t) is None for t in plain)
    if strays:
        return None, "", strays
    if decimal == ",":
        plain = [t.replace(".", "").replace(",", ".") for t in plain]
    return np.array([float(t) for t in plain]), ", ".join(notes), 0


def _labels(column: pd.Series, nominal: bool) -> Labels:
    """Return a column of texts as labels: any text is a label, and only an empty field (in ARFF ?) is a gap."""
    texts = column.astype(object).to_numpy()
    gap = np.array([not isinstance(t, str) or not t or (nominal and t == "?") for t in texts], bool)
    codes = np.full(len(texts), -1, np.int64)
    if not gap.all():
        found, names = pd.factorize(texts[~gap], sort=True)
        names = [str(n) for n in names]
        plain = [n for n in names if re.fullmatch(r"-?\d+", n)]
        order = (
            sorted(range(len(names)), key=lambda i: int(names[i])) if len(plain) == len(names) else range(len(names))
        )
        place = np.empty(len(names), np.int64)
        place[list(order)] = np.arange(len(names))
        codes[~gap] = place[found]
        names = [names[i] for i in order]
    else:
        names = []
    return Labels(codes, names)


def _may_be_labels(found: Labels) -> bool:
    """Whether whole numbers are labels: few enough that they do not count something, and written without decimals."""
    return len(found.names) <= MAX_LABELS and not any(re.search(r"\.|[eE][+-]\d", name) for name in found.names)


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


def layout_of(path: Path) -> Layout:
    """Determine the layout of a text file from its beginning.

    Raises:
        DataError: If its lines do not have the same number of values with any separator.
    """
    if path.suffix.lower() == ".arff":
        return _arff_layout(path)
    with reading(path), open(path, encoding="utf-8-sig", newline="") as file:
        head = file.read(SAMPLE_BYTES)
        more = bool(file.read(1))
    lines = list(_physical(head, more))
    skip, separator, notes = 0, "", []
    if lines and (match := re.fullmatch(r"(?i)sep=(.)\s*", lines[0])):
        separator, skip = match[1], 1
    comment = ""
    while skip < len(lines) and (not lines[skip].strip() or lines[skip].lstrip().startswith("#")):
        if lines[skip].strip():
            comment = lines[skip].lstrip()
        skip += 1
    body = lines[skip:]
    if not body:
        raise DataError(f"{path.name} has no rows; save it again with its data.")
    separator = separator or _separator(path, body)
    table = _split(body, separator)
    decimal = _decimal(table[1:] or table, separator)

    def number(text: str) -> bool:
        return text.strip() in GAPS or (_COMMA if decimal == "," else _NUMBER).fullmatch(text.strip()) is not None

    width = Counter(len(row) for row in table[1:] or table).most_common(1)[0][0]
    first = table[0]
    header, units = [], {}
    if comment:  # numpy.savetxt writes the names into a line that begins with #
        named = _split([comment.lstrip("# ")], separator)[0]
        if len(named) == width and all(map(number, first)) and not all(map(number, named)):
            header = [n.strip() for n in named]
    count, tracked = 0, False
    if not header and first[0].strip().lower() == "scorer" and len(table) > 3:  # DeepLabCut: scorer, bodyparts, coords
        count = next((i for i in range(1, 5) if i < len(table) and table[i][0].strip() == "coords"), 0) + 1
        levels = [row for row in table[1:count] if row[0].strip() != "scorer"]
        header = ["frame", *(" ".join(level[j].strip() for level in levels) for j in range(1, width))]
        tracked = True
        notes.append("a table of DeepLabCut")
    elif not header:
        others = table[1:]
        named = not all(map(number, first)) and not _are_values(first, others, number)
        if named or _numbers_as_names(first, others, decimal):
            header, count = [n.strip() for n in first], 1
            if others and _is_units(others, number):
                units = {h: u.strip() for h, u in zip(header, others[0], strict=False) if u.strip()}
                count = 2
                notes.append(f"units of the second line: {', '.join(f'{k} {v}' for k, v in list(units.items())[:6])}")
        if not first or (count == 1 and not others):
            raise DataError(f"{path.name} has a header but no rows; save it again with its data.")
    extra = ""
    if header and len(header) == width - 1:
        last = [row[-1] for row in table[count:] if len(row) == width]
        if all(not t.strip() for t in last):
            extra = "empty"
        elif _are_row_names([row[0] for row in table[count:]]):
            extra = "row names"
        else:
            raise DataError(
                f"{path.name} has rows with more values than its {len(header)} columns ({width}); check the separators."
            )
    elif (
        header
        and len(header) == width
        and not header[-1]
        and all(not r[-1].strip() for r in table[count:] if len(r) == width)
    ):
        header, extra = header[:-1], "empty"
    fields = header or [f"x{i + 1}" for i in range(width)]
    if header and len(header) not in (width, width - 1):
        raise DataError(
            f"{path.name} has rows with {'more' if width > len(header) else 'fewer'} values than its "
            f"{len(header)} columns ({width}); check the separators."
        )
    if decimal == ",":
        notes.append("commas are decimals")
    before = skip + sum(1 for _ in _consumed(body, count, separator))
    return Layout(
        separator,
        _unique(fields),
        before,
        decimal,
        units,
        extra,
        has_header=bool(header),
        notes=tuple(notes),
        confidence=frozenset(f for f in fields if tracked and f.endswith(" likelihood")),
    )


def _physical(head: str, more: bool) -> Iterator[str]:
    """Yield the lines of a beginning, without an incomplete last one."""
    lines = head.splitlines()
    yield from lines[: max(1, len(lines) - 1)] if more else lines


def _split(lines: Sequence[str], separator: str) -> list[list[str]]:
    """Return the values of the first lines, skipping blank ones; a line break in quotes does not end a row."""
    full = [line for line in lines if line.strip()]
    if separator == r"\s+":
        return [line.split() for line in full[:SAMPLE_LINES]]
    text = csv.reader((line + "\n" for line in lines), delimiter=separator or "\0", skipinitialspace=True)
    rows = []
    for row in text:
        if row and any(value.strip() for value in row):
            rows.append(row)
        if len(rows) >= SAMPLE_LINES:
            break
    return rows


def _consumed(lines: Sequence[str], rows: int, separator: str) -> Iterator[str]:
    """Yield the physical lines that make up the first rows."""
    taken: list[str] = []

    def feed() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            yield line + "\n"

    done = 0
    reader = csv.reader(feed(), delimiter="," if separator in ("", r"\s+") else separator)
    while done < rows:
        row = next(reader, None)
        if row is None:
            break
        done += bool(row and any(value.strip() for value in row))
    yield from taken if rows else ()


def _separator(path: Path, body: Sequence[str]) -> str:
    """Return the separator: the one that gives the same count in every line and the most numbers."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    best, score = "", (-1.0, -1.0)
    for separator in (",", ";", "\t", "|", r"\s+"):
        try:
            rows = _split(body, separator)
        except csv.Error:
            continue
        if not rows or max(map(len, rows)) < 2:
            continue
        width = Counter(len(row) for row in rows[1:] or rows).most_common(1)[0][0]
        same = np.mean([len(row) == width or (i == 0 and len(row) == width - 1) for i, row in enumerate(rows)])
        found = (round(float(same), 1), float(np.mean([_like_number(t) for row in rows[1:] or rows for t in row])))
        if width > 1 and found > score:
            best, score = separator, found
    alone = _split(body, "")
    if best and len(alone) > 1 and len(_split(body, best)[0]) == 1 and all(_like_number(row[0]) for row in alone[1:]):
        return ""  # one column of decimal commas below its name
    return best


def _like_number(text: str) -> bool:
    text = text.strip()
    return bool(_NUMBER.fullmatch(text) or _COMMA.fullmatch(text)) or text in GAPS


def _decimal(rows: Sequence[Sequence[str]], separator: str) -> str:
    """Return the decimal mark: a comma if numbers contain commas and none contains a point."""
    if separator == ",":
        return "."
    values = [t.strip() for row in rows for t in row]
    commas = sum(bool(re.fullmatch(r"[+-]?\d*,\d+([eE][+-]?\d+)?", t)) for t in values)
    points = sum(bool(re.fullmatch(r"[+-]?\d*\.\d+([eE][+-]?\d+)?", t)) for t in values)
    return "," if commas > points else "."


def _numbers_as_names(first: Sequence[str], rows: Sequence[Sequence[str]], decimal: str) -> bool:
    """Whether a first line of whole numbers that rise evenly names columns of fractions (pandas: 0, 1, 2, ...)."""
    if len(first) < 2 or len(rows) < 1 or not all(re.fullmatch(r"\d+", t.strip()) for t in first):
        return False
    steps = np.diff([int(t) for t in first])
    if steps[0] <= 0 or (steps != steps[0]).any():
        return False
    mark = re.escape(decimal)
    below = [t.strip() for row in rows for t in row if t.strip() not in GAPS]
    return bool(np.mean([bool(re.search(rf"{mark}\d|[eE]-", t)) for t in below] or [0.0]) > 0.9)


def _are_values(first: Sequence[str], rows: Sequence[Sequence[str]], number: Any) -> bool:
    """Whether a first line with a number above numbers is a row: names are not numbers, unless they are 0, 1, 2, ..."""
    numbers = [j for j, t in enumerate(first) if t.strip() not in GAPS and number(t)]
    if not numbers or not all(number(row[j]) for row in rows for j in numbers if j < len(row)):
        return False
    texts = [first[j].strip() for j in numbers]
    steps = np.diff([int(t) for t in texts]) if all(re.fullmatch(r"\d{1,9}", t) for t in texts) else np.zeros(1)
    return not (len(steps) and (steps == steps[0]).all() and steps[0] > 0)


def _is_units(rows: Sequence[Sequence[str]], number: Any) -> bool:
    """Whether the first of these rows is units: texts above columns that hold numbers in all later rows."""
    if len(rows) < 2:
        return False
    texts = [j for j, t in enumerate(rows[0]) if t.strip()]
    if not texts or any(number(rows[0][j]) for j in texts):
        return False
    return all(number(row[j]) for row in rows[1:] for j in texts if j < len(row))


def _are_row_names(values: Sequence[str]) -> bool:
    """Whether values are row names, as R writes them without a header: 1, 2, 3, ... or texts that do not repeat."""
    if [v.strip() for v in values] == [str(i + 1) for i in range(len(values))]:
        return True
    return len(set(values)) == len(values) and not any(map(_like_number, values))


def _unique(names: Sequence[str]) -> list[str]:
    """Return names made unique as pandas does (a, a.1); a nameless first column is an index."""
    seen: Counter[str] = Counter()
    out = []
    for i, name in enumerate(names):
        name = name or f"Unnamed: {i}"
        seen[name] += 1
        out.append(name if seen[name] == 1 else f"{name}.{seen[name] - 1}")
    return out


def _arff_layout(path: Path) -> Layout:
    fields, lines, kind, nominal = [], 0, "", []
    with reading(path), open(path, encoding="utf-8-sig", newline="") as file:
        while line := file.readline(2**20):
            lines += 1
            word = line.strip()
            if word.lower().startswith("@data"):
                if len(set(fields)) < len(fields) or not fields:
                    raise DataError(f"{path.name} has no attributes, or two of one name; correct and save it again.")
                default = fields[-1] if kind.startswith("{") else ""
                return Layout(",", fields, lines, nominal=frozenset(nominal), is_arff=True, default_u=default)
            if not word or word[0] == "%" or word.lower().startswith("@relation"):
                continue
            match = _ATTRIBUTE.match(word)
            if match is None or len(fields) > MAX_COLUMNS:
                raise ValueError(f"line {lines} is no @ATTRIBUTE")
            fields.append(next(name for name in match.groups()[:3] if name is not None))
            kind = match[4].strip()
            nominal += [fields[-1]] if kind.startswith("{") else []
        raise ValueError("it has no @DATA")


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
    if not texts or not all(_NUMBER.fullmatch(t) for t in texts):
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


# --- Parquet ----------------------------------------------------------------------------------------------------------


def _parquet(path: Path, ask: Ask) -> Recording:
    rows, schema, index = _schema(path)
    part = None if ask.rows is None or ask.rows >= rows else ask.rows
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
        check_budget(path, 8 * (part or rows) * widths, ask.budget_bytes)
        table = _read_parquet(path, wanted, [n for n in texts if n in wanted], part)
        out = {name: _parquet_values(path, name, table.column(name)) for name in wanted}
        return {n: v if parts[n].kept is None else v[parts[n].kept] for n, v in out.items()}

    notes = rows_note(rows, np.arange(part)) if part is not None else []
    even = [v.name for v in variables if v.readable and "int" in v.dtype and not v.role and rows >= 10]
    if even:  # a column that numbers the rows
        look = _read_parquet(path, even, [], min(rows, LOOK))
        for i, v in enumerate(variables):
            if v.name in even and not look.column(v.name).null_count:
                numbers = look.column(v.name).to_numpy().astype(np.float64)
                variables[i] = Variable(
                    v.name, v.shape, v.dtype, v.kind, axes=v.axes, role=_role(v.name, numbers, True)
                )
    return of_columns(path, ask, variables, load, notes, columns=columns)


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
    role = "index" if name in index else _role(name, None, False)
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
    return unreadable(name, f"is {kind}, neither numbers nor text; save its parts as columns of their own", (rows,),
                      "table"), 0  # fmt: skip


def _is_number(kind: Any) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)


def _parquet_values(path: Path, name: str, column: Any) -> Any:
    """Return a column as an array (of lists: [rows, width]) or as labels."""
    kind = column.type
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        frame = column.to_pandas()
        return _labels(frame.astype(object).map(lambda t: t if t is None or t != t else str(t)), False)
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
        return _labels(values.astype(object).map(lambda v: None if v is None else str(v)), False)
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
