"""Workbench: every run, to open, rename, download or delete."""

import pandas as pd
import streamlit as st

from dvae_core import runs
from dvae_core.analysis.common import best_member
from dvae_core.analysis.tables import run_table
from dvae_core.runs import Run, RunError
from pages.ui import code, controls, run_panel, runs_import_export
from pages.ui import page as ui
from pages.ui.handout_button import handout_button
from pages.ui.runs_import_export import attempt

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
    table = run_table(everything).reindex(columns=["id", "shipped", *COLUMNS])
    table["title"] = table["title"] + [" · shipped" if run.is_shipped else "" for run in everything]
    table["state"] = [run_panel.BADGES[state][0] for state in table["state"]]
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


def rename_form(run: Run) -> None:
    """Offer another title."""
    with st.popover("Rename", icon=":material/edit:"):
        title = st.text_input("New name", run.title, max_chars=100, key=f"title.{run.id}")
        if st.button("Save", type="primary", key=f"save.{run.id}"):
            attempt(lambda: runs.rename(run, title))


def delete_form(run: Run) -> None:
    """Ask for confirmation; deleting cannot be undone."""
    with st.popover("Delete", icon=":material/delete:"):
        st.markdown("The folder and everything in it is removed. This cannot be undone.")
        if st.button("Delete for good", type="primary", key=f"delete.{run.id}"):

            def remove() -> None:
                runs.delete(run)
                ui.remember("run", None)

            attempt(remove)


def repair_button(run: Run) -> None:
    """Offer to rewrite a damaged status from the other files of the run."""
    if run.problem().startswith("status.json") and st.button("Repair", icon=":material/build:"):
        attempt(lambda: runs.repair(run))


def summary(run: Run) -> None:
    """Describe the run, with links to the pages that open it."""
    config, about = run.config, run.about
    status = run.status()
    if status.is_active:  # its progress and buttons are in the queue above
        with st.container(horizontal=True, vertical_alignment="center"):
            run_panel.badge(status.state)
            st.text(run.title)
    else:
        run_panel.header(run, status)
    likelihood, posterior = config.model.likelihood.kind, config.model.posterior
    examples = f", {about['n']:,} examples" if "n" in about else ""
    model = "computed elsewhere" if config.is_given else f"{likelihood} likelihood, {posterior} posterior"
    st.caption(
        f"{config.model_name} with {config.model.latents} latents, {config.members} members · {model} · "
        f"{controls.data_label(config.data)}{examples}"
    )
    pages = ("agree", "recover", "conditions") if config.is_given else ("train", "traverse", "rotate", "recover")
    with st.container(horizontal=True):
        for name in pages:
            ui.link(name, "Curves" if name == "train" else None, run=run.id)


def detail(run: Run) -> None:
    """Show one run and what can be done with it; a damaged one can still be repaired or deleted."""
    with st.container(border=True):
        try:
            summary(run)
        except RunError as error:
            ui.problem(error)
        with st.container(horizontal=True):
            if not run.problem():  # shown above; such a run can still be repaired or deleted
                runs_import_export.export_run(run)
                if ui.is_usable(run):
                    handout_button(run, best_member(run))
            if not run.is_shipped:
                repair_button(run)
                rename_form(run)
                delete_form(run)
        if run.is_shipped:
            st.caption("This run came with the software: it can be opened and copied, not changed.")


ui.start("runs", "Runs", "Every trained population is a folder: open it on any page, or export it.")
runs_import_export.import_run()
run_panel.queue()
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
