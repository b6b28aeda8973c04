"""Count the faults of some data, and cure them: each cure is a setting of the config, so a run can be repeated.

Nothing is cured unless requested. A cure changes x, u and z together: a dropped row is dropped everywhere.
"""

import dataclasses
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Real

from dvae_core.axes import evenly
from dvae_core.data.dataset import DataError, Dataset, MissingValues

Missing = Literal["refuse", "drop rows", "drop columns"]

FAR = 10.0  # robust standard deviations: a recording's own noise does not reach this far
ROWS, NUMBERS = 20_000, 50_000_000  # rows of x, and values, checked for outliers and duplicates, evenly spaced


@dataclass(frozen=True)
class Findings:
    """Counts over the checked rows of x.

    Attributes:
        rows: Number of checked rows.
        outlier_cells: Values more than 10 robust standard deviations from their column's median.
        outlier_rows: Rows with such a value.
        outlier_columns: Names of columns with such a value, worst first.
        constant: Names of columns that never change.
        duplicates: Rows that repeat an earlier row exactly.
        in_order: Whether rows are a time series, from which no row may be dropped: a rate is stated, rows are bins of
            trials, or neighbours resemble each other.
    """

    rows: int
    outlier_cells: int
    outlier_rows: int
    outlier_columns: tuple[str, ...]
    constant: tuple[str, ...]
    duplicates: int
    in_order: bool = False


