"""NumPy files, and what all readers share: choosing variables by name and making a Dataset of them."""

import difflib
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from dvae_core.data import UNREADABLE, DataError, Dataset, encode_labels

MAX_LABELS = 500  # more distinct whole numbers than this in u are read as numbers: they count something
MAX_MEMBERS = 10_000

X_NAMES = ("x", "imgs", "images")  # the last two: dSprites, 3dshapes and MPI3D
U_NAMES = ("u", "label", "labels", "segment")
Z_NAMES = ("z", "s", "latents_values")


def _words(array: np.ndarray) -> tuple[Any, ...]:
    return tuple(array.tolist())


def _meta(text: np.ndarray) -> dict[str, str]:
    try:
        return dict(json.loads(str(text)))
    except (ValueError, TypeError):  # a note in another program's words
        return {"notes in the file": str(text)}


# What `data.save` writes beside x, u and z: kinds and rank of array to accept, and how to read it.
_EXTRAS: dict[str, tuple[str, int, Callable[[np.ndarray], Any]]] = {
    **dict.fromkeys(("x_names", "u_names", "z_names", "u_labels"), ("U", 1, _words)),
    "x_shape": ("iu", 1, _words),
    **dict.fromkeys(("x_scale", "rate_hz"), ("iuf", 0, float)),
    "name": ("U", 0, str),
    "meta": ("U", 0, _meta),
}


class _Header(NamedTuple):
    shape: tuple[int, ...]
    dtype: np.dtype
    stored: int  # bytes after the header, as the archive or the file system says

    @property
    def size(self) -> int:
        # itemsize 0 exists (empty text) and must not make any number of rows free
        return prod(self.shape) * max(1, self.dtype.itemsize)


