"""The playground on a page."""

from collections.abc import Callable

import streamlit as st

from pages.ui.components.live_component import register

_view = register("playground")


def playground(link: str, on_link: Callable[[str], None], *, key: str) -> None:
    """Draw the playground: eight seeds that learn in the browser. Nothing is trained on the server.

    Mount it in an `st.fragment`. A link that the browser has not reported itself is shown anew.

    Args:
        link: The settings, as the page's address holds them; "" for the first experiment.
        on_link: Called with the new text when a setting changes.
        key: Unique on the page.

    Example:
        playground(links.value("play"), lambda text: ui.remember("play", text or None), key="playground")
    """
    state = st.session_state.get(f"{key}.pushed")
    if state is None or key not in st.session_state or link not in (state["link"], state["reported"]):
        state = {"link": link, "reported": link, "rev": (state["rev"] if state else 0) + 1}
        st.session_state[f"{key}.pushed"] = state

    def changed() -> None:
        report = st.session_state[key]["link"]
        if report is None or report["rev"] != state["rev"]:
            return
        st.session_state[f"{key}.pushed"] = {**state, "reported": report["value"]}
        on_link(report["value"])

    _view(key=key, data=[{"link": state["link"], "rev": state["rev"]}], on_link_change=changed)
