"""Chapter 1: data with known factors, real pictures, or your own file, looked at before training."""

import streamlit as st

from dvae_core.config import ConfigError, Data, FileData, Split
from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.worlds import WORLDS
from dvae_core.data.worlds.world import World
from pages.ui import code, controls, data_files, data_large, data_latents, data_preview, train_form
from pages.ui import page as ui

SOURCES = {name: name.capitalize() for name in WORLDS} | {"file": "My file", "latents": "Latents"}
FILE = "Recordings, tables or pictures of your own, or from a short catalogue. Rows are examples."


def dials(world: World, now: Data) -> Data:
    """Show a generator's dials, starting at the values in the link."""
    data = now if now.kind == world.name else world.settings()
    data = controls.edit(data, world.dials, prefix=f"data.{world.name}")
    if note := world.note(data):
        st.caption(note)
    if world.more:
        with st.expander("More dials", icon=":material/tune:"):
            data = controls.edit(data, world.more, prefix=f"data.{world.name}")
    return data


def train_button(data: Data, dataset: Dataset) -> None:
    """Offer a button that trains the model that suits this data."""
    model, reason = data_preview.advice(data, dataset)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(
            f"Train {'an' if model == 'ivae' else 'a'} {train_form.MODELS[model]} on this",
            type="primary",
            icon=":material/model_training:",
        ):
            ui.go("train", model=model)
        st.caption(reason, width="stretch")


def examine(kind: str, now: Data, split: Split) -> None:
    """Choose the data on the left, and look at it on the right."""
    left, right = st.columns([1, 2], gap="large")
    data: Data | None = None
    problem = False
    with left:
        st.caption(FILE if kind == "file" else WORLDS[kind].words)
        try:
            data = data_files.choose() if kind == "file" else dials(WORLDS[kind], now)
        except (ConfigError, DataError) as error:
            problem = True
            st.error(str(error), icon=":material/error:")
    with right:
        if data is None:
            if kind == "file" and not problem:
                st.info("Choose data on the left; nothing in a file is ever executed.", icon=":material/upload_file:")
        else:
            try:
                large = data if isinstance(data, FileData) and data_large.is_large(data) else None
                dataset = controls.dataset_of(data if large is None else data_large.first_rows(large))
                split = split if data.kind == now.kind else "auto"
                if large is None:
                    dataset = controls.as_trained(data, dataset, split)
                ui.remember("data", controls.data_to_text(data, split))
                train_button(data, dataset)
                if large is not None:
                    data_large.show(large, dataset)
                else:
                    data_preview.facts(dataset)
                    data_preview.show(data, dataset, split)
                code.show(code.drawing(data))
            except DataError as error:
                st.error(str(error), icon=":material/error:")


ui.start(
    "data",
    "Data",
    "What the model sees: **x**, and for the iVAE an auxiliary variable **u**. The true factors stay hidden from it.",
)
now, split = controls.chosen()
kind = ui.choice(
    st.segmented_control, "Source", list(SOURCES), param="source", default=now.kind, show=SOURCES.__getitem__
)
if kind == "latents":
    data_latents.show()
else:
    examine(kind, now, split)
ui.foot("data")
