"""A value that both sides may move: the finger in the browser, and Python (a preset, another data point, a link)."""

from collections.abc import Callable
from typing import Any

import streamlit as st


class Pushed:
    """The value of one mount, kept in session state: it outlives a change of page, a component's own state does not.

    Python pushes a value with a higher revision; the browser answers with the revision it moved from, so that an answer
    to an older push is dropped. Between pushes the data of the mount stays the same, and a rerun re-sends nothing.

    Args:
        key: The mount's key as the page gave it.
        name: What moves, also the name of the component's state: "z" or "angle".
    """

    def __init__(self, key: str, name: str) -> None:
        self.name = name
        self.widget = f"{key}.view"
        self._value, self._state = f"{key}.{name}", f"{key}.pushed"

    @property
    def value(self) -> Any:
        """What Python last heard of or pushed itself."""
        return st.session_state[self._value]

    @property
    def sent(self) -> Any:
        """What the browser was last told to show."""
        return st.session_state[self._state]["sent"]

    @property
    def rev(self) -> int:
        """How often Python has pushed."""
        return st.session_state[self._state]["rev"]

    @property
    def touched(self) -> bool:
        """Whether someone moved it, or Python did after the first time."""
        return st.session_state[self._state]["touched"]

    def push(self, value: Any) -> None:
        """Let the browser show this value at the next run."""
        state = st.session_state.get(self._state, {"rev": 0})
        st.session_state[self._value] = value
        st.session_state[self._state] = {**state, "sent": value, "rev": state["rev"] + 1, "touched": True}

    def follow(self, start: Any, *, fits: Callable[[Any], bool] = lambda value: True) -> None:
        """Start here; push again where the caller's start has changed, or where the page was left and entered again.

        A page may keep the value in its address and pass it back as the start: what it was given in the run before is
        an echo, and never moves the finger's value.

        Args:
            start: Where the caller wants it to begin.
            fits: Whether a remembered value still makes sense (another decoder may have other latents).
        """
        state = st.session_state.get(self._state)
        if state is None:
            st.session_state[self._value] = start
            state = {"sent": start, "rev": 1, "start": start, "touched": False}
        elif not fits(self.value):
            self.push(start)
            state = {**st.session_state[self._state], "start": start}
        elif "start" not in state:  # pushed before the first mount: that is where to begin
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
        """Callback of the mount: take over what the browser reports, unless Python has pushed since."""
        report = st.session_state[self.widget][self.name]
        if report is None or report["rev"] != self.rev:
            return
        moved = report["value"]  # JSON knows no floats: 2.0 comes as 2
        st.session_state[self._value] = [float(v) for v in moved] if isinstance(moved, list) else float(moved)
        st.session_state[self._state] = {**st.session_state[self._state], "touched": True}


def _same(a: Any, b: Any) -> bool:
    """Whether two values (a number, or lists of numbers) agree to the digits that the browser sends."""
    if isinstance(a, list):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    return abs(a - b) < 1e-3
