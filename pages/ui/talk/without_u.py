"""Chapter 4 of the talk: pictures and captions of what determines the axes without u, each with its control."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dvae_core import figures
from dvae_core.analysis.common import good_members
from dvae_core.analysis.tables import member_table
from dvae_core.figures.style import number
from dvae_core.identify import bend, straight
from dvae_core.identify.matrices import turned
from dvae_core.live.steps import Cloud, Curves, Line, StepsState
from dvae_core.metrics import rotation_mcc
from pages.ui import bend_views
from pages.ui.components.steps import steps
from pages.ui.talk import screen
from pages.ui.talk.demos import plot, shipped

DEEP = 3  # layers of the mixing that is not linear, as in the talk's world
DRAWN = 400  # points of a cloud
SIDES = (4, 7)  # widths of the curve and of the seeds on the slide on time
SEEDS_AROUND = 135  # pixels above and below panels of arrows: titles, axis and legend


@st.cache_data(show_spinner=False)
def unmixed(noise: str, layers: int) -> straight.Unmixed:
    """Return what PCA and FastICA make of eight data sets of two factors."""
    return straight.unmix(noise, layers)  # type: ignore[arg-type]


def straight_world() -> None:
    """Draw Laplace factors above Gaussian ones: data, PCA, FastICA, and FastICA after three layers."""
    rows = []
    for noise in ("laplace", "gaussian"):
        linear, deep = unmixed(noise, 1), unmixed(noise, DEEP)
        panels = [
            ("x = A s", linear.x),
            (f"PCA: {spread(linear.mcc_pca)}", linear.pca),
            (f"FastICA: {spread(linear.mcc_ica)}", linear.ica),
            (f"{DEEP} layers: {spread(deep.mcc_ica)}", deep.ica),
        ]
        rows.append((noise.title(), linear.z, panels))
    figure = figures.worlds_unmixed(rows, stacked=screen.is_phone())
    plot(figure, "talk.straight", titled=False)


def straight_numbers() -> str:
    """State the scores with both assumptions, and with either of them taken away."""
    found = [unmixed(noise, layers).mcc_ica for noise, layers in (("laplace", 1), ("gaussian", 1), ("laplace", DEEP))]
    return straight_words(*found, chance=rotation_mcc(2))


def straight_words(linear: Any, gaussian: Any, deep: Any, *, chance: float) -> str:
    """State whether linear ICA finds the factors, and what remains without either of its assumptions.

    Args:
        linear: MCC of FastICA on each data set with both assumptions.
        gaussian: The same with Gaussian factors.
        deep: The same with a nonlinear f.
        chance: Score of a random rotation of the factors.
    """
    verdict = "Both assumptions: found." if linear.min() > 0.99 else "Both assumptions: not found."
    return (
        f"{verdict} FastICA, {len(linear)} data sets: MCC {spread(linear)}; Gaussian factors {spread(gaussian)}, "
        f"where a random rotation has {number(chance)}; {DEEP} layers {spread(deep)}. Hue: the quarter of the factors."
    )


def spread(values: Any) -> str:
    """Return the mean and the standard deviation as text."""
    mean = sum(values) / len(values)
    return f"{number(mean)} ± {number((sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5)}"


MEMORY = 0.95  # of the first factor; the slider is that of the second
MEMORIES = tuple(round(0.05 * k, 2) for k in range(20))


def seed_arrows(part: str, key: str, *, share: float = 1.0) -> None:
    """Draw where the latents of every seed point, for each population of a part, in a share of the slide's width."""
    populations = {
        name[0].upper() + name[1:]: its["axes"] for name, its in bend_views.trained()[part]["populations"].items()
    }
    n = len(populations)
    columns = 1 if screen.is_phone() else n
    high = 340 * n if screen.is_phone() else min(screen.room(), round(share * screen.width() / n) + SEEDS_AROUND)
    plot(figures.seed_arrows(populations, columns=columns), key, height=high, titled=False)


def clock() -> None:
    """Draw the seeds of an iVAE whose u is the number of a stretch of rows, beside those with rows shuffled."""
    seed_arrows("clock", "talk.clock")


def clock_numbers() -> str:
    """State what the number of the stretch is worth, and what remains if rows are shuffled."""
    found = bend_views.trained()["clock"]
    return clock_words(*(its["mcc"] for its in found["populations"].values()), bins=found["bins"],
                       rows=found["rows_a_bin"])  # fmt: skip


