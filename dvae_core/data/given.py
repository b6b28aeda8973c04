"""Latents that another program computed: reads arrays, tables and files into one checked record.

Rows are matched by their names, times or row numbers, never by position alone. The rows of one array, of one file, and
of the arrays passed to one call are the exception: there, the caller or the file states that row i is row i.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped

from dvae_core.data import readers
from dvae_core.data.dataset import DataError, Dataset, encode_labels

LATENTS = ("mu_z", "z_hat", "latents", "latent", "embedding", "embeddings", "mu")
FACTORS = ("z", "z_true", "factors")
WIDTHS = ("std_z", "std", "sd", "scale")
ROWS, TIMES, NAMES = ("row", "rows", "index"), ("time", "t", "times", "timestamps"), ("name", "names", "_index")
SEEDS = ("seed", "member", "seeds", "members")
HELD_OUT = ("held_out", "is_held_out", "test")
SAME_TIME = 0.01  # of the usual step: times that differ by less are the same


@dataclass(frozen=True)
class Table:
    """Rows of one source: the values `[n, ...]`, the names of the columns, and each row's own name, time or number."""

    values: np.ndarray
    columns: tuple[str, ...] = ()
    rows: np.ndarray | None = None


@dataclass(frozen=True)
class Latents:
    """Latents of every seed on the same rows, and what came with them.

    Attributes:
        mu_z: One array [n, d] per seed, all of the same shape.
        rows: Each row's name, time or number; None if the source has none.
        u: Labels as codes or text [n], or numbers [n, d_u].
        z: True factors.
        x: Data.
        std_z: Standard deviations of q, in the shape of mu_z [p, n, d].
        held_out: Which rows the model was not fitted on; None if the source does not say.
        seeds: One per member.
        more: Every other array of the source, by name.
    """

    mu_z: Float[np.ndarray, "p n d"]
    rows: np.ndarray | None = None
    u: np.ndarray | None = None
    z: np.ndarray | None = None
    x: np.ndarray | None = None
    std_z: np.ndarray | None = None
    held_out: Bool[np.ndarray, " n"] | None = None
    seeds: tuple[int, ...] = ()
    more: Mapping[str, np.ndarray] = field(default_factory=dict)


def table(values: Any, what: str) -> Table:
    """Return numpy arrays, torch tensors, pandas tables and lists as a Table; one column may be given flat.

    Raises:
        ValueError: If it is not an array of numbers or text.
    """
    columns: tuple[str, ...] = ()
    rows = None
    if hasattr(values, "index") and hasattr(values, "to_numpy"):  # pandas, which need not be imported for this
        rows = np.asarray(values.index)
        rows = rows if rows.dtype.kind in "iuf" else rows.astype(str)
        columns = tuple(map(str, getattr(values, "columns", ())))
        values = values.to_numpy()
    elif hasattr(values, "detach"):  # torch
        values = values.detach().cpu().numpy()
    array = np.asarray(values)
    if array.dtype == object:
        try:
            array = array.astype(float)
        except (TypeError, ValueError):
            array = array.astype(str)
    if array.dtype.kind not in "biufUS" or array.ndim < 1:
        raise ValueError(f"{what} must be an array of numbers; got {array.dtype} of shape {array.shape}.")
    return Table(array, columns, rows)


def together(tables: Mapping[str, Table]) -> dict[str, np.ndarray]:
    """Return the values of several tables on the same rows, in the order of the first that names its rows.

    Raises:
        ValueError: If the numbers of rows differ, or two tables name different rows.
    """
    (first, one), *_ = tables.items()
    keyed = {name: t for name, t in tables.items() if t.rows is not None}
    lead = next(iter(keyed), None)
    out = {}
    for name, t in tables.items():
        if len(t.values) != len(one.values):
            raise ValueError(
                f"{first} and {name} must describe the same rows; got {len(one.values):,} and {len(t.values):,}. "
                "Select the same rows."
            )
        order = slice(None)
        if lead is not None and t.rows is not None and name != lead:
            order = positions(t.rows, keyed[lead].rows, name, lead)  # type: ignore[arg-type]
        out[name] = t.values[order]
    return out


