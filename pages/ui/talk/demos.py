"""The pictures of the talk: each function draws one slide from the shipped runs, small enough for a projector."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dvae_core import figures, runs
from dvae_core.analysis.common import best_member, good_members
from dvae_core.analysis.latents import examples, factor_colours, held_out, latent_table, prior_samples, slider_range
from dvae_core.analysis.recovery.record import recovery
from dvae_core.analysis.rotation.record import Rotation, file_name
from dvae_core.analysis.score.record import Scores
from dvae_core.analysis.tables import member_table
from dvae_core.figures.any_prior import quarters
from dvae_core.identify import any_prior as prior
from dvae_core.identify import linear_gaussian
from dvae_core.live.explorer import ExplorerState
from dvae_core.live.loss import loss_of
from dvae_core.live.modes import population
from dvae_core.live.rotor import RotorState
from dvae_core.live.sheet import Cells
from dvae_core.live.steps import Cloud, StepsState
from dvae_core.metrics import FLOORS
from dvae_core.runs import Run, RunError
from pages.ui import page as ui
from pages.ui import recover_views, rotate_views
from pages.ui.components.explorer import explorer
from pages.ui.components.rotor import rotor
from pages.ui.components.sheet import sheet
from pages.ui.components.steps import steps
from pages.ui.components.store import ship
from pages.ui.talk import screen

TRUE_AXES = 35  # degrees, on the slide of the exact model: the axes that the bound prefers are not the true ones
SIDE_BY_SIDE = 48  # rem; in less, the explorer puts the picture below the sliders
BROKEN = {  # what the playground's dials are set to, as its link holds it (live/playground/settings.js)
    "f folded": "folds~1_prior~u",
    "two values of u": "segments~2_prior~u",
    "variances alike": "moves~alike_prior~u",
}
COSTLY = "noise~0.8_prior~u"  # breaks none
ANGLES = tuple(range(0, 91, 3))


def shipped(name: str) -> Run:
    """Return a shipped run.

    Raises:
        RunError: If it is missing.
    """
    run = next((run for run in runs.examples() if run.id == name), None)
    if run is None:
        raise RunError(f"The shipped run {name} is missing; `make examples` trains it again.")
    return run


def _mount(run: Run) -> Any:
    plan = ui.plan_of(run)
    ship(plan.tree, plan.tensors)
    return plan


def plot(
    figure: Any, key: str, *, height: int | None = None, titled: bool = True, below: int = 90, size: float | None = None
) -> None:
    """Show a figure on one screen of a projector: its title on one line or omitted, no subtitle.

    The legend is `below` pixels under the axes; the type is that of the page, or of `size` pixels.
    """
    height, size = height or screen.room(), size or screen.figure_type()
    title = figure.layout.title.text.replace("<br>", " ")
    # The titles of panels are annotations; the number of their lines.
    lines = max((1 + n.text.count("<br>") for n in figure.layout.annotations if n.yanchor == "bottom"), default=0)
    above = round((0.3 + 1.3 * lines) * size) if lines else 0
    figure.update_layout(height=height, margin_t=(48 if titled else 12) + above)
    figure.update_layout(title={"text": title if titled else "", "pad": {"t": 12}, "subtitle": {"text": ""}})
    figure.update_layout(legend_y=-below / (height - 160), font_size=size, legend_font_size=size)
    figure.update_layout(legend_title_font_size=size)
    figure.update_xaxes(title_font_size=size, tickfont_size=size)
    figure.update_yaxes(title_font_size=size, tickfont_size=size)
    figure.update_annotations(font_size=size)
    ui.plot(figure, key=key, alt=title)


def _drag(run: Run, member: int, count: int, *, labels: Mapping[int, str] | None = None, **more: Any) -> None:
    """Show sliders that move by themselves until touched; `labels` name latents by their index."""
    plan = _mount(run)
    lo, hi = slider_range(run, member, "posterior")
    named = labels or {}
    latents = [row | {"label": named.get(row["index"], row["label"])} for row in latent_table(run, member)[:count]]

    @st.fragment
    def moving() -> None:
        # the picture, in the right half, is as high as it is wide; the data and the difference stand beside it
        share = 3.0 if "reference" in more else 2.3
        wanted = max(round(share * screen.room()), round(SIDE_BY_SIDE * screen.type_size()))
        wanted = screen.width() if "x_names" in more else wanted  # rates fill any width
        with st.container(width=min(screen.width(), wanted)):
            state = ExplorerState(latents=latents, member=member, lo=lo, hi=hi, filmstrip=False, autoplay=True, **more)
            explorer(plan.tree, state, key=f"talk.{run.id}.{more.get('mode', '')}")

    moving()


def drag_digits() -> None:
    """Sliders over the latents of a trained decoder, from a held-out digit, moving by themselves until touched."""
    run = shipped("digits-beta-vae")
    member = best_member(run)
    _drag(run, member, 4, z0=held_out(run)["mu_z"][member][0].tolist())


def loss() -> None:
    """Sliders from one held-out digit, with its loss as two bars."""
    run = shipped("digits-beta-vae")
    member = best_member(run)
    x, mu = held_out(run)["x"], held_out(run)["mu_z"][member][held_out(run)["x_rows"]]
    _drag(run, member, 3, reference=x[0], z0=mu[0].tolist(), loss=loss_of(run, 0))


def reconstructions() -> None:
    """Held-out digits above their reconstructions."""
    run = shipped("digits-beta-vae")
    plan, member = _mount(run), best_member(run)
    x, mu = examples(run, member, 24)
    rows = [Cells("data x", x=x), Cells("through z and back", z=mu)]
    sheet(plan.tree, key="talk.rebuild", rows=rows, member=member, columns=12)


def betas() -> None:
    """Show one slider over the betas of a population."""
    run = shipped("digits-beta-vae")
    x, mu = held_out(run)["x"], held_out(run)["mu_z"][0]
    _drag(run, 0, 3, mode="betas", members=population(run, ui.member_names(run), 0), reference=x[0], z0=mu[0].tolist())


def faces() -> None:
    """Show sliders over the latents of a model of faces, named by the factor that each follows most, and how well."""
    run = shipped("faces-beta-vae")
    member = best_member(run)
    _drag(run, member, 6, labels=followed_factors(run, member))


def followed_factors(run: Run, member: int) -> dict[int, str]:
    """Name each latent, by its index, with the factor that it follows most and their correlation, from .5 on."""
    found = recovery(run, member)
    if found is None:
        return {}
    matrix = abs(found.pearson.matrix)  # factors by latents
    best = matrix.argmax(0)
    return {
        j: f"z{j + 1} · {found.names[best[j]]} {matrix[best[j], j]:.2f}"
        for j in range(matrix.shape[1])
        if matrix[best[j], j] >= 0.5
    }


def seeds() -> None:
    """The same held-out rows in the latents of every seed, one value of u in full strength."""
    run = shipped("talk-vae")
    hue, names = factor_colours(run)
    latents = held_out(run)
    bright = None if hue is None else (hue == hue.max()).nonzero()[0].tolist()
    figure = figures.seed_panels(
        latents["mu_z"],
        hue,
        names,
        titles=ui.member_names(run),
        elbo=latents["elbo"],
        elbo_error=latents.get("elbo_error"),
        selected=bright,
        columns=screen.columns(),
        limit=350,  # points in each of eight panels: with 600 the slide takes more than a second to draw
    )
    size = screen.figure_type()
    figure.update_layout(margin_b=round(3.6 * size))
    figure.update_xaxes(title_standoff=2)
    plot(figure, "talk.seeds", titled=False, below=round(1.9 * size))  # under the names of the axes


def dial() -> None:
    """The dial, on draws from the prior."""
    run = shipped("talk-vae")
    plan, member = _mount(run), best_member(run)

    @st.fragment
    def turn() -> None:
        z = prior_samples(run, member, 1500)
        rotor(plan.tree, RotorState(member=member, points=z, limit=90.0, strips=False, autoplay=True), key="talk.dial")

    turn()


def _curve(name: str, leave_out: Sequence[str] = ()) -> None:
    run = shipped(name)
    found = Rotation.load(run, file_name(best_member(run), (0, 1)))
    if found is None:
        st.info("This shipped run has no curve; `make examples` computes it.", icon=":material/info:")
        return
    shown = {key: value for key, value in found.arrays().items() if not key.startswith(tuple(leave_out))}
    figure = figures.rotation_story(shown, conditional=run.config.is_conditional, stacked=screen.is_phone())
    plot(figure, f"talk.curve.{name}", titled=False)


def flat_curve() -> None:
    """Draw the curve against the angle for a VAE, without a diagonal q, which has its own slide."""
    _curve("talk-vae", leave_out=("elbo_diagonal", "gap_closed_form"))


def bent_curve() -> None:
    """Draw the curve against the angle for an iVAE, only with the prior refitted at every angle."""
    _curve("talk-ivae", leave_out=("log_pxu_fixed", "log_pxu_refitted_whitened"))


def guess() -> None:
    """Two unlabelled models, one of them turned."""
    run = shipped("talk-vae")
    is_phone = screen.is_phone()
    picture, words = (st.container(), st.container()) if is_phone else st.columns([3, 2], vertical_alignment="center")

    squares = round(0.27 * screen.width() + 7 * screen.type_size())  # two of them, with titles and axes

    def without_legend(figure: Any, key: str) -> None:
        figure.update_layout(showlegend=False)  # the colours have no meaning that is needed here
        with picture:
            plot(figure, key, height=None if is_phone else min(screen.room(), squares), titled=False, below=0)

    with words:
        rotate_views.guess(
            run, best_member(run), (0, 1), 40.0, stacked=is_phone, key="talk.answer.guess", plot=without_legend
        )


def widths() -> None:
    """Show the exact posterior of the x that is pointed at, the run's q and a diagonal q."""
    rotate_views.posterior_widths(shipped("talk-vae"), best_member(shipped("talk-vae")), key="talk.widths")


