"""Chapter 2: turn the Gaussian prior. Other latents, the same data, the same likelihood."""

import streamlit as st

from dvae_core import figures
from dvae_core.analysis import read
from dvae_core.runs import Run, RunError
from pages.ui import code, jobs
from pages.ui import page as ui
from pages.ui.components.rotor import rotor
from pages.ui.components.store import ship

MATHS = r"""Let $M$ be orthogonal, $\tilde z = M z$. With $p(z) = N(0, I)$:

$$p(\tilde z) = N(0, I), \qquad x = f(z) = f(M^\top \tilde z).$$

The rotated model (generator $f(M^\top \cdot)$, encoder mean $M\mu(x)$, covariance $M \Sigma(x) M^\top$) has the same
$p(x)$ and the same ELBO, with other latents. With a conditional prior $p_\theta(z|u)$, held fixed, $p(x|u)$ changes."""
FLAT = "**The likelihood does not notice.** All angles explain the data equally well; no amount of data picks one."
BENT = (
    "**Here the angle matters:** the prior p(z|u) is held fixed, and turning away from it costs likelihood. "
    "Part of this is the prior's own shape; the Recover page asks whether the right axes were found."
)


def toolbar() -> tuple[Run, int, tuple[int, int], str]:
    """Show the choices of this page in one row."""
    cells = st.columns([3, 2, 2, 2], vertical_alignment="top")
    with cells[0]:
        run = ui.pick_run(prefer=lambda r: r.config.prior.kind == "standard" and r.config.model.latents == 2)
    with cells[1]:
        member = ui.pick_member(run)
    d = run.config.model.latents
    if d < 2:
        raise RunError("A rotation needs at least two latents and this run has one; pick another run.")
    order = [int(i) for i in read.latent_table(run, member)["index"]]
    planes = [f"{min(i, j)}-{max(i, j)}" for n, i in enumerate(order) for j in order[n + 1 :]][:15]  # largest KL first
    with cells[2]:
        plane = ui.choice(
            st.selectbox,
            "Plane",
            planes,
            param="plane",
            disabled=d == 2,
            show=lambda p: "z{} and z{}".format(*(int(i) + 1 for i in p.split("-"))),
        )
    i, j = (int(k) for k in plane.split("-"))
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
    """Mount the dial and its panels, and under them the curve against the angle."""
    plan = ui.plan_of(run)
    ship(plan.tree, plan.tensors)
    hue, names = read.hues(run)
    latents = read.held_out(run)
    shown: dict = {"points": read.prior_samples(run, member, 1500)}
    if points == "data":
        rows = latents["x_rows"]
        shown = {"points": latents["mu_z"][member][rows]}
        if run.about.get("has_labels") and hue is not None:
            shown |= {"hues": hue[rows], "hue_labels": names}
        if plan.tree["d_x"] == 2:
            shown |= {"x_points": latents["x"]}

    @st.fragment
    def turn() -> None:
        start = ui.number("angle", 0.0, 0.0, 90.0)
        angle = rotor(
            plan.tree, key=f"rotor.{run.id}.{member}.{plane}", member=member, plane=plane, angle=start, limit=90.0,
            x_names=run.about.get("x_names", ()), **shown,
        )  # fmt: skip
        ui.remember("angle", f"{angle:g}")
        curve(run, member, plane, angle)

    turn()


def curve(run: Run, member: int, plane: tuple[int, int], angle: float) -> None:
    """Draw log p(x), ELBO and MCC against the angle, where they are computed."""
    found = run.analysis(curve_name(member, plane))
    if found is None:
        return
    is_conditional = run.config.prior.kind == "conditional"
    log_px = "log p(x|u)" if is_conditional else "log p(x)"
    curves = {log_px: (found["log_px"], found["log_px_error"]), "ELBO": (found["elbo"], None)}
    ui.plot(figures.rotation_curve(found["angle"], curves, at=angle, mcc=found.get("mcc")), key="rotation.curve")
    st.markdown(BENT if is_conditional else FLAT)


def curve_name(member: int, plane: tuple[int, int]) -> str:
    """Name the analysis that holds the curve of one member and plane."""
    return f"rotation-{member}-{plane[0]}-{plane[1]}"


def ask(run: Run, member: int, plane: tuple[int, int]) -> None:
    """Offer what takes a worker: the curve against the angle, and the twin as a run of its own."""
    where = {"member_index": member, "i": plane[0], "j": plane[1]}
    if run.analysis(curve_name(member, plane)) is None:
        st.markdown("**What does the likelihood say about the angle?**")
        jobs.ask(
            run, "rotation", "Compute log p(x) at every angle", "Importance sampling log p(x), 0 to 90 degrees", **where
        )
    if run.config.prior.kind == "standard":
        angle = ui.number("angle", 0.0, 0.0, 90.0)
        title = f"{run.title}, {ui.member_names(run)[member]}, turned {angle:g}°"
        twin = next((r for r in ui.usable_runs() if r.title == title), None)
        if twin is not None:
            ui.link("traverse", f"Open the twin turned by {angle:g}°", keep=(), run=twin.id)
        else:
            jobs.ask(
                run, "twin", "Save this twin as a run", "Saving the rotated model", **where, degrees=angle, title=title
            )


ui.start(
    "rotate",
    "Rotate the latents",
    "Turn the dial: the latents change, their density does not, and **neither does the data**.",
    maths=MATHS,
)
try:
    run, member, plane, points = toolbar()
    dial(run, member, plane, points)
    ask(run, member, plane)
    code.show(
        "import torch\nfrom dvae_core import runs\nfrom dvae_core.identify import rotate, rotation_matrix\n"
        f"from dvae_core.train import load_vae\n\n{code.opening(run)}\nvae = load_vae(run)\n"
        f"twin = rotate(vae, rotation_matrix(vae.config.model.latents, 30.0, {plane}))  # same p(x), other latents"
    )
except RunError as error:
    ui.problem(error)
ui.foot("rotate")
