"""Chapter 3: recovered latents against the true factors, with every reference line."""

import streamlit as st

from dvae_core import figures, metrics
from dvae_core.analysis import read
from dvae_core.analysis.read import Recovery
from dvae_core.runs import Run, RunError
from pages.ui import code
from pages.ui import page as ui

MATHS = r"""$$p_\theta(z|u) = \prod_i \frac{Q_i(z_i)}{Z_i(u)} \exp\Big(\sum_j T_{ij}(z_i)\,\lambda_{ij}(u)\Big)$$

**Theorem 1** (Khemakhem et al. 2020): with $nk + 1$ values of $u$ for which
$L = (\lambda(u^1) - \lambda(u^0), \ldots)$ is invertible, $T^*(z^*) = A\,T(z) + c$.
**Theorem 2** ($k \ge 2$): $A$ is a block permutation.

$$\mathrm{MCC} = \max_\pi \frac1n \sum_i |\mathrm{corr}(z_i, \hat z_{\pi(i)})|$$

Held-out rows, posterior means. Blind to order, sign, scale and offset; not to rotation."""
FLOORS = {"raw_x": "x itself", "pca": "PCA", "fastica": "FastICA", "u_only": "copying u"}
FLOORS["random_rotation"] = "random rotation"  # fmt: skip


def toolbar() -> tuple[Run, int, str, Run | None]:
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
    others = {r.id: r for r in read.comparable(ui.usable_runs(), run)[1:]}
    wanted = next((r.id for r in others.values() if r.config.is_conditional != run.config.is_conditional), None)
    with cells[3]:
        other = ui.choice(
            st.selectbox, "Beside", ["none", *others], param="beside", default=wanted,
            show=lambda i: ui.run_label(others[i]) if i in others else "No other run",
        )  # fmt: skip
    return run, member, method, others.get(other)


def talk_figure(run: Run, found: Recovery, beside: Run | None, method: str) -> None:
    """The talk's last figure: the world, the data, and what each model makes of it."""
    latents, (hue, names) = read.held_out(run), read.hues(run)
    rows = latents["x_rows"]
    panels = {kind_of(run): (run, found)}
    other = read.recovery(beside, read.best_member(beside)) if beside and same_rows(run, beside) else None
    if beside and other:
        panels.setdefault(kind_of(beside), (beside, other))
    titles, points = ["(a) true factors", "(b) data"], {}
    for letter, kind in (("c", "iVAE"), ("d", "VAE")):
        model, recovered = panels.get(kind, (None, None))
        points[kind] = recovered.aligned[rows] if recovered else None
        found_it = (
            f"{model.config.model_name}, MCC {score_of(recovered, method).value:.2f}" if model and recovered else ""
        )
        titles.append(f"({letter}) {found_it or f'no {kind} beside'}")
    hue = None if hue is None else hue[rows]
    ui.plot(
        figures.four_panels(found.z_true[rows], latents["x"], points["iVAE"], points["VAE"], hue, names, titles=titles),
        key="recover.talk",
    )


def kind_of(run: Run) -> str:
    """Which of the talk's two panels a run belongs to."""
    return "iVAE" if run.config.is_conditional else "VAE"


def score_of(found: Recovery, method: str) -> metrics.Score:
    """Return the score by the chosen correlation."""
    return found.pearson if method == "pearson" else found.spearman


def same_rows(one: Run, other: Run) -> bool:
    """Whether two runs hold out the same rows, so that points can be linked."""
    return read.held_out(one)["index"].tolist() == read.held_out(other)["index"].tolist()


def matched(run: Run, found: Recovery, method: str) -> None:
    """The n x n scatter, matched and signed, and the correlations behind it."""
    score = score_of(found, method)
    hue, names = read.hues(run)
    curves = [
        None if k < 0 else metrics.monotone_fit(sign * found.z_hat[:, k], found.z_true[:, i])
        for i, (k, sign) in enumerate(zip(score.matching, score.signs, strict=True))
    ]
    ui.plot(
        figures.recovery_scatter(
            found.z_true, found.z_hat, score.matching, score.signs, hue, names, matrix=score.matrix, curves=curves,
            names=run.about.get("z_names", ()), method=method.capitalize(),
        ), key="recover.scatter",
    )  # fmt: skip
    for note in score.notes:
        st.caption(note)


def lines(run: Run, beside: Run | None) -> None:
    """Every seed's score against what needs no model at all."""
    scores, references = {}, {}
    for each in (run, beside):
        score = None if each is None else each.score()
        if each is None or score is None:
            continue
        table, name = read.member_table(each), each.config.model_name
        name = name if name not in scores else f"{name} (beside)"
        scores[name] = table["mcc_pearson"].tolist()
        within = [value for value in table["mcc_within_u"].tolist() if value == value]
        if within:
            scores[f"{name}, within u"] = within
        references = references or {label: score["floors"].get(key) for key, label in FLOORS.items()}
    if not scores:
        st.info("The scores are computed when training has finished.", icon=":material/hourglass_top:")
        return
    ui.plot(figures.mcc_lines(scores, references, measure="MCC (Pearson, held-out)"), key="recover.lines")


ui.start(
    "recover",
    "Recovered and true",
    "Which of the latents are the true factors, up to order, sign and scale?",
    maths=MATHS,
)
try:
    run, member, method, beside = toolbar()
    found = read.recovery(run, member)
    if found is None:
        st.info("The true factors of this data are unknown: there is nothing to compare with.", icon=":material/help:")
        ui.link("recover", "Open the talk's example", keep=(), run="talk-ivae")
    else:
        talk_figure(run, found, beside, method)
        grid, scores = st.columns(2, gap="large")
        with grid:
            matched(run, found, method)
        with scores:
            lines(run, beside)
        code.show(
            "from dvae_core import runs\nfrom dvae_core.analysis import read\nfrom dvae_core.metrics import mcc\n\n"
            f"{code.opening(run)}\n"
            f'found = read.recovery(run, member={member})\nprint(mcc(found.z_true, found.z_hat, method="{method}"))'
        )
except RunError as error:
    ui.problem(error)
ui.foot("recover")