def positions(came: Shaped[np.ndarray, " n"], wanted: Shaped[np.ndarray, " m"], source: str, target: str) -> np.ndarray:
    """Return for each wanted row its position among those that came: by name, by number, or by time.

    Raises:
        DataError: If a row is missing, or if one side has names and the other numbers.
    """
    texts = (came.dtype.kind in "US", wanted.dtype.kind in "US")
    if texts[0] != texts[1]:
        kinds = ["names" if text else "numbers" for text in texts]
        raise DataError(
            f"The rows of {source} have {kinds[0]} and those of {target} {kinds[1]}; give both the same kind of key."
        )
    if len(np.unique(came)) < len(came):
        raise DataError(f"Some rows of {source} have the same key; give every row a name or number of its own.")
    order = np.argsort(came, kind="stable")
    at = np.searchsorted(came[order], wanted).clip(max=len(came) - 1)
    if came.dtype.kind == "f" or wanted.dtype.kind == "f":
        before = np.maximum(at - 1, 0)
        near = np.abs(came[order][before] - wanted) < np.abs(came[order][at] - wanted)
        at = np.where(near, before, at)
        step = float(np.median(np.diff(came[order]))) if len(came) > 1 else 0.0
        missing = ~(np.abs(came[order][at] - wanted) <= SAME_TIME * step)
    else:
        missing = came[order][at] != wanted
    if missing.any():
        raise DataError(
            f"{source} lacks {int(missing.sum()):,} of the {len(wanted):,} rows of {target}, the first is "
            f"{wanted[missing.argmax()]}; select the same rows on both sides."
        )
    return order[at]


