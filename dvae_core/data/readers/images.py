"""Pictures: a folder of them, a zip of them, or the frames of a GIF; uint8, one row each, all of one size."""

import re
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from dvae_core.data.dataset import UNREADABLE, DataError, Dataset
from dvae_core.data.readers.arrays import count_members, member_list
from dvae_core.data.readers.common import Ask, Variable, reading, reason
from dvae_core.data.readers.recordings import Part, Recording, dataset

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff")
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF")

SIDE = 64  # to which larger pictures are brought where no size is asked for
KEEP_UP_TO = 128  # pixels a side: pictures of up to this size stay as they are
MAX_PIXELS = 2**24  # of one picture, before it is made smaller
MAX_FRAME = 2**23  # pixels of a frame: Pillow keeps four copies of it at once, of four bytes a pixel
MAX_BYTES = 2**26  # of one picture's file
MAX_PICTURES = 300_000  # CelebA has 202,599
MANY = 10_000  # members of a zip that are not read through without a look for a picture's name
_NAMED = re.compile(b"|".join(re.escape(suffix.encode()) for suffix in SUFFIXES), re.IGNORECASE)

_BAD = (*UNREADABLE, UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning, struct.error,
        IndexError, TypeError, AttributeError, ZeroDivisionError)  # fmt: skip


@dataclass(frozen=True)
class Pictures:
    """Names of pictures, and how to get at the bytes of one."""

    path: Path
    names: list[str]
    content: Callable[[str], bytes]


@contextmanager
def opened(path: Path) -> Iterator[Pictures]:
    """Give the pictures of a folder (with its subfolders) or of a zip, read in place: nothing is ever unpacked."""
    if path.is_dir():
        yield Pictures(path, sorted(_walk(path)), lambda name: _file_bytes(path / name))
        return
    with reading(path):
        count = count_members(path)
        if count > MAX_PICTURES:
            raise DataError(f"{path.name} has {count:,} members where {MAX_PICTURES:,} can be read; split it.")
        if count > MANY and not _NAMED.search(member_list(path)):  # no picture in it: not worth a second of zipfile's
            yield Pictures(path, [], lambda name: b"")
            return
        archive = zipfile.ZipFile(path)
    with archive:
        names = [m.filename for m in archive.infolist() if _is_picture(m.filename)]

        def content(name: str) -> bytes:
            with archive.open(name) as file:
                return _limited(file.read(MAX_BYTES + 1))

        yield Pictures(path, names, content)


def holds_any(folder: Path) -> bool:
    """Whether a folder has a picture, or a subfolder of it has."""
    return next(_walk(folder), None) is not None


def _walk(folder: Path, depth: int = 2) -> Iterator[str]:
    count = 0
    for item in folder.iterdir():
        if item.is_symlink():  # could lead out of the folder
            continue
        if item.is_dir() and depth:
            for name in _walk(item, depth - 1):
                yield f"{item.name}/{name}"
                count += 1
        elif _is_picture(item.name):
            yield item.name
            count += 1
        if count > MAX_PICTURES:
            raise DataError(f"{folder.name} has more than {MAX_PICTURES:,} pictures; split it.")


def _is_picture(name: str) -> bool:
    base = name.rsplit("/", 1)[-1]
    return base.lower().endswith(SUFFIXES) and not base.startswith(".") and not name.startswith("__MACOSX")


def _file_bytes(path: Path) -> bytes:
    with open(path, "rb") as file:
        return _limited(file.read(MAX_BYTES + 1))


def _limited(content: bytes) -> bytes:
    if len(content) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES // 2**20} MiB")
    return content


def open_picture(content: bytes, at_most: int = MAX_PIXELS) -> Image.Image:
    """Return a picture whose size was looked at before any pixel is decoded.

    Raises:
        ValueError: If it would be too large.
    """
    picture = Image.open(BytesIO(content), formats=FORMATS)
    _check_size(picture, at_most)
    return picture


def _check_size(picture: Image.Image, at_most: int) -> None:
    if picture.width * picture.height > at_most:
        raise ValueError(f"it has {picture.width:,} x {picture.height:,} pixels, more than {at_most:,}")


