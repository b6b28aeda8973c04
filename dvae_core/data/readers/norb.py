"""SmallNORB: toys seen from all sides, in files with the suffix .mat that are not MATLAB's; five known factors.

Three files belong together: -dat (pictures of two cameras), -cat (the category), -info (instance, elevation, azimuth,
lighting). The format is IDX's little-endian sibling: magic, number of axes, at least three lengths, numbers.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core.data.dataset import DataError
from dvae_core.data.readers import idx
from dvae_core.data.readers.common import ReadOptions
from dvae_core.data.readers.model import PICTURE, Part, Recording, Variable, describe, rows_of

FACTORS = ("category", "instance", "elevation", "azimuth", "lighting")
LICENCE = "SmallNORB: for research"

_TYPES = {0x1E3D4C55: "<u1", 0x1E3D4C54: "<i4", 0x1E3D4C56: "<i2", 0x1E3D4C51: "<f4", 0x1E3D4C53: "<f8"}
_PICTURES = re.compile(r"(?i)^(.*-)dat(\.mat(?:\.gz)?)$")


def begins(start: bytes) -> bool:
    """Whether the first bytes of a file, after decompression, are those of this format."""
    return int.from_bytes(start[:4], "little") in _TYPES


def pictures_in(folder: Path) -> list[Path]:
    """Return the picture files in a folder, by their names: training and testing form one set of toys."""
    return sorted(f for f in folder.iterdir() if _PICTURES.match(f.name) and f.is_file())


def recording(path: Path, options: ReadOptions) -> Recording:
    """Return the pictures of the first camera, with the factors from the files beside them."""
    files = pictures_in(path) if path.is_dir() else [path]
    heads = {file: _head(file) for file in files}
    shapes = {shape[1:] for _, shape, _ in heads.values()}
    if len(shapes) > 1 or len(files) > 2:
        raise DataError(f"{path.name} holds pictures of several sets ({', '.join(f.name for f in files)}); keep one.")
    side = shapes.pop()
    n = sum(shape[0] for _, shape, _ in heads.values())
    stereo = len(side) == 3 and side[0] == 2
    beside = [_beside(file) for file in files]
    variables = [describe("pictures", (n, *(side[1:] if stereo else side)), next(iter(heads.values()))[2].name,
                          axes=PICTURE[: len(side) + (not stereo)])]  # fmt: skip
    meta = {"format": "SmallNORB"} | ({"pictures": "the first of two cameras"} if stereo else {})
    if any(not pair for pair in beside):
        meta["factors"] = "unknown: their files (-cat and -info) do not lie beside the pictures"
        known = False
    else:
        variables += [Variable("factors", (n, 5), "int32", "matrix"), Variable("category", (n,), "int32", "label")]
        known = True

    def load(parts: Mapping[str, Part]) -> dict[str, Any]:
        rows = rows_of(parts, n)
        out: dict[str, list[np.ndarray]] = {name: [] for name in parts}
        first = 0
        for file, pair in zip(files, beside, strict=True):
            start, shape, kind = heads[file]
            here = rows[(rows >= first) & (rows < first + shape[0])] - first
            first += shape[0]
            if "pictures" in parts:
                out["pictures"].append(idx.rows(file, start, shape, kind, here, inner=0 if stereo else None))
            if len(parts) > ("pictures" in parts):
                factors = _factors(pair, shape[0])[here]
                for name, values in (("factors", factors), ("category", factors[:, 0])):
                    if name in parts:
                        out[name].append(values)
        return {name: np.concatenate(found) for name, found in out.items()}

    return Recording(
        path, variables, load, x=("pictures",), z=("factors",) if known else (), meta=meta,
        columns={"factors": FACTORS}, licence=LICENCE,
    )  # fmt: skip


def _beside(path: Path) -> tuple[Path, ...]:
    """Return the files with the categories and the other factors of a picture file; () unless both exist."""
    match = _PICTURES.match(path.name)
    ends = [] if match is None else [match[2], match[2].removesuffix(".gz"), match[2].removesuffix(".gz") + ".gz"]
    found = []
    for what in ("cat", "info"):
        places = [path.with_name(f"{match[1]}{what}{end}") for end in ends] if match else []
        found += [next((p for p in places if p.is_file() and not p.is_symlink()), None)]
    return () if None in found else tuple(file for file in found if file is not None)


def _factors(files: tuple[Path, ...], n: int) -> np.ndarray:
    columns = []
    for file, shape in zip(files, ((n,), (n, 4)), strict=True):
        start, found, kind = _head(file)
        if found != shape or kind.kind not in "iu":
            raise DataError(f"{file.name} holds {found} numbers where {n:,} pictures need {shape}; copy it again.")
        columns.append(idx.rows(file, start, shape, kind, None).reshape(n, -1))
    return np.hstack(columns)


def _head(path: Path) -> tuple[int, tuple[int, ...], np.dtype]:
    """Return the offset of the numbers, their shape and their type."""
    with idx.opened(path) as file:
        kind = _TYPES.get(int.from_bytes(file.read(4), "little"))
        axes = int.from_bytes(file.read(4), "little")
        if kind is None or not 1 <= axes <= 4:
            raise ValueError("it does not begin as SmallNORB's files do")
        lengths = np.frombuffer(file.read(4 * max(3, axes)), "<i4").tolist()
        if len(lengths) < max(3, axes) or min(lengths) < 1:
            raise ValueError(f"its shape is {tuple(lengths)}")
    shape, dtype = tuple(lengths[:axes]), np.dtype(kind)
    idx.check_claim(path, shape, dtype)
    return 8 + 4 * len(lengths), shape, dtype
