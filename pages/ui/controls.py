"""Settings as widgets: labels, help and bounds come from the metadata of the Config's fields."""

import dataclasses
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import streamlit as st

from dvae_core import config, recipes, runs
from dvae_core.config import ConfigError, Data, FileData, Split
from dvae_core.data import catalogue, load, readers
from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.worlds import WORLDS

T = TypeVar("T")


def field(of: Any, name: str, *, key: str, label: str | None = None, **more: Any) -> Any:
    """Show the widget for one field of a settings dataclass, starting at its value, and return the choice."""
    spec = next(f for f in dataclasses.fields(of) if f.name == name)
    hint, value = get_type_hints(type(of))[name], getattr(of, name)
    texts = {"label": label or spec.metadata["title"], "help": spec.metadata["description"] or None, "key": key}
    if get_origin(hint) is Literal:
        options = list(get_args(hint))
        start = {} if key in st.session_state else {"index": options.index(value)}
        return st.selectbox(options=options, persist_state="session", **start, **texts, **more)
    if get_origin(hint) is tuple and get_args(hint)[0] is float:
        start = {} if key in st.session_state else {"value": ", ".join(f"{number:g}" for number in value)}
        text = st.text_input(persist_state="session", **start, **texts, **more)
        try:
            return tuple(float(part) for part in (text or "").split(",") if part.strip())
        except ValueError:
            raise ConfigError(f"{texts['label']} must be numbers separated by commas; got {text!r}.") from None
    if get_origin(hint) is tuple:  # of names: those that are offered, or any other
        offered = list(dict.fromkeys((*more.pop("options", ()), *value)))
        start = {} if key in st.session_state else {"default": list(value)}
        placeholder = None if value else "auto"
        return tuple(
            st.multiselect(options=offered, accept_new_options=True, persist_state="session", placeholder=placeholder,
                           **start, **texts, **more)
        )  # fmt: skip
    start = {} if key in st.session_state else {"value": value}
    if hint is bool:
        return st.toggle(persist_state="session", **start, **texts, **more)
    number: type = float if hint is float or (get_args(hint) and float in get_args(hint)) else int
    rules = {"min_value": "ge", "max_value": "le"}
    bounds = {name: number(spec.metadata[rule]) for name, rule in rules.items() if rule in spec.metadata}
    style = {"step": 1} if number is int else {"step": _step(value), "format": "%g"}
    if value is None:
        more = {"placeholder": "auto", **more}
    return st.number_input(persist_state="session", **start, **bounds, **style, **texts, **more)


def _step(value: float | None) -> float:
    """Return a step of the value's order of magnitude: 0.005 moves by 0.001, 0.3 by 0.1."""
    return 0.1 if not value else float(f"1e{int(f'{value:e}'.split('e')[1])}")


def edit(of: T, names: Sequence[str], *, prefix: str, columns: int = 2) -> T:
    """Show the named fields of a settings dataclass in columns and return it with the user's choices."""
    chosen = {}
    for i, name in enumerate(names):
        if i % columns == 0:  # the last field of an odd number spans both columns, so no gap is left
            cells = st.columns(columns) if i + 1 < len(names) else [st.container()]
        with cells[i % columns]:
            chosen[name] = field(of, name, key=f"{prefix}.{name}")
    return dataclasses.replace(of, **chosen)  # type: ignore[type-var]


# --- data in the link: "sources,segments=10,noise=laplace", "file,path=mine-1a2b3c.npz" -------------------------------


def data_folder() -> Path:
    """Return the folder of uploaded and prepared files."""
    return runs.default_store() / "data"


def data_root() -> Path | None:
    """Return the folder whose files a link may name by path (the setting DVAE_DATA_ROOT), or None if it is not set."""
    root = os.environ.get("DVAE_DATA_ROOT")
    return Path(root).resolve() if root else None  # resolved as in `readers.within`