def fitted(
    picture: Image.Image, shape: tuple[int, ...], crop: int | None = None
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return a picture as `shape` (H, W) or (H, W, 3): its middle, `crop` pixels a side or all that fits."""
    picture, mode = _eight_bits(picture), "L" if len(shape) == 2 else "RGB"
    picture = picture if picture.mode == mode else picture.convert(mode)  # convert() copies, needed or not
    height, width = shape[:2]
    across, down = picture.size
    scale = min(across / width, down / height)
    wide, high = (crop, crop) if crop else (round(width * scale), round(height * scale))
    if (wide, high) != (across, down):
        left, top = round((across - wide) / 2), round((down - high) / 2)
        picture = picture.crop((left, top, left + wide, top + high))
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(picture, np.uint8)


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Return 16-bit and floating pictures scaled to 0..255: convert() alone would cut them off."""
    if not picture.mode.startswith(("I", "F")):
        return picture
    values = np.nan_to_num(np.asarray(picture, np.float64))
    top = 65535.0 if picture.mode.startswith("I") and values.max(initial=0) > 255 else max(values.max(initial=0), 1.0)
    return Image.fromarray((values.clip(0) * (255 / top if top > 255 else 1)).clip(0, 255).astype(np.uint8))


def stack(
    pictures: Pictures, names: list[str], shape: tuple[int, ...], crop: int | None = None
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return the pictures that can be read, which of `names` they are, and a note on those that cannot.

    Raises:
        DataError: If none can.
    """
    out = np.empty((len(names), *shape), np.uint8)
    good = np.zeros(len(names), bool)
    first = ""
    for i, name in enumerate(names):
        try:
            with open_picture(pictures.content(name)) as picture:
                out[i] = fitted(picture, shape, crop)
            good[i] = True
        except DataError:
            raise
        except _BAD as error:
            first = first or f"{name.rsplit('/', 1)[-1]}: {reason(error)}"
    if not good.any():
        raise DataError(f"{pictures.path.name} has no picture that can be read ({first}); copy it again.")
    notes = [] if good.all() else [f"{(~good).sum():,} of {len(names):,} pictures cannot be read (first {first})"]
    return (out if good.all() else out[good]), good, notes


def inspect(path: Path) -> list[Variable]:
    """List the pictures, and the folders they lie in as labels."""
    with _recorded(path, Ask()) as recording:
        return recording.variables


def read(path: Path, ask: Ask) -> Dataset:
    """Read a folder, a zip or a GIF of pictures; folders in it are the labels u.

    The first picture says the size and whether there is colour, unless `x_shape` does: up to 128 pixels a side it is
    kept, larger ones become 64 x 64. Others are cropped to their middle and resized to it.
    """
    with _recorded(path, ask) as recording:
        return dataset(recording, ask)


@contextmanager
def _recorded(path: Path, ask: Ask) -> Iterator[Recording]:
    if path.suffix.lower() in SUFFIXES and not path.is_dir():
        yield _frames(path, ask)
        return
    with opened(path) as pictures:
        yield _recording(pictures, ask)


def _recording(pictures: Pictures, ask: Ask) -> Recording:
    names = pictures.names
    if not names:
        raise DataError(f"{pictures.path.name} has no pictures; it needs {', '.join(SUFFIXES)}.")
    shape, came = _shape_of(pictures, ask)
    folders = [name.rsplit("/", 2)[-2] if "/" in name else "" for name in names]
    variables = [Variable("pictures", (len(names), *shape), "uint8", "matrix", f"the first is {came}")]
    labelled = 1 < len(set(folders)) <= 500 and "" not in folders
    if labelled:
        variables.append(Variable("folder", (len(names),), "str", "label"))
    told: dict[str, str] = {"pictures": f"{shape[1]} x {shape[0]}; the first came as {came}"}

    def load(parts: Mapping[str, Part]) -> dict[str, Any]:
        arrays: dict[str, Any] = {}
        kept = next(iter(parts.values())).kept
        rows = range(len(names)) if kept is None else kept.tolist()
        good = np.ones(len(rows), bool)
        if "pictures" in parts:
            arrays["pictures"], good, notes = stack(pictures, [names[i] for i in rows], shape)
            told.update({"left out": notes[0]} if notes else {})  # before the data set is made of it
        if "folder" in parts:
            arrays["folder"] = np.array([folders[i] for i in rows])[good]
        return arrays

    return Recording(pictures.path, variables, load, x=("pictures",), u=("folder",) if labelled else (), meta=told)


def _shape_of(pictures: Pictures, ask: Ask) -> tuple[tuple[int, ...], str]:
    for name in pictures.names[:100]:
        try:
            with open_picture(pictures.content(name)) as picture:
                return _size(picture, ask), f"{picture.width} x {picture.height} {picture.mode}"
        except _BAD:
            continue
    stack(pictures, pictures.names[:100], (1, 1))  # says what is wrong with the first of them
    raise DataError(f"{pictures.path.name} has no picture that can be read; copy it again.")


def _size(picture: Image.Image, ask: Ask) -> tuple[int, ...]:
    if ask.x_shape:
        return ask.x_shape
    small = max(picture.size) <= KEEP_UP_TO
    sides = (picture.height, picture.width) if small else (SIDE, SIDE)
    return sides if picture.mode in ("1", "L", "I", "F", "I;16") else (*sides, 3)


def _frames(path: Path, ask: Ask) -> Recording:
    """Return the frames of a GIF (or of a TIFF with several pages) as rows."""
    try:
        with open_picture(_file_bytes(path), MAX_FRAME) as picture:
            n, shape = getattr(picture, "n_frames", 1), _size(picture, ask)
            grey = picture.mode == "P" and _is_grey(picture)
    except _BAD as error:
        raise _damaged(path, error) from error
    shape = shape[:2] if grey and not ask.x_shape else shape
    if n < 2:
        raise DataError(f"{path.name} is one picture, which is one row; give a folder or a zip of pictures.")

    def load(parts: Mapping[str, Part]) -> dict[str, Any]:
        kept = parts["frames"].kept
        rows = np.arange(n) if kept is None else kept
        out = np.empty((len(rows), *shape), np.uint8)
        try:
            with open_picture(_file_bytes(path), MAX_FRAME) as picture:
                for i, row in enumerate(rows.tolist()):
                    picture.seek(row)
                    _check_size(picture, MAX_FRAME)  # a frame may say that it is larger than the first
                    out[i] = fitted(picture, shape)
        except _BAD as error:
            raise _damaged(path, error) from error
        return {"frames": out}

    variables = [Variable("frames", (n, *shape), "uint8", "matrix")]
    return Recording(path, variables, load, x=("frames",), meta={"pictures": f"{n:,} frames"})


def _is_grey(picture: Image.Image) -> bool:
    colours = np.array(picture.getpalette("RGB")).reshape(-1, 3)  # those used: the whole picture would take far more
    used = colours[np.flatnonzero(picture.histogram()[:256])]
    return bool((used == used[:, :1]).all())


def _damaged(path: Path, error: Exception) -> DataError:
    if isinstance(error, DataError):
        return error
    return DataError(f"{path.name} is damaged or no picture ({reason(error)}); copy it again.")