def exact_model() -> None:
    """The closed-form curves of the linear-Gaussian model."""
    model = linear_gaussian.from_posterior((1.0, 0.05))
    found = linear_gaussian.curves(model, step=5.0, truth_deg=TRUE_AXES)
    plot(figures.rotation_story(found, stacked=screen.is_phone()), "talk.exact", titled=False)


def any_prior() -> None:
    """Uniform latents, carried to a Gaussian, turned by the angle of the slider, and carried back."""
    z, turned, back, scores = _carried()
    hues = quarters(z)
    titles = [f"Back: g(z), MCC with z {score:.2f}" for score in scores]
    panels = [
        Cloud(title="Latents z, uniform", points=z[None].repeat(len(ANGLES), 0), names=("z₁", "z₂"), hues=hues),
        Cloud(title="As Gaussians, turned", points=turned, names=("b₁", "b₂"), hues=hues),
        Cloud(title=titles, points=back, names=("g₁", "g₂"), hues=hues),
    ]
    steps(StepsState(name="Angle", labels=[f"{a}°" for a in ANGLES], panels=panels), key="talk.any")


@st.cache_data(show_spinner=False)
def _carried() -> tuple[Any, Any, Any, list[float]]:
    marginals = ["uniform", "uniform"]
    z = prior.sample(marginals, 600)
    return (z, *prior.by_angle(z, marginals, ANGLES))


