"""Chapter 1: drag the latents of a trained model; the data follows."""

import streamlit as st

from dvae_core.analysis.latents import examples, held_out, latent_table, prior_samples, slider_range
from dvae_core.export.draws import draw_x
from dvae_core.export.plan import Plan, decode
from dvae_core.live.explorer import ExplorerState
from dvae_core.live.loss import loss_of
from dvae_core.live.modes import MODES, cloud, modes_of, nearest, population
from dvae_core.live.sheet import Cells
from dvae_core.runs import Run, RunError
from pages.ui import code, traverse_scores
from pages.ui import page as ui
from pages.ui.components.explorer import explorer, set_latent
from pages.ui.components.sheet import sheet
from pages.ui.components.store import ship
from pages.ui.handout_button import handout_button

MATHS = r"""$$z \sim p(z), \qquad x \sim p_\theta(x|z), \qquad \text{drawn: } \mathrm{E}[x|z]$$

$$\mathcal{L} = \mathrm{E}_{q_\phi(z|x)}[-\log p_\theta(x|z)] + \beta\,\mathrm{KL}(q_\phi(z|x)\,\|\,p(z))$$

Latents are sorted by their KL to the prior. A latent below 0.01 nats carries no information about x: it is dead."""
GIVEN_Z = {"mean": "The mean of x", "draw": "One draw of x"}
RANGES = {"prior": "Prior ± 3 sd", "posterior": "Posterior 1–99 %", "data": "Posterior min–max"}


def toolbar() -> tuple[Run, int, str]:
    """Show the choices of this page in one row."""
    cells = st.columns([3, 2, 2], vertical_alignment="top")
    with cells[0]:
        run = ui.pick_run(prefer=lambda r: r.id == "digits-beta-vae", needs_decoder=True)
    with cells[1]:
        member = ui.pick_member(run)
    with cells[2]:
        how = ui.choice(st.selectbox, "Range", list(RANGES), param="range", show=RANGES.__getitem__)
    return run, member, how


def example(run: Run, name: str, label: str, default: int = 0) -> int:
    """Show a field for the number of a held-out example and return it."""
    last, key = len(held_out(run)["x_rows"]) - 1, f"traverse.{name}.{run.id}"
    return int(st.number_input(label, 0, last, min(default, last), persist_state="session", key=key))


def start_from(run: Run, row: int) -> None:
    """Make this held-out example the starting point."""
    ui.remember("from", "data")
    st.session_state[f"traverse.row.{run.id}"] = row


def drag(run: Run, plan: Plan, member: int, how: str) -> None:
    """Mount the explorer in a fragment, so that choosing an example does not run the whole page again."""
    lo, hi = slider_range(run, member, how)  # type: ignore[arg-type]
    sliders = latent_table(run, member)
    latents = held_out(run)
    x, mu = latents["x"], latents["mu_z"][member][latents["x_rows"]]

    @st.fragment
    def explore() -> None:
        more: dict = {}
        cells = st.columns([6, 2, 2], vertical_alignment="top")
        with cells[0]:
            mode = ui.choice(st.segmented_control, "Move", modes_of(run), param="mode", show=MODES.__getitem__)
        if mode == "between":
            with cells[1]:
                a = example(run, "a", "Example A")
            with cells[2]:
                far = int(((mu - mu[a]) ** 2).sum(1).argmax())  # from A
                b = example(run, "b", "Example B", far)
            more["ends"] = [(mu[k], x[k]) for k in (a, b)]
        else:
            origin = "data"
            if mode != "betas":
                with cells[1]:
                    origin = ui.choice(
                        st.segmented_control, "Start from", ["prior", "data"], param="from", show=str.capitalize
                    )
            row = 0
            if origin == "data":
                with cells[2]:
                    row = example(run, "row", "Example")
                more |= {"z0": mu[row].tolist(), "reference": x[row], "loss": loss_of(run, row)}
            if mode in {"members", "betas"}:
                more["members"] = population(run, ui.member_names(run), row)
            if mode == "betas":
                effective_betas(run)
            if mode == "twin":
                more["plane"] = tuple(latent["index"] for latent in sliders[:2])
        state = ExplorerState(
            latents=sliders, member=member, lo=lo, hi=hi, mode=mode,  # type: ignore[arg-type]
            background=x if plan.tree["d_x"] == 2 else None, x_names=run.about.get("x_names", ()),
            cloud=cloud(run, member), run_id=run.id, **more,
        )  # fmt: skip
        explorer(
            plan.tree, state, key=f"traverse.{run.id}",
            on_pick=lambda row: start_from(run, row), fallback=lambda z: decode(plan, member, [z])[0],  # type: ignore[arg-type]
        )  # fmt: skip

    explore()


