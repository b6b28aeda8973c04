"""Figures of a study: scores against beta, the components of their variance, and what can be known without truth."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dvae_core.axes import Table
from dvae_core.figures.style import COLOURS, DIVERGING, HUES, OUTLINE, SYMBOLS, finish, number, sentence
from dvae_core.metrics.variance import Shares

DASHES = ("solid", "dash", "dot", "dashdot")
PARTS = {  # each share, its colour and hatch
    "model": ("factor", ""), "β": ("latent", "/"), "model × β": ("prior", "."), "seed": ("reference", "x"),
}  # fmt: skip
HATCH = {"fillmode": "overlay", "fgcolor": "black", "fgopacity": 0.25, "size": 6}
WORDS = {"vae": "VAE", "ivae": "iVAE"}


def model_label(text: str) -> str:
    """Write a study's model as a title: "vae,posterior=full" becomes "VAE, posterior full"."""
    name, *settings = text.split(",")
    return ", ".join([WORDS.get(name, name), *(s.replace("=", " ") for s in settings)])


class _Columns:
    """A table's columns as arrays, with rows chosen by a mask."""

    def __init__(self, table: Table, scores: Sequence[str], rows: np.ndarray | None = None) -> None:
        def chosen(name: str, kind: type) -> np.ndarray:
            values = np.asarray(table[name], kind)
            return values if rows is None else values[rows]

        self.model, self.failed, self.stuck = chosen("model", str), chosen("failed", bool), chosen("stuck", bool)
        self.beta, self.seed = chosen("beta", float), chosen("seed", int)
        self.world = chosen("world", int) if "world" in table else np.zeros(len(self.seed), int)
        self.worlds = len(np.unique(self.world))
        self.scores = [chosen(score, float) for score in scores]
        self.models = list(dict.fromkeys(self.model.tolist()))

    def who(self, rows: np.ndarray) -> list[str]:
        """Name the models of these rows."""
        return [
            f"{model_label(str(self.model[k]))}, β = {self.beta[k]:g}, seed {self.seed[k]}"
            + (f", data seed {self.world[k]}" if self.worlds > 1 else "")
            for k in rows
        ]

    def by_world(self, y: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the means of the worlds of these rows; the values themselves if there is one world."""
        values, world = y[rows], self.world[rows]
        return values if self.worlds < 2 else np.array([values[world == w].mean() for w in np.unique(world)])


def score_against_beta(
    table: Table, score: str, name: str, *, title: str | None = None, height: int = 380
) -> go.Figure:
    """Draw every model of one data set as a dot at its beta, with a line through the means of each kind of model.

    Bars are one standard deviation over seeds or, if the table has several worlds, over the means of these. A failed
    member is a cross at the bottom, a stuck one an open dot; neither enters a mean.

    Args:
        table: Columns model, beta, seed, failed, stuck and the score, for one data set; world, its seed, if several
            were drawn.
        score: Column to draw.
        name: Display name of the score.
        title: Replaces the title that states the finding.
        height: In pixels.
    """
    of = _Columns(table, [score])
    (y,) = of.scores
    known = np.isfinite(y)
    if not known.any():
        return sentence(f"No {name} yet: dots appear as populations are scored.", height=height)
    betas = np.unique(of.beta)
    place = np.searchsorted(betas, of.beta)
    fig = go.Figure()
    for i, model in enumerate(of.models):
        label, colour, symbol = model_label(model), HUES[i % len(HUES)], SYMBOLS[i % len(SYMBOLS)]
        shift = (i - (len(of.models) - 1) / 2) * 0.16
        mine = of.model == model
        cells = [of.by_world(y, mine & known & ~of.stuck & (place == k)) for k in range(len(betas))]
        fig.add_scatter(
            x=np.arange(len(betas)) + shift, y=[c.mean() if len(c) else None for c in cells], mode="lines", name=label,
            legendgroup=label, showlegend=False, hoverinfo="skip", line={"color": colour, "dash": DASHES[i % 4]},
            error_y={"array": [c.std() if len(c) else 0.0 for c in cells], "thickness": 1.5, "width": 5},
        )  # fmt: skip
        jitter = (of.seed - of.seed.min()) / max(np.ptp(of.seed), 1) * 0.1 - 0.05
        x = place + shift + jitter
        failed = mine & ~known & of.failed
        kinds = (
            (mine & known & ~of.stuck, label, {"color": colour, "symbol": symbol, "size": 8, "line": OUTLINE}),
            (mine & known & of.stuck, f"{label}, stuck",
             {"color": colour, "symbol": f"{symbol}-open", "size": 8, "line": {"width": 2}}),
            (failed, f"{label}, failed", {"color": COLOURS["bad"], "symbol": "x-thin-open", "size": 10}),
        )  # fmt: skip
        for chosen, label, marker in kinds:
            if chosen.any():
                fig.add_scatter(
                    x=x[chosen], y=np.where(failed, y[known].min(), y)[chosen], mode="markers", name=label,
                    legendgroup=label, marker=marker, text=of.who(np.flatnonzero(chosen)),
                    hovertemplate="%{text}: failed" if chosen is failed else f"%{{text}}<br>{name} %{{y:.3f}}",
                )  # fmt: skip
    fig.update_xaxes(
        title="β (weight of the KL)", tickvals=np.arange(len(betas)), ticktext=[f"{b:g}" for b in betas],
        range=[-0.5, len(betas) - 0.5],
    )  # fmt: skip
    fig.update_yaxes(title=name)
    over = f"{of.worlds} worlds" if of.worlds > 1 else "seeds, on one data set"
    note = f"one dot per model, {known.sum()} so far; line and bar: mean ± 1 std over {over}"
    return finish(fig, title or _what_moves(of, y, known, name), note, height=height)


def _what_moves(of: _Columns, y: np.ndarray, known: np.ndarray, name: str) -> str:
    """State how far the mean moves with beta, and the largest spread of one cell: of its worlds, or else its seeds."""
    moved, apart = 0.0, 0.0
    for model in of.models:
        cells = [of.by_world(y, known & ~of.stuck & (of.model == model) & (of.beta == b)) for b in np.unique(of.beta)]
        cells = [c for c in cells if len(c)]
        if cells:
            means = [c.mean() for c in cells]
            moved = max(moved, float(max(means) - min(means)))
            apart = max(apart, *(float(np.ptp(c)) for c in cells))
    other = "world" if of.worlds > 1 else "seed"
    if len(np.unique(of.beta)) < 2:
        return f"{name}: {other}s of one model differ by up to {number(apart)}"
    return f"{name}: β moves the mean by up to {number(moved)}, another {other} moves it by up to {number(apart)}"


def dimensions(
    latents: Sequence[int],
    elbo: Sequence[Sequence[float]],
    least_r2: Sequence[float],
    *,
    stable: float,
    chosen: int | None,
    title: str,
    height: int = 380,
) -> go.Figure:
    """Draw the held-out bound of every seed and the R^2 of the worst pair of seeds against the number of latents.

    Args:
        latents: Numbers of latents, ascending.
        elbo: For each, the bounds of its seeds.
        least_r2: For each, the R^2 of a linear map between the worst pair.
        stable: The R^2 from which a space counts as found, drawn as a line.
        chosen: The number that is chosen, marked; None for none.
        title: The finding.
        height: In pixels.
    """
    if not len(latents):
        return sentence("Dots appear as soon as the first population has ended.", height=height)
    fig = make_subplots(1, 2, horizontal_spacing=0.12)
    x = [str(d) for d in latents]
    for d, values in zip(x, elbo, strict=True):
        fig.add_scatter(
            x=[d] * len(values), y=list(values), mode="markers", showlegend=False, row=1, col=1,
            marker={"color": HUES[0], "size": 8, "line": OUTLINE},
            hovertemplate="%{x} latents: %{y:.3f}<extra></extra>",
        )  # fmt: skip
    fig.add_scatter(
        x=x, y=[float(np.mean(values)) for values in elbo], mode="lines", line={"color": HUES[0]}, showlegend=False,
        hoverinfo="skip", row=1, col=1,
    )  # fmt: skip
    kept = [r2 >= stable for r2 in least_r2]
    fig.add_scatter(
        x=x, y=list(least_r2), mode="lines+markers", showlegend=False, row=1, col=2, line={"color": HUES[1]},
        marker={"color": HUES[1], "size": 10, "line": OUTLINE, "symbol": ["circle" if k else "x" for k in kept]},
        hovertemplate="%{x} latents: worst pair R² %{y:.3f}<extra></extra>",
    )  # fmt: skip
    fig.add_hline(stable, line={"color": COLOURS["reference"], "dash": "dash"}, row=1, col=2)  # type: ignore[arg-type]
    if chosen is not None:
        for col in (1, 2):
            bar: dict[str, Any] = {"line": {"color": COLOURS["reference"], "width": 18}, "row": 1, "col": col}
            fig.add_vline(x.index(str(chosen)), opacity=0.25, **bar)
    fig.update_xaxes(title="latents", type="category", categoryarray=x)
    fig.update_yaxes(title="held-out bound (nats)", row=1, col=1)
    fig.update_yaxes(title="R² between seeds, worst pair", row=1, col=2)
    return finish(fig, title, f"one dot per seed; dashed: {stable:g}; bar: chosen; a cross: not stable", height=height)


def variance_bars(
    shares: Mapping[str, Shares | None], *, title: str | None = None, height: int | None = None
) -> go.Figure:
    """Draw the components of each score's variance: model, beta, both together, and the seed.

    Args:
        shares: By the score's name; a score that cannot be split (None) is left out.
        title: Replaces the title that states the finding (about the first score).
        height: In pixels; None for the height that the rows need.
    """
    known = {name: s for name, s in shares.items() if s is not None}
    if not known:
        return sentence("The variance can be split once two seeds of the same model and β are scored.", height=220)
    height = height or 150 + 46 * len(known)
    names = list(known)
    fig = go.Figure()
    for part, (colour, hatch) in PARTS.items():
        values = [100 * _part(s, part) for s in known.values()]
        fig.add_bar(
            x=values, y=names, orientation="h", name=part,
            marker={"color": COLOURS[colour], "line": OUTLINE, "pattern": {"shape": hatch, **HATCH}},
            text=[f"{v:.0f} %" if v >= 7 else "" for v in values], textposition="inside", insidetextanchor="middle",
            textangle=0, textfont={"color": "black"},
            hovertemplate=f"%{{y}}: {part} %{{x:.1f}} %<extra></extra>",
        )  # fmt: skip
    fig.update_layout(barmode="stack", legend_traceorder="normal")
    fig.update_xaxes(title="share of the variance (%)", range=[0, 100])
    fig.update_yaxes(autorange="reversed")
    name, first = next(iter(known.items()))
    luck = [f"{what} {100 * share:.0f} %" for what, share in zip(PARTS, first.luck, strict=False) if share > 0]
    note = f"if only seeds mattered: {', '.join(luck)}" if luck else ""
    parts = [
        f"{part}\N{NO-BREAK SPACE}{100 * _part(first, part):.0f}\N{NO-BREAK SPACE}%"
        for part in PARTS
        if _part(first, part) >= 0.005
    ]
    return finish(fig, title or f"What decides {name}: {', '.join(parts)}", note, height=height)


def _part(shares: Shares, part: str) -> float:
    return dict(zip(PARTS, shares[:4], strict=True))[part]


def rank_correlations(
    correlations: Mapping[str, Mapping[str, float]], *, title: str | None = None, height: int | None = None
) -> go.Figure:
    """Draw how well scores without truth (rows) rank models like scores with truth (columns): Spearman's rho, as tiles.

    Args:
        correlations: By row and column; NaN if there are too few models.
        title: Replaces the title that states the finding.
        height: In pixels; None for the height that the rows need.
    """
    rows = [name for name, row in correlations.items() if np.isfinite(list(row.values())).any()]
    columns = list(dict.fromkeys(c for row in correlations.values() for c in row))
    values = np.array([[correlations[r].get(c, np.nan) for c in columns] for r in rows], float)
    if not values.size or not np.isfinite(values).any():
        return sentence("Rank correlations need at least five models with known factors.", height=220)
    fig = go.Figure()
    fig.add_heatmap(
        z=values, x=columns, y=rows, zmin=-1, zmax=1, colorscale=DIVERGING, xgap=2, ygap=2,
        text=[["" if not np.isfinite(v) else f"{v:+.2f}".replace("-", "−") for v in row] for row in values],
        texttemplate="%{text}", colorbar={"title": "ρ", "thickness": 12},
        hovertemplate="%{y} and %{x}: ρ = %{z:.2f}<extra></extra>",
    )  # fmt: skip
    fig.update_yaxes(autorange="reversed")
    first = values[:, 0]
    at = int(np.nanargmax(np.abs(first))) if np.isfinite(first).any() else 0
    found = f"Without truth, {rows[at]} says most about {columns[0]}: ρ = {number(float(first[at]))}"
    note = "Spearman's rank correlation over all models but stuck ones; +1: both rank them alike"
    return finish(fig, title or found, note, height=height or 170 + 40 * len(rows))


def known_and_unknown(
    table: Table, blind: str, score: str, names: Mapping[str, str], rho: float, *, height: int = 380
) -> go.Figure:
    """Draw a score that needs the truth against one that does not: a dot per model, by kind; an open one is stuck.

    Args:
        table: Columns model, beta, seed, stuck and both scores, for one data set.
        blind: Column that can be computed without truth (across).
        score: Column that needs it (up).
        names: Display names of both scores.
        rho: Spearman's rank correlation of the two, over all models drawn but stuck ones.
        height: In pixels.
    """
    has_both = np.isfinite(np.asarray(table[blind], float)) & np.isfinite(np.asarray(table[score], float))
    of = _Columns(table, [blind, score], np.asarray(has_both))
    across, up = of.scores
    if len(up) < 3:
        return sentence(f"{names[score]} against {names[blind]}: fewer than three models so far.", height=height)
    fig = go.Figure()
    for i, model in enumerate(of.models):
        label, symbol = model_label(model), SYMBOLS[i % len(SYMBOLS)]
        for stuck, name, style in (
            (False, label, {"symbol": symbol, "line": OUTLINE}),
            (True, f"{label}, stuck", {"symbol": f"{symbol}-open", "line": {"width": 2}}),
        ):
            rows = np.flatnonzero((of.model == model) & (of.stuck == stuck))
            if not len(rows):
                continue
            fig.add_scatter(
                x=across[rows], y=up[rows], mode="markers", name=name, text=of.who(rows),
                marker={"color": HUES[i % len(HUES)], "size": 9, **style},
                hovertemplate=f"%{{text}}<br>{names[blind]} %{{x:.3f}}, {names[score]} %{{y:.3f}}<extra></extra>",
            )  # fmt: skip
    fig.update_xaxes(title=f"{names[blind]} (no truth needed)")
    fig.update_yaxes(title=f"{names[score]} (needs the truth)")
    found = f"{names[blind]} and {names[score]}: " + (
        f"rank correlation {number(rho)}" if rho == rho else "too few models"
    )
    note = f"highest {names[blind]}: {names[score]} {number(up[across.argmax()])}; the best has {number(up.max())}"
    return finish(fig, found, note, height=height)
