"""Chapter 2: turn the Gaussian prior. Other latents, the same data, the same likelihood."""

import streamlit as st

from dvae_core.analysis.latents import factor_colours, held_out, latent_table, prior_samples
from dvae_core.identify import matrices
from dvae_core.live.rotor import RotorState
from dvae_core.runs import Run, RunError
from pages.ui import code, rotate_intro, rotate_views, run_panel
from pages.ui import page as ui
from pages.ui.components.live_component import canvas
from pages.ui.components.rotor import rotor
from pages.ui.components.store import ship
from pages.ui.handout_button import handout_button

MATHS = r"""Let $M$ be orthogonal, $\tilde z = M z$. With $p(z) = N(0, I)$:

$$p(\tilde z) = N(0, I), \qquad x = f(z) = f(M^\top \tilde z).$$

The rotated model (generator $f(M^\top \cdot)$, encoder mean $M\mu(x)$, covariance $M \Sigma(x) M^\top$) has the same
$p(x)$ and the same ELBO, with other latents. With a conditional prior $p_\theta(z|u)$, held fixed, $p(x|u)$ changes."""


def toolbar() -> tuple[Run, int, tuple[int, int], str]:
    """Show the choices of this page in one row."""
    cells = st.columns([3, 2, 2, 2], vertical_alignment="top")
    with cells[0]:
        run = ui.pick_run(
            prefer=lambda r: r.config.prior.kind == "standard" and r.config.model.latents == 2, needs_decoder=True
        )
    with cells[1]:
        member = ui.pick_member(run)
    d = run.config.model.latents
    if d < 2:
        raise RunError("A rotation needs at least two latents and this run has one; pick another run.")
    if member in run.status().failed_members:
        raise RunError("This member diverged: its weights are not finite and cannot be drawn; pick another member.")
    table = latent_table(run, member)
    order = [latent["index"] for latent in table]
    planes = [f"{min(i, j)}-{max(i, j)}" for n, i in enumerate(order) for j in order[n + 1 :]][:15]  # largest KL first
    plane = planes[0]
    if d > 2:
        with cells[2]:
            plane = ui.choice(
                st.selectbox, "Plane", planes, param="plane",
                show=lambda p: "z{} and z{}".format(*(int(i) + 1 for i in p.split("-"))),
            )  # fmt: skip
    i, j = (int(k) for k in plane.split("-"))
    if all(latent["dead"] for latent in table if latent["index"] in (i, j)):
        st.info(
            "Both latents of this plane are dead (KL below 0.01 nats): x does not depend on them, so turning them "
            "changes nothing you can see.", icon=":material/info:",
        )  # fmt: skip
    with cells[3]:
        points = ui.choice(
            st.segmented_control,
            "Points",
            ["prior", "data"],
            param="points",
            show=str.capitalize,
        )
    return run, member, (i, j), points


def dial(run: Run, member: int, plane: tuple[int, int], points: str) -> None:
    """Mount the dial with its panels, and under it the chosen view at this angle."""
    plan = ui.plan_of(run)
    ship(plan.tree, plan.tensors)
    hue, names = factor_colours(run)
    latents = held_out(run)
    shown: dict = {"points": prior_samples(run, member, 1500)}
    if points == "data":
        rows = latents["x_rows"]
        shown = {"points": latents["mu_z"][member][rows]}
        if run.about.get("has_labels") and hue is not None:
            shown |= {"hues": hue[rows], "hue_labels": names}
        if plan.tree["d_x"] == 2:
            shown |= {"x_points": latents["x"]}
    d, key = run.config.model.latents, f"rotor.{run.id}.{member}.{plane}"
    base = rotate_intro.matrix(d)
    rotate_intro.menu(d, plane, key)

    @st.fragment
    def turn() -> None:
        start = ui.number("angle", 0.0, 90.0)
        state = RotorState(
            member=member,
            plane=plane,
            angle=start,
            limit=90.0,
            base=base,
            x_names=run.about.get("x_names", ()),
            **shown,
        )
        angle = rotor(plan.tree, state, key=key)
        ui.remember("angle", f"{angle:g}")
        R = matrices.rotation_matrix(d, angle, plane)
        M = R if base is None else matrices.compose(base, R)
        canvas(key, lambda: rotate_views.printed(shown, plane, M, angle))
        view = ui.choice(
            st.segmented_control,
            "Look at",
            list(rotate_views.VIEWS),
            param="rotate_view",
            show=rotate_views.VIEWS.__getitem__,
        )
        rotate_views.show(view, run, member, plane, M, angle)
        if view == "curve":
            rotate_views.offer(run, member, plane)

    turn()


def save(run: Run, member: int, plane: tuple[int, int]) -> None:
    """Offer to save the twin as a separate run."""
    if not rotate_views.is_plain(run) or "before" in st.query_params:
        return
    angle = ui.number("angle", 0.0, 90.0)
    if angle == 0:  # a copy of the run itself
        return
    title = f"{run.title}, {ui.member_names(run)[member]}, turned {angle:g}°"
    twin = next((r for r in ui.usable_runs() if r.title == title), None)
    if twin is not None:
        with st.container(horizontal=True):
            ui.link("traverse", f"Open the twin turned by {angle:g}°", keep=(), run=twin.id)
            ui.link("recover", "Is it closer to the true factors?", keep=(), run=twin.id, beside=run.id)
    else:
        where = {"member_index": member, "i": plane[0], "j": plane[1], "degrees": angle, "title": title}
        run_panel.ask(run, "twin", "Save this twin as a run", "Saving the rotated model", **where)


ui.start(
    "rotate",
    "Rotate the latents",
    "Turn the dial: the latents change, the density N(0, I) does not, and **neither does the data**.",
    maths=MATHS,
)
try:
    run, member, plane, points = toolbar()
    if about := rotate_views.about_prior(run):
        st.caption(about)
    dial(run, member, plane, points)
    save(run, member, plane)
    handout_button(run, member)
    rotate_views.questions()
    code.show(
        "from dvae_core import runs\nfrom dvae_core.identify.rotation import rotate, rotation_matrix\n"
        f"from dvae_core.training.checkpoint import load_vae\n\n{code.opening(run)}\nvae = load_vae(run)\n"
        f"twin = rotate(vae, rotation_matrix(vae.config.model.latents, 30.0, {plane}))  # same p(x), other latents"
    )
except ValueError as error:
    ui.problem(error)
ui.foot("rotate")
