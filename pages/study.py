"""Workbench: data sets x models x betas x seeds, trained as populations. What decides a score: model, beta or luck?"""

import dataclasses
from typing import Any

import streamlit as st

from dvae_core import figures, runs
from dvae_core.config import ConfigError, Data
from dvae_core.data.dataset import DataError
from dvae_core.runs import RunError
from dvae_core.work import study as studies
from dvae_core.work.populations import Population, by_latents, populations
from dvae_core.work.study import Progress, Study
from pages.ui import code, controls, links, run_panel, study_views, train_form
from pages.ui import page as ui

DATA = ["sources,per_segment=400", "neurons,n_neurons=30,per_segment=400", "sprites,side=16,n=2000", "digits"]
MODELS = ["vae", "ivae", "vae,posterior=diagonal", "ivae,posterior=diagonal"]
BETAS = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
LOOK_SECONDS = 1.0
PICTURE_FIRST = """<style>
@media (max-width: 640px) { .st-key-study-page [data-testid="stColumn"]:has(.stPlotlyChart) { order: -1; } }
</style>"""  # where columns are stacked, results stand above the form
QUESTIONS = {"score": "What decides a score?", "latents": "How many latents?"}


def ask_dimensions() -> None:
    """Show the settings of a study of one recording with several numbers of latents, and the Start button."""
    keep: dict[str, Any] = {"persist_state": "session"}
    files = [f"file,path={p.name}" for p in sorted(controls.data_folder().glob("*.npz"))]
    now = links.value("data", "track")
    options = list(dict.fromkeys([now, "track", *files]))
    text = st.selectbox("Recording", options, format_func=study_views.label, key="study.recording", **keep)
    goals = {goal: words for goal, words in train_form.GOALS.items() if goal}
    goal = st.selectbox("Trained for", list(goals), format_func=goals.__getitem__, key="study.goal", **keep)
    left, right = st.columns(2)
    most = int(left.number_input("Largest number of latents", 2, 8, 4, key="study.most", **keep))
    seeds = int(right.number_input("Seeds", 2, 16, 4, key="study.each", help="For each number of latents", **keep))
    try:
        data, split = controls.data_from_text(text)
        own = {} if split == "auto" else {"split": split}
        everything = by_latents(data, range(1, most + 1), goal, seeds=seeds, dataset_of=controls.dataset_of, **own)
    except (ConfigError, DataError) as error:
        st.warning(str(error), icon=":material/warning:")
        return
    st.markdown(f"**{most * seeds} models**: 1 to {most} latents, {seeds} seeds each, and nothing else differs.")
    st.caption("A latent is added as long as every pair of seeds finds the same space and the bound rises.")
    start_button(everything, f"How many latents: {study_views.label(text)}")
    code.show(
        f"python -m dvae_core sweep --out my-study --data {text} --for {goal} --latents 1-{most} --seeds {seeds}",
        "bash",
    )


def start_button(everything: list[Population], title: str) -> None:
    """Show the Start button; pressed, it creates and starts the study."""
    if st.button("Start the study", type="primary", icon=":material/play_arrow:", width="stretch"):
        try:
            store = runs.default_store()
            made = studies.create(studies.new_path(store, title), everything, title=title, store=store)
            studies.start(made)
        except RunError as error:
            ui.problem(error)
            return
        ui.remember("study", made.id)