def data_to_text(data: Data, split: Split = "auto") -> str:
    """Write data as short text for a link: its kind and the settings that differ from the defaults; files by name."""
    if isinstance(data, FileData):
        u_from = None if data.u_from is None else _short(Path(data.u_from))
        data = dataclasses.replace(data, path=_short(Path(data.path)), u_from=u_from)
    return config.data_to_text(data, split)


def data_from_text(text: str) -> tuple[Data, Split]:
    """Read data, and its split, from a link.

    Raises:
        ConfigError: If it names a kind, setting or file that does not exist. A link can name only files that were
            uploaded, fetched from the catalogue, or lie in the folder that DVAE_DATA_ROOT names.
    """
    data, split = config.data_from_text(text)
    if isinstance(data, FileData):
        found = {name: _long(text) for name in ("path", "u_from") if (text := getattr(data, name)) is not None}
        if not all(path is not None and path.exists() for path in found.values()):
            raise ConfigError("The file that this link names is not on this machine; choose it again on the Data page.")
        data = dataclasses.replace(data, **{name: str(path) for name, path in found.items()})
    return data, split


def _places() -> dict[str, Path | None]:
    return {"uploads": data_folder() / "uploads", "fetched": catalogue.cache_folder(), "root": data_root()}


def _short(path: Path) -> str:
    """Return a path as links write it: its place, and the path inside that place."""
    for place, folder in _places().items():
        if folder is not None and path.is_relative_to(folder):
            return f"{place}/{path.relative_to(folder)}"
    return path.name


def _long(name: str) -> Path | None:
    """Return the path that a link means; None if it points outside the data folders."""
    place, _, rest = name.partition("/")
    folder = _places().get(place) if rest else data_folder()
    if folder is None:
        return None
    try:
        return readers.within(folder, rest or Path(name).name)
    except DataError as error:
        raise ConfigError(str(error)) from error


def chosen_data() -> Data:
    """Return the link's data, or the talk's sources with a warning if the link names none."""
    return chosen()[0]


def chosen() -> tuple[Data, Split]:
    """Return the link's data and its split, or the talk's sources with a warning if the link names none."""
    try:
        return data_from_text(st.query_params.get("data", data_to_text(recipes.TALK_DATA)))
    except ConfigError as error:
        st.warning(str(error), icon=":material/link_off:")
        return recipes.TALK_DATA, "auto"


def dataset_of(data: Data) -> Dataset:
    """Draw or read the data; the last few sources are cached.

    Raises:
        DataError: If it cannot be read as requested.
    """
    when = Path(data.path).stat().st_mtime if isinstance(data, FileData) and Path(data.path).exists() else 0.0
    return _dataset(data_to_text(data), when, data)


@st.cache_resource(max_entries=4, show_spinner="Getting the data ...")
def _dataset(text: str, when: float, _data: Data) -> Dataset:
    return load.dataset_of(_data)


def as_trained(data: Data, dataset: Dataset, split: Split) -> Dataset:
    """Return the data as models will see it: its principal components if the settings ask for them.

    Raises:
        DataError: If there are fewer components.
    """
    if not isinstance(data, FileData) or data.pca is None:
        return dataset
    return _reduced(data_to_text(data, split), dataset.fingerprint, data, dataset, split)


@st.cache_resource(max_entries=4, show_spinner="Finding the principal components ...")
def _reduced(text: str, fingerprint: str, _data: Data, _dataset: Dataset, _split: Split) -> Dataset:
    return load.reduced(_data, _dataset, _split)[0]


def data_label(data: Data) -> str:
    """Return a short name for a data source."""
    if data == recipes.TALK_DATA:
        return "The talk's world: 2 sources, 5 segments, seed 45"
    if not isinstance(data, FileData):
        return WORLDS[data.kind].label(data)
    path = Path(data.path)
    return re.sub(r"-[0-9a-f]{6}$", "", path.stem) if path.parent.name == "uploads" else path.stem