def clock_words(own: Sequence[float], shuffled: Sequence[float], *, bins: int, rows: int) -> str:
    """State whether the clock determines the axes: only if all seeds with it lie above those with rows shuffled.

    Args:
        own: MCC of each seed with the number of the stretch as u.
        shuffled: The same after the rows were shuffled.
        bins: How many stretches there are.
        rows: Rows of a stretch.
    """
    verdict = (
        "The clock determines the axes." if min(own) > max(shuffled) else "Here the clock does not determine the axes."
    )
    return (
        f"{verdict} u is the number of the stretch, {bins} of {rows} rows, and nothing else is recorded. "
        f"{len(own)} seeds: MCC {spread(own)}; rows shuffled {spread(shuffled)}; a random rotation "
        f"{number(rotation_mcc(2))}. A curve on each axis is left."
    )


def time() -> None:
    """Slide the second factor's memory to see what a turn costs; beside it, the seeds that were trained in advance."""
    left, right = (st.container(), st.container()) if screen.is_phone() else st.columns(SIDES, gap="medium")
    with left.container(key="talk-time"):
        memories()
    with right:
        seed_arrows("time", "talk.time.seeds", share=SIDES[1] / sum(SIDES))


def memories() -> None:
    """Slide the second factor's memory: what a turn of the axes costs at every angle."""
    found = [bend.pairs((MEMORY, a)) for a in MEMORIES]
    panel = Curves(
        title=[memory_words(a, curve) for a, curve in zip(MEMORIES, found, strict=True)],
        x=found[0].angles, moving=[curve.nats for curve in found], moving_name=f"memories {MEMORY:g} and a₂",
        role="latent", names=("angle of the axes (degrees)", "nats"), y_range=(-0.05, 1.1 * found[0].most),
        lines=[Line(y=bend.pairs((0.0, 0.0)).nats, name="control: rows shuffled", role="reference", dashed=True)],
    )  # fmt: skip
    labels = [f"{a:g}" for a in MEMORIES]
    steps(StepsState(name="Memory a₂", labels=labels, panels=[panel], start=labels.index("0.6")), key="talk.time")


def memory_words(a: float, found: bend.Bend) -> str:
    """State what a turn costs with this second memory."""
    if found.state == "flat":
        return f"Memories {MEMORY:g} and {a:g}: flat"
    return f"Memories {MEMORY:g} and {a:g}: up to {found.most:.2f} nats{', faint' if found.state == 'faint' else ''}"


def time_numbers() -> str:
    """State the bend of memories that differ, and of the two controls."""
    own, equal, shuffled = (number(bend.pairs(a).most) for a in ((MEMORY, 0.6), (0.8, 0.8), (0.0, 0.0)))
    found = [its["mcc"] for its in bend_views.trained()["time"]["populations"].values()]
    scores = [spread(values) for values in found]
    return (
        f"A turn costs up to {own} nats for memories {MEMORY:g} and 0.6, {equal} if equal, {shuffled} if shuffled. "
        f"{len(found[0])} seeds: MCC {scores[0]}, shuffled {scores[1]}, equal {scores[2]}."
    )


def hidden() -> None:
    """Turn the true factors, and see what that costs a model that sees u, and mixtures that do not."""
    angles = bend_views.shipped()["hidden"]["angles"]
    mean, std = bend.world(bend_views.shipped()["data_seed"])
    z, u = bend.draw(mean, std, DRAWN)
    cloud = Cloud(
        title="The factors", points=turned(z, [-angle for angle in angles]), names=("z̃₁", "z̃₂"),
        hues=u,
    )  # fmt: skip
    curves = hidden_curves()
    looks = (("factor", False), ("reconstruction", False), ("bad", True), ("reference", True))
    lines = [
        Line(y=nats, name=name, role=role, dashed=dashed)
        for (name, (nats, _)), (role, dashed) in zip(curves.items(), looks, strict=True)
    ]
    top = max(max(nats) for nats, _ in curves.values())
    panel = Curves(
        title="Nats of log p lost, prior fitted anew", x=angles, lines=lines,
        names=("angle of the axes (degrees)", "nats"), y_range=(-0.05 * top, 1.15 * top), marked=True,
    )  # fmt: skip
    steps(StepsState(name="Axes", labels=[f"{a:g}°" for a in angles], panels=[cloud, panel]), key="talk.hidden")


