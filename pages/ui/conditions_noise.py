"""Which noise is allowed? Two densities of f(z) that one kind of noise makes equal, and others do not."""

import streamlit as st

from dvae_core.identify import noise
from dvae_core.live.steps import Curves, Line, StepsState
from pages.ui.components.steps import steps

WIDTHS = tuple(round(0.05 * k, 2) for k in range(31))
NOISES: dict[noise.Noise, str] = {
    "gaussian": "Gaussian noise",
    "gap": "Noise with a gap",
    "uniform": "Uniform noise",
}
QUESTION = (
    "Two densities of v = f(z), A and B, differ in the frequencies {low:g} to {high:g} alone. What is left of A − B in "
    "x = v + noise?"
)
ANSWER = (
    "**Condition 1.** The theorem's first step divides by φ, the characteristic function of the noise. A Gaussian φ is "
    "never 0. A uniform one is 0 at single points, which is allowed. Noise with a gap, of density "
    "(1 − cos(v/w)) w / πv² and width w, has φ = 0 from the frequency 1/w on: from w = {closed:g} on A and B give the "
    "same x, condition 1 is broken, and p(x|u) does not determine f(z).\n\n"
    "**Finite data cannot refute a gap.** Add a little noise with a gap to any noise: the sum has one, and its density "
    "differs as little as you like. A model with Gaussian noise assumes that there is none."
)


def left(name: noise.Noise, share: float, width: float) -> str:
    """State how much of the difference remains after one kind of noise.

    Args:
        name: The noise.
        share: The largest difference after the noise, as a share of that before.
        width: The noise's.
    """
    where = f" from {1 / width:.2g} on" if name == "gap" and width else ""
    much = "nothing is left" if share < 1e-9 else f"{100 * share:.3g} % is left"  # 1e-9: far above rounding
    return f"{NOISES[name]}{where}: {much}"


def panels() -> list[Curves]:
    """Return the two densities, and their difference after each kind of noise."""
    v = noise.AXIS
    a, b = noise.pair(v)
    most = float(abs(a - b).max())
    density = Curves(
        title="Before the noise: A and B", x=v, names=("v = f(z)", "density"), y_range=(0.0, 1.05 * float(a.max())),
        lines=[Line(y=a, role="factor", name="A"), Line(y=b, role="latent", name="B (dashed)", dashed=True)],
    )  # fmt: skip
    after = []
    for name in NOISES:
        found = noise.what_is_left(name, WIDTHS)
        titles = [left(name, float(abs(d).max()) / most, w) for d, w in zip(found, WIDTHS, strict=True)]
        after.append(
            Curves(
                title=titles, x=v, names=("x", "A − B"), y_range=(-1.05 * most, 1.05 * most),
                lines=[Line(y=a - b, role="reference", name="before the noise (dashed)", dashed=True)],
                moving=found, moving_name="after the noise", role="bad" if name == "gap" else "data",
            )
        )  # fmt: skip
    return [density, *after]


def section() -> None:
    """Show a slider for the width of the noise, and the sentence on condition 1."""
    st.markdown("#### What must the noise be like?")
    st.markdown(QUESTION.format(low=noise.LOW, high=noise.HIGH))
    labels = [f"{width:g}" for width in WIDTHS]
    steps(StepsState(name="Width of the noise", labels=labels, panels=panels()), key="conditions.noise")
    st.markdown(ANSWER.format(closed=1 / noise.LOW))
