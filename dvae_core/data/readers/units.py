"""The choice of units (columns of x): by quality, area, depth, firing rate, name or number."""

import re
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from dvae_core.data.dataset import DataError
from dvae_core.data.readers.common import ReadOptions, check_names
from dvae_core.data.readers.model import Labels, Part, ReadingRecord, Recording, Variable

EVERY = "all"  # as the only quality: use units of every quality

_PROPERTIES = {
    "quality": re.compile(r"(?i)((cluster|unit|neuron|cell|ks)_?)?(quality|group|label|ks_?label)s?"),
    "area": re.compile(r"(?i)((unit|neuron|cell|brain)_?)?(areas?|regions?|locations?|planes?)"),
    "depth": re.compile(r"(?i)((unit|neuron|cell)_?)?depths?(_um)?"),
}


def chooses_units(options: ReadOptions) -> bool:
    """Whether the user chooses among the units."""
    has_rate = options.min_rate_hz is not None
    return bool(options.quality or options.area or options.units) or has_rate or _chooses_depth(options)


def _chooses_depth(options: ReadOptions) -> bool:
    return options.depth_from is not None or options.depth_to is not None


def chosen(
    recording: Recording, options: ReadOptions, record: ReadingRecord, names: Sequence[str], x: Sequence[str],
    at: np.ndarray, total: int,
) -> np.ndarray:  # fmt: skip
    """Return a mask of the units to use by all that is known before their activity is counted.

    Args:
        recording: Its variables called quality, area and depth (or similar), with one entry per unit, describe them.
        options: The user's choice.
        record: Counts the units that are left out, each with the reason.
        names: Names of the units.
        x: The variables that x consists of.
        at: The position of each unit in the file.
        total: Number of units in the file.

    Raises:
        DataError: If the file does not say what is needed, or if nothing would be left.
    """
    keep = np.ones(len(names), bool)
    quality = options.quality or recording.quality
    if quality and quality != (EVERY,):
        values = _texts(recording, "quality", x, at, total)
        _check_known(recording, "quality", quality, values)
        keep = _kept(recording, record, keep, np.isin(values, quality), "of quality", values)
    if options.area:
        values = _texts(recording, "area", x, at, total)
        _check_known(recording, "area", options.area, values)
        keep = _kept(recording, record, keep, np.isin(values, options.area), "in area", values)
    if _chooses_depth(options):
        depth = _property(recording, "depth", x, at, total)
        if isinstance(depth, Labels) or depth.dtype.kind not in "iuf":
            raise DataError(
                f"The depths of the units of {recording.path.name} are not numbers; choose by area or name."
            )
        low = -np.inf if options.depth_from is None else options.depth_from
        high = np.inf if options.depth_to is None else options.depth_to
        inside = (depth >= low) & (depth <= high)
        keep = _kept(recording, record, keep, inside, f"outside depths {low:g} to {high:g}")
    if options.units:
        keep = _kept(recording, record, keep, _named(recording, options.units, names), "by name")
    return keep


def active(
    recording: Recording, options: ReadOptions, record: ReadingRecord, rates_hz: np.ndarray | None, total: int
) -> np.ndarray | None:
    """Return a mask of the units that fire at least as often as requested; None if that was not requested.

    Raises:
        DataError: If x is not counted events over a known time, or if nothing would be left.
    """
    if options.min_rate_hz is None:
        return None
    if rates_hz is None:
        raise DataError(
            f"x of {recording.path.name} is not counts with a known sampling rate, so its units have no firing rate; "
            "leave the minimum rate out, or state the rate (--rate)."
        )
    keep = rates_hz >= options.min_rate_hz
    return _kept(recording, record, np.ones(total, bool), keep, f"below {options.min_rate_hz:g} Hz")


