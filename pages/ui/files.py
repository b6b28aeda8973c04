"""Files of the user's own: taken in under names of ours, columns chosen, kept in the store as prepared data."""

import hashlib
import re
from pathlib import Path

import streamlit as st

from dvae_core import data as core
from dvae_core import readers
from dvae_core.config import Data, FileData
from pages.ui import controls

Names = tuple[str, ...]
TYPES = [s.removeprefix(".") for s in readers.SUFFIXES]


def choose() -> Data | None:
    """Take a file, let its columns be chosen, and return it as prepared data; None until there is any."""
    file = st.file_uploader("File", TYPES, help="Held on this machine only; nothing leaves it.")
    if file is not None:
        return _prepare(file.name, file.getvalue())
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


def _prepare(name: str, contents: bytes) -> Data | None:
    """Write an upload under a name of ours, read the chosen columns, and keep the result in the store."""
    stem = re.sub(r"[^a-z0-9]+", "-", Path(name).stem.lower()).strip("-")[:40] or "data"
    digest = hashlib.sha256(contents).hexdigest()[:6]
    raw = controls.data_folder() / "uploads" / f"{stem}-{digest}{Path(name).suffix.lower()}"
    raw.parent.mkdir(parents=True, exist_ok=True)
    if not raw.is_file():
        raw.write_bytes(contents)
    names = [v.name for v in readers.inspect(raw)]
    found = "found by name, or none"
    x = st.multiselect("x: the data", names, key=f"file.{digest}.x", placeholder="found by name")
    u = st.multiselect("u: the auxiliary variable", names, key=f"file.{digest}.u", placeholder=found)
    z = st.multiselect("True factors, if known", names, key=f"file.{digest}.z", placeholder=found)
    rate = st.number_input(
        "Sampling rate (Hz)", 0.0, value=None, key=f"file.{digest}.rate", placeholder="not a time series",
        help="If rows are in time order: whole blocks are then held out",
    )  # fmt: skip
    return _kept(raw, stem, tuple(x), tuple(u), tuple(z), rate or None)


@st.cache_resource(max_entries=4, show_spinner="Reading the file ...")
def _kept(raw: Path, stem: str, x: Names, u: Names, z: Names, rate: float | None) -> FileData:
    """Read the chosen columns once and keep them in the store as one prepared file."""
    dataset = readers.read(raw, x=x or None, u=u or None, z=z or None, rate_hz=rate)
    path = controls.data_folder() / f"{stem}-{dataset.fingerprint[:6]}.npz"
    core.save(dataset, path)
    return FileData(path=str(path))
