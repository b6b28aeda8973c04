"""A session that shares the prior of another run: in which order its latents come out, and what sharing costs."""

import streamlit as st

from dvae_core.analysis.session.record import Session, shares_prior
from dvae_core.runs import Run
from pages.ui import run_panel


def applies(run: Run) -> bool:
    """Whether a run was trained against the prior of another one."""
    return shares_prior(run)


def show(run: Run) -> None:
    """Show the report, or offer to compute it."""
    st.subheader("Do its latents come out in the same order?", anchor=False, divider="gray")
    found = Session.load(run, "session")
    if found is None:
        st.caption(
            "This session was trained against the p(z|u) of another run. The report trains it once with its own."
        )
        run_panel.ask(run, "session", "Compute the report", "Training with a prior of its own, comparing latents")
        return
    st.markdown(found.statement)
    left, right = st.columns(2, gap="large")
    left.markdown(likeness_table(found))
    right.markdown(starts_table(found))
    st.caption(
        f"Alike: correlation of means and log deviations over {found.cells} cells of u, at the better sign. Bounds are "
        f"held-out, in nats a row: {found.elbo:.2f} with the shared prior, {found.own_elbo:.2f} with its own. With a "
        f"prior of its own, latents would be alike at {found.own_in_order:.2f} in their present order and at "
        f"{found.own_matched:.2f} after matching."
    )


def likeness_table(found: Session) -> str:
    """Return how alike each latent here is to each of the other run, as Markdown; its partner is bold."""
    d = len(found.best)
    head = ["", *(f"z{j + 1} here" for j in range(d))]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for i, row in enumerate(found.likeness):
        cells = [f"**{v:.2f}**" if found.best[i] == j else f"{v:.2f}" for j, v in enumerate(row)]
        lines.append(f"| z{i + 1} of {found.other} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def starts_table(found: Session) -> str:
    """Return the bound of every start as Markdown; the chosen one is bold, and a lost one says so."""
    lines = ["| start | bound |", "|---|---|"]
    for m, start in enumerate(found.starts):
        name = f"seed {start['seed']}{', mirror image' if start['is_mirror'] else ''}"
        bound = f"{start['elbo']:.2f}" if start["counts"] else "failed or stuck"
        lines.append(f"| {name} | {f'**{bound}**' if m == found.member else bound} |")
    return "\n".join(lines)
