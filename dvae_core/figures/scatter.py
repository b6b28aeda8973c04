"""Points, one per example, with one hue per value of u: data, factors and latents, alone or side by side."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Real
from plotly.subplots import make_subplots

from dvae_core.axes import evenly
from dvae_core.figures.style import (
    COLOURS,
    FULL_LINE,
    HUES,
    NUMBERS,
    OUTLINE,
    SYMBOLS,
    Hue,
    filled,
    finish,
    join,
    name_hues,
    number,
    pearson,
    sentence,
    span_of,
    standard,
    thinned,
)

POINTS = 5000  # drawn at most in one scatter
WEBGL_FROM = 4000  # with more points than this, WebGL draws them; a browser allows 8 to 16 such figures at once
LEGEND_ENTRIES = 12  # with more labels than this, names appear on hover only
SEEDS_A_LINE = 4


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
        hue: Integer codes or numbers, one per row, or None.
        hue_names: Names of the codes, or the one name of the numbers.
        kl: KL of each latent (nats), which selects the two; None to use the variance of the means.
        names: Names of the latents; z1, ... by default.
        title: Replaces the title.
        height: In pixels.
    """
    good = np.isfinite(mu_z).all(1)
    if good.sum() < 2:
        return sentence("No posterior means to show: too few rows, or the member diverged.", height=height)
    d = mu_z.shape[1]
    names = filled(names, d, "z")
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
        hue: Integer codes or numbers, one per row, or None.
        hue_names: Names of the codes, or the one name of the numbers.
        names: Names of the columns; x1, ... by default.
        role: What the points are; it sets their colour if there is no hue: "data", "factor", "prior", ...
        title: Replaces the title.
        height: In pixels.
    """
    if len(x) < 2 or not x.shape[1]:
        return sentence("Too few rows to draw: at least two are needed.", height=height)
    points, axis, note = projected(x, filled(names, x.shape[1], "x"))
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
    columns: int = 4,
    gap: float | None = None,
) -> go.Figure:
    """Draw the talk's figure: true factors, data, and the latents of an iVAE and a VAE, with one hue per value of u.

    Rows are the same in all panels; `customdata` of every point is its row. Latents and factors are standardised, and
    each panel is square with one scale, so a rotation looks like a rotation. With more than two dimensions, the first
    two are drawn (align latents to the factors first), and principal components for x.

    Args:
        z_true: (a) true factors, or None.
        x: (b) data.
        z_ivae: (c) the iVAE's posterior means, aligned, or None.
        z_vae: (d) the VAE's, or None.
        hue: u as integer codes or numbers, one per row, or None.
        hue_names: Names of the codes, or the one name of the numbers.
        titles: Four panel titles, for instance with the MCC of (c) and (d).
        selected: Rows to emphasise; the others fade. None for no selection.
        title: Replaces the title.
        height: In pixels.
        limit: Number of rows drawn.
        columns: Panels per line; 2 on a phone.
        gap: Between panels, as a share of the width; None leaves room for the names of the axes.
    """
    if len(x) < 2:
        return sentence("Too few rows to draw: at least two are needed.", height=height)
    usual = ("(a) true factors: p(s|u)", "(b) data: p(x|u)", "(c) iVAE posterior means", "(d) VAE posterior means")
    rows = evenly(len(x), limit)
    fig = make_subplots(
        -(-4 // columns), columns, subplot_titles=list(titles) or usual,
        horizontal_spacing=0.24 / columns if gap is None else gap,
        vertical_spacing=0.16,
    )  # fmt: skip
    points_x, axes_x, note = projected(x, filled((), x.shape[1], "x"))
    panels = ((z_true, "s", "factor"), (points_x, "", "data"), (z_ivae, "z", "latent"), (z_vae, "z", "latent"))
    for k, (values, letter, role) in enumerate(panels):
        row, col = k // columns + 1, k % columns + 1
        if values is None or not np.isfinite(values).any():
            label_empty_panel(fig, "not available" if values is None else "diverged", row=row, col=col)
            continue
        points = values if role == "data" else standard(values)
        word = "latent for s" if letter == "z" and z_true is not None else letter
        axis = axes_x if role == "data" else [f"{word}{k + 1} (std)" for k in range(values.shape[1])]
        points, axis = _two(points, axis)
        first = k == (0 if z_true is not None else 1)
        for trace in dots(points, hue, hue_names, rows, COLOURS[role], legend=first, selected=selected):
            fig.add_trace(trace, row, col)
        _square(fig, points[rows], axis, row=row, col=col)
    found = []
    for name, z in (("iVAE", z_ivae), ("VAE", z_vae)):
        if z_true is not None and z is not None and np.isfinite(z).any():
            own = np.diag(pearson(z_true, np.nan_to_num(z)))  # aligned latents: column i belongs to factor i
            found.append(f"{name} {np.abs(own).sum() / z_true.shape[1]:.2f}")
    if not title and found:
        title = f"One seed each, mean correlation with the factors: {', '.join(found)}"
    title = title or "The same rows and hues, in the data and in the latents"
    note = join("factors and latents in units of their std", note, thinned(len(x), rows))
    return finish(name_hues(fig, hue), title, note, height=height, panels=True, line=FULL_LINE)


def linked_panels(
    panels: Sequence[tuple[str, np.ndarray | None, Sequence[str]]],
    hue: Hue = None,
    hue_names: Sequence[str] = (),
    *,
    title: str = "The same rows in every panel",
    height: int = 380,
    limit: int = 1500,
) -> go.Figure:
    """Draw the same rows in several planes, as the canvas of linked panels shows them, for print and for export.

    Args:
        panels: Title, points [n, d] of which two columns are drawn (None for an empty panel), and names of the axes.
        hue: u as integer codes or numbers, one per row, or None.
        hue_names: Names of the codes, or the one name of the numbers.
        title: Of the figure.
        height: In pixels.
        limit: Number of rows drawn.
    """
    count = next(len(points) for _, points, _ in panels if points is not None)
    rows = evenly(count, limit)
    fig = make_subplots(1, len(panels), subplot_titles=[name for name, _, _ in panels], horizontal_spacing=0.07)
    drawn = False
    for col, (_, values, names) in enumerate(panels, 1):
        if values is None or not np.isfinite(values).any():
            label_empty_panel(fig, "not available", row=1, col=col)
            continue
        points, axis = _two(np.asarray(values, float), filled(names, np.shape(values)[1], "z"))
        for trace in dots(points, hue, hue_names, rows, COLOURS["latent"], legend=not drawn):
            fig.add_trace(trace, 1, col)
        _square(fig, points[rows], axis, row=1, col=col)
        drawn = True
    return finish(name_hues(fig, hue), title, thinned(count, rows), height=height, panels=True, line=FULL_LINE)


def seed_panels(
    mu_z: Real[np.ndarray, "p n d_z"],
    hue: Hue = None,
    hue_names: Sequence[str] = (),
    *,
    titles: Sequence[str],
    elbo: Real[np.ndarray, " p"] | None = None,
    elbo_error: Real[np.ndarray, " p"] | None = None,
    selected: Sequence[int] | None = None,
    height: int = 380,
    limit: int = 600,
    columns: int = SEEDS_A_LINE,
) -> go.Figure:
    """Draw the same rows in the latents of several seeds, each with its bound.

    The first two latents are standardised; all panels are square and share one scale, which holds 99.7 % of the values.

    Args:
        mu_z: Posterior means, one set per seed.
        hue: u as integer codes or numbers, one per row, or None.
        hue_names: Names of the codes, or the one name of the numbers.
        titles: One per seed.
        elbo: Held-out ELBO of each seed, nats per example.
        elbo_error: Its standard error.
        selected: Rows to emphasise; the others fade. None for no selection.
        height: In pixels.
        limit: Number of rows drawn.
        columns: Panels per line at most; 2 on a phone.
    """
    if mu_z.shape[1] < 2:
        return sentence("Too few rows to draw: at least two are needed.", height=height)
    above = list(titles)
    if elbo is not None:
        errors = [""] * len(titles) if elbo_error is None else [f" ± {e:.1g}" for e in elbo_error]
        above = [f"{name}: ELBO {number(float(elbo[m]))}{errors[m]}" for m, name in enumerate(titles)]
    columns = min(len(mu_z), columns)
    lines = -(-len(mu_z) // columns)
    fig = make_subplots(lines, columns, subplot_titles=above, horizontal_spacing=0.01, vertical_spacing=0.2 / lines)
    rows = evenly(mu_z.shape[1], limit)
    finite = np.isfinite(mu_z).all((1, 2))
    clouds = {m: _two(standard(mu_z[m]), ["z1", "z2"])[0] for m in np.flatnonzero(finite).tolist()}
    reach = max((float(np.quantile(np.abs(cloud), 0.997)) for cloud in clouds.values()), default=1.0)
    corners = np.array([[-reach, -reach], [reach, reach]])
    for m in range(len(mu_z)):
        row, col = m // columns + 1, m % columns + 1
        if m not in clouds:
            label_empty_panel(fig, "diverged", row=row, col=col)
            continue
        legend = m == min(clouds)
        for trace in dots(clouds[m], hue, hue_names, rows, COLOURS["latent"], legend=legend, selected=selected):
            fig.add_trace(trace, row, col)
        bottom, left = row == lines, col == 1
        _square(fig, corners, ["z1" if bottom else "", "z2" if left else ""], row=row, col=col)
        fig.update_xaxes(showticklabels=False, row=row, col=col)
        fig.update_yaxes(showticklabels=False, row=row, col=col)
    faded = "" if selected is None else "one value of u in full strength"
    note = join("" if elbo is None else "ELBO: held-out, nats", faded, thinned(mu_z.shape[1], rows))
    title = "The same rows in the latents of each seed"
    return finish(name_hues(fig, hue), title, note, height=height, panels=True, line=FULL_LINE)


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
    rows = evenly(len(points), POINTS)
    points, axis = _two(points, axis)
    fig = make_subplots(1, 1)
    for trace in dots(points, hue, hue_names, rows, colour):
        fig.add_trace(trace)
    _square(fig, points[rows], axis, row=1, col=1, equal="row" not in axis)
    return finish(name_hues(fig, hue), title, join(note, thinned(len(points), rows)), height=height)


def _square(fig: go.Figure, points: np.ndarray, axis: Sequence[str], *, row: int, col: int, equal: bool = True) -> None:
    """Title both axes and fix their ranges; `equal` gives them one scale, so that a rotation looks like one."""
    spans = [span_of(points[:, k]) for k in (0, 1)]
    half = [0.54 * span for _, span in spans]
    if equal:
        half = [max(half)] * 2
    middle = [low + span / 2 for low, span in spans]
    ranges = [[m - h, m + h] for m, h in zip(middle, half, strict=True)]
    fig.update_xaxes(title=axis[0], range=ranges[0], constrain="domain", row=row, col=col)
    anchor = next(fig.select_xaxes(row=row, col=col)).plotly_name.replace("axis", "")
    same = {"scaleanchor": anchor, "scaleratio": 1, "constrain": "domain", "constraintoward": "top"} if equal else {}
    fig.update_yaxes(title={"text": axis[1], "standoff": 4}, range=ranges[1], row=row, col=col, **same)


def _two(points: np.ndarray, axis: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Return two columns: the first two, or the only one against the row number."""
    if points.shape[1] >= 2:
        return points[:, :2], list(axis[:2])
    return np.column_stack([np.arange(len(points)), points[:, 0]]), ["row", axis[0]]


