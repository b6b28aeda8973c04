"""Pictures from a folder, a zip, or the frames of a GIF or TIFF: one row each, all of one size and one scale."""

import re
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from dvae_core.data.dataset import UNREADABLE, DataError
from dvae_core.data.readers.arrays import count_members, member_list
from dvae_core.data.readers.common import ReadOptions, kept_open, reading, reason
from dvae_core.data.readers.model import PICTURE, Part, Recording, Variable, rows_of

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff")
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF")

SIDE = 64  # larger pictures are resized to this if no size is requested
KEEP_UP_TO = 128  # pixels per side: pictures up to this size keep their size
MAX_PIXELS = 2**24  # of one picture, before it is reduced
MAX_FRAME = 2**23  # pixels of a frame: Pillow keeps four copies of it at once, with four bytes per pixel
MAX_BYTES = 2**26  # of one picture's file
MAX_PICTURES = 300_000  # CelebA has 202,599
MANY = 10_000  # a zip with more members than this is searched for a picture's name before it is read through
_NAMED = re.compile(b"|".join(re.escape(suffix.encode()) for suffix in SUFFIXES), re.IGNORECASE)

BAD = (*UNREADABLE, UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning, struct.error,
        IndexError, TypeError, AttributeError, ZeroDivisionError)  # fmt: skip


@dataclass(frozen=True)
class Pictures:
    """The names of pictures, access to the bytes of each, and a way to close the source."""

    path: Path
    names: list[str]
    content: Callable[[str], bytes]
    close: Callable[[], None] = lambda: None

    @classmethod
    def of(cls, path: Path) -> "Pictures":
        """Return the pictures of a folder (with subfolders) or of a zip, read in place: nothing is ever unpacked."""
        if path.is_dir():
            return cls(path, sorted(_walk(path), key=by_number), lambda name: _file_bytes(path / name))
        with reading(path):
            count = count_members(path)
            if count > MAX_PICTURES:
                raise DataError(f"{path.name} has {count:,} members where {MAX_PICTURES:,} can be read; split it.")
            if count > MANY and not _NAMED.search(member_list(path)):  # no picture: do not spend zipfile's second
                return cls(path, [], lambda name: b"")
            archive = zipfile.ZipFile(path)
        names = sorted((m.filename for m in archive.infolist() if _is_picture(m.filename)), key=by_number)

        def content(name: str) -> bytes:
            with archive.open(name) as file:
                return _limited(file.read(MAX_BYTES + 1))

        return cls(path, names, content, archive.close)


