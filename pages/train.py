"""Chapter 1: choose a model and train many seeds of it at once, in a separate process, while watching."""

import json
from functools import partial

import streamlit as st

from dvae_core import recipes, runs
from dvae_core.analysis.session.record import can_share
from dvae_core.config import Config, ConfigError, FileData
from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.worlds import WORLDS
from dvae_core.identify import conditions as theorem
from dvae_core.recipes.rules import is_binary
from dvae_core.runs import Run, RunError
from pages.ui import code, controls, data_large, run_panel, train_form
from pages.ui import page as ui


def choose_data() -> str:
    """Pick among the link's data, the talk's world, the built-in worlds and the prepared files; return it as text."""
    data, split = controls.chosen()
    now = controls.data_to_text(data, split)
    named = controls.data_label(data)  # two entries of the same name could not be distinguished
    files = [f"file,path={p.name}" for p in sorted(controls.data_folder().glob("*.npz")) if p.stem != named]
    talk = controls.data_to_text(recipes.TALK_DATA)
    options = list(dict.fromkeys([now, talk, *WORLDS, *files]))
    return ui.choice(
        st.selectbox, "Data", options, param="data", show=lambda t: controls.data_label(controls.data_from_text(t)[0])
    )


def form() -> None:
    """Show the settings and the Start button."""
    data, split = controls.data_from_text(choose_data())
    names = train_form.MODELS
    try:
        large = data if isinstance(data, FileData) and data_large.is_large(data) else None
        dataset = controls.dataset_of(data if large is None else data_large.first_rows(large))
        found, more = None, {}
        if large is not None:
            st.caption("This file is large. Its settings follow from all rows, which a worker examines once.")
            found = data_large.offer(large, dataset)
            if found is None:
                return
            more = {"suggested": partial(data_large.suggested, large, found)}
            st.caption(found.split["words"])
        else:
            dataset = controls.as_trained(data, dataset, split)
        default = "vae" if dataset.u is None else "ivae"
        model = ui.choice(
            st.segmented_control, "Model", list(names), param="model", default=default, show=names.__getitem__
        )
        is_recording = dataset.rate_hz is not None and large is None
        elsewhere = [run for run in ui.decodable_runs() if can_share(run, dataset)] if is_recording else []
        config = train_form.show(data, split, dataset, model, sessions=elsewhere, **more)
    except (ConfigError, DataError) as error:
        st.warning(str(error), icon=":material/warning:")
        return
    u = dataset.u if found is None else found.codes
    few = theorem.warnings_before(u, config.model.latents, config.prior.k) if config.is_conditional else ()
    for warning in few:
        st.warning(warning, icon=":material/checklist:")
    notes(config, dataset)
    title = f"{names[model]} on {controls.data_label(data)}"
    if st.button("Start training", type="primary", icon=":material/play_arrow:", width="stretch"):
        run_panel.begin(config, title)
    code.show(
        "from dvae_core import runs\nfrom dvae_core.config import Config\n"
        "from dvae_core.training.train import train\n\n"
        f"config = Config.from_json({json.dumps(code.settings(config))!r})\n"
        'for progress in train(runs.create("my-run", config)):\n    print(progress.step, progress.elbo)'
    )


def notes(config: Config, dataset: Dataset) -> None:
    """Explain what the chosen likelihood and beta mean for this data."""
    likelihood, beta = config.model.likelihood, max(config.train.betas)
    if likelihood.kind == "bernoulli" and not is_binary(dataset):
        st.caption(
            "x has values between 0 and 1. A Bernoulli likelihood is then a pseudo-likelihood: training works, but its "
            "ELBO bounds no log-probability of x."
        )
    if likelihood.kind == "gaussian" and beta != 1:
        effective = likelihood.effective_beta(beta)
        st.caption(
            "The noise is learned and adapts to β."
            if effective is None
            else f"With this fixed noise the KL is weighted by 2σ²β = {effective:.2g} against the squared error."
        )


def shown_run() -> Run | None:
    """Return the run of the link, or None."""
    wanted = st.query_params.get("run")
    if wanted is None:
        return None
    try:
        return runs.find(wanted)
    except RunError as error:
        st.warning(str(error), icon=":material/link_off:")
        return None


ui.start("train", "Train a population", "One model, many seeds, the same data. Do they all find the same latents?")
settings, view = st.columns([1, 2], gap="large")
with settings:
    form()
with view:
    run = shown_run()
    if run is None:
        run_panel.nothing_yet()
    else:
        run_panel.live(run)
    run_panel.queue(besides=run)
ui.foot("train")
