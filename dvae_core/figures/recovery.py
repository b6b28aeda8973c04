"""Factors against latents, their correlations, and scores beside those that need no model."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, Real
from plotly.subplots import make_subplots

from dvae_core.axes import evenly
from dvae_core.figures.scatter import dots, label_empty_panel
from dvae_core.figures.style import (
    COLOURS,
    DIVERGING,
    FAINT,
    FULL_LINE,
    LINE,
    OUTLINE,
    Hue,
    filled,
    finish,
    join,
    name_hues,
    number,
    pearson,
    sentence,
    span_of,
    thinned,
    wrapped,
)

GRID_FACTORS = 5  # a recovery grid shows at most 5 x 5 panels
WITHIN_U = "within u"  # suffix of the rows of `mcc_lines` whose scores are of residuals
MODELS = {True: ("factor", "circle"), False: ("latent", "square")}  # colour and symbol of an iVAE, and of the others


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
    """Draw factors (across) against latents (up), in matched order: recovery shows on the framed diagonal.

    Args:
        z_true: True factors.
        z_hat: Latents of the same rows, as the model has them.
        matching: The latent of each factor, -1 for none (`Score.matching`).
        signs: +1 or -1 for each factor (`Score.signs`); latents are drawn multiplied by their sign.
        hue: Integer codes or numbers, one per row, or None.
        hue_names: Names of the codes, or the one name of the numbers.
        matrix: Signed correlations to print; None computes Pearson's on all rows.
        curves: For each factor None or a fitted curve (latent times its sign, factor), as
            `monotone_fit(sign * z_hat_k, z_true_i)` returns.
        names: Names of the factors; s1, ... by default.
        method: Name of the correlation printed.
        title: Replaces the title that states the finding.
        height: In pixels; None for 190 per row of panels.
    """
    n, d = z_true.shape
    if n < 3:
        return sentence("Too few rows to compare factors and latents: at least three are needed.")
    if not np.isfinite(z_hat).all():
        return sentence("This member diverged: it has no latents to compare with the factors.")
    names = filled(names, d, "s")
    matrix = pearson(z_true, z_hat) if matrix is None else matrix
    shown = min(d, GRID_FACTORS)
    rows = evenly(n, max(200, min(2000, 12_000 // shown**2)))
    fig = make_subplots(
        shown, shown, horizontal_spacing=0.04, vertical_spacing=0.03, shared_xaxes=True, shared_yaxes=True
    )
    for line, column in np.ndindex(shown, shown):
        k, sign = matching[line], signs[line] or 1
        here = {"row": line + 1, "col": column + 1}
        on_diagonal = line == column
        if k < 0:
            label_empty_panel(fig, "no latent left", **here)
        else:
            points = np.column_stack([z_true[:, column], z_hat[:, k] * sign])
            faded, legend = 0.8 if on_diagonal else 0.25, line + column == 0
            for trace in dots(points, hue, hue_names, rows, COLOURS["factor"], size=4, opacity=faded, legend=legend):
                fig.add_trace(trace, **here)
            curve = curves[column] if on_diagonal and column < len(curves) else None
            if curve is not None:
                _draw_fit(fig, curve, here)
            _print_correlation(fig, float(matrix[column, k] * sign), here)
        _frame(fig, here)
    _label(fig, z_true, z_hat, matching, signs, names, shown)
    taken = [abs(float(matrix[i, k])) if k >= 0 else 0.0 for i, k in enumerate(matching)]
    each = ", ".join(f"{name} {value:.2f}" for name, value in zip(names, taken, strict=True))
    found = f"MCC {np.mean(taken):.2f}: " + (
        each if d <= GRID_FACTORS else f"from {min(taken):.2f} to {max(taken):.2f}"
    )
    more = f"the first {shown} of {d} factors" if shown < d else ""
    note = join(f"{method} correlations", more, thinned(n, rows))
    return finish(name_hues(fig, hue), title or found, note, height=height or 110 + 190 * shown, line=FULL_LINE)


def _draw_fit(fig: go.Figure, curve: Sequence[Any], here: dict[str, Any]) -> None:
    """Draw a fitted curve (latent, factor) in a panel; the first panel names it in the legend."""
    corners = evenly(len(curve[0]), 300)
    fig.add_scatter(
        x=np.asarray(curve[1])[corners], y=np.asarray(curve[0])[corners], mode="lines", hoverinfo="skip",
        line={"color": COLOURS["bad"], "width": 2}, name="monotone fit", showlegend=here["col"] == 1, **here,
    )  # fmt: skip


def _print_correlation(fig: go.Figure, r: float, here: dict[str, Any]) -> None:
    """Print a correlation in the corner of its panel, in bold on the diagonal."""
    printed = f"<b>r = {number(r)}</b>" if here["row"] == here["col"] else number(r)
    fig.add_annotation(
        text=printed, showarrow=False, x=0.03, y=0.98, xref="x domain", yref="y domain", xanchor="left", yanchor="top",
        **here,
    )  # fmt: skip


def _frame(fig: go.Figure, here: dict[str, Any]) -> None:
    """Frame a panel, boldly on the diagonal."""
    frame: dict[str, Any] = {"showline": True, "mirror": True, "linewidth": 1, "linecolor": FAINT}
    if here["row"] == here["col"]:
        frame |= {"linewidth": 3, "linecolor": COLOURS["factor"]}
    fig.update_xaxes(**frame, **here)
    fig.update_yaxes(**frame, **here)


def _label(
    fig: go.Figure,
    z_true: Real[np.ndarray, "n d_z"],
    z_hat: Real[np.ndarray, "n d_hat"],
    matching: Sequence[int],
    signs: Sequence[int],
    names: Sequence[str],
    shown: int,
) -> None:
    """Give every row and column of panels one range, and name its factor or latent at the edge."""
    for i in range(shown):
        k = matching[i]
        low, span = span_of(z_true[:, i])
        fig.update_xaxes(range=[low - 0.05 * span, low + 1.05 * span], col=i + 1)
        fig.update_xaxes(title=f"factor {names[i]}", row=shown, col=i + 1)
        if k >= 0:
            low, span = span_of(z_hat[:, k] * (signs[i] or 1))
            fig.update_yaxes(range=[low - 0.05 * span, low + 1.05 * span], row=i + 1)
        label = f"latent {'−' if signs[i] < 0 else ''}z{k + 1}" if k >= 0 else "no latent"
        fig.update_yaxes(title=label, row=i + 1, col=1)


def correlation_matrices(
    matrix: Real[np.ndarray, "d_z d_hat"],
    matching: Sequence[int],
    signs: Sequence[int],
    *,
    names: Sequence[str] = (),
    title: str | None = None,
    height: int | None = None,
) -> go.Figure:
    """Draw the signed correlations in their original order, and with latents in the factors' order and sign.

    Args:
        matrix: Signed correlations (`Score.matrix`).
        matching: For each factor its latent, -1 for none.
        signs: For each factor +1 or -1.
        names: Names of the factors; s1, ... by default.
        title: Replaces the title that states the finding.
        height: In pixels.
    """
    d, d_hat = matrix.shape
    if not matrix.size:
        return sentence("No correlations to show.")
    names = filled(names, d, "s")
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
    return finish(fig, title or found, height=height or int(np.clip(170 + 36 * d, 270, 700)), panels=True)


def mcc_lines(
    scores: Mapping[str, Sequence[float | None]],
    references: Mapping[str, float | None],
    *,
    measure: str = "MCC",
    title: str | None = None,
    height: int | None = None,
) -> go.Figure:
    """Draw each seed's score as a dot, the mean as a bar, and scores that need no model as dashed lines.

    Args:
        scores: For each model (or model and measure) the scores of its seeds; None or NaN for a failed one. Names that
            end in "within u" are scores of the residuals given u: they lie below the others, with references of their
            own, and the title does not compare them.
        references: The score of each reference; None if it does not apply. Names that end in "within u" belong to the
            scores of the residuals.
        measure: Name of the score on the axis.
        title: Replaces the title that states the finding.
        height: In pixels.
    """
    lines = {name: float(v) for name, v in references.items() if v is not None and np.isfinite(v)}
    seeds = {name: [float(v) for v in values if v is not None and np.isfinite(v)] for name, values in scores.items()}
    if not lines and not any(seeds.values()):
        return sentence("No scores yet: they are computed when training ends.")
    least = min([*lines.values(), *(v for values in seeds.values() for v in values)], default=0.0)
    left = float(np.clip(np.floor(10 * least - 0.5) / 10, 0, 0.5))  # where the axis begins, below every dot
    within = [name for name in seeds if name.endswith(WITHIN_U)]
    compared = [name for name in seeds if name not in within]
    lines_within = {name: lines.pop(name) for name in list(lines) if name.endswith(WITHIN_U)} if within else {}
    lower = [*lines_within, *reversed(within)]
    rows = [*lower, *lines, *reversed(compared)]  # from the bottom up
    fig = go.Figure()
    for y, (name, value) in enumerate([*lines_within.items(), *lines.items()]):
        is_lower = name in lines_within
        top = len(lower if is_lower else rows) - 0.5
        _draw_reference(fig, name, value, y if is_lower else y + len(within), top)
    for name, values in seeds.items():
        y = rows.index(name, len(lines_within) if name in within else len(lower) + len(lines))
        if values:
            _draw_seeds(fig, name, values, y)
        else:
            fig.add_annotation(x=left + 0.01, y=y, text="no finite score", showarrow=False, xanchor="left")
    lost = {name: len(scores[name]) - len(values) for name, values in seeds.items()}
    labels = [wrapped(f"{name} ({lost[name]} failed)" if lost.get(name) else name, LINE) for name in rows]
    fig.update_xaxes(title=f"{measure} (1 = factors found)", range=[left, 1.01])
    fig.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=labels, range=[-0.6, len(rows) - 0.4], showgrid=False, title=""
    )
    found = _best_against_references(
        {name: seeds[name] for name in compared or within}, lines if compared else {}, measure
    )
    note = "dot: a seed, bar: mean ± std, diamond: needs no model"
    note = join(note, f"no reference is computed {WITHIN_U}" if lines and within and not lines_within else "")
    return finish(fig, title or found, note, height=height or 110 + 34 * len(rows), right=120)


def _draw_reference(fig: go.Figure, name: str, value: float, y: int, top: float) -> None:
    """Draw a reference as a diamond in its row, with a dashed line from there up to `top`."""
    dashed = {"color": COLOURS["reference"], "dash": "dash", "width": 1}
    fig.add_shape(type="line", x0=value, x1=value, y0=y, y1=top, line=dashed)
    fig.add_scatter(
        x=[value], y=[y], mode="markers+text", text=[f" {value:.2f}"], textposition="middle right",
        marker={"symbol": "diamond", "size": 9, "color": COLOURS["reference"]}, showlegend=False, cliponaxis=False,
        hovertemplate=f"{name}: %{{x:.3f}}<extra></extra>",
    )  # fmt: skip


def _draw_seeds(fig: go.Figure, name: str, values: Sequence[float], y: int) -> None:
    """Draw the scores of a model's seeds in its row as dots, with a bar at their mean, and print mean and std."""
    role, symbol = MODELS["iVAE" in name]
    spread = 0.12 * (np.arange(len(values)) % 5 - 2) if len(values) > 1 else np.zeros(1)  # apart, not at random
    fig.add_scatter(
        x=values, y=y + spread, mode="markers",
        marker={"size": 8, "symbol": symbol, "color": COLOURS[role], "line": OUTLINE, "opacity": 0.8},
        showlegend=False, cliponaxis=False, hovertemplate=f"{name}: %{{x:.3f}}<extra></extra>",
    )  # fmt: skip
    mean, std = np.mean(values), np.std(values)
    fig.add_scatter(
        x=[mean, mean], y=[y - 0.35, y + 0.35], mode="lines", line={"color": COLOURS[role], "width": 4},
        showlegend=False, hovertemplate=f"{name}: mean %{{x:.3f}}<extra></extra>",
    )  # fmt: skip
    text = f"{mean:.2f} ± {std:.2f}"
    fig.add_annotation(x=1.02, xref="paper", y=y, text=text, showarrow=False, xanchor="left")


