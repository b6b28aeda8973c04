"""Sizes, dashes and symbols of figures for print, and plotly's colours, text and axes in matplotlib's terms."""

import re
from typing import Any

import numpy as np

POINT = 0.75  # points in a pixel of the screen
SIZE, SMALL, LINE = 7.0, 6.0, 0.75  # of text in points; of lines relative to the screen
DASHES = {"dash": (0, (4, 2)), "dot": (0, (1, 1.5)), "dashdot": (0, (4, 1.5, 1, 1.5)), "solid": "-"}
SYMBOLS = {
    "circle": "o", "square": "s", "diamond": "D", "cross": "P", "x": "X", "triangle-up": "^", "triangle-down": "v",
    "star": "*", "pentagon": "p", "hexagon": "h", "triangle-left": "<", "triangle-right": ">", "line-ns": "|",
    "line-ew": "_", "circle-open": "o", "square-open": "s", "diamond-open": "D",
}  # fmt: skip


def axes_of(figure: Any, kind: str) -> dict[str, Any]:
    """Return the axes of a layout by the short names that traces use: x, x2, ..."""
    letter = kind[0]
    found = {key: figure.layout[key] for key in figure.layout if re.fullmatch(rf"{kind}\d*", key)}
    return {f"{letter}{key.removeprefix(kind)}": axis for key, axis in found.items()} or {letter: figure.layout[kind]}


def domain_of(axis: Any) -> tuple[float, float]:
    """Return the share of the page that an axis spans."""
    low, high = axis.domain or (0.0, 1.0)
    return float(low), float(high)


def mapping_of(scale: Any, low: Any, high: Any, values: np.ndarray, *, reverse: bool = False) -> Any:
    """Return matplotlib's mapping from numbers to the colours of a plotly scale."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize
    from plotly.colors import get_colorscale

    stops = get_colorscale(scale) if isinstance(scale, str) else scale or get_colorscale("Cividis")
    pairs = [(float(at), colour_of(colour) or "0.4") for at, colour in stops]
    pairs = [(1 - at, colour) for at, colour in reversed(pairs)] if reverse else pairs
    finite = values[np.isfinite(values)]
    ends = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    norm = Normalize(ends[0] if low is None else float(low), ends[1] if high is None else float(high))
    mapping = ScalarMappable(norm, LinearSegmentedColormap.from_list("plotly", pairs))
    mapping.set_array(values)
    return mapping


def colour_of(text: Any) -> Any:
    """Return a colour of plotly (a name, #hex, rgb(...) or rgba(...)) as matplotlib reads it; None if it has none."""
    if not isinstance(text, str):
        return None
    found = re.fullmatch(r"rgba?\(([^)]*)\)", text.replace(" ", ""))
    if found is None:
        return text
    parts = [float(part) for part in found[1].split(",")]
    return (*(min(part / 255, 1.0) for part in parts[:3]), *parts[3:4])


def plain(text: Any) -> str:
    """Return plotly's markup as plain lines."""
    lines = re.sub(r"<br\s*/?>", "\n", str(text))
    plain = re.sub(r"<[^>]+>", "", lines)
    for entity, sign in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        plain = plain.replace(entity, sign)
    return plain.replace("$", r"\$")


def opposite(where: str, one: str, other: str) -> str:
    """Return matplotlib's alignment for plotly's position of a text relative to its point."""
    if one in where:
        return other
    return one if other in where else "center"


def numbers_of(z: Any) -> np.ndarray:
    """Return a table of plotly's as numbers, NaN where it has none."""
    return np.array([[np.nan if v is None else float(v) for v in row] for row in z])


def edges_of(at: np.ndarray) -> np.ndarray:
    """Return the edges of cells with these centres."""
    if len(at) == 1:
        return np.array([at[0] - 0.5, at[0] + 0.5])
    middle = (at[1:] + at[:-1]) / 2
    return np.r_[at[0] - (middle[0] - at[0]), middle, at[-1] + (at[-1] - middle[-1])]


def bar_lengths(error: Any) -> np.ndarray:
    """Return how far plotly's error bars reach below and above their points, [2, n]."""
    above = np.asarray(error.array, float)
    return np.array([above if error.arrayminus is None else np.asarray(error.arrayminus, float), above])
