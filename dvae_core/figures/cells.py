"""Canvases of examples as figures, for print: a sheet of cells, and one decoded example beside its latents."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dvae_core.figures.scatter import linked_panels
from dvae_core.figures.style import COLOURS, FULL_LINE, NUMBERS, filled, finish

MOST = 24  # pictures, or rows of bars, in a panel: as many as a page shows


def cells(
    rows: Sequence[tuple[str, Any]],
    x_shape: Sequence[int] | None = None,
    names: Sequence[str] = (),
    *,
    columns: int = 8,
    height: int = 380,
) -> go.Figure:
    """Draw rows of examples beside each other, as a sheet on a page shows them.

    Data in the plane are points; pictures are tiled, colours as grey; everything else is a table of shades, one
    line per example.

    Args:
        rows: Name and x [k, d_x] of every row.
        x_shape: (H, W) or (H, W, 3) if x is pictures.
        names: Names of the columns of x.
        columns: Pictures in a line.
        height: In pixels.
    """
    rows = [(name, np.asarray(x, float)) for name, x in rows]
    if rows[0][1].shape[1] == 2 and not x_shape:
        return linked_panels([(name, x, tuple(names)) for name, x in rows], title="Examples", height=height)
    fig = make_subplots(1, len(rows), subplot_titles=[name for name, _ in rows], horizontal_spacing=0.08)
    for col, (_, x) in enumerate(rows, 1):
        x = x[:MOST]
        _shades(fig, _tiled(_grey(x, x_shape), columns) if x_shape else x, bool(x_shape), list(names), col)
    note = "pictures" if x_shape else "one line an example"
    return finish(fig, "Examples", note, height=height, panels=True, line=FULL_LINE)


def decoded(
    z: Sequence[float],
    labels: Sequence[str],
    x: np.ndarray,
    x_shape: Sequence[int] | None = None,
    names: Sequence[str] = (),
    *,
    background: np.ndarray | None = None,
    height: int = 340,
) -> go.Figure:
    """Draw a latent vector as bars, and E[x|z] beside it: a picture, bars, or a point among the data.

    Args:
        z: The latents, in the order of `labels`.
        labels: Their names.
        x: [d_x] decoded from z.
        x_shape: (H, W) or (H, W, 3) if x is a picture.
        names: Names of the columns of x.
        background: [n, 2] data in the plane, if x is two numbers.
        height: In pixels.
    """
    x = np.asarray(x, float).ravel()
    fig = make_subplots(1, 2, subplot_titles=["z", "E[x|z]"], horizontal_spacing=0.12)
    fig.add_bar(x=list(labels), y=[float(v) for v in z], marker_color=COLOURS["latent"], name="z", row=1, col=1)
    fig.update_xaxes(title="latent", row=1, col=1)
    fig.update_yaxes(title="value", row=1, col=1)
    if x_shape:
        _shades(fig, _grey(x[None], x_shape)[0], True, [], 2)
    elif len(x) == 2:
        if background is not None:
            dots = {"color": COLOURS["reference"], "size": 4}
            fig.add_scatter(
                x=background[:, 0], y=background[:, 1], mode="markers", marker=dots, name="data", row=1, col=2
            )
        here = {"color": COLOURS["reconstruction"], "size": 11, "symbol": "diamond"}
        fig.add_scatter(x=x[:1], y=x[1:], mode="markers", marker=here, name="E[x|z]", row=1, col=2)
        fig.update_xaxes(title=filled(names, 2, "x")[0], row=1, col=2)
        fig.update_yaxes(title=filled(names, 2, "x")[1], row=1, col=2)
    else:
        bars = {"marker_color": COLOURS["reconstruction"], "name": "E[x|z]"}
        fig.add_bar(x=filled(names, len(x), "x"), y=x, row=1, col=2, **bars)
        fig.update_xaxes(title="dimension of x", row=1, col=2)
        fig.update_yaxes(title="E[x|z]", row=1, col=2)
    fig.update_layout(showlegend=False)
    return finish(fig, "One example, decoded from z", "", height=height, panels=True, line=FULL_LINE)


def _grey(x: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Return pictures [k, H, W] of flattened ones; colours as the mean of their three channels."""
    pictures = x.reshape(len(x), *shape)
    return pictures.mean(-1) if pictures.ndim == 4 else pictures


def _tiled(pictures: np.ndarray, columns: int) -> np.ndarray:
    """Return pictures side by side in lines, with a gap of one pixel without a value."""
    k, h, w = pictures.shape
    columns = min(columns, k)
    sheet = np.full((-(-k // columns) * (h + 1) - 1, columns * (w + 1) - 1), np.nan)
    for i, picture in enumerate(pictures):
        top, left = i // columns * (h + 1), i % columns * (w + 1)
        sheet[top : top + h, left : left + w] = picture
    return sheet


def _shades(fig: go.Figure, values: np.ndarray, pictures: bool, names: list[str], col: int) -> None:
    """Add a table of shades: a picture in grey with square pixels, or numbers on the scale of the figures."""
    if pictures:
        grey = [[0, "#000000"], [1, "#ffffff"]]
        fig.add_heatmap(z=values, colorscale=grey, zmin=0, zmax=1, showscale=False, row=1, col=col)
        fig.update_yaxes(autorange="reversed", scaleanchor=f"x{col}" if col > 1 else "x", visible=False, row=1, col=col)
        fig.update_xaxes(visible=False, row=1, col=col)
        return
    fig.add_heatmap(
        z=values, x=filled(names, values.shape[1], "x"), colorscale=NUMBERS, coloraxis="coloraxis", row=1, col=col
    )
    fig.update_layout(coloraxis={"colorscale": NUMBERS})
    fig.update_yaxes(autorange="reversed", title="example", row=1, col=col)
    fig.update_xaxes(title="dimension of x", row=1, col=col)
