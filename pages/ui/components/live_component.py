"""dvae_core.live in Streamlit: registers components, and holds a value that both sides may move."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.components.v2 import component

from dvae_core.live import modules

ENTRY = """import {{ mount }} from "./{name}.js";
import {{ adapted }} from "{adapter}";
export default adapted(mount);
"""
ADAPTER = Path(__file__).with_name("streamlit.js").as_posix()
THEME = Path(__file__).with_name("streamlit.css").read_text(encoding="utf-8")


def script(name: str) -> str:
    """Return the JavaScript of a component of dvae_core.live in the form that Streamlit expects."""
    return modules.bundle(ENTRY.format(name=name, adapter=ADAPTER))


def canvas(key: str, draw: Callable[[], Any]) -> None:
    """Note how a canvas of this page is drawn as a figure, for print; it is drawn only on request."""
    st.session_state.setdefault("canvases", {})[key] = draw


def register(name: str) -> Callable[..., Any]:
    """Return the mounting function of a component of dvae_core.live.

    Call it once, at import: inside a page it would register the component again at every rerun. The `data` of the
    mounting function is a list with one dict: Streamlit searches a bare dict for tables, which imports pandas (55 MB).
    """
    css = f"{THEME}\n{modules.style(name)}"
    return component(f"dvae_{name}", html='<div class="dv"></div>', css=css, js=script(name))


class LiveValue:
    """The value of one mount, in session state: it survives a change of page, which a component's own state does not.

    Python pushes a value with a higher revision. The browser's answer states the revision that it moved from, so an
    answer to an older push is dropped. Between pushes the data of the mount stays the same, so a rerun re-sends
    nothing.

    Args:
        key: The mount's key, as given by the page.
        name: What moves ("z" or "angle"); also the name of the component's state.
    """

    def __init__(self, key: str, name: str) -> None:
        self.name = name
        self.widget = f"{key}.view"
        self._value, self._state = f"{key}.{name}", f"{key}.pushed"

    @property
    def value(self) -> Any:
        """The last value that the browser reported or Python pushed."""
        return st.session_state[self._value]

    @property
    def sent(self) -> Any:
        """The last value that Python sent to the browser."""
        return st.session_state[self._state]["sent"]

    @property
    def rev(self) -> int:
        """The number of times that Python has pushed."""
        return st.session_state[self._state]["rev"]

    @property
    def touched(self) -> bool:
        """Whether the user has moved it, or Python has moved it after the first push."""
        return st.session_state[self._state]["touched"]

    def push(self, value: Any) -> None:
        """Show this value in the browser at the next run."""
        state = st.session_state.get(self._state, {"rev": 0})
        st.session_state[self._value] = value
        st.session_state[self._state] = {**state, "sent": value, "rev": state["rev"] + 1, "touched": True}

    def follow(self, start: Any, *, fits: Callable[[Any], bool] = lambda value: True) -> None:
        """Start at `start`; push again if the caller's start has changed, or if the page was left and entered again.

        A page may keep the value in its address and pass it back as the start. A start that equals what the page
        received in the previous run is an echo, and never moves the value during a drag.

        Args:
            start: The value that the caller wants to begin with.
            fits: Whether a remembered value is still valid (another decoder may have other latents).
        """
        state = st.session_state.get(self._state)
        if state is None:
            st.session_state[self._value] = start
            state = {"sent": start, "rev": 1, "start": start, "touched": False}
        elif not fits(self.value):
            self.push(start)
            state = {**st.session_state[self._state], "start": start}
        elif "start" not in state:  # pushed before the first mount: begin there
            state = {**state, "start": start}
        elif state["start"] != start:
            if not (_same(start, self.value) or _same(start, state["returned"])):
                self.push(start)
            state = {**st.session_state[self._state], "start": start}
        elif self.widget not in st.session_state and self.value != state["sent"]:
            self.push(self.value)
            state = st.session_state[self._state]
        st.session_state[self._state] = {**state, "returned": self.value}

    def remember(self) -> None:
        """Accept the browser's report, unless Python has pushed since. This is the mount's callback."""
        report = st.session_state[self.widget][self.name]
        if report is None or report["rev"] != self.rev:
            return
        moved = report["value"]  # JavaScript's JSON writes 2.0 as 2
        st.session_state[self._value] = [float(v) for v in moved] if isinstance(moved, list) else float(moved)
        st.session_state[self._state] = {**st.session_state[self._state], "touched": True}


def _same(a: Any, b: Any) -> bool:
    """Whether two values (a number, or lists of numbers) agree to the precision that the browser sends."""
    if isinstance(a, list):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    return abs(a - b) < 1e-3
