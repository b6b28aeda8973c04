"""The same examples in several planes: brush some in one and they light up in all."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from streamlit.components.v2 import component

from dvae_core.figures import hue_colours
from pages.ui.components import assets

_view = component(
    "dvae_linked", html='<div class="dv linked"></div>', css=assets.style("linked"), js=assets.script("linked")
)

MOST_POINTS = 1500
BINS = 6  # of a number u, for its colours and its legend


@dataclass(frozen=True, eq=False)
class Panel:
    """One plane of `linked`.

    Args:
        title: Words over it.
        points: [n, d]: the first two columns are drawn, a single one against the row number. None draws `missing`.
        names: Names of the axes.
        missing: What an empty panel says.
    """

    title: str
    points: Any
    names: Sequence[str] = ()
    missing: str = "not available"


def linked(
    panels: Sequence[Panel], *, key: str, hues: Any = None, hue_labels: Sequence[str] = (), name: str = "u"
) -> None:
    """Draw the same rows in every panel; what is brushed in one is highlighted in all, in the browser.

    Pointing highlights what is near, dragging draws a lasso, the legend picks values of u by click or key, Escape
    clears. Nothing is sent to Python.

    Args:
        panels: What to draw; all points have the same rows, thinned evenly to 1,500.
        key: Unique on the page.
        hues: [n] u of every row: integer codes, or numbers (cut into 6 bins of equal counts), or None.
        hue_labels: Names of the codes, or the one name of the numbers.
        name: What the codes are.

    Raises:
        ValueError: If rows differ, or a number of a panel that is drawn is not finite.

    Example:
        linked([Panel("factors", z), Panel("data", x)], key="both", hues=u, hue_labels=("left", "right"))
    """
    drawn = [np.asarray(p.points, np.float32) for p in panels if p.points is not None]
    if not drawn:
        raise ValueError("Every panel is empty; give at least one of them points.")
    n = len(drawn[0])
    keep = assets.thinned(n, MOST_POINTS)
    codes, labels, colours = _legend(hues, hue_labels, n)
    _view(
        key=key,
        data=[  # one dict in a list: in a bare dict streamlit looks for tables, and imports pandas for it (55 MB)
            {
                "panels": [_packed(p, n, keep) for p in panels],
                "rows": len(keep),
                "all": n,
                "hues": None if codes is None else codes[keep].tolist(),
                "labels": labels,
                "colours": colours,
                "name": str(hue_labels[0]) if colours and len(hue_labels) == 1 else name,
            }
        ],
    )


def _packed(panel: Panel, n: int, keep: np.ndarray) -> dict[str, Any]:
    if panel.points is None:
        return {"title": str(panel.title), "points": None, "names": ["", ""], "missing": str(panel.missing)}
    points = np.asarray(panel.points, np.float32)
    if points.ndim != 2 or len(points) != n:
        raise ValueError(f"{panel.title} must have the {n} rows of the first panel; it came as {list(points.shape)}.")
    names = [*panel.names, *(f"{i + 1}" for i in range(len(panel.names), points.shape[1]))][:2]
    square = points.shape[1] > 1
    if not square:
        points, names = np.column_stack([np.arange(n, dtype=np.float32), points[:, 0]]), ["row", names[0]]
    points = points[keep, :2]
    if not np.isfinite(points).all():  # a factor without a latent, or a diverged member
        return {"title": str(panel.title), "points": None, "names": ["", ""], "missing": str(panel.missing)}
    return {"title": str(panel.title), "points": assets.packed(points), "names": assets.texts(names), "square": square}


def _legend(hues: Any, labels: Sequence[str], n: int) -> tuple[np.ndarray | None, list[str], list[str] | None]:
    """Return codes, their words, and colours of their own where u is a number."""
    if hues is None:
        return None, [], None
    hues = np.asarray(hues)
    if hues.shape != (n,):
        raise ValueError(f"hues must have the {n} rows of the panels; it came as {list(hues.shape)}.")
    if hues.dtype.kind in "iub":
        return hues.astype(int), assets.texts(labels), None
    edges = np.unique(np.quantile(hues, np.linspace(0, 1, BINS + 1)))
    codes = np.clip(np.searchsorted(edges, hues, side="right") - 1, 0, max(len(edges) - 2, 0))
    middle = [float(np.mean(hues[codes == k])) if (codes == k).any() else 0.0 for k in range(max(len(edges) - 1, 1))]
    words = [f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges)] or [f"{edges[0]:.3g}"]
    return codes, words, hue_colours(np.asarray(middle)) if len(middle) > 1 else ["#0072B2"]
