"""Import a run from a zip or from the playground; export runs, latents and decoders for other programs."""

from collections.abc import Callable

import streamlit as st

from dvae_core import runs
from dvae_core.analysis.tables import member_table
from dvae_core.export.onnx import decoder_onnx
from dvae_core.runs import Run, RunError, archive
from dvae_core.work import browser_runs
from pages.ui import page as ui
from pages.ui import run_panel


def import_run() -> None:
    """Import a zip made by Export, on this machine or another, or what the playground saved."""
    with st.popover("Import", icon=":material/upload:"):
        file = st.file_uploader(
            "A run as a zip file, or what the playground saved", ["zip", "safetensors"], key="import.file",
            help="Nothing in it is ever executed",
        )  # fmt: skip
        if file is not None and st.button("Import this run", type="primary", key="import.go"):
            unpack = browser_runs.import_run if file.name.endswith(".safetensors") else archive.unpack
            with st.spinner("Importing"):
                attempt(lambda: ui.remember("run", unpack(file.getvalue(), runs.default_store()).id))


def export_run(run: Run) -> None:
    """Offer the run as a zip, its decoder as ONNX, and its latents and scores as tables."""
    with st.popover("Export", icon=":material/download:"):
        st.download_button(
            "The run (zip)", lambda: archive.pack(run), f"{run.id}.zip", "application/zip", on_click="ignore"
        )
        if not ui.is_usable(run):
            return
        member = ui.pick_member(run)
        if run.kind == "model":
            st.download_button(
                "Decoder of this member (ONNX)", lambda: decoder_onnx(ui.plan_of(run), member),
                f"{run.id}-{member}.onnx", on_click="ignore", help="x = E[x|z] for any program that reads ONNX",
            )  # fmt: skip
        st.download_button(
            "Latents of the held-out rows (npz)", (run.path / "latents.npz").read_bytes, f"{run.id}-latents.npz",
            on_click="ignore", help="mu_z [member, row, latent], and what is known of each row",
        )  # fmt: skip
        every = run.path / "analysis" / "all_rows.npz"
        if every.is_file():
            st.download_button(
                "Latents of all rows, in order, with verdicts (npz)", every.read_bytes, f"{run.id}-all-rows.npz",
                on_click="ignore", help="mu_z [member, row, latent]; part: 0 training, 1 held out, 2 in neither",
            )  # fmt: skip
        else:
            run_panel.ask(run, "all_rows", "Encode all rows, in order", "Encoding all rows")
        for kind, write in (("CSV", "to_csv"), ("Parquet", "to_parquet")):
            st.download_button(
                f"Scores of every member ({kind})", lambda write=write: table_bytes(run, write),
                f"{run.id}-members.{kind.lower()}", on_click="ignore",
            )  # fmt: skip


def table_bytes(run: Run, write: str) -> bytes:
    """Return the table of members in a format of pandas."""
    data = getattr(member_table(run), write)(index=False)  # without a path pandas returns the contents
    return data.encode() if isinstance(data, str) else data


def attempt(what: Callable[[], None]) -> None:
    """Call the action and rerun the page; a refusal becomes a message."""
    try:
        what()
    except RunError as error:
        ui.problem(error)
    else:
        st.rerun()
