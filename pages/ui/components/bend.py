"""The axes that turn, and what that costs, on a page."""

from dvae_core.live.bend import BendState
from pages.ui.components.live_component import LiveValue, register

_view = register("bend")


def bend(state: BendState, *, key: str) -> list[float]:
    """Draw the turning axes, the curves and their sliders; return the angle and the sliders' values that Python knows.

    Everything follows the finger in the browser. The page is notified on release, or 200 ms after the last move: mount
    it in an `st.fragment`.

    Args:
        state: What to show.
        key: Unique on the page. The session keys that begin with "<key>." belong to it.

    Raises:
        ValueError: If an idea is not complete.
    """
    data = state.data()
    dials = LiveValue(key, "dials")
    dials.follow(data["dials"], fits=lambda value: len(value) == len(data["dials"]))
    data |= {"dials": dials.sent, "rev": dials.rev, "autoplay": data["autoplay"] and not dials.touched}
    _view(key=dials.widget, data=[data], on_dials_change=dials.remember)
    return dials.value
