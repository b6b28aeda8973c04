"""The animal's position: SpikeGadgets' .videoPositionTracking, alone or with the spikes.mat in the same folder."""

import dataclasses
import re
from functools import partial
from pathlib import Path

import numpy as np

from dvae_core.data.dataset import DataError
from dvae_core.data.readers import mat
from dvae_core.data.readers.common import ReadOptions, check_budget, reading
from dvae_core.data.readers.merge import merged
from dvae_core.data.readers.model import Recording, Variable

SUFFIX = ".videopositiontracking"
SPAN = 8  # samples on either side over which speed is measured: a pixel is too coarse for adjacent samples

_END = b"<End settings>\n"
_TYPES = {"uint8": "<u1", "uint16": "<u2", "uint32": "<u4", "int16": "<i2", "int32": "<i4"}


def files(folder: Path) -> tuple[Path, Path] | None:
    """Return the .mat and the tracker file of a folder, if it has exactly one of each."""
    found = [sorted(f for f in folder.iterdir() if f.suffix.lower() == suffix) for suffix in (".mat", SUFFIX)]
    return (found[0][0], found[1][0]) if [len(f) for f in found] == [1, 1] else None


def recording(path: Path, options: ReadOptions) -> Recording:
    """Return a tracker file (x is the position), or its folder (x is spike counts in bins, u the position)."""
    if not path.is_dir():
        check_budget(path, 10 * path.stat().st_size, options.budget_bytes)
        return _tracker(path)
    pair = files(path)
    if pair is None:
        raise DataError(f"{path.name} does not hold one .mat and one {SUFFIX} file; give one data file.")
    spikes, tracker = mat.recording(pair[0], options), _tracker(pair[1])
    events = tuple(v.name for v in spikes.variables if v.kind == "events")[:1]
    source = f"{pair[0].name} and {pair[1].name} of {path.name}"
    both = merged(spikes, tracker, path=path, x=events, u=("position",))
    return dataclasses.replace(both, meta={**tracker.meta, "source": source}, seconds=True)


def _tracker(path: Path) -> Recording:
    with reading(path):
        with open(path, "rb") as file:
            head = file.read(2**14)
        end = head.find(_END)
        fields_of_head = dict(re.findall(r"(?m)^([^:\n]+):[ \t]*(.+)$", head[: max(end, 0)].decode("latin-1")))
        fields = re.findall(r"<(\w+) (\w+)>", fields_of_head.get("Fields", ""))
        if end < 0 or not fields or any(kind not in _TYPES for _, kind in fields):
            raise ValueError("it has no header of a tracker")
        record = np.dtype([(name, _TYPES[kind]) for name, kind in fields])
        if not {"time", "xloc", "yloc"} <= set(record.names or ()):
            raise ValueError("it has no time, xloc and yloc")
        clock = float(fields_of_head.get("clockrate", "30000"))
        n = (path.stat().st_size - end - len(_END)) // record.itemsize
        if not n or not 0 < clock < 1e9:
            raise ValueError("it has no rows or no clock")
    read_all = partial(_rows, path, record, end + len(_END), clock)
    time = read_all()["time"]
    rate = 1 / np.median(np.diff(time)) if n > 1 and np.median(np.diff(time)) > 0 else None
    camera = fields_of_head.get("camera resolution", "")
    unit = f"pixels of a camera of {camera}" if camera else "pixels"
    return Recording(
        path,
        [
            Variable("position", (n, 2), "float64", "matrix", unit=unit, rate_hz=None if rate is None else float(rate)),
            Variable("speed", (n,), "float64", "column", unit="pixels/s"),
            Variable("time", (n,), "float64", "column", unit="s", role="clock"),
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
    position[~position.any(axis=1)] = np.nan  # the tracker writes zeros when it has lost the animal
    at = np.arange(len(rows))
    before, after = np.maximum(at - SPAN, 0), np.minimum(at + SPAN, len(rows) - 1)
    took = time[after] - time[before]
    moved = np.hypot(*(position[after] - position[before]).T)
    return {"position": position, "time": time, "speed": np.where(took > 0, moved / np.where(took > 0, took, 1), 0.0)}
