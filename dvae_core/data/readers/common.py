"""What all readers share: what was asked for, what can be chosen, budgets, and making a Dataset of chosen arrays."""

import difflib
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dvae_core.data.dataset import UNREADABLE, DataError, Dataset, encode_labels

GIB = 2**30
MAX_LABELS = 500  # more distinct whole numbers than this in u are read as numbers: they count something

X_NAMES = ("x", "imgs", "images")  # the last two: dSprites, 3dshapes and MPI3D
U_NAMES = ("u", "label", "labels", "segment")
Z_NAMES = ("z", "s", "latents_values")


@dataclass(frozen=True)
class Ask:
    """What `readers.read` was asked for; see there for the meaning of each."""

    x: tuple[str, ...] = ()
    u: tuple[str, ...] = ()
    z: tuple[str, ...] = ()
    budget_bytes: int = 2 * GIB
    rate_hz: float | None = None
    x_shape: tuple[int, ...] | None = None
    rows: int | None = None
    bin_s: float | None = None
    smooth_s: float | None = None
    min_speed: float | None = None
    time: str | None = None


@dataclass(frozen=True)
class Variable:
    """Something in a file that can be chosen for x, u or z; "events" are times, to be counted in bins."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    kind: Literal["matrix", "column", "label", "events"]
    note: str = ""  # unit, axis order, what it counts; shown to the user


def describe(name: str, shape: tuple[int, ...], dtype: str) -> Variable:
    """Return the Variable of a shape and type: one column of whole numbers or text can serve as labels."""
    if prod(shape) > max(shape):
        return Variable(name, shape, dtype, "matrix")
    return Variable(name, shape, dtype, "column" if "float" in dtype else "label")


@contextmanager
def reading(path: Path, *more: type[Exception]) -> Iterator[None]:
    """Turn what libraries raise on damaged files into one DataError."""
    try:
        yield
    except DataError:
        raise
    except (*UNREADABLE, *more) as error:
        if isinstance(error, UnicodeDecodeError) and error.encoding == "utf-8":
            raise DataError(
                f"{path.name} is not UTF-8 text (byte {error.object[error.start]:#x}); save it in that encoding."
            ) from error
        kind = f"a {path.suffix} file" if path.suffix else "what its name says"
        raise DataError(f"{path.name} is damaged or not {kind} ({reason(error)}); copy or save it again.") from error


def reason(error: Exception) -> str:
    """Return what an exception of a library says, as part of a sentence."""
    text = (str(error) or type(error).__name__).splitlines()[0]
    if text.startswith("cannot identify image file"):  # Pillow goes on with an address in memory
        text = "it is none that can be read"
    return text.replace(". ", ": ").rstrip(".")[:160]


def check_budget(path: Path, size: int, budget_bytes: int) -> None:
    """Refuse what would not fit, before it is read."""
    if size > budget_bytes:
        raise DataError(
            f"{path.name} would take {size / 2**20:,.0f} MiB of memory; {budget_bytes / 2**20:,.0f} MiB are allowed, "
            "so choose fewer variables or read part of the rows (rows=N, --rows N)."
        )


def pick_rows(n: int, rows: int | None, *, at_random: bool = False) -> np.ndarray | None:
    """Return the sorted rows to read, None for all: the first ones, or drawn with a fixed seed."""
    if rows is None or rows >= n:
        return None
    return np.sort(np.random.default_rng(0).choice(n, rows, replace=False)) if at_random else np.arange(rows)


def rows_note(n: int, kept: np.ndarray | None, *, at_random: bool = False) -> list[str]:
    """Return what to tell about a part of the rows."""
    if kept is None:
        return []
    return [f"{len(kept):,} of {n:,} rows, {'drawn at random (seed 0)' if at_random else 'the first ones'}"]


def licence_beside(path: Path) -> dict[str, str]:
    """Return the licence that a README or LICENSE beside the data states, as meta; {} where none does."""
    folder = path if path.is_dir() else path.parent
    found = (
        (folder / "README.md", re.compile(r"(?im)^\W*licen[cs]e\W*:\s*(.{2,200})")),
        (folder / "README.txt", re.compile(r"(?im)^\W*licen[cs]e\W*:\s*(.{2,200})")),
        *((folder / name, re.compile(r"(?m)^\s*(\S.{1,200})$")) for name in ("LICENSE", "LICENSE.txt", "LICENSE.md")),
    )
    for file, pattern in found:
        try:
            if not stat.S_ISREG(file.lstat().st_mode):  # a link could lead out of the folder
                continue
            with open(file, encoding="utf-8", errors="replace") as text:
                match = pattern.search(text.read(2**16))
        except OSError:
            continue
        if match:
            return {"licence": match[1].strip()}
    return {}


def check_names(path: Path, names: Iterable[str], available: Sequence[str]) -> None:
    """Refuse a name that the file does not have, suggesting the nearest."""
    for name in names:
        if name not in available:
            near = difflib.get_close_matches(name, available, 1, 0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(available[:20]) or 'nothing to read'}."
            raise DataError(f"{path.name} has nothing called {name!r}; {hint}")


def choose(
    path: Path,
    variables: Sequence[Variable],
    ask: Ask,
    *,
    x: tuple[str, ...] = (),
    u: tuple[str, ...] = (),
    z: tuple[str, ...] = (),
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], list[str]]:
    """Return the names for x, u and z, and notes on what defaults took.

    As asked; else what the format has for them (`x`, `u`, `z`); else by the usual names; else the largest as x.
    """
    available = [variable.name for variable in variables]
    check_names(path, (*ask.x, *ask.u, *ask.z), available)
    notes = []

    taken = set(ask.x)

    def default(names: tuple[str, ...]) -> tuple[str, ...]:
        return next(((name,) for name in names if name in available and name not in taken), ())

    # what a format has for u belongs to what it has for x
    by_format = u if not ask.x or ask.x == x else ()
    notes += [f"u is {', '.join(by_format)}"] if by_format and not ask.u else []
    chosen_z = ask.z or z or default(Z_NAMES)
    taken |= {*z}  # the labels of 3dshapes are its factors
    chosen_u = ask.u or by_format or default(U_NAMES)
    if ask.x:
        return ask.x, chosen_u, chosen_z, notes
    if x or "x" not in available:
        notes += [f"x is {', '.join(names)}" for names in (x or default(X_NAMES),) if names]
    chosen_x = x or default(X_NAMES)
    if not chosen_x:
        rest = [v for v in variables if v.name not in (*chosen_u, *chosen_z) and v.dtype[:3] not in ("str", "byt")]
        if not rest:
            raise DataError(f"{path.name} has no numbers that could be x; it has {', '.join(available) or 'nothing'}.")
        chosen_x = (max(rest, key=lambda v: prod(v.shape)).name,)
        notes.append(f"x is {chosen_x[0]}, the largest variable")
    return chosen_x, chosen_u, chosen_z, notes


def assemble(
    path: Path,
    arrays: Mapping[str, np.ndarray],
    x: tuple[str, ...],
    u: tuple[str, ...],
    z: tuple[str, ...],
    notes: Sequence[str] = (),
    *,
    name: str = "",
    licence: str = "",
    meta: Mapping[str, str] | None = None,
    u_labels: tuple[str, ...] = (),
    x_shape: tuple[int, ...] | None = None,
    x_scale: float | None = None,
    **known: Any,
) -> Dataset:
    """Make the Dataset of the chosen arrays: pictures flattened, columns side by side, labels encoded.

    `licence` is what a format is known to have; what lies beside the file, or is in it, goes before.
    """
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
    licences = ({"licence": licence} if licence else {}) | licence_beside(path)
    meta = {"source": path.name, **licences, **(meta or {})} | ({"notes": "; ".join(notes)} if notes else {})
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
