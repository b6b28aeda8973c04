"""MATLAB files up to version 7: plain arrays, and what structs and cells hold, by names such as beh.pupil.area.

The format is read here rather than by scipy, whose reader crashes the whole process on some damaged files (a changed
byte in a type tag, scipy 1.17.1), which an app that opens other people's files cannot have. Version 7.3 is another
format (HDF5) under the same suffix. The format: MathWorks, "MAT-File Format", version 5.
"""

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from io import BufferedIOBase
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.readers import stringer
from dvae_core.data.readers.common import Ask, Variable, describe, reading
from dvae_core.data.readers.recordings import Part, Recording, dataset

# Codes of the format: how numbers are stored, and what class an array has in MATLAB (a double may be stored as bytes).
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXT = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _CHAR = 1, 2, 4
_NUMERIC = {6: "float64", 7: "float32", 8: "int8", 9: "uint8", 10: "int16", 11: "uint16", 12: "int32", 13: "uint32",
            14: "int64", 15: "uint64"}  # fmt: skip
PLAIN = {*_NUMERIC.values(), "logical"}
_COMPLEX, _LOGICAL = 0x800, 0x200  # bits of the array flags

TEXT = "a text"
MAX_VARIABLES = 10_000
MAX_PARTS = 20_000  # of one struct or cell; a Stringer file has a struct for each of 12,000 neurons
MAX_DEPTH = 16
BLOCK = 2**22


@dataclass(frozen=True)
class Entry:
    """One array of a file, whatever it lies in."""

    name: str  # cells and struct arrays add {} for all their elements: spikes{}.time
    shape: tuple[int, ...]
    kind: str
    load: Callable[..., Any]  # to be called before the next entry is asked for


def inspect(path: Path) -> list[Variable]:
    """List what can be chosen: numeric arrays, fields of structs by dotted names, cells of vectors as event times."""
    return recording(path).variables


def read(path: Path, ask: Ask) -> Dataset:
    """Read arrays of a .mat (default: x, u and z where they are called so, else the largest array as x)."""
    return dataset(recording(path), ask)


def recording(path: Path) -> Recording:
    """Return what a file holds, from its headers."""
    with reading(path), open(path, "rb") as file:
        variables, opaque = collect(entries_of(path, file))
    texts = {name for name, what in opaque.items() if what == TEXT}
    found = Recording(path, variables, partial(_load, path), opaque=opaque, matlab=True)
    return stringer.known(found, lambda wanted: _load_texts(path, wanted & texts))


