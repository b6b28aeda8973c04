"""Arrays and tables in, plotly figures out. No files, no models, no randomness.

One colour, one meaning, on every page (`COLOURS`), and a second cue beside it: a symbol, a dash, a hatch, a word.
Titles state the finding. Backgrounds are transparent and text has no colour of its own, so the app's light and dark
themes both fit. Large inputs are thinned to evenly spaced rows, and the subtitle says so. What there is too little of
becomes a figure with one sentence in it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jaxtyping import Real, Shaped, UInt8
from plotly.colors import sample_colorscale
from plotly.subplots import make_subplots

COLOURS = {
    "data": "#0072B2", "latent": "#E69F00", "factor": "#009E73", "reconstruction": "#CC79A7",
    "bad": "#D55E00", "prior": "#56B4E9", "reference": "#999999",
}  # fmt: skip
HUES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442", "#000000", "#999999", "#6A51A3")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "triangle-down", "pentagon", "hexagram")
NUMBERS = "Cividis"  # perceptually uniform, the same to colour-blind eyes
DIVERGING = "RdBu_r"

DEAD_NATS = 0.01  # a latent whose KL is below this carries nothing
POINTS = 5000  # drawn in one scatter at most
WEBGL_FROM = 4000  # more points than this are drawn by WebGL; a browser allows 8 to 16 such figures at once
LEGEND_ENTRIES = 12  # more labels than this are named on hover only
GRID_FACTORS = 5  # a recovery grid shows at most 5 x 5 panels
_OUTLINE = {"width": 0.5, "color": "rgba(128,128,128,0.5)"}  # keeps yellow visible on white, dark blue on black
WORDS = {"elbo": "ELBO", "recon": "reconstruction", "kl": "KL", "kl_dependence": "KL from dependence"}
_FAINT = "rgba(128,128,128,0.2)"
_CLEAR = "rgba(0,0,0,0)"

Hue = Shaped[np.ndarray, " n"] | None


def hue_colours(hue: Shaped[np.ndarray, " n"]) -> list[str]:
    """Return one colour a row: the categorical list for integer codes (repeating after 10), cividis for numbers."""
    if hue.dtype.kind in "iub":
        return [HUES[c % len(HUES)] for c in hue.tolist()]
    low, span = _span(hue)
    return [str(c) for c in sample_colorscale(NUMBERS, np.nan_to_num((hue - low) / span).clip(0, 1).tolist())]


# --- training ---------------------------------------------------------------------------------------------------------


def training_curves(
    history: pd.DataFrame,
    *,
    metric: str = "elbo",
    failed: Sequence[int] = (),
    steps: int | None = None,
    highlight: int | None = None,
    title: str | None = None,
    height: int = 320,
) -> go.Figure:
    """Draw one thin line a member against the step: held-out solid, train dotted.

    Args:
        history: Columns step, member, seed, beta, split ("train" or "held_out") and the metric, nats per example.
        metric: Column to draw: "elbo", "recon", "kl", "kl_1", ...
        failed: Members to mark with a cross and name; members with values that are not finite are marked too.
        steps: Where the step axis ends; None for the last step so far. Give it while a run is at work.
        highlight: A member to draw thick; None for the best held-out one where the metric is "elbo".
        title: Replaces the title that states the finding.
        height: In pixels.
    """
    members = _members(history, metric, failed)
    if not members:
        return sentence("Nothing is logged yet: the curves begin after the first steps.", height=height)
    good = [m for m in members if m.is_good]
    if highlight is None and metric == "elbo" and len(good) > 1 and not _betas_differ(members):
        highlight = max(good, key=lambda m: m.last).member
    fig = make_subplots(1, 1)
    note = _join("held-out, nats per example", _draw_members(fig, members, metric, highlight, steps, col=1))
    _curve_legend(fig, members, highlight)
    return _finish(fig, title or _training_title(members, metric), note, height=height)


def training_split(
    history: pd.DataFrame,
    *,
    failed: Sequence[int] = (),
    steps: int | None = None,
    highlight: int | None = None,
    title: str | None = None,
    height: int = 320,
) -> go.Figure:
    """Draw reconstruction and KL side by side: what the ELBO is made of (elbo = recon - kl).

    Args:
        history: As `training_curves`; columns recon and kl.
        failed: Members to mark with a cross and name.
        steps: Where the step axes end.
        highlight: A member to draw thick.
        title: Replaces the title that states the finding.
        height: In pixels.
    """
    parts = [_members(history, metric, failed) for metric in ("recon", "kl")]
    if not all(parts):
        return sentence("Nothing is logged yet: the curves begin after the first steps.", height=height)
    fig = make_subplots(1, 2, shared_xaxes=True, horizontal_spacing=0.16)
    notes = [
        _draw_members(fig, members, metric, highlight, steps, col=col)
        for col, (members, metric) in enumerate(zip(parts, ("recon", "kl"), strict=True), 1)
    ]
    _curve_legend(fig, parts[0], highlight)
    good = [(r.last, k.last, k.beta) for r, k in zip(*parts, strict=True) if r.is_good and k.is_good]
    if not good:
        found = "No member has a finite bound"
    elif _betas_differ(parts[0]):
        ends = sorted(good, key=lambda part: part[2])
        found = "KL " + ", ".join(f"{_number(kl)} nats at β = {beta:g}" for _, kl, beta in (ends[0], ends[-1]))
    else:
        recon, kl, _ = np.median(good, axis=0)
        found = f"ELBO = {_number(recon)} (reconstruction) − {_number(kl)} (KL)"
    return _finish(fig, title or found, _join("held-out, nats per example", max(notes, key=len)), height=height)


def kl_bars(
    kl_latent: Real[np.ndarray, "p d_z"],
    *,
    labels: Sequence[str] = (),
    names: Sequence[str] = (),
    title: str | None = None,
    height: int = 300,
) -> go.Figure:
    """Draw the KL of each latent, member by member, largest first; dead latents (< 0.01 nats) grey and hatched.

    Args:
        kl_latent: Mean KL of each latent's posterior against its prior, nats per example.
        labels: Names of the members ("seed 3", "β = 4"); filled "member 1", ...
        names: Names of the latents; filled z1, ...
        title: Replaces the title that states the finding.
        height: In pixels.
    """
    p, d = kl_latent.shape
    if not kl_latent.size:
        return sentence("No latents yet: train for a moment.", height=height)
    names = _names(names, d, "z")
    labels = list(labels) or [f"member {m + 1}" for m in range(p)]
    kl_latent = np.where(np.isfinite(kl_latent), kl_latent, np.nan)
    order = np.argsort(-np.nan_to_num(kl_latent, nan=-1.0), axis=1, kind="stable")
    kl = np.take_along_axis(kl_latent, order, 1)
    at = np.arange(p)[:, None] * (d + 1.0) + np.arange(d)
    dead = ~(kl >= DEAD_NATS)
    top = max(1.2 * float(np.nan_to_num(kl).max()), 0.05)
    tile = 0.07 * top  # dead latents have no height to hatch: a tile under the axis stands for them
    fig = go.Figure()
    for is_dead, name in ((False, "carries information"), (True, f"dead (below {DEAD_NATS:g} nats)")):
        chosen = np.argwhere(dead == is_dead)
        if not len(chosen):
            continue
        who = [names[order[m, k]] for m, k in chosen]
        about = [(w, labels[m], float(kl[m, k])) for w, (m, k) in zip(who, chosen, strict=True)]
        heights = np.full(len(who), tile) if is_dead else kl[dead == is_dead]
        colour, pattern = ("reference", {"shape": "/", "fillmode": "replace"}) if is_dead else ("latent", {})
        fig.add_bar(
            x=at[dead == is_dead], y=heights, base=-tile if is_dead else 0, name=name, width=0.9,
            customdata=about, cliponaxis=False, constraintext="none",
            marker={"color": COLOURS[colour], "line": _OUTLINE, "pattern": pattern},
            text=who if p * d <= 24 and not is_dead else None, textposition="outside", textangle=0,
            hovertemplate="%{customdata[0]}, %{customdata[1]}: %{customdata[2]:.4f} nats<extra></extra>",
        )  # fmt: skip
    if dead.any() and p * d <= 24:
        for m, k in np.argwhere(dead):
            fig.add_annotation(x=at[m, k], y=0, text=names[order[m, k]], showarrow=False, yanchor="bottom")
    fig.add_hline(y=DEAD_NATS, line={"color": COLOURS["bad"], "dash": "dash", "width": 1})
    fig.update_xaxes(
        title="latents of each member, largest KL first", tickvals=at.mean(1), ticktext=labels, showgrid=False,
        range=[-0.8, float(at.max()) + 0.8],
    )  # fmt: skip
    fig.update_yaxes(title="KL (nats/example)", range=[-1.2 * tile if dead.any() else 0, top])
    alive = (~dead).sum(1)
    count = f"{alive.min()}" if alive.min() == alive.max() else f"{alive.min()} to {alive.max()}"
    found = f"The member uses {count} of {d} latents" if p == 1 else f"The {p} members use {count} of {d} latents each"
    return _finish(fig, title or found, height=height)


# --- points -----------------------------------------------------------------------------------------------------------


def latent_scatter(
    mu_z: Real[np.ndarray, "n d_z"],
    hue: Hue = None,
    hue_names: Sequence[str] = (),
    *,
    kl: Real[np.ndarray, " d_z"] | None = None,
    names: Sequence[str] = (),
    title: str | None = None,
    height: int = 380,
) -> go.Figure:
    """Draw posterior means, two latents against each other; with more than two, the two of the largest KL.

    Args:
        mu_z: Posterior means of one member.
        hue: Integer codes or numbers, one a row, or None.
        hue_names: Names of the codes, or the one name of the numbers.
        kl: KL of each latent (nats), which chooses the two; None for the variance of the means.
        names: Names of the latents; filled z1, ...
        title: Replaces the title.
        height: In pixels.
    """
    good = np.isfinite(mu_z).all(1)
    if good.sum() < 2:
        return sentence("No posterior means to show: too few rows, or the member diverged.", height=height)
    d = mu_z.shape[1]
    names = _names(names, d, "z")
    weight = mu_z[good].var(0) if kl is None else np.nan_to_num(kl, nan=-1.0)
    top = np.sort(np.argsort(-weight, kind="stable")[:2])
    chosen = f"the two latents of the largest {'variance' if kl is None else 'KL'}" if d > 2 else ""
    found = title or ("Posterior means of the only latent" if d == 1 else _hue_title("Posterior means", hue, hue_names))
    axis = [f"{names[k]} (posterior mean)" for k in top]
    return _plane(mu_z[:, top], hue, hue_names, axis, found, chosen, COLOURS["latent"], height)


def data_scatter(
    x: Real[np.ndarray, "n d_x"],
    hue: Hue = None,
    hue_names: Sequence[str] = (),
    *,
    names: Sequence[str] = (),
    role: str = "data",
    title: str | None = None,
    height: int = 380,
) -> go.Figure:
    """Draw x: two columns against each other; with more than two, their first two principal components.

    Args:
        x: Data in the model's units.
        hue: Integer codes or numbers, one a row, or None.
        hue_names: Names of the codes, or the one name of the numbers.
        names: Names of the columns; filled x1, ...
        role: What the points are, which is their colour without a hue: "data", "factor", "prior", ...
        title: Replaces the title.
        height: In pixels.
    """
    if len(x) < 2 or not x.shape[1]:
        return sentence("Too few rows to draw: at least two are needed.", height=height)
    points, axis, note = _projected(x, _names(names, x.shape[1], "x"))
    found = title or _hue_title(f"Data x, {x.shape[1]} {'columns' if x.shape[1] > 1 else 'column'}", hue, hue_names)
    return _plane(points, hue, hue_names, axis, found, note, COLOURS[role], height)


def four_panels(
    z_true: Real[np.ndarray, "n d_z"] | None,
    x: Real[np.ndarray, "n d_x"],
    z_ivae: Real[np.ndarray, "n d_ivae"] | None,
    z_vae: Real[np.ndarray, "n d_vae"] | None,
    hue: Hue = None,
    hue_names: Sequence[str] = (),
    *,
    titles: Sequence[str] = (),
    selected: Sequence[int] | None = None,
    title: str | None = None,
    height: int = 400,
    limit: int = 1500,
) -> go.Figure:
    """Draw the talk's figure: true factors, data, and what an iVAE and a VAE make of it, with one hue a value of u.

    Rows are the same in all panels; `customdata` of every point is its row. Latents and factors are standardised, each
    panel is square with one scale, so a rotation looks like one. With more than two dimensions: the first two (align
    latents to the factors first), principal components for x.

    Args:
        z_true: (a) true factors, or None.
        x: (b) data.
        z_ivae: (c) the iVAE's posterior means, aligned, or None.
        z_vae: (d) the VAE's, or None.
        hue: u: integer codes or numbers, one a row, or None.
        hue_names: Names of the codes, or the one name of the numbers.
        titles: Four panel titles, for instance with the MCC of (c) and (d).
        selected: Rows to emphasise; the others fade. None for no selection.
        title: Replaces the title.
        height: In pixels.
        limit: Rows drawn.
    """
    if len(x) < 2:
        return sentence("Too few rows to draw: at least two are needed.", height=height)
    usual = ("(a) factors: p(z|u), true", "(b) data: p(x|u)", "(c) iVAE posterior means", "(d) VAE posterior means")
    rows = _evenly(len(x), limit)
    fig = make_subplots(1, 4, subplot_titles=list(titles) or usual, horizontal_spacing=0.06)
    points_x, axes_x, note = _projected(x, _names((), x.shape[1], "x"))
    panels = ((z_true, "s", "factor"), (points_x, "", "data"), (z_ivae, "z", "latent"), (z_vae, "z", "latent"))
    for col, (values, letter, role) in enumerate(panels, 1):
        if values is None or not np.isfinite(values).any():
            _say(fig, "not available" if values is None else "diverged", row=1, col=col)
            continue
        points = values if role == "data" else _standard(values)
        word = "latent for s" if letter == "z" and z_true is not None else letter
        axis = axes_x if role == "data" else [f"{word}{k + 1} (std)" for k in range(values.shape[1])]
        points, axis = _two(points, axis)
        first = col == (1 if z_true is not None else 2)
        for trace in _dots(points, hue, hue_names, rows, COLOURS[role], legend=first, selected=selected):
            fig.add_trace(trace, 1, col)
        _square(fig, points[rows], axis, row=1, col=col)
    found = title or _panels_title(z_true, {"iVAE": z_ivae, "VAE": z_vae})
    note = _join("factors and latents in units of their std", note, _thinned(len(x), rows))
    return _finish(fig, found, note, height=height, panels=True)


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
    names = _names(names, d, "x")
    shown, across = min(d, limit), min(d, limit, 4)
    down = -(-shown // across)
    fig = make_subplots(down, across, horizontal_spacing=0.08, vertical_spacing=min(0.3, 0.28 / max(down - 1, 1)))
    for k in range(shown):
        row, col = k // across + 1, k % across + 1
        column = x[np.isfinite(x[:, k]), k].astype(float)
        low, span = _span(column)
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
    return _finish(fig, f"{found} over {n:,} rows", note, height=height or 90 + 150 * down)


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
    names = _names(names, d, "x")
    fig = go.Figure(
        go.Heatmap(
            z=part.T, x=np.arange(len(part)) / (rate_hz or 1.0), y=names if d <= 30 else None, colorscale=NUMBERS,
            colorbar={"title": unit, "thickness": 12}, hovertemplate="%{x:.4g}, %{y}: %{z:.3g}<extra></extra>",
        )
    )  # fmt: skip
    fig.update_xaxes(title="time (s)" if rate_hz else "row", showgrid=False)
    fig.update_yaxes(title="column of x", showgrid=False)
    found = title or f"{d} columns over {len(part) / rate_hz:.3g} s" if rate_hz else title or f"{d} columns, row by row"
    return _finish(fig, found, f"the first {len(part):,} of {n:,} rows" if len(part) < n else "", height=height)


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


# --- recovery ---------------------------------------------------------------------------------------------------------


def recovery_scatter(
    z_true: Real[np.ndarray, "n d_z"],
    z_hat: Real[np.ndarray, "n d_hat"],
    matching: Sequence[int],
    signs: Sequence[int],
    hue: Hue = None,
    hue_names: Sequence[str] = (),
    *,
    matrix: Real[np.ndarray, "d_z d_hat"] | None = None,
    curves: Sequence[Sequence[Any] | None] = (),
    names: Sequence[str] = (),
    method: str = "Pearson",
    title: str | None = None,
    height: int | None = None,
) -> go.Figure:
    """Draw factors (across) against latents (up), in matched order: what was recovered lies on the framed diagonal.

    Args:
        z_true: True factors.
        z_hat: Latents, same rows, as the model has them.
        matching: For each factor its latent, -1 for none (`Score.matching`).
        signs: For each factor +1 or -1 (`Score.signs`); latents are drawn times their sign.
        hue: Integer codes or numbers, one a row, or None.
        hue_names: Names of the codes, or the one name of the numbers.
        matrix: Signed correlations to print; None computes Pearson's on all rows.
        curves: For each factor None or a fitted curve (latent times its sign, factor), as
            `monotone_fit(sign * z_hat_k, z_true_i)` returns.
        names: Names of the factors; filled s1, ...
        method: Name of the correlation printed.
        title: Replaces the title that states the finding.
        height: In pixels; None for 190 a row of panels.
    """
    n, d = z_true.shape
    if n < 3:
        return sentence("Too few rows to compare factors and latents: at least three are needed.")
    if not np.isfinite(z_hat).all():
        return sentence("This member diverged: it has no latents to compare with the factors.")
    names = _names(names, d, "s")
    matrix = _pearson(z_true, z_hat) if matrix is None else matrix
    shown = min(d, GRID_FACTORS)
    rows = _evenly(n, max(200, min(2000, 12_000 // shown**2)))
    fig = make_subplots(
        shown, shown, horizontal_spacing=0.04, vertical_spacing=0.03, shared_xaxes=True, shared_yaxes=True
    )
    for line, column in np.ndindex(shown, shown):
        k = matching[line]
        here = {"row": line + 1, "col": column + 1}
        if k < 0:
            _say(fig, "no latent left", **here)
            continue
        on_diagonal = line == column
        points = np.column_stack([z_true[:, column], z_hat[:, k] * (signs[line] or 1)])
        faded = 0.8 if on_diagonal else 0.25
        dots = _dots(points, hue, hue_names, rows, COLOURS["factor"], size=4, opacity=faded, legend=line + column == 0)
        for trace in dots:
            fig.add_trace(trace, **here)
        curve = curves[column] if on_diagonal and column < len(curves) else None
        if curve is not None:
            fig.add_trace(_curve(curve, legend=column == 0), **here)
        _print_correlation(fig, float(matrix[column, k] * (signs[line] or 1)), bold=on_diagonal, **here)
    _frame_grid(fig, z_true, z_hat, matching, signs, names, shown)
    taken = [abs(float(matrix[i, k])) if k >= 0 else 0.0 for i, k in enumerate(matching)]
    each = ", ".join(f"{name} {value:.2f}" for name, value in zip(names, taken, strict=True))
    found = f"MCC {np.mean(taken):.2f}: " + (
        each if d <= GRID_FACTORS else f"from {min(taken):.2f} to {max(taken):.2f}"
    )
    more = f"the first {shown} of {d} factors" if shown < d else ""
    note = _join(f"{method} correlations", more, _thinned(n, rows))
    return _finish(fig, title or found, note, height=height or 110 + 190 * shown)


def correlation_matrices(
    matrix: Real[np.ndarray, "d_z d_hat"],
    matching: Sequence[int],
    signs: Sequence[int],
    *,
    names: Sequence[str] = (),
    title: str | None = None,
    height: int | None = None,
) -> go.Figure:
    """Draw the signed correlations as they come, and with latents in the factors' order and sign.

    Args:
        matrix: Signed correlations (`Score.matrix`).
        matching: For each factor its latent, -1 for none.
        signs: For each factor +1 or -1.
        names: Names of the factors; filled s1, ...
        title: Replaces the title that states the finding.
        height: In pixels.
    """
    d, d_hat = matrix.shape
    if not matrix.size:
        return sentence("No correlations to show.")
    names = _names(names, d, "s")
    sign = {k: s or 1 for k, s in zip(matching, signs, strict=True) if k >= 0}
    order = [*sign, *(k for k in range(d_hat) if k not in sign)]
    after = matrix[:, order] * [sign.get(k, 1) for k in order]
    latents = [f"z{k + 1}" for k in range(d_hat)]
    matched = [f"{'−' if sign.get(k, 1) < 0 else ''}{latents[k]}" for k in order]
    fig = make_subplots(1, 2, subplot_titles=["before matching", "after matching"], horizontal_spacing=0.16)
    for col, (values, across) in enumerate(((matrix, latents), (after, matched)), 1):
        fig.add_heatmap(
            z=values, x=across, y=names, coloraxis="coloraxis", texttemplate="%{z:.2f}" if d_hat <= 12 else None,
            hovertemplate="%{y}, %{x}: %{z:.3f}<extra></extra>", xgap=2, ygap=2, row=1, col=col,
        )  # fmt: skip
        fig.update_xaxes(title="latent", showgrid=False, row=1, col=col)
        fig.update_yaxes(title="factor" if col == 1 else None, autorange="reversed", showgrid=False, row=1, col=col)
    bar = {"title": {"text": "correlation", "side": "right"}, "thickness": 12, "tickvals": [-1, -0.5, 0, 0.5, 1]}
    fig.update_layout(coloraxis={"colorscale": DIVERGING, "cmin": -1, "cmax": 1, "colorbar": bar})
    taken = [abs(float(matrix[i, k])) if k >= 0 else 0.0 for i, k in enumerate(matching)]
    found = f"MCC {np.mean(taken):.2f}: matched correlations {min(taken):.2f} to {max(taken):.2f}"
    return _finish(fig, title or found, height=height or int(np.clip(170 + 36 * d, 270, 700)), panels=True)


def mcc_lines(
    scores: Mapping[str, Sequence[float | None]],
    references: Mapping[str, float | None],
    *,
    measure: str = "MCC",
    title: str | None = None,
    height: int | None = None,
) -> go.Figure:
    """Draw each seed's score as a dot, the mean as a bar, and what no model is needed for as dashed lines.

    Args:
        scores: For each model (or model and measure) the scores of its seeds; None or NaN for a failed one.
        references: For each reference its score; None where it does not apply.
        measure: Name of the score on the axis.
        title: Replaces the title that states the finding.
        height: In pixels.
    """
    lines = {name: float(v) for name, v in references.items() if v is not None and np.isfinite(v)}
    seeds = {name: [float(v) for v in values if v is not None and np.isfinite(v)] for name, values in scores.items()}
    if not lines and not any(seeds.values()):
        return sentence("No scores yet: they are computed when training ends.")
    rows = [*lines, *reversed(seeds)]  # from the bottom up
    fig = go.Figure()
    for y, (name, value) in enumerate(lines.items()):
        fig.add_shape(
            type="line",
            x0=value,
            x1=value,
            y0=y,
            y1=len(rows) - 0.5,
            line={"color": COLOURS["reference"], "dash": "dash", "width": 1},
        )
        fig.add_scatter(
            x=[value], y=[y], mode="markers+text", text=[f" {value:.2f}"], textposition="middle right",
            marker={"symbol": "diamond", "size": 9, "color": COLOURS["reference"]}, showlegend=False, cliponaxis=False,
            hovertemplate=f"{name}: %{{x:.3f}}<extra></extra>",
        )  # fmt: skip
    for name, values in seeds.items():
        y = rows.index(name, len(lines))
        if not values:
            fig.add_annotation(x=0.02, y=y, text="no finite score", showarrow=False, xanchor="left")
            continue
        spread = 0.12 * (np.arange(len(values)) % 5 - 2) if len(values) > 1 else np.zeros(1)  # apart, not at random
        fig.add_scatter(
            x=values, y=y + spread, mode="markers",
            marker={"size": 8, "color": COLOURS["latent"], "line": _OUTLINE, "opacity": 0.8},
            showlegend=False, cliponaxis=False, hovertemplate=f"{name}: %{{x:.3f}}<extra></extra>",
        )  # fmt: skip
        mean, std = np.mean(values), np.std(values)
        fig.add_scatter(
            x=[mean, mean], y=[y - 0.35, y + 0.35], mode="lines", line={"color": COLOURS["latent"], "width": 4},
            showlegend=False, hovertemplate=f"{name}: mean %{{x:.3f}}<extra></extra>",
        )  # fmt: skip
        text = f"{mean:.2f} ± {std:.2f}"
        fig.add_annotation(x=1.02, xref="paper", y=y, text=text, showarrow=False, xanchor="left")
    lost = {name: len(scores[name]) - len(values) for name, values in seeds.items()}
    labels = [f"{name} ({lost[name]} failed)" if lost.get(name) else name for name in rows]
    fig.update_xaxes(title=f"{measure} (1 = factors found)", range=[0, 1.01], dtick=0.2)
    fig.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=labels, range=[-0.6, len(rows) - 0.4], showgrid=False, title=""
    )
    note = "dot: a seed, bar: mean ± standard deviation, diamond: what needs no model"
    return _finish(
        fig, title or _mcc_title(seeds, lines, measure), note, height=height or 110 + 34 * len(rows), right=120
    )


def rotation_curve(
    angle_deg: Real[np.ndarray, " t"],
    curves: Mapping[str, tuple[Shaped[np.ndarray, " t"], Shaped[np.ndarray, " t"] | None]],
    *,
    at: float | None = None,
    mcc: Real[np.ndarray, " t"] | None = None,
    title: str | None = None,
    height: int = 340,
) -> go.Figure:
    """Draw what changes, and what does not, as the latents turn: nats relative to angle 0, and MCC beside it.

    Args:
        angle_deg: Angles in degrees, ascending.
        curves: By name (mean, standard error or None), nats per example; the band is +- 2 standard errors.
        at: Where the dial stands, degrees.
        mcc: MCC at each angle where the truth is known; it gets a panel of its own.
        title: Replaces the title that states the finding.
        height: In pixels.
    """
    if not len(angle_deg) or not curves:
        return sentence("The curve against the angle is not computed yet.", height=height)
    if not all(np.isfinite(mean).all() for mean, _ in curves.values()):
        return sentence("This member diverged: its curve has values that are not finite.", height=height)
    panels = 1 if mcc is None else 2
    fig = make_subplots(1, panels, horizontal_spacing=0.16, column_widths=[0.6, 0.4][:panels])
    reach, flat, bent = 0.5, {}, {}
    for i, (name, (mean, error)) in enumerate(curves.items()):
        change = np.asarray(mean, float) - mean[0]
        band = np.zeros(len(change)) if error is None else 2 * np.asarray(error, float)
        colour, dash = HUES[i % len(HUES)], ("solid", "dash", "dot", "dashdot")[i % 4]
        both = np.concatenate([change + band, (change - band)[::-1]])
        there_and_back = np.concatenate([angle_deg, angle_deg[::-1]])
        if error is not None:
            fig.add_scatter(
                x=there_and_back, y=both, fill="toself", fillcolor=_rgba(colour, 0.2), line={"width": 0}, mode="lines",
                hoverinfo="skip", showlegend=False, row=1, col=1,
            )  # fmt: skip
        fig.add_scatter(
            x=angle_deg, y=change, mode="lines+markers", line={"color": colour, "dash": dash}, name=name, row=1, col=1,
            marker={"symbol": SYMBOLS[i % 10], "size": 6},
            hovertemplate=f"{name} at %{{x}}°: %{{y:+.4f}} nats<extra></extra>",
        )  # fmt: skip
        reach = max(reach, float(np.nanmax(np.abs(both))))
        # Two estimates differ by 3 standard errors of their difference once in 370; 0.02 nats nobody can see.
        is_flat = (np.abs(change) <= np.maximum(0.02, 1.5 * np.hypot(band, band[0]))).all()
        (flat if is_flat else bent)[name] = float(np.abs(change).max())
    fig.update_yaxes(title="change from 0° (nats)", range=[-1.1 * reach, 1.1 * reach], row=1, col=1)
    if mcc is not None:
        fig.add_scatter(
            x=angle_deg, y=mcc, mode="lines+markers", name="MCC", showlegend=False,
            line={"color": COLOURS["factor"]}, marker={"symbol": "diamond", "size": 6},
            hovertemplate="MCC at %{x}°: %{y:.3f}<extra></extra>", row=1, col=2,
        )  # fmt: skip
        fig.update_yaxes(title="MCC", range=[0, 1.02], row=1, col=2)
    ends = [float(angle_deg[0]), float(angle_deg[-1])]
    fig.update_xaxes(title="angle (degrees)", range=ends, dtick=15 if ends[1] - ends[0] <= 90 else 45)
    if at is not None:
        fig.add_vline(x=at, line={"color": COLOURS["bad"], "dash": "dot", "width": 2})
    note = "" if all(error is None for _, error in curves.values()) else "band: ± 2 standard errors (Monte Carlo)"
    if mcc is not None and np.isfinite(mcc).any():
        low = int(np.nanargmin(mcc))
        note = _join(f"MCC {mcc[0]:.2f} at {angle_deg[0]:g}°, {mcc[low]:.2f} at {angle_deg[low]:g}°", note)
    return _finish(fig, title or _rotation_title(flat, bent), note, height=height)


def sentence(text: str, *, height: int = 220) -> go.Figure:
    """Return a figure that is one sentence: what a page shows while there is nothing to draw."""
    fig = go.Figure()
    fig.add_annotation(text=text, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False)
    fig.update_xaxes(visible=False, range=[0, 1])
    fig.update_yaxes(visible=False, range=[0, 1])
    return _finish(fig, "", height=height)


# --- parts ------------------------------------------------------------------------------------------------------------


def _finish(
    fig: go.Figure, title: str, subtitle: str = "", *, height: int, panels: bool = False, right: int = 16
) -> go.Figure:
    """Set what all figures share. Font sizes and text colours stay the theme's."""
    top = (48 if title else 16) + (26 if subtitle else 0) + (24 if panels else 0)
    sizing = "constant" if any(getattr(trace, "mode", None) == "markers" for trace in fig.data) else "trace"
    below = -70 / max(height - top - 110, 60)  # 70 pixels: clear of ticks and axis title at the projector's font size
    at = {"x": 0, "xanchor": "left", "y": 1, "yanchor": "top", "pad": {"t": 12}}
    fig.update_layout(
        title={"text": title, "subtitle": {"text": subtitle}, **at},
        height=height, margin={"l": 8, "r": right, "t": top, "b": 8}, paper_bgcolor=_CLEAR, plot_bgcolor=_CLEAR,
        legend={"orientation": "h", "y": below, "yanchor": "top", "x": 0, "itemsizing": sizing, "bgcolor": _CLEAR},
        dragmode=False, uirevision="keep", hovermode="closest", bargap=0.1,
    )  # fmt: skip
    fig.for_each_annotation(lambda note: note.update(font=None))  # make_subplots sizes panel titles
    fig.update_xaxes(automargin=True, gridcolor=_FAINT, zeroline=False)
    fig.update_yaxes(automargin=True, gridcolor=_FAINT, zeroline=False)
    return fig


