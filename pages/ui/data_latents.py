"""Latents that another program computed, uploaded and made a run: the Data page's last source."""

import tempfile
from pathlib import Path

import streamlit as st

from dvae_core import runs
from dvae_core.config import ConfigError
from dvae_core.data.dataset import DataError
from dvae_core.data.given import Latents, read_latents
from dvae_core.runs import RunError, new_path
from dvae_core.runs.given import import_latents
from dvae_core.work import jobs
from pages.ui import controls
from pages.ui import page as ui

TYPES = ["npz", "npy", "csv", "parquet", "h5", "hdf5", "h5ad"]
WORDS = (
    "CEBRA, LFADS, scVI, PCA, a VAE of your own: upload its latents, and Recover, Agree and Conditions judge them by "
    "the same rules. One file with `mu_z` [seed, row, latent], or one file for each seed. It may also hold `u`, `z` "
    "(true factors), `x`, `held_out`, and `row`, `time` or `name` for each row."
)
OWN = "In the file itself"


def show() -> None:
    """Upload latents, say what they are and which data they belong to, and import them as a run."""
    left, right = st.columns([1, 2], gap="large")
    with left:
        st.caption(WORDS)
        uploads = st.file_uploader("Latents", TYPES, accept_multiple_files=True, key="latents.files",
                                   help="Kept on this machine. Pickles can run code and are not accepted.")  # fmt: skip
        method = st.text_input("Computed by", placeholder="CEBRA", key="latents.method", max_chars=60)
        key = st.text_input(
            "Name of the latents in the file", placeholder="mu_z", key="latents.key",
            help="An array, or the prefix of a table's columns; of AnnData the entry of obsm",
        )  # fmt: skip
        sources = _sources()
        which = st.selectbox(
            "u, factors and x are", list(sources), key="latents.data",
            help="Rows are matched by row number or time, never by position alone",
        )  # fmt: skip
        same = st.checkbox("Row i is row i of the data, in every file", key="latents.same",
                           help="Only for files without row numbers, times or names")  # fmt: skip
    with right:
        if not uploads:
            st.info("Choose files on the left; nothing in them is ever executed.", icon=":material/upload_file:")
            return
        try:
            latents = _read(uploads, key, same_rows=same)
        except (DataError, ValueError) as error:
            st.error(str(error), icon=":material/error:")
            return
        p, n, d = latents.mu_z.shape
        st.markdown(f"**{p} seed{'s' * (p != 1)} of {d} latents on {n:,} rows.** " + _with(latents))
        if st.button("Import as a run", type="primary", icon=":material/input:"):
            name = method.strip() or "latents"
            try:
                run = import_latents(
                    latents, new_path(runs.default_store(), name), method=name, data=sources[which], same_rows=same,
                    source=uploads[0].name,
                )  # fmt: skip
                jobs.analyse(run, "score")
            except (ConfigError, DataError, RunError) as error:
                st.error(str(error), icon=":material/error:")
                return
            ui.go("agree" if p > 1 else "recover", run=run.id)


def _sources() -> dict:
    """Return the data sets that latents can belong to, by label: None for what is in the file itself."""
    found: dict = {OWN: None}
    for run in ui.decodable_runs():
        found.setdefault(f"Data of {run.title}", run.config.data)
    chosen = controls.chosen_data()
    return found | {f"{controls.data_label(chosen)} (chosen on this page)": chosen}


def _read(uploads: list, key: str, *, same_rows: bool) -> Latents:
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for i, upload in enumerate(uploads):
            path = Path(folder) / str(i) / Path(upload.name).name
            path.parent.mkdir()
            path.write_bytes(upload.getvalue())
            paths.append(path)
        return read_latents(paths, key=key.strip(), same_rows=same_rows)


def _with(latents: Latents) -> str:
    parts = [name for name, value in (("u", latents.u), ("true factors", latents.z), ("x", latents.x),
                                      ("keys of the rows", latents.rows)) if value is not None]  # fmt: skip
    return f"The file also has {', '.join(parts)}." if parts else "The file has nothing else."