def effective_betas(run: Run) -> None:
    """Print beside the betas how they weigh the KL against the squared error, where the noise is fixed."""
    likelihood, betas = run.config.model.likelihood, sorted(set(run.config.train.betas))
    effective = [likelihood.effective_beta(beta) for beta in betas] if likelihood.kind == "gaussian" else [None]
    if None not in effective:
        st.caption(
            f"With this run's fixed noise, β = {', '.join(f'{b:g}' for b in betas)} weighs the KL by "
            f"2σ²β = {', '.join(f'{e:.2g}' for e in effective)} against the squared error."
        )


def samples(run: Run, plan: Plan, member: int) -> None:
    """Show held-out data beside its reconstruction, and beside samples from the prior."""
    names, labels = run.about.get("x_names", ()), run.about.get("u_labels") or ()
    is_conditional = run.config.is_conditional
    prior, label = "p(z|u)" if is_conditional else "p(z)", None
    head, shown, choice = st.columns([4, 2, 1], vertical_alignment="bottom")
    head.markdown(f"**Does it know the data?** Held-out data, its reconstruction, and samples from the prior {prior}.")
    with shown:
        drawn = ui.choice(
            st.segmented_control, "Given z, show", ["mean", "draw"], param="given_z", show=GIVEN_Z.__getitem__
        )
    if is_conditional and labels:
        options = ["data", *map(str, range(len(labels)))]
        with choice:
            picked = ui.choice(
                st.selectbox, "u", options, param="u", show=lambda i: "all" if i == "data" else labels[int(i)]
            )
        label = None if picked == "data" else int(picked)
    has_bars = plan.tree["d_x"] != 2 and not plan.tree["x_shape"]
    many, columns = 1500 if plan.tree["d_x"] == 2 else 24, 8
    if has_bars:  # many columns of x need width to be read
        many, columns = 6, 3
    x, mu = examples(run, member, many, label)
    z = prior_samples(run, member, many, label=label)
    given = Cells("data x", x=x, at=mu)
    name = f"samples, z ~ {prior}"
    if drawn == "draw":
        rebuilt = Cells("reconstruction", x=draw_x(run, plan, member, mu), at=mu, colour="reconstruction")
        new = Cells(name, x=draw_x(run, plan, member, z, seed=1), at=z, colour="prior")
    else:
        rebuilt, new = Cells("reconstruction", z=mu), Cells(name, z=z, colour="prior")

    def go(row: int, z: list[float]) -> None:
        if row < 2:  # data or its reconstruction
            start_from(run, nearest(run, member, z))
        set_latent(f"traverse.{run.id}", z)

    shared: dict = {
        "member": member,
        "columns": columns,
        "x_names": names,
        "on_pick": go,
        "decode": lambda z: decode(plan, member, z),
    }
    if plan.tree["d_x"] == 2:
        sheet(plan.tree, key=f"sheet.{run.id}", rows=[given, rebuilt, new], **shared)
        return
    left, right = st.columns(2, gap="large")
    with left:
        sheet(plan.tree, key=f"recon.{run.id}", rows=[given, rebuilt], **shared)
    with right:
        shared |= {"paired": False, "on_pick": lambda row, z: go(2 * row, z)}
        sheet(plan.tree, key=f"prior.{run.id}", rows=[given, new], **shared)


ui.start(
    "traverse",
    "Drag the latents",
    "Move one latent and watch what changes. Does one latent mean one thing?",
    maths=MATHS,
)
try:
    run, member, how = toolbar()
    plan = ui.plan_of(run)
    ship(plan.tree, plan.tensors)
    drag(run, plan, member, how)
    samples(run, plan, member)
    traverse_scores.panel(run, member)
    handout_button(run, member)
    code.show(
        "from dvae_core import runs\nfrom dvae_core.analysis.latents import examples\n"
        f"from dvae_core.export import plan\n\n{code.opening(run)}\n"
        f"decoder = plan.decoder_plan(run)\nx, mu = examples(run, {member}, 8)\n"
        f"reconstruction = plan.decode(decoder, {member}, mu)"
    )
except RunError as error:
    ui.problem(error)
ui.foot("traverse")
