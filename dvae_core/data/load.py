"""From a data config to its Dataset: draw it, or read its file."""

import dataclasses
from pathlib import Path

from dvae_core.config import Data, DigitsData, FacesData, FileData, NeuronsData, SourcesData, SpritesData
from dvae_core.data import care
from dvae_core.data.dataset import Dataset, MissingValues
from dvae_core.data.pictures import faces, sprites
from dvae_core.data.readers import builtin, read
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
        )  # fmt: skip
    except MissingValues as error:
        dataset = care.complete(error, data.missing)
    return care.cured(dataset, clip=data.clip, constant=data.constant == "drop", duplicates=data.duplicates == "drop")


def _arguments(data: SourcesData | NeuronsData | SpritesData | FacesData) -> dict:
    return {f.name: getattr(data, f.name) for f in dataclasses.fields(data) if f.name != "kind"}