def _world() -> tuple[Any, Any, Any, tuple[str, ...]]:
    # every other held-out row: 500 points per panel are clearer from the back row and draw in half the time
    run = shipped("talk-ivae")
    found, (hue, names) = recovery(run, best_member(run)), factor_colours(run)
    assert found is not None, "the talk's data have known factors"
    rows = held_out(run)["x_rows"][::2]
    return found.z_true[rows], held_out(run)["x"][::2], None if hue is None else hue[rows], names


def world() -> None:
    """True factors and data, coloured by u."""
    z_true, x, hue, names = _world()
    figure = figures.data_scatter(z_true, hue, names, names=("s1", "s2"), role="factor", title="(a) factors s: p(s|u)")
    left, right = st.columns(2)
    height = min(screen.room(), screen.width() + 130) if screen.is_phone() else None  # a square, its title and legend
    with left:
        plot(figure, "talk.factors", height=height)
    with right:
        plot(figures.data_scatter(x, hue, names, title="(b) data: p(x|u)"), "talk.data", height=height)


def four_panels() -> None:
    """Show the talk's last figure."""
    z_true, x, hue, names = _world()
    titles, aligned = ["(a) true factors<br>p(s|u)", "(b) data<br>p(x|u)"], []
    for letter, name in (("c", "talk-ivae"), ("d", "talk-vae")):
        run = shipped(name)
        found = recovery(run, best_member(run))
        aligned.append(None if found is None else found.aligned[held_out(run)["x_rows"][::2]])
        score = "" if found is None else f"<br>MCC {found.pearson.value:.2f}"
        titles.append(f"({letter}) {run.config.model_name}, from {recover_views.seen_by(run)}{score}")
    figure = figures.four_panels(
        z_true, x, aligned[0], aligned[1], hue, names, titles=titles, columns=screen.columns(), gap=0.006
    )
    size = min(screen.figure_type(), screen.room() / 26)  # a large one would take the panels' height
    # the room is for the panels: the axes below them have names, and all units are standard deviations
    figure.update_yaxes(title_text="", showticklabels=False, automargin=False)
    figure.update_xaxes(showticklabels=False, title_standoff=2)
    figure.update_layout(margin={"l": 2, "r": 2, "b": round(2.9 * size)})
    square = round(screen.width() / screen.columns() + 7 * size)  # with its titles and the legend
    height = screen.room() if screen.is_phone() else min(screen.room(), square)
    plot(figure, "talk.four", height=height, titled=False, below=round(1.2 * size), size=size)


