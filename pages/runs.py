"""Workbench: every run, to open, rename, download or delete."""

from collections.abc import Callable

import pandas as pd
import streamlit as st

from dvae_core import archive, runs
from dvae_core.analysis import read
from dvae_core.export import decoder_onnx
from dvae_core.runs import Run, RunError
from pages.ui import code, controls, jobs
from pages.ui import page as ui

COLUMNS = {
    "title": st.column_config.TextColumn("Run", width=300),
    "model": "Model",
    "data": "Data",
    "members": st.column_config.NumberColumn("Members", help="Seeds trained together"),
    "latents": "Latents",
    "state": "State",
    "mcc": st.column_config.NumberColumn(
        "MCC", format="%.2f", help="Held-out, Pearson, mean over members; where the factors are known"
    ),
    "elbo": st.column_config.NumberColumn(
        "ELBO (nats)", format="%.2f", help="Held-out, per example, mean over members"
    ),
    "created": st.column_config.DatetimeColumn("Made", format="D MMM YYYY, HH:mm"),
}


def choose(everything: list[Run]) -> Run:
    """Show the table; the selected row is the run of the link."""
    table = read.run_table(everything).reindex(columns=["id", "shipped", *COLUMNS])
    table["title"] = table["title"] + [" · shipped" if run.is_shipped else "" for run in everything]
    table["created"] = pd.to_datetime(table["created"], unit="s")
    ids = [run.id for run in everything]
    wanted = st.query_params.get("run")
    at = ids.index(wanted) if wanted in ids else 0
    picked = st.dataframe(
        table[list(COLUMNS)], hide_index=True, column_config=COLUMNS, on_select="rerun",
        selection_mode="single-row-required", placeholder="–",
        selection_default={"selection": {"rows": [at]}}, key="runs.table", height=min(38 + 35 * len(ids), 400),
    )  # fmt: skip
    rows = picked["selection"]["rows"]
    return everything[rows[0] if rows else at]


def renaming(run: Run) -> None:
    """Offer another title."""
    with st.popover("Rename", icon=":material/edit:"):
        title = st.text_input("New name", run.title, max_chars=100, key=f"title.{run.id}")
        if st.button("Save", type="primary", key=f"save.{run.id}"):
            attempt(lambda: runs.rename(run, title))


def deleting(run: Run) -> None:
    """Ask once more; deleting cannot be undone."""
    with st.popover("Delete", icon=":material/delete:"):
        st.markdown("The folder and everything in it is removed. This cannot be undone.")
        if st.button("Delete for good", type="primary", key=f"delete.{run.id}"):

            def gone() -> None:
                runs.delete(run)
                ui.remember("run", None)

            attempt(gone)


def repairing(run: Run) -> None:
    """Offer to put right what can be: a damaged status, rewritten from what is there."""
    if run.problem().startswith("status.json") and st.button("Repair", icon=":material/build:"):
        attempt(lambda: runs.repair(run))


def bringing() -> None:
    """Take in a zip that Take home made, here or elsewhere."""
    with st.popover("Import", icon=":material/upload:"):
        file = st.file_uploader(
            "A run as a zip file", ["zip"], key="import.file", help="Nothing in it is ever executed"
        )
        if file is not None and st.button("Take it in", type="primary", key="import.go"):
            attempt(lambda: ui.remember("run", archive.unpack(file.getvalue(), runs.default_store()).id))


def taking(run: Run) -> None:
    """Offer the run to other programs: latents and history as tables, the decoder as ONNX, the whole as a zip."""
    with st.popover("Take home", icon=":material/download:"):
        st.download_button(
            "The run (zip)", lambda: archive.pack(run), f"{run.id}.zip", "application/zip", on_click="ignore"
        )
        if not ui.is_usable(run):
            return
        member = ui.pick_member(run)
        st.download_button(
            "Decoder of this member (ONNX)", lambda: decoder_onnx(ui.plan_of(run), member),
            f"{run.id}-{member}.onnx", on_click="ignore", help="x = E[x|z] for any program that reads ONNX",
        )  # fmt: skip
        st.download_button(
            "Latents of the held-out rows (npz)", (run.path / "latents.npz").read_bytes, f"{run.id}-latents.npz",
            on_click="ignore", help="mu_z, std_z [member, row, latent], and what is known of each row",
        )  # fmt: skip
        for kind, write in (("CSV", "to_csv"), ("Parquet", "to_parquet")):
            st.download_button(
                f"Scores of every member ({kind})", lambda write=write: table_bytes(run, write),
                f"{run.id}-members.{kind.lower()}", on_click="ignore",
            )  # fmt: skip


def table_bytes(run: Run, write: str) -> bytes:
    """Return the table of members in a format of pandas."""
    data = getattr(read.member_table(run), write)(index=False)  # without a path pandas returns it
    return data.encode() if isinstance(data, str) else data


def attempt(what: Callable[[], None]) -> None:
    """Do it and show the page anew; a refusal is said here."""
    try:
        what()
    except RunError as error:
        ui.problem(error)
    else:
        st.rerun()


def summary(run: Run) -> None:
    """Say what the run is and where it can be opened."""
    config, about = run.config, run.about
    with st.container(horizontal=True, vertical_alignment="center"):
        jobs.badge(run.status().state)
        st.text(run.title)
    likelihood, posterior = config.model.likelihood.kind, config.model.posterior
    examples = f", {about['n']:,} examples" if "n" in about else ""
    st.caption(
        f"{config.model_name} with {config.model.latents} latents, {config.members} members · "
        f"{likelihood} likelihood, {posterior} posterior · {controls.data_label(config.data)}{examples}"
    )
    with st.container(horizontal=True):
        for name in ("train", "traverse", "rotate", "recover"):
            ui.link(name, "Curves" if name == "train" else None, run=run.id)


def detail(run: Run) -> None:
    """Show one run and what can be done with its folder; a damaged one can still be taken away or deleted."""
    with st.container(border=True):
        try:
            summary(run)
        except RunError as error:
            ui.problem(error)
        with st.container(horizontal=True):
            if not run.problem():  # said above; such a run can still be repaired or deleted
                taking(run)
            if not run.is_shipped:
                repairing(run)
                renaming(run)
                deleting(run)
        if run.is_shipped:
            st.caption("This run came with the software: it can be opened and copied, not changed.")


ui.start("runs", "Runs", "Every trained population is a folder: open it on any page, or take it with you.")
bringing()
jobs.queue()
everything = ui.all_runs()
if not everything:
    st.info("Nothing is trained yet.", icon=":material/info:")
    ui.link("train", "Train a model")
else:
    run = choose(everything)
    if run.id != everything[0].id or "run" in st.query_params:
        ui.remember("run", run.id)
    try:
        detail(run)
        code.show(
            f"from dvae_core import runs\n\n{code.opening(run)}\nprint(run.config.to_json())\n"
            "print(run.history().tail())"
        )
    except RunError as error:
        ui.problem(error)
ui.foot("runs")
