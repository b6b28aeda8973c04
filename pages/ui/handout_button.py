"""Offer a run, or the talk, as one HTML file that is live in any browser."""

import subprocess
import sys
import tempfile
from pathlib import Path

import streamlit as st

from dvae_core.runs import Run, RunError
from pages.ui import page as ui

HELP = (
    "One HTML file: sliders, dial, scores and provenance. It opens in any browser, also on a phone, without a network"
)
ROOT = Path(__file__).parents[2]


def handout_button(run: Run, member: int) -> None:
    """Offer the hand-out of a run, with one member shown; rows of the data are put in only if asked for."""
    if run.kind == "latents":  # a hand-out decodes
        return
    with st.popover("Hand-out", icon=":material/ios_share:", help=HELP):
        try:
            from dvae_core.live.handout import of_run  # not at the top: it loads plotly

            of_run.refuse_diverged(run, member, ui.plan_of(run))
        except RunError as error:
            ui.problem(error)
            return
        wanted = st.checkbox("Put rows of the data in", key=f"handout.rows.{run.id}")
        if wanted:
            st.caption(of_run.examples_allowed(run, True)[1])
        st.download_button(
            "Download the hand-out (HTML)",
            lambda: of_run.run_handout(run, member, with_examples=wanted).html(),
            f"{run.id}.html", "text/html", on_click="ignore", icon=":material/download:", key=f"handout.{run.id}",
        )  # fmt: skip


def talk_button() -> None:
    """Offer the talk's hand-out."""
    st.download_button(
        "The talk as one file (HTML)", _talk, "talk.html", "text/html", on_click="ignore", icon=":material/download:",
        help=f"{HELP}. Writing it takes about 20 s.", key="handout.talk",
    )  # fmt: skip


@st.cache_data(show_spinner=False)
def _talk() -> bytes:
    # In a separate process: it draws every slide once, which must not hold up a server.
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "talk.html"
        command = [sys.executable, "-m", "dvae_core", "handout", "talk", "--out", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
        if done.returncode:
            raise RunError(done.stderr.strip().rpartition("\n")[2])
        return file.read_bytes()
