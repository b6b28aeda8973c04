"""NWB files (neurophysiology, HDF5): units, calcium traces, behaviour and trials, found by their neurodata_type.

The reader uses only h5py; pynwb is not needed. Times are in seconds, as the standard requires.
"""

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core.data.dataset import DataError
from dvae_core.data.readers import hdf5, spikes
from dvae_core.data.readers.common import ReadOptions, kept_open
from dvae_core.data.readers.model import (
    FULL_CIRCLE,
    Intervals,
    Labels,
    Part,
    Recording,
    Variable,
    describe,
    labels_of,
    unreadable,
)

SPIKES = "units/spike_times"
AREAS = "units/area"  # of each unit, by the first of its electrodes; files store only the electrodes
ELECTRODES = "general/extracellular_ephys/electrodes/location"
INVALID = "intervals/invalid_times"


def recording(path: Path, options: ReadOptions) -> Recording:
    """Return units (as event times), every series with its clock, and the columns of trials and epochs.

    By default x is the spikes in bins, or the only RoiResponseSeries, and u is the first position or other spatial
    series. An axis that is as long as the series' clock is time. The times of a series come from its timestamps, or
    from starting_time and its rate. Numbers are converted to the unit that the file states (data x conversion +
    offset). Bins outside obs_intervals or inside invalid_times are left out.
    """
    with kept_open(hdf5.File(path).__enter__()) as file:
        return _Nwb(file, options).recording()


