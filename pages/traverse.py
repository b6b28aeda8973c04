"""Chapter 1: drag the latents of a trained model; the data follows."""

import streamlit as st

from dvae_core.analysis import read
from dvae_core.runs import Run, RunError
from dvae_core.traverse import Plan
from pages.ui import code
from pages.ui import page as ui
from pages.ui.components.explorer import explorer
from pages.ui.components.sheet import Cells, sheet
from pages.ui.components.store import ship

MATHS = r"""$$z \sim p(z), \qquad x \sim p_\theta(x|z), \qquad \text{drawn: } \mathrm{E}[x|z]$$

$$\mathcal{L} = \mathrm{E}_{q_\phi(z|x)}[-\log p_\theta(x|z)] + \beta\,\mathrm{KL}(q_\phi(z|x)\,\|\,p(z))$$

Latents stand in the order of their KL to the prior. Below 0.01 nats a latent says nothing about x: it is dead."""
RANGES = {"prior": "Prior ± 3 sd", "posterior": "Posterior 1–99 %", "data": "Posterior min–max"}


def start_point(run: Run, member: int) -> tuple[list[float] | None, list[float] | None]:
    """Choose where the sliders start: the prior mean, or the encoding of a held-out example (drawn beside)."""
    x, mu = read.examples(run, member, 1000)
    row = st.number_input(
        "Example", 0, len(x) - 1, 0, help="Number of the held-out example", persist_state="session", key="traverse.row"
    )
    return mu[int(row)].tolist(), x[int(row)].tolist()


def toolbar() -> tuple[Run, int, str, str]:
    """Show the choices of this page in one row."""
    cells = st.columns([3, 2, 2, 2], vertical_alignment="top")
    with cells[0]:
        run = ui.pick_run(prefer=lambda r: r.id == "digits-beta-vae")
    with cells[1]:
        member = ui.pick_member(run)
    with cells[2]:
        how = ui.choice(st.selectbox, "Range", list(RANGES), param="range", show=RANGES.__getitem__)
    with cells[3]:
        origin = ui.choice(st.segmented_control, "Start from", ["prior", "data"], param="from", show=str.capitalize)
    return run, member, how, origin


def drag(run: Run, plan: Plan, member: int, how: str, origin: str) -> None:
    """Mount the sliders and what they decode."""
    lo, hi = read.slider_range(run, member, how)  # type: ignore[arg-type]
    latents = read.latent_table(run, member).to_dict("records")
    background = read.held_out(run)["x"] if plan.tree["d_x"] == 2 else None

    @st.fragment
    def explore() -> None:
        z0, reference = start_point(run, member) if origin == "data" else (None, None)
        explorer(
            plan.tree, key=f"traverse.{run.id}", latents=latents, member=member, lo=lo, hi=hi, z0=z0,
            reference=reference,
            background=background, x_names=run.about.get("x_names", ()),
        )  # fmt: skip

    explore()


def samples(run: Run, plan: Plan, member: int) -> None:
    """Show held-out data beside reconstructions, and beside samples from the prior."""
    names = run.about.get("x_names", ())
    many = 1500 if plan.tree["d_x"] == 2 else 24
    recon, prior = st.columns(2, gap="large")
    with recon:
        st.markdown("**Held-out data and its reconstruction**")
        x, mu = read.examples(run, member, many)
        sheet(
            plan.tree,
            key=f"recon.{run.id}",
            rows=[Cells("x", x=x), Cells("reconstruction", z=mu)],
            member=member,
            x_names=names,
        )
    with prior:
        label = None
        labels = run.about.get("u_labels") or ()
        is_conditional = run.config.prior.kind == "conditional"
        st.markdown(f"**Data and samples from the prior p(z{'|u' if is_conditional else ''})**")
        if is_conditional and labels:
            options = [None, *range(len(labels))]
            label = st.selectbox("u", options, format_func=lambda i: "as in the data" if i is None else labels[i])
        z = read.prior_samples(run, member, many, label=label)
        data = read.examples(run, member, many)[0]
        sheet(
            plan.tree, key=f"prior.{run.id}", rows=[Cells("data", x=data), Cells("samples", z=z, colour="prior")],
            member=member, paired=False, x_names=names,
        )  # fmt: skip


ui.start(
    "traverse",
    "Drag the latents",
    "Move one latent and watch what changes. Does one latent mean one thing?",
    maths=MATHS,
)
try:
    run, member, how, origin = toolbar()
    plan = ui.plan_of(run)
    ship(plan.tree, plan.tensors)
    drag(run, plan, member, how, origin)
    samples(run, plan, member)
    code.show(
        f"from dvae_core import runs, traverse\nfrom dvae_core.analysis import read\n\n{code.opening(run)}\n"
        f"plan = traverse.decoder_plan(run)\nx, mu = read.examples(run, {member}, 8)\n"
        f"reconstruction = traverse.decode(plan, {member}, mu)"
    )
except RunError as error:
    ui.problem(error)
ui.foot("traverse")
