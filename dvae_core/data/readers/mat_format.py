"""The format of MATLAB files up to version 7: every array at any depth, with its name, as the file is read forward.

The format is parsed here rather than by scipy: scipy's reader crashes the whole process on some damaged files (a
changed byte in a type tag, scipy 1.17.1), which is not acceptable in an app that opens other people's files. Version
7.3 is a different format (HDF5) with the same suffix. Specification: MathWorks, "MAT-File Format", version 5.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BufferedIOBase
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core.data.dataset import DataError

# Codes of the format: how numbers are stored, and the array's class in MATLAB (a double may be stored as bytes).
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXT = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _CHAR, _SPARSE, _OPAQUE = 1, 2, 4, 5, 17
_NUMERIC = {6: "float64", 7: "float32", 8: "int8", 9: "uint8", 10: "int16", 11: "uint16", 12: "int32", 13: "uint32",
            14: "int64", 15: "uint64"}  # fmt: skip
PLAIN = {*_NUMERIC.values(), "logical"}
_COMPLEX, _LOGICAL = 0x800, 0x200  # bits of the array flags

MAX_VARIABLES = 10_000
MAX_PARTS = 20_000  # of one struct or cell; a Stringer file has a struct for each of 12,000 neurons
MAX_DEPTH = 16
BLOCK = 2**22


@dataclass(frozen=True)
class Entry:
    """One array of a file, at any depth."""

    name: str  # cells and struct arrays add {} to mean all their elements: spikes{}.time
    shape: tuple[int, ...]
    kind: str
    load: Callable[..., Any]  # must be called before the next entry is requested


class _Stream:
    """A file, or a compressed element of it, that is read forward and never holds more than the requested bytes."""

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
    """Iterate over the arrays of a file, or only the named variables; numbers are read only when `load` is called."""
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
    length += stream.position
    flags, shape, name, own = _header(stream, order)
    if not name or (names is not None and name not in names):  # no name: MATLAB's store for objects' contents
        return
    if own:
        yield Entry(name, shape, own, _nothing)
        return
    for count, entry in enumerate(_walk(stream, order, flags, shape, name, length, 0)):
        if count >= MAX_PARTS:
            yield Entry(name, shape, f"struct or cell of more than {MAX_PARTS:,} parts", too_many)
            return
        yield entry


def _header(stream: _Stream, order: str) -> tuple[int, tuple[int, ...], str, str]:
    """Return flags, shape and name of an array, and its class if it is an object of MATLAB's own."""
    flags = int(_numbers(stream, order, exactly=2)[0])
    if flags & 0xFF == _OPAQUE:  # an object has its name in the place of other arrays' shape
        words = [_numbers(stream, order, at_most=1024).tobytes().decode("latin-1") for _ in range(3)]
        return flags, (1, 1), words[0], words[2] or "object"
    shape = tuple(int(side) for side in _numbers(stream, order, at_most=32))
    name = _numbers(stream, order, at_most=1024).tobytes().decode("ascii")
    if len(shape) < 2 or min(shape) < 0:
        raise ValueError(f"{name} has the shape {shape}")
    return flags, shape, name, ""


def _walk(
    stream: _Stream, order: str, flags: int, shape: tuple[int, ...], name: str, end: int, depth: int
) -> Iterator[Entry]:
    """Yield the arrays within one whose header has been read and which ends at position `end` of the stream."""
    number = flags & 0xFF
    if number in _NUMERIC:
        kind = "complex" if flags & _COMPLEX else "logical" if flags & _LOGICAL else _NUMERIC[number]
        yield Entry(name, shape, kind, partial(_array, stream, order, shape, kind))
    elif number == _CHAR:
        yield Entry(name, shape, "char", partial(_string, stream, order, shape))
    elif number == _SPARSE and not flags & _COMPLEX and len(shape) == 2:
        yield Entry(name, shape, "logical" if flags & _LOGICAL else "float64", partial(_sparse, stream, order, shape))
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
        # a cell in a cell still counts as one level of "all elements"
        base = name if name.endswith(many) and many else name + many
        for _ in range(prod(shape)):
            for field in fields:
                kind, length = np.frombuffer(stream.read(8), f"{order}u4").tolist()
                after = stream.position + length
                if kind != _MATRIX or after > end:
                    raise ValueError(f"{name} does not hold arrays where it should")
                if length:
                    inner_flags, inner_shape, _, own = _header(stream, order)
                    if own:
                        yield Entry(base + field, inner_shape, own, _nothing)
                    else:
                        yield from _walk(stream, order, inner_flags, inner_shape, base + field, after, depth + 1)
                else:  # MATLAB's encoding of []
                    yield Entry(base + field, (0, 0), "float64", lambda *_: np.zeros((0, 0)))
                stream.skip_to(after)
    else:
        yield Entry(
            name,
            shape,
            {3: "object", 5: "sparse complex matrix", 16: "function handle"}.get(number, "object"),
            _nothing,
        )


