"""The router: pages by chapter, in the order of the talk. `streamlit run app.py`, or `make app`."""

from pathlib import Path

import streamlit as st

from pages.ui.page import CHAPTERS

ICON = str(Path(__file__).parent / "pages/ui/icon.png")
st.set_page_config("Disentanglement Lab", ICON, layout="wide")

chapters = {
    chapter: [
        st.Page(p.file, title=p.title, icon=p.icon, url_path=p.name, default=p.name == "start", help=p.about)
        for p in pages
    ]
    for chapter, pages in CHAPTERS.items()
}
st.logo(ICON, size="large")
chosen = st.navigation(chapters, position="top")
st.session_state["routed"] = True

# A cold server answers a deep link (/rotate?run=...) with the page alone; ui.start sends it here with to=rotate.
to = st.query_params.get("to")
if to is not None:
    kept = {k: v for k, v in st.query_params.to_dict().items() if k != "to"}
    known = {page.url_path: page for pages in chapters.values() for page in pages}
    st.switch_page(known.get(to, chosen), query_params=kept)

chosen.run()
