"""Arrange stored arrays as x with one row per example: turned, side by side, trials split into rows."""

from typing import Any

import numpy as np

from dvae_core.data.dataset import DataError
from dvae_core.data.readers.choose import Choice, Layout, axis_of
from dvae_core.data.readers.common import ReadOptions
from dvae_core.data.readers.model import Labels, Question, Ragged, Recording, Undecided, Variable


def as_rows(
    recording: Recording, options: ReadOptions, choice: Choice, arrays: dict[str, Any], layout: Layout, lead: Variable
) -> tuple[np.ndarray, np.ndarray | None, int]:
    """Return x with rows first; for bins of trials also the trial of each row and the number of trials."""
    if len(lead.shape) > 2:
        values = arrays[lead.name]
        if "height" in layout.axes:
            order = [layout.axes.index(a) for a in ("row", "height", "width", "channel") if a in layout.axes]
            values = np.transpose(values, order)
            values = values[..., 0] if values.ndim == 4 and values.shape[-1] == 1 else values
            if not layout.sure and not _are_pictures(values):
                sides = " x ".join(f"{side:,}" for side in lead.shape)
                choices = tuple(map(",".join, (("row", "height", "width"), ("trial", "time", "unit"))))
                raise Undecided(
                    recording.path,
                    Question("axes", choices, "--axes NAME,NAME,NAME", f"{lead.name} is {sides} and could be pictures, "
                             "but its values are not those of pictures"),
                )  # fmt: skip
            return values, None, 0
        order = [layout.axes.index(a) for a in ("trial", "time", "unit")]
        values = np.transpose(values, order)
        k, t, d = values.shape
        return values.reshape(k * t, d), np.repeat(np.arange(k), t), k
    if layout.is_trials:  # trial, time: one unit
        values = arrays[lead.name] if layout.axes[0] == "trial" else arrays[lead.name].T
        return values.reshape(-1, 1), np.repeat(np.arange(len(values)), values.shape[1]), len(values)
    parts = []
    for name in choice.x:
        part = arrays[name]
        if isinstance(part, Labels):
            raise DataError(f"{name} of {recording.path.name} is texts, which can be u only; choose other variables.")
        axis = layout.rows if name == lead.name else axis_of(recording, recording.variable(name), len(parts[0]))
        part = part.T if part.ndim == 2 and axis == 1 else part
        part = part[:, None] if part.ndim == 1 else part
        if part.ndim != 2:
            raise DataError(f"{name} of {recording.path.name} has shape {part.shape}; give rows (examples) by columns.")
        parts.append(part[:, : choice.columns.get(name)])
    if recording.layout == "table" and options.rows_are == "columns":
        return np.hstack(parts).T, None, 0
    if len({len(part) for part in parts}) > 1:
        counts = ", ".join(f"{name} {len(part):,}" for name, part in zip(choice.x, parts, strict=True))
        raise DataError(
            f"Variables side by side need equal row counts, but {recording.path.name} has {counts}; choose others."
        )
    return parts[0] if len(parts) == 1 else np.hstack(parts), None, 0


def _are_pictures(values: np.ndarray) -> bool:
    """Whether values look like grey levels: bytes that use their range, or numbers from 0 to 1."""
    if values.dtype.kind == "b":
        return True
    low, high = values.min(initial=0), values.max(initial=0)
    if values.dtype == np.uint8:
        return bool(high > 100 or high == 1)
    return bool(low >= 0 and 0.2 < high <= 1)


def joined(ragged: Ragged) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the trials one below another, the trial of each row, and their number."""
    lengths = [len(piece) for piece in ragged.pieces]
    return np.concatenate(ragged.pieces), np.repeat(np.arange(len(lengths)), lengths), len(lengths)


def standing(values: Any, n: int, columns: int | None) -> Any:
    """Return a variable that describes n rows, with its rows first."""
    if isinstance(values, Labels):
        return values
    values = np.asarray(values)
    if values.ndim == 2 and values.shape[0] != n and values.shape[1] == n:
        values = values.T
    values = values[:, None] if values.ndim == 1 else values
    return values[:, :columns] if columns else values


def per_trial(values: Any, trial: np.ndarray, trials: int, columns: int | None) -> Any | None:
    """Return a variable with one entry per trial, repeated for the trial's rows; None if it has another length."""
    if isinstance(values, Labels):
        return values[trial] if len(values) == trials else None
    values = np.asarray(values)
    if trials not in values.shape[:2] or values.ndim > 2:
        return None
    return standing(values, trials, columns)[trial]
