"""Data reduced to principal components before training, by axes that are fitted on the training rows alone."""

import dataclasses

import numpy as np

from dvae_core.axes import evenly
from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.split import split
from dvae_core.data.structure import FIT_NUMBERS, PrincipalAxes, leading_axes

ROWS_AT_ONCE = 4096


def fitted(dataset: Dataset, how: str, gap: int, count: int) -> PrincipalAxes:
    """Return the leading principal axes of the training rows of a split.

    Args:
        dataset: The data as read.
        how: The method of the split, see `split`.
        gap: The rows left out beside its blocks.
        count: Number of axes.

    Raises:
        DataError: If it is pictures, or has fewer components.
    """
    if dataset.x_shape is not None:
        raise DataError(f"{dataset.name} is pictures, which are trained on as they are; leave --pca out.")
    train = split(dataset, how, gap=gap).train  # type: ignore[arg-type]
    rows = train[evenly(len(train), max(2 * count, FIT_NUMBERS // dataset.d_x))]
    most = min(dataset.d_x, len(rows) - 1)
    if count > most:
        raise DataError(f"{dataset.name} has at most {most:,} principal components; got {count:,}.")
    x = dataset.x_float(rows)
    mean, std = x.mean(0, dtype=np.float64), x.std(0, dtype=np.float64)
    axes, share = leading_axes(x, count)
    offset = np.zeros(dataset.d_x) if dataset.x_offset is None else dataset.x_offset
    return PrincipalAxes(dataset.x_names, mean, std, axes, offset, share, len(rows), dataset.fingerprint)


def project(dataset: Dataset, by: PrincipalAxes) -> Dataset:
    """Return the data with its components on these axes as x, named PC1, PC2, ..., and a note in its record."""
    parts = [np.arange(start, min(start + ROWS_AT_ONCE, dataset.n)) for start in range(0, dataset.n, ROWS_AT_ONCE)]
    x = np.concatenate([by.components(dataset.x_float(rows)) for rows in parts])
    names = tuple(f"PC{i + 1}" for i in range(len(by.axes)))
    note = (
        f"x is {len(names):,} principal components of the {len(by.names):,} columns, with {100 * by.share:.3g} % of "
        f"their variance, fitted on {by.rows:,} training rows"
    )
    found = dict(dataset.reading)
    found["x"] = {**(found.get("x") or {"name": "x"}), "shape": list(x.shape), "names": list(names)}
    found["pca"] = {"columns": len(by.names), "components": len(names), "share": by.share, "fitted_rows": by.rows}
    found["notes"] = [*found.get("notes", ()), note]
    meta = {**dataset.meta, "notes": "; ".join(filter(None, (dataset.meta.get("notes"), note)))}
    meta.pop("constant columns", None)
    return dataclasses.replace(
        dataset, x=x, x_names=names, x_scale=1.0, x_offset=np.zeros(len(names)), meta=meta, reading=found, reduced_by=by
    )


def reduced(dataset: Dataset, how: str, gap: int, count: int | None) -> Dataset:
    """Return the data reduced to principal components of its training rows; unchanged if `count` is None."""
    return dataset if count is None else project(dataset, fitted(dataset, how, gap, count))
