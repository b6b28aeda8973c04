"""What changes, and what stays the same, as latents are rotated."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Real, Shaped
from plotly.colors import hex_to_rgb
from plotly.subplots import make_subplots

from dvae_core.axes import evenly
from dvae_core.figures.scatter import dots
from dvae_core.figures.style import COLOURS, FULL_LINE, HUES, SYMBOLS, Hue, finish, join, name_hues, number, sentence

FEWEST_EFFECTIVE = 10  # importance samples
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


def largest_change(mean: Shaped[np.ndarray, " t"], error: Shaped[np.ndarray, " t"] | None = None) -> tuple[float, bool]:
    """Return how far a curve moves from its first value, in nats, and whether it is flat.

    Flat means: every change is below 0.02 nats, which no figure shows, or within 3 standard errors of the difference.

    Args:
        mean: The curve.
        error: Standard error of each value, or None for exact ones.
    """
    change = np.abs(np.asarray(mean, float) - mean[0])
    noise = np.zeros(len(change)) if error is None else np.hypot(error, error[0])
    return float(change.max()), bool((change <= np.maximum(0.02, 3 * noise)).all())


def rotation_curve(
    angle_deg: Real[np.ndarray, " t"],
    curves: Mapping[str, tuple[Shaped[np.ndarray, " t"], Shaped[np.ndarray, " t"] | None]],
    *,
    at: float | None = None,
    mcc: Real[np.ndarray, " t"] | None = None,
    thin: Collection[str] = (),
    note: str = "",
    title: str | None = None,
    stacked: bool = False,
    height: int = 340,
) -> go.Figure:
    """Draw what changes, and what stays the same, as the latents turn: nats relative to angle 0, and MCC beside it.

    Args:
        angle_deg: Angles in degrees, ascending.
        curves: By name (mean, standard error or None), nats per example; the band is +- 2 standard errors.
        at: Angle of the dial, in degrees.
        mcc: MCC at each angle, if the truth is known; it gets its own panel.
        thin: Names of curves drawn thin, without markers, and left out of the title: closed forms, or misleading
            curves. They do not stretch the axis.
        note: Text before the second line.
        title: Replaces the title that states the finding.
        stacked: Draw MCC below the nats, for a phone.
        height: In pixels.
    """
    if not len(angle_deg) or not curves:
        return sentence("The curve against the angle is not computed yet.", height=height)
    if not all(np.isfinite(mean).all() for mean, _ in curves.values()):
        return sentence("This member diverged: its curve has values that are not finite.", height=height)
    shares = [1.0] if mcc is None else [0.6, 0.4]
    beside: dict[str, Any] = (
        {"rows": len(shares), "row_heights": shares} if stacked else {"cols": len(shares), "column_widths": shares}
    )
    fig = make_subplots(**beside, horizontal_spacing=0.16, vertical_spacing=0.2)
    last: dict[str, Any] = {"row": len(shares), "col": 1} if stacked else {"row": 1, "col": len(shares)}
    reach, off = 0.1, {}
    for i, (name, (mean, error)) in enumerate(curves.items()):
        change, band = _draw_change(fig, i, name, angle_deg, mean, error, is_thin=name in thin)
        if name in thin and len(thin) < len(curves):
            off[name] = float(change[np.abs(change).argmax()])
        else:
            reach = max(reach, float(np.nanmax(np.abs(band))))
    moves = {name: largest_change(*curve) for name, curve in curves.items() if name not in thin}
    if all(is_flat for _, is_flat in moves.values()):
        reach = max(reach, 0.5)  # flat curves should look flat
    fig.update_yaxes(title="change from 0° (nats)", range=[-1.1 * reach, 1.1 * reach], row=1, col=1)
    if mcc is not None:
        _draw_mcc(fig, angle_deg, mcc, last)
    ends = [float(angle_deg[0]), float(angle_deg[-1])]
    fig.update_xaxes(title="angle (degrees)", range=ends, dtick=15 if ends[1] - ends[0] <= 90 else 45)
    if at is not None:
        fig.add_vline(x=at, line={"color": COLOURS["bad"], "dash": "dot", "width": 2})
    off = {name: most for name, most in off.items() if abs(most) > 1.1 * reach}  # in full it would flatten the rest
    note = join(note, *(f"{name} leaves the plot, to {number(most)} nats" for name, most in off.items()))
    if any(error is not None for _, error in curves.values()):
        note = join(note, "band: ± 2 standard errors (Monte Carlo)")
    if mcc is not None and np.isfinite(mcc).any():
        low = int(np.nanargmin(mcc))
        note = join(f"MCC {mcc[0]:.2f} at {angle_deg[0]:g}°, {mcc[low]:.2f} at {angle_deg[low]:g}°", note)
    return finish(fig, title or _what_turning_does(moves), note, height=height)


def _draw_change(
    fig: go.Figure, i: int, name: str, angle_deg: np.ndarray, mean: np.ndarray, error: np.ndarray | None, *,
    is_thin: bool,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Draw a curve's change from its first value, and its band; return the change, and the band's outline."""
    change = np.asarray(mean, float) - mean[0]
    band = np.zeros(len(change)) if error is None else 2 * np.asarray(error, float)
    outline = np.concatenate([change + band, (change - band)[::-1]])
    colour, dash = HUES[i % len(HUES)], DASHES[i % 4]
    if error is not None:
        red, green, blue = hex_to_rgb(colour)
        fig.add_scatter(
            x=np.concatenate([angle_deg, angle_deg[::-1]]), y=outline, fill="toself",
            fillcolor=f"rgba({red},{green},{blue},0.2)", mode="lines", line={"width": 0}, hoverinfo="skip",
            showlegend=False, row=1, col=1,
        )  # fmt: skip
    fig.add_scatter(
        x=angle_deg, y=change, mode="lines" if is_thin else "lines+markers", name=name, row=1, col=1,
        line={"color": colour, "dash": dash, "width": 1.2 if is_thin else 2},
        marker={"symbol": SYMBOLS[i % 10], "size": 6},
        hovertemplate=f"{name} at %{{x}}°: %{{y:+.4f}} nats<extra></extra>",
    )  # fmt: skip
    return change, outline