def by_number(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts frame2 before frame10."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(part[:18]), part) if part.isdecimal() else (1, 0, part) for part in parts]


def holds_any(folder: Path) -> bool:
    """Whether a folder or one of its subfolders contains a picture."""
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
    """Return a picture, upright, after checking its size and before decoding any pixel.

    Raises:
        ValueError: If it would be too large.
    """
    picture = Image.open(BytesIO(content), formats=FORMATS)
    _check_size(picture, at_most)
    if content[:8] == b"\x89PNG\r\n\x1a\n" and content[24:26] in (b"\x10\x02", b"\x10\x06"):
        raise DataError(
            "Pictures of 16 bits in three colours lose half of them here; save them in grey, or with 8 bits a colour."
        )
    return picture


def _check_size(picture: Image.Image, at_most: int) -> None:
    if picture.width * picture.height > at_most:
        raise ValueError(f"it has {picture.width:,} x {picture.height:,} pixels, more than {at_most:,}")


def depth(picture: Image.Image) -> str:
    """Return the dtype that preserves a picture's levels: uint8, uint16 or float32."""
    if picture.mode == "F":
        return "float32"
    return "uint16" if picture.mode.startswith("I") else "uint8"


def fitted(picture: Image.Image, shape: tuple[int, ...], crop: int | None = None) -> np.ndarray:
    """Return a picture as `shape` (H, W) or (H, W, 3), cut to its middle: `crop` pixels per side or all that fits.

    16-bit and floating-point pictures keep their levels; transparent parts become black.
    """
    kept = depth(picture)
    picture = ImageOps.exif_transpose(picture) or picture
    if kept == "uint8":
        if _is_clear(picture):
            clear = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", clear.size, (0, 0, 0, 255)), clear)
        mode = "L" if len(shape) == 2 else "RGB"
        picture = picture if picture.mode == mode else picture.convert(mode)  # convert() always copies
    else:
        picture = picture if picture.mode == "F" else Image.fromarray(np.asarray(picture, np.float32))
    height, width = shape[:2]
    across, down = picture.size
    scale = min(across / width, down / height)
    wide, high = (crop, crop) if crop else (round(width * scale), round(height * scale))
    if (wide, high) != (across, down):
        left, top = round((across - wide) / 2), round((down - high) / 2)
        picture = picture.crop((left, top, left + wide, top + high))
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    values = np.asarray(picture)
    if kept != "uint8" and len(shape) == 3:
        values = np.repeat(values[..., None], 3, axis=2)
    if kept == "uint16":
        if values.min(initial=0) < 0 or values.max(initial=0) > 65535:
            raise DataError("A picture holds values below 0 or above 65,535; save it in 16 bits, or as floats.")
        return np.rint(values).astype(np.uint16)
    if kept == "float32" and not np.isfinite(values).all():
        raise DataError("A picture holds values that are not finite; fill them first.")
    return values.astype(kept)


def _is_clear(picture: Image.Image) -> bool:
    return picture.mode in ("LA", "RGBA", "PA", "La", "RGBa") or "transparency" in picture.info


def stack(
    pictures: Pictures, names: list[str], shape: tuple[int, ...], crop: int | None = None, kind: str = "uint8"
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return the readable pictures, their indices in `names`, and a note on the unreadable ones.

    Raises:
        DataError: If none can be read, or if some have more levels than others, so that no single scale fits the set.
    """
    out = np.empty((len(names), *shape), kind)
    good = np.zeros(len(names), bool)
    first, clear = "", 0
    for i, name in enumerate(names):
        try:
            with open_picture(pictures.content(name)) as picture:
                if depth(picture) != kind:
                    raise DataError(
                        f"{name.rsplit('/', 1)[-1]} of {pictures.path.name} is {depth(picture)} and the pictures before"
                        f" it are {kind}; save all of them in one of the two."
                    )
                clear += _is_clear(picture)
                out[i] = fitted(picture, shape, crop)
            good[i] = True
        except DataError:
            raise
        except BAD as error:
            first = first or f"{name.rsplit('/', 1)[-1]}: {reason(error)}"
    if not good.any():
        raise DataError(f"{pictures.path.name} has no picture that can be read ({first}); copy it again.")
    notes = [] if good.all() else [f"{(~good).sum():,} of {len(names):,} pictures cannot be read (first {first})"]
    notes += [f"transparent parts of {clear:,} pictures show black"] if clear else []
    return (out if good.all() else out[good]), good, notes


class Scale:
    """The factor that scales a set of pictures (known once it is read), and the text that describes it."""

    def __init__(self) -> None:
        self.value: float | None = None

    def of(self, pictures: np.ndarray) -> str:
        """Set the scale of a set of pictures, and return a note if it differs from that of bytes."""
        if pictures.dtype == np.uint8:
            return ""
        top = float(pictures.max(initial=0))
        if pictures.dtype == np.float32 and pictures.min(initial=0) >= 0 and top <= 1:
            self.value = 1.0
            return "pictures of floats from 0 to 1, as they are"
        self.value = 1 / top if top > 0 else 1.0
        kind = "16-bit" if pictures.dtype == np.uint16 else "floating"
        return f"{kind} pictures, all divided by {top:g}, the largest value of the set"


def recording(path: Path, options: ReadOptions) -> Recording:
    """Return a folder, a zip or the frames of a GIF or TIFF as pictures; subfolders are the labels u.

    Unless `x_shape` is given, the first picture decides the size and whether there is colour: a size of up to 128
    pixels per side is kept, larger pictures become 64 x 64. The others are cropped to their middle and resized to
    match. One scale holds for all.
    """
    if path.suffix.lower() in SUFFIXES and not path.is_dir():
        return _frames(path, options)
    with kept_open(Pictures.of(path)) as pictures:
        return _recording(pictures, options)


def _recording(pictures: Pictures, options: ReadOptions) -> Recording:
    names = pictures.names
    if not names:
        raise DataError(f"{pictures.path.name} has no pictures; it needs {', '.join(SUFFIXES)}.")
    shape, kind, came = _shape_of(pictures, options)
    folders = [name.rsplit("/", 2)[-2] if "/" in name else "" for name in names]
    variables = [
        Variable("pictures", (len(names), *shape), kind, "matrix", f"the first is {came}", PICTURE[: 1 + len(shape)])
    ]
    labelled = 1 < len(set(folders)) <= 500 and "" not in folders
    if labelled:
        variables.append(Variable("folder", (len(names),), "str", "label", axes=("row",)))
    facts: dict[str, str] = {"pictures": f"{shape[1]} x {shape[0]}; the first came as {came}"}
    scale = Scale()

    def load(parts: Mapping[str, Part]) -> dict[str, Any]:
        arrays: dict[str, Any] = {}
        rows = rows_of(parts, len(names)).tolist()
        good = np.ones(len(rows), bool)
        if "pictures" in parts:
            arrays["pictures"], good, notes = stack(pictures, [names[i] for i in rows], shape, kind=kind)
            note = "; ".join(filter(None, (*notes, scale.of(arrays["pictures"]))))
            facts.update({"levels" if good.all() else "left out": note} if note else {})
        if "folder" in parts:
            arrays["folder"] = np.array([folders[i] for i in rows])[good]
        return arrays

    return Recording(
        pictures.path, variables, load, x=("pictures",), u=("folder",) if labelled else (), meta=facts,
        scale=lambda: scale.value, close=pictures.close,
    )  # fmt: skip


def _shape_of(pictures: Pictures, options: ReadOptions) -> tuple[tuple[int, ...], str, str]:
    for name in pictures.names[:100]:
        try:
            with open_picture(pictures.content(name)) as picture:
                return _size(picture, options), depth(picture), f"{picture.width} x {picture.height} {picture.mode}"
        except BAD:
            continue
    stack(pictures, pictures.names[:100], (1, 1))  # reports what is wrong with the first of them
    raise DataError(f"{pictures.path.name} has no picture that can be read; copy it again.")


def _size(picture: Image.Image, options: ReadOptions) -> tuple[int, ...]:
    if options.x_shape:
        return options.x_shape
    small = max(picture.size) <= KEEP_UP_TO
    sides = (picture.height, picture.width) if small else (SIDE, SIDE)
    if picture.getexif().get(0x0112, 1) >= 5:  # stored lying on its side
        sides = sides[::-1]
    return sides if picture.mode in ("1", "L", "LA", "I", "F") or picture.mode.startswith("I;16") else (*sides, 3)


def _frames(path: Path, options: ReadOptions) -> Recording:
    """Return the frames of a GIF (or of a TIFF with several pages) as rows."""
    try:
        with open_picture(_file_bytes(path), MAX_FRAME) as picture:
            n, shape, kind = getattr(picture, "n_frames", 1), _size(picture, options), depth(picture)
            grey = picture.mode == "P" and _is_grey(picture)
    except BAD as error:
        raise _damaged(path, error) from error
    shape = shape[:2] if grey and not options.x_shape else shape
    if n < 2:
        raise DataError(f"{path.name} is one picture, which is one row; give a folder or a zip of pictures.")
    facts, scale = {"pictures": f"{n:,} frames"}, Scale()

    def load(parts: Mapping[str, Part]) -> dict[str, Any]:
        rows = rows_of(parts, n)
        out = np.empty((len(rows), *shape), kind)
        try:
            with open_picture(_file_bytes(path), MAX_FRAME) as picture:
                for i, row in enumerate(rows.tolist()):
                    picture.seek(row)
                    _check_size(picture, MAX_FRAME)  # a frame may claim to be larger than the first
                    if depth(picture) != kind:
                        raise ValueError(f"frame {row + 1} is {depth(picture)} and the first is {kind}")
                    out[i] = fitted(picture, shape)
        except BAD as error:
            raise _damaged(path, error) from error
        levels = scale.of(out)
        facts.update({"levels": levels} if levels else {})
        return {"frames": out}

    variables = [Variable("frames", (n, *shape), kind, "matrix", axes=PICTURE[: 1 + len(shape)])]
    return Recording(path, variables, load, x=("frames",), meta=facts, scale=lambda: scale.value)


def _is_grey(picture: Image.Image) -> bool:
    colours = np.array(picture.getpalette("RGB")).reshape(-1, 3)  # the palette: far smaller than the picture
    used = colours[np.flatnonzero(picture.histogram()[:256])]
    return bool((used == used[:, :1]).all())


def _damaged(path: Path, error: Exception) -> DataError:
    if isinstance(error, DataError):
        return error
    return DataError(f"{path.name} is damaged or no picture ({reason(error)}); copy it again.")
