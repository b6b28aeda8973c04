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
    row = st.columns([1, 3])[0].number_input(
        "Example",
        0,
        len(x) - 1,
        0,
        help="Number of the held-out example",
        persist_state="session",
        key=f"traverse.row.{run.id}",
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
    """Show held-out data beside its reconstruction, and beside samples from the prior."""
    names, labels = run.about.get("x_names", ()), run.about.get("u_labels") or ()
    is_conditional = run.config.prior.kind == "conditional"
    prior, label = "p(z|u)" if is_conditional else "p(z)", None
    head, choice = st.columns([3, 1], vertical_alignment="bottom")
    head.markdown(f"**Does it know the data?** Held-out data, its reconstruction, and samples from the prior {prior}.")
    if is_conditional and labels:
        options = ["data", *map(str, range(len(labels)))]
        with choice:
            picked = ui.choice(
                st.selectbox,
                "u",
                options,
                param="u",
                show=lambda i: "all" if i == "data" else labels[int(i)],
            )
        label = None if picked == "data" else int(picked)
    many = 1500 if plan.tree["d_x"] == 2 else 24
    x, mu = read.examples(run, member, many, label)
    z = read.prior_samples(run, member, many, label=label)
    given = Cells("data x", x=x)
    rebuilt, drawn = Cells("reconstruction", z=mu), Cells(f"samples, z ~ {prior}", z=z, colour="prior")
    if plan.tree["d_x"] == 2:
        sheet(plan.tree, key=f"sheet.{run.id}", rows=[given, rebuilt, drawn], member=member, x_names=names)
        return
    left, right = st.columns(2, gap="large")
    with left:
        sheet(plan.tree, key=f"recon.{run.id}", rows=[given, rebuilt], member=member, x_names=names)
    with right:
        sheet(plan.tree, key=f"prior.{run.id}", rows=[given, drawn], member=member, paired=False, x_names=names)


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