def collect(entries: Iterable[Entry]) -> tuple[list[Variable], dict[str, str]]:
    """Return what can be chosen of all arrays in a file, and what the other names stand for."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.load is _too_many:  # what was seen of it is not all
            groups = {name: found for name, found in groups.items() if re.split(r"[.{]", name)[0] != entry.name}
        groups.setdefault(entry.name, []).append(entry)
    variables, opaque = [], {}
    for name, found in groups.items():
        what = _variable(name, found, {max(e.shape, default=0) for k, v in groups.items() if k != name for e in v})
        if isinstance(what, Variable):
            variables.append(what)
        elif what:
            opaque[name] = what
    return variables, opaque


def _variable(name: str, entries: list[Entry], lengths: set[int]) -> Variable | str:
    """Return what a name stands for: something to choose, or in words what it is instead ("" for nothing)."""
    first = entries[0]
    if "{}" not in name:
        if first.kind in PLAIN and not prod(first.shape):
            return "empty"
        if first.kind in PLAIN:
            # a lone vector of numbers called so, as long as nothing else, cannot be counts beside something
            vector = "float" in first.kind and 1 < prod(first.shape) == max(first.shape)
            if vector and re.search("(?i)spike", name) and max(first.shape) not in lengths:
                return Variable(name, first.shape, first.kind, "events", "event times, by its name")
            return describe(name, first.shape, first.kind)
        return {"char": TEXT}.get(first.kind, f"a MATLAB {first.kind}")
    kinds, full = {e.kind for e in entries}, [e.shape for e in entries if prod(e.shape)]
    if kinds == {"char"}:
        return Variable(name, (len(entries),), "str", "label")
    if not full:
        return ""
    if not kinds <= PLAIN:
        return f"a MATLAB cell of {', '.join(sorted(kinds))}"
    kind = first.kind if len(kinds) == 1 else "float64"
    sizes = {prod(shape) for shape in full}
    if all(prod(shape) == max(shape) for shape in full):
        if len(sizes) == 1 and len(full) == len(entries) and not re.search("(?i)time(?!range)|spike(?!s?{})", name):
            return describe(name, (len(full), *sizes), kind)
        total = sum(prod(shape) for shape in full)
        return Variable(name, (len(full),), kind, "events", f"{total:,} event times of {len(full)} units")
    if all(len(shape) == 2 for shape in full) and len({shape[1] for shape in full}) == 1:
        rows = sum(shape[0] for shape in full)
        note = f"{len(full)} pieces, one below another"
        return Variable(name, (rows, full[0][1]), kind, "matrix", note)
    return f"a ragged MATLAB cell ({len(full)} arrays whose shapes differ)"


def _load(path: Path, parts: Mapping[str, Part]) -> dict[str, Any]:
    with reading(path), open(path, "rb") as file:
        return combine(entries_of(path, file, {re.split(r"[.{]", name)[0] for name in parts}), parts)


def combine(entries: Iterable[Entry], parts: Mapping[str, Part]) -> dict[str, Any]:
    """Return the named variables of all arrays in a file: arrays, or lists of vectors where a name is events."""
    pieces: dict[str, list[Any]] = {name: [] for name in parts}
    for entry in entries:
        if entry.name in parts:
            whole = "{}" in entry.name
            pieces[entry.name].append(entry.load() if whole else entry.load(*parts[entry.name][:2]))
    arrays: dict[str, Any] = {}
    for name, found in pieces.items():
        if "{}" not in name:
            arrays[name] = found[0]
            continue
        if isinstance(found[0], str):
            arrays[name] = np.array(found)
        else:
            full = [piece for piece in found if piece.size]
            vectors = all(piece.size == max(piece.shape) for piece in full)
            if parts[name].events:
                arrays[name] = [piece.ravel(order="F") for piece in full]
                continue
            arrays[name] = np.stack([piece.ravel() for piece in full]) if vectors else np.concatenate(full)
        if parts[name].kept is not None:
            arrays[name] = arrays[name].take(parts[name].kept, axis=parts[name].axis)
    return arrays


def _load_texts(path: Path, names: set[str]) -> dict[str, str]:
    if not names:
        return {}
    with reading(path), open(path, "rb") as file:
        entries = entries_of(path, file, {name.split(".")[0] for name in names})
        return {entry.name: entry.load() for entry in entries if entry.name in names}


# --- the format -------------------------------------------------------------------------------------------------------


class _Stream:
    """A file, or a compressed element of it, that is read forward; never holds more than what was asked for."""

    def __init__(self, file: BufferedIOBase, length: int, compressed: bool) -> None:
        self.file, self.left, self.position = file, length, 0
        self.inflate = zlib.decompressobj() if compressed else None

    def read(self, count: int) -> bytes:
        body = self._plain(count) if self.inflate is None else self._inflated(count)
        self.position += len(body)
        if len(body) != count:
            raise ValueError("it is cut off")
        return body

    def skip_to(self, position: int) -> None:
        while self.position < position:
            self.read(min(position - self.position, BLOCK))

    def _plain(self, count: int) -> bytes:
        body = self.file.read(min(count, self.left))
        self.left -= len(body)
        return body

    def _inflated(self, count: int) -> bytes:
        parts = []
        inflate = self.inflate
        while inflate is not None and count > 0 and not inflate.eof:
            packed = inflate.unconsumed_tail or self._plain(2**16)
            part = inflate.decompress(packed, count)
            if not packed and not part:
                break
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


def entries_of(path: Path, file: BufferedIOBase, names: set[str] | None = None) -> Iterator[Entry]:
    """Walk through the arrays of a file, of the named variables only; numbers are read only where `load` is called."""
    head = file.read(128)
    if head[124:128] not in (b"\x00\x01IM", b"\x01\x00MI"):
        raise DataError(f"{path.name} is not a MATLAB 5 to 7 file; in MATLAB, save it with save(..., '-v7').")
    order = "<" if head[126:128] == b"IM" else ">"
    size = file.seek(0, 2)
    start, count = 128, 0
    while start < size:
        file.seek(start)
        tag = file.read(8)
        if len(tag) < 8:
            raise ValueError("it is cut off")
        kind, length = np.frombuffer(tag, f"{order}u4").tolist()
        start += 8 + length
        count += 1
        if start > size:
            raise ValueError("it is cut off")
        if count > MAX_VARIABLES:
            raise DataError(f"{path.name} has more than {MAX_VARIABLES:,} variables; save fewer of them.")
        if kind not in (_MATRIX, _COMPRESSED):
            continue
        stream = _Stream(file, length, kind == _COMPRESSED)
        if kind == _COMPRESSED:
            inner, length = np.frombuffer(stream.read(8), f"{order}u4").tolist()
            if inner != _MATRIX:
                raise ValueError("an array was expected")
        yield from _variable_entries(stream, order, length, names)


def _variable_entries(stream: _Stream, order: str, length: int, names: set[str] | None) -> Iterator[Entry]:
    flags, shape, name = _header(stream, order)
    if names is not None and name not in names:
        return
    for count, entry in enumerate(_walk(stream, order, flags, shape, name, stream.position + length, 0)):
        if count >= MAX_PARTS:
            yield Entry(name, shape, f"struct or cell of more than {MAX_PARTS:,} parts", _too_many)
            return
        yield entry


def _header(stream: _Stream, order: str) -> tuple[int, tuple[int, ...], str]:
    flags = int(_numbers(stream, order, exactly=2)[0])
    shape = tuple(int(side) for side in _numbers(stream, order, at_most=32))
    name = _numbers(stream, order, at_most=1024).tobytes().decode("ascii")
    if len(shape) < 2 or min(shape) < 0:
        raise ValueError(f"{name} has the shape {shape}")
    return flags, shape, name


def _walk(
    stream: _Stream, order: str, flags: int, shape: tuple[int, ...], name: str, end: int, depth: int
) -> Iterator[Entry]:
    """Yield the arrays in one whose header was read, and which ends at the position `end` of the stream."""
    number = flags & 0xFF
    if number in _NUMERIC:
        kind = "complex" if flags & _COMPLEX else "logical" if flags & _LOGICAL else _NUMERIC[number]
        yield Entry(name, shape, kind, partial(_array, stream, order, shape, kind))
    elif number == _CHAR:
        yield Entry(name, shape, "char", partial(_string, stream, order))
    elif number in (_CELL, _STRUCT):
        if depth >= MAX_DEPTH:
            raise ValueError(f"{name} is nested more than {MAX_DEPTH} deep")
        fields = [""]
        if number == _STRUCT:
            yield Entry(name, shape, "struct", _nothing)
            width = int(_numbers(stream, order, exactly=1)[0])
            letters = _numbers(stream, order, at_most=2**20).tobytes()
            if not 0 < width <= 1024:
                raise ValueError(f"{name} has field names of {width} letters")
            fields = [
                f".{letters[i : i + width].split(bytes(1))[0].decode('ascii')}" for i in range(0, len(letters), width)
            ]
        many = "" if number == _STRUCT and prod(shape) == 1 else "{}"
        # a cell in a cell is still one level of "all elements"
        base = name if name.endswith(many) and many else name + many
        for _ in range(prod(shape)):
            for field in fields:
                kind, length = np.frombuffer(stream.read(8), f"{order}u4").tolist()
                after = stream.position + length
                if kind != _MATRIX or after > end:
                    raise ValueError(f"{name} does not hold arrays where it should")
                if length:
                    inner_flags, inner_shape, _ = _header(stream, order)
                    yield from _walk(stream, order, inner_flags, inner_shape, base + field, after, depth + 1)
                else:  # how MATLAB writes []
                    yield Entry(base + field, (0, 0), "float64", lambda *_: np.zeros((0, 0)))
                stream.skip_to(after)
    else:
        yield Entry(name, shape, {3: "object", 5: "sparse"}.get(number, "object"), _nothing)


def _nothing(*_: Any) -> np.ndarray:
    return np.zeros((0, 0))


def _too_many(*_: Any) -> np.ndarray:
    return np.zeros((0, 0))


def _tag(stream: _Stream, order: str) -> tuple[int, int, bytes | None]:
    """Return the type, the length, and the content where it is short enough to be kept in the tag itself."""
    tag = stream.read(8)
    kind, length = np.frombuffer(tag, f"{order}u4").tolist()
    small = kind >> 16
    if not small:
        return kind, length, None
    if small > 4:
        raise ValueError("a tag is not one of the format")
    return kind & 0xFFFF, small, tag[4 : 4 + small]


def _numbers(stream: _Stream, order: str, *, at_most: int | None = None, exactly: int | None = None) -> np.ndarray:
    """Read one element, of a count that was agreed on before: a wrong length never decides how much is read."""
    kind, length, body = _tag(stream, order)
    if kind not in _STORED:
        raise ValueError("a tag is not one of the format")
    dtype = np.dtype(order + _STORED[kind])
    count = length // dtype.itemsize
    if (exactly is not None and (count != exactly or length % dtype.itemsize)) or (
        at_most is not None and count > at_most
    ):
        raise ValueError(f"{count} numbers came where {exactly if at_most is None else at_most} were expected")
    if body is None:
        body = stream.read(length)
        stream.read(-length % 8)
    return np.frombuffer(body, dtype)


def _array(
    stream: _Stream, order: str, shape: tuple[int, ...], kind: str, axis: int = 0, kept: np.ndarray | None = None
) -> np.ndarray:
    """Read the numbers of an array, or only some along its first or last axis, a block at a time."""
    if kept is None:
        values = _numbers(stream, order, exactly=prod(shape)).reshape(shape, order="F")
    else:
        code, length, body = _tag(stream, order)
        if code not in _STORED or length != prod(shape) * np.dtype(_STORED[code]).itemsize:
            raise ValueError("an array does not have the length that its shape says")
        dtype = np.dtype(order + _STORED[code])
        if body is not None:
            values = np.frombuffer(body, dtype).reshape(shape, order="F").take(kept, axis)
        else:
            values = _picked(stream, shape, dtype, axis, kept)
    return values != 0 if kind == "logical" else values.astype(values.dtype.newbyteorder("="), copy=False)


def _picked(stream: _Stream, shape: tuple[int, ...], dtype: np.dtype, axis: int, kept: np.ndarray) -> np.ndarray:
    column, columns = shape[:-1], shape[-1]  # numbers come column by column
    size = prod(column) * dtype.itemsize
    by_column = axis == len(shape) - 1
    out = np.empty((*column, len(kept)) if by_column else (len(kept), *shape[1:]), dtype, order="F")
    step = max(1, BLOCK // max(1, size))
    stop = int(kept[-1]) + 1 if by_column and len(kept) else columns
    for start in range(0, stop, step):
        width = min(step, columns - start)
        block = np.frombuffer(stream.read(width * size), dtype).reshape((*column, width), order="F")
        if by_column:
            first, last = np.searchsorted(kept, (start, start + width))
            out[..., first:last] = block[..., kept[first:last] - start]
        else:
            out[..., start : start + width] = block[kept]
    return out


def _string(stream: _Stream, order: str, *_: Any) -> str:
    kind, length, body = _tag(stream, order)
    if kind not in _TEXT or length > 2**20:
        raise ValueError("a text is not one of the format")
    encoding = _TEXT[kind] + (("-le" if order == "<" else "-be") if _TEXT[kind] in ("utf-16", "utf-32") else "")
    return (stream.read(length) if body is None else body).decode(encoding).strip()
