"""Show the code: the few lines of Python or shell that produce what is on the screen."""

from pathlib import Path

import streamlit as st

from dvae_core.config import Data, FileData
from dvae_core.runs import Run


def show(text: str, language: str = "python") -> None:
    """Show a snippet behind a small button-like expander."""
    with st.expander("Show the code", icon=":material/code:"):
        st.code(text, language=language)


def opening(run: Run) -> str:
    """Return the line that opens a run: by id from the store, or a shipped one."""
    return f'run = runs.find("{run.id}")'


def drawing(data: Data) -> str:
    """Return the lines that draw or read a data source."""
    plain = vars(type(data)())
    given = {name: value for name, value in vars(data).items() if value != plain[name]}
    if isinstance(data, FileData):
        given["path"] = Path(data.path).name
    settings = f"{type(data).__name__}({', '.join(f'{name}={value!r}' for name, value in given.items())})"
    return (
        f"from dvae_core.config import {type(data).__name__}\nfrom dvae_core.data.load import dataset_of\n\n"
        f"dataset = dataset_of({settings})"
    )
