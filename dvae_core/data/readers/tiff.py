"""TIFF stacks of microscopes and cameras: pages as rows, in their own bit depth, with the axes that the file names.

tifffile reads the names of the axes (ImageJ, OME, shaped), and pages that are not compressed or compressed by zlib.
Pages in other compressions are decoded by Pillow. Files that a TIFF refers to are never opened.
"""

import logging
import re
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tifffile
from PIL import Image

from dvae_core.data.dataset import DataError
from dvae_core.data.readers import images
from dvae_core.data.readers.common import ReadOptions, check_budget, reading
from dvae_core.data.readers.model import PICTURE, Part, Recording, Variable, rows_of

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it logs faults that become a DataError here

SUFFIXES = (".tif", ".tiff")
AXES = {"T": "time", "Z": "plane", "C": "channel", "Q": "page", "I": "page", "R": "tile", "P": "phase", "H": "lifetime"}
PLAIN = ("uint8", "uint16", "float32")
MAX_PAGES = 2_000_000
MAX_RATIO = 2000  # of compression
_ERRORS = (*images.BAD, tifffile.TiffFileError, tifffile.OmeXmlError, ArithmeticError, AssertionError, SyntaxError)


class _Stack(NamedTuple):
    axes: tuple[tuple[str, int], ...]  # of the pages, in order, such as (("time", 100), ("plane", 5))
    page: tuple[int, ...]  # (H, W) or (H, W, 3)
    dtype: str
    rate_hz: float | None
    own: bool  # tifffile can decode its pages
    elsewhere: tuple[str, ...]  # files that its metadata names

    @property
    def n(self) -> int:
        return prod(count for _, count in self.axes)


def recording(path: Path, options: ReadOptions) -> Recording:
    """Return the pages of a TIFF as pictures, one per row; axes of pages beside time are variables to choose as u.

    A page of up to 128 pixels a side keeps its size; larger pages become 64 x 64, unless a size is requested.
    """
    stack = _stack(path)
    if stack.n < 2:
        raise DataError(f"{path.name} is one picture, which is one row; give a folder or a zip of pictures.")
    small = max(stack.page[:2]) <= images.KEEP_UP_TO
    shape = options.x_shape or (stack.page if small else (images.SIDE, images.SIDE, *stack.page[2:]))
    kind = stack.dtype if stack.dtype in PLAIN else "float32"
    variables = [Variable("frames", (stack.n, *shape), kind, "matrix", _words(stack), PICTURE[: 1 + len(shape)])]
    numbers = _numbers(stack)
    for name, values in numbers.items():
        variables.append(Variable(name, values.shape, "int64", "label", f"of each page, 0 to {values.max()}", ("row",)))
    facts = {"pictures": f"{stack.n:,} frames of {stack.page[1]:,} x {stack.page[0]:,}, {stack.dtype}"}
    scale = images.Scale()

    def load(parts: Mapping[str, Part]) -> dict[str, Any]:
        arrays: dict[str, Any] = {n: v if parts[n].kept is None else v[parts[n].kept] for n, v in numbers.items()
                                  if n in parts}  # fmt: skip
        if "frames" in parts:
            rows = rows_of(parts, stack.n)
            check_budget(path, len(rows) * prod(shape) * np.dtype(kind).itemsize, options.budget_bytes)
            out = np.empty((len(rows), *shape), kind)
            with reading(path, *_ERRORS):
                for i, page in enumerate(_pages(path, stack, rows)):
                    out[i] = (
                        images.fitted(Image.fromarray(page), shape) if kind == "uint8" else _deep(page, shape, kind)
                    )
            levels = scale.of(out)
            facts.update({"levels": levels} if levels else {})
            arrays["frames"] = out
        return arrays

    return Recording(
        path, variables, load, x=("frames",), meta=facts, scale=lambda: scale.value, rate_hz=stack.rate_hz,
        notes=tuple(_notes(stack, numbers)),
    )  # fmt: skip


@contextmanager
def _open(path: Path) -> Iterator[tifffile.TiffFile]:
    with reading(path, *_ERRORS), tifffile.TiffFile(path, mode="r", _multifile=False) as file:
        yield file


def _check_chain(path: Path) -> None:
    """Refuse a file whose list of pages leads back into itself: tifffile would follow it endlessly."""
    with open(path, "rb") as file:
        head = file.read(16)
        order = "<" if head[:2] == b"II" else ">"
        big = head[2:4] in (b"+\0", b"\0+")
        count_of, entry, offset_of = (f"{order}Q", 20, f"{order}Q") if big else (f"{order}H", 12, f"{order}I")
        (at,) = struct.unpack_from(offset_of, head, 8 if big else 4)
        seen: set[int] = set()
        while at:
            if at in seen or len(seen) > MAX_PAGES:
                raise ValueError("its list of pages leads back into itself")
            seen.add(at)
            file.seek(at)
            (count,) = struct.unpack(count_of, file.read(struct.calcsize(count_of)))
            file.seek(at + struct.calcsize(count_of) + count * entry)
            following = file.read(struct.calcsize(offset_of))
            at = struct.unpack(offset_of, following)[0] if len(following) == struct.calcsize(offset_of) else 0


