"""Figures of raw data: the distribution of each column, rows in time order, pictures."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Bool, Float, Int, Real, Shaped, UInt8
from plotly.subplots import make_subplots

from dvae_core.axes import evenly
from dvae_core.figures.style import COLOURS, HUES, NUMBERS, filled, finish, join, sentence, span_of

LABELS_A_PANEL = 6  # more labels are thinned on the axis


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
        names: Names of the columns; x1, ... by default.
        limit: Columns drawn.
        bins: Number of bins of equal width between a column's smallest and largest value.
        height: In pixels; None for 150 per row of panels.
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


MOST_COLUMNS = 200  # of a recording that are drawn: each gets two pixels


def recording(
    x: Real[np.ndarray, "n d_x"],
    u: Shaped[np.ndarray, "n ..."] | None = None,
    *,
    rate_hz: float | None = None,
    names: Sequence[str] = (),
    u_names: Sequence[str] = (),
    u_labels: Sequence[str] = (),
    unit: str = "value",
    limit: int = 1000,
    height: int = 420,
) -> go.Figure:
    """Draw a recording as a heat map over time, each column on a scale of its own, with its behaviour u below.

    Args:
        x: Data, rows in time order.
        u: Label codes `[n]` or numbers `[n, d_u]` (the first 3 are drawn), or None.
        rate_hz: Rows per second; None for row numbers.
        names: Names of the columns of x.
        u_names: Names of the columns of u.
        u_labels: Names of the codes.
        unit: Unit of a cell ("spikes per bin").
        limit: Number of rows drawn, from the first on: thinning would hide fast changes. At most 200 columns are drawn.
        height: In pixels.
    """
    n, d = x.shape
    if n < 1 or d < 1:
        return sentence("No rows to draw.", height=height)
    chosen = evenly(d, MOST_COLUMNS)  # the browser would need minutes for 10,000 neurons
    part = x[:limit, chosen].astype(float)
    names = [filled(names, d, "x")[j] for j in chosen]
    time = np.arange(len(part)) / (rate_hz or 1.0)
    low, high = np.quantile(part, 0.01, axis=0), np.quantile(part, 0.995, axis=0)
    high = np.where(high > low, high, np.maximum(part.max(0), low + 1))
    traces = 0 if u is None else 1 if u.ndim == 1 else min(3, u.shape[1])
    shares = [1.0] if not traces else [0.62, *[0.38 / traces] * traces]
    gap = 0.12 if traces == 1 else 0.06  # holds the name of the panel below it; a single one also on a projector
    fig = make_subplots(1 + traces, 1, shared_xaxes=True, row_heights=shares, vertical_spacing=gap)
    fig.add_heatmap(
        z=((part - low) / (high - low)).clip(0, 1).astype(np.float32).T, x=time, y=names if d <= 20 else chosen + 1,
        customdata=part.astype(np.float32).T, colorscale=NUMBERS, showscale=False, zmin=0, zmax=1, row=1, col=1,
        hovertemplate=f"%{{x:.4g}}, %{{y}}: %{{customdata:.3g}} {unit}<extra></extra>",
    )  # fmt: skip
    kind = "category" if d <= 20 else None  # the ids of units are names, though they look like numbers
    fig.update_yaxes(title="column of x" if d > 20 else None, showgrid=False, type=kind, row=1, col=1)
    for k in range(traces):
        values = u[:limit] if u.ndim == 1 else u[:limit, k]  # type: ignore[union-attr, index]
        name = filled(u_names, max(traces, len(u_names)), "u")[k]
        _draw_behaviour(fig, time, values, name, u_labels, row=2 + k)
    fig.update_xaxes(showgrid=False)
    fig.update_xaxes(title="time (s)" if rate_hz else "row", row=1 + traces, col=1)
    found = _over_time(d, len(part), rate_hz)
    found += f", with {', '.join(u_names[:traces])}" if traces and u_names else ""
    part_note = f"the first {len(part):,} of {n:,} rows" if len(part) < n else ""
    part_note = join(part_note, f"{len(chosen)} of {d:,} columns, evenly spaced" if len(chosen) < d else "")
    return finish(fig, found, join(part_note, f"bright: high for that column ({unit})"), height=height)


def _draw_behaviour(
    fig: go.Figure, time: np.ndarray, values: np.ndarray, name: str, labels: Sequence[str], *, row: int
) -> None:
    """Draw one column of u over time in a panel of its own."""
    fig.add_scatter(
        x=time, y=values, mode="lines", line={"color": COLOURS["factor"], "width": 1.5,
        "shape": "hv" if labels else "linear"}, showlegend=False, row=row, col=1,
        hovertemplate=f"{name}: %{{y:.4g}}<extra></extra>",
    )  # fmt: skip
    # above its panel: beside the axis, long names would overlap
    fig.add_annotation(
        text=name, x=0, y=1, xref="x domain", yref="y domain", xanchor="left", yanchor="bottom", showarrow=False,
        row=row, col=1,
    )  # fmt: skip
    fig.update_yaxes(nticks=3, row=row, col=1)
    if labels and len(labels) <= 6:
        fig.update_yaxes(tickvals=list(range(len(labels))), ticktext=list(labels), row=row, col=1)


def latents_over_time(
    z: Float[np.ndarray, "n d"],
    rows: Int[np.ndarray, " n"],
    u: Shaped[np.ndarray, " n"] | None = None,
    *,
    rate_hz: float | None = None,
    name: str = "u",
    labels: Sequence[str] = (),
    title: str = "",
    limit: int = 600,
) -> go.Figure:
    """Draw latents over the longest stretch without a gap, each in a panel of its own, with u beneath.

    Args:
        z: Latents of one member; the first 6 are drawn.
        rows: The row number of each; a step of more than three times the usual one is a gap.
        u: Label codes or numbers, or None.
        rate_hz: Rows per second; None for row numbers.
        name: Name of u.
        labels: Names of the codes.
        title: The finding.
        limit: Most rows drawn.
    """
    if len(z) < 2:
        return sentence("Too few rows to draw over time.", height=200)
    steps = np.diff(rows)
    edges = np.concatenate([[0], np.flatnonzero(steps > 3 * np.median(steps)) + 1, [len(rows)]])
    longest = int(np.diff(edges).argmax())
    part = slice(int(edges[longest]), min(int(edges[longest + 1]), int(edges[longest]) + limit))
    time, d = rows[part] / (rate_hz or 1.0), min(z.shape[1], 6)
    panels = d + (u is not None)
    fig = make_subplots(panels, 1, shared_xaxes=True, vertical_spacing=0.03)
    for i in range(d):
        fig.add_scatter(
            x=time, y=z[part, i], mode="lines", showlegend=False, row=i + 1, col=1,
            line={"color": COLOURS["latent"], "width": 1.2}, hovertemplate=f"z{i + 1}: %{{y:.3g}}<extra></extra>",
        )  # fmt: skip
        fig.update_yaxes(title=f"z{i + 1}", nticks=3, row=i + 1, col=1)
    if u is not None:
        fig.add_scatter(
            x=time, y=u[part], mode="lines", showlegend=False, row=panels, col=1,
            line={"color": COLOURS["factor"], "width": 1.5, "dash": "dot", "shape": "hv" if labels else "linear"},
            hovertemplate=f"{name}: %{{y:.4g}}<extra></extra>",
        )  # fmt: skip
        fig.update_yaxes(title=name if len(name) < 9 else "u", nticks=3, row=panels, col=1)
        if labels and len(labels) <= 6:
            fig.update_yaxes(tickvals=list(range(len(labels))), ticktext=list(labels), row=panels, col=1)
    fig.update_xaxes(showgrid=False)
    fig.update_xaxes(title="time (s)" if rate_hz else "row", row=panels, col=1)
    note = f"one held-out stretch of {len(time):,} rows"
    return finish(
        fig, title, join(note, f"{d} of {z.shape[1]} latents" if d < z.shape[1] else ""), height=80 * panels + 110
    )


PARTS = {  # how each part of a split is drawn: in a lane of its own, with its colour and its hatch
    "training": (HUES[0], ""),
    "held out": (HUES[9], "x"),
    "gap": (HUES[8], "/"),
}


def split_over_time(
    x: Float[np.ndarray, "bins d"],
    rows: Int[np.ndarray, " edges"],
    stretches: Mapping[str, Sequence[tuple[int, int]]],
    u: Float[np.ndarray, " bins"] | None = None,
    *,
    rate_hz: float | None = None,
    name: str = "u",
    labels: Sequence[str] = (),
    title: str = "",
    note: str = "",
    height: int = 460,
) -> go.Figure:
    """Draw all of a recording over time, with u and the parts of the split beneath: what a model will be trained on.

    Args:
        x: Means of columns of x within each bin of rows, NaN for bins without a value.
        rows: First row of each bin, and the number of rows.
        stretches: By part ("training", "held out", "gap"), its stretches: (first row, row after the last).
        u: Mean of u, or the most frequent code, within each bin.
        rate_hz: Rows per second; None for row numbers.
        name: Name of u.
        labels: Names of the codes of u, if it is labels.
        title: The finding.
        note: The subtitle.
        height: In pixels.
    """
    if not len(x):
        return sentence("No rows to draw.", height=height)
    seconds = 1 / (rate_hz or 1.0)
    time = rows[:-1] * seconds
    low, high = np.nanquantile(x, 0.01, axis=0), np.nanquantile(x, 0.99, axis=0)
    high = np.where(high > low, high, low + 1)
    shares = [0.58, 0.2, 0.22] if u is not None else [0.72, 0.28]
    fig = make_subplots(len(shares), 1, shared_xaxes=True, row_heights=shares, vertical_spacing=0.05)
    fig.add_heatmap(
        z=((x - low) / (high - low)).clip(0, 1).astype(np.float32).T, x=time, y=np.arange(x.shape[1]) + 1,
        colorscale=NUMBERS, showscale=False, zmin=0, zmax=1, row=1, col=1, hovertemplate="%{x:.4g}<extra></extra>",
    )  # fmt: skip
    fig.update_yaxes(title="x", showgrid=False, showticklabels=False, row=1, col=1)
    if u is not None:
        fig.add_scatter(
            x=time, y=u, mode="lines", showlegend=False, row=2, col=1,
            hovertemplate=f"{name}: %{{y:.4g}}<extra></extra>",
            line={"color": COLOURS["factor"], "width": 1.5, "shape": "hv" if labels else "linear"},
        )  # fmt: skip
        fig.update_yaxes(title=name if len(name) < 9 else "u", nticks=3, row=2, col=1)
        if labels:
            fig.update_yaxes(showticklabels=len(labels) <= 6, row=2, col=1)
            fig.update_yaxes(tickvals=list(range(len(labels))), ticktext=list(labels), row=2, col=1)
    last = len(shares)
    _draw_parts(fig, stretches, seconds, row=last)
    fig.update_xaxes(showgrid=False, range=[0, int(rows[-1]) * seconds])
    fig.update_xaxes(title="time (s)" if rate_hz else "row", row=last, col=1)
    return finish(fig, title, join(note, "bright: high for that column"), height=height)


def _draw_parts(
    fig: go.Figure, stretches: Mapping[str, Sequence[tuple[int, int]]], seconds: float, *, row: int
) -> None:
    """Draw the stretches of each part of a split as bars in its lane; a row of the data takes `seconds`."""
    for part, (colour, hatch) in PARTS.items():
        spans = stretches.get(part, ())
        if not spans:
            continue
        fig.add_bar(
            x=[(stop - start) * seconds for start, stop in spans], base=[start * seconds for start, _ in spans],
            y=[part] * len(spans), orientation="h", showlegend=False, row=row, col=1, customdata=spans,
            marker={"color": colour, "line": {"width": 0},
                    "pattern": {"shape": hatch, "fillmode": "overlay", "fgcolor": "white", "size": 5}},
            hovertemplate=f"{part}: rows %{{customdata[0]:,}} to %{{customdata[1]:,}}<extra></extra>",
        )  # fmt: skip
    fig.update_yaxes(categoryorder="array", categoryarray=list(PARTS)[::-1], showgrid=False, row=row, col=1)
    fig.update_layout(barmode="overlay")  # each lane as wide as its place


def _over_time(columns: int, rows: int, rate_hz: float | None) -> str:
    what = f"{columns:,} column{'s' if columns > 1 else ''}"
    return f"{what} over {rows / rate_hz:.3g} s" if rate_hz else f"{what}, row by row"


def tuning_curves(
    x: Real[np.ndarray, "n d_x"],
    along: Real[np.ndarray, " n"],
    *,
    name: str = "u",
    labels: Sequence[str] = (),
    names: Sequence[str] = (),
    limit: int = 12,
    bins: int = 20,
    unit: str = "value",
    period: float | int = 0,
) -> go.Figure:
    """Draw the mean of the columns that follow a variable most, against it, with twice the standard error.

    The curve of an angle is closed: its bins divide the whole circle, and its last point is its first.

    Args:
        x: Data.
        along: Label codes or numbers of the same rows; numbers are cut into bins between their 1 and 99 % quantiles.
        name: Of that variable.
        labels: Names of the codes; () for numbers.
        names: Names of the columns.
        limit: Columns drawn: all in their own order, or, of more, those whose bin means vary most against their
            scatter, strongest first.
        bins: Number of bins for numbers.
        unit: Unit of x.
        period: A full circle in the unit of `along` if that is an angle, otherwise 0.
    """
    n, d = x.shape
    if n < 2 or d < 1:
        return sentence("No rows to average.")
    code, centres = _binned(along, len(labels), bins, period)
    used, mean, error = _bin_means(x, code, len(centres))
    if used.sum() < 2:
        return sentence(f"{name} takes too few values for a curve.")
    strength = mean.std(0) / np.maximum(x.std(0), 1e-12)
    shown = np.arange(d) if d <= limit else np.argsort(-strength, kind="stable")[:limit]
    across = min(len(shown), 4)
    down = -(-len(shown) // across)
    names, at = filled(names, d, "x"), centres[used]
    if period and used.all():  # once around
        at, mean, error = np.r_[at, at[0] + period], np.r_[mean, mean[:1]], np.r_[error, error[:1]]
    fig = make_subplots(
        down, across, horizontal_spacing=0.08, vertical_spacing=min(0.3, 0.3 / max(down - 1, 1)),
        subplot_titles=[names[j] for j in shown],
    )  # fmt: skip
    for k, j in enumerate(shown):
        row, col = k // across + 1, k % across + 1
        fig.add_scatter(
            x=at, y=mean[:, j], error_y={"array": 2 * error[:, j], "width": 0, "thickness": 1.2}, showlegend=False,
            mode="lines+markers", marker={"size": 4}, line={"color": COLOURS["data"], "width": 1.5}, row=row, col=col,
            hovertemplate=f"{names[j]} at %{{x:.3g}}: %{{y:.3g}}<extra></extra>",
        )  # fmt: skip
        fig.update_xaxes(title={"text": name if row == down else "", "standoff": 2}, nticks=4, row=row, col=col)
        fig.update_yaxes(nticks=3, rangemode="tozero", row=row, col=col)
    if period:
        fig.update_xaxes(
            range=[0, period * (1 + 1 / bins)], tickvals=[0, period / 4, period / 2, 3 * period / 4, period]
        )
    if labels:
        every = -(-len(at) // LABELS_A_PANEL)
        ticks = np.flatnonzero(used)[::every].tolist()
        fig.update_xaxes(tickvals=centres[ticks], ticktext=[labels[i] for i in ticks])
    found = f"What {name} does to {'each column' if d <= limit else f'the {len(shown)} columns it moves most'}"
    return finish(fig, found, f"mean {unit} with twice its standard error", height=110 + 150 * down, panels=True)


def _binned(
    along: np.ndarray, labels: int, bins: int, period: float | int
) -> tuple[Int[np.ndarray, " n"], Real[np.ndarray, " bins"]]:
    """Return the bin of each row and the bins' centres; labels are bins already, if there are any."""
    if labels:
        return along.astype(int), np.arange(labels)
    if period:
        code = np.floor(np.asarray(along, float) % period * bins / period).astype(int) % bins
        return code, (np.arange(bins) + 0.5) * period / bins
    low, high = np.quantile(along, [0.01, 0.99])
    edges = np.linspace(low, high if high > low else low + 1, bins + 1)
    return np.digitize(along, edges[1:-1]), (edges[1:] + edges[:-1]) / 2


