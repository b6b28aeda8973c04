"""From the settings of data to its Dataset: draw it, or read its file."""

import re
from pathlib import Path
from typing import Any, Literal

from dvae_core.data import care, held_out, reduce
from dvae_core.data.dataset import DataError, Dataset, MissingValues
from dvae_core.data.readers import ReadingRecord, Undecided, inspect, read
from dvae_core.data.split import split
from dvae_core.data.worlds import WORLDS, Drawn
from dvae_core.settings import Name, setting, settings


@settings
class FileData:
    """A file of the user; names pick the variables or columns for x, u and the true factors z."""

    kind: Literal["file"] = "file"
    path: str = setting("", "File")
    x: tuple[Name, ...] = setting((), "Columns of x")
    u: tuple[Name, ...] = setting((), "Columns of u")
    z: tuple[Name, ...] = setting((), "Columns of true factors")
    rate_hz: float | None = setting(None, "Sampling rate", "Hz; rows are then in time order", min=1e-9)
    rows: int | None = setting(
        None, "Rows", "At most this many: the first ones; of pictures, a random draw", min=1, late=True
    )
    bin_s: float | None = setting(None, "Bin width", "s; event times (spikes) are counted in bins", min=1e-9, late=True)
    smooth_s: float | None = setting(None, "Smoothing", "s; rates by a Gaussian instead of counts", min=1e-9, late=True)
    min_speed: float | None = setting(
        None, "Minimum speed", "Running periods only, in the recording's unit", min=0, late=True
    )
    time: str | None = setting(None, "Times of u", "Variable with the times of behaviour, if not t or time", late=True)
    rows_are: Literal["auto", "rows", "columns"] = setting(
        "auto", "Examples are", "Which axis of a matrix is the examples, where nothing in the file says so", late=True
    )
    axes: tuple[Name, ...] = setting(
        (), "Axes of x", "What each is, in order: trial,time,unit or row,height,width", late=True
    )
    picture: str | None = setting(
        None, "Pictures of", "28x28 where columns are pixels; none where they are not", late=True
    )
    circular: tuple[Name, ...] = setting((), "Angles", "The columns of u that are angles", late=True)
    u_from: str | None = setting(None, "File of u", "Another file, with its own clock", late=True)
    quality: tuple[Name, ...] = setting(
        (),
        "Unit quality",
        "Units to use, such as good or mua; all for every quality. By default those of the format",
        late=True,
    )
    area: tuple[Name, ...] = setting((), "Areas", "Units to use, by brain area or imaging plane", late=True)
    depth_from: float | None = setting(None, "Minimum depth", "Of the units to use, in the file's unit", late=True)
    depth_to: float | None = setting(None, "Maximum depth", "Of the units to use, in the file's unit", late=True)
    min_rate_hz: float | None = setting(None, "Minimum firing rate", "Hz; of the units to use", min=0, late=True)
    units: tuple[Name, ...] = setting(
        (), "Units", "By name, or by number: #3 is the third, #1-50 the first fifty", late=True
    )
    pca: int | None = setting(
        None,
        "Principal components",
        "Train on this many components of x instead of its columns, fitted on the training rows",
        min=1,
        late=True,
    )
    missing: Literal["refuse", "drop rows", "drop columns"] = setting(
        "refuse", "Missing values", "NaN and infinite: refuse the file, or drop rows or columns with them", late=True
    )
    clip: float | None = setting(
        None, "Clip outliers", "At this many robust standard deviations from the median", min=1, late=True
    )
    constant: Literal["keep", "drop"] = setting("keep", "Constant columns", late=True)
    duplicates: Literal["keep", "drop"] = setting("keep", "Repeated rows", late=True)


Data = Drawn | FileData


def dataset_of(data: Data) -> Dataset:
    """Draw or read the data that settings describe.

    Raises:
        DataError: If a file cannot be read as requested.
    """
    if isinstance(data, FileData):
        return read_file(data)
    return WORLDS[data.kind].draw(data)


def read_file(data: FileData, path: Path | None = None) -> Dataset:
    """Read the file of a config, or another one (`path`) in the same way, with the config's cures.

    Raises:
        MissingValues: If values are missing and the config does not say which to drop.
        DataError: If it cannot be read as requested.
    """
    try:
        dataset = read(
            path or Path(data.path), x=data.x or None, u=data.u or None, z=data.z or None, rate_hz=data.rate_hz,
            rows=data.rows, bin_s=data.bin_s, smooth_s=data.smooth_s, min_speed=data.min_speed, time=data.time,
            rows_are=data.rows_are, axes=data.axes or None, x_shape=picture_shape(data.picture),
            circular=data.circular or None, u_from=data.u_from, quality=data.quality or None, area=data.area or None,
            depth_from=data.depth_from, depth_to=data.depth_to, min_rate_hz=data.min_rate_hz, units=data.units or None,
        )  # fmt: skip
    except MissingValues as error:
        dataset = care.complete(error, data.missing)
    return care.cured(dataset, clip=data.clip, constant=data.constant == "drop", duplicates=data.duplicates == "drop")


def reduced(data: Data, dataset: Dataset, method: held_out.Method = "auto") -> tuple[Dataset, held_out.Plan]:
    """Return the data as models see it, and its best split: its principal components if the settings ask for them.

    The axes are fitted on the training rows. The gap of blocks is as long as the memory of what is trained on.

    Args:
        data: The settings.
        dataset: The data they describe, as read.
        method: How to split it.

    Raises:
        DataError: If there are fewer components.
    """
    drawn = not isinstance(data, FileData)
    plan = held_out.planned(dataset, method, drawn=drawn)
    if drawn or data.pca is None or dataset.reduced_by is not None:
        return dataset, plan
    plan = held_out.planned(reduce.reduced(dataset, plan.how, plan.gap, data.pca), plan.how, drawn=drawn)
    return reduce.reduced(dataset, plan.how, plan.gap, data.pca), plan


def examine(data: FileData, method: held_out.Method = "auto") -> tuple[dict[str, Any], str]:
    """Return the record of reading a file, with its facts as `meta`, and the question or refusal ("" for none).

    Raises:
        DataError: If not even its variables can be listed.
    """
    try:
        dataset = read_file(data)
    except Undecided as error:
        record = error.record or ReadingRecord(inspect(data.path))
        return record.as_dict(), str(error)
    except MissingValues as error:
        reading = error.given["reading"]
        return {**reading, "notes": [*reading["notes"], str(error)]}, str(error)
    except DataError as error:
        return ReadingRecord(inspect(data.path)).as_dict(), str(error)
    try:
        dataset, (how, gap) = reduced(data, dataset, method)
        found = held_out.record(dataset, split(dataset, how, gap=gap))
    except DataError as error:
        return {**dataset.reading, "meta": dict(dataset.meta)}, str(error)
    return {**held_out.with_split(dataset.reading, found), "meta": dict(dataset.meta)}, ""


def picture_shape(text: str | None) -> tuple[int, ...] | None:
    """Return (H, W) or (H, W, 3) of "28x28" or "64x64x3", () of "none", None of nothing.

    Raises:
        DataError: If it is neither.
    """
    if not text:
        return None
    if text == "none":
        return ()
    sides = re.fullmatch(r"(\d{1,5})x(\d{1,5})(?:x3)?", text.lower())
    if sides is None:
        raise DataError(f"Pictures have a height and a width, such as 28x28, or 64x64x3 in colour; got {text!r}.")
    return (int(sides[1]), int(sides[2]), *([3] if text.lower().endswith("x3") and text.count("x") == 2 else []))
