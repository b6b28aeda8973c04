"""The pictures of the talk: each function draws one scene from the shipped runs, small enough for a projector."""

from typing import Any

import streamlit as st

from dvae_core import figures, runs
from dvae_core.analysis import read
from dvae_core.analysis.common import good_members
from dvae_core.identify import any_prior as prior
from dvae_core.identify import linear_gaussian, matrices
from dvae_core.runs import Run, RunError
from pages.ui import page as ui
from pages.ui import rotate_views
from pages.ui.components.explorer import explorer
from pages.ui.components.modes import population
from pages.ui.components.rotor import rotor
from pages.ui.components.sheet import Cells, sheet
from pages.ui.components.store import ship

HEIGHT = 400  # with the claim above and a line below: 720 pixels at the projector's font size


def _run(name: str) -> Run:
    found = next((run for run in runs.examples() if run.id == name), None)
    if found is None:
        raise RunError(f"The shipped run {name} is missing; `make examples` trains it again.")
    return found


def _mount(run: Run) -> Any:
    plan = ui.plan_of(run)
    ship(plan.tree, plan.tensors)
    return plan


def _plot(figure: Any, key: str, *, height: int = HEIGHT, titled: bool = True) -> None:
    """Show a figure as one screen of a projector: its title on one line or none, no small print."""
    words = figure.layout.title.text.replace("<br>", " ")
    panels = any(note.yanchor == "bottom" for note in figure.layout.annotations)  # titles of panels stand on them
    figure.update_layout(height=height, margin_t=(48 if titled else 12) + 30 * panels)
    figure.update_layout(title={"text": words if titled else "", "pad": {"t": 12}, "subtitle": {"text": ""}})
    figure.update_layout(legend_y=-90 / (height - 160))
    ui.plot(figure, key=key, alt=words)


def _drag(run: Run, member: int, count: int, **more: Any) -> None:
    plan = _mount(run)
    lo, hi = read.slider_range(run, member, "posterior")
    latents = read.latent_table(run, member)[:count]

    @st.fragment
    def moving() -> None:
        with st.container(width=1024):  # the picture is as high as it is wide
            explorer(
                plan.tree, key=f"talk.{run.id}.{more.get('mode', '')}", latents=latents, member=member, lo=lo, hi=hi,
                filmstrip=False, **more,
            )  # fmt: skip

    moving()


def drag_digits() -> None:
    """A trained decoder under the finger, moving by itself until touched."""
    run = _run("digits-beta-vae")
    _drag(run, read.best_member(run), 4, autoplay=True)


def rebuild() -> None:
    """Held-out digits above what the model makes of them."""
    run = _run("digits-beta-vae")
    plan, member = _mount(run), read.best_member(run)
    x, mu = read.examples(run, member, 24)
    sheet(
        plan.tree, key="talk.rebuild", rows=[Cells("data x", x=x), Cells("through z and back", z=mu)], member=member,
        columns=12,
    )  # fmt: skip


def betas() -> None:
    """One slider over the betas of a population."""
    run = _run("digits-beta-vae")
    x, mu = read.held_out(run)["x"], read.held_out(run)["mu_z"][0]
    _drag(run, 0, 3, mode="betas", members=population(run, ui.member_names(run), 0), reference=x[0], z0=mu[0].tolist())


def faces() -> None:
    """Faces whose factors a listener knows."""
    run = _run("faces-beta-vae")
    _drag(run, read.best_member(run), 4)


def seeds() -> None:
    """The same held-out rows in the latents of four seeds."""
    run = _run("talk-vae")
    hue, names = read.hues(run)
    latents = read.held_out(run)
    titles, elbo = ui.member_names(run)[:4], latents["elbo"][:4]
    _plot(figures.seed_panels(latents["mu_z"][:4], hue, names, titles=titles, elbo=elbo), "talk.seeds", titled=False)


def dial() -> None:
    """The dial, on draws from the prior."""
    run = _run("talk-vae")
    plan, member = _mount(run), read.best_member(run)

    @st.fragment
    def turn() -> None:
        z = read.prior_samples(run, member, 1500)
        rotor(plan.tree, key="talk.dial", member=member, points=z, limit=90.0, strips=False)

    turn()


def _curve(name: str, conditional: bool) -> None:
    run = _run(name)
    found = run.analysis(rotate_views.curve_name(read.best_member(run), (0, 1)))
    if found is None:
        st.info("This shipped run has no curve; `make examples` computes it.", icon=":material/info:")
        return
    _plot(figures.rotation_story(found, conditional=conditional), f"talk.curve.{name}", titled=conditional)


