"""From a data config to its Dataset: draw it, or read its file."""

import dataclasses
import re
from pathlib import Path
from typing import Any

from dvae_core.config import Data, DigitsData, FacesData, FileData, NeuronsData, SourcesData, SpritesData
from dvae_core.data import care
from dvae_core.data.dataset import DataError, Dataset, MissingValues
from dvae_core.data.pictures import faces, sprites
from dvae_core.data.readers import ReadingRecord, Undecided, builtin, inspect, read
from dvae_core.data.synthetic import neurons, sources


def dataset_of(data: Data) -> Dataset:
    """Load or draw the data that a config names.

    Raises:
        DataError: If a file cannot be read as asked.
    """
    if isinstance(data, SourcesData):
        return sources(**_arguments(data))
    if isinstance(data, NeuronsData):
        return neurons(**_arguments(data))
    if isinstance(data, DigitsData):
        return builtin.digits()
    if isinstance(data, SpritesData):
        return sprites(**_arguments(data))
    if isinstance(data, FacesData):
        return faces(**_arguments(data))
    return read_file(data)


def read_file(data: FileData, path: Path | None = None) -> Dataset:
    """Read the file of a config, or another one (`path`) in the same way, with the config's cures.

    Raises:
        MissingValues: If values are missing and the config does not say which to drop.
        DataError: If it cannot be read as asked.
    """
    try:
        dataset = read(
            path or Path(data.path), x=data.x or None, u=data.u or None, z=data.z or None, rate_hz=data.rate_hz,
            rows=data.rows, bin_s=data.bin_s, smooth_s=data.smooth_s, min_speed=data.min_speed, time=data.time,
            rows_are=data.rows_are, axes=data.axes or None, x_shape=picture_shape(data.picture),
            circular=data.circular or None, u_from=data.u_from,
        )  # fmt: skip
    except MissingValues as error:
        dataset = care.complete(error, data.missing)
    return care.cured(dataset, clip=data.clip, constant=data.constant == "drop", duplicates=data.duplicates == "drop")


def examine(data: FileData) -> tuple[dict[str, Any], str]:
    """Return the record of reading a file, with its facts as `meta`, and what was asked or refused ("" for nothing).

    Raises:
        DataError: If not even its variables can be listed.
    """
    try:
        dataset = read_file(data)
    except Undecided as error:
        record = error.record or ReadingRecord(inspect(data.path))
        return record.as_dict(), str(error)
    except MissingValues as error:
        reading = error.given["reading"]
        return {**reading, "notes": [*reading["notes"], str(error)]}, str(error)
    except DataError as error:
        return ReadingRecord(inspect(data.path)).as_dict(), str(error)
    return {**dataset.reading, "meta": dict(dataset.meta)}, ""


def picture_shape(text: str | None) -> tuple[int, ...] | None:
    """Return (H, W) or (H, W, 3) of "28x28" or "64x64x3", () of "none", None of nothing.

    Raises:
        DataError: If it is neither.
    """
    if not text:
        return None
    if text == "none":
        return ()
    sides = re.fullmatch(r"(\d{1,5})x(\d{1,5})(?:x3)?", text.lower())
    if sides is None:
        raise DataError(f"Pictures have a height and a width, such as 28x28, or 64x64x3 in colour; got {text!r}.")
    return (int(sides[1]), int(sides[2]), *([3] if text.lower().endswith("x3") and text.count("x") == 2 else []))


def _arguments(data: SourcesData | NeuronsData | SpritesData | FacesData) -> dict:
    return {f.name: getattr(data, f.name) for f in dataclasses.fields(data) if f.name != "kind"}
