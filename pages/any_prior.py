"""Chapter 2, even worse: map any factorial prior to a Gaussian, turn it there, and map it back."""

from typing import Any

import streamlit as st

from dvae_core import figures
from dvae_core.analysis.latents import held_out, latent_table
from dvae_core.figures.style import number
from dvae_core.identify import any_prior, matrices
from dvae_core.runs import Run
from pages.ui import any_prior_darmois, code
from pages.ui import page as ui

MATHS = r"""Any continuous factorial prior, component by component ($F_i$ its CDFs, $R$ orthogonal):

$$g = F^{-1} \circ \Phi \circ R \circ \Phi^{-1} \circ F, \qquad p(z) = p(g(z))\,|\det J_g(z)|$$

So $g(z)$ has the density of $z$, and the generator $f \circ g^{-1}$ explains the data exactly as $f$ does.

**Darmois**: $y_1 = F(x_1)$, $y_2 = F(x_2|x_1)$ are independent and uniform for *any* $x$."""
LOCATELLO = (
    "**Locatello et al. (2019), theorem 1.** For every factorial density p(z) of two or more latents there are "
    "infinitely many bijections g that keep the distribution of z although every component of g(z) depends on every "
    "component of z. So from x alone no method can tell f(z) from f(g⁻¹(z′)), unless models and data are restricted."
)
POINTWISE = (
    "The density is kept as a whole, not point by point: p(z) = p(g(z)) at every single point holds only for Gaussian "
    "and uniform marginals; otherwise a point may move to where p is larger and the volume around it shrinks to match."
)
OWN = "empirical"
POINTS, DRAWN = 1500, 600  # all in five panels: 1.2 s an angle in the browser instead of 0.8 (two busy cores)
NAMES = any_prior.LABELS | {OWN: "a run's own latents"}


def toolbar() -> tuple[tuple[str, str], Run | None, int]:
    """Show the choices of this page in one row: a marginal for each latent, and a run where it supplies one."""
    cells = st.columns([2, 2, 3, 2], vertical_alignment="top")
    usable = ui.usable_runs()
    known = [*any_prior.MARGINALS, OWN] if usable else list(any_prior.MARGINALS)
    names = []
    for cell, label, param in zip(cells, ("Prior of z1", "Prior of z2"), ("first", "second"), strict=False):
        with cell:
            names.append(ui.choice(st.selectbox, label, known, param=param, show=NAMES.__getitem__))
    if OWN not in names:
        return (names[0], names[1]), None, 0
    with cells[2]:
        run = ui.pick_run()
    with cells[3]:
        member = ui.pick_member(run)
    return (names[0], names[1]), run, member


def marginals_of(names: tuple[str, str], run: Run | None, member: int) -> list[Any]:
    """Return the two marginals: by name, or smoothed from the run's two latents of largest KL."""
    if run is None:
        return list(names)
    order = [latent["index"] for latent in latent_table(run, member)]
    mu = held_out(run)["mu_z"][member]
    columns = [order[min(k, len(order) - 1)] for k in (0, 1)]
    return [
        any_prior.empirical(mu[:, c], f"z{c + 1} of {run.title}") if name == OWN else name
        for name, c in zip(names, columns, strict=True)
    ]


@st.cache_data(max_entries=64, show_spinner=False)
def carried(names: tuple[str, str], about: tuple, angle: float, _run: Run | None, member: int) -> tuple[Any, Any]:
    """Carry 1,500 points through g and judge them; `about` names the version of the run."""
    marginals = marginals_of(names, _run, member)
    z = any_prior.sample(marginals, POINTS)
    found = any_prior.carry(z, matrices.rotation_matrix(2, angle), marginals)
    return found, any_prior.judge(found, marginals)


