"""Sliders over latents with a picture that follows every move, decoded in the browser without a round trip."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from dvae_core.live import arrays
from dvae_core.live.explorer import ExplorerState
from pages.ui.components.live_component import LiveValue, canvas, register

_view = register("explorer")


def set_latent(key: str, z: Sequence[float]) -> None:
    """Move the sliders of the explorer `key` from Python, in a callback or above the explorer.

    Args:
        key: The explorer's key.
        z: [d_z], the target position.

    Example:
        st.button("Prior mean", on_click=set_latent, args=("traverse", [0.0] * plan["d_z"]))
    """
    LiveValue(key, "z").push([float(v) for v in z])


def explorer(
    plan: dict[str, Any],
    state: ExplorerState,
    *,
    key: str,
    on_pick: Callable[[int], None] | None = None,
    fallback: Callable[[list[float]], Any] | None = None,
) -> list[float]:
    """Draw controls for the latents and E[x|z], which follows while dragging; return the z that Python knows.

    The page is notified 200 ms after a move ends, or at once on release. Mount it in an `st.fragment`, below `ship`.

    Args:
        plan: `tree` of dvae_core.export.plan.decoder_plan; ship it on the same page.
        state: What to show.
        key: Unique on the page. The session keys "<key>.z" and others that begin with "<key>." belong to it.
        on_pick: Called with the row of the cloud that was clicked, before the next run.
        fallback: z -> x [d_x], called for print, and if the browser cannot decode this plan: the server then draws
            sliders and a picture.

    Returns:
        z [d_z], rounded to 0.001 if it was moved.

    Raises:
        ValueError: If a size does not fit the plan or a number is not finite.

    Example:
        plan = decoder_plan(run)
        ship(plan.tree, plan.tensors)

        @st.fragment
        def traverse() -> None:
            state = ExplorerState(latents=latent_table(run, 0), background=data)
            z = explorer(plan.tree, state, key=f"traverse.{run.id}")
            st.caption(f"z = {z}")
    """
    data = state.data(plan)
    z = LiveValue(key, "z")
    z.follow(data["z0"], fits=lambda value: len(value) == plan["d_z"])
    side, failed = _Side(key, z.widget), st.session_state.get(f"{key}.failed")

    def reported(name: str) -> Any:
        return st.session_state[z.widget][name]

    def picked() -> None:
        if on_pick is not None and state.cloud is not None and reported("picked") is not None:
            on_pick(int(state.cloud.rows[int(reported("picked")["row"])]))

    data |= {"z": z.sent, "rev": z.rev, "side": side.sent, "autoplay": data["autoplay"] and not z.touched}
    _view(
        key=z.widget,
        data=[data],
        on_z_change=z.remember,
        on_side_change=lambda: side.remember(reported("side")),
        on_picked_change=picked,
        on_failed_change=lambda: st.session_state.update({f"{key}.failed": reported("failed")}),
    )
    if fallback is not None:
        now = list(z.value)
        canvas(key, lambda: _printed(plan, state, data["latents"], now, fallback))
    if fallback is not None and failed and failed["plan"] == plan["id"] and failed["sentence"]:
        _draw_here(key, plan, data, z, fallback)
    return list(z.value)


def _printed(
    plan: dict[str, Any], state: ExplorerState, latents: Sequence[dict[str, Any]], z: list[float], decode: Any
) -> Any:
    """Draw this z and what it decodes to, for print."""
    from dvae_core import figures  # not at the top: Start prints nothing, and loads no plotly

    values, labels = [z[row["index"]] for row in latents], [row["label"] for row in latents]
    look = {"background": state.background}
    return figures.decoded(values, labels, decode(z), plan["x_shape"], state.x_names, **look)


class _Side:
    """Values moved beside z (an angle, a path, a beta): kept for the next visit, sent only on a new mount."""

    def __init__(self, key: str, widget: str) -> None:
        self._now, self._sent = f"{key}.side", f"{key}.side_sent"
        if widget not in st.session_state:
            st.session_state[self._sent] = st.session_state.get(self._now, {})

    @property
    def sent(self) -> dict[str, float]:
        return st.session_state[self._sent]

    def remember(self, side: dict[str, float] | None) -> None:
        if side is not None:
            st.session_state[self._now] = side


def _draw_here(
    key: str, plan: dict[str, Any], data: dict[str, Any], value: LiveValue, decode: Callable[[list[float]], Any]
) -> None:
    """Draw sliders and a picture on the server, for a decoder that the browser cannot follow."""
    st.caption("Drawn by the server: the picture follows when a slider is released.")
    z = list(value.value)
    for row in data["latents"]:
        i = row["index"]
        lo, hi = min(data["lo"][i], z[i]), max(data["hi"][i], z[i])
        z[i] = st.slider(row["label"], lo, hi, z[i], key=f"{key}.server.{plan['id']}.{i}")
    if z != value.value:
        value.push(z)
    if plan["x_shape"]:
        st.image(arrays.enlarged(plan, decode(z)), caption="E[x|z]", output_format="PNG")
    else:
        st.bar_chart(decode(z), x_label="dimension of x", y_label="E[x|z]")
