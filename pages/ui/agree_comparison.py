"""The Agree page's last section: any runs and imported latents side by side, as a picture and as sentences."""

import streamlit as st

from dvae_core import figures
from dvae_core.analysis.comparison.record import Comparison, file_name, verdict
from dvae_core.runs import Run
from pages.ui import page as ui
from pages.ui import run_panel

RUNGS = {
    "identity": "as they are", "order-sign-scale": "order, sign, scale", "monotone": "a monotone curve each",
    "rotation": "a rotation", "affine": "a linear map", "none": "nothing linear", None: "–",
}  # fmt: skip


def section(run: Run, same_data: list[Run]) -> None:
    """Compare a run with chosen others on the held-out rows that all of them have."""
    st.subheader("Side by side", anchor=False, divider="gray")
    by_id = {other.id: other for other in same_data}
    cells = st.columns([3, 2], vertical_alignment="bottom")
    with cells[0]:
        chosen = st.multiselect(
            "With", list(by_id), default=list(by_id)[:3], format_func=lambda i: ui.run_label(by_id[i]),
            key=f"agree.with.{run.id}", placeholder="Runs and imported latents of the same data",
        )  # fmt: skip
    about = run.about
    targets = {"u": f"u ({', '.join(about.get('u_names') or ())})"} if about.get("d_u") else {}
    targets |= {f"z:{i + 1}": f"factor {name}" for i, name in enumerate(about.get("z_names") or ())}
    target = ""
    with cells[1]:
        if targets:
            target = ui.choice(st.selectbox, "Decode", list(targets), param="target", show=targets.__getitem__)
    name = file_name(chosen, target)
    found = Comparison.load(run, name)
    if found is None:
        run_panel.ask(
            run, "comparison", "Compare on the same rows", "Comparing", others=",".join(chosen), target=target
        )
        return
    st.markdown("\n".join(f"- {line}" for line in verdict(found)))
    ui.plot(
        figures.comparison(
            found.runs, rotation=found.rotation, lines=found.lines, target=found.target, measure=found.measure
        ), key="agree.comparison",
    )  # fmt: skip
    _table(found)
    st.caption(" ".join((
        f"{found.rows:,} held-out rows that all have; decoded from latents that have not seen u, fitted on every other "
        "of 20 stretches. Control of agreement: the rows of one seed are shuffled within each u.", *found.notes,
    )))  # fmt: skip


def _table(found: Comparison) -> None:
    heads = ["", "seeds", "agree up to", "MCC", "within u", "u alone", found.target or "decoding", "truth", "seconds"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for run in found.runs:
        cells = [str(run["name"]).replace("|", "\\|"), str(run["seeds"]), RUNGS[run["rung"]]]
        cells += [_number(run[key]) for key in ("mcc", "within_u", "u_alone", "decoding", "truth")]
        cells.append("–" if run["seconds"] is None else f"{run['seconds']:,.0f}")
        lines.append("| " + " | ".join(cells) + " |")
    st.markdown("\n".join(lines))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