def _draw_mcc(fig: go.Figure, angle_deg: np.ndarray, mcc: np.ndarray, where: dict[str, Any]) -> None:
    fig.add_scatter(
        x=angle_deg, y=mcc, mode="lines+markers", name="MCC", showlegend=False,
        line={"color": COLOURS["factor"]}, marker={"symbol": "diamond", "size": 6},
        hovertemplate="MCC at %{x}°: %{y:.3f}<extra></extra>", **where,
    )  # fmt: skip
    fig.update_yaxes(title="MCC", range=[0, 1.02], **where)


def _what_turning_does(moves: Mapping[str, tuple[float, bool]]) -> str:
    """Return the title: the curves that stay as they are, and those that change."""
    flat = {name: largest for name, (largest, is_flat) in moves.items() if is_flat}
    bent = [f"{name} by {number(largest)} nats" for name, (largest, is_flat) in moves.items() if not is_flat]
    parts = []
    if flat:
        parts.append(f"turning leaves {' and '.join(flat)} unchanged (to {max(flat.values()):.1g} nats)")
    if bent:
        parts.append(f"turning changes {' and '.join(bent)}")
    return f"T{'; '.join(parts)[1:]}"


def is_trusted(effective: Shaped[np.ndarray, " t"] | None) -> bool:
    """Whether log p(x) rests on ten or more importance samples in a typical example, at every angle.

    Args:
        effective: The number of samples at each angle. None, from an earlier version that did not count them, passes.
    """
    return effective is None or bool(np.min(effective) >= FEWEST_EFFECTIVE)