def projected(x: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, list[str], str]:
    """Return at most two columns to draw, their axis titles and a note; principal components if x has more."""
    if x.shape[1] <= 2:
        return x, list(names), ""
    centred = (x - x.mean(0, dtype=float)).astype(float)
    some = centred[evenly(len(x), 2000)]  # enough for two directions, and pictures stay cheap
    _, singular, axes = np.linalg.svd(some, full_matrices=False)
    share = 100 * singular**2 / max((singular**2).sum(), np.finfo(float).tiny)
    flip = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])[
        :2
    ]  # the sign of an SVD is arbitrary: make the largest entry positive
    titles = [f"PC {k + 1} ({s:.0f} % of variance)" for k, s in enumerate(share[:2])]
    return (centred @ axes[:2].T) * flip, titles, f"first two principal components of {x.shape[1]} columns"


def _hue_title(what: str, hue: Hue, hue_names: Sequence[str]) -> str:
    if hue is None:
        return what
    if hue.dtype.kind in "iub":
        return f"{what}, coloured by {len(np.unique(hue))} values of u"
    return f"{what}, coloured by {hue_names[0] if hue_names else 'u'}"


def dots(
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
    """Return the traces of a scatter: one per label with its own symbol, or one coloured by number, or a plain one."""
    kind = go.Scattergl if len(rows) > WEBGL_FROM else go.Scatter
    points = points.astype(np.float32)  # half the bytes to transfer; a screen needs even less
    marker: dict[str, Any] = {"size": size, "opacity": opacity, "line": OUTLINE}
    groups: list[tuple[np.ndarray, str, dict[str, Any]]] = []
    if hue is None:
        groups.append((rows, "", marker | {"color": colour}))
    elif hue.dtype.kind in "iub":
        for code in np.unique(hue).tolist():
            look = {"color": HUES[code % 10], "symbol": SYMBOLS[(code + code // 10) % 10]}
            name = str(hue_names[code]) if 0 <= code < len(hue_names) else str(code)
            groups.append((rows[hue[rows] == code], name, marker | look))
    else:
        low, span = span_of(hue)
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


def label_empty_panel(fig: go.Figure, text: str, *, row: int, col: int) -> None:
    """Write a word in the middle of an empty panel."""
    fig.add_scatter(x=[None], y=[None], mode="markers", showlegend=False, row=row, col=col)  # axes need a trace
    fig.add_annotation(text=text, x=0.5, y=0.5, xref="x domain", yref="y domain", showarrow=False, row=row, col=col)
    for update in (fig.update_xaxes, fig.update_yaxes):
        update(title=" ", showticklabels=False, showgrid=False, row=row, col=col)
