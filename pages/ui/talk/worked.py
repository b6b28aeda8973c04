"""Pictures of the talk that are computed on the spot: linear ICA, p(x) as an integral, downstream tasks, lambda(u)."""

from typing import Any

import streamlit as st

from dvae_core import figures
from dvae_core.analysis.common import best_member, good_members
from dvae_core.analysis.latents import factor_colours, held_out
from dvae_core.analysis.natural import natural_parameters
from dvae_core.analysis.tables import many_seeds, member_table
from dvae_core.axes import evenly
from dvae_core.config import NeuronsData
from dvae_core.data.load import dataset_of
from dvae_core.identify import evidence, readout, unmixing
from dvae_core.identify.matrices import turned
from dvae_core.live.steps import Cloud, Curves, Line, StepsState
from dvae_core.runs import Run
from pages.ui.components.steps import steps
from pages.ui.talk import screen
from pages.ui.talk.demos import plot, shipped

ANGLES = tuple(range(0, 91, 3))
DEGREES = [f"{a}°" for a in ANGLES]
DRAWN = 400  # points of a cloud
ROWS = 20_000  # for a curve: at 4,000 the flat one still moves by .02 nats
WORLDS: dict[unmixing.World, str] = {
    "laplace": "Laplace factors, mixed linearly",
    "gaussian": "Gaussian factors, mixed linearly",
    "nonlinear": "Laplace factors, mixed nonlinearly",
}
FLAT = 0.015  # nats: above the largest of 20 Gaussian worlds (.009), and a sixth of a Laplace world's (.10)
COUNTS = (1, 2, 4, 8, 16, 32, 64, 256, 1024, 8192)
PILED = 40  # Gaussians that are drawn
TURNED = (15, 30, 45, 60, 75, 90)  # degrees of M, after the last draw


def recording() -> None:
    """Draw a simulated recording: what is measured, before any model."""
    x, u, rate_hz, u_names = _recording()
    figure = figures.recording(x, u, rate_hz=rate_hz, u_names=u_names, unit="spikes", limit=400)
    plot(figure, "talk.why", titled=False)


@st.cache_data(show_spinner=False)
def _recording() -> tuple[Any, Any, float | None, tuple[str, ...]]:
    dataset = dataset_of(NeuronsData(n_neurons=60, tuning="place", per_segment=200))
    assert dataset.u is not None, "place cells have a position"
    return dataset.x, dataset.u, dataset.rate_hz, dataset.u_names


@st.cache_data(show_spinner=False)
def ica_curve(world: unmixing.World) -> tuple[Any, Any, Any]:
    """Return W x of some rows, the mutual information and the MCC, at every angle."""
    return unmixing.by_angle(world, ANGLES, rows=ROWS, drawn=DRAWN)


def ica() -> None:
    """Turn W, and see the mutual information of the components of W x."""
    with st.container(key="talk-ica"):
        _ica()


def _ica() -> None:
    world = st.segmented_control(
        "World", list(WORLDS), default="laplace", format_func=WORLDS.__getitem__, key="talk.ica", wrap=True,
        label_visibility="collapsed",
    ) or "laplace"  # fmt: skip
    clouds, dependence, scores = ica_curve(world)  # pyright: ignore[reportArgumentType]
    best = int(dependence.argmin())
    scatter = Cloud(title=[f"Wx: MCC {score:.2f}" for score in scores], points=clouds, names=("(Wx)₁", "(Wx)₂"))
    flat = dependence.max() < FLAT
    title = "Flat: every W is as good" if flat else f"Lowest at {ANGLES[best]}°, where the MCC is {scores[best]:.2f}"
    curve = Curves(
        title=title, x=ANGLES, lines=[Line(y=dependence, role="data")], names=("angle of W (degrees)", "MI (nats)"),
        y_range=(-0.01, max(0.12, 1.1 * float(dependence.max()))), marked=True,
    )  # fmt: skip
    steps(StepsState(name="W", labels=DEGREES, panels=[scatter, curve]), key=f"talk.ica.{world}")


@st.cache_data(show_spinner=False)
def integral_curves() -> tuple[Any, Any, Any, Any]:
    """Return x, p(x), p(x|z) of the first draws, and the estimate of p(x) at every step (draws, then angles)."""
    return evidence.filled_in(COUNTS, TURNED, piled=PILED)