def form() -> None:
    """Show the settings of a study and the Start button."""
    files = [f"file,path={p.name}" for p in sorted(controls.data_folder().glob("*.npz"))]
    keep: dict[str, Any] = {"persist_state": "session"}
    data = st.multiselect(
        "Data", [*DATA, *files], DATA[:1], format_func=lambda t: controls.data_label(controls.data_from_text(t)[0]),
        key="study.data", **keep,
    )  # fmt: skip
    models = st.multiselect("Models", MODELS, MODELS[:2], format_func=figures.model_label, key="study.models", **keep)
    betas = st.multiselect(
        "β", BETAS, [1.0, 4.0], format_func="{:g}".format, key="study.betas", help="1: plain VAE or iVAE",
        **keep,
    )  # fmt: skip
    left, middle, right = st.columns(3)
    worlds = left.number_input(
        "Worlds",
        1,
        50,
        4,
        key="study.worlds",
        help="Data seeds 0, 1, ... of drawn data: error bars run over worlds",
        **keep,
    )
    seeds = middle.number_input("Seeds", 1, 50, 2, key="study.seeds", help="Of every model and β, on each", **keep)
    epochs = right.number_input(
        "Epochs", 1, 10_000, 60, key="study.epochs", help="Passes over the training rows", **keep
    )
    try:
        sources = [source for text in data for source in worlds_of(controls.data_from_text(text)[0], int(worlds))]
        everything = populations(
            sources, models, sorted(betas), int(seeds), dataset_of=controls.dataset_of, epochs=int(epochs)
        )
    except (ConfigError, DataError) as error:
        st.warning(str(error), icon=":material/warning:")
        return
    models_made = sum(p.config.members for p in everything)
    st.markdown(f"**{models_made} models** in {len(everything)} populations, each trained as one program.")
    st.caption(
        "The time left is measured from the first population on. The study offered here takes about four minutes of "
        "one core."
    )
    start_button(everything, f"{models_made} models on {', '.join(dict.fromkeys(map(study_views.label, data)))}")
    listed = " ".join(dict.fromkeys(p.data for p in everything))
    code.show(
        f"python -m dvae_core sweep --out my-study --data {listed} --models {' '.join(models)} \\\n"
        f"    --betas {','.join(f'{b:g}' for b in sorted(betas))} --seeds {seeds} --epochs {epochs}\n"
        "# on a cluster: --scheduler tcp://HOST:8786; to resume: python -m dvae_core sweep --out my-study",
        "bash",
    )


def worlds_of(source: Data, count: int) -> list[Data]:
    """Return the source with data seeds 0, 1, ...; the source itself if it is not drawn from a seed."""
    if not hasattr(source, "seed"):
        return [source]
    return [dataclasses.replace(source, seed=seed) for seed in range(count)]


def view(study: Study) -> None:
    """Show a study's state and its results so far, polled while it runs; every tab sees the same."""
    running = study.is_running()

    @st.fragment(run_every=LOOK_SECONDS if running else None)
    def panel() -> None:
        try:
            progress = study.status()
            if study.is_running() != running:
                st.rerun()
            header(study, progress)
            study_views.results(study)
        except RunError as error:
            ui.problem(error)

    panel()


def header(study: Study, progress: Progress) -> None:
    """Show the progress, with Stop or Resume."""
    with st.container(horizontal=True, vertical_alignment="center"):
        run_panel.badge("running" if progress.state == "stopping" else progress.state)
        st.text(study.title, width="content")
        st.space("stretch")
        if progress.state in ("running", "stopping"):
            st.button("Stop", icon=":material/stop:", on_click=studies.stop, args=(study,), key="study.stop",
                      disabled=progress.state == "stopping")  # fmt: skip
        elif progress.state != "finished" and st.button("Resume", icon=":material/play_arrow:", key="study.go"):
            studies.start(study)
            st.rerun(scope="app")
    left = ""
    if progress.state == "running":
        left = " · the first population measures the time"
        if progress.seconds_left is not None:
            left = f" · about {run_panel.duration(progress.seconds_left)} left"
    elif progress.seconds:
        left = f" · {run_panel.duration(progress.seconds)} in all"
    st.progress(progress.share, f"{progress.done} of {progress.models} models are trained and scored{left}")
    if progress.at_work:
        each = (
            f"{figures.model_label(p.model)} with β {', '.join(f'{b:g}' for b in dict.fromkeys(p.config.train.betas))}"
            for p in progress.at_work
        )
        st.caption("Running: " + "; ".join(each))
    if progress.problem:
        st.warning(f"{progress.problem} Resume tries again.", icon=":material/warning:")


ui.start("study", "Run a study", "Many models, many seeds, one table. What decides a score: the model, β or luck?")
st.html(PICTURE_FIRST)
with st.container(key="study-page"):
    settings, shown = st.columns([1, 2], gap="large")
with settings:
    question = ui.choice(st.segmented_control, "Question", list(QUESTIONS), param="ask", show=QUESTIONS.__getitem__)
    ask_dimensions() if question == "latents" else form()
with shown:
    known = studies.list_studies(runs.default_store())
    if known:
        ids = {s.id: s for s in known}
        study = ids[ui.choice(st.selectbox, "Study", list(ids), param="study", show=lambda i: ids[i].title)]
        view(study)
        study_views.export(study)
    else:
        study_views.shipped()
ui.foot("study")
