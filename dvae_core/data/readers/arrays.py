"""NumPy files: .npz and .npy. Only the wanted rows are kept while a compressed member is streamed."""

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dvae_core.data.dataset import DataError
from dvae_core.data.readers import grids
from dvae_core.data.readers.choose import X_NAMES, Z_NAMES
from dvae_core.data.readers.common import ReadOptions, check_budget, read_rows, reading
from dvae_core.data.readers.model import Part, Recording, Variable, describe, unreadable
from dvae_core.parsing import PARSING

MAX_MEMBERS = 10_000


def _words(array: np.ndarray) -> tuple[Any, ...]:
    return tuple(array.tolist())


def _meta(text: np.ndarray) -> dict[str, str]:
    try:
        return dict(json.loads(str(text)))
    except (ValueError, TypeError):  # a note in another program's format
        return {"notes in the file": str(text)}


# What `data.save` writes beside x, u and z: the accepted kinds and ranks of array, and how to read it.
_EXTRAS: dict[str, tuple[str, int, Callable[[np.ndarray], Any]]] = {
    **dict.fromkeys(("x_names", "u_names", "z_names", "u_labels"), ("U", 1, _words)),
    "x_shape": ("iu", 1, _words),
    **dict.fromkeys(("x_scale", "rate_hz"), ("iuf", 0, float)),
    "name": ("U", 0, str),
    "meta": ("U", 0, _meta),
    **dict.fromkeys(("trial", "session"), ("iu", 1, np.asarray)),
    **dict.fromkeys(("x_offset", "u_offset"), ("f", 1, np.asarray)),
    "u_period": ("f", 1, _words),
    "index": ("iuf", 1, np.asarray),
}


class _Header(NamedTuple):
    shape: tuple[int, ...]
    dtype: np.dtype
    by_columns: bool
    stored: int  # bytes after the header, according to the archive or the file system

    @property
    def size(self) -> int:
        # an itemsize of 0 exists (empty text); it must not make an unlimited number of rows free
        return prod(self.shape) * max(1, self.dtype.itemsize)

    def size_of(self, n: int, kept: np.ndarray | None) -> int:
        """Bytes needed if only these of n rows are kept."""
        part = kept is not None and self.shape[0] == n and not self.by_columns
        return self.size // n * len(kept) if part else self.size  # type: ignore[arg-type]


def recording(path: Path, options: ReadOptions) -> Recording:
    """Return the arrays of a .npz (by convention x, u, and z or s), or a .npy (x alone)."""
    headers = _headers(path)
    variables = [_variable(name, header) for name, header in headers.items() if not _is_extra(name, header)]
    shapes = {v.name: v.shape for v in variables if v.readable}
    columns, licence = _factors(path, headers, shapes)
    x = next((name for name in X_NAMES if name in shapes), "")
    grid = grids.mpi3d(shapes.get(x, (0,)), np.zeros(1, np.int64)) if not set(Z_NAMES) & set(shapes) else None
    if grid is not None:
        variables.append(Variable("factors", (shapes[x][0], grid.shape[1]), "int64", "matrix"))
        columns["factors"], licence = grids.MPI3D, grids.LICENCES[grids.MPI3D]

    def load(parts: Mapping[str, Part]) -> dict[str, Any]:
        arrays: dict[str, Any] = {}
        wanted = {name: headers[name] for name in parts if name in headers}
        kept_of = {name: None if part.axis else part.kept for name, part in parts.items()}
        size = sum(header.size_of(header.shape[0], kept_of[name]) for name, header in wanted.items())
        check_budget(path, size, options.budget_bytes)
        with reading(path, TypeError):
            for name, part in parts.items():
                if name == "factors" and grid is not None:
                    arrays[name] = grids.mpi3d(shapes[x], part.kept)
                    continue
                arrays[name] = _load(path, name, headers[name], headers[name].shape[0], kept_of[name])
                if part.axis and part.kept is not None:
                    arrays[name] = arrays[name].take(part.kept, part.axis)
        return arrays

    def known(x: tuple[str, ...], u: tuple[str, ...], z: tuple[str, ...]) -> dict[str, Any]:
        extras = {name: header for name, header in headers.items() if _is_extra(name, header)}
        check_budget(path, sum(header.size for header in extras.values()), options.budget_bytes)
        with reading(path, TypeError):
            return _known({key: _load(path, key, header) for key, header in extras.items()}, x, u, z)

    saved = all(name in headers and _is_extra(name, headers[name]) for name in ("name", "meta"))
    return Recording(
        path, variables, load, z=("factors",) if grid is not None else (), columns=columns, licence=licence,
        known=known, axes={x: 0} if saved else {},  # `data.saved.save` writes examples as rows
    )  # fmt: skip


def _variable(name: str, header: "_Header") -> Variable:
    shape, kind = header.shape, header.dtype.name
    if header.dtype.hasobject:
        return unreadable(
            name, "is Python objects, which can run code when opened, so it is refused; save it again as numbers or "
            f"text, with {name}.astype(float) or .astype(str)", shape, "object",
        )  # fmt: skip
    if not shape:
        return unreadable(name, "is one value, not a column", shape, "value")
    if header.dtype.kind == "c":
        return unreadable(name, f"is complex numbers; save {name}.real and {name}.imag", shape, kind)
    if header.dtype.kind in "mM":
        cure = f"{name}.astype('datetime64[ns]').astype(float) / 1e9"
        return unreadable(name, f"is dates; save it as seconds, with {cure}", shape, "datetime")
    if header.dtype.kind not in "biufUS":
        return unreadable(name, f"is a structured array; save its fields, such as {name}['field']", shape, "table")
    if header.size > header.stored:
        why = f"says it takes {header.size:,} bytes but holds only {header.stored:,}: it is cut off or damaged"
        return unreadable(name, f"{why}, so copy it again", shape, "damaged")
    if not prod(shape):
        return unreadable(name, f"is empty: it has the shape {shape}", shape, "empty")
    return describe(name, shape, kind)


