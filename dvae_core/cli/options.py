"""Options built from the fields of the settings, and the data source that the options name.

The name of an option is the name of its field, and so are its choices, type and help.
"""

import argparse
import dataclasses
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from dvae_core.config import Data, FileData, Split, data_from_text
from dvae_core.data import readers
from dvae_core.data.worlds import WORLDS
from dvae_core.recipes import rules

# The read settings of `FileData` that the command line offers, beside its columns x, u and z.
READING_OPTIONS = (
    *("rate_hz", "rows", "bin_s", "smooth_s", "min_speed", "time", "rows_are", "axes", "picture", "circular"),
    *("u_from", "quality", "area", "depth_from", "depth_to", "min_rate_hz", "units", "pca"),
    *("missing", "clip", "constant", "duplicates"),
)


def add_settings(parser: argparse.ArgumentParser, of: type, names: Iterable[str], **more: Any) -> None:
    """Add an option for each of these settings, with the choices, type and help of its field.

    An option that is not given is None: the setting's own default applies or, if the data decides, a rule's.
    """
    fields, hints = {f.name: f for f in dataclasses.fields(of)}, get_type_hints(of)
    for name in names:
        hint, about = hints[name], fields[name].metadata
        kinds = [kind for kind in get_args(hint) if kind is not type(None)] or [hint]
        default = "by the data" if name in rules.HAVE_RULES else fields[name].default
        help_text = ": ".join(filter(None, (about["title"], about["description"])))
        how: dict[str, Any] = {"help": help_text if default in (None, (), "") else f"{help_text} (default: {default})"}
        if get_origin(hint) is Literal:
            how["choices"] = get_args(hint)
        elif get_origin(hint) is tuple:
            how |= {"nargs": "+", "metavar": "NAME"}
        else:
            how |= {"type": kinds[0], "metavar": {int: "N", float: "X", str: "TEXT"}[kinds[0]]}
        how["help"] = how["help"].replace("%", "%%")
        flag = {"rate_hz": "rate", "bin_s": "bin", "smooth_s": "smooth", "min_rate_hz": "min-rate"}.get(
            name, name
        ).replace("_", "-")
        parser.add_argument(f"--{flag}", dest=name, **(how | more))


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which parts of a file are the data and how it is read."""
    add_settings(parser, FileData, ("x", "u", "z", *(name for name in READING_OPTIONS if name != "axes")))
    add_settings(parser, FileData, ("axes",), nargs=None, metavar="A,B,C")


def numbers(text: str) -> tuple[float, ...]:
    """Return the numbers of a list such as 1,2,4: the type of an option.

    Raises:
        argparse.ArgumentTypeError: If a part is not a number.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected numbers separated by commas, such as 1,2,4; got {text!r}") from None


def whole_numbers(text: str) -> tuple[int, ...]:
    """Return the whole numbers of a list or a range such as 1,2,4 or 1-8: the type of an option.

    Raises:
        argparse.ArgumentTypeError: If a part is neither.
    """
    found: list[int] = []
    for part in text.split(","):
        ends = re.fullmatch(r"(\d{1,3})(?:-(\d{1,3}))?", part.strip())
        if ends is None or int(ends[1]) > int(ends[2] or ends[1]):
            raise argparse.ArgumentTypeError(f"expected whole numbers, such as 4, 1,2,4 or 1-8; got {text!r}")
        found += range(int(ends[1]), int(ends[2] or ends[1]) + 1)
    return tuple(found)


def data_of(text: str, options: argparse.Namespace) -> tuple[Data, Split]:
    """Return the data source (built-in data by its text, or a file with its columns) and the split."""
    if text.partition(",")[0] in WORLDS and not Path(text).exists():
        data, split = data_from_text(text)
        return data, options.split or split
    return file_of(Path(text), options), options.split or "auto"


def file_of(path: Path, options: argparse.Namespace) -> FileData:
    """Return a file and its read settings, from the options."""
    x, u, z = (_names_in(path, given) for given in (options.x, options.u, options.z))
    return FileData(path=str(path.absolute()), x=x, u=u, z=z, **_reading(options))


def _reading(options: argparse.Namespace) -> dict[str, Any]:
    """Return the read settings of a file: those of `FileData` that were given."""
    given = {name: getattr(options, name) for name in READING_OPTIONS}
    given |= {"axes": _split_names([options.axes])} if options.axes else {}
    lists = ("circular", "quality", "area", "units")
    given |= {name: _split_names(given[name]) for name in lists if given[name]}
    given |= {"u_from": str(Path(options.u_from).absolute())} if options.u_from else {}
    return {name: value for name, value in given.items() if value is not None}


def _names_in(path: Path, given: list[str] | None) -> tuple[str, ...]:
    """Return names separated by commas; a name that contains a comma stays whole if the file has it."""
    if not any("," in part for part in given or ()):
        return tuple(given or ())
    known = {v.name for v in readers.inspect(path)}
    return tuple(name for part in given or () for name in ((part,) if part in known else _split_names([part])))


def _split_names(given: list[str] | None) -> tuple[str, ...]:
    return tuple(name for part in given or () for name in part.split(",") if name)
