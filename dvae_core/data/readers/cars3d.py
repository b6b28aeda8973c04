"""Cars3D: 183 car models seen from 24 sides and 4 heights, one MATLAB file per car, in a folder or the published tar.

Every file has `im`, an array of pictures with axes (height, width, colour, azimuth, elevation). The files, ordered by
name, form a full grid of three factors. Nothing is ever unpacked to disk. Origin: Reed et al. 2015, "Deep visual
analogy-making".
"""

import gzip
import tarfile
from collections.abc import Iterator, Mapping
from io import BufferedIOBase, BytesIO
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core.data.dataset import DataError
from dvae_core.data.readers import grids, mat_format
from dvae_core.data.readers.common import ReadOptions, reading
from dvae_core.data.readers.model import PICTURE, Part, Recording, Variable, rows_of

FACTORS = ("object_type", "azimuth", "elevation")
LICENCE = "Cars3D: none stated"
SIDE = 64  # pictures are stored at 128 x 128; a whole number of pixels is averaged into one
END = "_mesh.mat"

MAX_CARS = 2_000
MAX_CAR_BYTES = 2**26
MAX_MEMBERS = 20_000  # of the tar, which also holds other data
MAX_RATIO = 100  # the content of the tar is already compressed: no honest file expands more than this


def files(folder: Path) -> list[Path]:
    """Return the car files in a folder, or in its subfolder cars or data/cars."""
    for inner in ("", "cars", "data/cars"):
        place = folder / inner
        found = sorted(f for f in place.glob(f"*{END}") if f.is_file() and not f.is_symlink())
        if found and place.resolve().is_relative_to(folder.resolve()):
            return found
    return []


def is_tar(start: bytes) -> bool:
    """Whether the first bytes of a file, after decompression, are those of a tar."""
    return start[257:262] == b"ustar"


def recording(path: Path, options: ReadOptions) -> Recording:
    """Return pictures and factors of a folder of cars, or of the published tar."""
    with reading(path):
        names, shape = _look(path)
    high, wide, colours, *views = shape
    side = options.x_shape or ((SIDE, SIDE, 3) if not (high % SIDE or wide % SIDE) else (high, wide, 3))
    if colours != 3 or len(side) != 3 or high % side[0] or wide % side[1]:
        raise DataError(
            f"The pictures of {path.name} are {high} x {wide} in colour; give a size that divides this, not {side}."
        )
    n = len(names) * prod(views)

    def load(parts: Mapping[str, Part]) -> dict[str, Any]:
        rows = rows_of(parts, n)
        arrays = {"factors": grids.factors_at(rows, (len(names), *views))} if "factors" in parts else {}
        if "pictures" in parts:
            arrays["pictures"] = _pictures(path, names, shape, rows, side)
        return arrays

    variables = [
        Variable("pictures", (n, *side), "uint8", "matrix", f"came as {wide} x {high}", axes=PICTURE),
        Variable("factors", (n, 3), "int64", "matrix", f"{len(names)} cars, {views[0]} sides, {views[1]} heights"),
    ]
    meta = {"format": "Cars3D", "pictures": f"{side[1]} x {side[0]}; they came as {wide} x {high}"}
    return Recording(
        path, variables, load, x=("pictures",), z=("factors",), meta=meta, columns={"factors": FACTORS}, licence=LICENCE
    )


def _pictures(
    path: Path, names: list[str], shape: tuple[int, ...], rows: np.ndarray, side: tuple[int, ...]
) -> np.ndarray:
    out = np.empty((len(rows), *side), np.uint8)
    views = prod(shape[3:])
    down, across = shape[0] // side[0], shape[1] // side[1]
    with reading(path):
        for name, file in _cars(path, set(names)):
            first = names.index(name) * views
            begin, end = np.searchsorted(rows, (first, first + views))
            if begin == end:
                continue
            entry = _im(path, name, file)
            if entry.shape != shape:
                raise DataError(f"{name} of {path.name} has pictures of another shape, {entry.shape}; copy it again.")
            # (height, width, colour, azimuth, elevation) to (view, height, width, colour)
            came = entry.load().transpose(3, 4, 0, 1, 2).reshape(views, *shape[:3])[rows[begin:end] - first]
            small = came.reshape(-1, side[0], down, side[1], across, 3).mean(axis=(2, 4), dtype=np.float32)
            out[begin:end] = np.rint(small)
    return out


def _look(path: Path) -> tuple[list[str], tuple[int, ...]]:
    """Return the names of the cars in order, and the shape of one car's pictures."""
    names, shape = [], ()
    for name, file in _cars(path, None):
        names.append(name)
        if not shape:
            shape = _im(path, name, file).shape
        if len(names) > MAX_CARS:
            raise DataError(f"{path.name} has more than {MAX_CARS:,} files of cars; split it.")
    if not names:
        raise DataError(
            f"{path.name} has no cars (*{END}); of archives, Cars3D in a tar and pictures in a zip are read."
        )
    if len(set(names)) < len(names):
        raise DataError(f"{path.name} has two cars of one name; unpack it and keep one.")
    return sorted(names), shape


def _im(path: Path, name: str, file: BufferedIOBase) -> mat_format.Entry:
    entry = next((e for e in mat_format.entries_of(path.with_name(name), file, {"im"}) if e.name == "im"), None)
    if entry is None or entry.kind != "uint8" or len(entry.shape) != 5 or not 0 < prod(entry.shape) <= MAX_CAR_BYTES:
        what = "none" if entry is None else f"{entry.kind} of shape {entry.shape}"
        raise DataError(
            f"{name} of {path.name} should have pictures im (height, width, 3, sides, heights) of bytes; it has {what}."
        )
    return entry


def _cars(path: Path, wanted: set[str] | None) -> Iterator[tuple[str, BufferedIOBase]]:
    """Yield the car files by name; each must be read before the next is requested."""
    if path.is_dir():
        for found in files(path):
            if wanted is None or found.name in wanted:
                with open(found, "rb") as file:
                    yield found.name, file
        return
    with open(path, "rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    limit = path.stat().st_size * (MAX_RATIO if zipped else 1) + 2**20
    with (gzip.open if zipped else open)(path, "rb") as file:
        try:
            # a tar is a stream: members are read in order, and links and paths in it are ignored
            with tarfile.open(fileobj=_Limited(file, limit), mode="r|") as tar:
                for count, member in enumerate(tar):
                    if count >= MAX_MEMBERS:
                        raise DataError(f"{path.name} has more than {MAX_MEMBERS:,} members; keep only the cars.")
                    name = member.name.rsplit("/", 1)[-1]
                    if not member.isreg() or not name.endswith(END) or name.startswith("."):
                        continue
                    if wanted is None or name in wanted:
                        if member.size > MAX_CAR_BYTES:
                            raise DataError(f"{name} of {path.name} is too large for a car; copy it again.")
                        inside = tar.extractfile(member)
                        yield name, BytesIO(inside.read() if inside else b"")
        except tarfile.TarError as error:
            raise ValueError(str(error) or "it is not a tar") from error


class _Limited(BufferedIOBase):
    """A stream that raises an error if it yields more than an honest file of its size can hold."""

    def __init__(self, file: Any, limit: int) -> None:
        super().__init__()
        self.file, self.left = file, limit

    def read(self, size: int | None = -1, /) -> bytes:
        body = self.file.read(size)
        self.left -= len(body)
        if self.left < 0:
            raise ValueError(f"it holds more than {MAX_RATIO} times its size")
        return body
