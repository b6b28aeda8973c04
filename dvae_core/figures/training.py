"""The course of training, member by member: bounds against the step, and which latents carry information."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Real
from plotly.subplots import make_subplots

from dvae_core.axes import Table
from dvae_core.figures.style import COLOURS, HUES, OUTLINE, filled, finish, join, number, sentence
from dvae_core.metrics import DEAD_NATS

SETTINGS = {"β": "beta", "lr": "lr"}  # columns in which members of a population may differ, beside their seed
WORDS = {"elbo": "ELBO", "recon": "reconstruction", "kl": "KL", "kl_dependence": "KL from dependence"}


def training_curves(
    history: Table,
    *,
    metric: str = "elbo",
    failed: Sequence[int] = (),
    stuck: Sequence[int] = (),
    steps: int | None = None,
    highlight: int | None = None,
    train_name: str = "train",
    title: str | None = None,
    height: int = 320,
) -> go.Figure:
    """Draw one thin line per member against the step: held-out solid, train dotted.

    Args:
        history: Columns step, member, seed, beta, split ("train" or "held_out") and the metric, nats per example; lr
            where members differ in it.
        metric: Column to draw: "elbo", "recon", "kl", "kl_1", ...
        failed: Members to mark with a cross and name; members with values that are not finite are marked too.
        stuck: Members to mark with an open circle and name. Neither they nor failed ones enter the title's mean.
        steps: End of the step axis; None for the last step so far. Give it while a run is at work.
        highlight: A member to draw thick; None for the best held-out one if the metric is "elbo".
        train_name: Name of the dotted curves in the legend.
        title: Replaces the title that states the finding.
        height: In pixels.
    """
    members = _members(history, metric, failed, stuck)
    if not members:
        return sentence("Nothing is logged yet: the curves begin after the first steps.", height=height)
    good = [m for m in members if m.is_good]
    if highlight is None and metric == "elbo" and len(good) > 1 and not _settings_differ(members):
        highlight = max(good, key=lambda m: m.last).member
    fig = make_subplots(1, 1)
    note = join("held-out, nats per example", _draw_members(fig, members, metric, highlight, steps, col=1))
    _draw_legend(fig, members, highlight, train_name)
    values, left_out = [m.last for m in good], _left_out(members)
    what = _word(metric)[0].upper() + _word(metric)[1:]
    if not good:
        found = f"{_word(metric)}: no member has a finite value"
    elif len(good) == 1:
        found = f"{what} {number(values[0])}{left_out}"
    elif _settings_differ(good):
        found = f"{what} {number(min(values))} to {number(max(values))} over {len(good)} members{left_out}"
    else:
        mean, std = number(float(np.mean(values))), number(float(np.std(values)))
        found = f"{what} {mean} ± {std} over {len(good)} seeds{left_out}"
    return finish(fig, title or found, note, height=height)


def training_split(
    history: Table,
    *,
    failed: Sequence[int] = (),
    stuck: Sequence[int] = (),
    steps: int | None = None,
    highlight: int | None = None,
    train_name: str = "train",
    title: str | None = None,
    height: int = 320,
) -> go.Figure:
    """Draw reconstruction and KL side by side: the two parts of the ELBO (elbo = recon - kl).

    Args:
        history: As `training_curves`; columns recon and kl.
        failed: Members to mark with a cross and name.
        stuck: Members to mark with an open circle.
        steps: End of the step axes.
        highlight: A member to draw thick.
        train_name: Name of the dotted curves in the legend.
        title: Replaces the title that states the finding.
        height: In pixels.
    """
    parts = [_members(history, metric, failed, stuck) for metric in ("recon", "kl")]
    if not all(parts):
        return sentence("Nothing is logged yet: the curves begin after the first steps.", height=height)
    fig = make_subplots(1, 2, shared_xaxes=True, horizontal_spacing=0.16)
    notes = [
        _draw_members(fig, members, metric, highlight, steps, col=col)
        for col, (members, metric) in enumerate(zip(parts, ("recon", "kl"), strict=True), 1)
    ]
    _draw_legend(fig, parts[0], highlight, train_name)
    good = [(r.last, k.last, k) for r, k in zip(*parts, strict=True) if r.is_good and k.is_good]
    if not good:
        found = "No member has a finite bound"
    elif _settings_differ(parts[0]):
        ends = sorted(good, key=lambda part: part[2].settings)
        found = "KL " + ", ".join(f"{number(kl)} nats at {m.group}" for _, kl, m in (ends[0], ends[-1]))
    else:
        recon, kl = np.median([part[:2] for part in good], axis=0)
        found = f"ELBO = {number(recon)} (reconstruction) − {number(kl)} (KL)"
    return finish(fig, title or found, join("held-out, nats per example", max(notes, key=len)), height=height)


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
        labels: Names of the members ("seed 3", "β = 4"); "member 1", ... by default.
        names: Names of the latents; z1, ... by default.
        title: Replaces the title that states the finding.
        height: In pixels.
    """
    p, d = kl_latent.shape
    if not kl_latent.size:
        return sentence("No latents yet: train for a moment.", height=height)
    names = filled(names, d, "z")
    labels = list(labels) or [f"member {m + 1}" for m in range(p)]
    kl_latent = np.where(np.isfinite(kl_latent), kl_latent, np.nan)
    order = np.argsort(-np.nan_to_num(kl_latent, nan=-1.0), axis=1, kind="stable")
    kl = np.take_along_axis(kl_latent, order, 1)
    at = np.arange(p)[:, None] * (d + 1.0) + np.arange(d)
    dead = ~(kl >= DEAD_NATS)
    top = max(1.2 * float(np.nan_to_num(kl).max()), 0.05)
    tile = 0.07 * top  # dead latents have no bar to hatch: a tile under the axis represents them
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
            marker={"color": COLOURS[colour], "line": OUTLINE, "pattern": pattern},
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
    return finish(fig, title or found, height=height)


