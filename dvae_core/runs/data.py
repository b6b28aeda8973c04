"""The data of a run: the unchanged data it was trained on, and other data matched to it by name."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from dvae_core.axes import Features, evenly
from dvae_core.data import held_out, reduce
from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.load import FileData, dataset_of
from dvae_core.data.split import Split
from dvae_core.data.structure import PrincipalAxes
from dvae_core.runs.run import Run, RunError

SHOWN = 6  # names in a message
OTHER_UNIT = 30.0  # times: two recordings of the same columns rarely differ this much, but metres and centimetres do
SPREAD_ROWS = 2000


def data_of(run: Run, dataset: Dataset | None = None) -> Dataset:
    """Return the data that a run was made with. Every training and every analysis gets its data from here.

    Args:
        run: The run.
        dataset: The data as read, if it is already loaded.

    Returns:
        The data; its principal components if the settings ask for them, on the axes that the run keeps.

    Raises:
        RunError: If the data has changed since the run was trained on it.
        DataError: If its file cannot be read.
    """
    data = dataset if dataset is not None else dataset_of(run.config.data)
    if run.about.get("fingerprint") not in (None, data.fingerprint):
        raise RunError(f"The data of run {run.id} has changed since it was trained; train a new run on the new data.")
    config = run.config
    if not isinstance(config.data, FileData) or config.data.pca is None:
        return data
    kept = axes_of(run)
    return reduce.project(data, kept) if kept else reduce.reduced(data, config.split, config.gap, config.data.pca)


def axes_of(run: Run) -> PrincipalAxes | None:
    """Return the principal axes that a run was trained on; None if it sees the columns of x themselves.

    Raises:
        RunError: If their file is damaged.
    """
    kept = run.components()
    try:
        return None if kept is None else PrincipalAxes.from_arrays(kept)
    except (KeyError, ValueError, TypeError) as error:
        raise RunError(f"components.npz of run {run.id} is not complete; train the run again.") from error


def facts_of(dataset: Dataset, parts: Split, *, drawn: bool) -> dict:
    """Return the facts about the data that a run stores, so that pages need not load the data."""
    found = held_out.record(dataset, parts, drawn=drawn)
    features = dataset.u_features()
    pictures = dataset.x_shape is not None
    return {
        "dataset": dataset.name,
        "fingerprint": dataset.fingerprint,
        "n": dataset.n,
        "n_train": len(parts.train),
        "n_held_out": len(parts.held_out),
        "split": parts.how,
        "d_x": dataset.d_x,
        "d_u": len(dataset.u_names) if features is None or dataset.has_labels else features.shape[1],
        "has_labels": dataset.has_labels,
        "x_shape": dataset.x_shape,
        "x_names": () if dataset.x_shape else dataset.x_names,  # pixels (up to 12,288) need no names
        "u_names": dataset.u_names,
        "z_names": dataset.z_names,
        "u_labels": dataset.u_labels,
        "rate_hz": dataset.rate_hz,
        "meta": dict(dataset.meta),
        "x_scale": dataset.x_scale,
        "x_range": [float(dataset.x[:].min() * dataset.x_scale), float(dataset.x[:].max() * dataset.x_scale)]
        if pictures
        else None,
        "x_spread": None if pictures else spread(dataset),
        "x_offset": None if dataset.x_offset is None else dataset.x_offset.tolist(),
        "u_offset": None if dataset.u_offset is None else dataset.u_offset.tolist(),
        "u_period": dataset.u_period,
        "reading": held_out.with_split(dataset.reading, found),
    }


def matched(run: Run, data: Dataset, *, needs_u: bool) -> Dataset:
    """Return other data as the run reads it: columns in its order, labels by name, and its own offsets and scale.

    Args:
        run: A trained run.
        data: Other data.
        needs_u: Whether to read u too.

    Returns:
        The data with its columns in the run's order, and u as its networks read it (None unless needed).

    Raises:
        DataError: If columns or labels are missing or new, by name, or if pictures have another shape or scale.
    """
    about, by = run.about, axes_of(run)
    if by is not None:  # its columns before they were reduced
        varies = by.std[by.std > 0]
        about |= {
            "x_names": by.names,
            "d_x": len(by.names),
            "x_offset": by.offset,
            "x_spread": float(np.median(varies)),
        }
    data = _pictures(about, data) if about.get("x_shape") else _columns(about, data)
    offset = about.get("x_offset")
    if offset is not None or data.x_offset is not None:
        own = 0.0 if data.x_offset is None else data.x_offset
        shift = own - (0.0 if offset is None else np.asarray(offset))
        x = (data.x[:].astype(np.float64) + shift).astype(np.float32)
        data = dataclasses.replace(data, x=x, x_offset=np.zeros(data.d_x) if offset is None else np.asarray(offset))
    data = data if by is None else reduce.project(data, by)
    plain: dict[str, Any] = {"u_names": (), "u_labels": (), "u_period": (), "u_offset": None}
    if not needs_u:
        return dataclasses.replace(data, u=None, **plain)
    features = _auxiliary(about, data)
    return dataclasses.replace(data, u=features, **{**plain, "u_offset": np.zeros(features.shape[1])})


def _pictures(about: dict[str, Any], data: Dataset) -> Dataset:
    wanted = tuple(about["x_shape"])
    if data.x_shape != wanted:
        came = "no pictures" if data.x_shape is None else f"pictures of {' x '.join(map(str, data.x_shape))}"
        if data.x_shape is None and data.d_x == about["d_x"]:
            came += f" (if its columns are pixels, say so: --picture {'x'.join(map(str, wanted))})"
        raise DataError(
            f"The run was trained on pictures of {' x '.join(map(str, wanted))} and {data.name} holds {came}; give "
            "pictures of that size."
        )
    scale, ends = about.get("x_scale"), about.get("x_range")
    if scale and data.x_scale not in (scale, 1.0) and data.x.dtype.kind in "iu" and data.x.dtype.itemsize > 1:
        data = dataclasses.replace(data, x_scale=scale)  # for a set of 16-bit pictures: the run's scale
    high = float(data.x[:].max()) * data.x_scale
    low = float(data.x[:].min()) * data.x_scale
    if ends and (high > max(2 * ends[1], 1.0 + 1e-6) or low < min(2 * ends[0], 0.0) - 1e-6):
        raise DataError(
            f"The run was trained on pixels from {ends[0]:.3g} to {ends[1]:.3g} and those of {data.name} go from "
            f"{low:.3g} to {high:.3g}; bring them to the same scale."
        )
    return data


def _columns(about: dict[str, Any], data: Dataset) -> Dataset:
    if data.x_shape is not None:
        raise DataError(
            f"The run was trained on {about['d_x']:,} columns and {data.name} holds pictures; give the same columns."
        )
    known, came = about.get("x_spread"), spread(data)
    if known and came and not 1 / OTHER_UNIT < came / known < OTHER_UNIT:
        raise DataError(
            f"Columns of {data.name} typically spread by {came:.3g} and those the run was trained on by {known:.3g}; "
            "bring them to the same unit."
        )
    order = _order("columns of x", list(about.get("x_names") or data.x_names), list(data.x_names), data.name)
    if order == list(range(data.d_x)):
        return data
    offset = None if data.x_offset is None else data.x_offset[order]
    names = tuple(data.x_names[j] for j in order)
    return dataclasses.replace(data, x=data.x[:][:, order], x_names=names, x_offset=offset)


def spread(data: Dataset) -> float | None:
    """Return the median standard deviation of the columns that vary, on evenly spaced rows; None if none varies."""
    std = data.x_float(evenly(data.n, SPREAD_ROWS)).std(0, dtype=np.float64)
    varies = std[std > 0]
    return float(np.median(varies)) if len(varies) else None


def _order(what: str, wanted: list[str], came: list[str], name: str) -> list[int]:
    """Return the position of each wanted name; refuse missing or new names."""
    lacks, new = [n for n in wanted if n not in came], [n for n in came if n not in wanted]
    if lacks or new or len(came) != len(wanted):
        parts = [f"lacks {_listed(lacks)}"] if lacks else []
        parts += [f"has {_listed(new)}, which the run does not know"] if new else []
        parts = parts or [f"has {len(came)} where the run has {len(wanted)}"]
        raise DataError(f"{name} {' and '.join(parts)} ({what}); give the same {what}, in any order.")
    return [came.index(n) for n in wanted]


def _auxiliary(about: dict[str, Any], data: Dataset) -> Features:
    """Return u as the run's networks read it, with labels and columns matched by name."""
    named = ", ".join(about.get("u_names") or ["u"])
    if data.u is None:
        raise DataError(f"This run's posterior needs u ({named}), and {data.name} does not have it.")
    if bool(about.get("has_labels")) != data.has_labels:
        kind = "labels" if about.get("has_labels") else "numbers"
        raise DataError(f"The run was trained with u ({named}) as {kind}; in {data.name} it is not.")
    if data.has_labels:
        known = list(about["u_labels"])
        new = [label for label in data.u_labels if label not in known]
        if new:
            raise DataError(
                f"{data.name} has labels that the run does not know: {_listed(new)}; it knows {_listed(known)}."
            )
        codes = np.array([known.index(label) for label in data.u_labels])[data.u]
        return np.eye(len(known), dtype=np.float32)[codes]
    order = _order("columns of u", list(about["u_names"]), list(data.u_names), data.name)
    own = 0.0 if data.u_offset is None else data.u_offset
    given = about.get("u_offset")
    shift = own - (0.0 if given is None else np.asarray(given)[np.argsort(order)])
    u = (data.u.astype(np.float64) + shift).astype(np.float32)[:, order]
    period = tuple(data.u_period[j] for j in order) if data.u_period else ()
    if tuple(about.get("u_period") or ()) != period:
        raise DataError(f"u ({named}) is an angle for the run or for {data.name}, but not for both (--circular NAME).")
    features = dataclasses.replace(
        data, u=u, u_names=tuple(about["u_names"]), u_period=period, u_offset=np.zeros(u.shape[1])
    ).u_features()
    assert features is not None  # there is u
    return features


def _listed(names: list[str]) -> str:
    rest = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def same_u(other: Run, dataset: Dataset) -> None:
    """Raise a RunError unless the data have the same u as those of another run: the same names, kind and labels."""
    about = other.about
    ours = list(dataset.u_names), list(dataset.u_labels)
    theirs = tuple(list(about.get(key) or ()) for key in ("u_names", "u_labels"))
    kinds = (
        (dataset.has_labels, list(dataset.u_period)),
        (
            bool(about.get("has_labels")),
            list(about.get("u_period") or ()),
        ),
    )
    if ours != theirs or kinds[0] != kinds[1]:
        raise RunError(
            f"{dataset.name} has u = {_u_of(*ours)} and {other.title} u = {_u_of(*theirs)}; a shared prior needs the "
            "same u, with the same names and labels."
        )


def _u_of(names: Sequence[str], labels: Sequence[str]) -> str:
    some = f" ({', '.join(labels[:SHOWN])}{' ...' if len(labels) > SHOWN else ''})" if labels else ""
    return f"{', '.join(names)}{some}"
