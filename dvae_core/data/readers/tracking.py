"""Where the animal was: SpikeGadgets' .videoPositionTracking, alone or with the spikes.mat of the same folder."""

import dataclasses
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.readers import mat
from dvae_core.data.readers.common import Ask, Variable, check_budget, reading
from dvae_core.data.readers.recordings import Part, Recording, dataset

SUFFIX = ".videopositiontracking"
SPAN = 8  # samples to either side over which speed is measured: a pixel is too coarse for neighbouring ones

_END = b"<End settings>\n"
_TYPES = {"uint8": "<u1", "uint16": "<u2", "uint32": "<u4", "int16": "<i2", "int32": "<i4"}


def inspect(path: Path) -> list[Variable]:
    """List position, speed and time of a tracker's file, and the spikes beside it where `path` is their folder."""
    return _recording(path).variables


def read(path: Path, ask: Ask) -> Dataset:
    """Read a tracker's file (x is the position), or its folder (x is spike counts in bins, u the position)."""
    if not path.is_dir():
        check_budget(path, 10 * path.stat().st_size, ask.budget_bytes)
    return dataset(_recording(path), ask)


def files(folder: Path) -> tuple[Path, Path] | None:
    """Return the .mat and the tracker's file of a folder, if it has one of each."""
    found = [sorted(f for f in folder.iterdir() if f.suffix.lower() == suffix) for suffix in (".mat", SUFFIX)]
    return (found[0][0], found[1][0]) if [len(f) for f in found] == [1, 1] else None


def _recording(path: Path) -> Recording:
    if not path.is_dir():
        return _tracker(path)
    pair = files(path)
    if pair is None:
        raise DataError(f"{path.name} does not hold one .mat and one {SUFFIX} file; give one data file.")
    spikes, tracker = mat.recording(pair[0]), _tracker(pair[1])
    ours = {variable.name for variable in tracker.variables}

    def load(parts: Mapping[str, Part]) -> dict[str, Any]:
        theirs = {name: part for name, part in parts.items() if name not in ours}
        return tracker.load({name: parts[name] for name in parts if name in ours}) | (
            spikes.load(theirs) if theirs else {}
        )

    return dataclasses.replace(
        tracker, path=path, variables=spikes.variables + tracker.variables, load=load, opaque=spikes.opaque,
        rate_hz=None,
        x=tuple(v.name for v in spikes.variables if v.kind == "events")[:1], u=("position",), matlab=True,
        meta={**tracker.meta, "source": f"{pair[0].name} and {pair[1].name} of {path.name}"},
    )  # fmt: skip


def _tracker(path: Path) -> Recording:
    with reading(path):
        with open(path, "rb") as file:
            head = file.read(2**14)
        end = head.find(_END)
        words = dict(re.findall(r"(?m)^([^:\n]+):[ \t]*(.+)$", head[: max(end, 0)].decode("latin-1")))
        fields = re.findall(r"<(\w+) (\w+)>", words.get("Fields", ""))
        if end < 0 or not fields or any(kind not in _TYPES for _, kind in fields):
            raise ValueError("it has no header of a tracker")
        record = np.dtype([(name, _TYPES[kind]) for name, kind in fields])
        if not {"time", "xloc", "yloc"} <= set(record.names or ()):
            raise ValueError("it has no time, xloc and yloc")
        clock = float(words.get("clockrate", "30000"))
        n = (path.stat().st_size - end - len(_END)) // record.itemsize
        if not n or not 0 < clock < 1e9:
            raise ValueError("it has no rows or no clock")
    read_all = partial(_rows, path, record, end + len(_END), clock)
    time = read_all()["time"]
    rate = 1 / np.median(np.diff(time)) if n > 1 and np.median(np.diff(time)) > 0 else None
    camera = words.get("camera resolution", "")
    unit = f"pixels of a camera of {camera}" if camera else "pixels"
    return Recording(
        path,
        [
            Variable("position", (n, 2), "float64", "matrix", f"{unit}, {rate or 0:.3g} Hz"),
            Variable("speed", (n,), "float64", "column", "pixels/s"),
            Variable("time", (n,), "float64", "column", "s"),
        ],
        lambda parts: {name: array for name, array in read_all().items() if name in parts},
        x=("position",),
        clocks={"position": "time", "speed": "time"},
        speed="speed",
        rate_hz=None if rate is None else float(rate),
        meta={"format": "SpikeGadgets video tracking", "unit": f"position in {unit}"},
    )


def _rows(path: Path, record: np.dtype, start: int, clock: float) -> dict[str, np.ndarray]:
    with reading(path), open(path, "rb") as file:
        file.seek(start)
        body = file.read()
    rows = np.frombuffer(body[: len(body) // record.itemsize * record.itemsize], record)
    time = rows["time"] / clock
    position = np.column_stack([rows["xloc"], rows["yloc"]]).astype(np.float64)
    position[~position.any(axis=1)] = np.nan  # how the tracker writes that it lost the animal
    at = np.arange(len(rows))
    before, after = np.maximum(at - SPAN, 0), np.minimum(at + SPAN, len(rows) - 1)
    took = time[after] - time[before]
    moved = np.hypot(*(position[after] - position[before]).T)
    return {"position": position, "time": time, "speed": np.where(took > 0, moved / np.where(took > 0, took, 1), 0.0)}
