"""Show the code: the few lines of Python or shell that make what is on the screen."""

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
    if isinstance(data, FileData):
        given = {k: v for k, v in vars(data).items() if v != vars(FileData())[k]} | {"path": Path(data.path).name}
        words = ", ".join(f"{k}={v!r}" for k, v in given.items() if k != "kind")
        return (
            "from dvae_core.config import FileData\nfrom dvae_core.data.load import dataset_of\n\n"
            f"dataset = dataset_of(FileData({words}))"
        )
    plain = vars(type(data)())
    given = ", ".join(f"{k}={v!r}" for k, v in vars(data).items() if v != plain[k])
    module = {"digits": "readers.builtin", "sprites": "pictures", "faces": "pictures"}.get(data.kind, "synthetic")
    return f"from dvae_core.data.{module} import {data.kind}\n\ndataset = {data.kind}({given})"
