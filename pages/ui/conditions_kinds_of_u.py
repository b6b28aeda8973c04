"""Which u is enough? Small populations trained on worlds that differ in u, one point each, with progress and Stop."""

from pathlib import Path

import streamlit as st

from dvae_core import figures, runs
from dvae_core.analysis.conditions.record import kinds_of_u, shipped_kinds_of_u
from dvae_core.runs import Run, RunError
from dvae_core.work import jobs
from pages.ui import page as ui
from pages.ui.run_panel import POLL_SECONDS

POPULATIONS = 160  # in total: 6 numbers of segments and 2 weaker strengths, 4 modes each, on 5 worlds
ABOUT = (
    "Two factors, x in two dimensions, 2,000 rows. Every point is a mean over five worlds (data seeds 0 to 4, not "
    "chosen: other factors, other changes with u, another mixing), with two small models on each, trained for 400 "
    "steps. The world's u moves means, variances or both, and the prior does the same; *no u* is a plain VAE. MCC "
    "beside its gain over copying u: where u moves the means, copying it scores high without any model."
)


def begin(folder: Path) -> None:
    """Queue the populations, from the first one or from the point where training stopped."""
    try:
        run = runs.unlisted_run(folder)
        (folder / "STOP").unlink(missing_ok=True)
        jobs.analyse(run, "kinds_of_u")
    except RunError as error:
        ui.problem(error)
        return
    st.rerun()


def section() -> None:
    """Show the curves so far, and start, stop or resume the training."""
    folder = runs.default_store() / "studies" / "what-must-u-be-like"
    busy = jobs.is_analysing(Run(folder))

    @st.fragment(run_every=2 * POLL_SECONDS if busy else None)
    def panel() -> None:
        rows = kinds_of_u(folder)
        if busy and not jobs.is_analysing(Run(folder)):
            st.rerun()
        st.markdown("#### What must u be like?")
        st.caption(ABOUT)
        with st.container(horizontal=True, vertical_alignment="center"):
            if busy:
                is_stopping = (folder / "STOP").exists()
                st.button(
                    "Stopping ..." if is_stopping else "Stop", icon=":material/stop:", disabled=is_stopping,
                    on_click=jobs.stop, args=(Run(folder),), key="kinds_of_u.stop",
                )  # fmt: skip
                st.progress(min(len(rows) / POPULATIONS, 1.0), f"{len(rows)} of {POPULATIONS} populations")
            elif len(rows) < POPULATIONS and st.button(
                "Resume" if rows else "Train them again here",
                icon=":material/play_arrow:",
                key="kinds_of_u.start",
                help="About 8 minutes of one core",
            ):
                begin(folder)
        if not rows:
            rows = shipped_kinds_of_u()
        many = [row for row in rows if row["strength"] == 1]
        strong = [row for row in rows if row["segments"] == 10]
        for cell, what in zip(st.columns(3), ("mcc", "gain", "condition"), strict=True):
            with cell:
                ui.plot(figures.kinds_of_u_lines(many, "segments", what=what), key=f"kinds_of_u.segments.{what}")
                if len({row["strength"] for row in strong}) > 1:
                    ui.plot(figures.kinds_of_u_lines(strong, "strength", what=what), key=f"kinds_of_u.strength.{what}")

    panel()
