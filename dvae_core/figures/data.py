"""Data as it comes: the distribution of each column, rows in time order, pictures."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Real, Shaped, UInt8
from plotly.subplots import make_subplots

from dvae_core.figures.style import COLOURS, NUMBERS, filled, finish, sentence, span_of


def column_histograms(
    x: Real[np.ndarray, "n d_x"],
    *,
    names: Sequence[str] = (),
    limit: int = 12,
    bins: int = 30,
    height: int | None = None,
) -> go.Figure:
    """Draw a histogram of each column (the first `limit`), each on its own axis.

    Args:
        x: Data, rows are examples.
        names: Names of the columns; filled x1, ...
        limit: Columns drawn.
        bins: Of equal width between a column's smallest and largest value.
        height: In pixels; None for 150 a row of panels.
    """
    n, d = x.shape
    if n < 1 or d < 1:
        return sentence("No rows to count.")
    names = filled(names, d, "x")
    shown, across = min(d, limit), min(d, limit, 4)
    down = -(-shown // across)
    fig = make_subplots(down, across, horizontal_spacing=0.08, vertical_spacing=min(0.3, 0.28 / max(down - 1, 1)))
    for k in range(shown):
        row, col = k // across + 1, k % across + 1
        column = x[np.isfinite(x[:, k]), k].astype(float)
        low, span = span_of(column)
        counts, edges = np.histogram(column, bins, (low, low + span))
        fig.add_bar(
            x=(edges[1:] + edges[:-1]) / 2, y=counts, width=span / bins, marker={"color": COLOURS["data"]},
            row=row, col=col, showlegend=False, hovertemplate=f"{names[k]} near %{{x:.3g}}: %{{y}} rows<extra></extra>",
        )  # fmt: skip
        fig.update_xaxes(title={"text": names[k], "standoff": 2}, range=[low, low + span], nticks=4, row=row, col=col)
        fig.update_yaxes(title="rows" if col == 1 else None, nticks=3, row=row, col=col)
    flat = [names[k] for k in range(d) if n and np.ptp(x[:, k]) == 0]
    found = f"{len(flat)} of {d} columns constant" if flat else "No column is constant"
    note = f"the first {shown} of {d} columns" if shown < d else ""
    return finish(fig, f"{found} over {n:,} rows", note, height=height or 90 + 150 * down)


def raster(
    x: Real[np.ndarray, "n d_x"],
    *,
    rate_hz: float | None = None,
    names: Sequence[str] = (),
    unit: str = "value",
    limit: int = 1000,
    title: str | None = None,
    height: int = 360,
) -> go.Figure:
    """Draw rows (time, across) by columns (neurons, up) as a heat map.

    Args:
        x: Data, rows in time order where `rate_hz` is given.
        rate_hz: Rows a second; None for row numbers.
        names: Names of the columns.
        unit: What a cell holds ("spikes per bin").
        limit: Rows drawn, from the first on: thinning would hide what is fast.
        title: Replaces the title.
        height: In pixels.
    """
    n, d = x.shape
    if n < 1 or d < 1:
        return sentence("No rows to draw.", height=height)
    part = x[:limit]
    names = filled(names, d, "x")
    fig = go.Figure(
        go.Heatmap(
            z=part.T, x=np.arange(len(part)) / (rate_hz or 1.0), y=names if d <= 30 else None, colorscale=NUMBERS,
            colorbar={"title": unit, "thickness": 12}, hovertemplate="%{x:.4g}, %{y}: %{z:.3g}<extra></extra>",
        )
    )  # fmt: skip
    fig.update_xaxes(title="time (s)" if rate_hz else "row", showgrid=False)
    fig.update_yaxes(title="column of x", showgrid=False)
    found = title or f"{d} columns over {len(part) / rate_hz:.3g} s" if rate_hz else title or f"{d} columns, row by row"
    return finish(fig, found, f"the first {len(part):,} of {n:,} rows" if len(part) < n else "", height=height)


def picture_sheet(
    images: Shaped[np.ndarray, "k H W *c"], *, columns: int | None = None, gap: int = 1, side: int = 64
) -> UInt8[np.ndarray, "h w *c"]:
    """Tile pictures into one, row by row, each magnified by a whole number so that single pixels stay sharp.

    Args:
        images: `[k, H, W]` or `[k, H, W, 3]`, uint8, or floats in [0, 1] (values outside are cut).
        columns: Pictures a line; None for a sheet about twice as wide as high.
        gap: Grey pixels between pictures, before magnifying.
        side: Each picture's longer side becomes at least this many pixels.

    Raises:
        ValueError: If the array is not a list of grey or colour pictures.
    """
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3):
        raise ValueError(f"Pictures must come as [k, H, W] or [k, H, W, 3]; got shape {images.shape}.")
    if images.dtype != np.uint8:
        images = np.round(np.nan_to_num(images.astype(float)).clip(0, 1) * 255).astype(np.uint8)
    k, h, w = images.shape[:3]
    columns = max(1, min(k, columns or int(np.ceil(np.sqrt(2 * max(k, 1) * h / max(w, 1))))))
    lines = -(-k // columns)
    sheet = np.full((max(lines, 1) * (h + gap) + gap, columns * (w + gap) + gap, *images.shape[3:]), 128, np.uint8)
    for i, picture in enumerate(images):
        top, left = (i // columns) * (h + gap) + gap, (i % columns) * (w + gap) + gap
        sheet[top : top + h, left : left + w] = picture
    factor = max(1, -(-side // max(h, w, 1)))
    return sheet.repeat(factor, 0).repeat(factor, 1)