def _bin_means(
    x: np.ndarray, code: np.ndarray, count: int
) -> tuple[Bool[np.ndarray, " bins"], Float[np.ndarray, "used d_x"], Float[np.ndarray, "used d_x"]]:
    """Return which bins have enough rows, and the mean and standard error of every column in those."""
    rows = np.bincount(code, minlength=count)
    sums, squares = np.zeros((count, x.shape[1])), np.zeros((count, x.shape[1]))
    np.add.at(sums, code, x.astype(float))
    np.add.at(squares, code, np.square(x.astype(float)))
    used = rows >= 5  # fewer rows have no meaningful standard error
    mean = sums[used] / rows[used, None]
    return used, mean, np.sqrt((squares[used] / rows[used, None] - mean**2).clip(0) / rows[used, None])


def variance_spectrum(share: Real[np.ndarray, " k"], *, limit: int = 30, height: int = 300) -> go.Figure:
    """Draw the share of variance of each principal component, and their running sum.

    Args:
        share: Shares of variance, largest first.
        limit: Components drawn.
        height: In pixels.
    """
    if len(share) < 1 or not share.sum() > 0:
        return sentence("Nothing varies.", height=height)
    total = np.cumsum(share)
    needed = int(np.searchsorted(total, 0.9 - 1e-9) + 1)
    at = np.arange(1, min(len(share), limit) + 1)
    fig = go.Figure(
        go.Bar(
            x=at, y=100 * share[:limit], name="each", marker={"color": COLOURS["data"]},
            hovertemplate="component %{x}: %{y:.1f} %<extra></extra>",
        )
    )  # fmt: skip
    fig.add_scatter(
        x=at, y=100 * total[:limit], name="together", mode="lines+markers", marker={"size": 4},
        line={"color": COLOURS["reference"]}, hovertemplate="first %{x}: %{y:.1f} %<extra></extra>",
    )  # fmt: skip
    fig.update_xaxes(title="principal component", nticks=8)
    fig.update_yaxes(title="variance (%)", range=[0, 104], nticks=5)
    many = "one component holds" if needed == 1 else f"{needed} components hold"
    return finish(fig, f"{many.capitalize()} 90 % of the variance", "a linear look: a curved sheet needs more",
                  height=height)  # fmt: skip


def picture_sheet(
    images: Shaped[np.ndarray, "k H W *c"], *, columns: int | None = None, gap: int = 1, side: int = 64
) -> UInt8[np.ndarray, "h w *c"]:
    """Tile pictures into one, row by row, each magnified by a whole number so that single pixels stay sharp.

    Args:
        images: `[k, H, W]` or `[k, H, W, 3]`, uint8, or floats in [0, 1] (values outside are clipped).
        columns: Pictures per line; None for a sheet about twice as wide as high.
        gap: Width of grey pixels between pictures, before magnifying.
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
