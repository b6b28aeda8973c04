"""IDX, the format of MNIST and its relatives: big-endian arrays, mostly gzipped, with labels in a separate file."""

import gzip
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core.data.dataset import DataError
from dvae_core.data.readers.common import ReadOptions, read_rows, reading
from dvae_core.data.readers.model import PICTURE, Part, Recording, describe

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def is_idx(path: Path) -> bool:
    """Whether a name looks like an IDX file: *-ubyte, *.idx, with or without .gz."""
    return re.search(r"(?i)([-.]ubyte|\.idx\d?|-idx\d-\w+)(\.gz)?$", path.name) is not None


def begins(start: bytes) -> bool:
    """Whether the first bytes of a file, after decompression, are those of IDX."""
    return len(start) >= 4 and start[:2] == b"\0\0" and start[2] in _TYPES


def unzipped_start(path: Path) -> bytes:
    """Return the first decompressed bytes of a gzip, whatever its name; b"" if it is not a gzip."""
    try:
        with gzip.open(path) as file:
            return file.read(512)
    except (OSError, EOFError, zlib.error):
        return b""


def labels_of(path: Path) -> Path | None:
    """Return the label file beside the pictures, by MNIST's names."""
    name = path.name.replace("images", "labels").replace("idx3", "idx1")
    other = path.with_name(name)
    return other if name != path.name and other.is_file() and not other.is_symlink() else None


def pictures_in(folder: Path) -> list[Path]:
    """Return the picture files in a folder."""
    return sorted(f for f in folder.iterdir() if is_idx(f) and "labels" not in f.name)


def recording(path: Path, options: ReadOptions) -> Recording:
    """Return pictures, with u = the labels in the file beside them (images -> labels, idx3 -> idx1)."""
    files = {"pictures": path}
    beside = labels_of(path)
    if beside:
        files["labels"] = beside
    heads = {name: _head(file) for name, file in files.items()}
    variables = [
        describe(name, shape, kind.name, axes=PICTURE[: min(3, len(shape))]) for name, (shape, kind) in heads.items()
    ]

    def load(parts: Mapping[str, Part]) -> dict[str, Any]:
        return {
            name: rows(files[name], 4 + 4 * len(heads[name][0]), *heads[name], part.kept)
            for name, part in parts.items()
        }

    return Recording(path, variables, load, x=("pictures",), u=("labels",) if beside else (), meta={"format": "IDX"})


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Yield an open file, decompressed if its name ends in .gz; turn any fault of it into a DataError."""
    with reading(path), (gzip.open if path.suffix.lower() == ".gz" else open)(path, "rb") as file:
        yield file


def _head(path: Path) -> tuple[tuple[int, ...], np.dtype]:
    with opened(path) as file:
        magic = file.read(4)
        if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES or not 1 <= magic[3] <= 4:
            raise ValueError("it does not begin as IDX files do")
        shape = tuple(np.frombuffer(file.read(4 * magic[3]), ">u4").tolist())
        if len(shape) != magic[3] or not prod(shape):
            raise ValueError(f"its shape is {shape}")
        kind = np.dtype(_TYPES[magic[2]])
    check_claim(path, shape, kind)
    return shape, kind


def check_claim(path: Path, shape: tuple[int, ...], kind: np.dtype) -> None:
    """Refuse a header that claims more than the file can hold.

    Gzip reaches 1,032 to 1 at most. A larger claim is wrong, so a zip bomb is detected without inflating it.
    """
    stored = path.stat().st_size * (1032 if path.suffix.lower() == ".gz" else 1)
    if prod(shape) * kind.itemsize > stored:
        raise DataError(
            f"{path.name} says it holds {prod(shape) * kind.itemsize:,} bytes, which its size cannot; it is cut off or "
            "damaged, so copy it again."
        )


def rows(
    path: Path, begin: int, shape: tuple[int, ...], kind: np.dtype, kept: np.ndarray | None, *, inner: int | None = None
) -> np.ndarray:
    """Read the rows `kept` of an array that extends from byte `begin` to the end; see `common.read_rows`."""
    with opened(path) as file:
        file.read(begin)
        out = read_rows(file, shape, kind, kept, inner=inner, to_end=True)
        if file.read(1):
            raise ValueError("it holds more than its header says")
    return out
