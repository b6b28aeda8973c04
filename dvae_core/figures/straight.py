"""Linear ICA on linear and nonlinear worlds: the same rows as data and as components, one row of panels a world."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Real
from plotly.subplots import make_subplots

from dvae_core.axes import evenly
from dvae_core.figures.any_prior import QUARTERS, quarters
from dvae_core.figures.scatter import dots
from dvae_core.figures.style import COLOURS, FAINT, FULL_LINE, finish, standard

Panel = tuple[str, Real[np.ndarray, "n d"]]


def worlds_unmixed(
    rows: Sequence[tuple[str, Real[np.ndarray, "n d"], Sequence[Panel]]],
    *,
    stacked: bool = False,
    limit: int = 350,
    height: int = 460,
) -> go.Figure:
    """Draw the panels of several worlds, each point in the hue of the quarter that its *factors* lie in.

    Where the hues meet along the panel's axes, the factors are found, up to order and sign.

    Args:
        rows: For each world its name, its factors, and its panels: a title and two or more columns of the same rows.
        stacked: Draw two panels per line, for a phone.
        limit: Points in each panel.
        height: In pixels.
    """
    panels = [(name, z, *panel) for name, z, its in rows for panel in its]
    columns = 2 if stacked else max(len(its) for _, _, its in rows)
    lines = -(-len(panels) // columns)
    titles = [title for _, _, title, _ in panels]
    fig = make_subplots(lines, columns, subplot_titles=titles, horizontal_spacing=0.03, vertical_spacing=0.32 / lines)
    for k, (name, z, _, points) in enumerate(panels):
        here: dict[str, Any] = {"row": k // columns + 1, "col": k % columns + 1}
        drawn = evenly(len(points), limit)
        shown = standard(np.asarray(points, float)[:, :2])
        for trace in dots(shown, quarters(z), QUARTERS, drawn, COLOURS["data"], size=5, legend=False):
            fig.add_trace(trace, **here)
        reach = float(np.quantile(np.abs(shown), 0.997))
        frame: dict[str, Any] = {
            "range": [-reach, reach],
            "showticklabels": False,
            "showgrid": False,
            "showline": True,
            "mirror": True,
        }
        frame |= {"linecolor": FAINT, "constrain": "domain"}
        fig.update_xaxes(**frame, **here)
        first = k % columns == 0
        fig.update_yaxes(**frame, scaleanchor=f"x{k + 1}" if k else "x", title=name if first else "", **here)
    fig.update_annotations(yshift=6)  # titles clear of the frames below them
    title = "The same rows, as data and unmixed"
    return finish(fig, title, "hue: the quarter of the factors", height=height, panels=True, line=FULL_LINE)
