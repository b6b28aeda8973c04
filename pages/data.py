"""Chapter 1: data with known factors, real pictures, or a file of your own; a look before anything is trained."""

import streamlit as st

from dvae_core import figures, readers
from dvae_core.config import ConfigError, Data, DigitsData
from dvae_core.data import DataError, Dataset
from pages.ui import code, controls, files
from pages.ui import page as ui

SOURCES = controls.KIND_NAMES
WORDS = {
    "sources": "Independent factors whose mean or variance changes with u, mixed by a random nonlinear f.",
    "neurons": "Spike counts of a population driven by a few factors.",
    "digits": "1,797 handwritten digits of 8 x 8 pixels; u is the digit. The true factors are unknown.",
    "sprites": "White shapes on black, as in dSprites: shape, scale, orientation, x and y are the true factors.",
    "faces": "Cartoon faces with six true factors: skin, age, hair, smile, gaze and saturation.",
    "file": "Rows are examples. Choose what is x, what is u, and the true factors if you know them.",
}
DIALS = {
    "sources": ["n_latents", "segments", "modulate", "noise", "per_segment", "layers", "seed"],
    "neurons": ["n_latents", "n_neurons", "segments", "per_segment", "seed"],
    "sprites": ["n", "side", "grid", "u", "correlation", "seed"],
    "faces": ["n", "side", "u", "correlation", "seed"],
}
MORE = ["d_x", "activation", "observation_noise", "correlation", "continuous_u"]


def dials(kind: str, now: Data) -> Data:
    """Show a generator's dials, starting at what the link says."""
    start = now if now.kind == kind else controls.KINDS[kind]()
    data = controls.edit(start, DIALS[kind], prefix=f"data.{kind}")
    if kind == "sources":
        with st.expander("More dials", icon=":material/tune:"):
            data = controls.edit(data, MORE, prefix=f"data.{kind}")
    return data


def preview(dataset: Dataset) -> None:
    """Draw the data as what it is: pictures, counts over time, or points coloured by u (the factors beside them)."""
    hue, names = (None, ()) if dataset.u is None else (dataset.u, dataset.u_labels)
    if hue is not None and not dataset.has_labels:
        hue, names = hue[:, 0], dataset.u_names[:1]
    if dataset.x_shape is not None:
        pictures = dataset.x_float()[:60].reshape(-1, *dataset.x_shape)
        st.image(
            figures.picture_sheet(pictures, columns=12, gap=0),
            output_format="PNG",
            alt="The first 60 pictures",
            width="stretch",
        )
        return
    x = dataset.x_float()
    if dataset.is_counts or dataset.rate_hz:
        unit = "count" if dataset.is_counts else "value"
        ui.plot(figures.raster(x, rate_hz=dataset.rate_hz, names=dataset.x_names, unit=unit), key="data.raster")
    cells = [st.container()] if dataset.z is None else st.columns(2)
    with cells[0]:
        ui.plot(
            figures.data_scatter(x, hue, names, names=dataset.x_names, title="What the model sees", height=380),
            key="data.scatter",
        )
    if dataset.z is not None:
        with cells[1]:
            title = "What it never sees: the true factors"
            factors = figures.data_scatter(
                dataset.z, hue, names, names=dataset.z_names, role="factor", title=title, height=380
            )
            ui.plot(factors, key="data.factors")
    with st.expander("Each dimension of x", icon=":material/bar_chart:"):
        ui.plot(figures.column_histograms(x, names=dataset.x_names), key="data.histograms")


def facts(dataset: Dataset) -> None:
    """Say what the data is in one line of numbers."""
    u = (
        "none"
        if dataset.u is None
        else f"{dataset.n_labels} labels"
        if dataset.has_labels
        else ", ".join(dataset.u_names)
    )
    factors = "unknown" if dataset.z is None else str(dataset.z.shape[1])
    numbers = {"Examples": f"{dataset.n:,}", "Dimensions of x": f"{dataset.d_x:,}", "u": u, "True factors": factors}
    for cell, (label, value) in zip(st.columns(4), numbers.items(), strict=True):
        cell.metric(label, value)
    notes = [f"{key}: {text}" for key, text in dataset.meta.items() if text]
    if notes:
        with st.expander("About this data", icon=":material/info:"):
            st.text("\n".join(notes))


ui.start(
    "data",
    "Data",
    "What the model sees: **x**, and for the iVAE an auxiliary variable **u**. The true factors stay hidden from it.",
)
now = controls.chosen_data()
left, right = st.columns([1, 2], gap="large")
data: Data | None = None
with left:
    kind = ui.choice(
        st.segmented_control, "Source", list(SOURCES), param="source", default=now.kind, show=SOURCES.__getitem__
    )
    st.caption(WORDS[kind])
    try:
        data = files.choose() if kind == "file" else DigitsData() if kind == "digits" else dials(kind, now)
    except (ConfigError, DataError) as error:
        st.error(str(error), icon=":material/error:")
with right:
    if data is None:
        st.info("Drop a file on the left: " + ", ".join(readers.SUFFIXES) + ".", icon=":material/upload_file:")
    else:
        try:
            dataset = controls.dataset_of(data)
            ui.remember("data", controls.data_to_text(data))
            facts(dataset)
            preview(dataset)
            ui.link("train", "Train on this data")
            code.show(code.drawing(data))
        except DataError as error:
            st.error(str(error), icon=":material/error:")
ui.foot("data")