def reference_lines() -> None:
    """Every seed's score against what needs no model."""
    scores: dict[str, list[float]] = {}
    references: dict[str, float | None] = {}
    for name in ("talk-ivae", "talk-vae"):
        run = shipped(name)
        score = Scores.of(run)
        if score is None:
            continue
        table = member_table(run).iloc[good_members(run)]
        scores[run.config.model_name] = table["mcc_pearson"].tolist()
        references = references or {label: score.floors.get(key) for key, label in FLOORS.items()}
    turned = references.get("random rotation")
    title = None if turned is None else f"The true factors, rotated at random, score {turned:.2f}"
    figure = figures.mcc_lines(scores, references, measure="MCC (Pearson, held-out)", title=title)
    figure.update_layout(margin_r=round(7.5 * screen.figure_type()))  # room for the numbers beside the rows
    plot(figure, "talk.lines")


def closing_table() -> None:
    """Show what u changes and what is recovered, and beside it what the theorems say."""
    with st.container(key="talk-close"):
        left, right = st.columns(2, gap="large")
        left.markdown(
            "| What u changes | The factors come back up to |\n|---|---|\n"
            "| nothing | any rotation, and worse |\n"
            "| the means | an invertible affine map |\n"
            "| the variances | order, sign and scale |\n"
            "| both | order, sign, scale and offset |\n\n"
            "For a Gaussian p(z|u). u must take at least **nk + 1** values (n latents, k statistics each), and λ(u) "
            "must vary in nk directions."
        )
        right.markdown(
            "- **Theorem 1.** If λ(u) varies in enough directions, p(x|u) determines the latents' statistics up to a "
            "linear map.\n"
            "- **Theorem 2.** With two statistics or more, that map does not mix latents.\n"
            "- **Open questions.** Which u is rich enough? Who checks the assumptions? What do the latents of a "
            "recording mean?"
        )
    with st.container(horizontal=True):
        st.markdown("**Break a condition, live:**", width="content")
        for label, dials in BROKEN.items():
            ui.link("playground", label, keep=(), play=dials)
        ui.link("conditions", "noise with a gap", keep=(), conditions_view="noise")
        st.markdown("**Breaks none, and costs:**", width="content")
        ui.link("playground", "noisy x", keep=(), play=COSTLY)


def place_cells() -> None:
    """Sliders over the latents of a real recording, and what every unit does there: raster and tuning curves."""
    run = shipped("track-ivae")
    member = best_member(run)
    with st.container(key="talk-cells"):
        _drag(run, member, 2, x_names=run.about["x_names"])
