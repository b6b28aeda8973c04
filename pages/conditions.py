"""Chapter 3: does the theorem apply to a run? Its four conditions as lights, and what u must be like."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dvae_core import figures
from dvae_core.analysis.agreement import record as agreement
from dvae_core.analysis.conditions.record import Conditions, file_name
from dvae_core.analysis.tables import member_table
from dvae_core.identify import conditions as theorem
from dvae_core.runs import Run, RunError
from pages.ui import agree_views, code, conditions_kinds_of_u, conditions_noise, run_panel
from pages.ui import page as ui

MATHS = r"""$$p_\theta(z|u) = \prod_i \frac{Q_i(z_i)}{Z_i(u)} \exp\Big(\sum_j T_{ij}(z_i)\,\lambda_{ij}(u)\Big)$$

**Theorem 1** (Khemakhem et al. 2020). If (1) the noise is additive and its characteristic function vanishes almost
nowhere, (2) $f$ is injective, (3) the $T_{ij}$ are differentiable almost everywhere and linearly independent on any set
of positive measure, (4) $nk + 1$ values of $u$ make
$L = (\lambda(u^1) - \lambda(u^0), \ldots, \lambda(u^{nk}) - \lambda(u^0))$ invertible, then $T^*(z^*) = A\,T(z) + c$.
**Theorem 2** ($k \ge 2$; $f$ with all second-order cross derivatives) and **3** ($k = 1$, $T_i$ not monotonic; $f$ with
continuous partial derivatives): $A$ is a (block) permutation.

