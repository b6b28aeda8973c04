"""Shared by all readers: read options, memory budgets, errors on damaged files, and licences beside the data."""

import difflib
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dvae_core.data.dataset import UNREADABLE, DataError

GIB = 2**30
BLOCK = 2**22  # bytes read at a time if only some of the rows are kept
MAX_LABELS = 500  # if u has more distinct whole numbers than this, they are read as numbers: they count something
WHOLE_LABELS = 64  # MATLAB makes every number a double: at most this many distinct whole ones are read as labels


ANGLES = re.compile(r"(?i)angle|heading|head_?dir|azimuth|orientation|phase|theta|compass")


@dataclass(frozen=True)
class ReadOptions:
    """The options passed to `readers.read`, which documents each of them."""

    x: tuple[str, ...] = ()
    u: tuple[str, ...] = ()
    z: tuple[str, ...] = ()
    budget_bytes: int = 2 * GIB
    rate_hz: float | None = None
    x_shape: tuple[int, ...] | None = None
    rows: int | None = None
    bin_s: float | None = None
    smooth_s: float | None = None
    min_speed: float | None = None
    time: str | None = None
    rows_are: Literal["auto", "rows", "columns"] = "auto"
    axes: tuple[str, ...] = ()
    circular: tuple[str, ...] = ()
    quality: tuple[str, ...] = ()
    area: tuple[str, ...] = ()
    depth_from: float | None = None
    depth_to: float | None = None
    min_rate_hz: float | None = None
    units: tuple[str, ...] = ()
    no_picture: bool = False  # x_shape=(): rows are not pictures


@contextmanager
def reading(path: Path, *more: type[Exception]) -> Iterator[None]:
    """Turn the exceptions that libraries raise on damaged files into a DataError."""
    try:
        yield
    except DataError:
        raise
    except (*UNREADABLE, *more) as error:
        if isinstance(error, UnicodeDecodeError) and error.encoding == "utf-8":
            raise DataError(
                f"{path.name} is not UTF-8 text (byte {error.object[error.start]:#x}); save it in that encoding."
            ) from error
        kind = f"a {path.suffix} file" if path.suffix else "what its name says"
        raise DataError(f"{path.name} is damaged or not {kind} ({reason(error)}); copy or save it again.") from error


@contextmanager
def kept_open(source: Any) -> Iterator[Any]:
    """Close what a recording reads from if the recording cannot be made; otherwise the recording closes it."""
    try:
        yield source
    except BaseException:
        source.close()
        raise


def reason(error: Exception) -> str:
    """Return the message of a library's exception as part of a sentence."""
    text = (str(error) or type(error).__name__).splitlines()[0]
    if text.startswith("cannot identify image file"):  # Pillow appends a memory address
        text = "its format cannot be read"
    return text.replace(". ", ": ").rstrip(".")[:160]


def check_budget(path: Path, size: int, budget_bytes: int) -> None:
    """Refuse data that would not fit into memory, before reading it."""
    if size > budget_bytes:
        raise DataError(
            f"{path.name} would take {size / 2**20:,.0f} MiB of memory; {budget_bytes / 2**20:,.0f} MiB are allowed, "
            "so choose fewer variables or read part of the rows (rows=N, --rows N)."
        )


def read_rows(
    file: Any, shape: tuple[int, ...], kind: np.dtype, kept: np.ndarray | None, *, inner: int | None = None,
    to_end: bool = False,
) -> np.ndarray:  # fmt: skip
    """Read the rows `kept` (all if None) of an array from a stream; memory exceeds the result by one block at most.

    Args:
        file: The stream, at the array's first byte.
        shape: The array's shape.
        kind: Its type.
        kept: Sorted rows.
        inner: If given, only this index of the second axis of each row is kept.
        to_end: Whether to read the rows after the last kept one too, so that a file that is cut off is noticed.
    """
    row = prod(shape[1:]) * kind.itemsize
    inside = shape[1:] if inner is None else shape[2:]
    out = np.empty((shape[0] if kept is None else len(kept), *inside), kind.newbyteorder("="))
    last = shape[0] if kept is None or to_end else int(kept[-1]) + 1 if len(kept) else 0
    step = max(1, BLOCK // max(1, row))
    for start in range(0, last, step):
        count = min(step, shape[0] - start)
        body = file.read(count * row)
        if len(body) < count * row:
            raise EOFError("it is cut off")
        block = np.frombuffer(body, kind).reshape(-1, *shape[1:])
        block = block if inner is None else block[:, inner]
        if kept is None:
            out[start : start + count] = block
        else:
            first, end = np.searchsorted(kept, (start, start + count))
            out[first:end] = block[kept[first:end] - start]
    return out


def pick_rows(n: int, rows: int | None, *, at_random: bool = False) -> np.ndarray | None:
    """Return the sorted rows to read, or None for all: the first ones, or a random draw with a fixed seed."""
    if rows is None or rows >= n:
        return None
    return np.sort(np.random.default_rng(0).choice(n, rows, replace=False)) if at_random else np.arange(rows)


def rows_note(n: int, kept: np.ndarray | None, *, at_random: bool = False) -> list[str]:
    """Return a note that only some of the rows were read."""
    if kept is None:
        return []
    return [f"{len(kept):,} of {n:,} rows, {'drawn at random (seed 0)' if at_random else 'the first ones'}"]


def licence_beside(path: Path) -> dict[str, str]:
    """Return the licence stated in a README or LICENSE beside the data, as meta; {} if there is none."""
    folder = path if path.is_dir() else path.parent
    found = (
        (folder / "README.md", re.compile(r"(?im)^\W*licen[cs]e\W*:\s*(.{2,200})")),
        (folder / "README.txt", re.compile(r"(?im)^\W*licen[cs]e\W*:\s*(.{2,200})")),
        *((folder / name, re.compile(r"(?m)^\s*(\S.{1,200})$")) for name in ("LICENSE", "LICENSE.txt", "LICENSE.md")),
    )
    for file, pattern in found:
        try:
            if not stat.S_ISREG(file.lstat().st_mode):  # a link could lead out of the folder
                continue
            with open(file, encoding="utf-8", errors="replace") as text:
                match = pattern.search(text.read(2**16))
        except OSError:
            continue
        if match:
            return {"licence": match[1].strip()}
    return {}


def check_names(path: Path, names: Iterable[str], available: Sequence[str]) -> None:
    """Refuse a name that the file does not have, and suggest the nearest one."""
    for name in names:
        if name not in available:
            raise no_such_name(path, name, available)


def no_such_name(path: Path, name: str, available: Sequence[str]) -> DataError:
    """Return the error for a name that the file does not have, with the nearest one that it has."""
    near = difflib.get_close_matches(name, available, 1, 0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(available[:20]) or 'nothing to read'}."
    return DataError(f"{path.name} has nothing called {name!r}; {hint}")


def is_whole(array: np.ndarray) -> bool:
    """Whether an array holds finite whole numbers only."""
    if array.dtype.kind != "f":
        return array.dtype.kind in "biu"
    return bool(np.isfinite(array).all() and (array == np.rint(array)).all() and np.abs(array).max(initial=0) < 2**31)


def unique(names: Sequence[str]) -> list[str]:
    """Return names made unique as pandas does (a, a.1); a nameless first column is an index."""
    seen: Counter[str] = Counter()
    out = []
    for i, name in enumerate(names):
        name = name or f"Unnamed: {i}"
        seen[name] += 1
        out.append(name if seen[name] == 1 else f"{name}.{seen[name] - 1}")
    return out
