"""Show the code: the few lines of Python or shell that make what is on the screen."""

import streamlit as st

from dvae_core.runs import Run


def show(text: str, language: str = "python") -> None:
    """Show a snippet behind a small button-like expander."""
    with st.expander("Show the code", icon=":material/code:"):
        st.code(text, language=language)


def opening(run: Run) -> str:
    """Return the line that opens a run: by id from the store, or a shipped one."""
    return f'run = runs.find("{run.id}")'
