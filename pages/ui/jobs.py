"""Training as the page sees it: start a run, poll its folder, stop it, go on. Every state has a face."""

import time
from pathlib import Path

import streamlit as st

from dvae_core import figures, jobs, runs
from dvae_core.analysis import read
from dvae_core.config import Config
from dvae_core.runs import Run, RunError, Status
from pages.ui import page as ui

POLL_SECONDS = 0.8
FACES = {
    "queued": ("Queued", ":material/schedule:", "gray"),
    "warming": ("Warming up", ":material/hourglass_top:", "orange"),
    "running": ("Training", ":material/directions_run:", "blue"),
    "stopped": ("Stopped", ":material/pause:", "gray"),
    "failed": ("Failed", ":material/error:", "red"),
    "finished": ("Finished", ":material/check:", "green"),
    "broken": ("Unreadable", ":material/error:", "red"),
}


def begin(config: Config, title: str) -> Run | None:
    """Make a run, start its worker and put it into the link; None if that failed (said on the page)."""
    try:
        run = runs.create(runs.new_path(runs.default_store(), title), config, title=title)
        ui.remember("run", run.id)
        jobs.start(run)
    except RunError as error:
        st.error(str(error), icon=":material/error:")
        return None
    return run


def badge(state: str) -> None:
    """Show a run's state as a coloured word."""
    label, icon, colour = FACES[state]
    st.badge(label, icon=icon, color=colour)  # type: ignore[arg-type]


def duration(seconds: float) -> str:
    """Say a length of time as a person would."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def live(run: Run) -> None:
    """Show a run's state and curves, polled while it is at work; any tab on the same link sees the same."""
    active = run.status().is_active

    @st.fragment(run_every=POLL_SECONDS if active else None)
    def panel() -> None:
        try:
            status = run.status()
            _header(run, status)
            _curves(run, status)
        except RunError as error:
            st.error(str(error), icon=":material/error:")
            return
        if active and not status.is_active:
            st.rerun()  # a full run: stops the polling and offers what can be done with a finished run

    panel()