class _Nwb:
    """The tree of a file, translated to variables."""

    def __init__(self, file: hdf5.File, options: ReadOptions) -> None:
        self.file, self.options, self.tree = file, options, file.tree()
        self.variables: list[Variable] = []
        self.clocks: dict[str, str] = {}
        self.rates: dict[str, float] = {}
        self.axes: dict[str, int] = {}
        self.columns: dict[str, tuple[str, ...]] = {}
        self.kinds: dict[str, str] = {}  # of series, by name
        self.tables: list[Intervals] = []

    def recording(self) -> Recording:
        self._units()
        for name, item in self.tree.items():
            if item.get("group") and self.tree.get(f"{name}/data", {}).get("shape") is not None:
                self._series(name, item)
        self._intervals()
        self._rest()
        traces = [n for n, kind in self.kinds.items() if kind == "RoiResponseSeries"]
        spatial = [n for n, kind in self.kinds.items() if kind == "SpatialSeries"]
        others = [n for n, kind in self.kinds.items() if kind not in ("SpatialSeries",)]
        units = [v.name for v in self.variables if v.name == SPIKES and v.readable]
        x = tuple(units) or (tuple(traces) if len(traces) == 1 else ())
        refused = "" if x or others else (
            f"{self.file.path.name} has no units, no RoiResponseSeries and no other recorded series, so there is "
            "nothing that could be x; choose a variable (--x NAME) or another file."
        )  # fmt: skip
        return Recording(
            self.file.path, self.variables, self._load_all, x=x, u=tuple(spatial[:1]) if x else (), clocks=self.clocks,
            seconds=True, axes=self.axes, columns=self.columns, intervals=tuple(self.tables), gaps=self._gaps,
            meta={"format": "NWB", **_words(self.file, self.tree)}, refused_x=refused, close=self.file.close,
        )  # fmt: skip

    def _units(self) -> None:
        times, ends = self.tree.get(SPIKES), self.tree.get(f"{SPIKES}_index")
        if not times or not ends or not times.get("shape") or not ends.get("shape"):
            return
        n, count = ends["shape"][0], times["shape"][0]
        if not count:
            self.variables.append(unreadable(SPIKES, "holds no spikes", (n,), "empty"))
            return
        note = f"{count:,} event times of {n} units"
        self.variables.append(Variable(SPIKES, (n,), times["dtype"], "events", note, ("unit",), unit="s"))
        ids = self.tree.get("units/id", {})
        if ids.get("shape") == (n,) and ids["dtype"] not in ("str", "other", "reference"):
            values = hdf5.load_one(self.file, "units/id", ids, Part()).ravel()
            self.columns[SPIKES] = tuple(str(v) for v in values.tolist())
        electrodes = [self.tree.get(f"units/electrodes{end}", {}).get("shape") for end in ("", "_index")]
        located = self.tree.get(ELECTRODES, {}).get("dtype") == "str"
        if located and electrodes[0] and electrodes[1] == (n,) and not {AREAS, "units/location"} & {*self.tree}:
            self.variables.append(Variable(AREAS, (n,), "str", "label", "by electrode", ("unit",), role="unit"))

    def _series(self, name: str, item: Mapping[str, Any]) -> None:
        """Add a series: its data under its own name, and its clock."""
        data, stamps = self.tree[f"{name}/data"], self.tree.get(f"{name}/timestamps", {})
        start, kind = self.tree.get(f"{name}/starting_time", {}), str(item.get("neurodata_type", ""))
        shape = data["shape"]
        clocked = bool(stamps.get("shape")) or isinstance(start.get("rate"), float | int)
        if not kind.endswith("Series") and not clocked:
            return
        if data["dtype"] in ("str", "other", "reference") or not shape or not prod(shape):
            why = "is empty: its pictures lie in another file" if not prod(shape or (1,)) else "is not plain numbers"
            self.variables.append(unreadable(name, why, shape or (), "empty"))
            return
        unit = str(data.get("unit", ""))
        parent = self.tree.get(name.rpartition("/")[0], {}).get("neurodata_type", "")
        compass = "CompassDirection" in (parent, *name.split("/"))
        period = FULL_CIRCLE.get(unit.lower()) or (float("nan") if compass else None)
        period = period if kind == "SpatialSeries" and (len(shape) == 1 or shape[-1] == 1) else None
        rate = float(start["rate"]) if isinstance(start.get("rate"), float | int) and start["rate"] > 0 else None
        n = stamps["shape"][0] if stamps.get("shape") else None
        axis = self._time_axis(name, shape, n)
        clock = f"{name}/timestamps" if n is not None or rate else ""
        axes = tuple("time" if i == axis else "unit" if len(shape) == 2 else "unknown" for i in range(len(shape)))
        self.variables.append(
            describe(name, shape, data["dtype"] if _plain(data) else "float64", unit=unit, clock=clock, period=period,
                     rate_hz=rate if n is None else None, axes=axes if axis is not None else (),
                     role="" if kind != "ImageSeries" else "other")
        )  # fmt: skip
        self.kinds[name] = kind
        if axis is not None and len(shape) > 1:
            self.axes[name] = axis
        if clock:
            self.clocks[name] = clock
            if n is None and rate is not None:
                self.rates[name] = rate
            length = n if n is not None else shape[axis or 0]
            self.variables.append(
                Variable(clock, (length,), "float64", "column", axes=("time",), unit="s", role="clock")
            )

    def _time_axis(self, name: str, shape: tuple[int, ...], stamps: int | None) -> int | None:
        """Return the axis that is as long as the clock, or the one that is not as long as the list of regions."""
        if len(shape) == 1:
            return 0
        if stamps is not None:
            return shape.index(stamps) if stamps in shape else 0
        for regions in ("rois", "electrodes"):
            listed = self.tree.get(f"{name}/{regions}", {}).get("shape")
            if listed and len(shape) == 2 and listed[0] in shape:
                return 0 if shape[1] == listed[0] else 1
        return 0 if shape[0] >= max(shape[1:]) else None

    def _intervals(self) -> None:
        """Add the tables of trials and epochs, column by column."""
        for name, item in self.tree.items():
            start, stop = f"{name}/start_time", f"{name}/stop_time"
            if not item.get("group") or not all(self.tree.get(side, {}).get("shape") for side in (start, stop)):
                continue
            n = self.tree[start]["shape"][0]
            columns = []
            for column, part in self.tree.items():
                if not column.startswith(f"{name}/") or part.get("group") or part.get("shape", ()) is None:
                    continue
                short = column[len(name) + 1 :]
                if (
                    "/" in short
                    or not part["shape"]
                    or part["shape"][0] != n
                    or part["dtype"] in ("other", "reference")
                ):
                    continue
                role = "index" if short == "id" else ""
                if part["dtype"] == "str":
                    self.variables.append(Variable(column, part["shape"], "str", "label", axes=("trial",), role=role))
                else:
                    axes = ("trial",) + ("unknown",) * (len(part["shape"]) - 1)
                    self.variables.append(describe(column, part["shape"], part["dtype"], axes=axes, role=role))
                columns.append(column)
            self.tables.append(Intervals(name, start, stop, tuple(c for c in columns if c not in (start, stop))))

    def _rest(self) -> None:
        """List everything else in the file: it can be chosen, but it is not a candidate for x."""
        seen = {v.name for v in self.variables}
        hidden = tuple(f"{name}/" for name in self.kinds)
        for name, item in self.tree.items():
            if (
                item.get("group")
                or name in seen
                or not item.get("shape")
                or name.startswith((*hidden, "specifications"))
            ):
                continue
            if (
                name in (f"{SPIKES}_index", "units/id")
                or item["dtype"] in ("other", "reference")
                or not prod(item["shape"])
            ):
                continue
            if item["dtype"] == "str":
                self.variables.append(Variable(name, item["shape"], "str", "label", role="other"))
            else:
                self.variables.append(describe(name, item["shape"], item["dtype"], role="other"))

    def _gaps(self) -> tuple[np.ndarray, str] | None:
        """Return the times when every unit was observed and nothing was invalid, and the names of their sources."""
        found, what = [], []
        obs, ends = self.tree.get("units/obs_intervals", {}), self.tree.get("units/obs_intervals_index", {})
        if len(obs.get("shape") or ()) == 2 and obs["shape"][1] == 2 and prod(obs["shape"]) and ends.get("shape"):
            table = hdf5.load_one(self.file, "units/obs_intervals", obs, Part()).astype(np.float64)
            stops = hdf5.load_one(self.file, "units/obs_intervals_index", ends, Part()).astype(np.int64)
            per_unit = [t for t in np.split(table, stops[:-1].clip(0, len(table))) if len(t)]
            distinct = {t.tobytes(): t for t in per_unit}
            if len(distinct) > 1000:
                raise DataError(
                    f"{self.file.path.name} has other obs_intervals for each of many units; choose some units."
                )
            found += list(distinct.values())
            what.append("obs_intervals")
        invalid = next((t for t in self.tables if t.name == INVALID), None)
        if invalid is not None:
            start, stop = (
                hdf5.load_one(self.file, side, self.tree[side], Part()).astype(np.float64)
                for side in (invalid.start, invalid.stop)
            )
            order = np.argsort(start)
            start, stop = start[order], np.maximum.accumulate(stop[order])
            found.append(np.column_stack([np.r_[-np.inf, stop], np.r_[start, np.inf]]))
            what.append("valid times (invalid_times)")
        return (spikes.common(found), " and ".join(what)) if found else None

    def _load_all(self, parts: Mapping[str, Part]) -> dict[str, Any]:
        return {name: self._load(name, part) for name, part in parts.items()}

    def _load(self, name: str, part: Part) -> Any:
        file, tree = self.file, self.tree
        if name == SPIKES and tree.get(f"{SPIKES}_index", {}).get("shape"):
            ends = hdf5.load_one(file, f"{SPIKES}_index", tree[f"{SPIKES}_index"], Part()).astype(np.int64)
            times = hdf5.load_one(file, SPIKES, tree[SPIKES], Part())
            return np.split(times, ends[:-1].clip(0, len(times)))
        if name == AREAS and AREAS not in tree:
            return self._areas()
        series = name.removesuffix("/timestamps")
        if series != name and series in self.rates:
            start = float(file.numbers(f"{series}/starting_time", (), tree[f"{series}/starting_time"]["dtype"]))
            times = start + np.arange(tree[f"{series}/data"]["shape"][self.axes.get(series, 0)]) / self.rates[series]
            return times if part.kept is None else times[part.kept]
        if f"{name}/data" not in tree:
            return hdf5.load_one(file, name, tree[name], part)
        item = tree[f"{name}/data"]
        values = hdf5.load_one(file, f"{name}/data", item, part)
        return values if _plain(item) else values * item.get("conversion", 1.0) + item.get("offset", 0.0)

    def _areas(self) -> Labels:
        """Return the location of the first electrode of each unit."""
        places = self.file.texts(ELECTRODES)
        rows, ends = (
            hdf5.load_one(self.file, f"units/electrodes{end}", self.tree[f"units/electrodes{end}"], Part())
            for end in ("", "_index")
        )
        begins = np.r_[0, ends.astype(np.int64)[:-1]].clip(0, len(rows))
        first = [int(rows[b]) if b < e <= len(rows) else -1 for b, e in zip(begins, ends.tolist(), strict=True)]
        return labels_of(places[k] if 0 <= k < len(places) else "" for k in first)


def _plain(item: Mapping[str, Any]) -> bool:
    return (item.get("conversion", 1.0), item.get("offset", 0.0)) == (1, 0)


def _words(file: hdf5.File, tree: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """Return the file's own description of itself."""
    found = {}
    for name, title in (("session_description", "session"), ("general/subject/species", "species"),
                        ("general/data_collection", "collection"), ("general/institution", "institution")):  # fmt: skip
        if tree.get(name, {}).get("dtype") == "str":
            text = " ".join(file.texts(name).tolist())[:200].strip()
            found |= {title: text} if text else {}
    return found
