"""Eight seeds that learn on one screen, while the world, u and the bound are changed. All of it runs in the browser."""

import streamlit as st

from pages.ui import links
from pages.ui import page as ui
from pages.ui.components.playground import playground

SCREEN = """<style>
[data-testid="stMainBlockContainer"] { padding: 3.5rem 1.5rem 1rem; }
</style>"""  # below the navigation at once: everything stands on one screen


def remember(text: str) -> None:
    """Callback: keep the playground's settings in the link."""
    ui.remember("play", text or None)


ui.start("playground", "Do eight seeds find the same latents?")
st.html(SCREEN)


@st.fragment
def screen() -> None:
    """Mount the playground; its settings go into the link."""
    playground(links.value("play"), remember, key="playground")


screen()
ui.foot("playground")
