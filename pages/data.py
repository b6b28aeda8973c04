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
TYPES = [s.removeprefix(".") for s in readers.SUFFIXES]


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
    name = st.selectbox("Or one you brought before", names, index=at, format_func=lambda n: Path(n).stem, placeholder="Choose")
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
    chosen = {}
    for role, what in (("x", "x: the data"), ("u", "u: the auxiliary variable"), ("z", "True factors, if known")):
        chosen[role] = st.multiselect(what, names, key=f"file.{digest}.{role}", placeholder="found by name" if role == "x" else "none, or found by name")
    rate = st.number_input("Sampling rate (Hz)", 0.0, value=None, key=f"file.{digest}.rate",
                           help="If rows are in time order: held-out rows are then whole blocks", placeholder="not a time series")  # fmt: skip
    dataset = readers.read(raw, **chosen, rate_hz=rate or None)
    path = controls.data_folder() / f"{stem}-{dataset.fingerprint[:6]}.npz"
    if not path.is_file():
        core.save(dataset, path)
    return FileData(path=str(path))


def facts(dataset: Dataset) -> None:
    """Say what the data is in one line of numbers."""
    u = "none" if dataset.u is None else f"{dataset.n_labels} labels" if dataset.has_labels else ", ".join(dataset.u_names)
    factors = "unknown" if dataset.z is None else str(dataset.z.shape[1])
    for cell, (label, value) in zip(
        st.columns(4), [("Examples", f"{dataset.n:,}"), ("Dimensions of x", f"{dataset.d_x:,}"), ("u", u), ("True factors", factors)],
        strict=True,
    ):  # fmt: skip
        cell.metric(label, value)


ui.start("data", "Data", "What the model sees: **x**, and for the iVAE an auxiliary variable **u**. The true factors stay hidden from it.")
now = controls.chosen_data()
left, right = st.columns([1, 2], gap="large")
data: Data | None = None
with left:
    kind = ui.choice(st.segmented_control, "Source", list(SOURCES), param="source", default=now.kind, show=SOURCES.__getitem__)
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
        except DataError as error:
            st.error(str(error), icon=":material/error:")
ui.foot("data")
