"""The requirements of a hidden u: recovery by a mixture prior against the number of rows, and against separation."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dvae_core.figures.style import COLOURS, FULL_LINE, finish, number

LOOKS = (
    ("u seen", "factor", "dash", "square"),
    ("mixture K = 5", "reconstruction", "solid", "circle"),
    ("VAE", "prior", "dot", "diamond"),
)
FOUND = 0.95  # MCC from which factors count as found


def hidden_recovery(conditions: Sequence[Mapping[str, Any]], chance: float, *, height: int = 380) -> go.Figure:
    """Draw the MCC of each model against rows (left) and against the separation of the clusters (right).

    Args:
        conditions: For each the `model`, `rows`, `separation`, the mean `mcc`, and `low` and `high`, the range of the
            data seeds' means.
        chance: MCC of a random rotation.
        height: In pixels.
    """
    fig = make_subplots(1, 2, shared_yaxes=True, horizontal_spacing=0.06, subplot_titles=["Separation 1", "5,000 rows"])
    of_panel = (
        ("rows", "rows", [c for c in conditions if c["separation"] == 1]),
        ("separation", "separation", [c for c in conditions if c["rows"] == 5000]),
    )
    for column, (name, title, shown) in enumerate(of_panel, 1):
        for model, role, dash, symbol in LOOKS:
            mine = sorted((c for c in shown if c["model"] == model), key=lambda c: c[name])
            y = [c["mcc"] for c in mine]
            bars = {
                "array": [c["high"] - c["mcc"] for c in mine],
                "arrayminus": [c["mcc"] - c["low"] for c in mine],
                "symmetric": False,
                "thickness": 1.5,
            }
            fig.add_scatter(
                x=[c[name] for c in mine], y=y, error_y=bars, mode="lines+markers", name=model, legendgroup=model,
                showlegend=column == 1, line={"color": COLOURS[role], "dash": dash, "width": 2.5},
                marker={"symbol": symbol, "size": 9}, row=1, col=column,
            )  # fmt: skip
        ticks = sorted({c[name] for c in shown})
        fig.update_xaxes(title=title, tickvals=ticks, ticktext=[f"{v:,g}" for v in ticks], row=1, col=column)
        fig.add_hline(y=chance, line={"color": COLOURS["reference"], "dash": "dot"}, row=1, col=column)  # type: ignore[arg-type]
    fig.update_yaxes(title="MCC", row=1, col=1)
    note = f"mean and range over data seeds; dotted: a random rotation, {number(chance)}"
    return finish(fig, needed_words(conditions), note, height=height, panels=True, line=FULL_LINE)


def needed_words(conditions: Sequence[Mapping[str, Any]]) -> str:
    """State whether more rows or wider separation let the mixture find the factors."""
    mixed = [c for c in conditions if c["model"].startswith("mixture")]
    best = max(mixed, key=lambda c: c["mcc"])
    rows, separation = max(c["rows"] for c in mixed), max(c["separation"] for c in mixed)
    if best["mcc"] < FOUND:
        return (
            f"Up to {rows:,} rows or separation {separation:g}, a mixture does not find the factors: "
            f"MCC {number(best['mcc'])} at best"
        )
    return f"With {best['rows']:,} rows and separation {best['separation']:g}, a mixture finds the factors"
