"""MATLAB files of version 7.3, which are HDF5: names as in older versions, arrays in MATLAB's axis order."""

from collections.abc import Iterator, Mapping
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core.data.dataset import DataError
from dvae_core.data.readers import hdf5, mat, stringer
from dvae_core.data.readers.common import ReadOptions, kept_open
from dvae_core.data.readers.mat_format import PLAIN, Entry, dense
from dvae_core.data.readers.model import Part, Recording


def recording(path: Path, options: ReadOptions) -> Recording:
    """List the content of a file, in the same form as for older MATLAB files."""
    with kept_open(hdf5.File(path).__enter__()) as file:
        return _recording(file, options)


def _recording(file: hdf5.File, options: ReadOptions) -> Recording:
    entries = list(_entries(file))
    variables, groups, single = mat.collect(entries)
    texts = {e.name: e for e in entries if e.name in single}

    def load(parts: Mapping[str, Part]) -> dict[str, Any]:
        return mat.combine(entries, parts)

    found = mat.made(file.path, options, variables, load, groups, close=file.close)
    return stringer.known(found, lambda wanted: {name: texts[name].load() for name in wanted if name in texts})


def _entries(file: hdf5.File) -> Iterator[Entry]:
    tree = file.tree(matlab=True)
    sparse = tuple(f"{name}/" for name, item in tree.items() if item.get("MATLAB_sparse") is not None)
    for where, item in tree.items():
        name = where.replace("/", ".")
        if where.startswith(sparse):
            continue
        if item.get("MATLAB_sparse") is not None:
            yield _sparse_entry(file, where, item, tree)
        elif item.get("group"):
            kind = str(item.get("MATLAB_class", "struct")).replace("_", " ")
            yield Entry(name, (1, 1), kind, _nothing)
        elif item.get("too_many"):
            yield Entry(name, (1, 1), "cell of more than 5,000 parts", _nothing)
        elif "leaves" in item:
            for leaf in item["leaves"]:
                leaf["shape"] = None if leaf["shape"] is None else tuple(int(side) for side in leaf["shape"])
                yield _entry(file, leaf["name"].replace("/", "."), leaf["at"], leaf)
        else:
            yield _entry(file, name, item.get("at", where), item)


def _sparse_entry(file: hdf5.File, where: str, item: Mapping[str, Any], tree: Mapping[str, Any]) -> Entry:
    """Return a sparse matrix: its number of rows is an attribute, its columns are delimited by jc."""
    ends = tree.get(f"{where}/jc", {}).get("shape")
    name, rows = where.replace("/", "."), int(item["MATLAB_sparse"])
    if not ends or ends[0] < 1 or rows < 1:
        return Entry(name, (0, 0), "float64", _nothing)
    shape = (rows, ends[0] - 1)
    data = tree.get(f"{where}/data", {})
    kind = "logical" if item.get("MATLAB_class") == "logical" else "float64"
    if data.get("shape") and data["dtype"] not in PLAIN:
        return Entry(name, shape, "sparse complex matrix", _nothing)
    return Entry(name, shape, kind, partial(_dense, file, where, tree, shape, kind))


def _dense(
    file: hdf5.File, where: str, tree: Mapping[str, Any], shape: tuple[int, int], kind: str, axis: int = 0,
    kept: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    parts = []
    for part in ("ir", "jc", "data"):
        at = f"{where}/{part}"
        stored = tree.get(at, {}).get("shape")
        parts.append(hdf5.load_one(file, at, tree[at], Part()).ravel() if stored and prod(stored) else np.zeros(0))
    try:
        values = dense(shape, parts[0], parts[1], parts[2].astype(np.float64), axis, kept)
    except ValueError as error:
        raise DataError(f"{where} of {file.path.name} is a damaged sparse matrix; save it again.") from error
    return values != 0 if kind == "logical" else values


def _entry(file: hdf5.File, name: str, where: str, item: Mapping[str, Any]) -> Entry:
    shape, kind = (item["shape"] or ())[::-1], item.get("MATLAB_class", item["dtype"])
    if item.get("MATLAB_object_decode"):  # the numbers are a reference to the object's content
        return Entry(name, (1, 1), str(kind).replace("_", " "), _nothing)
    if item.get("MATLAB_empty"):  # an empty array: the numbers are its shape
        return Entry(name, (0, 0), "float64", _nothing)
    if kind == "char":
        return Entry(name, shape, "char", partial(_text, file, where, item))
    if item["dtype"] not in PLAIN or len(shape) < 2:
        return Entry(name, (1, 1), "object", _nothing)
    kind = "logical" if kind == "logical" else item["dtype"]
    return Entry(name, shape, kind, partial(_array, file, where, item, kind))


def _array(
    file: hdf5.File, where: str, item: Mapping[str, Any], kind: str, axis: int = 0, kept: np.ndarray | None = None
) -> np.ndarray:
    hdf5.check_claim(file.path, where, item)
    part = Part(len(item["shape"]) - 1 - axis, kept)
    values = file.numbers(where, item["shape"], item["dtype"], part).T
    return values != 0 if kind == "logical" else values


def _text(file: hdf5.File, where: str, item: Mapping[str, Any], *_: Any) -> str | list[str]:
    if item["dtype"] not in ("uint16", "uint8") or prod(item["shape"]) > 2**16:
        return ""
    values = file.numbers(where, item["shape"], item["dtype"])
    encoding = "utf-16-le" if item["dtype"] == "uint16" else "latin-1"
    if values.ndim == 2 and values.shape[1] > 1:  # one text per row
        return [np.ascontiguousarray(row).tobytes().decode(encoding, "replace").strip() for row in values.T]
    return values.tobytes().decode(encoding, "replace").strip()


def _nothing(*_: Any) -> np.ndarray:
    return np.zeros((0, 0))