class _Member(NamedTuple):
    """One member's finite steps and values of one metric. `group` names the settings that its seeds share."""

    member: int
    settings: tuple[float, ...]
    group: str
    name: str
    colour: str
    held_out: tuple[np.ndarray, np.ndarray]
    train: tuple[np.ndarray, np.ndarray]
    failed: bool
    stuck: bool

    @property
    def last(self) -> float:
        """The last finite held-out value."""
        return float(self.held_out[1][-1])

    @property
    def is_good(self) -> bool:
        """Whether the member has a number that counts in a mean."""
        return not self.failed and not self.stuck and len(self.held_out[1]) > 0


def _members(history: Table, metric: str, failed: Sequence[int], stuck: Sequence[int]) -> list[_Member]:
    if not len(history) or metric not in history:
        return []
    member, seed, step, value = (np.asarray(history[name], float) for name in ("member", "seed", "step", metric))
    held_out, finite = np.asarray(history["split"] == "held_out"), np.isfinite(value)
    order, found = np.argsort(step, kind="stable"), []
    symbols = [(sign, key) for sign, key in SETTINGS.items() if key in history and len(np.unique(history[key])) > 1]
    settings = np.array([np.asarray(history[key], float) for _, key in symbols]).reshape(len(symbols), len(member)).T
    groups = sorted({tuple(row) for row in settings.tolist()})
    for m in np.unique(member):
        mine = order[member[order] == m]
        test, train = (mine[finite[mine] & (held_out[mine] == side)] for side in (True, False))
        own, name = tuple(settings[mine[0]].tolist()), f"seed {int(seed[mine[0]])}"
        group = ", ".join(f"{sign} = {own_value:g}" for (sign, _), own_value in zip(symbols, own, strict=True))
        found.append(
            _Member(
                member=int(m),
                settings=own,
                group=group,
                name=f"{group}, {name}" if group else name,
                colour=HUES[groups.index(own) % len(HUES)],
                held_out=(step[test], value[test]),
                train=(step[train], value[train]),
                failed=bool(not finite[mine].all() or int(m) in failed),
                stuck=int(m) in stuck,
            )
        )
    return found


