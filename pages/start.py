"""Home: a moving picture, the chapters, your runs."""

import streamlit as st

from dvae_core import runs
from dvae_core.analysis.common import best_member
from dvae_core.analysis.latents import held_out, latent_table, slider_range
from dvae_core.live.explorer import ExplorerState
from dvae_core.runs import Run, RunError
from pages.ui import page as ui
from pages.ui import run_panel
from pages.ui.components.explorer import explorer
from pages.ui.components.store import ship

CHAPTERS = [
    ("traverse", "Just do it", "Train a VAE and drag its latents. It looks as if it works.", "Drag the latents"),
    (
        "rotate",
        "Bad news",
        "Rotate the latents: the data does not notice, so no data can pick the axes.",
        "Turn the dial",
    ),
    (
        "recover",
        "Rescue",
        "Observe an auxiliary variable u too. If it moves the factors enough, they come back, up to a simple map.",
        "Compare with the truth",
    ),
    (
        "bend",
        "Without u",
        "Time, or a linear generator, can replace u. Nats measure how much each of them helps.",
        "See what bends the curve",
    ),
]
HERO = "digits-beta-vae"


def hero() -> Run | None:
    """Return the run that moves on this page: the shipped digits, otherwise the first usable one."""
    ready = ui.decodable_runs()
    return next((run for run in ready if run.id == HERO), ready[0] if ready else None)


def moving(run: Run) -> None:
    """Mount the traversal of a trained model, playing by itself until touched."""
    plan = ui.plan_of(run)
    ship(plan.tree, plan.tensors)
    member = best_member(run)
    latents = latent_table(run, member)[:4]
    lo, hi = slider_range(run, member, "posterior")
    z0 = held_out(run)["mu_z"][member][0].tolist()  # a real example: the mean of all of them is a blur

    @st.fragment
    def toy() -> None:
        state = ExplorerState(latents=latents, member=member, z0=z0, lo=lo, hi=hi, autoplay=True, filmstrip=False)
        explorer(plan.tree, state, key="hero")

    toy()


def your_runs() -> None:
    """List the user's latest runs with links, and say where training happens."""
    mine = runs.list_runs(runs.default_store())[:4]
    st.markdown("**Your runs**")
    if not mine:
        st.caption("Nothing yet. A first model takes about half a minute.")
    for run in mine:
        try:
            state = run.status().state
            page = "traverse" if state == "finished" else "train"
            ui.link(page, run.title, icon=run_panel.BADGES[state][1], run=run.id)
        except RunError as error:
            st.caption(str(error))
    ui.link("train", "Train a model")
    ui.link("talk", "Give the talk", keep=())
    devices = [device for run in mine if (device := device_of(run))]
    st.caption(f"Training runs beside the app, last on: {devices[0]}." if devices else "Training runs beside the app.")


def device_of(run: Run) -> str:
    """Return the device that the run's worker reported; the server cannot look, because that needs torch."""
    try:
        return run.status().device
    except RunError:
        return ""


ui.start(
    "start",
    "What can a latent-variable model know?",
    "Disentanglement Lab. Move a slider: a trained model decodes in your browser.",
)
run = hero()
toy, mine = st.columns([3, 1], gap="large")
with toy:
    if run is None:
        st.info("There is no trained model yet. Training one takes about half a minute.", icon=":material/info:")
    else:
        moving(run)
with mine:
    your_runs()
for number, (cell, (page, title, claim, label)) in enumerate(zip(st.columns(len(CHAPTERS)), CHAPTERS, strict=True), 1):
    with cell.container(border=True, height="stretch"):
        st.markdown(f"**{number} · {title}**  \n{claim}")
        st.space("stretch")
        ui.link(page, label)
ui.foot("start")
