"""Where the latents of every seed point among two true factors: one arrow per latent."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float
from plotly.subplots import make_subplots

from dvae_core.figures.style import COLOURS, FAINT, FULL_LINE, finish, sentence

REACH = 1.3  # of a panel; arrows have length 1
CURVES = (("factor", "solid"), ("reference", "dash"), ("bad", "dot"), ("reconstruction", "dashdot"))
LOOKS = (("latent", "solid"), ("data", "dot"))  # of the latents matched to the first and the second factor


def seed_arrows(
    populations: Mapping[str, Float[np.ndarray, "p 2 2"] | Sequence[Any]],
    *,
    curves: Mapping[str, tuple[Sequence[float] | np.ndarray, Sequence[float] | np.ndarray]] | None = None,
    names: Sequence[str] = ("s1", "s2"),
    columns: int = 4,
    title: str | None = None,
    height: int | None = None,
) -> go.Figure:
    """Draw the axes of every seed of each population in the plane of two factors.

    A mean MCC hides a fan: pairs turned at random score .90 on average.

    Args:
        populations: By name, the unit vectors of the latents matched to the two factors (`latent_axes`), one pair for
            each seed; NaN for a latent that is missing.
        curves: Angles and nats lost, by population, drawn in a last panel; None for no such panel.
        names: Names of the two factors.
        columns: Panels in a row.
        title: Replaces the title that states the finding.
        height: In pixels.
    """
    if not populations:
        return sentence("No population with known factors to draw.")
    populations = {name: np.asarray(axes, float).reshape(-1, 2, 2) for name, axes in populations.items()}
    gap = ":<br>" if min(columns, len(populations)) > 2 else ": "  # narrow panels have titles of two lines
    titles = [f"{name}{gap}{turns(axes)}" for name, axes in populations.items()]
    titles += ["What a turn costs"] if curves else []
    columns = min(columns, len(titles))
    lines = -(-len(titles) // columns)
    fig = make_subplots(lines, columns, subplot_titles=titles, horizontal_spacing=0.05, vertical_spacing=0.14)
    for k, axes in enumerate(populations.values()):
        here: dict[str, Any] = {"row": k // columns + 1, "col": k % columns + 1}
        _draw_factor_axes(fig, here)
        _draw_latents(fig, axes, names, here)
        fig.update_xaxes(
            range=[-REACH, REACH], title=f"factor {names[0]}", showticklabels=False, showgrid=False, constrain="domain",
            showline=True, mirror=True, linecolor=FAINT, **here,
        )  # fmt: skip
        fig.update_yaxes(
            range=[-REACH, REACH], title=f"factor {names[1]}" if k % columns == 0 else None, showticklabels=False,
            showgrid=False, scaleanchor=f"x{k + 1}" if k else "x", constrain="domain", showline=True, mirror=True,
            linecolor=FAINT, **here,
        )  # fmt: skip
    if curves:
        here = {"row": lines, "col": (len(titles) - 1) % columns + 1}
        for (name, (angles, nats)), (role, dash) in zip(curves.items(), CURVES, strict=False):
            look = {"color": COLOURS[role], "width": 3.5, "dash": dash}
            fig.add_scatter(x=angles, y=nats, mode="lines", line=look, name=name, **here)
        fig.update_xaxes(title="angle of the axes (degrees)", range=[0, 90], dtick=45, **here)
        fig.update_yaxes(title="nats of log p", **here)
    fig.update_annotations(yshift=6)  # titles clear of the frames below them
    note = "one arrow for each seed and latent; green: the factors' own axes"
    found = title or "Where the latents of every seed point"
    fig = finish(fig, found, note, height=height or 110 + 290 * lines, panels=True, line=FULL_LINE)
    if "<br>" in gap:
        fig.update_layout(margin_t=127)  # a line more than with titles of one
    return fig


def _draw_factor_axes(fig: go.Figure, here: dict[str, Any]) -> None:
    """Draw the axes of the two factors through the middle of a panel."""
    for end in ((1.0, 0.0), (0.0, 1.0)):
        ends = [-REACH * end[0], REACH * end[0]], [-REACH * end[1], REACH * end[1]]
        fig.add_scatter(
            x=ends[0], y=ends[1], mode="lines", line={"color": COLOURS["factor"], "width": 5}, opacity=0.35,
            hoverinfo="skip", showlegend=False, **here,
        )  # fmt: skip


def _draw_latents(fig: go.Figure, axes: Float[np.ndarray, "p 2 2"], names: Sequence[str], here: dict[str, Any]) -> None:
    """Draw an arrow from the middle of a panel for every latent; the first panel names them in the legend."""
    is_first = here["row"] == here["col"] == 1
    for i, (role, dash) in enumerate(LOOKS):
        tips = axes[:, i][np.isfinite(axes[:, i]).all(1)]
        gaps = np.stack([np.zeros_like(tips), tips, np.full_like(tips, np.nan)], 1).reshape(-1, 2)
        look = {"color": COLOURS[role], "width": 2.5, "dash": dash}
        shared: dict[str, Any] = {"legendgroup": role, "hoverinfo": "skip", "showlegend": False} | here
        fig.add_scatter(x=gaps[:, 0], y=gaps[:, 1], mode="lines", line=look, **shared)
        turn = np.rad2deg(np.arctan2(tips[:, 0], tips[:, 1]))  # of an arrow head that points up
        head = {"symbol": "arrow", "size": 13, "angle": turn, "color": COLOURS[role]}
        shared |= {"showlegend": is_first, "hoverinfo": "x+y"}
        fig.add_scatter(
            x=tips[:, 0], y=tips[:, 1], mode="markers", marker=head, name=f"latent for {names[i]}", **shared
        )


def turns(axes: Float[np.ndarray, "p 2 2"]) -> str:
    """State how far the latents of the seeds are turned from the factors: "1° to 7° off"."""
    off = np.rad2deg(np.arccos(np.clip(axes[:, (0, 1), (0, 1)], -1, 1)))
    worst = off.max(1)[np.isfinite(off).all(1)]
    if not len(worst):
        return "no pair of latents"
    return f"{worst.min():.0f}° to {worst.max():.0f}° off"