def _best_against_references(
    seeds: Mapping[str, Sequence[float]], references: Mapping[str, float], measure: str
) -> str:
    """State how the model of the best mean compares with the best reference; it "beats" it if every seed does."""
    means = {name: float(np.mean(values)) for name, values in seeds.items() if values}
    if not means:
        return f"No finite {measure} yet"
    best = max(means, key=means.__getitem__)
    if not references:
        return f"{best} reaches {measure} {means[best]:.2f}"
    floor = max(references, key=references.__getitem__)
    if means[best] <= references[floor]:
        return f"{best} ({means[best]:.2f}) does not beat {floor} ({references[floor]:.2f})"
    verb = "beats" if min(seeds[best]) > references[floor] else "tops"
    return f"{best} ({means[best]:.2f}) {verb} every reference"


def bound_against_score(
    elbo: Float[np.ndarray, " p"], mcc: Float[np.ndarray, " p"], *, line: float | None = None, height: int = 400
) -> go.Figure:
    """Draw the score of every member against its bound, numbered by the bound.

    Args:
        elbo: Held-out ELBO of every member of one model.
        mcc: Its score.
        line: MCC of the model that knows u, or None.
        height: In pixels.
    """
    rank = (-elbo).argsort().argsort() + 1
    fig = go.Figure()
    fig.add_scatter(
        x=elbo, y=mcc, mode="markers+text", text=[str(r) for r in rank], textposition=_beside(elbo, mcc),
        showlegend=False,
        marker={"size": 14, "color": COLOURS["latent"], "line": OUTLINE}, hovertemplate="ELBO %{x:.3f}, MCC %{y:.2f}",
    )  # fmt: skip
    if line is not None:
        fig.add_hline(y=line, line={"dash": "dash", "color": COLOURS["factor"]}, annotation_text=f"iVAE, {line:.2f}")
    low = min(float(mcc.min()), 0.6)
    fig.update_xaxes(title="held-out ELBO (nats): all that the data tell")
    fig.update_yaxes(title="MCC: needs the true factors", range=[low - 0.05, 1.05])
    return finish(fig, "The score of every seed against its bound", "1: the best bound", height=height)


