"""A dial that rotates the latents, on a page."""

from typing import Any

from dvae_core.live.rotor import RotorState
from pages.ui.components.live_component import LiveValue, register

_view = register("rotor")


def set_angle(key: str, angle: float) -> None:
    """Turn the rotor `key` from Python, in a callback or above the rotor.

    Args:
        key: The rotor's key.
        angle: Degrees.

    Example:
        st.button("45 degrees", on_click=set_angle, args=("rotate", 45.0))
    """
    LiveValue(key, "angle").push(float(angle))


def rotor(plan: dict[str, Any] | None, state: RotorState, *, key: str) -> float:
    """Draw a dial and linked panels of z, z~ = M z and x = f(z) = f(M^T z~); return the angle that Python knows.

    During a turn, the browser decodes the strips along z~_i and z~_j and the examples anew through f(M^T z~), and
    writes the largest change of any example's x under them. The page is notified on release, or 200 ms after the last
    move: mount it in an `st.fragment`, below `ship`.

    Args:
        plan: `tree` of dvae_core.export.plan.decoder_plan; ship it on the same page. None with twin=False.
        state: What to show.
        key: Unique on the page. The session keys "<key>.angle" and others that begin with "<key>." belong to it.

    Returns:
        The angle in degrees, rounded to 0.01 if it was moved.

    Raises:
        ValueError: If a size does not fit the plan, a number is not finite, or base is not orthogonal.

    Example:
        ship(plan.tree, plan.tensors)

        @st.fragment
        def rotate() -> None:
            state = RotorState(points=z, hues=u, hue_labels=names, x_points=x, limit=90)
            angle = rotor(plan.tree, state, key="rotate")
            st.caption(f"MCC with the unrotated latents: {max(abs(cos(radians(angle))), abs(sin(radians(angle)))):.2f}")
    """
    data = state.data(plan)
    angle = LiveValue(key, "angle")
    angle.follow(data["angle"])
    data |= {"angle": angle.sent, "rev": angle.rev, "autoplay": data["autoplay"] and not angle.touched}
    _view(key=angle.widget, data=[data], on_angle_change=angle.remember)
    return angle.value
