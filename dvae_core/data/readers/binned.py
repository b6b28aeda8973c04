"""Event times counted in bins, with behaviour in the same bins."""

from math import prod
from typing import Any

import numpy as np

from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.readers import spikes, units
from dvae_core.data.readers.along import Along, Rows, check_clocks, samples_of, seconds
from dvae_core.data.readers.choose import Choice, clock_of, speed_of, table_of
from dvae_core.data.readers.common import Ask, check_budget
from dvae_core.data.readers.finish import finish
from dvae_core.data.readers.model import PHASE, Part, ReadingRecord, Recording

FEW_EVENTS = 0.01  # events per bin and unit: with fewer, the times are probably not in seconds

BIN_S = 0.1  # default bin width for event times


def binned(recording: Recording, ask: Ask, choice: Choice, record: ReadingRecord) -> Dataset:
    """Return event times as counts (or rates) in bins, with behaviour in the same bins."""
    path, width = recording.path, ask.bin_s if ask.bin_s is not None else BIN_S
    by_name = {v.name: v for v in recording.variables}
    if not width > 0:
        raise DataError(f"A bin must be wider than 0 s; got {width:g}.")
    speed = speed_of(recording, ask)
    behaviour = tuple(dict.fromkeys((*choice.u, *choice.z, *speed)))
    tables = {b: table for b in behaviour if (table := table_of(recording, b))}
    clocks: dict[str, str] = {}
    for name in behaviour:
        if name in tables:
            continue
        clock = clock_of(recording, name, ask)
        if clock is None:
            raise DataError(f"{name} of {path.name} has no times to bin it by; name them (time=NAME, --time NAME).")
        clocks[name] = clock
    sides = [side for table in tables.values() for side in (table.start, table.stop)]
    names_of = (*choice.x, *behaviour, *clocks.values(), *sides)
    wanted = {name: Part(events=name in choice.x) for name in names_of if by_name[name].role != PHASE}
    size = sum(8 * prod(by_name[name].shape) for name in wanted)
    check_budget(path, size, ask.budget_bytes)
    arrays = recording.load(wanted)
    seconds(recording, arrays, (*clocks.values(), *sides), record)
    times, names, at, silent = _units(recording, arrays, choice.x)
    record.units = units.described(recording, names, choice.x, at, len(names) + silent)
    known = units.chosen(recording, ask, record, names, choice.x, at, len(names) + silent)
    times, names = [t for t, keep in zip(times, known, strict=True) if keep], tuple(np.array(names)[known].tolist())
    every = np.concatenate(times) if times else np.zeros(0)
    if not len(every):
        raise DataError(f"{', '.join(choice.x)} of {path.name} holds no event times; choose other variables.")
    if silent:
        record.notes.append(f"{silent:,} units without events left out")
    samples = {
        name: samples_of(path, name, arrays[name], arrays[clock], choice.columns) for name, clock in clocks.items()
    }
    for name, (clock, _) in samples.items():
        check_clocks(recording, ", ".join(choice.x[:3]), every, name, clock)
    # behaviour says when the recording was on; without any, the events do
    start = max((clock[0] for clock, _ in samples.values()), default=np.floor(every.min() / width) * width)
    stop = min((clock[-1] for clock, _ in samples.values()), default=(np.floor(every.max() / width) + 1) * width)
    stretches, what = [(float(start), float(stop))], ""
    if recording.gaps is not None and (found := recording.gaps()):
        table, what = found
        bounds = [(start, stop)] if samples else [(-np.inf, np.inf)]
        stretches = [
            tuple(map(float, s)) for s in spikes.common([table, np.array(bounds)]) if s[1] - s[0] > width - 1e-9
        ]
        if not stretches:
            raise DataError(f"{path.name} has no bin of {width:g} s inside {what}; choose another width.")
    bins = sum(b - a for a, b in stretches) / width
    if np.isfinite(bins) and bins <= spikes.MAX_BINS:  # otherwise refused below with its own message
        check_budget(path, int(size + bins * (10 * len(times) + 64 * (1 + len(behaviour)))), ask.budget_bytes)
    try:
        edges = [spikes.bin_edges(a, b, width) for a, b in stretches]
    except ValueError as error:
        raise DataError(f"{path.name} cannot be binned: {str(error)[0].lower()}{str(error)[1:]}") from error
    counted = [spikes.bin_spikes(times, e) for e in edges]
    counts = np.concatenate(counted)
    often = units.active(recording, ask, record, counts.sum(0, dtype=float) / (len(counts) * width), len(names))
    if often is not None:
        counted, counts = [c[:, often] for c in counted], counts[:, often]
        names = tuple(np.array(names)[often].tolist())
        every = np.concatenate([t for t, keep in zip(times, often, strict=True) if keep])
    lost = len(every) - int(counts.sum(dtype=np.int64))
    unit = "counts"
    x: np.ndarray = counts
    if ask.smooth_s is not None:
        try:
            x = np.concatenate([spikes.smooth_rates(c, width, ask.smooth_s) for c in counted]).astype(np.float32)
        except ValueError as error:
            raise DataError(str(error)) from error
        unit = f"rates in events/s, smoothed with a Gaussian of {ask.smooth_s:g} s"
    centres = np.concatenate([(e[1:] + e[:-1]) / 2 for e in edges])
    meta = {"bins": f"{width:g} s, {unit}, {edges[0][0]:,.6g} to {edges[-1][-1]:,.6g} s"}
    record.notes += [f"{lost:,} events outside that time"] if lost else []
    if what:
        before = (np.floor(every.max() / width) + 1) - np.floor(every.min() / width)
        record.leave_out("bins", max(0, int(before) - len(counts)), int(before), f"outside {what}")
    if len(every) / max(1, counts.size) < FEW_EVENTS:
        record.notes.append(
            f"a bin of {width:g} s holds {len(every) / max(1, counts.size):.2g} events: if times are not in seconds "
            "(milliseconds, samples), convert them or choose wider bins"
        )
    out = Along(Rows(x, centres, edges, None, 0, len(x), centres), untyped=recording.untyped)
    for name in behaviour:
        if name in tables:
            out.by_interval(name, arrays, tables[name], centres, record)
        else:
            clock, values = samples[name]
            out.in_bins(path, name, clock, values, by_name[name], ask, choice, recording, edges, record)
    if not out.known.all():
        meta["bins"] += f", {out.known.sum():,} of {len(out.known):,} kept"
    if speed:
        out.moving(recording, ask, speed[0], record)
    if ask.rows is not None:
        out.first(ask.rows, record)
    return finish(recording, ask, choice, out, record, rate=1 / width, x_names=names, meta=meta)


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