def findings(dataset: Dataset) -> Findings:
    """Count outliers, constant columns and repeated rows; faults that need knowledge of the data are not detected.

    Pictures and counts have no outliers in this sense: their values are bounded, or rare large ones are signal. Counts
    naturally repeat (one bin without a spike is like any other), so their repeats are not counted.
    """
    step = max(1, -(-dataset.n // ROWS), -(-dataset.n * dataset.d_x // NUMBERS))
    x = dataset.x[::step]
    far = np.zeros(x.shape, bool)
    if dataset.x.dtype.kind == "f" and dataset.x_shape is None:
        centre, spread = _robust(x)
        far = np.abs(x - centre) > FAR * spread
    per_column = far.sum(0)
    worst = [dataset.x_names[j] for j in np.argsort(-per_column, kind="stable") if per_column[j]]
    pixels = dataset.x_shape is not None  # a border that never changes is not a fault of pictures
    flat = [] if pixels else np.flatnonzero(dataset.x.max(0) == dataset.x.min(0)).tolist()
    return Findings(
        rows=len(x),
        outlier_cells=int(far.sum()),
        outlier_rows=int(far.any(1).sum()),
        outlier_columns=tuple(worst),
        constant=tuple(dataset.x_names[j] for j in flat),
        duplicates=0 if dataset.is_counts else len(x) - len({row.tobytes() for row in np.ascontiguousarray(x)}),
        in_order=dataset.rate_hz is not None or dataset.trial is not None or dataset.order.resembles,
    )


def cured(
    dataset: Dataset, *, clip: float | int | None = None, constant: bool = False, duplicates: bool = False
) -> Dataset:
    """Return the data with the chosen cures applied, each noted in `meta["cures"]`.

    Args:
        dataset: The data to cure.
        clip: Limit each value of x to this many robust standard deviations (1.4826 times the median distance from the
            median) from its column's median; columns that rarely leave their median are left alone.
        constant: Drop columns of x that never change.
        duplicates: Drop rows whose x repeats an earlier row.

    Raises:
        DataError: If nothing would be left, or if columns are to be dropped from pictures.
    """
    changes: dict = {}
    notes = []
    x, rows, columns = dataset.x, np.ones(dataset.n, bool), np.ones(dataset.d_x, bool)
    if clip is not None:
        if not clip > 0:
            raise DataError(f"Values are clipped at a positive number of deviations; got {clip}.")
        centre, spread = _robust(x)
        low, high = centre - clip * spread, centre + clip * spread
        moved = int(((x < low) | (x > high)).sum())
        x = np.clip(x, low, high).astype(x.dtype)
        notes.append(f"values clipped at {clip:g} robust deviations: {moved:,}")
    if constant:
        columns = np.asarray(x.max(0) > x.min(0))
        if dataset.x_shape is not None and not columns.all():
            raise DataError("Pixels cannot be dropped from pictures; keep the constant ones, they do no harm.")
        notes.append(f"constant columns dropped: {int((~columns).sum()):,}")
    if duplicates:
        _, first = np.unique(x, axis=0, return_index=True)
        rows = np.isin(np.arange(dataset.n), first)
        notes.append(f"repeated rows dropped: {int((~rows).sum()):,}")
    if not notes:
        return dataset
    if not columns.any():
        raise DataError("No column of x would be left; choose other columns.")
    changes["x"], changes["x_names"] = x[np.ix_(rows, columns)], _kept(dataset.x_names, np.asarray(columns))
    return _rebuilt(dataset, rows, np.asarray(columns), changes, notes)


def complete(error: MissingValues, how: Missing) -> Dataset:
    """Return data that was refused for missing values, without the rows (or columns) that have them.

    Rows with a missing value in u or in a factor are dropped in both cases.

    Raises:
        DataError: If nothing would be left, or `how` is "refuse".
    """
    if how == "refuse":
        raise error
    given = dict(error.given)
    rows, columns = _finite(given, "x"), np.ones(_two(given["x"]).shape[1], bool)
    notes = []
    if how == "drop columns":
        columns = np.asarray(np.isfinite(_two(given["x"])).all(0))
        rows = np.ones(len(rows), bool)
        notes.append(f"columns with missing values dropped: {int((~columns).sum()):,}")
    for name in ("u", "z"):
        rows = rows & _finite(given, name)
    if not rows.all():
        notes.append(f"rows with missing values dropped: {int((~rows).sum()):,}")
    if not rows.any() or not columns.any():
        raise DataError(f"Nothing would be left: every {'row' if columns.any() else 'column'} has a missing value.")
    given["x"] = _two(given["x"])[np.ix_(rows, columns)]
    if given["x_names"]:
        given["x_names"] = _kept(given["x_names"], columns)
    if not columns.all():
        given["x_shape"] = None
    given["index"] = np.flatnonzero(rows) if given["index"] is None else np.asarray(given["index"])[rows]
    for name in ("u", "z", "trial", "session"):
        if given[name] is not None:
            given[name] = np.asarray(given[name])[rows]
    if given["u_labels"] and given["u"] is not None:
        given["u"], given["u_labels"] = _present(given["u"], given["u_labels"])
    given["meta"] = {**given["meta"], "cures": "; ".join(notes)}
    return Dataset(**given)


def missing(error: MissingValues) -> tuple[int, int, int]:
    """Return how many values, rows and columns of x are missing, infinite or too large."""
    bad = ~np.isfinite(_two(error.given["x"]))
    return int(bad.sum()), int(bad.any(1).sum()), int(bad.any(0).sum())


def spectrum(x: Real[np.ndarray, "n d"], *, rows: int = 500) -> Float[np.ndarray, " k"]:
    """Return the share of variance of each principal component, largest first, from at most `rows` even rows.

    If columns outnumber rows, the Gram matrix of the rows is used: it gives the same numbers faster.
    """
    part = np.asarray(x[:: max(1, -(-len(x) // rows))], np.float64)
    part = part - part.mean(0)
    small = part @ part.T if part.shape[1] > part.shape[0] else part.T @ part
    variance = np.linalg.eigvalsh(small)[::-1].clip(0)
    return variance / max(variance.sum(), np.finfo(float).tiny)


def pictures(dataset: Dataset, count: int) -> Float[np.ndarray, "k h w *c"]:
    """Return at most `count` evenly spaced pictures in the model's units.

    Raises:
        DataError: If the data is not pictures.
    """
    if dataset.x_shape is None:
        raise DataError(f"{dataset.name} is not pictures.")
    rows = evenly(dataset.n, count)
    return dataset.x_float(rows).reshape(-1, *dataset.x_shape)


def _rebuilt(
    dataset: Dataset, rows: Bool[np.ndarray, " n"], columns: Bool[np.ndarray, " d"], changes: dict, notes: list[str]
) -> Dataset:
    for name in ("u", "z", "trial", "session"):
        value = getattr(dataset, name)
        changes[name] = None if value is None else value[rows]
    changes["index"] = dataset.row_index[rows]
    changes["x_offset"] = None if dataset.x_offset is None else dataset.x_offset[columns]
    if dataset.has_labels and not rows.all():
        changes["u"], changes["u_labels"] = _present(changes["u"], dataset.u_labels)
    before = dataset.meta.get("cures")
    changes["meta"] = {**dataset.meta, "cures": "; ".join([before, *notes] if before else notes)}
    changes["meta"].pop("constant columns", None)
    return dataclasses.replace(dataset, **changes)


def _present(codes: np.ndarray, labels: tuple[str, ...]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the codes renumbered to the labels that some row has, and these labels."""
    present = np.unique(codes)
    return np.searchsorted(present, codes), tuple(labels[code] for code in present)


def _robust(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each column's median and robust standard deviation; infinite if more than half the values are equal."""
    centre = np.median(x, axis=0)
    spread = 1.4826 * np.median(np.abs(x - centre), axis=0)
    return centre, np.where(spread > 0, spread, np.inf)


def _two(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    return values[:, None] if values.ndim == 1 else values


def _finite(given: dict, name: str) -> np.ndarray:
    """Return a mask of the rows of x, u or z with only finite numbers (or a label), in their stored precision."""
    values = given[name]
    if name == "u" and given["u_labels"] and np.asarray(values).dtype.kind == "i":
        return np.asarray(values) >= 0
    if values is None or np.asarray(values).dtype.kind != "f":
        return np.ones(len(given["x"]), bool)
    with np.errstate(over="ignore"):
        return np.asarray(np.isfinite(_two(values).astype(np.float32)).all(1))


def _kept(names: tuple[str, ...], columns: np.ndarray) -> tuple[str, ...]:
    return tuple(name for name, keep in zip(names, columns, strict=True) if keep)
