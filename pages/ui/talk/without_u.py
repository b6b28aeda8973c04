"""Chapter 4 of the talk: pictures and captions of what tells the axes without u, each with its negative control."""

import json
from collections.abc import Mapping
from typing import Any

import streamlit as st

from dvae_core import figures, runs
from dvae_core.figures.style import number
from dvae_core.identify import bend, straight
from dvae_core.identify.matrices import turned
from dvae_core.live.steps import Cloud, Curves, Line, StepsState
from dvae_core.metrics import rotation_mcc
from dvae_core.runs import RunError
from pages.ui import bend_views
from pages.ui.components.steps import steps
from pages.ui.talk import screen
from pages.ui.talk.demos import plot

DEEP = 3  # layers of the mixing that is not linear, as in the talk's world
DRAWN = 400  # points of a cloud


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
    """State whether linear ICA finds the factors, and what is left without either of its assumptions.

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


@st.cache_data(show_spinner=False)
def trained() -> dict[str, Any]:
    """Return the populations that `benchmarks/stops.py` trained."""
    try:
        return json.loads((runs.examples_folder() / "without_u.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise RunError("The shipped populations are missing; `python benchmarks/stops.py` trains them.") from None


def hidden() -> None:
    """Turn the true factors, and see what that costs a model that sees u, and mixtures that do not."""
    shipped = bend_views.shipped()
    angles = shipped["hidden"]["angles"]
    mean, std = bend.world(shipped["data_seed"])
    z, u = bend.draw(mean, std, DRAWN)
    cloud = Cloud(
        title="The factors, along turned axes", points=turned(z, [-angle for angle in angles]), names=("z̃₁", "z̃₂"),
        hues=u, hue_labels=[f"u = {k + 1}, hidden" for k in range(len(mean))],
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
    """State the bend at 45 degrees of each curve, and what became of the seeds that were trained."""
    at = bend_views.shipped()["hidden"]["angles"].index(45.0)
    curves = hidden_curves()
    each = "; ".join(f"{name} {_nats(nats[at], 0.0)}" for name, (nats, _) in curves.items())
    error = max(errors[at] for _, errors in curves.values())
    return f"Nats at 45°: {each} (± {error:.3f} at most). {seeds_words(trained()['hidden'])}"


def seeds_words(found: Mapping[str, Any]) -> str:
    """State how far the scores of the trained mixtures differ, beside the model that sees u."""
    mcc = found["mcc"]
    return (
        f"{len(mcc)} seeds, K = {found['components']}: MCC {min(mcc):.2f} to {max(mcc):.2f}; iVAE {found['ivae']:.2f}."
    )


def _nats(value: float, error: float) -> str:
    return (f"{value:.3f} ± {error:.3f}" if error else f"{value:.3f}").replace("-0.000", "0.000")