def _beside(x: np.ndarray, y: np.ndarray) -> list[str]:
    """Choose for each point the side for its label that is farthest from the other points and the earlier labels."""
    sides = {"top center": (0, 1), "middle right": (1, 0), "middle left": (-1, 0), "bottom center": (0, -1)}
    # a label lies a thirtieth of the width, and a twelfth of the height, from its point
    at = np.column_stack([30 * (x - x.min()) / span_of(x)[1], 12 * (y - y.min()) / span_of(y)[1]])
    taken, chosen = list(at), []
    for point in at:
        free = {
            side: min(np.abs(point + step - other).max() for other in taken if other is not point)
            for side, step in sides.items()
        }
        side = max(free, key=lambda name: min(free[name], 1.0))  # the first side that is free
        taken.append(point + sides[side])
        chosen.append(side)
    return chosen


def worlds_strip(worlds: Sequence[Mapping[str, Any]], *, title: str | None = None, height: int = 320) -> go.Figure:
    """Draw the MCC of an iVAE and a VAE on several data sets, a dot per seed, beside each set's best reference line.

    Args:
        worlds: One per data set: data_seed, iVAE and VAE (scores of their seeds), references (scores by name; those of
            a random rotation need the truth and are left out).
        title: Replaces the title that states the finding.
        height: In pixels.
    """
    if not worlds:
        return sentence("No other data set is trained yet.", height=height)
    fig = go.Figure()
    at = np.arange(len(worlds))
    means = {}
    for k, (name, (role, symbol)) in enumerate({"iVAE": MODELS[True], "VAE": MODELS[False]}.items()):
        x = np.concatenate([np.full(len(w[name]), i + 0.16 * k - 0.08) for i, w in enumerate(worlds)])
        y = np.concatenate([np.asarray(w[name], float) for w in worlds])
        means[name] = np.array([np.mean(w[name]) for w in worlds])
        fig.add_scatter(
            x=x, y=y, mode="markers", name=name,
            marker={"size": 8, "symbol": symbol, "color": COLOURS[role], "line": OUTLINE, "opacity": 0.8},
            hovertemplate=f"{name}: %{{y:.3f}}<extra></extra>",
        )  # fmt: skip
    lines = [[v for key, v in w["references"].items() if v is not None and key != "random_rotation"] for w in worlds]
    fig.add_scatter(
        x=at, y=[max(values, default=np.nan) for values in lines], mode="markers", name="best reference line",
        marker={"symbol": "line-ew", "size": 24, "line": {"width": 2, "color": COLOURS["reference"]}},
        hovertemplate="best reference line: %{y:.3f}<extra></extra>",
    )  # fmt: skip
    fig.update_xaxes(title="data seed", tickvals=at, ticktext=[str(w["data_seed"]) for w in worlds], showgrid=False)
    lowest = min(float(np.min(trace.y)) for trace in fig.data[:2])  # type: ignore[attr-defined]
    fig.update_yaxes(title="MCC (Pearson, held-out)", range=[min(0.5, lowest - 0.05), 1.02])
    above = int((means["iVAE"] > means["VAE"]).sum())
    found = (
        f"Over {len(worlds)} data sets: iVAE {means['iVAE'].mean():.2f}, VAE {means['VAE'].mean():.2f}; the iVAE is "
        f"above on {above}"
    )
    return finish(fig, title or found, "dot: a model's seed", height=height, line=FULL_LINE)
