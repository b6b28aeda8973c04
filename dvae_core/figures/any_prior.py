"""Any factorial prior, carried to a Gaussian, rotated and carried back: one panel per stage, one hue per point."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Int, Real

from dvae_core.axes import evenly
from dvae_core.figures.scatter import dots
from dvae_core.figures.style import COLOURS, finish, sentence, span_of

QUARTERS = ("both below", "first above", "second above", "both above")  # their medians
PANEL_LINE = 24  # characters of a title that fit into a fifth of the page
MAIN, MARGIN = [0.0, 0.84], [0.87, 1.0]  # the scatter's share of either side, and the histogram's


def quarters(z: Real[np.ndarray, "n d"]) -> Int[np.ndarray, " n"]:
    """Return which side of the medians of the first two columns a point is on: 0..3, see QUARTERS."""
    above = z[:, :2] > np.median(z[:, :2], axis=0)
    return above @ np.array([1, 2])


def stage(
    points: Real[np.ndarray, "n d"],
    start: Real[np.ndarray, "n d_start"],
    *,
    title: str,
    axis: Sequence[str],
    note: str = "",
    line: int = PANEL_LINE,
    height: int = 320,
    limit: int = 1500,
) -> go.Figure:
    """Draw one stage of the construction: points in the hue of their start, and the histogram of each column.

    Two stages with the same rows show each point in the same colour and symbol, so that movement is visible.

    Args:
        points: Their present positions; the first two columns are drawn.
        start: Their initial positions: the quarter of the first two columns, cut at their medians, gives the hue.
        title: Name of this stage.
        axis: Titles of both axes.
        note: The second line.
        line: Characters of the title that fit on one line.
        height: In pixels.
        limit: Number of points drawn; the histograms count all points.
    """
    if len(points) < 2 or min(points.shape[1], start.shape[1]) < 2:
        return sentence("Two columns and at least two rows are needed.", height=height)
    rows = evenly(len(points), limit)
    fig = go.Figure(dots(points, quarters(start), QUARTERS, rows, COLOURS["latent"], size=4, legend=False))
    look = {"marker": {"color": COLOURS["reference"]}, "showlegend": False, "hoverinfo": "skip"}
    values = points[:, :2].astype(np.float32)
    fig.add_histogram(x=values[:, 0], nbinsx=30, yaxis="y2", **look)
    fig.add_histogram(y=values[:, 1], nbinsy=30, xaxis="x2", **look)
    for k, which in enumerate("xy"):
        low, span = span_of(values[:, k])
        reach = {"range": [low - 0.04 * span, low + 1.04 * span], "domain": MAIN, "nticks": 5}
        fig.update_layout({f"{which}axis": {"title": axis[k], **reach}})
        fig.update_layout({f"{which}axis2": {"domain": MARGIN, "visible": False}})
    return finish(fig, title, note, height=height, line=line)
