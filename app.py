"""The router: pages by chapter, in the order of the talk. `streamlit run app.py`, or `make app`."""

from pathlib import Path

import streamlit as st

from pages.ui.page import CHAPTERS, Page

ICON = str(Path(__file__).parent / "pages/ui/icon.png")
st.set_page_config("Disentanglement Lab", ICON, layout="wide")


def entry(p: Page) -> st.Page:
    """The page at the root reserves a path where it does not answer: not "start", which is a separate page below."""
    path = "home" if p.name == "start" else p.name
    return st.Page(p.file, title=p.title, icon=p.icon, url_path=path, default=p.name == "start", help=p.about)


chapters = {chapter: [entry(p) for p in pages] for chapter, pages in CHAPTERS.items()}
home = chapters[""][0]
named = st.Page(CHAPTERS[""][0].file, title=home.title, url_path="start", visibility="hidden")  # leads to the root
st.logo(ICON, size="large")
chosen = st.navigation({**chapters, "": [*chapters[""], named]}, position="top")
st.session_state["routed"] = True

# A cold server answers a deep link (/rotate?run=...) with the page alone; ui.start sends it here with to=rotate.
to = st.query_params.get("to")
if to is not None or chosen == named:
    kept = {k: v for k, v in st.query_params.to_dict().items() if k != "to"}
    known = {page.url_path: page for pages in chapters.values() for page in pages}
    st.switch_page(known.get(to or "", home), query_params=kept)

chosen.run()