def _left_out(members: Sequence[_Member]) -> str:
    """Name the members that are in no mean: "; seed 1 failed; seed 4 is stuck", or count them if they are many."""
    parts = []
    stuck = [m.name for m in members if m.stuck and not m.failed]
    failed = [m.name for m in members if not m.is_good and m.name not in stuck]
    for names, one, several in ((failed, "failed", "failed"), (stuck, "is stuck", "are stuck")):
        if names:
            who = " and ".join(names) if len(names) <= 2 else f"{len(names)} members"
            parts.append(f"; {who} {one if len(names) == 1 else several}")
    return "".join(parts)


def _settings_differ(members: Sequence[_Member]) -> bool:
    return len({m.settings for m in members}) > 1


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
    """Draw all members' curves into one panel with its axes; return a note if the axis cuts off the first steps."""
    end = max([steps or 1, *(float(curve[0][-1]) for m in members for curve in (m.held_out, m.train) if len(curve[0]))])
    for m in members:
        colour = COLOURS["bad"] if m.failed else m.colour
        for (step, value), split, dash in ((m.train, "train", "dot"), (m.held_out, "held-out", "solid")):
            thick = split == "held-out" and m.member == highlight
            fig.add_scatter(
                x=step, y=value, mode="lines", showlegend=False, opacity=1.0 if split == "held-out" else 0.6,
                line={"color": colour, "width": 3 if thick else 1.2, "dash": dash}, row=1, col=col,
                hovertemplate=f"{m.name}, {split}<br>step %{{x}}: %{{y:.4g}}<extra></extra>",
            )  # fmt: skip
        if (m.failed or m.stuck) and len(m.held_out[0]):
            at = float(m.held_out[0][-1])
            symbol, what = ("x", "failed") if m.failed else ("circle-open", "stuck")
            fig.add_scatter(
                x=[at], y=[m.last], mode="markers+text", showlegend=False, cliponaxis=False, row=1, col=col,
                marker={"symbol": symbol, "size": 11, "color": COLOURS["bad"]}, text=[f" {m.name} {what} "],
                textposition="top left" if at > 0.6 * end else "top right",
                hovertemplate=f"{m.name} {f'failed after step {at:.0f}' if m.failed else 'is stuck'}<extra></extra>",
            )  # fmt: skip
    curves = [curve for m in members for curve in (m.held_out, m.train)]
    step, value = (np.concatenate([curve[k] for curve in curves]) for k in (0, 1))
    low, high = 0.0, 1.0
    if len(value):  # the range of everything after the first tenth of the steps, so that the start does not flatten it
        later = value[step >= 0.1 * step.max()]
        low, high = np.quantile(later, [0.005, 0.995]) if len(later) > 20 else (later.min(), later.max())
        pad = 0.08 * (high - low) or 0.5
        low, high = float(low - pad), float(high + pad)
    fig.update_xaxes(title="step", range=[0, end * 1.01], row=1, col=col)
    fig.update_yaxes(title=f"{_word(metric)} (nats)", range=[low, high], row=1, col=col)
    is_cut = bool(((value < low) | (value > high)).any())
    return "the axis cuts off the first steps" if is_cut else ""


def _draw_legend(fig: go.Figure, members: Sequence[_Member], highlight: int | None, train_name: str) -> None:
    differ = _settings_differ(members)
    groups = {m.group: m.colour for m in sorted(members, key=lambda m: m.settings)} if differ else {}
    entries = [(group, colour, "solid", 1.5) for group, colour in groups.items()]
    plain = COLOURS["reference"] if differ else HUES[0]
    entries.append(("held-out", plain, "solid", 1.5))
    entries += [(train_name, plain, "dot", 1.5)] if any(len(m.train[0]) for m in members) else []
    chosen = [m for m in members if m.member == highlight and len(members) > 1]
    entries += [(f"thick: {m.name}", m.colour, "solid", 4) for m in chosen]
    for name, colour, dash, width in entries:
        line = {"color": colour, "dash": dash, "width": width}
        fig.add_scatter(x=[None], y=[None], mode="lines", line=line, name=name, row=1, col=1)
