"""Tables of any kind: which columns are x, u and factors, and which only number or time the rows."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core.data.readers.common import ReadOptions
from dvae_core.data.readers.model import UNIT_OF_TIME, Intervals, Labels, Recording, Variable

MAX_COLUMNS = 20_000
LOOK = 1000  # rows from which `inspect` infers types
# Default columns for u and for the true factors: one of the first group, or all of the second.
_U_ONE, _U_MANY, _Z = re.compile("u|labels?|segment"), re.compile(r"u\d+"), re.compile(r"z|s|[zs]\d+")
CLOCK = re.compile(r"(?i)t|times?|timestamps?|date|date_?time|seconds")
_INDEX = re.compile(
    r"|unnamed: \d+|ids?|idx|index|row|frames?|sample|epoch|(time_)?bin|\w+_id|level_\d+|__index_level_\d+__"
    r"|(rows?|frames?|samples?|bins?)_?(id|no|nr|num|number|idx|index)|subject|animal|mouse|rat|participant|cluster|fold"
)
_TRIAL = re.compile(r"trials?(_?(id|no|nr|num|number|idx|index))?")
_SESSION = re.compile(r"sessions?(_?(id|no|nr|num|number|idx|index))?")
_UNIT = re.compile(r"(unit|neuron|cell|roi|channel)(_?(id|no|nr|num|number|idx|index))?")
_TIMED = re.compile(r"(\w+_)?(times?|timestamps?|datetime)")
_SURE = re.compile(r"(.+)[ ._](score|likelihood|confidence)")
_START = re.compile(r"(?i)start|starts|start_?time|t_?start|onset|begin")
_LENGTH = re.compile(r"(?i)duration|length")
_STOP = re.compile(r"(?i)stop|stops|stop_?time|t_?stop|end|end_?time|t_?end|offset")


def of_columns(
    path: Path, options: ReadOptions, variables: list[Variable], load: Any, notes: Sequence[str] = (),
    default_u: str = "", strays: Mapping[str, str] | None = None,
    columns: Mapping[str, tuple[str, ...]] | None = None, **more: Any,
) -> Recording:  # fmt: skip
    """Return the recording of a table: columns for x, u and z are chosen by the rule of `recording`."""
    usable = [v for v in variables if v.readable]
    names = [v.name for v in usable]
    chosen = {*options.x, *options.u, *options.z}
    one_u = [n for n in names if _U_ONE.fullmatch(n) and n not in options.x]
    many_u = [n for n in names if _U_MANY.fullmatch(n) and n not in options.x]
    numbers = [v.name for v in usable if v.dtype != "str"]
    u = (default_u,) if default_u and default_u not in options.x else tuple(one_u[:1] or many_u)
    many_z = tuple(n for n in names if _Z.fullmatch(n) and n in numbers and n not in (*u, *options.x, *options.u))
    z = many_z if not many_u or not {*many_z} <= {*u} else ()
    named = {*(options.u or u), *(options.z or z), *u, *one_u, *many_u, *many_z}
    x = tuple(v.name for v in usable if v.dtype != "str" and not v.role and v.name not in named)
    flags = {v.name for v in usable if v.dtype == "bool"}  # true and false are labels, unless there is nothing else
    x = tuple(name for name in x if name not in flags) or x
    left = [v.name for v in usable if v.name not in (*x, *u, *z, *chosen) and not v.role]
    roles = [f"{v.name} ({v.role})" for v in usable if v.role and v.name not in chosen]
    why = ", all columns of numbers" + (f", without {', '.join(left[:10])}" if left else "")
    why += f"; {', '.join(roles[:6])} {'is' if len(roles) == 1 else 'are'} no data" if roles else ""
    hidden = [
        f"Column {v.name} of {path.name} {v.reason}" for v in variables if not v.readable and v.name in (strays or {})
    ]
    hidden += [
        f"{path.name} has a line for each event or value of a unit, and {v.name} says of which; make it a table with a "
        "column for each unit (pandas: pivot) or lists of event times"
        for v in usable if v.role == "unit of each line"
    ]  # fmt: skip
    start = next((v.name for v in usable if _START.fullmatch(v.name) and v.dtype != "str"), "")
    stop = next((v.name for v in usable if _STOP.fullmatch(v.name) and v.dtype != "str"), "")
    length = next((v.name for v in usable if _LENGTH.fullmatch(v.name) and v.dtype != "str"), "")
    refused = f"{hidden[0]}; correct it or choose other columns (--x NAME)." if hidden else ""
    if start and length and not stop and {*x} <= {start, length}:
        refused = (
            f"{path.name} lists intervals and holds no recording; add a column stop = {start} + {length}, and give it "
            "beside the recording (--u-from FILE)."
        )
    tables = (Intervals(path.stem, start, stop, tuple(n for n in names if n not in (start, stop)), own_rows=True),)
    return Recording(
        path, variables, load, x=x, u=u, z=z, why_x=why, layout="table", notes=tuple(notes),
        refused_x=refused,
        intervals=tables if start and stop else (), columns=columns or {}, **more,
    )  # fmt: skip


def confident(names: Sequence[str]) -> frozenset[str]:
    """Return the columns that state how sure a tracker is of a body part: P.score beside P.x and P.y."""
    parts = {n: match[1] for n in names if (match := _SURE.fullmatch(n))}
    known = {n.replace(" ", ".").replace("_", ".") for n in names}
    bare = {n: part.replace(" ", ".").replace("_", ".") for n, part in parts.items()}
    found = {n for n, part in bare.items() if {f"{part}.x", f"{part}.y"} <= known}
    return frozenset(found | ({"instance.score"} & {*names} if found else set()))  # SLEAP's score of a whole animal


def role_of(name: str, numbers: np.ndarray | None, whole: bool) -> str:
    """Return a column's role if it is not data, judged by its name or because it rises evenly from row to row.

    trialNum and Trial Num are trial_num; a column named as a time (elapsed_time) is a clock if it never falls.
    """
    plain = UNIT_OF_TIME.sub("", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip()).replace(" ", "_")).lower()
    if numbers is not None and whole and _UNIT.fullmatch(plain) and len(np.unique(numbers)) <= len(numbers) / 2:
        return "unit of each line"
    if _TRIAL.fullmatch(plain):
        return "trial"
    if _SESSION.fullmatch(plain):
        return "session"
    if CLOCK.fullmatch(name) or CLOCK.fullmatch(plain):
        return "clock"
    if _INDEX.fullmatch(plain):
        return "index"
    if numbers is not None and len(numbers) > 2 and _TIMED.fullmatch(plain):
        steps = np.diff(numbers)
        if (steps >= 0).all() and (steps > 0).mean() > 0.5:
            return "clock"
    if numbers is not None and whole and len(numbers) >= 10:
        steps = np.diff(numbers)
        if steps[0] != 0 and (steps == steps[0]).all():
            return "index"
    return ""


def labels_in(column: Any, nominal: bool) -> Labels:
    """Return a pandas column of texts as labels: any text is one, and only an empty field (in ARFF ?) is a gap."""
    import pandas as pd  # slow to import, and other readers need only the names above

    texts = column.astype(object).map(lambda t: t.strip() if isinstance(t, str) else t).to_numpy()
    gap = np.array([not isinstance(t, str) or not t or (nominal and t == "?") for t in texts], bool)
    codes = np.full(len(texts), -1, np.int64)
    if not gap.all():
        found, names = pd.factorize(texts[~gap], sort=True)
        names = [str(n) for n in names]
        plain = [n for n in names if re.fullmatch(r"-?\d+", n)]
        order = (
            sorted(range(len(names)), key=lambda i: int(names[i])) if len(plain) == len(names) else range(len(names))
        )
        place = np.empty(len(names), np.int64)
        place[list(order)] = np.arange(len(names))
        codes[~gap] = place[found]
        names = [names[i] for i in order]
    else:
        names = []
    return Labels(codes, names)
