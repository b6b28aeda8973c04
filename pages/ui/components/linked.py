"""Linked panels on a page."""

from collections.abc import Sequence
from typing import Any

from dvae_core import figures
from dvae_core.live import linked as live
from dvae_core.live.linked import Panel
from pages.ui.components.live_component import canvas, register

_view = register("linked")


def linked(
    panels: Sequence[Panel], *, key: str, hues: Any = None, hue_labels: Sequence[str] = (), name: str = "u"
) -> None:
    """Draw the same rows in every panel; rows brushed in one are highlighted in all, in the browser.

    Pointing highlights nearby rows, dragging draws a lasso, the legend picks values of u by click or key, and Escape
    clears the selection. Nothing is sent to Python.

    Args:
        panels: What to draw; dvae_core.live.linked.data documents this and the last three arguments.
        key: Unique on the page.
        hues: [n] u of every row.
        hue_labels: Names of the codes, or the one name of the numbers.
        name: What the codes are.

    Raises:
        ValueError: If rows differ, or no panel has points.

    Example:
        linked([Panel("factors", z), Panel("data", x)], key="both", hues=u, hue_labels=("left", "right"))
    """
    canvas(key, lambda: figures.linked_panels([(p.title, p.points, tuple(p.names)) for p in panels], hues, hue_labels))
    _view(key=key, data=[live.data(panels, hues=hues, hue_labels=hue_labels, name=name)])
