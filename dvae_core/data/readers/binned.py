"""Event times counted in bins, with behaviour in the same bins."""

from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.readers import spikes, units
from dvae_core.data.readers.along import Along, Rows, check_clocks, samples_of, seconds
from dvae_core.data.readers.choose import Choice, clock_of, speed_of, table_of
from dvae_core.data.readers.common import ReadOptions, check_budget
from dvae_core.data.readers.finish import finish
from dvae_core.data.readers.model import PHASE, Intervals, Part, ReadingRecord, Recording

FEW_EVENTS = 0.01  # events per bin and unit: with fewer, the times are probably not in seconds

BIN_S = 0.1  # default bin width for event times


@dataclass(frozen=True, slots=True)
class _Behaviour:
    """The variables read beside the events: those with their own clock, and columns of a table of intervals."""

    names: tuple[str, ...]
    speed: tuple[str, ...]  # the variable whose speed selects rows, if any; also one of `names`
    tables: dict[str, Intervals]
    clocks: dict[str, str]

    @property
    def times(self) -> list[str]:
        """Names of the variables that hold times: the clocks, and where intervals start and stop."""
        sides = [side for table in self.tables.values() for side in (table.start, table.stop)]
        return [*self.clocks.values(), *sides]


@dataclass(frozen=True, slots=True)
class _Bins:
    """The bins of each uninterrupted stretch, and the events counted in them."""

    width_s: float
    edges: list[np.ndarray]
    counts: list[np.ndarray]  # one [bins, units] for each stretch
    names: tuple[str, ...]
    times: list[np.ndarray]  # of the events of each unit
    inside: str  # what the bins are confined to, "" for the whole recording

    @property
    def size(self) -> int:
        """The number of bins."""
        return sum(len(c) for c in self.counts)


def binned(recording: Recording, options: ReadOptions, choice: Choice, record: ReadingRecord) -> Dataset:
    """Return event times as counts (or rates) in bins, with behaviour in the same bins."""
    path, width = recording.path, options.bin_s if options.bin_s is not None else BIN_S
    by_name = {v.name: v for v in recording.variables}
    if not width > 0:
        raise DataError(f"A bin must be wider than 0 s; got {width:g}.")
    behaviour = _behaviour(recording, options, choice)
    names_of = (*choice.x, *behaviour.names, *behaviour.times)
    wanted = {name: Part(events=name in choice.x) for name in names_of if by_name[name].role != PHASE}
    size = sum(8 * prod(by_name[name].shape) for name in wanted)
    check_budget(path, size, options.budget_bytes)
    arrays = recording.load(wanted)
    seconds(recording, arrays, behaviour.times, record)
    times, names = _chosen_units(recording, options, choice, arrays, record)
    samples = {
        name: samples_of(path, name, arrays[name], arrays[clock], choice.columns)
        for name, clock in behaviour.clocks.items()
    }
    for name, (clock, _) in samples.items():
        check_clocks(recording, ", ".join(choice.x[:3]), np.concatenate(times), name, clock)
    stretches, inside = _stretches(recording, times, [clock for clock, _ in samples.values()], width)
    number = sum(b - a for a, b in stretches) / width
    if np.isfinite(number) and number <= spikes.MAX_BINS:  # otherwise refused below with its own message
        needed = int(size + number * (10 * len(times) + 64 * (1 + len(behaviour.names))))
        check_budget(path, needed, options.budget_bytes)
    bins = _active(recording, options, record, _count(path, times, names, stretches, width, inside))
    _note_events(bins, record)
    x, unit = _rates(bins, options.smooth_s)
    edges = bins.edges
    centres = np.concatenate([(e[1:] + e[:-1]) / 2 for e in edges])
    meta = {"bins": f"{width:g} s, {unit}, {edges[0][0]:,.6g} to {edges[-1][-1]:,.6g} s"}
    out = Along(Rows(x, centres, edges, None, 0, len(x), centres), untyped=recording.untyped)
    for name in behaviour.names:
        if name in behaviour.tables:
            out.by_interval(name, arrays, behaviour.tables[name], centres, record)
        else:
            clock, values = samples[name]
            out.in_bins(name, clock, values, by_name[name], options, edges, record)
    if not out.known.all():
        meta["bins"] += f", {out.known.sum():,} of {len(out.known):,} kept"
    if behaviour.speed:
        out.moving(recording, options, behaviour.speed[0], record)
    if options.rows is not None:
        out.first(options.rows, record)
    return finish(recording, options, choice, out, record, rate=1 / width, x_names=bins.names, meta=meta)


def _behaviour(recording: Recording, options: ReadOptions, choice: Choice) -> _Behaviour:
    """Return what is read beside the events, with the clock of everything that is not in a table of intervals."""
    speed = speed_of(recording, options)
    names = tuple(dict.fromkeys((*choice.u, *choice.z, *speed)))
    tables = {name: table for name in names if (table := table_of(recording, name))}
    clocks: dict[str, str] = {}
    for name in names:
        if name in tables:
            continue
        clock = clock_of(recording, name, options)
        if clock is None:
            raise DataError(
                f"{name} of {recording.path.name} has no times to bin it by; name them (time=NAME, --time NAME)."
            )
        clocks[name] = clock
    return _Behaviour(names, speed, tables, clocks)


