"""The layout of a text file, determined once from its beginning: separator, decimals, names, units."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core.data.dataset import DataError
from dvae_core.data.readers.columns import MAX_COLUMNS, confident
from dvae_core.data.readers.common import reading, unique

COMMENTS = ("#", "%", "//")  # at the start of lines before the table
SAMPLE_LINES, SAMPLE_BYTES = 200, 2**22  # the beginning, from which the layout is determined
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
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity)", re.IGNORECASE)
COMMA = re.compile(r"[+-]?(\d+,\d*|,\d+|\d+)([eE][+-]?\d+)?|[+-]?\d{1,3}(\.\d{3})+(,\d+)?")
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
        confidence: Columns that state how sure a tracker is; they are not data.
        notes: Facts about the layout that may surprise.
    """

    separator: str
    fields: list[str]
    skip: int
    decimal: str = "."
    units: Mapping[str, str] = field(default_factory=dict)
    extra: str = ""
    nominal: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    is_arff: bool = False
    confidence: frozenset[str] = frozenset()
    default_u: str = ""


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
    separator, comment, skip = _before(lines)
    body = lines[skip:]
    if not body:
        raise DataError(f"{path.name} has no rows; save it again with its data.")
    separator = separator or _separator(path, body)
    table = _split(body, separator)
    decimal = _decimal(table[1:] or table, separator)
    width = Counter(len(row) for row in table[1:] or table).most_common(1)[0][0]
    header = _header(path, table, _split([comment], separator)[0] if comment else [], width, decimal)
    names, extra = _nameless(path, header.names, table[header.lines :], width)
    fields = names or [f"x{i + 1}" for i in range(width)]
    return Layout(
        separator,
        unique(fields),
        skip + sum(1 for _ in _consumed(body, header.lines, separator)),
        decimal,
        header.units,
        extra,
        notes=(*header.notes, *(["commas are decimals"] if decimal == "," else [])),
        confidence=confident(fields),
    )


def _before(lines: Sequence[str]) -> tuple[str, str, int]:
    """Return the separator that a first line `sep=;` states, the last comment before the table, and the lines of both.

    Only a comment that begins with # is returned, without that mark: numpy.savetxt writes the names into one.
    """
    skip, separator, comment = 0, "", ""
    if lines and (match := re.fullmatch(r"(?i)sep=(.)\s*", lines[0])):
        separator, skip = match[1], 1
    while skip < len(lines) and (not lines[skip].strip() or lines[skip].lstrip().startswith(COMMENTS)):
        if lines[skip].strip():
            comment = lines[skip].lstrip()
        skip += 1
    return separator, comment.lstrip("# ") if comment.startswith("#") else "", skip


@dataclass(frozen=True)
class _Header:
    """The lines above the rows: names of the columns (none: there is no header), how many lines, units and notes."""

    names: list[str]
    lines: int
    units: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def _header(path: Path, table: list[list[str]], comment: list[str], width: int, decimal: str) -> _Header:
    """Return the header of a table of `width` values a row; `comment` holds the values of a comment above it."""

    def number(text: str) -> bool:
        return text.strip() in GAPS or (COMMA if decimal == "," else NUMBER).fullmatch(text.strip()) is not None

    first, others = table[0], table[1:]
    if comment and len(comment) == width and all(map(number, first)) and not all(map(number, comment)):
        return _Header([name.strip() for name in comment], 0)
    if first[0].strip().lower() == "scorer" and len(table) > 3:  # DeepLabCut: scorer, bodyparts, coords
        count = next((i for i in range(1, 5) if i < len(table) and table[i][0].strip() == "coords"), 0) + 1
        levels = [row for row in table[1:count] if row[0].strip() != "scorer"]
        names = ["frame", *(" ".join(level[j].strip() for level in levels) for j in range(1, width))]
        return _Header(names, count, notes=("a table of DeepLabCut",))
    is_named = not all(map(number, first)) and not _are_values(first, others, number)
    if not is_named and not _numbers_as_names(first, others, decimal):
        return _Header([], 0)
    if not others:
        raise DataError(f"{path.name} has a header but no rows; save it again with its data.")
    names = [name.strip() for name in first]
    if not _is_units(others, number):
        return _Header(names, 1)
    if len({*names}) < len(names):  # levels, as pandas writes them
        return _Header([f"{name} {below}".strip() for name, below in zip(names, others[0], strict=False)], 2)
    units = {name: unit.strip() for name, unit in zip(names, others[0], strict=False) if unit.strip()}
    listed = ", ".join(f"{name} {unit}" for name, unit in list(units.items())[:6])
    return _Header(names, 2, units, (f"units of the second line: {listed}",))


def _nameless(path: Path, names: list[str], rows: list[list[str]], width: int) -> tuple[list[str], str]:
    """Return the names of the columns with data, and what the column without a name is (see `Layout.extra`).

    Raises:
        DataError: If rows are longer or shorter than the header in any other way.
    """
    full = [row for row in rows if len(row) == width]
    if not names:
        return names, ""
    if len(names) == width:
        if not names[-1] and not any(row[-1].strip() for row in full):
            return names[:-1], "empty"
        return names, ""
    if len(names) == width - 1:
        if not any(row[-1].strip() for row in full):
            return names, "empty"
        if _are_row_names([row[0] for row in rows]):
            return names, "row names"
    raise DataError(
        f"{path.name} has rows with {'more' if width > len(names) else 'fewer'} values than its "
        f"{len(names)} columns ({width}); check the separators."
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
    if path.suffix.lower() == ".tsv" and "\t" in body[0]:
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
    return bool(NUMBER.fullmatch(text) or COMMA.fullmatch(text)) or text in GAPS


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
                raise ValueError(f"line {lines} is not an @ATTRIBUTE")
            fields.append(next(name for name in match.groups()[:3] if name is not None))
            kind = match[4].strip()
            nominal += [fields[-1]] if kind.startswith("{") else []
        raise ValueError("it has no @DATA")
