"""What the library knows of a data set that it draws itself."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dvae_core.data.dataset import Dataset


@dataclass(frozen=True)
class World:
    """A built-in data set: its settings, how it is drawn, and what a page shows of it.

    Attributes:
        name: What links and the command line call it: the `kind` of its settings.
        settings: The class of its settings.
        draw: From settings to the Dataset.
        label: From settings to a few words, for menus and titles.
        words: What it is, in a sentence or two.
        dials: The settings that the Data page offers.
        more: Settings that it offers under "More dials".
        note: From settings to a warning about scores on this data; "" for none.
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
    """Return the settings as arguments of a function that takes every one by name."""
    return {f.name: getattr(settings, f.name) for f in dataclasses.fields(settings) if f.name != "kind"}
