"""Two recordings as one: spikes in one file, behaviour in another."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from dvae_core.data.readers.choose import clock_of
from dvae_core.data.readers.model import Intervals, Part, Recording


def merged(first: Recording, second: Recording, **more: Any) -> Recording:
    """Return two recordings as one; a name of the second that the first also has gets its file's name as a prefix."""
    ours = {v.name for v in first.variables}
    renamed = {v.name: f"{second.path.stem}/{v.name}" if v.name in ours else v.name for v in second.variables}
    back = {new: old for old, new in renamed.items()}
    theirs = [
        dataclasses.replace(v, name=renamed[v.name], clock=renamed.get(v.clock, v.clock)) for v in second.variables
    ]

    def load(parts: Mapping[str, Part]) -> dict[str, Any]:
        found = {name: part for name, part in parts.items() if name in ours}
        other = {back[name]: part for name, part in parts.items() if name in back and name not in ours}
        arrays = first.load(found) if found else {}
        return arrays | ({renamed[k]: v for k, v in second.load(other).items()} if other else {})

    def again(names: Mapping[str, Any]) -> dict[str, Any]:
        return {renamed.get(k, k): v for k, v in names.items()}

    if recorded := [t for t in first.intervals if t.own_rows]:
        first = dataclasses.replace(first, intervals=tuple(t for t in first.intervals if t not in recorded))
    tables = tuple(
        Intervals(t.name, renamed[t.start], renamed[t.stop], tuple(renamed[c] for c in t.columns))
        for t in second.intervals
    )
    clocks = {renamed[k]: renamed.get(v, v) for k, v in second.clocks.items() if k in renamed}
    for v in second.variables:
        clock = clock_of(second, v.name)
        if clock and v.name not in second.clocks:
            clocks[renamed[v.name]] = renamed[clock]
    return dataclasses.replace(
        first, variables=[*first.variables, *theirs], load=load, groups={**second.groups, **first.groups},
        clocks={**clocks, **first.clocks}, axes={**again(second.axes), **first.axes},
        intervals=(*first.intervals, *tables), columns={**again(second.columns), **first.columns},
        speed=first.speed or renamed.get(second.speed, ""), meta={**second.meta, **first.meta}, **more,
    )  # fmt: skip