def _nothing(*_: Any) -> np.ndarray:
    return np.zeros((0, 0))


def too_many(*_: Any) -> np.ndarray:
    """Load nothing: the mark of a struct or cell with more than MAX_PARTS parts."""
    return np.zeros((0, 0))


def _tag(stream: _Stream, order: str) -> tuple[int, int, bytes | None]:
    """Return the type, the length, and the content if it is short enough to be stored in the tag itself."""
    tag = stream.read(8)
    kind, length = np.frombuffer(tag, f"{order}u4").tolist()
    small = kind >> 16
    if not small:
        return kind, length, None
    if small > 4:
        raise ValueError("a tag is not one of the format")
    return kind & 0xFFFF, small, tag[4 : 4 + small]


def _numbers(stream: _Stream, order: str, *, at_most: int | None = None, exactly: int | None = None) -> np.ndarray:
    """Read one element of a known count: a wrong length in the file never decides how much is read."""
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
    """Read the numbers of an array, or only some along its first or last axis, block by block."""
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
    column, columns = shape[:-1], shape[-1]  # numbers are stored column by column
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


def _sparse(
    stream: _Stream, order: str, shape: tuple[int, ...], axis: int = 0, kept: np.ndarray | None = None
) -> np.ndarray:
    """Return a sparse matrix as a dense one, from its row numbers, the start of each column, and the numbers."""
    rows = _numbers(stream, order, at_most=2**31)
    begins = _numbers(stream, order, exactly=shape[1] + 1)
    values = _numbers(stream, order, at_most=2**31)
    return dense(shape, rows, begins, values, axis, kept)


def dense(
    shape: tuple[int, ...], rows: np.ndarray, begins: np.ndarray, values: np.ndarray, axis: int, kept: np.ndarray | None
) -> np.ndarray:
    """Return a dense matrix from its columns' row numbers and values; refuse those that do not fit its shape."""
    begins, count = begins.astype(np.int64), int(begins[-1]) if len(begins) else 0
    fits = begins[0] == 0 and (np.diff(begins) >= 0).all() and count <= min(len(rows), len(values))
    rows = rows[:count].astype(np.int64)
    if not fits or (count and not 0 <= rows.min() <= rows.max() < shape[0]):
        raise ValueError("a sparse matrix does not fit its shape")
    out = np.zeros(shape, values.dtype.newbyteorder("="))
    out[rows, np.repeat(np.arange(shape[1]), np.diff(begins))] = values[:count]
    return out if kept is None else out.take(kept, axis)


def _string(stream: _Stream, order: str, shape: tuple[int, ...], *_: Any) -> str | list[str]:
    kind, length, body = _tag(stream, order)
    if kind not in _TEXT or length > 2**20:
        raise ValueError("a text is not one of the format")
    encoding = _TEXT[kind] + (("-le" if order == "<" else "-be") if _TEXT[kind] in ("utf-16", "utf-32") else "")
    text = (stream.read(length) if body is None else body).decode(encoding)
    if shape[0] < 2:
        return text.strip()
    if len(shape) != 2 or len(text) != prod(shape):
        raise ValueError("a text is not one of the format")
    return ["".join(row).strip() for row in np.array(list(text)).reshape(shape, order="F")]
