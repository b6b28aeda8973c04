"""Arrows: where the two latents of every seed point among the true factors."""

from typing import Any

import streamlit as st

from dvae_core import figures
from dvae_core.analysis.common import good_members
from dvae_core.analysis.recovery.record import recovery
from dvae_core.metrics import latent_axes
from dvae_core.runs import Run, Status
from pages.ui import page as ui
from pages.ui import run_panel


@st.cache_data(max_entries=32, show_spinner=False)
def _axes(about: tuple, _run: Run) -> Any:
    found = [recovery(_run, member) for member in good_members(_run)]
    return [latent_axes(each.z_true, each.z_hat) for each in found if each is not None and each.z_true.shape[1] > 1]


def axes_of(run: Run) -> list[Any]:
    """Return the arrows of every member that has not failed; none if the run has no two known factors."""
    return _axes((run.id, (run.path / "latents.npz").stat().st_mtime_ns), run)


def arrows(populations: dict[str, list[Any]], key: str, **look: Any) -> None:
    """Draw the arrows of several populations side by side."""
    known = {name: axes for name, axes in populations.items() if axes}
    ui.plot(figures.seed_arrows(known, **look), key=key)


def beside(run: Run, others: list[Run]) -> None:
    """Draw a run's seeds, and those of up to three runs of the same data."""
    populations = {}
    for each in (run, *others[:3]):
        name = each.config.model_name
        populations[name if name not in populations else f"{name} ({each.title})"] = axes_of(each)
    if not any(populations.values()):
        st.info("Two known factors are needed to draw where latents point.", icon=":material/info:")
        return
    arrows(populations, "recover.arrows")
    st.caption(
        "Each arrow is the direction in which a latent grows fastest among the first two factors, by a linear fit. The "
        "mean MCC of a fan looks like a fair score: pairs turned at random have .90."
    )


def live(run: Run, *, height: int) -> None:
    """Show where the latents of all members point while they are trained."""

    def draw(run: Run, status: Status) -> None:
        axes = axes_of(run) if run.latents() is not None else []
        if not axes:
            ui.plot(figures.sentence("The seeds start from other random weights ...", height=height), key="live.seeds")
            return
        figure = figures.seed_arrows({"trained now": axes}, height=height)
        figure.update_layout(title_text="", title_subtitle_text="", margin_t=40)
        ui.plot(figure, key="live.seeds", alt="Where the latents of every seed point while they are trained")

    run_panel.live(run, draw)


def section() -> None:
    """Draw the shipped populations: eight seeds with a bend of 0 nats, and eight with a bend of .06."""
    shown = {run.id: run for run in ui.usable_runs() if run.is_shipped}
    names = {"talk-vae": "VAE: no u, N(0, I)", "talk-ivae": "iVAE: u seen"}
    populations = {name: axes_of(shown[key]) for key, name in names.items() if key in shown}
    if any(populations.values()):
        st.markdown("**What eight seeds found.** Flat curve on the left, bent curve on the right.")
        arrows(populations, "bend.arrows", title="Where the latents of every seed point")
