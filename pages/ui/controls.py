"""Settings as widgets: labels, help and bounds come from the metadata of the Config's fields."""

import dataclasses
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dvae_core import config, recipes, runs
from dvae_core.analysis.session.record import prior_to_share
from dvae_core.config import (
    Config,
    ConfigError,
    ConvNet,
    Data,
    FileData,
    GaussianLikelihood,
    GaussianPrior,
    LearnedPrior,
    NegativeBinomialLikelihood,
    Prior,
    Split,
)
from dvae_core.data import catalogue, held_out, load, readers
from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.split import split as split_rows
from dvae_core.data.worlds import WORLDS

T = TypeVar("T")


def field(of: Any, name: str, *, key: str, label: str | None = None, **more: Any) -> Any:
    """Show the widget for one field of a settings dataclass, starting at its value, and return the choice."""
    spec = next(f for f in dataclasses.fields(of) if f.name == name)
    hint, value = get_type_hints(type(of))[name], getattr(of, name)
    words = {"label": label or spec.metadata["title"], "help": spec.metadata["description"] or None, "key": key}
    if get_origin(hint) is Literal:
        options = list(get_args(hint))
        start = {} if key in st.session_state else {"index": options.index(value)}
        return st.selectbox(options=options, persist_state="session", **start, **words, **more)
    if get_origin(hint) is tuple and get_args(hint)[0] is float:
        start = {} if key in st.session_state else {"value": ", ".join(f"{number:g}" for number in value)}
        text = st.text_input(persist_state="session", **start, **words, **more)
        try:
            return tuple(float(part) for part in (text or "").split(",") if part.strip())
        except ValueError:
            raise ConfigError(f"{words['label']} must be numbers separated by commas; got {text!r}.") from None
    if get_origin(hint) is tuple:  # of names: those that are offered, or any other
        offered = list(dict.fromkeys((*more.pop("options", ()), *value)))
        start = {} if key in st.session_state else {"default": list(value)}
        placeholder = None if value else "auto"
        return tuple(
            st.multiselect(options=offered, accept_new_options=True, persist_state="session", placeholder=placeholder,
                           **start, **words, **more)
        )  # fmt: skip
    start = {} if key in st.session_state else {"value": value}
    if hint is bool:
        return st.toggle(persist_state="session", **start, **words, **more)
    number: type = float if hint is float or (get_args(hint) and float in get_args(hint)) else int
    rules = {"min_value": "ge", "max_value": "le"}
    bounds = {name: number(spec.metadata[rule]) for name, rule in rules.items() if rule in spec.metadata}
    style = {"step": 1} if number is int else {"step": _step(value), "format": "%g"}
    if value is None:
        more = {"placeholder": "auto", **more}
    return st.number_input(persist_state="session", **start, **bounds, **style, **words, **more)


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
        DataError: If there are not so many components.
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


# --- the form of the Train page ---------------------------------------------------------------------------------------

MODELS = {"vae": "VAE", "beta-vae": "beta-VAE", "ivae": "iVAE"}
PRIOR_NAMES = {"gaussian": "Gaussian", "laplace": "Laplace, T = |z|", "learned": "Learned T and λ"}


def prior_form(cell: DeltaGenerator, below: DeltaGenerator, key: str) -> Prior:
    """Show the family of an iVAE's p(z|u) and the choice that belongs to it."""
    family = cell.selectbox(
        "Prior p(z|u)", list(recipes.PRIORS), format_func=PRIOR_NAMES.__getitem__,
        key=f"{key}.prior", persist_state="session",
        help="Exponential families, k statistics a latent. Learned: T and lambda are networks, Z is summed on a grid",
    )  # fmt: skip
    prior = recipes.PRIORS[family]()
    with below:
        if isinstance(prior, GaussianPrior):
            return edit(prior, ["modulate"], prefix=key, columns=1)
        return edit(prior, ["k"], prefix=key, columns=1) if isinstance(prior, LearnedPrior) else prior


FREE_PRIORS = {
    "standard": "N(0, I)",
    "time": "Over time: a memory for each latent",
    "mixture": "A mixture of Gaussians",
}


def free_prior_form(dataset: Dataset, key: str) -> Prior:
    """Show the priors that need no u, with the choices that belong to each; time needs rows in time order."""
    in_order = dataset.rate_hz is not None or dataset.trial is not None
    name = st.selectbox(
        "Prior p(z)", [name for name in FREE_PRIORS if in_order or name != "time"],
        format_func=FREE_PRIORS.__getitem__, key=f"{key}.prior", persist_state="session",
        help="N(0, I) leaves the axes free. Over time: pairs of neighbouring rows, in which latents whose memories "
        "differ can be distinguished. A mixture: in theory as good as a hidden u, in practice hard to find",
    )  # fmt: skip
    of_it = {"time": ["innovations", "shuffle"], "mixture": ["components"]}.get(name, [])
    return edit(recipes.WITHOUT_U[name](), of_it, prefix=f"{key}.{name}", columns=max(len(of_it), 1))


GOALS = {
    "": "Other: every setting by hand",
    "axes": "Axes: the same latents in every seed",
    "reading": "Reading: decode u as well as possible",
}


def goal_form(key: str) -> str | None:
    """Show what a recording may be trained for, and return the goal or None."""
    goal = st.selectbox(
        "Trained for", list(GOALS), format_func=GOALS.__getitem__, key=f"{key}.goal", persist_state="session",
        help="Axes: u changes only the variances of the latents, which leaves order, sign and scale open and nothing "
        "else. Reading: u changes means and variances; the space comes back in every seed, and its axes follow a rule. "
        "In both, the encoder sees ten rows and the latents shown are those of e(x), which never sees u.",
    )  # fmt: skip
    return goal or None


