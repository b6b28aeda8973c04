"""Training on a page: start a run, poll its folder, stop it, resume it."""

from collections.abc import Callable

import streamlit as st

from dvae_core import figures, runs
from dvae_core.analysis.common import best_member, progress, stuck_members
from dvae_core.analysis.latents import factor_colours
from dvae_core.config import Config
from dvae_core.runs import Run, RunError, Status
from dvae_core.work import jobs
from pages.ui import page as ui

POLL_SECONDS = 0.5
SHOWN = 8  # entries of the queue
RESUME_LABELS = {"new": "Start", "stopped": "Resume", "lost": "Resume", "failed": "Retry"}
BADGES = {
    "new": ("Not started", ":material/draft:", "gray"),
    "queued": ("Queued", ":material/schedule:", "gray"),
    "warming": ("Warming up", ":material/hourglass_top:", "orange"),
    "running": ("Training", ":material/directions_run:", "blue"),
    "stopped": ("Stopped", ":material/pause:", "gray"),
    "failed": ("Failed", ":material/error:", "red"),
    "lost": ("Lost", ":material/help:", "red"),
    "finished": ("Finished", ":material/check:", "green"),
    "broken": ("Unreadable", ":material/error:", "red"),
}


def begin(config: Config, title: str) -> Run | None:
    """Create a run, start its worker and put it into the link; return None after showing an error if that failed."""
    try:
        run = runs.create(runs.new_path(runs.default_store(), title), config, title=title)
        ui.remember("run", run.id)
        jobs.start(run)
    except RunError as error:
        st.error(str(error), icon=":material/error:")
        return None
    return run


def badge(state: str) -> None:
    """Show a run's state as a coloured badge."""
    label, icon, colour = BADGES[state]
    st.badge(label, icon=icon, color=colour)  # type: ignore[arg-type]


def duration(seconds: float) -> str:
    """Return a duration as text."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def live(run: Run, draw: Callable[[Run, Status], None] | None = None) -> None:
    """Show a run's state and curves, polled while it is active; all tabs with the same link see the same.

    Args:
        run: The run.
        draw: Draws what is known so far; by default the curves and the latents of one member.
    """
    try:
        active = run.config is not None and run.status().is_active
    except RunError as error:
        badge("broken")
        ui.problem(error)
        return

    @st.fragment(run_every=POLL_SECONDS if active else None)
    def panel() -> None:
        try:
            status = run.status()
            if active != status.is_active:
                st.rerun()  # a full rerun before drawing: it begins or ends the polling without losing a click
            header(run, status)
            if status.state == "finished":
                with st.container(horizontal=True):
                    for name in ("traverse", "rotate", "recover", "agree"):
                        ui.link(name)
            (draw or _curves)(run, status)
        except RunError as error:
            st.error(str(error), icon=":material/error:")

    panel()


def seeds_live(run: Run, *, height: int) -> None:
    """Show the latents of all members while they are trained, in one figure of this height."""

    def clouds(run: Run, status: Status) -> None:
        latents = run.latents()
        if latents is None:
            ui.plot(figures.sentence("The seeds start from other random weights ...", height=height), key="live.seeds")
            return
        hue, names = factor_colours(run)
        figure = figures.seed_panels(
            latents["mu_z"], hue, names, titles=ui.member_names(run), elbo=latents.get("elbo"), height=height
        )
        figure.update_layout(title_text="", title_subtitle_text="", margin_t=40)
        ui.plot(figure, key="live.seeds", alt="The latents of every seed while they are trained")

    live(run, clouds)


def nothing_yet() -> None:
    """Show an empty frame in the place of the curves."""
    with st.container(border=True):
        ui.plot(
            figures.sentence("Press Start training: the curves of all seeds appear here.", height=320), key="live.elbo"
        )
    st.caption("Training continues when you leave the page; the link in the address bar returns to it.")


def header(run: Run, status: Status) -> None:
    """Show the run's state, its progress, and the applicable buttons."""
    with st.container(horizontal=True, vertical_alignment="center"):
        badge(status.state)
        st.text(run.title, width="content")
        st.caption(f"{run.config.model_name}, {run.config.members} members", width="content")
        st.space("stretch")
        _buttons(run, status)
    share = status.step / status.steps if status.steps else 0.0
    if status.is_active:
        st.progress(share, _how_far(run, status))
    elif status.state == "new":
        st.caption("Nothing has been trained yet.")
    elif status.state in ("stopped", "lost"):
        message = "" if status.state == "stopped" else f"{status.message} "
        at = f"Stopped at step {status.step:,} of {status.steps:,}. " if status.steps else ""
        st.progress(share, f"{message}{at}Resume continues from its last checkpoint, bit for bit.")
        if status.state == "lost":
            _log(run)
    elif status.state == "finished":
        st.caption(f"{status.steps:,} steps in {duration(status.seconds)} on {status.device}. {status.message}")
    elif status.state == "failed":
        st.error(status.message or "Training failed without a message.", icon=":material/error:")
        _log(run)


def _buttons(run: Run, status: Status) -> None:
    """Offer Stop or Resume, whichever applies. The next run of the page shows any failure."""
    if status.is_active and not (status.state == "queued" and status.pid is None):
        is_stopping = (run.path / "STOP").exists()
        label = "Stopping ..." if is_stopping else "Leave the queue" if status.state == "queued" else "Stop"
        st.button(
            label,
            icon=":material/stop:",
            on_click=_try,
            args=(jobs.stop, run),
            disabled=is_stopping,
            key=f"stop.{run.id}",
        )
    elif status.state in RESUME_LABELS:
        st.button(
            RESUME_LABELS[status.state],
            icon=":material/play_arrow:",
            on_click=_try,
            args=(jobs.start, run),
            key=f"go.{run.id}",
        )


