"""The same examples in several planes: brush some in one, and they light up in all."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from dvae_core.figures import COLOURS, hue_colours
from dvae_core.live import arrays

MOST_POINTS = 1500
BINS = 6  # of a number u, for its colours and its legend


@dataclass(frozen=True, eq=False)
class Panel:
    """One plane of linked panels.

    Args:
        title: Its heading.
        points: [n, d]: the first two columns are drawn, a single one against the row number. None draws `missing`.
        names: Names of the axes.
        missing: What an empty panel says.
    """

    title: str
    points: Any
    names: Sequence[str] = ()
    missing: str = "not available"


def data(
    panels: Sequence[Panel], *, hues: Any = None, hue_labels: Sequence[str] = (), name: str = "u"
) -> dict[str, Any]:
    """Return what linked.js takes: JSON, its arrays packed.

    Args:
        panels: What to draw; all points have the same rows, thinned evenly to 1,500.
        hues: [n] u of every row: integer codes, or numbers (cut into 6 bins of equal counts), or None.
        hue_labels: Names of the codes, or the one name of the numbers.
        name: What the codes are.

    Raises:
        ValueError: If rows differ, or no panel has points.
    """
    drawn = [np.asarray(panel.points, np.float32) for panel in panels if panel.points is not None]
    if not drawn:
        raise ValueError("Every panel is empty; give at least one of them points.")
    n = len(drawn[0])
    rows = arrays.thinned(n, MOST_POINTS)
    codes, labels, colours = _legend(hues, hue_labels, n)
    return {
        "panels": [_packed(panel, n, rows) for panel in panels],
        "rows": len(rows),
        "all": n,
        "hues": None if codes is None else codes[rows].tolist(),
        "labels": labels,
        "colours": colours,
        "name": str(hue_labels[0]) if colours and len(hue_labels) == 1 else name,
    }


def _packed(panel: Panel, n: int, rows: np.ndarray) -> dict[str, Any]:
    if panel.points is None:
        return {"title": str(panel.title), "points": None, "names": ["", ""], "missing": str(panel.missing)}
    points = np.asarray(panel.points, np.float32)
    if points.ndim != 2 or len(points) != n:
        raise ValueError(f"{panel.title} must have the {n} rows of the first panel; its shape is {list(points.shape)}.")
    names = [*panel.names, *(f"{i + 1}" for i in range(len(panel.names), points.shape[1]))][:2]
    square = points.shape[1] > 1
    if not square:
        points, names = np.column_stack([np.arange(n, dtype=np.float32), points[:, 0]]), ["row", names[0]]
    points = points[rows, :2]
    if not np.isfinite(points).all():  # a factor without a latent, or a diverged member
        return {"title": str(panel.title), "points": None, "names": ["", ""], "missing": str(panel.missing)}
    return {"title": str(panel.title), "points": arrays.packed(points), "names": arrays.texts(names), "square": square}


def _legend(hues: Any, labels: Sequence[str], n: int) -> tuple[np.ndarray | None, list[str], list[str] | None]:
    """Return codes, their names, and separate colours if u is a number."""
    if hues is None:
        return None, [], None
    hues = np.asarray(hues)
    if hues.shape != (n,):
        raise ValueError(f"hues must have the {n} rows of the panels; its shape is {list(hues.shape)}.")
    if hues.dtype.kind in "iub":
        return hues.astype(int), arrays.texts(labels), None
    edges = np.unique(np.quantile(hues, np.linspace(0, 1, BINS + 1)))
    codes = np.clip(np.searchsorted(edges, hues, side="right") - 1, 0, max(len(edges) - 2, 0))
    middle = [float(np.mean(hues[codes == k])) if (codes == k).any() else 0.0 for k in range(max(len(edges) - 1, 1))]
    names = [f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges)] or [f"{edges[0]:.3g}"]
    return codes, names, hue_colours(np.asarray(middle)) if len(middle) > 1 else [COLOURS["data"]]
