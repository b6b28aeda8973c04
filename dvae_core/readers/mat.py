"""MATLAB files up to version 7. Version 7.3 is another format (HDF5) under the same suffix, and is refused with advice.

The numeric part of the format is read here rather than by scipy, whose reader crashes the whole process on some damaged
files (a changed byte in a type tag, scipy 1.17.1), which an app that opens other people's files cannot have.
The format: MathWorks, "MAT-File Format", version 5.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from math import prod
from pathlib import Path

import numpy as np

from dvae_core.data import DataError, Dataset
from dvae_core.readers.arrays import Variable, assemble, check_budget, check_names, choose, describe, reading

# Codes of the format: how numbers are stored, and what class an array has in MATLAB (a double may be stored as bytes).
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_MATRIX, _COMPRESSED = 14, 15
_OTHER = {1: "cell", 2: "struct", 3: "object", 4: "char", 5: "sparse"}
_NUMERIC = {6: "float64", 7: "float32", 8: "int8", 9: "uint8", 10: "int16", 11: "uint16", 12: "int32", 13: "uint32",
            14: "int64", 15: "uint64"}  # fmt: skip
_PLAIN = {*_NUMERIC.values(), "logical"}
_COMPLEX, _LOGICAL = 0x800, 0x200  # bits of the array flags

WHOLE_LABELS = 64  # MATLAB makes every number a double: this many different whole ones at most are taken for labels


@dataclass(frozen=True)
class _Entry:
    name: str
    shape: tuple[int, ...]
    kind: str
    load: Callable[[], np.ndarray]  # to be called before the next entry is asked for


def inspect(path: Path) -> list[Variable]:
    """List the numeric arrays of a file; structs and cells cannot be chosen."""
    return _plain(_contents(path))


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
    """Read arrays of a .mat (default: x, u and z where they are called so, else the largest array as x).

    Arrays are turned to where u and z have one row an example; where no turn fits, row counts are refused as elsewhere.
    Without u or z there is nothing to compare with: rows are examples.
    """
    entries = {entry.name: entry for entry in _contents(path)}
    check_names(path, (*x, *u, *z), list(entries))
    for name in (*x, *u, *z):
        if entries[name].kind not in _PLAIN:
            raise DataError(
                f"{name} of {path.name} is a MATLAB {entries[name].kind}, not plain numbers; in MATLAB, save the "
                "arrays in it as variables of their own."
            )
    x, u, z, notes = choose(path, _plain(list(entries.values())), x, u, z)
    check_budget(path, sum(8 * prod(entries[name].shape) for name in {*x, *u, *z}), budget_bytes)
    with reading(path), open(path, "rb") as file:
        arrays = {entry.name: entry.load() for entry in _entries(path, file) if entry.name in {*x, *u, *z}}
    notes += _turn(arrays, x, (*u, *z))
    for name in {*x, *u} - {*z}:
        if "float" in entries[name].kind and _is_whole(arrays[name]):
            # however MATLAB packed them: counts and labels are to be known as such
            many = name in u and len(np.unique(arrays[name])) > WHOLE_LABELS
            arrays[name] = arrays[name].astype(np.float64 if many else np.int64)
    return assemble(path, arrays, x, u, z, notes, rate_hz=rate_hz, x_shape=x_shape)


def _contents(path: Path) -> list[_Entry]:
    with reading(path), open(path, "rb") as file:
        return list(_entries(path, file))


def _plain(entries: list[_Entry]) -> list[Variable]:
    return [describe(entry.name, entry.shape, entry.kind) for entry in entries if entry.kind in _PLAIN]


def _turn(arrays: dict[str, np.ndarray], x: tuple[str, ...], others: tuple[str, ...]) -> list[str]:
    """Turn arrays so that rows are examples: row vectors stand up, and matrices follow the count that all share."""
    for name, array in arrays.items():
        if array.ndim == 2 and array.shape[0] == 1:
            arrays[name] = array.T
    first = arrays[x[0]]
    if not others:
        wide = first.ndim == 2 and first.shape[1] > first.shape[0]
        return [f"{x[0]} has more columns than rows; rows are taken for examples, so turn it if they are not"] * wide
    counts = first.shape if first.ndim == 2 else first.shape[:1]
    n = next((count for count in counts if all(count in arrays[name].shape for name in (*x, *others))), None)
    turned = [name for name, array in arrays.items() if n and array.ndim == 2 and array.shape[0] != n]
    arrays.update({name: arrays[name].T for name in turned})
    return [f"{', '.join(turned)} turned so that rows are examples"] if turned else []


def _is_whole(array: np.ndarray) -> bool:
    return bool(np.isfinite(array).all() and (array == np.rint(array)).all() and np.abs(array).max(initial=0) < 2**31)


def _entries(path: Path, file: BufferedIOBase) -> Iterator[_Entry]:
    """Walk through the variables of a file; their numbers are read only where `load` is called."""
    file.seek(0)
    head = file.read(128)
    if head.startswith((b"MATLAB 7.3", b"\x89HDF")) or head[124:128] in (b"\x00\x02IM", b"\x02\x00MI"):
        raise DataError(
            f"{path.name} is a MATLAB 7.3 file, which is not read here; save it again with save(..., '-v7')."
        )
    if head[124:128] not in (b"\x00\x01IM", b"\x01\x00MI"):
        raise DataError(f"{path.name} is not a MATLAB 5 to 7 file; in MATLAB, save it with save(..., '-v7').")
    order = "<" if head[126:128] == b"IM" else ">"
    size = file.seek(0, 2)
    start = 128
    while start < size:
        file.seek(start)
        kind, length = np.frombuffer(_exactly(file, 8), f"{order}u4").tolist()
        start += 8 + length
        if start > size:
            raise ValueError("it is cut off")
        if kind not in (_MATRIX, _COMPRESSED):
            continue
        stream = _Inflated(file, length) if kind == _COMPRESSED else file
        if kind == _COMPRESSED and np.frombuffer(_exactly(stream, 8), f"{order}u4")[0] != _MATRIX:
            raise ValueError("an array was expected")
        yield _entry(stream, order)


def _entry(stream: "BufferedIOBase | _Inflated", order: str) -> _Entry:
    flags = int(_numbers(stream, order, exactly=2)[0])
    shape = tuple(int(side) for side in _numbers(stream, order, at_most=32))
    name = _numbers(stream, order, at_most=1024).tobytes().decode("ascii")
    number = flags & 0xFF
    if number in _NUMERIC:
        kind = "complex" if flags & _COMPLEX else "logical" if flags & _LOGICAL else _NUMERIC[number]
    else:
        kind = _OTHER.get(number, "object")
    if len(shape) < 2 or min(shape) < 0:
        raise ValueError(f"{name} has the shape {shape}")

    def load() -> np.ndarray:
        values = _numbers(stream, order, exactly=prod(shape))
        values = values != 0 if kind == "logical" else values.astype(values.dtype.newbyteorder("="))
        return values.reshape(shape, order="F")

    return _Entry(name, shape, kind, load)


def _numbers(
    stream: "BufferedIOBase | _Inflated", order: str, *, at_most: int | None = None, exactly: int | None = None
) -> np.ndarray:
    """Read one element, of a count that was agreed on before: a wrong length never decides how much is read."""
    tag = _exactly(stream, 8)
    kind, length = np.frombuffer(tag, f"{order}u4").tolist()
    small = kind >> 16  # elements of up to 4 bytes keep them in the tag itself
    if small:
        kind, length = kind & 0xFFFF, small
    if kind not in _STORED or (small and length > 4):
        raise ValueError("a tag is not one of the format")
    dtype = np.dtype(order + _STORED[kind])
    count = length // dtype.itemsize
    if (exactly is not None and (count != exactly or length % dtype.itemsize)) or (
        at_most is not None and count > at_most
    ):
        raise ValueError(f"{count} numbers came where {exactly if at_most is None else at_most} were expected")
    body = tag[4 : 4 + length] if small else _exactly(stream, length + -length % 8)[:length]
    return np.frombuffer(body, dtype)


def _exactly(stream: "BufferedIOBase | _Inflated", count: int) -> bytes:
    body = stream.read(count)
    if len(body) != count:
        raise ValueError("it is cut off")
    return body


class _Inflated:
    """A compressed element as a file that is read forward; never holds more than what was asked for."""

    def __init__(self, file: BufferedIOBase, length: int) -> None:
        self.file, self.left, self.inflate = file, length, zlib.decompressobj()

    def read(self, count: int) -> bytes:
        parts = []
        while count > 0 and not self.inflate.eof:
            packed = self.inflate.unconsumed_tail
            if not packed:
                packed = self.file.read(min(self.left, 2**16))
                self.left -= len(packed)
            part = self.inflate.decompress(packed, count)
            if not packed and not part:
                break
            parts.append(part)
            count -= len(part)
        return b"".join(parts)