@dataclass(frozen=True)
class Variable:
    """Something in a file that can be chosen for x, u or z."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    kind: Literal["matrix", "column", "label"]


def describe(name: str, shape: tuple[int, ...], dtype: str) -> Variable:
    """Return the Variable of a shape and type: one column of whole numbers or text can serve as labels."""
    if prod(shape) > max(shape):
        return Variable(name, shape, dtype, "matrix")
    return Variable(name, shape, dtype, "column" if "float" in dtype else "label")


def inspect(path: Path) -> list[Variable]:
    """List the arrays of a .npz or .npy."""
    return _plain(_headers(path))


def read(
    path: Path,
    *,
    x: tuple[str, ...],
    u: tuple[str, ...],
    z: tuple[str, ...],
    budget_bytes: int,
    rate_hz: float | None,
    x_shape: tuple[int, ...] | None,
) -> Dataset:
    """Read a .npz (defaults: keys x, u, and z or s) or a .npy (x alone)."""
    headers = _headers(path)
    _refuse_objects(path, headers, {*(x or X_NAMES), *(u or U_NAMES), *(z or Z_NAMES)})
    x, u, z, notes = choose(path, _plain(headers), x, u, z)
    wanted = {name: headers[name] for name in (*x, *u, *z)}
    for key, (kinds, rank, _) in _EXTRAS.items():
        if key in headers and headers[key].dtype.kind in kinds and len(headers[key].shape) == rank:
            wanted[key] = headers[key]
    for name, header in wanted.items():
        if header.size > header.stored:
            raise DataError(
                f"{path.name} says {name} takes {header.size:,} bytes but holds only {header.stored:,}; it is cut off "
                "or damaged, so copy it again."
            )
    check_budget(path, sum(header.size for header in wanted.values()), budget_bytes)
    with reading(path):
        arrays = _load(path, wanted)
        known = _known(arrays, x, u, z)
    known |= {"rate_hz": rate_hz} if rate_hz else {}
    known |= {"x_shape": x_shape} if x_shape else {}
    return assemble(path, arrays, x, u, z, notes, **known)


@contextmanager
def reading(path: Path, *more: type[Exception]) -> Iterator[None]:
    """Turn what libraries raise on damaged files into one DataError."""
    try:
        yield
    except DataError:
        raise
    except (*UNREADABLE, *more) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0].replace(". ", ": ").rstrip(".")[:160]
        raise DataError(
            f"{path.name} is damaged or not a {path.suffix} file ({reason}); copy or save it again."
        ) from error


def check_budget(path: Path, size: int, budget_bytes: int) -> None:
    """Refuse what would not fit, before it is read."""
    if size > budget_bytes:
        raise DataError(
            f"{path.name} would take {size / 2**20:,.0f} MiB of memory; {budget_bytes / 2**20:,.0f} MiB are allowed, "
            "so choose fewer variables or save part of the rows."
        )


def check_names(path: Path, names: Iterable[str], available: Sequence[str]) -> None:
    """Refuse a name that the file does not have, suggesting the nearest."""
    for name in names:
        if name not in available:
            near = difflib.get_close_matches(name, available, 1, 0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(available[:20]) or 'nothing to read'}."
            raise DataError(f"{path.name} has nothing called {name!r}; {hint}")


def choose(
    path: Path, variables: list[Variable], x: tuple[str, ...], u: tuple[str, ...], z: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], list[str]]:
    """Return the names for x, u and z, chosen or by default, and notes on what the defaults took."""
    available = [variable.name for variable in variables]
    check_names(path, (*x, *u, *z), available)
    notes = []

    def default(names: tuple[str, ...]) -> tuple[str, ...]:
        return next(((name,) for name in names if name in available and name not in x), ())

    u, z = u or default(U_NAMES), z or default(Z_NAMES)
    if not x and "x" not in available:
        notes += [f"x is {name}" for name in default(X_NAMES)]
    x = x or default(X_NAMES)
    if not x:
        rest = [v for v in variables if v.name not in (*u, *z) and v.dtype[:3] not in ("str", "byt")]
        if not rest:
            raise DataError(f"{path.name} has no numbers that could be x; it has {', '.join(available) or 'nothing'}.")
        x = (max(rest, key=lambda v: prod(v.shape)).name,)
        notes.append(f"x is {x[0]}, the largest variable")
    return x, u, z, notes


def assemble(
    path: Path,
    arrays: Mapping[str, np.ndarray],
    x: tuple[str, ...],
    u: tuple[str, ...],
    z: tuple[str, ...],
    notes: Sequence[str] = (),
    *,
    name: str = "",
    meta: Mapping[str, str] | None = None,
    u_labels: tuple[str, ...] = (),
    x_shape: tuple[int, ...] | None = None,
    x_scale: float | None = None,
    **known: Any,
) -> Dataset:
    """Make the Dataset of the chosen arrays: pictures flattened, columns side by side, labels encoded."""
    if len(x) == 1 and arrays[x[0]].ndim > 2:
        data, x_names, shape = _flatten(path, x[0], arrays[x[0]])
        x_shape = x_shape or shape
    else:
        data, x_names = _beside(path, arrays, x)
    if x_scale is None:
        x_scale = 1 / 255 if x_shape and data.dtype.kind in "iu" and data.max() > 1 else 1.0
    notes = list(notes)
    if u:
        known["u"], u_names = _beside(path, arrays, u)
        known["u"], u_labels, u_notes = auxiliary(path, known["u"], u_labels)
        known.setdefault("u_names", u_names if np.ndim(known["u"]) == 2 else (u[0],))
        notes += u_notes
    if z:
        known["z"], z_names = _beside(path, arrays, z)
        known.setdefault("z_names", z_names)
    known.setdefault("x_names", x_names)
    meta = {"source": path.name, **(meta or {})} | ({"notes": "; ".join(notes)} if notes else {})
    return Dataset(
        name=name or path.stem, x=data, u_labels=u_labels, x_shape=x_shape, x_scale=x_scale, meta=meta, **known
    )


def auxiliary(
    path: Path, values: np.ndarray, labels: tuple[str, ...] = ()
) -> tuple[np.ndarray, tuple[str, ...], list[str]]:
    """Return u as codes and labels, or as numbers and no labels, and a note where that may surprise.

    One column of whole numbers or text, and one-hot columns, are labels; everything else is numbers.
    """
    if values.shape[1] >= 2 and _is_one_hot(values):
        values = values.argmax(axis=1)[:, None] + 1
    if values.shape[1] > 1 or values.dtype.kind not in "biuUS":
        return values, (), []
    column = values[:, 0]
    if labels:
        return column, labels, []  # codes already, as `data.save` writes them
    codes, labels = encode_labels(column)
    if len(labels) <= MAX_LABELS:
        return codes, labels, []
    if column.dtype.kind in "US":
        raise DataError(
            f"u of {path.name} has {len(labels):,} different texts where at most {MAX_LABELS} can be labels; choose "
            "another column for u."
        )
    return values.astype(np.float32), (), [f"u has {len(labels):,} different whole numbers and is read as a number"]


def _is_one_hot(values: np.ndarray) -> bool:
    return values.dtype.kind in "biuf" and bool(
        ((values == 0) | (values == 1)).all() and (values.sum(axis=1) == 1).all()
    )


def _flatten(path: Path, name: str, pictures: np.ndarray) -> tuple[np.ndarray, tuple[str, ...], tuple[int, ...]]:
    """Return pictures [n,H,W], [n,H,W,1 or 3] or [n,1 or 3,H,W] as rows, no names, and (H, W) or (H, W, 3)."""
    came = pictures.shape
    if pictures.ndim == 4 and came[-1] not in (1, 3) and came[1] in (1, 3):
        pictures = np.moveaxis(pictures, 1, -1)
    if pictures.ndim == 4 and pictures.shape[-1] == 1:
        pictures = pictures[..., 0]
    if pictures.ndim > 4 or (pictures.ndim == 4 and pictures.shape[-1] != 3):
        raise DataError(
            f"{name} of {path.name} has shape {came}; give rows by columns, or pictures as [n, H, W] or [n, H, W, 3]."
        )
    return pictures.reshape(len(pictures), -1), (), pictures.shape[1:]


def _beside(path: Path, arrays: Mapping[str, np.ndarray], names: tuple[str, ...]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the named arrays side by side, and a name for every column."""
    parts, titles = [], []
    for name in names:
        part = arrays[name][:, None] if arrays[name].ndim == 1 else arrays[name]
        if part.ndim != 2:
            raise DataError(f"{name} of {path.name} has shape {part.shape}; give rows (examples) by columns.")
        parts.append(part)
        titles += [name] if part.shape[1] == 1 else [f"{name}{i + 1}" for i in range(part.shape[1])]
    if len({len(part) for part in parts}) > 1:
        counts = ", ".join(f"{name} {len(part):,}" for name, part in zip(names, parts, strict=True))
        raise DataError(f"Variables side by side need equal row counts, but {path.name} has {counts}; choose others.")
    return parts[0] if len(parts) == 1 else np.hstack(parts), tuple(titles)


