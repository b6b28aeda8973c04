"""Chapter 3, without true factors: up to which map do the seeds agree, and what does agreement not show?"""

import streamlit as st

from dvae_core.analysis.agreement.record import Agreement, comparable, file_name, shares_u
from dvae_core.runs import Run, RunError
from pages.ui import agree_comparison, agree_views, code, recording_views, run_panel, session_views
from pages.ui import page as ui

MATHS = r"""Each rung is fitted on one half of the held-out rows, scored by $R^2$ on the other, mean over latents:

1. identity: $z' = z$
2. order, sign, scale, offset: $z'_i = a_i z_{\pi(i)} + b_i$
3. then two branches. *Pointwise*: $z'_i = h_i(z_{\pi(i)})$, $h_i$ monotone.
   *Linear*: a rotation $z' = s M z$, $M^\top M = I$, within any linear map $z' = A z + c$.

Theorem 2 leaves rung 2 and the pointwise branch; theorem 1 a linear map of the statistics. A Gaussian prior leaves
every rotation. A rung counts from $R^2 = 0.95$."""


def toolbar() -> tuple[Run, Run | None]:
    """Show the choices of this page in one row."""
    cells = st.columns([3, 3], vertical_alignment="top")
    with cells[0]:
        run = ui.pick_run(prefer=lambda r: r.config.members > 1 and r.config.is_conditional)
    same = [r.id for r in comparable(ui.usable_runs(), run)[1:]]
    others = {r.id: r for r in ui.usable_runs() if r.id in same or shares_u(r, run)}
    with cells[1]:
        other = ui.choice(
            st.selectbox, "Compare with", ["none", *others], param="beside", default=first_shown(run, same),
            show=lambda i: f"{ui.run_label(others[i])}{'' if i in same else ' (other data, same u)'}"
            if i in others else "Its own seeds only",
        )  # fmt: skip
    return run, others.get(other)


def first_shown(run: Run, same: list[str]) -> str:
    """Return the comparison that the page opens with: one that is already computed, if there is one."""
    known = [other for other in (*same, "") if Agreement.load(run, file_name(other)) is not None]
    return (known[0] or "none") if known else next(iter(same), "none")


ui.start(
    "agree",
    "Do the seeds agree?",
    "No true factors needed: train several seeds and measure up to which map their latents agree.",
    maths=MATHS,
)
try:
    run, other = toolbar()
    if recording_views.applies(run):
        recording_views.show(run)
    if session_views.applies(run):
        session_views.show(run)
    found = Agreement.load(run, file_name(other.id if other else ""))
    if found is not None:
        agree_views.show(run, other, found)
    elif other is None and run.config.members < 2:
        st.info(
            "This run has a single member, so there is nothing to compare it with; train several seeds.",
            icon=":material/info:",
        )
        ui.link("train", "Train more seeds")
    else:
        label = "Compare the seeds" if other is None else "Compare the two runs, seed by seed"
        run_panel.ask(run, "agreement", label, "Comparing every pair", other="" if other is None else other.id)
    agree_views.report(run)
    agree_comparison.section(run, comparable(ui.usable_runs(), run)[1:])
    agree_views.caution()
    code.show(
        "from dvae_core import runs\nfrom dvae_core.metrics import ladder, pair_mcc\n\n"
        f"{code.opening(run)}\na, b = run.latents()['mu_z'][:2].astype(float)\n"
        "print(pair_mcc(a, b).value, ladder(a, b).r2)"
    )
except RunError as error:
    ui.problem(error)
ui.foot("agree")
