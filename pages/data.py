"""Chapter 1: data with known factors, real pictures, or a file of your own; a look before anything is trained."""

import hashlib
import re
from pathlib import Path

import streamlit as st

from dvae_core import data as core
from dvae_core import figures, readers
from dvae_core.config import ConfigError, Data, DigitsData, FileData
from dvae_core.data import DataError, Dataset
from pages.ui import code, controls
from pages.ui import page as ui

SOURCES = {"sources": "Sources", "neurons": "Neurons", "digits": "Digits", "file": "My file"}
WORDS = {
    "sources": "Independent factors whose mean or variance changes with u, mixed by a random nonlinear f.",
    "neurons": "Spike counts of a population driven by a few factors.",
    "digits": "1,797 handwritten digits of 8 x 8 pixels; u is the digit. The true factors are unknown.",
    "file": "Rows are examples. Choose what is x, what is u, and the true factors if you know them.",
}
DIALS = {
    "sources": ["n_latents", "segments", "modulate", "noise", "per_segment", "layers", "seed"],
    "neurons": ["n_latents", "n_neurons", "segments", "per_segment", "seed"],
}
MORE = ["d_x", "activation", "observation_noise", "correlation", "continuous_u"]
SNIPPETS = {
    "sources": lambda d: (
        f"from dvae_core.synthetic import sources\n\ndataset = sources({_arguments(d)})\nprint(dataset)"
    ),
    "neurons": lambda d: (
        f"from dvae_core.synthetic import neurons\n\ndataset = neurons({_arguments(d)})\nprint(dataset)"
    ),
    "digits": lambda d: "from dvae_core.readers.builtin import digits\n\ndataset = digits()\nprint(dataset)",
    "file": lambda d: f'from dvae_core.readers import read\n\ndataset = read("{Path(d.path).name}")\nprint(dataset)',
}
TYPES = [s.removeprefix(".") for s in readers.SUFFIXES]


def _arguments(data: Data) -> str:
    plain = vars(type(data)())
    return ", ".join(f"{k}={v!r}" for k, v in vars(data).items() if v != plain[k])


def dials(kind: str, now: Data) -> Data:
    """Show a generator's dials, starting at what the link says."""
    start = now if now.kind == kind else controls.KINDS[kind]()
    data = controls.edit(start, DIALS[kind], prefix=f"data.{kind}")
    if kind == "sources":
        with st.expander("More dials", icon=":material/tune:"):
            data = controls.edit(data, MORE, prefix=f"data.{kind}")
    return data


def upload() -> Data | None:
    """Take a file, let its columns be chosen, and return it as prepared data; None until there is any."""
    file = st.file_uploader("File", TYPES, help="Held on this machine only; nothing leaves it.")
    if file is not None:
        return prepare(file.name, file.getvalue())
    known = sorted(controls.data_folder().glob("*.npz"))
    if not known:
        return None
    names = [p.name for p in known]
    now = controls.chosen_data()
    at = names.index(Path(now.path).name) if isinstance(now, FileData) and Path(now.path).name in names else None
    name = st.selectbox(
        "Or one you brought before", names, index=at, format_func=lambda n: Path(n).stem, placeholder="Choose"
    )
    return FileData(path=str(controls.data_folder() / name)) if name else None


def prepare(name: str, contents: bytes) -> Data | None:
    """Write an upload under a name of ours, read the chosen columns, and keep the result in the store."""
    stem = re.sub(r"[^a-z0-9]+", "-", Path(name).stem.lower()).strip("-")[:40] or "data"
    digest = hashlib.sha256(contents).hexdigest()[:6]
    raw = controls.data_folder() / "uploads" / f"{stem}-{digest}{Path(name).suffix.lower()}"
    raw.parent.mkdir(parents=True, exist_ok=True)
    if not raw.is_file():
        raw.write_bytes(contents)
    names = [v.name for v in readers.inspect(raw)]
    roles = {"x": ("x: the data", "found by name"), "u": ("u: the auxiliary variable", "found by name, or none")}
    roles["z"] = ("True factors, if known", "found by name, or none")
    chosen = [
        st.multiselect(label, names, key=f"file.{digest}.{role}", placeholder=hint)
        for role, (label, hint) in roles.items()
    ]
    rate = st.number_input(
        "Sampling rate (Hz)", 0.0, value=None, key=f"file.{digest}.rate", placeholder="not a time series",
        help="If rows are in time order: whole blocks are then held out",
    )  # fmt: skip
    return kept(raw, stem, *(tuple(c) for c in chosen), rate or None)


@st.cache_resource(max_entries=4, show_spinner="Reading the file ...")
def kept(raw: Path, stem: str, x: tuple, u: tuple, z: tuple, rate: float | None) -> FileData:
    """Read the chosen columns once and keep them in the store as one prepared file."""
    dataset = readers.read(raw, x=x or None, u=u or None, z=z or None, rate_hz=rate)
    path = controls.data_folder() / f"{stem}-{dataset.fingerprint[:6]}.npz"
    core.save(dataset, path)
    return FileData(path=str(path))


def preview(dataset: Dataset) -> None:
    """Draw the data as what it is: pictures, counts over time, or points coloured by u (the factors beside them)."""
    hue, names = (None, ()) if dataset.u is None else (dataset.u, dataset.u_labels)
    if hue is not None and not dataset.has_labels:
        hue, names = hue[:, 0], dataset.u_names[:1]
    if dataset.x_shape is not None:
        pictures = dataset.x_float()[:60].reshape(-1, *dataset.x_shape)
        st.image(
            figures.picture_sheet(pictures, columns=12),
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
        ui.plot(figures.data_scatter(x, hue, names, names=dataset.x_names, height=380), key="data.scatter")
    if dataset.z is not None:
        with cells[1]:
            title = "True factors, which the model never sees"
            ui.plot(
                figures.data_scatter(dataset.z, hue, names, names=dataset.z_names, title=title, height=380),
                key="data.factors",
            )
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
        data = upload() if kind == "file" else DigitsData() if kind == "digits" else dials(kind, now)
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
            code.show(SNIPPETS[data.kind](data))
        except DataError as error:
            st.error(str(error), icon=":material/error:")
ui.foot("data")