def rotation_story(
    found: Mapping[str, Shaped[np.ndarray, "..."]], *, conditional: bool = False, at: float | None = None,
    stacked: bool = False,
) -> go.Figure:  # fmt: skip
    """Draw likelihood and bounds against the angle, from a rotation analysis or from the exact model's `curves`.

    With a standard prior, log p(x) and the ELBO of a full-covariance q are flat, the ELBO of the best diagonal q bends,
    and its closed form is drawn thin beside it. With a conditional prior, log p(x|u) is drawn with the prior refitted
    at every angle, and thin with the prior held fixed, which bends even if nothing is identified. Curves that `found`
    does not have are left out, and so is log p(x) if too few importance samples count (`is_trusted`).

    Args:
        found: Arrays by name: angle, log_px and further ones, each optionally with a <name>_error.
        conditional: Whether log_px is log p(x|u).
        at: Angle of the dial, in degrees.
        stacked: Draw MCC below the nats, for a phone.
    """
    curves, thin, note = {}, [], ""
    fixed = "log p(x|u), prior held fixed"

    def add(label: str, name: str) -> None:
        if name in found and (name != "log_px" or is_trusted(found.get("effective"))):
            curves[label] = (found[name], found.get(f"{name}_error"))

    if "log_pxu_refitted" in found:
        add("log p(x|u), prior refitted", "log_pxu_refitted")
        add(fixed, "log_pxu_fixed")
        add("refitted, whitened within u", "log_pxu_refitted_whitened")
        thin = [name for name in (fixed, "refitted, whitened within u") if name in curves]
    else:
        add("log p(x|u)" if conditional else "log p(x)", "log_px")
        add("ELBO (full q)" if "elbo_full" in found else "ELBO", "elbo_full" if "elbo_full" in found else "elbo")
        add("ELBO (diagonal q)", "elbo_diagonal")
        if "gap_closed_form" in found and "elbo_full" in found and len(found["angle"]):
            curves["its closed form"] = (found["elbo_full"] - found["gap_closed_form"], None)
            thin = ["its closed form"]
            gap = found["elbo_full"] - found["elbo_diagonal"]
            most = int(gap.argmax())
            where = f"{number(float(gap[0]))} nats at 0°, {number(float(gap[most]))} at {found['angle'][most]:g}°"
            note = f"a diagonal q loses {where}"
    mcc = found.get("mcc")
    return rotation_curve(found["angle"], curves, at=at, mcc=mcc, thin=thin, note=note, stacked=stacked)


def which_is_true(
    points: Shaped[np.ndarray, "n d"],
    M: Shaped[np.ndarray, "d d"],
    hue: Hue = None,
    hue_names: Sequence[str] = (),
    *,
    plane: tuple[int, int] = (0, 1),
    swapped: bool = False,
    titles: tuple[str, str] = ("Model A", "Model B"),
    title: str = "Two models of the same data: which one is the true one?",
    stacked: bool = False,
    height: int = 460,
) -> go.Figure:
    """Draw the latents of a model and of its rotated twin beside each other, without saying which is which.

    Args:
        points: Latents of the model, one row per example.
        M: Orthogonal; the twin's latents are M z.
        hue: Integer codes or numbers, one per row, or None.
        hue_names: Names of the codes, or the one name of the numbers.
        plane: The two latents shown.
        swapped: Put the twin on the left.
        titles: Titles of the two panels.
        title: Title of the figure.
        stacked: Draw one model below the other, for a phone.
        height: In pixels.
    """
    if len(points) < 2 or not np.isfinite(points).all():
        return sentence("There is nothing to compare: too few rows, or the member diverged.", height=height)
    clouds = [points[:, plane], (points @ M.T)[:, plane]][:: -1 if swapped else 1]
    rows = evenly(len(points), 1500)
    reach = 1.06 * float(max(np.abs(cloud).max() for cloud in clouds))
    shape: dict[str, Any] = {"rows": 2} if stacked else {"cols": 2}
    fig = make_subplots(**shape, subplot_titles=titles, horizontal_spacing=0.12, vertical_spacing=0.22)
    for k, cloud in enumerate(clouds, 1):
        here: dict[str, Any] = {"row": k, "col": 1} if stacked else {"row": 1, "col": k}
        for trace in dots(cloud, hue, hue_names, rows, COLOURS["latent"], legend=k == 1):
            fig.add_trace(trace, **here)
        fig.update_xaxes(title=f"z{plane[0] + 1}", range=[-reach, reach], constrain="domain", **here)
        same = {"scaleanchor": f"x{k if k > 1 else ''}", "scaleratio": 1, "constrain": "domain"}
        fig.update_yaxes(title=f"z{plane[1] + 1}", range=[-reach, reach], **here, **same)
    return finish(name_hues(fig, hue), title, height=height, panels=True)