def _is_extra(name: str, header: "_Header") -> bool:
    kinds, rank, _ = _EXTRAS.get(name, ("", -1, tuple))
    return header.dtype.kind in kinds and len(header.shape) == rank


def _factors(
    path: Path, headers: Mapping[str, "_Header"], shapes: Mapping[str, tuple[int, ...]]
) -> tuple[dict[str, tuple[str, ...]], str]:
    """Return the factor names of a picture set, from the file or as commonly known, and its licence."""
    columns: dict[str, tuple[str, ...]] = {}
    licence = ""
    pictures = next((shapes[name] for name in X_NAMES if name in shapes), ())
    for name in (name for name in shapes if name.startswith("latents_")):
        factors, named = shapes[name], headers.get("latents_names")
        if named is not None and named.dtype.kind == "U" and named.shape == factors[1:] and named.size < 2**16:
            with reading(path, TypeError):
                columns[name] = _words(_load(path, "latents_names", named))
        elif names := grids.names_of(pictures, factors):
            columns[name] = names
        licence = licence or grids.LICENCES.get(columns.get(name, ()), "")
    return columns, licence


def stored(path: Path, budget_bytes: int) -> dict[str, np.ndarray]:
    """Return every array of a .npz or .npy under its own name. Raises a DataError for pickles and for large files."""
    headers = _headers(path)
    for name, header in headers.items():
        if header.dtype.hasobject:
            raise DataError(
                f"{name} of {path.name} is Python objects, which can run code when opened, so it is refused; save it "
                f"again with {name}.astype(float) or .astype(str)."
            )
    check_budget(path, sum(header.size for header in headers.values()), budget_bytes)
    with reading(path, TypeError):
        return {name: _load(path, name, header) for name, header in headers.items()}


def _headers(path: Path) -> dict[str, _Header]:
    with reading(path, TypeError):
        if path.suffix.lower() == ".npy":
            with open(path, "rb") as file:
                return {"x": _header(file, path.stat().st_size)}
        count = count_members(path)
        if count > MAX_MEMBERS:
            raise DataError(f"{path.name} has {count:,} members; up to {MAX_MEMBERS:,} arrays can be read.")
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
            if not members:
                raise DataError(f"{path.name} has 0 arrays; at least one is needed.")
            headers = {}
            for member in members:
                with archive.open(member) as file:
                    headers[member.filename.removesuffix(".npy")] = _header(file, member.file_size)
            return headers


def header_of(path: Path) -> _Header:
    """Return what the header of a .npy states; refuse pickles and files that hold less than the header says."""
    header = _headers(path)["x"]
    if header.dtype.kind not in "biuf" or header.size > header.stored:
        raise DataError(f"{path.name} does not hold the plain numbers that its header says; save it again.")
    return header


def count_members(path: Path) -> int:
    """Return the number of members that a zip states, without the half kilobyte that zipfile keeps for each."""
    end, listed = _end_of_zip(path)
    # the list takes at least 46 bytes per member, whatever the counter says (it has 16 bits and may wrap)
    return max(int.from_bytes(end[10:12], "little"), listed // 70)


def member_list(path: Path) -> bytes:
    """Return the part of a zip that holds all names, unparsed: searching it for a word is much faster than zipfile."""
    end, listed = _end_of_zip(path)
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - len(end) - listed))
        return file.read(listed)


def _end_of_zip(path: Path) -> tuple[bytes, int]:
    """Return the record at a zip's end, with what follows it, and the length of the member list in front of it."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        file.seek(max(0, size - 2**16 - 22))
        end = file.read()
    at = end.rfind(b"PK\x05\x06")
    if at < 0 or len(end) < at + 16:
        raise zipfile.BadZipFile("it has no list of members at its end")
    return end[at:], min(int.from_bytes(end[at + 12 : at + 16], "little"), size)


def _header(file: Any, stored: int) -> _Header:
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"npy version {version} holds tables, not arrays")
    with PARSING:
        shape, by_columns, dtype = getattr(np.lib.format, f"read_array_header_{version[0]}_0")(file)
    if any(side < 0 for side in shape):
        raise ValueError(f"shape {shape} is negative")
    return _Header(shape, dtype, by_columns, stored - file.tell())


@contextmanager
def _open(path: Path, name: str) -> Iterator[Any]:
    if path.suffix.lower() == ".npy":
        with open(path, "rb") as file:
            yield file
    else:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
            yield file


def _load(path: Path, name: str, header: _Header, n: int = 0, kept: np.ndarray | None = None) -> np.ndarray:
    """Read an array, or only some of its n rows."""
    with _open(path, name) as file:
        if kept is None or header.shape[0] != n:
            return np.lib.format.read_array(file, allow_pickle=False)
        if header.by_columns:
            return np.lib.format.read_array(file, allow_pickle=False)[kept]
        _header(file, 0)
        return read_rows(file, header.shape, header.dtype, kept)


def _known(
    arrays: Mapping[str, np.ndarray], x: tuple[str, ...], u: tuple[str, ...], z: tuple[str, ...]
) -> dict[str, Any]:
    """Return what the file states about x, u and z, if the chosen variables are its x, u and z."""
    chosen = {"x": x, "u": u, "z": z}
    known = {}
    for key, (_, _, convert) in _EXTRAS.items():
        owner = key[0] if key[1] == "_" else "x"
        if key in arrays and key != "index" and chosen[owner] == (owner,):
            known[key] = convert(arrays[key])
    return known
