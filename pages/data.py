"""Chapter 1: data with known factors, real pictures, or your own file, looked at before training."""

import streamlit as st

from dvae_core.config import ConfigError, Data, DigitsData, NeuronsData
from dvae_core.data.dataset import DataError, Dataset
from pages.ui import code, controls, data_files, data_preview
from pages.ui import page as ui

SOURCES = controls.KIND_NAMES
WORDS = {
    "sources": "Independent factors whose mean or variance changes with u, mixed by a random nonlinear f.",
    "neurons": "Spike counts driven by a few factors: by a random map, place fields on a track, or directions shown.",
    "digits": "1,797 handwritten digits of 8 x 8 pixels; u is the digit. The true factors are unknown.",
    "sprites": "White shapes on black, as in dSprites: shape, scale, orientation, x and y are the true factors.",
    "faces": "Cartoon faces with six true factors: skin, age, hair, smile, gaze and saturation.",
    "file": "Recordings, tables or pictures of your own, or from a short catalogue. Rows are examples.",
}
DIALS = {
    "sources": ["n_latents", "segments", "modulate", "noise", "per_segment", "layers", "seed"],
    "neurons": ["tuning", "n_latents", "n_neurons", "segments", "per_segment", "seed"],
    "sprites": ["n", "side", "grid", "u", "correlation", "seed"],
    "faces": ["n", "side", "u", "correlation", "seed"],
}
MORE = ["d_x", "activation", "observation_noise", "correlation", "continuous_u"]


def dials(kind: str, now: Data) -> Data:
    """Show a generator's dials, starting at what the link says."""
    start = now if now.kind == kind else controls.KINDS[kind]()
    data = controls.edit(start, DIALS[kind], prefix=f"data.{kind}")
    if isinstance(data, NeuronsData) and data.tuning == "place":
        st.caption(
            "The factor position is u itself: copying u scores 1 on it, and p(z|u) has no width there. Judge a model "
            "by the other factors."
        )
    if kind == "sources":
        with st.expander("More dials", icon=":material/tune:"):
            data = controls.edit(data, MORE, prefix=f"data.{kind}")
    return data


def train_button(data: Data, dataset: Dataset) -> None:
    """Offer the model that suits this data, one click away."""
    model, reason = data_preview.advice(data, dataset)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(
            f"Train {'an' if model == 'ivae' else 'a'} {controls.MODELS[model]} on this",
            type="primary",
            icon=":material/model_training:",
        ):
            ui.go("train", model=model)
        st.caption(reason, width="stretch")


ui.start(
    "data",
    "Data",
    "What the model sees: **x**, and for the iVAE an auxiliary variable **u**. The true factors stay hidden from it.",
)
now, split = controls.chosen()
kind = ui.choice(
    st.segmented_control, "Source", list(SOURCES), param="source", default=now.kind, show=SOURCES.__getitem__
)
left, right = st.columns([1, 2], gap="large")
data: Data | None = None
problem = False
with left:
    st.caption(WORDS[kind])
    try:
        data = data_files.choose() if kind == "file" else DigitsData() if kind == "digits" else dials(kind, now)
    except (ConfigError, DataError) as error:
        problem = True
        st.error(str(error), icon=":material/error:")
with right:
    if data is None:
        if kind == "file" and not problem:
            st.info("Choose data on the left; nothing in a file is ever executed.", icon=":material/upload_file:")
    else:
        try:
            dataset = controls.dataset_of(data)
            ui.remember("data", controls.data_to_text(data, split if data.kind == now.kind else "auto"))
            train_button(data, dataset)
            data_preview.facts(dataset)
            data_preview.show(data, dataset)
            code.show(code.drawing(data))
        except DataError as error:
            st.error(str(error), icon=":material/error:")
ui.foot("data")