def _plain(headers: Mapping[str, _Header]) -> list[Variable]:
    return [
        describe(name, header.shape, header.dtype.name)
        for name, header in headers.items()
        if header.shape and name not in _EXTRAS and header.dtype.kind in "biufUS"
    ]


def _refuse_objects(path: Path, headers: Mapping[str, _Header], names: set[str]) -> None:
    """Refuse a pickled array that was asked for; others (dSprites has one) are left closed."""
    objects = [name for name, header in headers.items() if header.dtype.hasobject]
    asked = [name for name in objects if name in names or len(objects) == len(headers)]
    if asked:
        raise DataError(
            f"{path.name} keeps {asked[0]} as Python objects, which can run code when opened, so it is refused; save "
            f"it again as numbers or text, with {asked[0]}.astype(float) or .astype(str)."
        )


def _headers(path: Path) -> dict[str, _Header]:
    with reading(path):
        if path.suffix.lower() == ".npy":
            with open(path, "rb") as file:
                return {"x": _header(file, path.stat().st_size)}
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
            if not 0 < len(members) <= MAX_MEMBERS:
                raise DataError(f"{path.name} has {len(members):,} arrays; 1 to {MAX_MEMBERS:,} can be read.")
            headers = {}
            for member in members:
                with archive.open(member) as file:
                    headers[member.filename.removesuffix(".npy")] = _header(file, member.file_size)
            return headers


def _header(file: Any, stored: int) -> _Header:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        raise ValueError(f"npy version {version} holds tables, not arrays")
    if any(side < 0 for side in shape):
        raise ValueError(f"shape {shape} is negative")
    return _Header(shape, dtype, stored - file.tell())


def _load(path: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    if path.suffix.lower() == ".npy":
        with open(path, "rb") as file:
            return {"x": np.lib.format.read_array(file, allow_pickle=False)}
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        for name in names:
            with archive.open(f"{name}.npy") as file:
                arrays[name] = np.lib.format.read_array(file, allow_pickle=False)
    return arrays


def _known(
    arrays: Mapping[str, np.ndarray], x: tuple[str, ...], u: tuple[str, ...], z: tuple[str, ...]
) -> dict[str, Any]:
    """Return what the file says of x, u and z, where those are the variables chosen."""
    chosen = {"x": x, "u": u, "z": z}
    known = {}
    for key, (_, _, convert) in _EXTRAS.items():
        owner = key[0] if key[1] == "_" else "x"
        if key in arrays and chosen[owner] == (owner,):
            known[key] = convert(arrays[key])
    return known
