"""The talk's keys and the size of its screen: an invisible part of the page that listens in the browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.components.v2 import component

from dvae_core.live import modules

HERE = Path(__file__).parent
USUAL = (1280, 720)  # a projector, until the browser has reported
_view = component(
    "dvae_lectern",
    js=modules.bundle(
        f'import {{ mount }} from "{(HERE / "lectern.js").as_posix()}";\n'
        f'import {{ adapted }} from "{(HERE / "streamlit.js").as_posix()}";\n'
        "export default adapted(mount);\n"
    ),
)


def screen_size() -> tuple[int, int]:
    """Return width and height of the browser's window in pixels; those of a projector before it has reported."""
    return st.session_state.get("lectern.size", USUAL)


def lectern(stop: str, answer: str, on_act: Callable[[str, dict[str, Any]], None]) -> None:
    """Listen to the keys of the talk, and keep other windows of this browser on the same slide.

    The right and down arrows, PageDown and Space mean "next", their counterparts "back", and a digit an answer. A
    control that was reached by keyboard keeps its own keys until Esc; one that was dragged does not.

    Args:
        stop: Name of the slide that is shown.
        answer: The room's answer, or "".
        on_act: Called before the next run with "next", "back", "answer" (and "option", from 0) or "follow" (and "stop"
            and "answer": another window has moved).
    """

    def acted() -> None:
        event = st.session_state["lectern"]["act"]
        if event is not None:
            on_act(event["action"], event)

    def resized() -> None:
        width, height = st.session_state["lectern"]["size"]
        st.session_state["lectern.size"] = (int(width), int(height))

    data = {"stop": stop, "answer": answer, "size": st.session_state.get("lectern.size")}
    _view(key="lectern", data=[data], on_act_change=acted, on_size_change=resized)