def flat() -> None:
    """The curve against the angle, of a VAE."""
    _curve("talk-vae", conditional=False)


def bent() -> None:
    """The curve against the angle, of an iVAE."""
    _curve("talk-ivae", conditional=True)


def guess() -> None:
    """Two unlabelled models, one of them turned."""
    run = _run("talk-vae")
    rotate_views.guess(run, read.best_member(run), (0, 1), 40.0, height=270, title="")


def exact() -> None:
    """The closed-form curves of the linear-Gaussian model."""
    found = linear_gaussian.curves(linear_gaussian.from_posterior((1.0, 0.05)), step=5.0)
    _plot(figures.rotation_story(found), "talk.exact", titled=False)


def any_prior() -> None:
    """Uniform latents, carried to a Gaussian, turned by an angle of the room's choice, and back."""

    @st.fragment
    def lab() -> None:
        angle = st.select_slider(
            "Angle", [0, 15, 30, 45, 60, 75, 90], 45, key="talk.any.angle", format_func="{}°".format
        )
        marginals = ["uniform", "uniform"]
        z = prior.sample(marginals, 600)
        found = prior.carry(z, matrices.rotation_matrix(2, float(angle)), marginals)
        shown = [(found.z, "Latents z", "z"), (found.rotated, f"as Gaussians, turned by {angle}°", "b"),
                 (found.back, "back: g(z)", "g")]  # fmt: skip
        for cell, (points, title, letter) in zip(st.columns(3), shown, strict=True):
            with cell:
                axis = (f"{letter}1", f"{letter}2")
                figure = figures.stage(points, found.z, title=title, axis=axis, height=HEIGHT - 140)
                ui.plot(figure, key=f"talk.any.{letter}")

    lab()


def _world() -> tuple[Any, Any, Any, tuple[str, ...]]:
    # every other held-out row: 500 points a panel are clearer from the back row, and drawn in half the time
    run = _run("talk-ivae")
    found, (hue, names) = read.recovery(run, read.best_member(run)), read.hues(run)
    assert found is not None, "the talk's data have known factors"
    rows = read.held_out(run)["x_rows"][::2]
    return found.z_true[rows], read.held_out(run)["x"][::2], None if hue is None else hue[rows], names


def world() -> None:
    """True factors and data, coloured by u."""
    z_true, x, hue, names = _world()
    figure = figures.data_scatter(z_true, hue, names, names=("s1", "s2"), role="factor", title="(a) factors: p(z|u)")
    left, right = st.columns(2)
    with left:
        _plot(figure, "talk.factors")
    with right:
        _plot(figures.data_scatter(x, hue, names, title="(b) data: p(x|u)"), "talk.data")


def four() -> None:
    """The talk's last figure."""
    z_true, x, hue, names = _world()
    aligned = {}
    for name in ("talk-ivae", "talk-vae"):
        run = _run(name)
        found = read.recovery(run, read.best_member(run))
        aligned[name] = None if found is None else found.aligned[read.held_out(run)["x_rows"][::2]]
    _plot(
        figures.four_panels(z_true, x, aligned["talk-ivae"], aligned["talk-vae"], hue, names),
        "talk.four",
        height=HEIGHT - 20,
    )


def lines() -> None:
    """Every seed's score against what needs no model."""
    scores: dict[str, list[float]] = {}
    references: dict[str, float] = {}
    for name in ("talk-ivae", "talk-vae"):
        run = _run(name)
        score = run.score()
        if score is None:
            continue
        table = read.member_table(run).iloc[good_members(run)]
        scores[run.config.model_name] = table["mcc_pearson"].tolist()
        references = references or {label: score["floors"].get(key) for key, label in read.FLOORS.items()}
    _plot(figures.mcc_lines(scores, references, measure="MCC (Pearson, held-out)"), "talk.lines")


def close() -> None:
    """What u changes, and what comes back."""
    st.markdown(
        "| What u changes | Recovered up to |\n|---|---|\n"
        "| nothing | any rotation, and worse |\n"
        "| the means | an invertible affine map |\n"
        "| the variances | order, sign and scale |\n"
        "| both | order, and a curve along each axis |\n\n"
        "and u must take at least **nk + 1** values (n latents, k statistics each)."
    )
    with st.container(horizontal=True):
        for name in ("data", "train", "recover"):
            ui.link(name, keep=())
