"""A data set in a single .npz file, without pickles."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core.data.dataset import UNREADABLE, DataError, Dataset
from dvae_core.parsing import PARSING

_ARRAYS = ("x", "u", "z", "index", "trial", "session", "x_offset", "u_offset")
_WORDS = ("x_names", "u_names", "z_names", "u_labels")
_NUMBERS = ("x_shape", "x_scale", "rate_hz", "u_period")


def save(dataset: Dataset, path: str | Path) -> None:
    """Write everything to one .npz without pickles, atomically: readers see the old file or the new one, never half."""
    path = Path(path)
    content: dict[str, Any] = {"name": dataset.name, "meta": json.dumps(dict(dataset.meta))}
    for key in (*_ARRAYS, *_WORDS, *_NUMBERS):
        value = getattr(dataset, key)
        if value is not None and not (isinstance(value, tuple) and not value):
            content[key] = value
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            np.savez_compressed(file, **content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load(path: str | Path) -> Dataset:
    """Read a file written by `save`, equal in every field; damaged or foreign files raise a DataError."""
    path = Path(path)
    try:
        with PARSING, zipfile.ZipFile(path) as archive:
            content = {
                name.removesuffix(".npy"): np.lib.format.read_array(archive.open(name), allow_pickle=False)
                for name in archive.namelist()
            }
        known: dict[str, Any] = {key: content[key] for key in _ARRAYS if key in content}
        known |= {key: tuple(content[key].tolist()) for key in (*_WORDS, "x_shape", "u_period") if key in content}
        known |= {key: float(content[key]) for key in ("x_scale", "rate_hz") if key in content}
        known |= {"name": str(content["name"]), "meta": json.loads(str(content["meta"]))}
    except UNREADABLE as error:
        raise DataError(f"{path.name} is not a complete file written by this library; save the data again.") from error
    return Dataset(**known)
