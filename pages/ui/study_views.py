"""The results of a study, drawn from its table, and the table as a download."""

import io
from typing import Any

import streamlit as st

from dvae_core import figures
from dvae_core.analysis import dimensions, study_table
from dvae_core.analysis.tables import shipped_study
from dvae_core.config import ConfigError
from dvae_core.work.study import Study
from pages.ui import controls
from pages.ui import page as ui


def results(study: Study) -> None:
    """Draw the table so far, one data set and one score at a time."""
    by_latents = study.dimensions()
    if by_latents:
        best = dimensions.chosen(by_latents)
        ui.plot(
            figures.dimensions(
                [d.latents for d in by_latents], [d.elbo for d in by_latents], [d.least_r2 for d in by_latents],
                stable=dimensions.STABLE, chosen=None if best is None else best.latents,
                title=dimensions.sentence_of(by_latents),
            ), key="study.latents",
        )  # fmt: skip
        return
    of_table(study.table())


def shipped() -> None:
    """Draw the study that came with the software."""
    table: Any = shipped_study()
    st.caption(
        f"**This study came with the software**: {len(table)} models, {table['seed'].nunique()} seeds of every model "
        f"and β on {table['data'].nunique()} worlds. *Start the study* trains it again here, or one of your own."
    )
    of_table(table)


def of_table(table: Any) -> None:
    """Draw one data set and one score of a study's table."""
    table = study_table.with_worlds(table)
    sets = list(dict.fromkeys(table["data"]))
    chosen = ui.choice(st.segmented_control, "Data", sets, param="on", show=label) if len(sets) > 1 else sets[0]
    table = table[table["data"] == chosen]
    scores = study_table.scores_of(table)
    if not scores:
        st.caption("Dots appear as soon as the first population is scored.")
        return
    score = ui.choice(st.segmented_control, "Score", list(scores), param="score", show=scores.__getitem__)
    ui.plot(figures.score_against_beta(table, score, scores[score]), key="study.beta")
    shown = [score, *(s for s in ("mcc", "mig", "elbo") if s in scores and s != score)]
    ui.plot(figures.variance_bars(study_table.variance(table, shown)), key="study.variance")
    st.caption(
        "Locatello et al. (2019) trained 12,000 models and found what these bars show in small: a good score may "
        "be a lucky seed. Look at the grey part, which the seeds explain, before you call a method better."
    )
    with_truth = (
        score if score in study_table.WITH_TRUTH else next((s for s in scores if s in study_table.WITH_TRUTH), None)
    )
    if with_truth is None:
        st.caption("No true factors are known here: which of these models is right cannot be seen from this table.")
        return
    ui.plot(figures.rank_correlations(study_table.rank_correlations(table)), key="study.ranks")
    blind = [s for s in scores if s in study_table.WITHOUT_TRUTH]
    name = ui.choice(st.segmented_control, "Without truth", blind, param="blind", show=scores.__getitem__)
    rho = study_table.rank_correlation(table, name, with_truth)
    ui.plot(figures.known_and_unknown(table, name, with_truth, scores, rho), key="study.blind")


def label(text: str) -> str:
    """Return a short name for a data set of a table."""
    try:
        return controls.data_label(controls.data_from_text(text)[0])
    except ConfigError:  # a file that is not on this machine, or a name given by the user
        return text


def export(study: Study) -> None:
    """Offer the table for download, and links to single populations."""
    file = study.path / "table.parquet"
    with st.container(horizontal=True):
        if file.is_file():
            for kind, data in (("parquet", file.read_bytes), ("csv", lambda: csv(study))):
                st.download_button(
                    f"Table ({kind})", data, f"{study.id}.{kind}", icon=":material/download:", on_click="ignore"
                )
    drawable = [p for p in study.populations if ui.is_usable(study.run(p))]
    if drawable:
        with st.expander("Open a population", icon=":material/folder_open:"):
            for p in drawable:
                ui.link("traverse", f"{figures.model_label(p.model)} on {label(p.data)}", run=p.run_id)


def csv(study: Study) -> bytes:
    """Return the table as CSV."""
    text = io.StringIO()
    table: Any = study.table()
    table.to_csv(text, index=False)
    return text.getvalue().encode()
