"""Figures of the theorem's conditions: L's singular values, the learned p(z|u), and requirements on u."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float
from plotly.subplots import make_subplots

from dvae_core.figures.style import COLOURS, FULL_LINE, HUES, finish, sentence

LATENTS_DRAWN = 4
LEAST_NATS = 0.002  # smallest value drawn: the axis of singular values is logarithmic
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
WORLDS_NEEDED = 5  # ahead in all of five by chance: 1 in 32
MODES = {
    "none": ("no u (VAE)", "reference", "circle-open", "dot"),
    "mean": ("mean only", "data", "square", "dash"),
    "variance": ("variance only", "latent", "diamond", "solid"),
    "both": ("both", "factor", "circle", "solid"),
}


def singular_values(
    learned: Float[np.ndarray, " s"] | None,
    true: Float[np.ndarray, " t"] | None,
    needed: int,
    chance: Float[np.ndarray, " c"] | None,
    *,
    height: int = 320,
) -> go.Figure:
    """Draw the singular values of the differences of lambda(u), learned and true, and the number nk that is needed.

    Args:
        learned: Those of the model's lambda, in nats; None without a conditional prior.
        true: Those of the world's, if known.
        needed: n k of the model.
        chance: Each learned direction's value for u in random order (95 % quantile); None if that is not known.
        height: In pixels.
    """
    fig, largest = go.Figure(), 1.0
    for name, values, role, pattern in (("learned λ", learned, "latent", ""), ("true λ", true, "factor", "/")):
        if values is not None:
            largest = max(largest, float(values.max(initial=1.0)))
            fig.add_bar(
                x=[f"{i + 1}" for i in range(len(values))], y=np.maximum(values, LEAST_NATS), name=name,
                marker={"color": COLOURS[role], "pattern": {"shape": pattern}},
            )  # fmt: skip
    if not fig.data:
        return sentence("Without a conditional prior there is no λ(u), and no L.", height=height)
    if chance is not None:
        fig.add_scatter(
            x=[f"{i + 1}" for i in range(len(chance))], y=np.maximum(chance, LEAST_NATS), mode="lines+markers",
            name="u in random order, 95 %", line={"dash": "dash", "color": COLOURS["bad"]},
        )  # fmt: skip
    if learned is None:
        title = f"The world's λ(u) spans {int((np.asarray(true) > LEAST_NATS).sum())} directions; this prior has no λ"
    elif chance is None:
        title = f"λ(u) has {needed} directions; there are too few rows to distinguish them from noise"
    else:
        above = int((learned[: len(chance)] > chance[: len(learned)]).sum())
        title = f"λ(u) exceeds chance in {above} of {needed} directions"
    fig.update_layout(barmode="group")
    fig.update_xaxes(title="direction of λ(u)", type="category")
    fig.update_yaxes(title="singular value (nats)", type="log", range=[np.log10(LEAST_NATS), np.log10(2 * largest)])
    return finish(fig, title, "", height=height)


def prior_curves(
    z: Float[np.ndarray, " g"],
    density: Float[np.ndarray, "m d g"],
    names: Sequence[str],
    *,
    height: int = 320,
) -> go.Figure:
    """Draw the learned p(z_i|u): one panel per latent, one curve per value of u.

    Args:
        z: Positions on the axis.
        density: Density at each value of u, latent and z.
        names: Of the values of u.
        height: In pixels; a legend of several lines adds to it.
    """
    if not len(density):
        return sentence("There is no u to draw p(z|u) at.", height=height)
    height += 22 * (sum(len(name) + 6 for name in names) // 60)  # lines of the legend, which would shrink the panels
    d = min(density.shape[1], LATENTS_DRAWN)
    fig = make_subplots(1, d, shared_yaxes=False, horizontal_spacing=0.08)
    for i in range(d):
        for m, name in enumerate(names):
            fig.add_scatter(
                x=z, y=density[m, i], mode="lines", name=name, legendgroup=name, showlegend=i == 0,
                line={"color": HUES[m % len(HUES)], "dash": DASHES[m % len(DASHES)], "width": 1.5}, row=1, col=i + 1,
            )  # fmt: skip
        fig.update_xaxes(title=f"z{i + 1}", row=1, col=i + 1)
        fig.update_yaxes(title=f"p(z{i + 1}|u)", row=1, col=i + 1)
    return finish(fig, "What the prior learned: p(z|u), a line for each u", "", height=height)


def natural_parameters(
    true: Float[np.ndarray, "m d 2"], learned: Float[np.ndarray, "m d 2"], names: Sequence[str], *,
    height: int = 400, columns: int = 4,
) -> go.Figure:  # fmt: skip
    """Draw lambda_ij(u) of a Gaussian p(z|u): a panel for each factor and statistic, bars for each u.

    Args:
        true: Of the factors: value of u, factor, statistic (z, z squared).
        learned: Of the trained prior, on the factors' scale.
        names: Of the values of u.
        height: In pixels.
        columns: Panels per line; 2 on a phone.
    """
    d = true.shape[1]
    titles = [f"factor s{i + 1}, T = {text}" for i in range(d) for text in ("z", "z²")]
    fig = make_subplots(-(-2 * d // columns), columns, subplot_titles=titles, horizontal_spacing=0.2 / columns)
    for i in range(d):
        for j in range(2):
            row, col = (2 * i + j) // columns + 1, (2 * i + j) % columns + 1
            for values, name, role, pattern in ((true, "true", "factor", ""), (learned, "learned", "latent", "/")):
                fig.add_bar(
                    x=list(names), y=values[:, i, j], name=name, legendgroup=name, showlegend=i + j == 0,
                    marker={"color": COLOURS[role], "pattern": {"shape": pattern}}, row=row, col=col,
                )  # fmt: skip
            fig.update_xaxes(title="u", type="category", row=row, col=col)
    fig.update_yaxes(title="λ(u)", row=1, col=1)
    title = "What the prior learned: λ(u), the coefficient of each statistic"
    return finish(fig, title, "on the factors' scale", height=height, panels=True, line=FULL_LINE)


def kinds_of_u_lines(rows: Sequence[Mapping[str, Any]], by: str, *, what: str = "mcc", height: int = 360) -> go.Figure:
    """Draw MCC, or its gain over copying u, of small populations against a property of u: mean and spread over worlds.

    A population counts with the mean of its members. The title names a best kind of u only if it leads in every world.

    Args:
        rows: One per population: `modulate`, `segments`, `strength`, `world` (the data seed), `mcc` (a list, one per
            member, None if it failed or is stuck), `u_only`.
        by: "segments" or "strength".
        what: "mcc", its "gain" over the u-only line, or the "condition" number of L (learned, the median seed's).
        height: In pixels.
    """
    if not rows:
        return sentence("Start the study: each population becomes a point here.", height=height)
    fig = go.Figure()
    best: dict[str, dict[int, float]] = {}  # for each mode the value of every world at its best position
    for mode, (name, role, symbol, dash) in MODES.items():
        at: dict[float, dict[int, float]] = {}
        for row in rows:
            value = _of_population(row, what) if row["modulate"] == mode else None
            if value is not None:
                at.setdefault(float(row[by]), {})[row["world"]] = value
        if not at:
            continue
        x = sorted(at)
        mean, spread = ([float(f(list(at[k].values()))) for k in x] for f in (np.mean, np.std))
        best[name] = at[x[int(np.argmax(mean))]]
        fig.add_scatter(
            x=x, y=mean, name=name, mode="lines+markers", line={"color": COLOURS[role], "dash": dash},
            marker={"symbol": symbol, "size": 9}, error_y={"array": spread, "thickness": 1},
            customdata=[[len(at[k])] for k in x],
            hovertemplate="%{y:.2f} at %{x}<br>mean of %{customdata[0]} worlds<extra>" + name + "</extra>",
        )  # fmt: skip
    worlds = len({row["world"] for row in rows})
    note = f"mean over {worlds} worlds, bars ± their standard deviation" if worlds > 1 else "one world so far"
    if by == "segments":
        ticks = sorted({int(r["segments"]) for r in rows})
        fig.update_xaxes(title="segments (values of u)", type="log", tickvals=ticks, ticktext=[str(t) for t in ticks])
    else:
        fig.update_xaxes(title="strength of modulation")
    if what == "condition":
        if not fig.data:
            return sentence("L is invertible in no population so far.", height=height)
        fig.update_yaxes(title="condition number of L", type="log")
        note = "median seed; noise alone gives a small one, so smaller is not better"
        return finish(fig, "Condition number of L, where it is invertible", note, height=height)
    fig.update_yaxes(title="MCC" if what == "mcc" else "MCC − copying u")
    return finish(fig, _best_mode(best, "MCC" if what == "mcc" else "MCC above copying u"), note, height=height)


def _of_population(row: Mapping[str, Any], what: str) -> float | None:
    """Return a population's value: its members' mean MCC, without copying u if asked, or its L's condition number."""
    if what == "condition":
        return row["condition"]
    members = [v for v in row["mcc"] if v is not None]
    return float(np.mean(members)) - ((row["u_only"] or 0.0) if what == "gain" else 0.0) if members else None


def _best_mode(best: Mapping[str, Mapping[int, float]], measure: str) -> str:
    """Name the best mode if it leads the next one in every world that both have, and there are at least five."""

    def mean(name: str) -> float:
        return float(np.mean(list(best[name].values())))

    ranked = sorted(best, key=lambda name: -mean(name))
    if not ranked:
        return f"{measure}: no finite value"
    if len(ranked) == 1:
        return f"{measure} with {ranked[0]}: {mean(ranked[0]):.2f}"
    first, second = ranked[:2]
    common = best[first].keys() & best[second].keys()
    ahead = sum(best[first][world] > best[second][world] for world in common)
    if ahead == len(common) >= WORLDS_NEEDED:
        return (
            f"{measure} is highest with {first}: {mean(first):.2f}, then {second} {mean(second):.2f}, "
            f"in {ahead} of {len(common)} worlds"
        )
    return (
        f"{measure}: {first} {mean(first):.2f} and {second} {mean(second):.2f} are not distinguishable (the first is "
        f"ahead in {ahead} of {len(common)} worlds)"
    )
