"""Figures on whether seeds agree, up to which map, and what latents predict: heat maps, ladders, intervals."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Int, Real

from dvae_core.figures.style import COLOURS, DIVERGING, HUES, OUTLINE, SYMBOLS, finish, join, sentence
from dvae_core.metrics import FLOORS, typical_rung
from dvae_core.metrics.agreement import REACHED

SEQUENTIAL = "Cividis"
DASHED = {"dash": "dash", "width": 1, "color": COLOURS["reference"]}
Values = Sequence[float] | Real[np.ndarray, " k"]
RUNG_WORDS = {
    "identity": "identity", "permutation": "order, sign, scale", "monotone": "monotone curve each",
    "orthogonal": "rotation", "affine": "any linear map",
}  # fmt: skip


def agreement_map(
    mcc: Real[np.ndarray, "P P"],
    names: Sequence[str],
    of: Int[np.ndarray, " P"],
    runs: Sequence[str] = (),
    *,
    measure: str = "pairwise MCC",
    turned: float | None = None,
    title: str | None = None,
    height: int | None = None,
) -> go.Figure:
    """Draw the MCC of every pair of members; a line separates the members of a second run.

    Args:
        mcc: Scores of all pairs; NaN if there is none.
        names: Names of the members.
        of: The run that each member belongs to, 0 or 1.
        runs: Names of the runs.
        measure: Name of the score.
        turned: MCC of latents with a random rotation of themselves, written under the title.
        title: Replaces the title that states the finding.
        height: In pixels.
    """
    P = len(mcc)
    if P < 2:
        return sentence("A single member has no other to agree with.")
    two = len(np.unique(of)) > 1
    brief = [name.removeprefix("seed ") for name in names]
    labels = [
        f"{'AB'[r]}{' ' if len(name) > 2 else ''}{name}" if two else name
        for r, name in zip(of.tolist(), brief, strict=True)
    ]
    shown = np.where(np.eye(P, dtype=bool), np.nan, mcc)
    is_written = P <= 10  # into the cells, which then need no colour bar
    fig = go.Figure()
    fig.add_heatmap(
        z=shown, x=list(range(P)), y=list(range(P)), colorscale=SEQUENTIAL, zmin=0, zmax=1, xgap=1, ygap=1,
        texttemplate="%{z:.2f}" if is_written else None, hoverongaps=False, showscale=not is_written,
        customdata=[[f"{a} and {b}" for b in labels] for a in labels],
        hovertemplate="%{customdata}: %{z:.3f}<extra></extra>",
        colorbar={"title": {"text": measure, "side": "right"}, "thickness": 12},
    )  # fmt: skip
    ticks = {"tickvals": list(range(P)), "ticktext": labels, "showgrid": False}
    fig.update_xaxes(**ticks, tickangle=-60 if max(map(len, labels)) > 2 else 0)
    fig.update_yaxes(**ticks, autorange="reversed", scaleanchor="x", constrain="domain", constraintoward="top")
    fig.update_xaxes(constrain="domain")
    if two:
        edge = int((of == 0).sum()) - 0.5
        wall = {"type": "line", "line": {"width": 3, "color": COLOURS["bad"]}}
        fig.add_shape(x0=edge, x1=edge, y0=-0.5, y1=P - 0.5, **wall)
        fig.add_shape(y0=edge, y1=edge, x0=-0.5, x1=P - 0.5, **wall)
    called = ", ".join(f"{'AB'[r]} = {name}" for r, name in enumerate(runs)) if two else ""
    rotation = "" if turned is None else f"a random rotation: {turned:.2f}"
    called = join(measure if is_written else "", called, rotation, "numbers are seeds" if brief != list(names) else "")
    return finish(
        fig, title or f"MCC: {_means_of_pairs(mcc, of)}", called, height=height or int(np.clip(210 + 30 * P, 380, 500))
    )


def _means_of_pairs(mcc: np.ndarray, of: np.ndarray) -> str:
    """State the mean and the range over the pairs within each run, and over those between two."""
    i, j = np.triu_indices(len(mcc), 1)
    two = len(np.unique(of)) > 1
    found = []
    for one, other in ((0, 0), (1, 1), (0, 1)):
        values = mcc[i, j][((of[i] == one) & (of[j] == other)) | ((of[i] == other) & (of[j] == one))]
        if len(values):
            who = f"{'AB'[one]} with {'AB'[other]}" if two else "seeds agree"
            found.append(f"{who} {values.mean():.2f} ({values.min():.2f} to {values.max():.2f})")
    return "; ".join(found)


def ladder_chart(
    groups: Mapping[str, Mapping[str, Values]],
    *,
    what: str = "one seed's latents from another's",
    title: str | None = None,
    height: int = 360,
) -> go.Figure:
    """Draw the R^2 of each rung of the indeterminacy ladder: a dot per pair, a bar for the median, a line at 0.95.

    Args:
        groups: For each group (model) the R^2 of its pairs by rung, in the ladder's order; NaN if not applicable.
        what: The predicted variable, for the axis.
        title: Replaces the title that states the finding.
        height: In pixels.
    """
    if not groups:
        return sentence("Nothing to compare yet.")
    fig = go.Figure()
    rungs = [rung for rung in RUNG_WORDS if any(rung in g and np.isfinite(g[rung]).any() for g in groups.values())]
    if not rungs:
        return sentence("Too few rows for the ladder.")
    found = []
    for g, (name, r2) in enumerate(groups.items()):
        shift = (g - (len(groups) - 1) / 2) * 0.26
        colour, symbol = HUES[g % len(HUES)], SYMBOLS[g % len(SYMBOLS)]
        medians = {}
        for x, rung in enumerate(rungs):
            values = np.asarray(r2[rung], float)
            values = values[np.isfinite(values)]
            if not len(values):
                continue
            spread = 0.05 * (np.arange(len(values)) % 3 - 1) if len(values) > 1 else np.zeros(1)
            medians[rung] = float(np.median(values))
            fig.add_scatter(
                x=x + shift + spread, y=np.maximum(values, -0.05), mode="markers", name=name, legendgroup=name,
                showlegend=len(groups) > 1 and len(medians) == 1,
                marker={"size": 7, "symbol": symbol, "color": colour, "opacity": 0.55, "line": OUTLINE},
                customdata=values, hovertemplate=f"{name}, {RUNG_WORDS[rung]}: R² %{{customdata:.3f}}<extra></extra>",
            )  # fmt: skip
            fig.add_scatter(
                x=[x + shift - 0.12, x + shift + 0.12], y=[max(medians[rung], -0.05)] * 2, mode="lines",
                line={"color": colour, "width": 4}, showlegend=False, hoverinfo="skip",
            )  # fmt: skip
        best = typical_rung(r2)[0]
        up_to = "as they are" if best == "identity" else f"up to {RUNG_WORDS[best]}" if best else "not even linearly"
        found.append(f"{name} {up_to}")
    fig.add_hline(y=REACHED, line=DASHED)
    fig.update_xaxes(tickvals=list(range(len(rungs))), ticktext=[RUNG_WORDS[r].replace(" ", "<br>", 1) for r in rungs])
    fig.update_xaxes(autotickangles=[0, -35])  # where they are turned, the last one stays inside the figure
    fig.update_xaxes(range=[-0.5, len(rungs) - 0.5], showgrid=False, title="freer map →")
    fig.update_yaxes(title="R², held-out", range=[-0.08, 1.1], tickvals=[0, 0.25, 0.5, 0.75, REACHED])
    note = join(
        f"predicting {what}",
        "bar: median over pairs" if any(len(v) > 1 for g in groups.values() for v in g.values()) else "",
    )
    return finish(fig, title or f"Agreement: {', '.join(found)}", note, height=height, line=62)


def stability(
    strength: Real[np.ndarray, "P d"],
    names: Sequence[str],
    *,
    independent: float | None = None,
    turned: float | None = None,
    title: str | None = None,
    height: int = 320,
) -> go.Figure:
    """Draw how strongly each latent of one member recurs in every other member.

    Args:
        strength: |correlation| with the matched latent of each other member; NaN for dead latents.
        names: Names of the latents.
        independent: The level that independent latents reach, drawn as a line.
        turned: The level that latents reach with a random rotation of themselves, drawn as a line.
        title: Replaces the title that states the finding.
        height: In pixels.
    """
    known = np.isfinite(strength).any(0) if len(strength) else np.zeros(len(names), bool)
    if not known.any():
        return sentence("There is no other member to compare with.", height=height)
    mean = np.nanmean(strength[:, known], 0)
    order = np.flatnonzero(known)[np.argsort(-mean, kind="stable")]
    fig = go.Figure()
    for x, k in enumerate(order):
        values = strength[:, k][np.isfinite(strength[:, k])]
        fig.add_scatter(
            x=x + 0.06 * (np.arange(len(values)) % 3 - 1), y=values, mode="markers", showlegend=False,
            marker={"size": 8, "color": COLOURS["latent"], "opacity": 0.7, "line": OUTLINE},
            hovertemplate=f"{names[k]}: %{{y:.3f}}<extra></extra>",
        )  # fmt: skip
        fig.add_scatter(
            x=[x - 0.25, x + 0.25], y=[values.mean()] * 2, mode="lines", showlegend=False, hoverinfo="skip",
            line={"width": 4, "color": COLOURS["latent"]},
        )  # fmt: skip
    for line, label in ((turned, "a random rotation"), (independent, "independent latents")):
        if line is not None:
            fig.add_hline(y=line, line=DASHED, annotation_text=f"{label} {line:.2f}", annotation_position="top left")
    fig.update_xaxes(tickvals=list(range(len(order))), ticktext=[names[k] for k in order], showgrid=False)
    fig.update_xaxes(range=[-0.6, len(order) - 0.4])
    fig.update_yaxes(title="|correlation| with its match", range=[0, 1.04])
    stable = int((np.nanmin(strength[:, known], 0) >= REACHED).sum())
    found = (
        f"{stable} of {known.sum()} latents come back in every seed" if stable else "No latent comes back in every seed"
    )
    return finish(
        fig,
        title or found,
        f"dot: another member, bar: mean; counted from |correlation| {REACHED:g} in all; alive latents only",
        height=height,
    )


def decoding(
    names: Sequence[str],
    value: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    members: Sequence[Sequence[float]],
    *,
    target: str,
    measure: str,
    title: str | None = None,
    height: int | None = None,
) -> go.Figure:
    """Draw how well a target is predicted from each kind of features, with 95 % intervals and a dot per seed.

    Args:
        names: Kinds of features; "chance" is drawn as a line.
        value: Held-out score.
        low: Lower ends of the intervals.
        high: Upper ends.
        members: For each kind of features the scores of its seeds.
        target: Name of the predicted variable.
        measure: "accuracy", "R²", or "error in degrees", of which less is better.
        title: Replaces the title that states the finding.
        height: In pixels.
    """
    rows = [k for k, name in enumerate(names) if name != "chance"][::-1]
    fig = go.Figure()
    plain = tuple(FLOORS.values())
    for y, k in enumerate(rows):
        colour = COLOURS["reference" if names[k] in plain else "latent"]
        seeds = [v for v in members[k] if np.isfinite(v)]
        fig.add_scatter(
            x=[low[k], high[k]], y=[y, y], mode="lines", line={"color": colour, "width": 6}, opacity=0.45,
            showlegend=False, hovertemplate=f"{names[k]}: %{{x:.3f}}<extra></extra>",
        )  # fmt: skip
        if len(seeds) > 1:
            fig.add_scatter(
                x=seeds, y=y + 0.1 * (np.arange(len(seeds)) % 3 - 1), mode="markers", showlegend=False,
                marker={"size": 6, "color": colour, "opacity": 0.7, "line": OUTLINE},
                hovertemplate=f"{names[k]}, a seed: %{{x:.3f}}<extra></extra>",
            )  # fmt: skip
        fig.add_scatter(
            x=[value[k]], y=[y], mode="markers", showlegend=False,
            marker={"symbol": "line-ns", "size": 18, "line": {"width": 4, "color": colour}},
            hovertemplate=f"{names[k]}: %{{x:.3f}}<extra></extra>",
        )  # fmt: skip
        known = np.isfinite(low[k])  # NaN: too few independent stretches
        form = ".1f" if "error" in measure else ".2f"
        text = f"{value[k]:{form}} [{low[k]:{form}}, {high[k]:{form}}]" if known else f"{value[k]:{form}}"
        text = text.replace("-", "−")
        fig.add_annotation(x=1.02, xref="paper", y=y, text=text, showarrow=False, xanchor="left")
    least = "error" in measure
    best = (min if least else max)(rows, key=lambda k: value[k])
    if "chance" in names:
        k = list(names).index("chance")
        fig.add_vline(x=value[k], line=DASHED)
        fig.add_annotation(
            x=value[k], y=len(rows) - 0.4, yanchor="bottom", text="chance", showarrow=False, xanchor="left"
        )
    fig.update_xaxes(title=f"{measure} of {target}, held-out")
    fig.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=[names[k] for k in rows],
        range=[-0.6, len(rows) - 0.1],
        showgrid=False,
    )
    found = f"{target}: {names[best]} does best ({measure} {value[best]:{'.1f' if least else '.2f'}})"
    note = "bar: 95 % interval over held-out rows, dot: a seed"
    return finish(fig, title or found, note, height=height or 150 + 42 * len(rows), right=150)


def theorem_map(
    A: Real[np.ndarray, "a b"],
    factors: Sequence[str],
    latents: Sequence[str],
    condition: float,
    r2: float,
    *,
    statistics: Sequence[str] = ("",),
    title: str | None = None,
    height: int | None = None,
) -> go.Figure:
    """Draw theorem 1's A, which maps the statistics of the latents to those of the factors.

    Args:
        A: Weights in standardised units, all first statistics first.
        factors: Names of the factors.
        latents: Names of the latents, in the order to draw.
        condition: Its condition number.
        r2: Held-out R^2.
        statistics: A suffix for each statistic, such as ("", "²").
        title: Replaces the title that states the finding.
        height: In pixels.
    """
    if not np.isfinite(A).all():
        return sentence("The map was not fitted: too few rows, or the member diverged.")
    rows = [f"{name}{s}" for s in statistics for name in factors]
    columns = [f"{name}{s}" for s in statistics for name in latents]
    most = float(np.abs(A).max())
    fig = go.Figure()
    fig.add_heatmap(
        z=A, x=columns, y=rows, colorscale=DIVERGING, zmin=-most, zmax=most, xgap=2, ygap=2,
        texttemplate="%{z:.2f}" if A.size <= 100 else None, hovertemplate="%{y} from %{x}: %{z:.3f}<extra></extra>",
        colorbar={"title": {"text": "weight", "side": "right"}, "thickness": 12},
    )  # fmt: skip
    fig.update_xaxes(title="T(latents)", showgrid=False, type="category")
    fig.update_yaxes(title="T(factors)", showgrid=False, autorange="reversed", type="category")
    found = f"T(z) = A T(ẑ) + c: R² {r2:.2f}, condition number of A {condition:.1f}"
    note = "standardised, fitted on odd held-out rows, scored on even ones"
    return finish(fig, title or found, note, height=height or int(np.clip(190 + 34 * len(rows), 300, 700)))


def ica_by_layers(
    layers: Int[np.ndarray, " k"],
    scores: Mapping[str, Real[np.ndarray, "k s"]],
    chance: float,
    *,
    title: str | None = None,
    height: int = 340,
) -> go.Figure:
    """Draw the MCC of linear methods against the number of mixing layers; one layer is linear.

    Args:
        layers: Numbers of layers.
        scores: For each method the MCCs of all data sets.
        chance: The MCC of a random rotation, drawn as a line.
        title: Replaces the title that states the finding.
        height: In pixels.
    """
    fig = go.Figure()
    for g, (name, values) in enumerate(scores.items()):
        colour, symbol = HUES[g], SYMBOLS[g]
        fig.add_scatter(
            x=layers, y=values.mean(1), name=name, mode="lines+markers", line={"color": colour, "width": 3},
            marker={"size": 9, "symbol": symbol}, hovertemplate=f"{name}, mean: %{{y:.3f}}<extra></extra>",
        )  # fmt: skip
        x = np.repeat(layers, values.shape[1]) + 0.03 * (np.arange(values.size) % 3 - 1) + 0.06 * (g - 0.5)
        fig.add_scatter(
            x=x, y=values.ravel(), mode="markers", showlegend=False,
            marker={"size": 6, "symbol": symbol, "color": colour, "opacity": 0.5},
            hovertemplate=f"{name}, a data set: %{{y:.3f}}<extra></extra>",
        )  # fmt: skip
    fig.add_hline(y=chance, line=DASHED)
    fig.add_annotation(
        x=1, xref="paper", xanchor="right", y=chance, yanchor="top", text="random rotation", showarrow=False
    )
    fig.update_xaxes(
        title="layers of the mixing (1 = linear)", tickvals=list(layers), range=[layers[0] - 0.3, layers[-1] + 0.3]
    )
    fig.update_yaxes(title="MCC", range=[0.4, 1.03])
    fast = scores["FastICA"].mean(1)
    found = f"FastICA: MCC {fast[0]:.2f} on linear mixing, {fast[1:].min():.2f} to {fast[1:].max():.2f} on nonlinear"
    return finish(fig, title or found, f"dot: one of {next(iter(scores.values())).shape[1]} data sets", height=height)


def wrong_axes(
    angle: Real[np.ndarray, " t"],
    elbo: Real[np.ndarray, " t"],
    starts: Real[np.ndarray, " s"],
    ends: Real[np.ndarray, " s"],
    at_starts: Real[np.ndarray, " s"],
    at_ends: Real[np.ndarray, " s"],
    truth: float | int,
    *,
    title: str | None = None,
    height: int = 340,
) -> go.Figure:
    """Draw a diagonal q's ELBO against the angle of the latents' axes, with each seed's start and end, and the truth.

    Args:
        angle: Degrees.
        elbo: The bound at each angle, nats per example.
        starts: Angle at which each seed started.
        ends: Angle at which each seed ended.
        at_starts: The bound at the starts.
        at_ends: The bound at the ends.
        truth: Angle of the true axes.
        title: Replaces the title that states the finding.
        height: In pixels.
    """
    fig = go.Figure()
    fig.add_scatter(
        x=angle,
        y=elbo,
        mode="lines",
        name="ELBO of the best diagonal q",
        line={"color": COLOURS["reference"], "width": 3},
    )
    fig.add_scatter(
        x=starts, y=at_starts, mode="markers", name="seeds, start",
        marker={"size": 9, "symbol": "circle-open", "color": COLOURS["latent"], "line": {"width": 2}},
    )  # fmt: skip
    fig.add_scatter(
        x=ends, y=at_ends, mode="markers", name="seeds, trained",
        marker={"size": 12, "symbol": "circle", "color": COLOURS["latent"], "line": OUTLINE},
    )  # fmt: skip
    fig.add_vline(
        x=truth,
        line={"color": COLOURS["factor"], "width": 3, "dash": "dot"},
        annotation_text="true axes",
        annotation_position="bottom right",
    )
    fig.update_xaxes(title="angle of the latents' axes (degrees)", range=[angle[0], angle[-1]], dtick=15)
    fig.update_yaxes(title="nats per example")
    return finish(fig, title or "The bound picks its own axes", height=height)
