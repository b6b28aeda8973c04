"""Show the code: the few lines of Python or shell that produce what is on the screen."""

import dataclasses
from pathlib import Path
from typing import Any

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


def settings(config: Any) -> dict[str, Any]:
    """Return the tree of settings without those that have their default value, as `Config.from_json` reads it."""
    plain = type(config)()
    tree = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.name == "kind" or value != getattr(plain, field.name):
            tree[field.name] = settings(value) if dataclasses.is_dataclass(value) else value
    return tree


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
