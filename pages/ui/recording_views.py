"""The report on a recording's run: one verdict, the numbers behind it side by side, and the conclusions they allow."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dvae_core import figures
from dvae_core.analysis.recording.record import NOTHING, SAME_AXES, Recording, RecordingAxes, along
from dvae_core.runs import Run
from pages.ui import page as ui
from pages.ui import run_panel

UNITS = 10  # of each latent
INTERVAL = "The interval is that of the mean over seeds: seeds and stretches of rows are drawn again, 400 times."
RULE_NAMES = {"u": "most tied to u first", "slow": "slowest first", "as trained": "as trained"}


def applies(run: Run) -> bool:
    """Whether a run has a report: several seeds that were trained on a recording for one of its two goals."""
    return run.config.model.student and run.config.is_conditional and run.config.members > 1


def show(run: Run) -> None:
    """Show the report, or offer to compute it."""
    st.subheader("Is this latent space real?", anchor=False, divider="gray")
    found = Recording.load(run, "recording")
    if found is None:
        st.caption("The report trains one more population, with u shuffled, if that takes less than five minutes.")
        run_panel.ask(run, "recording", "Compute the report", "Comparing seeds, shuffling u, decoding")
        return
    box = st.success if found.verdict == SAME_AXES else st.error if found.verdict == NOTHING else st.info
    icons = {SAME_AXES: ":material/check_circle:", NOTHING: ":material/block:"}
    box(f"**{found.verdict[0].upper()}{found.verdict[1:]}.**", icon=icons.get(found.verdict, ":material/360:"))
    st.markdown(found.statement)
    left, right = st.columns(2, gap="large")
    left.markdown(agreement_table(found))
    right.markdown(decoding_table(found))
    axes = RecordingAxes.load(run, "axes")
    if axes is not None:
        st.markdown(axes_line(axes))
        names = run.about.get("x_names") or ()
        if axes.effect is not None and names:
            with st.expander("Which units carry a latent?", icon=":material/neurology:"):
                units(run, axes, names)
        st.download_button(
            "Axes and consensus (.npz)", (run.path / "analysis" / "axes.npz").read_bytes(), f"{run.id}-axes.npz",
            on_click="ignore", icon=":material/download:",
            help="The linear map to these axes for every seed, and the consensus of the seeds at the held-out rows",
        )  # fmt: skip
    st.caption(
        " ".join([
            f"{found.rows:,} held-out rows, {len(found.seeds)} seeds; the worst pair in brackets.",
            *found.notes, counts_line(found),
        ])
    )  # fmt: skip
    if found.shuffled_u is None and run.status().state == "finished":
        run_panel.ask(run, "recording", "Train the control with u shuffled", "Shuffling u", control="yes")


def units(run: Run, axes: RecordingAxes, names: Sequence[str]) -> None:
    """Show which units change most along each axis, and the raster with the units in the order of one axis."""
    d, known = axes.A.shape[1], (run.about.get("reading") or {}).get("units")
    for cell, latent in zip(st.columns(d), range(d), strict=True):
        cell.markdown(units_table(axes, names, latent, known))
    st.caption(
        f"Change of {'log rate' if run.config.model.likelihood.is_count else 'preprocessed x'} for one standard "
        "deviation of the axis: the decoder's Jacobian, averaged over held-out rows and seeds. The sign of an axis is "
        f"a convention. {INTERVAL if axes.effect_low is not None else 'The range is that of the seeds.'}"
    )
    of = [str(k) for k in range(d)]
    chosen = ui.choice(st.segmented_control, "Raster along", of, param="along", show=lambda k: f"z{int(k) + 1}")
    ui.plot(raster(run, axes, names, int(chosen)), key="agree.raster")


def raster(run: Run, axes: RecordingAxes, names: Sequence[str], latent: int) -> Any:
    """Draw held-out x with the units in the order of their change along an axis, and that axis below."""
    order, x, z = along(run, axes, latent)
    return figures.recording(
        x, z, names=[names[j] for j in order], u_names=[f"z{latent + 1}"],
        unit="spikes a bin" if run.config.model.likelihood.is_count else "value", limit=len(x),
    )  # fmt: skip


def agreement_table(found: Recording) -> str:
    """Return what the seeds agree on, beside the same among rows of equal u and with u shuffled, as Markdown."""
    control: dict[str, Any] = found.shuffled_u or {}
    rule = found.rule_axes_mcc[found.rule]
    rows = [
        ("Axes as trained (MCC)", found.own_axes_mcc, found.within_u["own_axes_mcc"], control.get("own_axes_mcc")),
        (f"Axes {RULE_NAMES[found.rule]} (MCC)", rule, found.within_u["rule_axes_mcc"], None),
        ("Space (R² of a linear map)", found.linear_r2, found.within_u["linear_r2"], control.get("linear_r2")),
    ]
    if found.rule == "as trained":
        del rows[1]
    lines = [f"| {name} | {_spread(all_)} | {_spread(within)} | {_spread(of)} |" for name, all_, within, of in rows]
    ends = [f"| Random rotation (MCC) | {found.rotation_floor:.2f} | | |"]
    if found.consensus is not None:
        both = found.consensus
        ends.append(f"| Half of the seeds with the other: axes | {both['axes_mcc']:.2f} | | |")
        ends.append(f"| Half of the seeds with the other: space | {both['linear_r2']:.2f} | | |")
    ends.append(f"| Share of variance that u explains | {found.u_share:.2f} | | |")
    if found.log_var_sd is not None:
        ends.append(f"| Spread over u of log var(u) | {found.log_var_sd:.2f} | | |")
    return "\n".join(["| seeds agree on | all rows | equal u | u shuffled |", "|---|---|---|---|", *lines, *ends])


def counts_line(found: Recording) -> str:
    """Return the gain of a negative binomial over Poisson, or how to compute it."""
    of = found.negative_binomial
    if of is None:
        return ""
    better = of["gain"] > 2 * of["error"]
    return (
        f"A negative binomial changes the held-out bound by {of['gain']:+.2f} \N{PLUS-MINUS SIGN} {of['error']:.2f} "
        f"nats a row: {'the counts vary more than Poisson allows' if better else 'Poisson does for these counts'}."
    )


def decoding_table(found: Recording) -> str:
    """Return how well u is decoded from the latents and from what the encoder sees, as Markdown."""
    names = {"latents": "Latents e(x)", "window": "The whole window", "pca": "As many principal components of it"}
    control = found.shuffled_u
    lines = [
        f"| {name} | {found.decoding['linear'][key]['mean']:.2f} | {found.decoding['neighbours'][key]['mean']:.2f} |"
        for key, name in names.items()
    ]
    if control is not None:
        scores = [control["decoding"][reader]["latents"]["mean"] for reader in ("linear", "neighbours")]
        lines.append(f"| Latents trained with u shuffled | {scores[0]:.2f} | {scores[1]:.2f} |")
    measure = "accuracy" if found.decoding["measure"] == "accuracy" else "R²"
    near = found.decoding["neighbours_used"]
    return "\n".join([f"| u from ({measure}) | linear | {near} neighbours |", "|---|---|---|", *lines])


def axes_line(axes: RecordingAxes) -> str:
    """Return the rule, what it orders by, and which axes it fixes only up to a plane."""
    values, planes = axes.eigenvalue[0].tolist(), axes.plane[0].tolist()
    if axes.rule == "as trained":
        return "Each axis is a latent as it was trained, standardised."
    low, high = axes.low[0].tolist(), axes.high[0].tolist()
    what = "share of variance that u explains" if axes.rule == "u" else "mean squared step"
    parts = [f"{v:.2f}" + (f" [{a:.2f}, {b:.2f}]" if a == a else "") for v, a, b in zip(values, low, high, strict=True)]
    shared = [[f"z{i + 1}" for i, p in enumerate(planes) if p == plane] for plane in dict.fromkeys(planes)]
    flat = [" and ".join(names) for names in shared if len(names) > 1]
    note = f" {'; '.join(flat)} are fixed only up to the plane that they span: their intervals overlap." if flat else ""
    return f"Axes {RULE_NAMES[axes.rule]}, by {what}: {', '.join(parts)} (first seed).{note}"


def units_table(
    axes: RecordingAxes, names: Sequence[str], latent: int, known: Mapping[str, Mapping[str, Any]] | None = None
) -> str:
    """Return the units that change most along an axis, the strongest first, as Markdown; "" if they are not known.

    Args:
        axes: The axes, with the effect on every unit.
        names: Names of the units.
        latent: The axis.
        known: Area and depth of units by name, as the record of reading has them.
    """
    if axes.effect is None:
        return ""
    effects, where = axes.effect[:, latent], known or {}
    low, high = axes.effect_low, axes.effect_high
    more = [what for what in ("area", "depth") if any(what in unit for unit in where.values())]
    head = ["unit", *more, f"along z{latent + 1}", "over seeds" if low is None or high is None else "95 % interval"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for j in axes.strongest(latent)[:UNITS]:
        seeds = effects[:, j].min(), effects[:, j].max()
        ends = seeds if low is None or high is None else (low[latent, j], high[latent, j])
        place = [str(where.get(names[j], {}).get(what, "")) for what in more]
        cells = [names[j], *place, f"{effects[:, j].mean():+.2f}", f"{ends[0]:+.2f} to {ends[1]:+.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _spread(values: dict[str, float] | None) -> str:
    return "" if values is None else f"{values['mean']:.2f} ({values['min']:.2f})"