All three assume that the data come from a model of this family and that $p(x|u)$ is known exactly for every $u$. No
light tests that. Light 3 sees $T$ only where latents lie; learned $T$ are constant far outside."""
VIEWS = {"run": "A run, and its u", "noise": "The noise"}
FACES = {
    "met": ("Met", ":material/check_circle:", "green"),
    "unsure": ("With care", ":material/warning:", "orange"),
    "broken": ("Broken", ":material/cancel:", "red"),
}


def checklist(run: Run, found: Conditions, lights: list[theorem.Light]) -> None:
    """The four lights, each with its number, and what follows from them."""
    for column, (i, light) in zip(st.columns(4), enumerate(lights, 1), strict=True):
        word, icon, colour = FACES[light.state]
        with column.container(border=True, height="stretch"):
            st.badge(word, icon=icon, color=colour)  # type: ignore[arg-type]
            st.markdown(f"**{i}. {light.name}**")
            st.markdown(f"#### {light.number}")
            st.caption(light.why)
    st.markdown(f"**The theorem.** {theorem.what_follows(run.config, lights, found.monotonic, found.effect)}")


def measured(run: Run) -> None:
    """Show beside the theorem up to which map the seeds agree, which is measured and needs no theorem."""
    if run.config.members < 2:
        return
    found = agreement.Agreement.load(run, agreement.file_name())
    if found is not None:
        st.markdown(f"**Measured.** {' '.join(agree_views.findings(found, [run.config.model_name]))}")
    ui.link("agree", "Do the seeds agree?" if found is None else "Details on Agree", run=run.id, beside="none")


def value_of_u(names: Sequence[str], row: Any) -> str:
    """Name one value of a continuous u by all of its columns."""
    return ", ".join(f"{name} = {value:.2g}" for name, value in zip(names, row.tolist(), strict=True))


def pictures(found: Conditions, learned: theorem.TheoremMatrix | None, run: Run) -> None:
    """L's singular values, learned and true, beside the prior's own shape."""
    names, columns = run.about.get("u_labels") or (), run.about.get("u_names") or ()
    true = None if found.lam_true is None else theorem.theorem_matrix(found.lam_true)
    left, right = st.columns(2)
    with left:
        ui.plot(
            figures.singular_values(
                None if learned is None else learned.singular, None if true is None else true.singular,
                0 if learned is None else learned.needed, None if found.effect is None else found.effect.chance,
            ), key="conditions.singular",
        )  # fmt: skip
        notes = [found.true_words] if found.true_words else []
        if true is not None:
            size = f"condition {true.condition:.1f}" if true.rank == true.needed else "not invertible"
            notes.append(f"True λ: rank {true.rank} of {true.needed}, {size}.")
        st.caption("Rows of L are scaled by the spread of T: nats of log p(z|u). " + " ".join(notes))
    with right:
        if found.curves is not None and found.curve_z is not None and found.shown is not None and found.u is not None:
            u = found.u
            shown = [names[k] if names else value_of_u(columns, u[k]) for k in found.shown.tolist()]
            ui.plot(figures.prior_curves(found.curve_z, found.curves, shown), key="conditions.prior")
            if found.grid_error:
                st.caption(f"Z is summed on a grid; one twice as fine moves log Z by {found.grid_error:.0e}.")


def collapse(run: Run, found: Conditions, member: int) -> None:
    """Whether the latents only repeat u."""
    if found.explained is None:
        return
    table = member_table(run)
    within = table["mcc_within_u"].iloc[member] if "mcc_within_u" in table else float("nan")
    shares = found.explained.tolist()
    worst = max(shares)
    if worst > theorem.REPEATS_U:
        st.warning(
            f"u explains {worst:.1%} of a latent: it repeats u and adds little of its own.", icon=":material/warning:"
        )
    rows = ["| | " + " | ".join(f"z{i + 1}" for i in range(len(shares))) + " |", "|---" * (len(shares) + 1) + "|"]
    rows.append("| Var(E[mean\\|u]) / Var(mean), latents | " + " | ".join(f"{s:.2f}" for s in shares) + " |")
    if found.explained_true is not None:
        true = found.explained_true.tolist()
        st.markdown("\n".join(rows))
        st.caption("True factors, in their own order: " + ", ".join(f"{s:.2f}" for s in true) + ".")
    else:
        st.markdown("\n".join(rows))
    if within is not None and within == within:  # neither without truth nor without labels
        st.markdown(f"**MCC within u: {within:.2f}.** Copying u cannot achieve it.")


def without_model(run: Run, member: int, found: Conditions | None) -> None:
    """Show what can be checked for imported latents: how far u explains them, and up to which map seeds agree."""
    st.info(
        f"{run.title} holds latents computed elsewhere: the four conditions need a decoder and a prior. What needs no "
        "model is below.", icon=":material/info:",
    )  # fmt: skip
    measured(run)
    if not run.about.get("d_u"):
        st.caption("No u came with these latents, so it cannot be checked whether they repeat it.")
    elif found is None:
        run_panel.ask(run, "conditions", "Does u explain the latents?", "Comparing with u", member_index=member)
    else:
        collapse(run, found, member)


def lab(run: Run, member: int) -> None:
    """Everything about one member of a run."""
    found = Conditions.load(run, file_name(member))
    if run.kind == "latents":
        without_model(run, member, found)
        return
    if found is None or found.is_outdated:
        st.info(
            "The four conditions are checked on held-out data. This takes some seconds.", icon=":material/checklist:"
        )
        run_panel.ask(run, "conditions", "Check the conditions", "Computing T, λ and Jacobians", member_index=member)
        return
    continuous = not run.about.get("has_labels")
    lights, learned = found.lights(run.config, is_continuous=continuous)
    checklist(run, found, lights)
    measured(run)
    pictures(found, learned, run)
    with st.expander("Do the latents only repeat u?", icon=":material/content_copy:", expanded=True):
        collapse(run, found, member)
    code.show(
        "from dvae_core import runs\nfrom dvae_core.analysis.conditions.record import Conditions\n"
        f"from dvae_core.identify.conditions import what_follows\n\n{code.opening(run)}\n"
        f"# python -m dvae_core analyse {run.path.name} conditions --set member_index={member}\n"
        f'found = Conditions.load(run, "{file_name(member)}")\n'
        f"lights, L = found.lights(run.config, is_continuous={continuous})\n"
        "print(what_follows(run.config, lights, found.monotonic, found.effect))"
    )


ui.start(
    "conditions",
    "Does the theorem hold here?",
    "Four conditions, each with the number behind its light; and what u and the noise must be like.",
    maths=MATHS,
)
try:
    view = ui.choice(st.segmented_control, "Look at", list(VIEWS), param="conditions_view", show=VIEWS.__getitem__)
    if view == "noise":
        conditions_noise.section()
    else:
        left, right = st.columns([3, 2], vertical_alignment="top")
        with left:
            run = ui.pick_run(prefer=lambda r: r.config.is_conditional)
        with right:
            member = ui.pick_member(run)
        lab(run, member)
        conditions_kinds_of_u.section()
except (RunError, ValueError) as error:
    ui.problem(error)
ui.foot("conditions")
