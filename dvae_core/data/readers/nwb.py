"""NWB files (neurophysiology, HDF5): units, calcium traces and behaviour, found by their neurodata_type.

Read with h5py alone; pynwb is not needed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core.data.dataset import Dataset
from dvae_core.data.readers import hdf5
from dvae_core.data.readers.common import Ask, Variable, describe
from dvae_core.data.readers.recordings import Part, Recording, dataset

SPIKES = "units/spike_times"

_SERIES = ("RoiResponseSeries", "TimeSeries", "SpatialSeries", "IntervalSeries", "ElectricalSeries", "AnnotationSeries",
           "BehavioralTimeSeries")  # fmt: skip


def inspect(path: Path) -> list[Variable]:
    """List units (as event times), every series with a clock, and the columns of trials and epochs."""
    with hdf5.File(path) as file:
        return _recording(file).variables


def read(path: Path, ask: Ask) -> Dataset:
    """Read a file; by default x is the spikes in bins and u the position or other spatial series, if there is one.

    Without units, x is the calcium traces (dF/F where there is one). A series counts time by its timestamps, or from
    starting_time at its rate; numbers are in the unit the file states (data x conversion + offset).
    """
    with hdf5.File(path) as file:
        return dataset(_recording(file), ask)


def _recording(file: hdf5.File) -> Recording:
    tree = file.tree()
    variables: list[Variable] = []
    clocks: dict[str, str] = {}
    rates: dict[str, float] = {}
    kinds: dict[str, list[str]] = {"spatial": [], "traces": []}
    units = {}
    for name, item in tree.items():
        kind = item.get("neurodata_type", "")
        if not item.get("group") or kind not in _SERIES:
            continue
        data, stamps = tree.get(f"{name}/data"), tree.get(f"{name}/timestamps")
        start = tree.get(f"{name}/starting_time")
        if data is None or not data.get("shape") or data["dtype"] in ("str", "other", "reference"):
            continue
        variables.append(describe(name, data["shape"], data["dtype"]))
        units[name] = data.get("unit", "")
        if stamps is not None and stamps.get("shape"):
            clocks[name] = f"{name}/timestamps"
        elif start is not None and isinstance(start.get("rate"), float | int) and start["rate"] > 0:
            clocks[name], rates[name] = f"{name}/timestamps", float(start["rate"])
        if name in clocks:
            variables.append(Variable(clocks[name], data["shape"][:1], "float64", "column", "s"))
        kinds["spatial"] += [name] if kind == "SpatialSeries" else []
        kinds["traces"] += [name] if kind == "RoiResponseSeries" else []
    variables = [_noted(v, units.get(v.name, ""), rates.get(v.name)) for v in variables]
    x: tuple[str, ...] = ()
    if SPIKES in tree and f"{SPIKES}_index" in tree and tree[SPIKES].get("shape"):
        n, spikes = tree[f"{SPIKES}_index"]["shape"][0], tree[SPIKES]["shape"][0]
        note = f"{spikes:,} event times of {n} units"
        variables.insert(0, Variable(SPIKES, (n,), tree[SPIKES]["dtype"], "events", note))
        x = (SPIKES,)
    elif kinds["traces"]:
        traces = sorted(kinds["traces"], key=lambda name: "dfoverf" not in name.lower())
        x = (traces[0],)
    table = [n for n in tree if n.startswith("intervals/") and tree[n].get("shape") and tree[n]["dtype"] != "other"]
    variables += [describe(n, tree[n]["shape"], tree[n]["dtype"]) for n in table if tree[n]["dtype"] != "reference"]

    def load(parts: Mapping[str, Part]) -> dict[str, Any]:
        return {name: _load(file, tree, name, part, rates) for name, part in parts.items()}

    return Recording(
        file.path, variables, load, x=x, u=tuple(kinds["spatial"][:1]), clocks=clocks,
        rate_hz=rates.get(x[0]) if x else None, meta={"format": "NWB", **_words(file, tree)},
    )  # fmt: skip


def _noted(variable: Variable, unit: str, rate: float | None) -> Variable:
    note = ", ".join(word for word in (unit, f"{rate:g} Hz" if rate else "") if word)
    return Variable(variable.name, variable.shape, variable.dtype, variable.kind, note or variable.note)


def _load(
    file: hdf5.File, tree: Mapping[str, dict[str, Any]], name: str, part: Part, rates: Mapping[str, float]
) -> Any:
    if name == SPIKES:
        ends = hdf5.load_one(file, f"{SPIKES}_index", tree[f"{SPIKES}_index"], Part()).astype(np.int64)
        times = hdf5.load_one(file, SPIKES, tree[SPIKES], Part())
        return [unit for unit in np.split(times, ends[:-1].clip(0, len(times))) if len(unit)]
    series = name.removesuffix("/timestamps")
    if series != name and series in rates:
        start = float(file.numbers(f"{series}/starting_time", (), tree[f"{series}/starting_time"]["dtype"]))
        times = start + np.arange(tree[f"{series}/data"]["shape"][0]) / rates[series]
        return times if part.kept is None else times[part.kept]
    if f"{name}/data" not in tree:
        return hdf5.load_one(file, name, tree[name], part)
    item = tree[f"{name}/data"]
    values = hdf5.load_one(file, f"{name}/data", item, part)
    scale, offset = item.get("conversion", 1.0), item.get("offset", 0.0)
    return values if (scale, offset) == (1, 0) else values * scale + offset


def _words(file: hdf5.File, tree: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """Return what the file says of itself."""
    found = {}
    for name, title in (("session_description", "session"), ("general/subject/species", "species"),
                        ("general/data_collection", "collection"), ("general/institution", "institution")):  # fmt: skip
        if tree.get(name, {}).get("dtype") == "str":
            text = " ".join(file.texts(name).tolist())[:200].strip()
            found |= {title: text} if text else {}
    return found