def _try(what: Callable[[Run], None], run: Run) -> None:
    """Run a button's action; a refusal (a full disk, another server was first) becomes a message."""
    try:
        what(run)
    except RunError as error:
        st.toast(str(error), icon=":material/error:")


def _stop(run: Run, requested: str) -> None:
    """Ask a computation to end; it is not an error that it then has no result."""
    st.session_state[requested] = None
    _try(jobs.stop_analysis, run)


def _how_far(run: Run, status: Status) -> str:
    """Return an active run's progress as one line."""
    if status.state == "running":
        left = "" if status.seconds_left is None else f" · {duration(status.seconds_left)} left"
        return f"Step {status.step:,} of {status.steps:,}{left} · {status.device}"
    if status.state == "queued" and (ahead := jobs.ahead(run)):
        return f"Waiting for a free worker; {ahead} before it"
    return status.message or "Waiting for a free worker"


def _log(run: Run) -> None:
    if tail := jobs.log_tail(run):
        with st.expander("Last lines of the log", expanded=True):
            st.code(tail, language=None)


def queue(*, besides: Run | None = None) -> None:
    """Show all running and waiting work in order, each with progress, time left and a Stop button; polled."""
    waiting = _active(besides)
    if not waiting:
        return
    st.markdown("**Running and queued**")

    @st.fragment(run_every=2 * POLL_SECONDS)
    def panel() -> None:
        now = _active(besides)
        if [run for run, _ in now] != [run for run, _ in waiting]:
            st.rerun()
        for run, status in now[:SHOWN]:
            with st.container(horizontal=True, vertical_alignment="center"):
                badge(status.state)
                ui.link("train", run.title, run=run.id)
                st.caption(_how_far(run, status), width="content")
                st.space("stretch")
                _buttons(run, status)
            if status.state == "running":
                st.progress(status.step / status.steps if status.steps else 0.0)
        if len(now) > SHOWN:
            st.caption(f"and {len(now) - SHOWN:,} more.")

    panel()


def _active(besides: Run | None) -> list[tuple[Run, Status]]:
    """Return the running and then the waiting work, in order."""
    found = []
    for run in runs.list_runs(runs.default_store()):
        try:
            status = run.status()
        except RunError:
            continue  # the Runs page shows broken runs
        if status.is_active and run != besides:
            found.append((run, status))
    return sorted(found, key=lambda item: (item[1].state == "queued", item[1].queued_at))


def _curves(run: Run, status: Status) -> None:
    """Draw the bound of every member, its parts, and the latents of one member, as far as they are known."""
    history, latents = run.history(), run.latents()
    if history.empty:
        if status.is_active:  # an empty figure: the browser loads plotly while the worker loads torch
            ui.plot(figures.training_curves(history, height=340), key="live.elbo")
        return
    more: dict = {"failed": status.failed_members, "stuck": list(stuck_members(run)), "steps": status.steps or None}
    if run.config.model.posterior == "gauss-newton":
        more["train_name"] = "train (fewer refinement steps than held-out)"
    member = None if latents is None else best_member(run)
    if member is not None and run.config.members > 1:
        more["highlight"] = member
    left, right = st.columns(2)
    with left:
        ui.plot(figures.training_curves(history, **more, height=380), key="live.elbo")
    with right:
        if latents is not None and member is not None:
            hue, names = factor_colours(run)
            kl = latents["kl_latent"][member] if "kl_latent" in latents else None
            title = f"Posterior means of {ui.member_names(run)[member]}"
            figure = figures.latent_scatter(latents["mu_z"][member], hue, names, kl=kl, title=title, height=380)
            ui.plot(figure, key="live.latents")
        else:
            st.skeleton(height=380)
    ui.plot(figures.training_split(history, **more, height=360), key="live.split")
    if latents is not None and "kl_latent" in latents:  # a mixture has no KL of a single latent
        ui.plot(figures.kl_bars(latents["kl_latent"], labels=ui.member_names(run), height=320), key="live.kl")


def ask(
    run: Run, name: str, label: str, working: str, *, can_stop: bool = False, **settings: str | int | float
) -> None:
    """Offer a computation on a run, show its progress, and report if it ended without a result.

    Call it while there is no result. A run has one computation at a time. With `can_stop`, a button asks it to end.
    """
    requested = f"asked.{run.id}.{name}"
    if jobs.is_analysing(run):
        if requested not in st.session_state:
            return  # another computation is running and shows its own progress

        @st.fragment(run_every=POLL_SECONDS)
        def waiting() -> None:
            if not jobs.is_analysing(run):
                st.rerun()
            st.progress(progress(run, name) or 0.0, f"{working} ...")
            if can_stop:
                stopping = (run.path / "STOP").exists()
                st.button(
                    "Stopping after this step ..." if stopping else "Stop", icon=":material/stop:",
                    on_click=_stop, args=(run, requested), disabled=stopping, key=f"stop.{name}.{run.id}",
                )  # fmt: skip

        waiting()
        return
    if st.session_state.pop(requested, None) == settings:
        reason = jobs.why(run, name) or jobs.log_tail(run, 1).removeprefix("dvae_core: ")
        st.error(f"The computation ended without a result. {reason}", icon=":material/error:")
    if st.button(label, icon=":material/play_arrow:"):
        try:
            jobs.analyse(run, name, **settings)
        except RunError as error:
            ui.problem(error)
            return
        st.session_state[requested] = settings
        st.rerun()