def hidden_curves() -> dict[str, tuple[list[float], list[float]]]:
    """Return nats and standard errors at every angle: u seen, hidden with K = 5 and 10, and the control."""
    found, seed = bend_views.shipped()["hidden"], bend_views.shipped()["data_seed"]
    seen = bend.segments(*bend.world(seed), found["angles"])

    def mixture(components: int, separation: float) -> tuple[list[float], list[float]]:
        s, k = found["separation"].index(separation), found["components"].index(components)
        return found["nats"][s][k], found["error"][s][k]

    return {
        "u seen": (seen.nats.tolist(), seen.error.tolist()),
        "hidden, K = 5": mixture(5, 1.0),
        "hidden, K = 10": mixture(10, 1.0),
        "control: one cluster": mixture(5, 0.0),
    }


def hidden_numbers() -> str:
    """State the bend at 45 degrees of each curve, and the scores of the seeds that were trained."""
    at = bend_views.shipped()["hidden"]["angles"].index(45.0)
    curves = hidden_curves()
    each = "; ".join(f"{name} {_nats(nats[at], 0.0)}" for name, (nats, _) in curves.items())
    error = max(errors[at] for _, errors in curves.values())
    return f"Nats at 45°: {each} (± {error:.3f} at most). {seeds_words(bend_views.trained()['hidden'])}"


def seeds_words(found: Mapping[str, Any]) -> str:
    """State how far the scores of the trained mixtures differ, beside the model that sees u."""
    mcc = found["mcc"]
    return (
        f"{len(mcc)} seeds, K = {found['components']}: MCC {min(mcc):.2f} to {max(mcc):.2f}; iVAE {found['ivae']:.2f}."
    )


def table() -> None:
    """Show the nats of every idea at 45 degrees beside what training found: what is flat, and what bends."""
    flat, bent = closing_rows()
    with st.container(key="talk-close"):
        left, right = st.columns([6, 5], gap="medium")
        for cell, rows in ((left, flat), (right, bent)):
            lines = [
                f"| {name} | {nats} | {mcc} |".replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")
                for name, nats, mcc in rows
            ]
            cell.markdown("| Assumption | nats, 45° | MCC |\n|---|---|---|\n" + "\n".join(lines))


def closing_rows() -> tuple[list[tuple[str, str, str]], list[tuple[str, str, str]]]:
    """Return the rows of the closing table, those below FAINT nats first: name, nats at 45 degrees, MCC."""
    curves = hidden_curves()
    at = bend_views.shipped()["hidden"]["angles"].index(45.0)
    entries: list[tuple[str, float, float, Any]] = [("N(0, I)", 0.0, 0.0, _scores("talk-vae"))]
    for name, its in bend_views.trained()["time"]["populations"].items():
        entries.append(
            (f"time, {name.removeprefix('time ')}", bend.pairs(its["memories"], (45,)).nats[0], 0.0, its["mcc"])
        )
    for name, seeds in (("hidden, K = 5", bend_views.trained()["hidden"]["mcc"]), ("hidden, K = 10", ())):
        entries.append((f"u {name}", curves[name][0][at], curves[name][1][at], seeds))
    entries += [("u seen", curves["u seen"][0][at], 0.0, _scores("talk-ivae"))]
    for noise, strength in (("gaussian", 0.0), ("laplace", 1.0)):
        nats = bend.sources("laplace", (45,), strength).nats[0]
        entries.append((f"linear f, {noise.title()} factors", nats, 0.0, unmixed(noise, 1).mcc_ica))
    rows = [(value, (name, _nats(value, error), spread(s) if len(s) else "–")) for name, value, error, s in entries]
    return [row for value, row in rows if value < bend.FAINT], [row for value, row in rows if value >= bend.FAINT]


def closing_words() -> str:
    """State the closing line, if the numbers of the table bear it out."""
    flat, bent = closing_rows()
    worst = min(float(mcc.split(" ")[0]) for _, _, mcc in bent if mcc != "–")
    best = max(float(mcc.split(" ")[0]) for _, _, mcc in flat if mcc != "–")
    if worst <= best:
        return "Here the bend does not separate what was found from what was not."
    return (
        "**No assumption, no axes; and an assumption helps by as many nats as it bends the curve.** The bend is "
        "necessary, not sufficient: a search may still not find it."
    )


def _nats(value: float, error: float) -> str:
    return (f"{value:.3f} ± {error:.3f}" if error else f"{value:.3f}").replace("-0.000", "0.000")


def _scores(name: str) -> list[float]:
    run = shipped(name)
    return member_table(run).iloc[good_members(run)]["mcc_pearson"].tolist()