def _names(names: Sequence[str], count: int, letter: str) -> list[str]:
    return list(names) if len(names) == count else [f"{letter}{k + 1}" for k in range(count)]


def _number(value: float) -> str:
    text = f"{value:,.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return "0.00" if text == "-0.00" else text.replace("-", "−")


def _join(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def _rgba(colour: str, alpha: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"


def _span(values: np.ndarray) -> tuple[float, float]:
    """Return the smallest value and the range (1 where there is none), of finite values only."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    return (low, high - low) if high > low else (low - 0.5, 1.0)


def _evenly(n: int, limit: int) -> np.ndarray:
    """Return at most `limit` evenly spaced row numbers out of n."""
    return np.unique(np.linspace(0, n - 1, min(n, limit)).astype(int))


def _thinned(n: int, rows: np.ndarray) -> str:
    return f"{len(rows):,} of {n:,} rows, evenly spaced" if len(rows) < n else ""


def _standard(values: np.ndarray) -> np.ndarray:
    values = values.astype(float)
    known = np.isfinite(values).any(0)  # a factor without a latent is a column of NaN, and stays one
    std, mean = np.ones(values.shape[1]), np.zeros(values.shape[1])
    std[known], mean[known] = np.nanstd(values[:, known], 0), np.nanmean(values[:, known], 0)
    return (values - mean) / np.where(std > 0, std, 1.0)


def _pearson(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.clip(_standard(a).T @ _standard(b) / len(a), -1, 1)


def _two(points: np.ndarray, axis: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Return two columns: the first two, or the only one against the row number."""
    if points.shape[1] >= 2:
        return points[:, :2], list(axis[:2])
    return np.column_stack([np.arange(len(points)), points[:, 0]]), ["row", axis[0]]


def _projected(x: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, list[str], str]:
    """Return at most two columns to draw with their axis titles, by principal components where x has more."""
    if x.shape[1] <= 2:
        return x, list(names), ""
    centred = (x - x.mean(0, dtype=float)).astype(float)
    some = centred[_evenly(len(x), 2000)]  # enough for two directions, and pictures stay cheap
    _, singular, axes = np.linalg.svd(some, full_matrices=False)
    share = 100 * singular**2 / max((singular**2).sum(), np.finfo(float).tiny)
    flip = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])[:2]  # a sign of our own: the SVD's is arbitrary
    titles = [f"PC {k + 1} ({s:.0f} % of variance)" for k, s in enumerate(share[:2])]
    return (centred @ axes[:2].T) * flip, titles, f"first two principal components of {x.shape[1]} columns"