def _chosen_units(
    recording: Recording, options: ReadOptions, choice: Choice, arrays: dict[str, Any], record: ReadingRecord
) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Return the times and the names of the units that have events and are kept by quality, area, depth and name."""
    times, names, at, silent = _units(recording, arrays, choice.x)
    listed = len(names) + silent
    record.units = units.described(recording, names, choice.x, at, listed)
    known = units.chosen(recording, options, record, names, choice.x, at, listed)
    times, names = [t for t, keep in zip(times, known, strict=True) if keep], tuple(np.array(names)[known].tolist())
    if not sum(map(len, times)):
        raise DataError(f"{', '.join(choice.x)} of {recording.path.name} holds no event times; choose other variables.")
    if silent:
        record.notes.append(f"{silent:,} units without events left out")
    return times, names


def _stretches(
    recording: Recording, times: list[np.ndarray], clocks: list[np.ndarray], width: float
) -> tuple[list[tuple[float, float]], str]:
    """Return from when to when to bin, and what that is confined to.

    Behaviour says when the recording was on; without any, the events do.
    """
    first, last = _bins_of(times, width)
    start = max((clock[0] for clock in clocks), default=first * width)
    stop = min((clock[-1] for clock in clocks), default=last * width)
    found = recording.gaps() if recording.gaps is not None else None
    if found is None:
        return [(float(start), float(stop))], ""
    table, inside = found
    bounds = [(start, stop)] if clocks else [(-np.inf, np.inf)]
    pairs = [(float(a), float(b)) for a, b in spikes.common([table, np.array(bounds)]) if b - a > width - 1e-9]
    if not pairs:
        raise DataError(f"{recording.path.name} has no bin of {width:g} s inside {inside}; choose another width.")
    return pairs, inside


def _bins_of(times: list[np.ndarray], width: float) -> tuple[float, float]:
    """Return the numbers of the first bin with an event and of the one after the last, counted from time 0."""
    first, last = min(t.min() for t in times), max(t.max() for t in times)
    return float(np.floor(first / width)), float(np.floor(last / width)) + 1


def _count(
    path: Path, times: list[np.ndarray], names: tuple[str, ...], stretches: list[tuple[float, float]], width: float,
    inside: str,
) -> _Bins:  # fmt: skip
    """Count the events of every unit in the bins of every stretch."""
    try:
        edges = [spikes.bin_edges(a, b, width) for a, b in stretches]
    except ValueError as error:
        raise DataError(f"{path.name} cannot be binned: {str(error)[0].lower()}{str(error)[1:]}") from error
    return _Bins(width, edges, [spikes.bin_spikes(times, e) for e in edges], names, times, inside)


def _active(recording: Recording, options: ReadOptions, record: ReadingRecord, bins: _Bins) -> _Bins:
    """Return the bins with the units that fire often enough, if that was requested."""
    total = np.sum([c.sum(0, dtype=float) for c in bins.counts], axis=0)
    often = units.active(recording, options, record, total / (bins.size * bins.width_s), len(bins.names))
    if often is None:
        return bins
    names = tuple(np.array(bins.names)[often].tolist())
    times = [t for t, keep in zip(bins.times, often, strict=True) if keep]
    return replace(bins, counts=[c[:, often] for c in bins.counts], names=names, times=times)


def _note_events(bins: _Bins, record: ReadingRecord) -> None:
    """Record the events and the time outside the bins, and bins that hold suspiciously few events."""
    events, counted = sum(map(len, bins.times)), sum(int(c.sum(dtype=np.int64)) for c in bins.counts)
    if lost := events - counted:
        record.notes.append(f"{lost:,} events outside that time")
    if bins.inside:
        first, last = _bins_of(bins.times, bins.width_s)
        before = int(last - first)
        record.leave_out("bins", max(0, before - bins.size), before, f"outside {bins.inside}")
    per_bin = events / max(1, bins.size * len(bins.names))
    if per_bin < FEW_EVENTS:
        record.notes.append(
            f"a bin of {bins.width_s:g} s holds {per_bin:.2g} events: if times are not in seconds "
            "(milliseconds, samples), convert them or choose wider bins"
        )


def _rates(bins: _Bins, smooth_s: float | None) -> tuple[np.ndarray, str]:
    """Return x [bins, units] and its unit: the counts, or rates smoothed within each stretch."""
    if smooth_s is None:
        return np.concatenate(bins.counts), "counts"
    try:
        rates = [spikes.smooth_rates(c, bins.width_s, smooth_s) for c in bins.counts]
    except ValueError as error:
        raise DataError(str(error)) from error
    return np.concatenate(rates).astype(np.float32), f"rates in events/s, smoothed with a Gaussian of {smooth_s:g} s"


def _units(
    recording: Recording, arrays: dict[str, Any], x: tuple[str, ...]
) -> tuple[list[np.ndarray], tuple[str, ...], np.ndarray, int]:
    """Return the times, names and places in the file of all units that have events, and how many have none."""
    times, names, places, silent, before = [], [], [], 0, 0
    for name in x:
        listed = arrays[name] if isinstance(arrays[name], list) else [arrays[name]]
        given = recording.columns.get(name, ())
        for i, unit in enumerate(listed):
            unit = np.asarray(unit, np.float64).ravel()
            if not len(unit):
                silent += 1
                continue
            times.append(unit)
            places.append(before + i)
            plain = name if len(listed) == 1 else f"unit{i + 1}"
            names.append(given[i] if len(given) == len(listed) else plain)
        before += len(listed)
    return times, tuple(names), np.array(places, np.int64), silent
