"""Chapter 3: recovered latents against the true factors, with every reference line."""

import streamlit as st

from dvae_core import figures
from dvae_core.analysis.agreement.record import comparable
from dvae_core.analysis.common import best_member
from dvae_core.analysis.latents import factor_colours, held_out
from dvae_core.analysis.recovery.record import Recovery, recovery
from dvae_core.axes import evenly
from dvae_core.live.linked import Panel
from dvae_core.runs import Run, RunError
from pages.ui import code, recover_views
from pages.ui import page as ui
from pages.ui.components.linked import linked
from pages.ui.handout_button import handout_button

MATHS = r"""$$p_\theta(z|u) = \prod_i \frac{Q_i(z_i)}{Z_i(u)} \exp\Big(\sum_j T_{ij}(z_i)\,\lambda_{ij}(u)\Big)$$

**Theorem 1** (Khemakhem et al. 2020): with $nk + 1$ values of $u$ for which
$L = (\lambda(u^1) - \lambda(u^0), \ldots)$ is invertible, $T^*(z^*) = A\,T(z) + c$.
**Theorem 2** ($k \ge 2$, $f$ with all second-order cross derivatives): $A$ is a block permutation. Both are about data
from a model of this family, with $p(x|u)$ known exactly for every $u$.

$$\mathrm{MCC} = \max_\pi \frac1n \sum_i |\mathrm{corr}(z_i, \hat z_{\pi(i)})|$$

Held-out rows, posterior means. Blind to order, sign, scale and offset; not to rotation."""


def toolbar() -> tuple[Run, int, str, list[Run], Run | None]:
    """Show the choices of this page in one row."""
    cells = st.columns([3, 2, 2, 3], vertical_alignment="top")
    with cells[0]:
        run = ui.pick_run(prefer=lambda r: r.config.is_conditional)
    with cells[1]:
        member = ui.pick_member(run)
    with cells[2]:
        method = ui.choice(
            st.segmented_control, "Correlation", ["pearson", "spearman"], param="method", show=str.capitalize
        )
    others = {r.id: r for r in comparable(ui.usable_runs(), run)[1:]}
    wanted = next((r.id for r in others.values() if r.config.is_conditional != run.config.is_conditional), None)
    with cells[3]:
        other = ui.choice(
            st.selectbox, "Beside", ["none", *others], param="beside", default=wanted,
            show=lambda i: ui.run_label(others[i]) if i in others else "No other run",
        )  # fmt: skip
    return run, member, method, list(others.values()), others.get(other)


def panels(run: Run, member: int, found: Recovery, beside: Run | None, method: str) -> None:
    """The talk's last figure: true factors, data, and the latents of each model. Points brushed in one show in all."""
    latents, (hue, names) = held_out(run), factor_colours(run)
    has_x = "x" in latents
    rows = latents["x_rows"] if has_x else evenly(len(latents["index"]), figures.POINTS)
    drawn = [Panel("(a) true factors, p(s|u)", found.z_true[rows], found.names)]
    if has_x:
        x, axes, _ = figures.projected(latents["x"], run.about.get("x_names") or ())
        drawn.append(Panel("(b) data, p(x|u)", x, axes))
    else:
        drawn.append(Panel("(b) data", None, missing="x did not come with these latents."))
    models = [(run, member, found)]
    if beside is not None and same_rows(run, beside):
        best = best_member(beside)
        other = recovery(beside, best)
        models += [] if other is None else [(beside, best, other)]
    models.sort(key=lambda shown: not shown[0].config.is_conditional)  # the talk's order: iVAE, then VAE
    sentences = []
    for letter, (model, shown, its) in zip("cd", models, strict=False):
        name, value = model.config.model_name, recover_views.score_of(its, method).value
        axes = [f"latent for {factor}" for factor in its.names]
        title = f"({letter}) {name}, from {recover_views.seen_by(model)}: MCC {value:.2f}"
        drawn.append(Panel(title, its.aligned[rows], axes, "diverged, or a factor has no latent"))
        sentences.append(recover_views.shown_and_mean(model, shown, value, method))
    if len(models) < 2:
        drawn.append(Panel("(d)", None, missing="Choose another run of the same data to see it here."))
    st.markdown("MCC with the true factors: " + " ".join(sentences))
    linked(drawn, key="recover.talk", hues=None if hue is None else hue[rows], hue_labels=names)
    recover_views.other_worlds(run)


def same_rows(one: Run, other: Run) -> bool:
    """Whether two runs hold out the same rows, so that points can be linked."""
    return held_out(one)["index"].tolist() == held_out(other)["index"].tolist()


ui.start(
    "recover",
    "Recovered and true",
    "Which of the latents are the true factors, up to order, sign and scale?",
    maths=MATHS,
)
try:
    run, member, method, others, beside = toolbar()
    found = recovery(run, member)
    if found is None:
        st.info("The true factors of this data are unknown: there is nothing to compare with.", icon=":material/help:")
        with st.container(horizontal=True):
            ui.link("agree", "Ask instead whether the seeds agree")
            ui.link("recover", "Open the talk's example", keep=(), run="talk-ivae")
        recover_views.features(run, others)
    else:
        panels(run, member, found, beside, method)
        view = ui.choice(
            st.segmented_control,
            "Look at",
            list(recover_views.VIEWS),
            param="recover_view",
            show=recover_views.VIEWS.__getitem__,
        )
        recover_views.show(view, run, method, found, others)
        handout_button(run, member)
        code.show(
            "from dvae_core import runs\nfrom dvae_core.analysis.recovery.record import recovery\n"
            f"from dvae_core.metrics import ladder, mcc\n\n{code.opening(run)}\n"
            f'found = recovery(run, member={member})\nprint(mcc(found.z_true, found.z_hat, method="{method}"))\n'
            "print(ladder(found.z_hat, found.z_true).r2)"
        )
except RunError as error:
    ui.problem(error)
ui.foot("recover")