def _dots(
    points: np.ndarray,
    hue: Hue,
    hue_names: Sequence[str],
    rows: np.ndarray,
    colour: str,
    *,
    size: int = 5,
    opacity: float = 0.7,
    legend: bool = True,
    selected: Sequence[int] | None = None,
) -> list[go.Scatter | go.Scattergl]:
    """Return the traces of a scatter: one a label with its own symbol, or one coloured by number, or one plain."""
    kind = go.Scattergl if len(rows) > WEBGL_FROM else go.Scatter
    points = points.astype(np.float32)  # half the bytes on the wire; a screen needs less still
    marker: dict[str, Any] = {"size": size, "opacity": opacity, "line": _OUTLINE}
    groups: list[tuple[np.ndarray, str, dict[str, Any]]] = []
    if hue is None:
        groups.append((rows, "", marker | {"color": colour}))
    elif hue.dtype.kind in "iub":
        for code in np.unique(hue).tolist():
            look = {"color": HUES[code % 10], "symbol": SYMBOLS[(code + code // 10) % 10]}
            name = str(hue_names[code]) if 0 <= code < len(hue_names) else str(code)
            groups.append((rows[hue[rows] == code], name, marker | look))
    else:
        low, span = _span(hue)
        bar = {"title": hue_names[0] if hue_names else "u", "thickness": 12}
        scale = {"colorscale": NUMBERS, "cmin": low, "cmax": low + span, "showscale": legend, "colorbar": bar}
        groups.append((rows, "", marker | {"color": hue[rows]} | scale))
    listed = legend and 1 < len(groups) <= LEGEND_ENTRIES
    chosen = None if selected is None else set(selected)
    return [
        kind(
            x=points[r, 0], y=points[r, 1], mode="markers", marker=look, customdata=r, name=name, legendgroup=name,
            showlegend=listed, hovertemplate=(f"{name}<br>" if name else "") + "%{x:.3g}, %{y:.3g}<extra></extra>",
            selectedpoints=None if chosen is None else [i for i, row in enumerate(r.tolist()) if row in chosen],
            unselected={"marker": {"opacity": 0.08}},
        )
        for r, name, look in groups
    ]  # fmt: skip


def _plane(
    points: np.ndarray,
    hue: Hue,
    hue_names: Sequence[str],
    axis: Sequence[str],
    title: str,
    note: str,
    colour: str,
    height: int,
) -> go.Figure:
    rows = _evenly(len(points), POINTS)
    points, axis = _two(points, axis)
    fig = make_subplots(1, 1)
    for trace in _dots(points, hue, hue_names, rows, colour):
        fig.add_trace(trace)
    _square(fig, points[rows], axis, row=1, col=1, equal="row" not in axis)
    return _finish(fig, title, _join(note, _thinned(len(points), rows)), height=height)


def _square(fig: go.Figure, points: np.ndarray, axis: Sequence[str], *, row: int, col: int, equal: bool = True) -> None:
    """Title both axes and fix their ranges; `equal` gives them one scale, so that a rotation looks like one."""
    spans = [_span(points[:, k]) for k in (0, 1)]
    half = [0.54 * span for _, span in spans]
    if equal:
        half = [max(half)] * 2
    middle = [low + span / 2 for low, span in spans]
    ranges = [[m - h, m + h] for m, h in zip(middle, half, strict=True)]
    fig.update_xaxes(title=axis[0], range=ranges[0], constrain="domain", row=row, col=col)
    anchor = next(fig.select_xaxes(row=row, col=col)).plotly_name.replace("axis", "")
    same = {"scaleanchor": anchor, "scaleratio": 1, "constrain": "domain", "constraintoward": "top"} if equal else {}
    fig.update_yaxes(title={"text": axis[1], "standoff": 4}, range=ranges[1], row=row, col=col, **same)


def _say(fig: go.Figure, text: str, *, row: int, col: int) -> None:
    """Write a word in the middle of an empty panel."""
    fig.add_scatter(x=[None], y=[None], mode="markers", showlegend=False, row=row, col=col)  # or there are no axes
    fig.add_annotation(text=text, x=0.5, y=0.5, xref="x domain", yref="y domain", showarrow=False, row=row, col=col)
    for update in (fig.update_xaxes, fig.update_yaxes):
        update(title=" ", showticklabels=False, showgrid=False, row=row, col=col)


def _panels_title(z_true: np.ndarray | None, latents: Mapping[str, np.ndarray | None]) -> str:
    known = {name: z for name, z in latents.items() if z is not None and np.isfinite(z).any()}
    if z_true is None or not known:
        return "The same rows and hues, in the data and in the latents"
    found = []
    for name, z in known.items():
        own = np.diag(_pearson(z_true, np.nan_to_num(z)))  # aligned latents: column i belongs to factor i
        found.append(f"{name} {np.abs(own).sum() / z_true.shape[1]:.2f}")
    return f"Mean correlation with the factors: {', '.join(found)}"


def _hue_title(what: str, hue: Hue, hue_names: Sequence[str]) -> str:
    if hue is None:
        return what
    if hue.dtype.kind in "iub":
        return f"{what}, coloured by {len(np.unique(hue))} values of u"
    return f"{what}, coloured by {hue_names[0] if hue_names else 'u'}"


# --- parts of the training figures ------------------------------------------------------------------------------------


class _Member(NamedTuple):
    """One member's curves of one metric: steps and values, finite ones only."""

    member: int
    seed: int
    beta: float
    held_out: tuple[np.ndarray, np.ndarray]
    train: tuple[np.ndarray, np.ndarray]
    failed: bool

    @property
    def last(self) -> float:
        """The last finite held-out value."""
        return float(self.held_out[1][-1])

    @property
    def is_good(self) -> bool:
        """Whether the member has a number to report."""
        return not self.failed and len(self.held_out[1]) > 0


def _members(history: pd.DataFrame, metric: str, failed: Sequence[int]) -> list[_Member]:
    if not len(history) or metric not in history:
        return []
    names = ("member", "seed", "beta", "step", metric)
    member, seed, beta, step, value = (np.asarray(history[name], float) for name in names)
    held_out, finite = np.asarray(history["split"] == "held_out"), np.isfinite(value)
    order, found = np.argsort(step, kind="stable"), []
    for m in np.unique(member):
        mine = order[member[order] == m]
        test, train = (mine[finite[mine] & (held_out[mine] == side)] for side in (True, False))
        found.append(
            _Member(
                member=int(m),
                seed=int(seed[mine[0]]),
                beta=float(beta[mine[0]]),
                held_out=(step[test], value[test]),
                train=(step[train], value[train]),
                failed=bool(not finite[mine].all() or int(m) in failed),
            )
        )
    return found


def _betas_differ(members: Sequence[_Member]) -> bool:
    return len({m.beta for m in members}) > 1


def _member_name(member: _Member, members: Sequence[_Member]) -> str:
    return f"β = {member.beta:g}, seed {member.seed}" if _betas_differ(members) else f"seed {member.seed}"


def _member_colours(members: Sequence[_Member]) -> dict[float, str]:
    return {beta: HUES[i % len(HUES)] for i, beta in enumerate(sorted({m.beta for m in members}))}


def _word(metric: str) -> str:
    return WORDS.get(metric, f"KL of z{metric.removeprefix('kl_')}")


def _draw_members(
    fig: go.Figure,
    members: Sequence[_Member],
    metric: str,
    highlight: int | None,
    steps: int | None,
    *,
    col: int,
) -> str:
    """Draw all members' curves into one panel with its axes; return a note if the start runs off the axis."""
    end = max([steps or 1, *(float(curve[0][-1]) for m in members for curve in (m.held_out, m.train) if len(curve[0]))])
    colours = _member_colours(members)
    for m in members:
        name = _member_name(m, members)
        colour = COLOURS["bad"] if m.failed else colours[m.beta]
        for (step, value), split, dash in ((m.train, "train", "dot"), (m.held_out, "held-out", "solid")):
            thick = split == "held-out" and m.member == highlight
            fig.add_scatter(
                x=step, y=value, mode="lines", showlegend=False, opacity=1.0 if split == "held-out" else 0.6,
                line={"color": colour, "width": 3 if thick else 1.2, "dash": dash}, row=1, col=col,
                hovertemplate=f"{name}, {split}<br>step %{{x}}: %{{y:.4g}}<extra></extra>",
            )  # fmt: skip
        if m.failed and len(m.held_out[0]):
            at = float(m.held_out[0][-1])
            fig.add_scatter(
                x=[at], y=[m.last], mode="markers+text", showlegend=False, cliponaxis=False, row=1, col=col,
                marker={"symbol": "x", "size": 11, "color": COLOURS["bad"]}, text=[f" {name} failed "],
                textposition="top left" if at > 0.6 * end else "top right",
                hovertemplate=f"{name} failed after step {at:.0f}<extra></extra>",
            )  # fmt: skip
    curves = [curve for m in members for curve in (m.held_out, m.train)]
    step, value = (np.concatenate([curve[k] for curve in curves]) for k in (0, 1))
    low, high = _settled_range(step, value)
    fig.update_xaxes(title="step", range=[0, end * 1.01], row=1, col=col)
    fig.update_yaxes(title=f"{_word(metric)} (nats)", range=[low, high], row=1, col=col)
    runs_off = bool(((value < low) | (value > high)).any())
    return "the start runs off the axis" if runs_off else ""


def _settled_range(step: np.ndarray, value: np.ndarray) -> tuple[float, float]:
    """Return a range for everything after the first tenth of the steps, so that the start does not flatten it."""
    if not len(value):
        return 0.0, 1.0
    later = value[step >= 0.1 * step.max()]
    low, high = np.quantile(later, [0.005, 0.995]) if len(later) > 20 else (later.min(), later.max())
    pad = 0.08 * (high - low) or 0.5
    return float(low - pad), float(high + pad)


def _curve_legend(fig: go.Figure, members: Sequence[_Member], highlight: int | None) -> None:
    differ, colours = _betas_differ(members), _member_colours(members)
    entries = [(f"β = {beta:g}", colour, "solid", 1.5) for beta, colour in colours.items()] if differ else []
    plain = COLOURS["reference"] if differ else HUES[0]
    entries.append(("held-out", plain, "solid", 1.5))
    entries += [("train", plain, "dot", 1.5)] if any(len(m.train[0]) for m in members) else []
    entries += [
        (f"thick: {_member_name(m, members)}", colours[m.beta], "solid", 4)
        for m in members
        if m.member == highlight and len(members) > 1
    ]
    for name, colour, dash, width in entries:
        line = {"color": colour, "dash": dash, "width": width}
        fig.add_scatter(x=[None], y=[None], mode="lines", line=line, name=name, row=1, col=1)


def _training_title(members: Sequence[_Member], metric: str) -> str:
    good = [m for m in members if m.is_good]
    lost = [_member_name(m, members) for m in members if not m.is_good]
    failures = f"; {' and '.join(lost) if len(lost) <= 2 else f'{len(lost)} members'} failed" if lost else ""
    if not good:
        return f"{_word(metric)}: no member has a finite value"
    values = [m.last for m in good]
    what = _word(metric)[0].upper() + _word(metric)[1:]
    if len(good) == 1:
        return f"{what} {_number(values[0])}{failures}"
    if _betas_differ(good):
        return f"{what} {_number(min(values))} to {_number(max(values))} over {len(good)} members{failures}"
    mean, std = _number(float(np.mean(values))), _number(float(np.std(values)))
    return f"{what} {mean} ± {std} over {len(good)} seeds{failures}"


# --- parts of the recovery figures ------------------------------------------------------------------------------------


def _curve(curve: Sequence[Any], *, legend: bool) -> go.Scatter:
    corners = _evenly(len(curve[0]), 300)
    return go.Scatter(
        x=np.asarray(curve[1])[corners], y=np.asarray(curve[0])[corners], mode="lines",
        line={"color": COLOURS["bad"], "width": 2},
        name="monotone fit", showlegend=legend, hoverinfo="skip",
    )  # fmt: skip


def _print_correlation(fig: go.Figure, value: float, *, bold: bool, row: int, col: int) -> None:
    text = f"<b>r = {_number(value)}</b>" if bold else _number(value)
    fig.add_annotation(
        text=text, x=0.03, y=0.98, xref="x domain", yref="y domain", xanchor="left", yanchor="top", showarrow=False,
        row=row, col=col,
    )  # fmt: skip


def _frame_grid(
    fig: go.Figure,
    z_true: np.ndarray,
    z_hat: np.ndarray,
    matching: Sequence[int],
    signs: Sequence[int],
    names: Sequence[str],
    shown: int,
) -> None:
    """Frame every panel, the diagonal thickly; title the outer axes; fix the ranges."""
    for i in range(shown):
        k = matching[i]
        low, span = _span(z_true[:, i])
        fig.update_xaxes(range=[low - 0.05 * span, low + 1.05 * span], col=i + 1)
        fig.update_xaxes(title=f"factor {names[i]}", row=shown, col=i + 1)
        if k >= 0:
            low, span = _span(z_hat[:, k] * (signs[i] or 1))
            fig.update_yaxes(range=[low - 0.05 * span, low + 1.05 * span], row=i + 1)
        label = f"latent {'−' if signs[i] < 0 else ''}z{k + 1}" if k >= 0 else "no latent"
        fig.update_yaxes(title=label, row=i + 1, col=1)
    for line, column in np.ndindex(shown, shown):
        thick = line == column
        frame = {
            "showline": True, "mirror": True, "linewidth": 3 if thick else 1,
            "linecolor": COLOURS["factor"] if thick else _FAINT,
        }  # fmt: skip
        fig.update_xaxes(**frame, row=line + 1, col=column + 1)
        fig.update_yaxes(**frame, row=line + 1, col=column + 1)


def _mcc_title(seeds: Mapping[str, list[float]], lines: Mapping[str, float], measure: str) -> str:
    means = {name: float(np.mean(values)) for name, values in seeds.items() if values}
    if not means:
        return f"No finite {measure} yet"
    best = max(means, key=means.__getitem__)
    floor = max(lines, key=lines.__getitem__, default=None)
    if floor is None:
        return f"{best} reaches {measure} {means[best]:.2f}"
    verb = "beats" if min(seeds[best]) > lines[floor] else ("tops" if means[best] > lines[floor] else "does not beat")
    what = f"{best} ({means[best]:.2f}) {verb} every reference" if verb != "does not beat" else ""
    return what or f"{best} ({means[best]:.2f}) does not beat {floor} ({lines[floor]:.2f})"


def _rotation_title(flat: Mapping[str, float], bent: Mapping[str, float]) -> str:
    words = []
    if flat:
        words.append(f"turning leaves {' and '.join(flat)} unchanged (to {max(flat.values()):.1g} nats)")
    if bent:
        each = (f"{name} by {_number(change)} nats" for name, change in bent.items())
        words.append(f"turning changes {' and '.join(each)}")
    return "T" + "; ".join(words)[1:]