def integral() -> None:
    """Fill p(x) with decoded Gaussians, then turn the latents."""
    x, exact, pile, moving = integral_curves()
    count = COUNTS[-1]
    labels = [f"{n:,} draws" for n in COUNTS] + [f"M = {a}°" for a in TURNED]
    thin = f"thin: a quarter of each, {PILED} at most"
    titles = [f"The mean of {n:,} decoded {'Gaussian' if n == 1 else 'Gaussians'} ({thin})" for n in COUNTS]
    titles += [f"The same {count:,} draws, decoded by f(Mᵀz̃) at {a}° ({thin})" for a in TURNED]
    spans = [(0, min(n, PILED)) for n in COUNTS] + [(k * PILED, (k + 1) * PILED) for k in range(1, len(TURNED) + 1)]
    panel = Curves(
        title=titles, x=x, lines=[Line(y=exact, role="data", name="p(x), exact", dashed=True)], moving=moving,
        moving_name="mean of p(x|z) over draws of z", role="reconstruction", pile=pile / 4, spans=spans,
        names=("x", "density"), y_range=(0.0, 0.6),
    )  # fmt: skip
    steps(StepsState(name="z ~ N(0, I)", labels=labels, panels=[panel]), key="talk.integral")


@st.cache_data(show_spinner=False)
def _accuracies(z: Any, labels: Any) -> tuple[Any, Any]:
    return readout.accuracy_by_angle(z, labels, ANGLES)


def accuracies(run: Run) -> tuple[Any, Any]:
    """Return the accuracy of predicting u at every angle: of a linear decoder and of a decision tree."""
    hue, _ = factor_colours(run)
    assert hue is not None, "the talk's data have labels"
    return _accuracies(held_out(run)["mu_z"][best_member(run)], hue)


def downstream() -> None:
    """Turn the latents of a VAE, and decode u from them in two ways."""
    run = shipped("talk-vae")
    hue, names = factor_colours(run)
    mu = held_out(run)["mu_z"][best_member(run)]
    drawn = evenly(len(mu), DRAWN)
    linear, tree = accuracies(run)
    cloud = Cloud(
        title="Latents z̃ = Mz", points=turned(mu[drawn], ANGLES),
        names=("z̃₁", "z̃₂"), hues=None if hue is None else hue[drawn], hue_labels=[f"u = {name}" for name in names],
    )  # fmt: skip
    low, high = min(linear.min(), tree.min()), max(linear.max(), tree.max())
    curve = Curves(
        title="Predicting u from z̃: share of held-out rows that are right", x=ANGLES,
        lines=[
            Line(y=linear, role="data", name="linear decoder"),
            Line(y=tree, role="factor", name="decision tree: one latent at a time", dashed=True),
        ],
        names=("angle of M (degrees)", "accuracy"), y_range=(low - 0.05, high + 0.05), marked=True,
    )  # fmt: skip
    steps(StepsState(name="M", labels=DEGREES, panels=[cloud, curve]), key="talk.downstream")


def lambdas() -> None:
    """Draw lambda_ij(u) of the factors and of the trained prior as small multiples."""
    true, learned, names = natural_parameters(shipped("talk-ivae"))
    plot(
        figures.natural_parameters(true, learned, names, columns=screen.columns()),
        "talk.lambda",
        titled=False,
        below=80,
    )


def bounds_and_scores() -> tuple[Any, Any, int]:
    """Return bound and score of the VAE's seeds that are neither stuck nor failed, and the number of all seeds."""
    table: Any = many_seeds()
    good = table[~(table["failed"] | table["stuck"])]
    return good["elbo"].to_numpy(), good["mcc_pearson"].to_numpy(), len(table)


def bounds() -> None:
    """Draw the bound of every VAE against its score, which only the known factors reveal."""
    elbo, mcc, _ = bounds_and_scores()
    run = shipped("talk-ivae")
    line = float(member_table(run).iloc[good_members(run)]["mcc_pearson"].mean())
    plot(figures.bound_against_score(elbo, mcc, line=line), "talk.bounds", titled=False)