def _kept(
    recording: Recording, record: ReadingRecord, keep: np.ndarray, more: np.ndarray, why: str,
    values: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Return both masks joined; count what the second one leaves out."""
    lost = keep & ~more
    if values is not None and lost.any():
        found, counts = np.unique(values[lost], return_counts=True)
        order = np.argsort(-counts, kind="stable")
        why = f"{why} {', '.join(str(found[i]) or 'unknown' for i in order[:6])}"
    if not (keep & more).any():
        raise DataError(
            f"{recording.path.name} has no unit that fits: {int(keep.sum()):,} would be left out, {why}; choose others."
        )
    record.leave_out("units", int(lost.sum()), len(keep), why)
    return keep & more


def _check_known(recording: Recording, what: str, wanted: Sequence[str], values: np.ndarray) -> None:
    known = sorted({str(v) for v in values} - {""})
    absent = [w for w in wanted if w not in known]
    if len(absent) == len(wanted):
        others = f"; use --quality {EVERY} for all" if what == "quality" else ""
        raise DataError(
            f"{recording.path.name} has no unit of {what} {', '.join(absent)}; it has {', '.join(known[:12])}{others}."
        )


def _named(recording: Recording, wanted: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """Return a mask of units by name, or by number: #3 is the third, #1-50 the first fifty."""
    keep = np.zeros(len(names), bool)
    for one in wanted:
        numbers = None if one in names else re.fullmatch(r"#(\d{1,7})(?:-(\d{1,7}))?", one)
        if numbers is None:
            check_names(recording.path, [one], names)
            keep |= np.array([name == one for name in names])
            continue
        first, last = int(numbers[1]), int(numbers[2] or numbers[1])
        if not 1 <= first <= last <= len(names):
            raise DataError(f"{recording.path.name} has units #1 to #{len(names)}; got {one}.")
        keep[first - 1 : last] = True
    return keep


def _texts(recording: Recording, what: str, x: Sequence[str], at: np.ndarray, total: int) -> np.ndarray:
    found = _property(recording, what, x, at, total)
    if isinstance(found, Labels):
        return np.array([*found.names, ""])[found.codes]  # code -1 is the last: unknown
    return np.array([f"{v:g}" if found.dtype.kind == "f" else str(v) for v in found.tolist()])


def described(
    recording: Recording, names: Sequence[str], x: Sequence[str], at: np.ndarray, total: int
) -> dict[str, dict[str, Any]]:
    """Return the area and the depth of each unit by its name, as far as the file states them.

    Args:
        recording: See `chosen`, like the others.
        names: Names of the units.
        x: The variables that x consists of.
        at: The position of each unit in the file.
        total: Number of units in the file.
    """
    known: dict[str, list[Any]] = {}
    if len(x) == 1 and len(_stating(recording, "area", x, total)) == 1:
        known["area"] = _texts(recording, "area", x, at, total).tolist()
    if len(x) == 1 and len(_stating(recording, "depth", x, total)) == 1:
        depth = _property(recording, "depth", x, at, total)
        if not isinstance(depth, Labels) and depth.dtype.kind in "iuf":
            known["depth"] = [round(float(v), 3) for v in depth]
    return {name: {what: values[i] for what, values in known.items()} for i, name in enumerate(names)} if known else {}


def _stating(recording: Recording, what: str, x: Sequence[str], total: int) -> list[Variable]:
    """Return the variables that may state a property of the units, one entry each."""
    fits = [
        v for v in recording.variables
        if v.readable and v.name not in x and prod(v.shape) == max(v.shape, default=0) == total
        and _PROPERTIES[what].fullmatch(re.split(r"[/.]", v.name)[-1])
    ]  # fmt: skip
    return [v for v in fits if v.axes[:1] == ("unit",)] or fits


def _property(recording: Recording, what: str, x: Sequence[str], at: np.ndarray, total: int) -> Any:
    """Return the variable that states a property of the units, one entry each."""
    found = _stating(recording, what, x, total)
    if len(x) != 1 or len(found) != 1:
        several = f"several ({', '.join(v.name for v in found)})" if len(found) > 1 else "none"
        raise DataError(
            f"To choose units by {what}, {recording.path.name} needs one variable called {what} with an entry for each "
            f"of the {total:,} units; it has {several}."
        )
    values = recording.load({found[0].name: Part()})[found[0].name]
    values = values if isinstance(values, Labels) else np.asarray(values).ravel()
    return values[at]
