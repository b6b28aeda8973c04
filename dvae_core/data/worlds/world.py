"""The description of a data set that the library draws itself."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dvae_core.data.dataset import Dataset


@dataclass(frozen=True)
class World:
    """A built-in data set: its settings, the function that draws it, and what a page shows about it.

    Attributes:
        name: Its name in links and on the command line: the `kind` of its settings.
        settings: The class of its settings.
        draw: Turns settings into the Dataset.
        label: Turns settings into a few words, for menus and titles.
        words: A description in a sentence or two.
        dials: The settings that the Data page offers.
        more: Settings that the page offers under "More dials".
        note: Turns settings into a warning about scores on this data; "" for none.
    """

    name: str
    settings: type
    draw: Callable[[Any], Dataset]
    label: Callable[[Any], str]
    words: str
    dials: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    note: Callable[[Any], str] = lambda settings: ""


def arguments(settings: Any) -> dict[str, Any]:
    """Return the settings as keyword arguments of a function that takes them all by name."""
    return {f.name: getattr(settings, f.name) for f in dataclasses.fields(settings) if f.name != "kind"}