@st.fragment
def lab(names: tuple[str, str], run: Run | None, member: int) -> None:
    """The slider, the five panels, and the verdict."""
    st.session_state.setdefault("any_prior.angle", int(ui.number("angle", 0.0, 90.0, 30.0)))
    angle = st.slider("Angle of R (degrees)", 0, 90, key="any_prior.angle")
    ui.remember("angle", str(angle))
    about = () if run is None else (run.id, (run.path / "latents.npz").stat().st_mtime_ns)
    found, verdict = carried(names, about, float(angle), run, member)
    stages = {
        "z": (found.z, "1. Latents z", ("z1", "z2")),
        "u": (found.uniform, "2. F(z): uniform", ("F(z1)", "F(z2)")),
        "a": (found.gaussian, "3. Φ⁻¹: Gaussian", ("a1", "a2")),
        "b": (found.rotated, f"4. Turned by {angle}°", ("b1", "b2")),
        "g": (found.back, "5. Back: g(z)", ("g1", "g2")),
    }
    for cell, (key, (points, title, axis)) in zip(st.columns(5, gap="small"), stages.items(), strict=True):
        with cell:
            ui.plot(figures.stage(points, found.z, title=title, axis=axis, limit=DRAWN), key=f"any_prior.{key}")
    st.caption(
        "Hue and symbol show the quarter of the plane where a point starts, and stay with the point in all panels. "
        f"{DRAWN:,} of {POINTS:,} points are drawn; histograms and tests use all."
    )
    explain(verdict, matrices.rotation_matrix(2, angle), angle)


def explain(verdict: any_prior.Verdict, R: Any, angle: int) -> None:
    """Show what an observer could notice (nothing), and what has changed nevertheless."""
    ks = ", ".join(f"{k.p_value:.2f}" for k in verdict.ks)
    before, after = (f"{number(m.value)} ± {m.error:.2f}" for m in (verdict.mean_log_p, verdict.mean_log_p_back))
    table, text = st.columns([6, 5], gap="large")
    table.markdown(
        "| What can be checked | z | g(z) |\n|---|---|---|\n"
        f"| Marginals are the prior's (KS, p) | drawn from it | {ks} |\n"
        f"| Components independent (HSIC, p) | {verdict.independence_before.p_value:.2f} "
        f"| {verdict.independence.p_value:.2f} |\n"
        f"| Mean log p, ± standard error (nats) | {before} | {after} |\n"
        f"| log p(z) = log p(g(z)) + log\\|det J\\|, largest error | – | {verdict.identity_error:.0e} nats |\n"
        f"| **MCC with z** | 1.00 | **{verdict.mcc.value:.2f}** |"
    )
    if matrices.entangles(R):
        finding = f"**The prior cannot tell g(z) from z**, yet they are different latents: MCC {verdict.mcc.value:.2f}."
        witness = f"The map on screen is one of them: at {angle}° all entries of R are non-zero."
    else:
        finding = "**Here g only relabels and flips the axes:** turn the slider away from 0° and 90°."
        witness = f"At {angle}° the map on screen is not one of them: R has zeros."
    text.markdown(f"{finding}\n\n{LOCATELLO} {witness}")
    text.caption(POINTWISE)


ui.start(
    "any_prior",
    "Any prior",
    "“So use a non-Gaussian prior?” **Any factorial prior can be rotated**: map it to a Gaussian, turn, map it back.",
    maths=MATHS,
)
try:
    names, run, member = toolbar()
    lab(names, run, member)
    any_prior_darmois.section()
    code.show(
        "from dvae_core.identify import any_prior, matrices\n\n"
        f"prior = {[n if n != OWN else 'laplace' for n in names]}\nz = any_prior.sample(prior, 1500)\n"
        "carried = any_prior.carry(z, matrices.rotation_matrix(2, 30), prior)\n"
        "verdict = any_prior.judge(carried, prior)\n"
        "print(verdict.mcc.value, verdict.independence.p_value, [k.p_value for k in verdict.ks])"
    )
except ValueError as error:
    ui.problem(error)
ui.foot("any_prior")
