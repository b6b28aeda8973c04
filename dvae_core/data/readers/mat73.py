"""MATLAB files of version 7.3, which are HDF5: names as in older versions, arrays turned back to MATLAB's axes."""

from collections.abc import Iterator, Mapping
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core.data.dataset import Dataset
from dvae_core.data.readers import hdf5, mat, stringer
from dvae_core.data.readers.common import Ask, Variable
from dvae_core.data.readers.recordings import Part, Recording, dataset


def inspect(path: Path) -> list[Variable]:
    """List what can be chosen, as for older MATLAB files."""
    with hdf5.File(path) as file:
        return _recording(file).variables


def read(path: Path, ask: Ask) -> Dataset:
    """Read arrays of a file, as for older MATLAB files."""
    with hdf5.File(path) as file:
        return dataset(_recording(file), ask)


def _recording(file: hdf5.File) -> Recording:
    entries = list(_entries(file))
    variables, opaque = mat.collect(entries)
    texts = {e.name: e for e in entries if opaque.get(e.name) == mat.TEXT}

    def load(parts: Mapping[str, Part]) -> dict[str, Any]:
        return mat.combine(entries, parts)

    found = Recording(file.path, variables, load, opaque=opaque, matlab=True)
    return stringer.known(found, lambda wanted: {name: texts[name].load() for name in wanted if name in texts})


def _entries(file: hdf5.File) -> Iterator[mat.Entry]:
    for where, item in file.tree(matlab=True).items():
        name = where.replace("/", ".")
        if item.get("group"):
            yield mat.Entry(name, (1, 1), item.get("MATLAB_class", "struct"), _nothing)
        elif item.get("too_many"):
            yield mat.Entry(name, (1, 1), "cell of more than 5,000 parts", _nothing)
        elif "leaves" in item:
            for leaf in item["leaves"]:
                leaf["shape"] = None if leaf["shape"] is None else tuple(int(side) for side in leaf["shape"])
                yield _entry(file, leaf["name"].replace("/", "."), leaf["at"], leaf)
        else:
            yield _entry(file, name, item.get("at", where), item)


def _entry(file: hdf5.File, name: str, where: str, item: Mapping[str, Any]) -> mat.Entry:
    shape, kind = (item["shape"] or ())[::-1], item.get("MATLAB_class", item["dtype"])
    if item.get("MATLAB_empty"):  # the numbers are the shape of nothing
        return mat.Entry(name, (0, 0), "float64", _nothing)
    if kind == "char":
        return mat.Entry(name, shape, "char", partial(_text, file, where, item))
    if item["dtype"] not in mat.PLAIN or len(shape) < 2:
        return mat.Entry(name, (1, 1), "object", _nothing)
    kind = "logical" if kind == "logical" else item["dtype"]
    return mat.Entry(name, shape, kind, partial(_array, file, where, item, kind))


def _array(
    file: hdf5.File, where: str, item: Mapping[str, Any], kind: str, axis: int = 0, kept: np.ndarray | None = None
) -> np.ndarray:
    hdf5.check_claim(file.path, where, item)
    part = Part(len(item["shape"]) - 1 - axis, kept)
    values = file.numbers(where, item["shape"], item["dtype"], part).T
    return values != 0 if kind == "logical" else values


def _text(file: hdf5.File, where: str, item: Mapping[str, Any], *_: Any) -> str:
    if item["dtype"] not in ("uint16", "uint8") or prod(item["shape"]) > 2**16:
        return ""
    values = file.numbers(where, item["shape"], item["dtype"])
    return values.tobytes().decode("utf-16-le" if item["dtype"] == "uint16" else "latin-1", "replace").strip()


def _nothing(*_: Any) -> np.ndarray:
    return np.zeros((0, 0))