def _stack(path: Path) -> _Stack:
    with reading(path, *_ERRORS):
        _check_chain(path)
    with _open(path) as file:
        series = file.series[0]
        shape, names = tuple(int(s) for s in series.shape), series.axes
        if len(shape) != len(names) or names.count("Y") != 1 or names.count("X") != 1 or "S" in names[:-1]:
            raise ValueError(f"its axes are {names}")
        colours = shape[-1] if names[-1] == "S" else 1
        inner = len(names) - names.index("Y")
        if names[len(names) - inner :] not in ("YX", "YXS") or colours not in (1, 3):
            raise DataError(f"{path.name} has the axes {names}; save it as pages in grey or with three colours.")
        kind = np.dtype(series.dtype)
        if kind.kind not in "biuf" or prod(shape) > 2**50 or prod(shape[:-inner]) > MAX_PAGES:
            raise ValueError(f"it holds {kind} values of shape {shape}")
        page = shape[-inner:][: 3 if colours == 3 else 2]
        if prod(page) > images.MAX_FRAME:
            raise ValueError(f"its pages have {prod(page):,} pixels, more than {images.MAX_FRAME:,}")
        outer = tuple((AXES.get(a, a), n) for a, n in zip(names[:-inner], shape[:-inner], strict=True))
        own = file.pages[0].compression in (1, 8, 32946)  # pyright: ignore[reportAttributeAccessIssue]
        named = re.findall(r'FileName="([^"<>]{1,100})"', (file.ome_metadata or "") if file.is_ome else "")
        if 0 in page:
            raise ValueError(f"its pages have {page[0]} x {page[1]} pixels")
        claimed, size = prod(shape) * kind.itemsize, path.stat().st_size
        if prod(shape[:-inner]) > size or claimed > MAX_RATIO * size:
            raise ValueError(f"it says it holds {claimed:,} bytes but has only {size:,}")
        if series.dataoffset is not None and series.dataoffset + claimed > size:
            raise ValueError("it is cut off")
        elsewhere = tuple(dict.fromkeys(name for name in named if name != path.name))
        rate = _rate(file, [name for name, n in outer if n > 1])
        return _Stack(outer or (("page", 1),), page, kind.name, rate, own, elsewhere)


def _rate(file: tifffile.TiffFile, axes: list[str]) -> float | None:
    """Return the frame rate, if pages are time points and the file states their interval."""
    if axes != ["time"]:
        return None
    interval: Any = (file.imagej_metadata or {}).get("finterval") if file.is_imagej else None
    if file.is_ome:
        text = file.ome_metadata or ""
        found = re.search(r'TimeIncrement="([0-9.eE+-]+)"', text)
        unit = re.search(r'TimeIncrementUnit="(\w+)"', text)
        scale = {"s": 1.0, "ms": 1e-3, "min": 60.0}.get(unit[1] if unit else "s")
        interval = float(found[1]) * scale if found and scale else None
    return float(f"{1 / float(interval):.6g}") if isinstance(interval, float | int) and interval > 0 else None


def _notes(stack: _Stack, numbers: Mapping[str, np.ndarray]) -> Iterator[str]:
    if numbers:
        yield f"rows are pages, in the order of {' and '.join(numbers)}"
    if stack.elsewhere:
        yield f"its metadata names other files ({', '.join(stack.elsewhere[:3])}), whose pages are not read"


def _words(stack: _Stack) -> str:
    return "pages by " + ", ".join(f"{name} ({count:,})" for name, count in stack.axes)


def _numbers(stack: _Stack) -> dict[str, np.ndarray]:
    """Return the position of every page on each axis that has several, where there is more than one such axis."""
    several = [name for name, count in stack.axes if count > 1]
    places = np.unravel_index(np.arange(stack.n), [count for _, count in stack.axes])
    named = {name: at.astype(np.int64) for (name, count), at in zip(stack.axes, places, strict=True) if count > 1}
    return named if len(several) == len(named) > 1 else {}


def _pages(path: Path, stack: _Stack, rows: np.ndarray) -> Iterator[np.ndarray]:
    if not stack.own:
        with reading(path, *_ERRORS), Image.open(path, formats=["TIFF"]) as picture:
            for row in rows.tolist():
                picture.seek(row)
                if (picture.height, picture.width) != stack.page[:2]:
                    raise ValueError(f"page {row + 1} has another size than the first")
                yield np.asarray(picture)
        return
    with _open(path) as file:
        series = file.series[0]
        whole = None
        if series.dataoffset is not None:  # one block on disk, which may have a header for its first page only
            whole = np.memmap(path, np.dtype(f"{file.byteorder}{np.dtype(stack.dtype).str[1:]}"), "r",
                              series.dataoffset, (stack.n, *stack.page))  # fmt: skip
        for row in rows.tolist():
            if whole is None and not all(getattr(series.pages[row], "dataoffsets", (1,))):
                raise ValueError(f"page {row + 1} has no content")  # tifffile would return zeros
            page = whole[row] if whole is not None else file.asarray(key=row, series=0)
            if page.size != prod(stack.page):
                raise ValueError(f"page {row + 1} has another size than the first")
            yield np.ascontiguousarray(np.asarray(page).reshape(stack.page).astype(stack.dtype))


def _deep(page: np.ndarray, shape: tuple[int, ...], kind: str) -> np.ndarray:
    """Return a page of more than 8 bits, cut to its middle and resized, colour by colour."""
    if page.ndim == 3 or len(shape) == 3:
        layers = [page[..., k] for k in range(page.shape[2])] if page.ndim == 3 else [page] * 3
        values = np.stack([images.fitted(Image.fromarray(np.ascontiguousarray(layer).astype(np.float32)), shape[:2])
                           for layer in layers], axis=2)  # fmt: skip
    else:
        values = images.fitted(Image.fromarray(page.astype(np.float32)), shape)
    return np.rint(values).astype(kind) if kind == "uint16" else values.astype(kind)