def stacked(members: Sequence[Table], names: Sequence[str] = ()) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the latents of several seeds as [p, n, d], and the rows' keys if there are any.

    Raises:
        DataError: If seeds differ in width or rows, or a seed is not a matrix of numbers.
    """
    called = list(names) or [f"seed {i + 1}" for i in range(len(members))]
    if not members:
        raise DataError("There are no latents; give at least one seed.")
    for name, member in zip(called, members, strict=True):
        if member.values.dtype.kind not in "biuf":
            raise DataError(f"The latents of {name} are text; give numbers, and labels as u.")
        if member.values.ndim != 2 or 0 in member.values.shape:
            raise DataError(
                f"The latents of {name} must be rows by latents; got shape {member.values.shape}. Give [n, d] a seed."
            )
    widths = [member.values.shape[1] for member in members]
    if len(set(widths)) > 1:
        i = next(i for i, w in enumerate(widths) if w != widths[0])
        raise DataError(
            f"{called[0]} has {widths[0]} latents and {called[i]} has {widths[i]}; import them as separate runs and "
            "compare the two on Agree."
        )
    try:
        values = together(dict(zip(called, members, strict=True)))
    except DataError:
        raise
    except ValueError as error:
        raise DataError(str(error)) from None
    rows = next((member.rows for member in members if member.rows is not None), None)
    return np.stack([values[name] for name in called]), rows


def auxiliary(u: Any, n: int) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Return u as codes with their labels, or as numbers [n, d_u] without: text and repeated whole numbers are labels.

    Raises:
        DataError: If it does not have n rows.
    """
    if u is None:
        return None, ()
    u = np.asarray(u)
    if len(u) != n:
        raise DataError(f"u must have the {n:,} rows of the latents; got {len(u):,}. Pass the u of the same rows.")
    flat = u[:, 0] if u.ndim == 2 and u.shape[1] == 1 else u
    if flat.ndim == 1 and (flat.dtype.kind in "US" or (flat.dtype.kind in "iub" and len(np.unique(flat)) <= n // 2)):
        return encode_labels(flat)
    if flat.dtype.kind in "US":
        raise DataError("u has several columns of text; give one column of labels, or numbers.")
    return u.reshape(n, -1).astype(np.float32), ()


def read_latents(
    paths: Sequence[str | Path], *, key: str = "", u: Sequence[str] = (), z: Sequence[str] = (), same_rows: bool = False
) -> Latents:
    """Read latents from one file that holds every seed, or from one file per seed.

    Arrays (.npz, .npy, HDF5, AnnData): `mu_z` [seed, n, d] or [n, d], or the array named `key`; of AnnData the only
    entry of `.obsm`. Tables (.csv, .parquet): the columns z1, z2, ..., or all numbers that are nothing else; a column
    `seed` separates the seeds. The file may also hold `u`, `z` or `z_true`, `x`, `std_z`, `held_out`, and the rows'
    `row`, `time` or `name`.

    Args:
        paths: The files.
        key: Name of the array, or prefix of the columns, with the latents.
        u: Names of the auxiliary variables, instead of `u`.
        z: Names of the true factors, instead of `z`.
        same_rows: Declares that row i is the same row in every file, where files have no keys.

    Raises:
        DataError: If a file cannot be read (pickles never are), or it is not clear what the latents are.
    """
    found = [_one(Path(path), key, u, z) for path in paths]
    if len(found) == 1:
        return found[0]
    names = [Path(path).name for path in paths]
    several = next((name for name, one in zip(names, found, strict=True) if len(one.mu_z) > 1), None)
    if several:
        raise DataError(f"{several} holds several seeds; give it alone, or one file for each seed.")
    if not same_rows and any(one.rows is None for one in found):
        lacking = next(name for name, one in zip(names, found, strict=True) if one.rows is None)
        raise DataError(
            f"{lacking} has no row, time or name for its rows, so they cannot be matched with the other files; "
            "add one, or state with --same-rows that row i is the same row in all of them."
        )
    mu, rows = stacked([Table(one.mu_z[0], (), one.rows) for one in found], names)
    first = found[0]
    widths = [one.std_z for one in found]
    std = None
    if all(w is not None for w in widths):
        std = stacked([Table(one.std_z[0], (), one.rows) for one in found], names)[0]  # type: ignore[index]
    seeds = tuple(one.seeds[0] for one in found) if all(one.seeds for one in found) else ()
    return Latents(mu, rows, first.u, first.z, first.x, std, first.held_out, seeds)


def _one(path: Path, key: str, u: Sequence[str], z: Sequence[str]) -> Latents:
    stored = readers.stored(path)
    if path.suffix.lower() in (".csv", ".tsv", ".txt", ".parquet", ".arff"):
        return _from_columns(path, stored, key, u, z)
    return _from_arrays(path, stored, key, u, z)


def _take(stored: Mapping[str, np.ndarray], names: Sequence[str]) -> np.ndarray | None:
    """Return the first array with one of these names, at the top or as the last part of a path."""
    for name in names:
        for stored_name, value in stored.items():
            if stored_name.split("/")[-1] == name:
                return value
    return None


def _chosen(path: Path, stored: Mapping[str, np.ndarray], names: Sequence[str]) -> np.ndarray:
    """Return named arrays side by side; a name may be the last part of a path."""
    parts = []
    for name in names:
        value = stored.get(name)
        value = _take(stored, (name,)) if value is None else value
        if value is None:
            raise DataError(f"{path.name} has nothing called {name!r}; it has {', '.join(list(stored)[:20])}.")
        parts.append(value)
    if len(parts) == 1:
        return parts[0]
    if any(part.dtype.kind in "US" for part in parts):
        raise DataError(f"{', '.join(names)} of {path.name} hold text; only one column of labels can be u.")
    return np.column_stack(parts)


def _from_arrays(path: Path, stored: dict[str, np.ndarray], key: str, u: Sequence[str], z: Sequence[str]) -> Latents:
    obsm = {name: value for name, value in stored.items() if name.startswith("obsm/") and value.ndim == 2}
    if key:
        mu = _chosen(path, stored, (key,))
    elif obsm:
        if len(obsm) > 1:
            raise DataError(f"{path.name} has {', '.join(obsm)}; say which holds the latents with --key NAME.")
        mu = next(iter(obsm.values()))
    else:
        mu = _take(stored, (*LATENTS, "x") if path.suffix.lower() == ".npy" else LATENTS)
    if mu is None:
        raise DataError(
            f"{path.name} has no array called mu_z; it has {', '.join(list(stored)[:20])}. Say which holds the latents "
            "with --key NAME."
        )
    if mu.dtype.kind not in "biuf" or mu.ndim not in (2, 3) or 0 in mu.shape:
        raise DataError(
            f"The latents of {path.name} must be numbers, seeds by rows by latents; got {mu.dtype} of shape {mu.shape}."
        )
    mu = mu[None] if mu.ndim == 2 else mu
    n = mu.shape[1]
    rest = {} if path.suffix.lower() == ".npy" else stored
    keys = [_take(rest, names) for names in (NAMES, TIMES, ROWS)]
    rows = next((k for k in keys if k is not None and k.shape == (n,)), None)
    std, held_out, seeds = _take(rest, WIDTHS), _take(rest, HELD_OUT), _take(rest, SEEDS)
    if std is not None:
        std = std[None] if std.ndim == 2 else std
        if std.shape != mu.shape:
            raise DataError(f"The standard deviations of {path.name} have shape {std.shape}, its latents {mu.shape}.")
    found_u = _chosen(path, rest, u) if u else _take(rest, ("u",))
    found_z = _chosen(path, rest, z) if z else _take(rest, FACTORS)
    x = _take(rest, ("x", "X"))
    x = None if x is not None and "x_rows" in rest and len(x) != n else x  # an export that kept x of some rows only
    for what, value in (("u", found_u), ("z", found_z), ("x", x), ("held_out", held_out)):
        if value is not None and (value.ndim == 0 or len(value) != n):
            raise DataError(
                f"{path.name} has {n:,} rows of latents and {value.shape[0] if value.ndim else 1:,} of {what}; give "
                "both for the same rows."
            )
    if x is not None and x.ndim > 2:
        x = x.reshape(n, -1)
    return Latents(
        mu, rows, found_u, found_z, x, std, None if held_out is None else held_out.astype(bool),
        () if seeds is None or len(seeds) != len(mu) else tuple(int(s) for s in seeds), rest,
    )  # fmt: skip


def _from_columns(path: Path, stored: dict[str, np.ndarray], key: str, u: Sequence[str], z: Sequence[str]) -> Latents:
    lower = {name.lower(): name for name in stored}
    taken = {*u, *z}

    def column(names: Sequence[str]) -> np.ndarray | None:
        name = next((lower[n] for n in names if n in lower and lower[n] not in taken), None)
        taken.update(() if name is None else (name,))
        return None if name is None else stored[name]

    keys = [column(names) for names in (NAMES, TIMES, ROWS)]
    rows = next((k for k in keys if k is not None), None)
    seeds, held_out = column(SEEDS), column(HELD_OUT)
    found_u = _chosen(path, stored, u) if u else column(("u",))
    found_z = _chosen(path, stored, z) if z else None
    left = [name for name, value in stored.items() if name not in taken and value.dtype.kind in "biuf"]
    numbered = [name for name in left if name.lower().removeprefix(key.lower() or "z").lstrip("_").isdigit()]
    if key and not numbered:
        numbered = [name for name in left if name.startswith(key)]
    columns = numbered or ([] if key else left)
    if not columns:
        raise DataError(f"{path.name} has no columns of latents; name them z1, z2, ..., or give their prefix as --key.")
    mu = np.column_stack([stored[name] for name in columns]).astype(float)
    if seeds is None:
        return Latents(mu[None], rows, found_u, found_z, None, None, _flags(held_out), ())
    values = np.unique(seeds)
    parts = [np.flatnonzero(seeds == value) for value in values]
    if len({len(part) for part in parts}) > 1:
        raise DataError(f"The seeds of {path.name} have different numbers of rows; give every seed the same rows.")
    if rows is None:
        raise DataError(
            f"{path.name} has several seeds and no column row, time or name, so their rows cannot be matched; add one."
        )
    called = [f"seed {value}" for value in values]
    stack, kept = stacked([Table(mu[part], (), rows[part]) for part in parts], called)
    numbers = tuple(int(v) for v in values) if values.dtype.kind in "iu" else ()
    first = parts[0]
    return Latents(
        stack, kept, None if found_u is None else found_u[first], None if found_z is None else found_z[first], None,
        None, None if held_out is None else _flags(held_out[first]), numbers,
    )  # fmt: skip


def _flags(values: np.ndarray | None) -> np.ndarray | None:
    if values is None or values.dtype.kind not in "US":
        return None if values is None else values.astype(bool)
    return np.char.lower(values) == "true"


def read_truth(path: str | Path, *, z: Sequence[str] = (), u: Sequence[str] = ()) -> tuple[Table, Table | None]:
    """Read true factors, and u if the file has it: arrays `z` (or `z_true`) and `u`, or the columns of a table.

    Raises:
        DataError: If the file cannot be read or has no factors.
    """
    path = Path(path)
    stored = readers.stored(path)
    lower = {name.lower(): name for name in stored}
    keys = [stored[lower[n]] for names in (NAMES, TIMES, ROWS) for n in names if n in lower]
    found_u = _chosen(path, stored, u) if u else _take(stored, ("u",))
    if z:
        values, columns = _chosen(path, stored, z), tuple(z)
    elif (array := _take(stored, FACTORS)) is not None and array.ndim == 2:
        values, columns = array, ()
    else:
        known = {name.lower() for names in (NAMES, TIMES, ROWS, SEEDS, HELD_OUT, ("u",)) for name in names}
        flat = {k: v for k, v in stored.items() if v.ndim == 1 and v.dtype.kind in "biuf" and k.lower() not in known}
        if path.suffix.lower() == ".npy" and stored["x"].ndim == 2:
            values, columns = stored["x"], ()
        elif flat:
            values, columns = np.column_stack(list(flat.values())), tuple(flat)
        else:
            raise DataError(f"{path.name} has no true factors; call them z, or name them with --z.")
    values = values[:, None] if values.ndim == 1 else values
    rows = next((k for k in keys if k.shape == (len(values),)), None)
    return Table(values, columns, rows), None if found_u is None else Table(found_u, (), rows)


def rows_in(latents: Latents, data: Dataset, *, same_rows: bool) -> np.ndarray:
    """Return the position in the data of each row of the latents, by time or row number.

    Raises:
        DataError: If the latents have no keys and it is not declared that their rows are those of the data in order.
    """
    if latents.rows is None:
        n = latents.mu_z.shape[1]
        if not same_rows:
            raise DataError(
                f"The latents have no row or time for their rows, so they cannot be matched with {data.name}; add one, "
                "or state with --same-rows that row i is row i of the data."
            )
        if n != data.n:
            raise DataError(
                f"The latents have {n:,} rows and {data.name} has {data.n:,}; give latents of the same rows, or add "
                "row numbers or times."
            )
        return np.arange(n)
    if latents.rows.dtype.kind in "US":
        raise DataError(
            f"The rows of the latents have names and those of {data.name} have numbers or times; add row or time, or "
            "put u and the factors into the file of the latents."
        )
    return positions(data.row_index, latents.rows, data.name, "the latents")
