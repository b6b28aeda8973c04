"""Published disentanglement scores of one member beside its traversals, if the true factors are known."""

import streamlit as st

from dvae_core import figures
from dvae_core.analysis.disentanglement.record import Disentanglement, file_name
from dvae_core.runs import Run
from pages.ui import page as ui
from pages.ui import run_panel

SHOWN = {
    "mig": "MIG", "dci_disentanglement": "DCI disent.", "dci_completeness": "DCI compl.", "sap": "SAP",
    "factor_vae": "FactorVAE", "beta_vae": "BetaVAE", "irs": "IRS", "modularity": "Modularity",
    "explicitness": "Explicitness", "infom": "InfoM", "infoc": "InfoC", "infoe": "InfoE",
}  # fmt: skip
A_ROW = 6  # scores side by side


def panel(run: Run, member: int) -> None:
    """Show how each latent follows each true factor, with published scores; offer to compute them."""
    factors = run.about.get("z_names") or []
    if not factors or run.config.model.latents < 2:
        return
    found = Disentanglement.load(run, file_name(member))
    with st.expander("Does one latent mean one factor?", icon=":material/grid_on:", expanded=found is not None):
        if found is None:
            st.markdown(
                "MIG, DCI, SAP and similar scores compare each latent with each true factor. This takes up to a minute."
            )
            run_panel.ask(run, "disentanglement", "Compute", "Fitting the trees of DCI", member_index=member)
            return
        scores = found.scores
        known = [name for name in SHOWN if name in scores]  # version 0.1 knew fewer
        for start in range(0, len(known), A_ROW):
            for cell, name in zip(st.columns(A_ROW), known[start : start + A_ROW], strict=False):
                hint = f"Blind to {scores[name]['blind_to']}. By chance: {scores[name]['chance']}."
                cell.metric(SHOWN[name], f"{scores[name]['value']:.2f}", help=hint)
        ui.plot(figures.factor_map(found.matrix("mig"), found.factors), key=f"scores.map.{run.id}")
        st.caption(
            f"{found.rows:,} held-out rows, {found.codes}. 1 is perfect. The scores disagree with one another, "
            "and training sees none of them: see Locatello et al. 2019."
        )