def bend_curves(
    curves: Mapping[str, tuple[Sequence[float | int] | np.ndarray, Sequence[float | int] | np.ndarray]], *,
    at: float | int | None = None, height: int = 380,
) -> go.Figure:  # fmt: skip
    """Draw the nats of log p that a turn of the axes costs under several assumptions.

    Args:
        curves: By assumption, the angles in degrees and the nats at each.
        at: Angle of the dial, in degrees.
        height: In pixels.
    """
    if not curves:
        return sentence("There is no curve to draw.", height=height)
    fig = go.Figure()
    for i, (name, (angles, nats)) in enumerate(curves.items()):
        line = {"color": HUES[i % len(HUES)], "dash": DASHES[i % len(DASHES)], "width": 2.5}
        fig.add_scatter(x=angles, y=nats, mode="lines", name=name, line=line)
    if at is not None:
        fig.add_vline(x=at, line={"color": COLOURS["bad"], "dash": "dot", "width": 2})
    fig.update_xaxes(title="angle of the axes (degrees)", range=[0, 90], dtick=15)
    fig.update_yaxes(title="nats of log p lost")
    return finish(fig, "What a turn of the axes costs, prior fitted anew", "", height=height, line=FULL_LINE)


def posterior_ellipses(
    mean: Shaped[np.ndarray, "n 2"],
    covs: Mapping[str, tuple[Shaped[np.ndarray, "n 2"], Shaped[np.ndarray, "n 2 2"]]],
    *,
    limit: int = 12,
    height: int = 460,
) -> go.Figure:
    """Draw Gaussians over two latents for some examples, as ellipses at one standard deviation.

    Args:
        mean: Means of the exact posteriors, of which evenly spaced ones are drawn.
        covs: By name, the mean and the covariance of each example.
        limit: Number of examples.
        height: In pixels.
    """
    if not len(mean):
        return sentence("There are no posteriors to draw.", height=height)
    rows = evenly(len(mean), limit)
    angle = np.linspace(0, 2 * np.pi, 61)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    fig = go.Figure()
    for k, (name, (centre, cov)) in enumerate(covs.items()):
        rings = centre[rows, :, None] + np.linalg.cholesky(cov[rows]) @ circle
        gaps = np.concatenate([rings, np.full((len(rows), 2, 1), np.nan)], 2)  # between one ellipse and the next
        line = {"color": HUES[k % len(HUES)], "dash": DASHES[k % len(DASHES)], "width": 2}
        fig.add_scatter(x=gaps[:, 0].ravel(), y=gaps[:, 1].ravel(), mode="lines", name=name, line=line)
    fig.update_xaxes(title="z1", constrain="domain")
    fig.update_yaxes(title="z2", scaleanchor="x", constrain="domain")
    title = "Given one x, how wide z is, and along which axes"
    return finish(fig, title, f"{len(rows)} examples, one standard deviation", height=height, line=FULL_LINE)
