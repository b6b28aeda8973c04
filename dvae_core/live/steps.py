"""One slider through steps that were computed before: clouds that move, and curves with a mark at the step."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Real

from dvae_core.live import arrays


@dataclass(frozen=True, eq=False, kw_only=True)
class Cloud:
    """Points in a plane; the same rows at every step.

    Attributes:
        title: Its heading: one text, or one for each step.
        points: [k, n, 2], the points at every step.
        names: Names of the axes.
        hues: [n] integer codes that colour the points; None gives all the colour of `role`.
        hue_labels: Names of the codes.
        role: What the points are, if there are no hues: "data", "latent", "factor" or "prior".
    """

    title: str | Sequence[str]
    points: Real[np.ndarray, "k n 2"]
    names: Sequence[str] = ("", "")
    hues: Any = None
    hue_labels: Sequence[str] = ()
    role: str = "data"


@dataclass(frozen=True, eq=False, kw_only=True)
class Line:
    """A line that stays while the slider moves: its values at `Curves.x`, its name in the legend and its colour."""

    y: Any
    role: str = "data"
    name: str = ""
    dashed: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Curves:
    """Lines over x.

    Attributes:
        title: Its heading: one text, or one for each step.
        x: [m], where the lines are known.
        lines: Those that stay.
        names: Names of the axes.
        y_range: Lowest and highest value that is drawn.
        marked: Mark the lines that stay at the step; x then has one value for each step.
        moving: [k, m], one line for each step, or None.
        moving_name: Its name in the legend.
        role: Its colour.
        pile: [j, m], faint lines, of which step i draws those from spans[i][0] to before spans[i][1]; None for none.
        spans: A pair for each step, if there is a pile.
    """

    title: str | Sequence[str]
    x: Any
    lines: Sequence[Line] = ()
    names: Sequence[str] = ("", "")
    y_range: tuple[float, float] = (0.0, 1.0)
    marked: bool = False
    moving: Any = None
    moving_name: str = ""
    role: str = "reconstruction"
    pile: Any = None
    spans: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class StepsState:
    """The content of the component.

    Attributes:
        name: The name of the slider.
        labels: The text of every step.
        panels: Clouds and curves, from left to right.
        start: The step that it starts at.
        autoplay: Let the slider move slowly until someone touches it (never with reduced motion).
    """

    name: str
    labels: Sequence[str]
    panels: Sequence[Cloud | Curves] = field(default=())
    start: int = 0
    autoplay: bool = True

    def data(self) -> dict[str, Any]:
        """Return what steps.js takes: JSON, its arrays packed.

        Raises:
            ValueError: If a panel does not have a value for every step, or a number is not finite.
        """
        return {
            "name": self.name,
            "labels": arrays.texts(self.labels),
            "panels": [self._panel(panel) for panel in self.panels],
            "start": int(self.start),
            "autoplay": self.autoplay,
        }

    def _panel(self, panel: Cloud | Curves) -> dict[str, Any]:
        titles = [panel.title] if isinstance(panel.title, str) else list(panel.title)
        if len(titles) not in (1, len(self.labels)):
            raise ValueError(f"title must be one text or {len(self.labels)}, one for each step; it is {len(titles)}.")
        shared = {"titles": arrays.texts(titles), "names": arrays.texts(panel.names), "role": panel.role}
        own = self._cloud(panel) if isinstance(panel, Cloud) else self._curves(panel)
        return shared | own

    def _cloud(self, panel: Cloud) -> dict[str, Any]:
        points = np.asarray(panel.points, np.float32)
        if points.ndim != 3 or len(points) != len(self.labels) or points.shape[2] != 2 or not np.isfinite(points).all():
            raise ValueError(f"points must be {len(self.labels)} times n times 2 finite numbers; got {points.shape}.")
        reach = 1.05 * float(np.abs(points).max())
        hues = None if panel.hues is None else np.asarray(panel.hues)
        if hues is not None and (hues.shape != points.shape[1:2] or hues.dtype.kind not in "iu"):
            raise ValueError(f"hues must be {points.shape[1]} integer codes; their shape is {hues.shape}.")
        return {
            "kind": "cloud",
            "points": arrays.packed(points),
            "range": {"x": [-reach, reach], "y": [-reach, reach]},
            "hues": None if hues is None else hues.tolist(),
            "labels": arrays.texts(panel.hue_labels),
        }

    def _curves(self, panel: Curves) -> dict[str, Any]:
        x, k = np.asarray(panel.x, np.float32), len(self.labels)
        m = len(x)
        if panel.marked and m != k:
            raise ValueError(f"A marked panel needs one x for each of the {k} steps; it has {m}.")
        if panel.pile is not None and len(panel.spans) != k:
            raise ValueError(f"spans must be {k} pairs, one for each step; it has {len(panel.spans)}.")
        return {
            "kind": "curves",
            "x": arrays.packed(x),
            "range": {"x": [float(x.min()), float(x.max())], "y": [float(v) for v in panel.y_range]},
            "lines": [
                {"y": _values("y", line.y, (m,)), "role": line.role, "name": line.name, "dashed": line.dashed}
                for line in panel.lines
            ],
            "marked": panel.marked,
            "moving": None if panel.moving is None else _values("moving", panel.moving, (k, m)),
            "moving_name": panel.moving_name,
            "pile": None if panel.pile is None else _values("pile", panel.pile, (len(panel.pile), m)),
            "spans": [[int(first), int(end)] for first, end in panel.spans],
        }


def _values(name: str, values: Any, shape: tuple[int, ...]) -> dict[str, str] | None:
    array = np.asarray(values, np.float32)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(
            f"{name} must be {' times '.join(map(str, shape))} finite numbers; its shape is {array.shape}."
        )
    return arrays.packed(array)
