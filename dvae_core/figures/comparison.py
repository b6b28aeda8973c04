"""Runs and imported latents side by side: agreement, decoding and truth, each beside its control."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dvae_core.figures.style import COLOURS, HUES, OUTLINE, finish, sentence

CONTROL = {"symbol": "line-ns", "size": 14, "line": {"width": 3, "color": COLOURS["reference"]}}


def comparison(
    runs: Sequence[Mapping[str, Any]],
    *,
    rotation: float,
    lines: Mapping[str, float],
    target: str = "",
    measure: str = "",
    title: str | None = None,
    height: int | None = None,
) -> go.Figure:
    """Draw a row per run: MCC of its seeds with each other, how well a target is decoded, MCC with the true factors.

    Args:
        runs: The dicts of `Comparison.runs`.
        rotation: MCC of latents with a random rotation of themselves, a dashed line.
        lines: Reference lines against the true factors; the best one is drawn.
        target: Name of what is decoded; "" leaves the panel out.
        measure: "accuracy" or "R²".
        title: Replaces the title that states the finding.
        height: In pixels.
    """
    if not runs:
        return sentence("Nothing to compare yet.")
    has = {
        "MCC between seeds": any(run["mcc"] is not None for run in runs),
        f"{measure} of {target}": any(run["decoding"] is not None for run in runs),
        "MCC with the true factors": any(run["truth"] is not None for run in runs),
    }
    panels = [name for name, known in has.items() if known]
    if not panels:
        return sentence("These runs have a single seed each, no u and no true factors: nothing can be compared.")
    fig = make_subplots(1, len(panels), shared_yaxes=True, horizontal_spacing=0.06)
    names = [str(run["name"]) for run in runs]
    for y, run in enumerate(reversed(runs)):
        colour = HUES[(len(runs) - 1 - y) % len(HUES)]
        for column, panel in enumerate(panels, 1):
            _draw_run(fig, run, panel, y, colour, column)
    for column, panel in enumerate(panels, 1):
        if panel.startswith("MCC"):
            best = max(lines, key=lambda name: lines[name]) if lines and "true" in panel else "random rotation"
            value = lines[best] if lines and "true" in panel else rotation
            line = {"dash": "dash", "width": 1, "color": COLOURS["reference"]}
            fig.add_vline(x=value, line=line, row=1, col=column)  # type: ignore[arg-type]
            fig.add_annotation(
                x=value, y=len(runs) - 0.45, yanchor="bottom", text=best, showarrow=False, row=1, col=column
            )
            fig.update_xaxes(range=[0, 1.03], row=1, col=column)
        legend = (
            panel.replace(" between ", "<br>between ").replace(" of ", "<br>of ").replace(" the true", "<br>the true")
        )
        fig.update_xaxes(title=legend, row=1, col=column)
    fig.update_yaxes(range=[-0.6, len(runs) - 0.1], showgrid=False)
    fig.update_yaxes(tickvals=list(range(len(runs))), ticktext=names[::-1], row=1, col=1)
    note = "diamond: mean; dots: seeds; bar: range over pairs, or 95 % interval over rows; grey: shuffled-u control"
    return finish(fig, title or "The same rows, the same rules", note, height=height or 170 + 44 * len(runs))


def _draw_run(fig: go.Figure, run: Mapping[str, Any], panel: str, y: int, colour: str, column: int) -> None:
    """Draw a run's value in one panel, with its range, seeds and control where it has them."""
    value, ends, dots, control = _numbers(run, panel)
    if value is None:
        return
    at: dict[str, Any] = {"row": 1, "col": column}
    if ends is not None:
        fig.add_scatter(
            x=list(ends), y=[y, y], mode="lines", line={"color": colour, "width": 6}, opacity=0.4,
            showlegend=False, hoverinfo="skip", name=f"{run['name']}, range", **at,
        )  # fmt: skip
    if dots:
        fig.add_scatter(
            x=dots, y=[y + 0.08 * (k % 3 - 1) for k in range(len(dots))], mode="markers", showlegend=False,
            marker={"size": 6, "color": colour, "opacity": 0.7, "line": OUTLINE}, name=f"{run['name']}, seeds",
            hovertemplate=f"{run['name']}, a seed: %{{x:.3f}}<extra></extra>", **at,
        )  # fmt: skip
    fig.add_scatter(
        x=[value], y=[y], mode="markers", showlegend=False, name=str(run["name"]),
        marker={"symbol": "diamond", "size": 10, "color": colour, "line": OUTLINE},
        hovertemplate=f"{run['name']}: %{{x:.3f}}<extra></extra>", **at,
    )  # fmt: skip
    if control is not None:
        fig.add_scatter(
            x=[control], y=[y], mode="markers", marker=CONTROL, name="shuffled-u control", showlegend=False,
            hovertemplate="shuffled control: %{x:.3f}<extra></extra>", **at,
        )  # fmt: skip


def _numbers(run: Mapping[str, Any], panel: str) -> tuple[float | None, tuple[float, float] | None, list, float | None]:
    """Return the value, its range or interval, each seed's value, and the control."""
    if panel == "MCC between seeds":
        ends = None if run["mcc"] is None else (run["mcc_low"], run["mcc_high"])
        return run["mcc"], ends, [], run["u_alone"]
    if panel == "MCC with the true factors":
        return run["truth"], None, list(run["truth_seeds"] or []), None
    known = run["decoding_low"] is not None
    ends = (run["decoding_low"], run["decoding_high"]) if known else None
    return run["decoding"], ends, list(run["decoding_seeds"] or []), run["shuffled"]
