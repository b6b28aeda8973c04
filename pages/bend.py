"""Chapter 4: what determines the axes without u? One dial, and for each idea the nats of log p that a turn costs."""

import streamlit as st

from dvae_core import figures
from dvae_core.live.bend import BendState
from dvae_core.metrics import rotation_mcc
from dvae_core.runs import RunError
from pages.ui import arrow_views, bend_views, code
from pages.ui import page as ui
from pages.ui.components.bend import bend
from pages.ui.components.live_component import canvas

MATHS = r"""Turn the axes, $\tilde z = M^\top z$, and fit the prior of the same family anew:

$$\text{bend}(M) = \max_{p} \mathrm{E} \log p(z) - \max_{p} \mathrm{E} \log p(M^\top z)$$

It is at least 0 if the family holds the factors' own density; with too few clusters it is not.


$$\begin{aligned}
N(0, I) &: 0 \\
\text{time, } A = \mathrm{diag}(a) &: \tfrac12 \textstyle\sum_i \big[ \log(1 - (M^\top A M)_{ii}^2)
- \log(1 - a_i^2) \big] \\
u \text{ seen} &: \mathrm{E}_u \tfrac12 \big[ \textstyle\sum_i \log (M^\top V_u M)_{ii} - \log \det V_u \big] \\
f \text{ linear} &: \textstyle\sum_i H(\tilde z_i) - \sum_i H(z_i) \\
u \text{ hidden} &: \text{two fits by EM, on other rows than those scored}
\end{aligned}$$

f is known and factors are standardised. Nats are per pair of rows for time, and per row otherwise."""
READING = (
    "The bend is necessary, not sufficient. Where it was .02 nats no training found the axes; at .06 (u seen), .10 "
    "(Laplace factors, f linear), .15 and .47 (time) it did. A mixture with .14 to .24 got part of the way, because "
    "there the search is hard, too. Every curve is an upper bound: it tries rotations only, and a twin may use any map."
)


def dials_in_link() -> tuple[float, ...]:
    """Return the angle and slider values in the link; the defaults if it has none, or impossible numbers."""
    start = (30.0, 0.95, 0.6, 1.0, 1.0, 5.0, 0.0, 1.0)
    text = ui.links.value("dials")
    try:
        given = tuple(float(part) for part in text.split(","))
    except ValueError:
        return start
    low, high = (0, 0, 0, 0, 0, 1, 0, 0), (90, 0.98, 0.98, 2, 2, 10, 2, 1)
    fits = len(given) == len(start) and all(a <= v <= b for a, v, b in zip(low, given, high, strict=True))
    return given if fits else start


@st.fragment
def lab() -> None:
    """The dial, the curves and the sliders of every idea."""
    moves = not ui.links.value("dials")  # a link is shown with the values that it holds
    angle, a1, a2, strength, separation, components, kind, part = dials_in_link()
    ideas = [
        bend_views.normal(),
        bend_views.time((a1, a2)),
        bend_views.seen(strength),
        bend_views.hidden(separation, int(components)),
        bend_views.straight(list(bend_views.KINDS)[int(kind)], part),
    ]
    dials = bend(BendState(ideas=ideas, angle=angle, autoplay=moves), key="bend.lab")
    canvas("bend.lab", lambda: bend_views.printed(dials))
    ui.remember("dials", ",".join(f"{dial:g}" for dial in dials))


ui.start(
    "bend",
    "What bends the curve?",
    "Turn the axes and fit the prior anew. **The nats that this costs are what the axes are worth to the likelihood.**",
    maths=MATHS,
)
try:
    lab()
    with st.expander("How to read it, and where each curve comes from", icon=":material/menu_book:"):
        st.markdown(READING)
        st.caption(
            "Time and u seen are closed forms, computed in the browser. The straight world is integrated on a grid. "
            f"The mixtures are fitted to the true factors of data seed {bend_views.shipped()['data_seed']}, 3 times "
            "4,000 rows, and scored on as many others: the vertical bars are standard errors. A curve counts as bent "
            "from .04 nats on and as flat below .005, after three standard errors are taken off. "
            "`benchmarks/bend.py` prints them all."
        )
    arrow_views.section()
    with st.expander("What would a hidden u need? Six seeds against rows and separation", icon=":material/groups:"):
        ui.plot(figures.hidden_recovery(bend_views.trained()["mixture"], rotation_mcc(2)), key="bend.hidden")
        st.caption(
            "A prior of five Gaussians in place of u, 6 seeds on each of 3 to 5 data seeds; at separation 0 there is "
            "one cluster. The theorem is about the limit; `benchmarks/without_u.py mixture` prints what was found."
        )
    code.show(
        "from dvae_core.identify import bend\n\n"
        "print(bend.pairs((0.95, 0.6)).nats)\nprint(bend.segments(*bend.world(45)).nats)\n"
        "print(bend.sources('laplace').nats)\nprint(bend.mixture(*bend.world(45), 5, (0, 45), rows=1000).nats)"
    )
except (RunError, ValueError) as error:
    ui.problem(error)
ui.foot("bend")
