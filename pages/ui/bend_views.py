"""The bend as pages draw it: the ideas with their dials, from closed forms and the curves shipped in bend.json."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dvae_core import runs
from dvae_core.identify import bend
from dvae_core.live.bend import Idea, Slider

KINDS = {"laplace": "Laplace", "uniform": "uniform", "bimodal": "two humps"}
SAYS = {
    "time": "Each factor has a memory of its own; only along the factors do two memories explain all pairs of rows.",
    "seen": "u moves the variances of the factors in different ways, and only along the factors are they independent.",
    "hidden": "Clusters that are diagonal along the factors are not diagonal along turned axes.",
    "straight": "Sums of such factors are nearer to a Gaussian than the factors are, if f is linear.",
}


@st.cache_data(show_spinner=False)
def shipped() -> dict[str, Any]:
    """Return the curves that `benchmarks/bend.py --write` computed."""
    return runs.shipped("bend.json", "python benchmarks/bend.py --write")


@st.cache_data(show_spinner=False)
def trained() -> dict[str, Any]:
    """Return the populations without u that `benchmarks/stops.py` and `without_u.py` trained."""
    return runs.shipped("without_u.json", "python benchmarks/stops.py")


def stop(value: float, stops: Sequence[float]) -> float:
    """Return the stop that is nearest to a value: a link may hold any."""
    return min(stops, key=lambda each: abs(each - value))


def normal() -> Idea:
    """N(0, I): the rotation of chapter 2, flat by the theorem."""
    return Idea(
        name="N(0, I), as in chapter 2",
        says="",
        kind="grid",
        role="prior",
        dash=(2, 4),
        angles=(0.0, 90.0),
        nats=[0, 0],
    )


def time(a: tuple[float, float] = (0.95, 0.6), *, has_dials: bool = True) -> Idea:
    """Pairs of neighbouring rows, with the memories a as dials."""
    more: dict[str, Any] = {"role": "latent", "says": SAYS["time"]}
    if has_dials:
        dials = [Slider(name=f"memory a{k}", value=v, high=0.98, step=0.01) for k, v in zip("₁₂", a, strict=True)]
        return Idea(name="Time: pairs of rows", kind="pairs", sliders=dials, **more)
    found = bend.pairs(a)
    named = f"a = ({a[0]:g}, {a[1]:g})" if any(a) else "rows shuffled"
    return Idea(name=f"Time, {named}", kind="grid", angles=found.angles, nats=found.nats, **more)


def seen(strength: float = 1.0, *, has_dials: bool = True) -> Idea:
    """An observed u on the talk's data; its strength is a dial."""
    mean, std = bend.world(shipped()["data_seed"])
    more: dict[str, Any] = {"name": "u seen", "role": "factor", "dash": (11, 5), "says": SAYS["seen"]}
    if has_dials:
        dial = Slider(name="strength of u", value=strength, high=2.0)
        return Idea(kind="segments", mean=mean, std=std, sliders=[dial], **more)
    found = bend.segments(mean, std, strength=strength)
    return Idea(kind="grid", angles=found.angles, nats=found.nats, **more)


def hidden(separation: float = 1.0, components: int = 5) -> Idea:
    """The same u, hidden: mixtures of K Gaussians, fitted by EM to the true factors."""
    found = shipped()["hidden"]
    stops, counts = found["separation"], found["components"]
    dials = [
        Slider(name="separation", value=stop(separation, stops), stops=stops),
        Slider(name="components K", value=stop(components, counts), stops=counts),
    ]
    flat = {key: [curve for line in found[key] for curve in line] for key in ("nats", "error")}
    return Idea(
        name="u hidden: a mixture", says=SAYS["hidden"], kind="grid", role="reconstruction", dash=(3, 3), sliders=dials,
        angles=found["angles"], **flat,
    )  # fmt: skip


def straight(kind: str = "laplace", strength: float = 1.0) -> Idea:
    """A linear f and factors that are not Gaussian."""
    found = shipped()["straight"]
    dials = [
        Slider(name="factors", value=list(KINDS).index(kind), stops=range(len(KINDS)), labels=list(KINDS.values())),
        Slider(name="non-Gaussian part", value=stop(strength, found["strength"]), stops=found["strength"]),
    ]
    curves = [curve for name in KINDS for curve in found["nats"][name]]
    return Idea(
        name="Straight world", says=SAYS["straight"], kind="grid", role="data", dash=(14, 4, 3, 4), sliders=dials,
        angles=found["angles"], nats=curves,
    )  # fmt: skip


def printed(dials: Sequence[float]) -> Any:
    """Draw every idea's curve at these dials, for print."""
    from dvae_core import figures  # not at the top: the talk's captions load no plotly

    angle, a1, a2, strength, separation, components, kind, part = dials
    found = shipped()
    mixtures, line = found["hidden"], found["straight"]
    separation, components = stop(separation, mixtures["separation"]), int(stop(components, mixtures["components"]))
    mixed = mixtures["nats"][mixtures["separation"].index(separation)][mixtures["components"].index(components)]
    factors, part = list(KINDS)[int(kind)], stop(part, line["strength"])
    straight_line = line["nats"][factors][line["strength"].index(part)]
    pairs, u = bend.pairs((a1, a2)), bend.segments(*bend.world(found["data_seed"]), strength=strength)
    curves = {
        "N(0, I)": ([0, 90], [0, 0]),
        f"time, memories {a1:g} and {a2:g}": (pairs.angles, pairs.nats),
        f"u seen, strength {strength:g}": (u.angles, u.nats),
        f"u hidden, K = {components}, separation {separation:g}": (mixtures["angles"], mixed),
        f"linear f, {KINDS[factors]} factors, part {part:g}": (line["angles"], straight_line),
    }
    return figures.bend_curves(curves, at=angle)