def session_form(key: str, sessions: Sequence[runs.Run]) -> runs.Run | None:
    """Show the runs whose p(z|u) can be kept, and return the chosen one, or None for a prior of its own."""
    known = {"": "Its own: trained with the rest", **{run.id: f"That of {run.title}" for run in sessions}}
    chosen = st.selectbox(
        "Prior p(z|u) of", list(known), format_func=known.__getitem__, key=f"{key}.session", persist_state="session",
        help="A second session of the same u: keep the prior of a run, and train only encoder and decoder. The latents "
        "then come out in that run's order. Agree says whether they do, and what sharing costs",
    )  # fmt: skip
    return next((run for run in sessions if run.id == chosen), None)


def split_words(data: Data, dataset: Dataset, config: Config) -> str:
    """Return what the split of a config holds out, and why."""
    parts = split_rows(dataset, config.split, gap=config.gap)
    return held_out.record(dataset, parts, drawn=not isinstance(data, FileData))["words"]


def train_form(
    data: Data,
    split: Split,
    dataset: Dataset,
    model: str,
    *,
    suggested: Callable[..., Config] | None = None,
    sessions: Sequence[runs.Run] = (),
) -> Config:
    """Show a model's settings for some data, starting from values that suit both, and return the Config.

    Args:
        data: The settings of the data.
        split: How to split it.
        dataset: The data, or the first rows of a large file.
        model: "vae", "beta-vae" or "ivae".
        suggested: Returns the settings that suit a large file, given a model and a goal; its split cannot be changed.
        sessions: Runs of the same u, whose prior an iVAE may keep.

    Raises:
        ConfigError: If the model does not fit the data (an iVAE needs u).
    """
    key = f"train.{data_to_text(data)}.{model}"  # other data or another model starts from its own defaults
    shared = session_form(key, sessions) if model == "ivae" and sessions else None
    goal = goal_form(key) if model == "ivae" and dataset.rate_hz is not None and shared is None else None
    key = f"{key}.{shared.id if shared else goal}" if shared or goal else key
    free = free_prior_form(dataset, key) if model != "ivae" and suggested is None else None
    key = f"{key}.{free.kind}" if free is not None and free.kind != "standard" else key
    left, right = st.columns(2, vertical_alignment="bottom")
    members = left.number_input(
        "Seeds",
        2 if shared else 1,
        64,
        recipes.MEMBERS_OF_GOAL if goal or shared else recipes.MEMBERS,
        2 if shared else 1,
        key=f"{key}.members",
        persist_state="session",
        help="Members trained at once, in pairs of mirror images"
        if shared
        else "Members trained at once, each from its own seed",
    )
    beta = 1.0
    if model == "beta-vae":
        beta = right.number_input(
            "β", 0.0, 1000.0, recipes.BETA, 1.0, key=f"{key}.beta", persist_state="session", help="Weight of the KL"
        )
    if shared is not None:
        latents = shared.config.model.latents
        config = recipes.for_session(
            data, dataset, prior_to_share(shared), latents=latents, members=int(members), split=split
        )
    elif suggested is None:
        config = recipes.for_dataset(
            data, dataset, model, beta=beta, members=int(members), goal=goal, split=split, prior=free
        )
    else:
        config = suggested(model, goal)
        seeds = tuple(range(int(members)))
        train = dataclasses.replace(config.train, seeds=seeds, betas=(beta,) * len(seeds))
        config = dataclasses.replace(config, train=train)
    m, t, prior = config.model, config.train, config.prior
    if shared is None:
        with left if model == "beta-vae" else right:
            m = edit(m, ["latents"], prefix=key, columns=1)
    # Fields are laid out in two columns; the last of an odd number spans both, so no gap is left.
    cell = right if model == "beta-vae" or shared else left if model == "ivae" else st.container()
    kind = cell.selectbox(
        "Likelihood p(x|z)", list(recipes.LIKELIHOODS), list(recipes.LIKELIHOODS).index(m.likelihood.kind),
        format_func=lambda name: name.replace("-", " ").capitalize(),
        key=f"{key}.likelihood", persist_state="session",
    )  # fmt: skip
    if model == "ivae" and goal is None and shared is None:
        prior = prior_form(right, st.container(), key)
    m = dataclasses.replace(m, likelihood=m.likelihood if kind == m.likelihood.kind else recipes.LIKELIHOODS[kind]())
    with st.expander("Advanced", icon=":material/settings:"):
        m = edit(m, ["posterior", "dropout" if m.student else "encoder", "preprocess"], prefix=key, columns=1)
        if isinstance(m.likelihood, GaussianLikelihood):
            m = dataclasses.replace(m, likelihood=edit(m.likelihood, ["noise", "std"], prefix=f"{key}.gaussian"))
        if isinstance(m.likelihood, NegativeBinomialLikelihood):
            m = dataclasses.replace(m, likelihood=edit(m.likelihood, ["dispersion"], prefix=f"{key}.counts", columns=1))
        names = ["channels", "hidden"] if isinstance(m.net, ConvNet) else ["hidden", "depth"]
        m = dataclasses.replace(m, net=edit(m.net, [*names, "activation"], prefix=f"{key}.net"))
        t = edit(t, ["epochs", "batch", "lr", "device"], prefix=f"{key}.train")
        if suggested is None:
            config = edit(config, ["split"], prefix=f"{key}.{split}", columns=1)
            plan = held_out.planned(dataset, config.split, drawn=not isinstance(data, FileData))
            config = dataclasses.replace(config, split=plan.how, gap=plan.gap)
    if config.split != "auto" and suggested is None:  # rows without an order need no words
        st.caption(split_words(data, dataset, config))
    return dataclasses.replace(config, model=m, prior=prior, train=t)
