"""The form of the Train page: what the population is for, its size, its model, and everything else under Advanced."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dvae_core import recipes, runs
from dvae_core.analysis.session.record import prior_to_share
from dvae_core.config import (
    Config,
    ConvNet,
    Data,
    FileData,
    GaussianLikelihood,
    GaussianPrior,
    LearnedPrior,
    ModelConfig,
    NegativeBinomialLikelihood,
    Prior,
    Split,
)
from dvae_core.data import held_out
from dvae_core.data.dataset import Dataset
from dvae_core.data.split import split as split_rows
from pages.ui import controls

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
            return controls.edit(prior, ["modulate"], prefix=key, columns=1)
        return controls.edit(prior, ["k"], prefix=key, columns=1) if isinstance(prior, LearnedPrior) else prior


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
    return controls.edit(recipes.WITHOUT_U[name](), of_it, prefix=f"{key}.{name}", columns=max(len(of_it), 1))


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


@dataclasses.dataclass(frozen=True)
class Aim:
    """The aim of a training. Its default settings depend on it; at most one of these is chosen.

    Attributes:
        session: The run whose prior it keeps.
        goal: What a recording is trained for.
        prior: The prior of a model without u.
    """

    session: runs.Run | None = None
    goal: str | None = None
    prior: Prior | None = None

    @property
    def key(self) -> str:
        """The end of the widgets' keys, so that another aim starts from its own defaults."""
        if self.session is not None:
            return f".{self.session.id}"
        if self.goal is not None:
            return f".{self.goal}"
        return "" if self.prior is None or self.prior.kind == "standard" else f".{self.prior.kind}"


def aim_form(dataset: Dataset, model: str, sessions: Sequence[runs.Run], key: str, *, is_large: bool) -> Aim:
    """Show what a population may be trained for: with u, a shared prior or a goal; without u, a prior."""
    if model != "ivae":
        return Aim(prior=None if is_large else free_prior_form(dataset, key))
    session = session_form(key, sessions) if sessions else None
    if session is not None or dataset.rate_hz is None:
        return Aim(session=session)
    return Aim(goal=goal_form(key))


def members_form(cell: DeltaGenerator, aim: Aim, key: str) -> int:
    """Show the number of members, which come in pairs if they keep the prior of a run."""
    in_pairs = aim.session is not None
    least = 2 if in_pairs else 1
    usual = recipes.MEMBERS_OF_GOAL if aim.goal or in_pairs else recipes.MEMBERS
    each = "in pairs of mirror images" if in_pairs else "each from its own seed"
    members = cell.number_input(
        "Seeds", least, 64, usual, least, key=f"{key}.members", persist_state="session",
        help=f"Members trained at once, {each}",
    )  # fmt: skip
    return int(members)


def beta_form(cell: DeltaGenerator, key: str) -> float:
    """Show the weight of the KL."""
    return cell.number_input(
        "β", 0.0, 1000.0, recipes.BETA, 1.0, key=f"{key}.beta", persist_state="session", help="Weight of the KL"
    )


def likelihood_form(cell: DeltaGenerator, model: ModelConfig, key: str) -> ModelConfig:
    """Show the family of p(x|z)."""
    kinds = list(recipes.LIKELIHOODS)
    kind = cell.selectbox(
        "Likelihood p(x|z)", kinds, kinds.index(model.likelihood.kind),
        format_func=lambda name: name.replace("-", " ").capitalize(),
        key=f"{key}.likelihood", persist_state="session",
    )  # fmt: skip
    same = kind == model.likelihood.kind
    return model if same else dataclasses.replace(model, likelihood=recipes.LIKELIHOODS[kind]())


def model_form(cells: Iterator[DeltaGenerator], config: Config, model: str, aim: Aim, key: str) -> Config:
    """Show the latents, the likelihood and the prior, each in the next cell, unless the aim decides them."""
    m, prior = config.model, config.prior
    if aim.session is None:
        with next(cells):
            m = controls.edit(m, ["latents"], prefix=key, columns=1)
    m = likelihood_form(
        st.container() if model == "vae" else next(cells), m, key
    )  # a last odd field spans both columns
    if model == "ivae" and aim == Aim():
        prior = prior_form(next(cells), st.container(), key)
    return dataclasses.replace(config, model=m, prior=prior)


def advanced_form(config: Config, key: str) -> Config:
    """Show the settings that suit most data as they are."""
    m = config.model
    m = controls.edit(m, ["posterior", "dropout" if m.student else "encoder", "preprocess"], prefix=key, columns=1)
    likelihood = m.likelihood
    if isinstance(likelihood, GaussianLikelihood):
        likelihood = controls.edit(likelihood, ["noise", "std"], prefix=f"{key}.gaussian")
    if isinstance(likelihood, NegativeBinomialLikelihood):
        likelihood = controls.edit(likelihood, ["dispersion"], prefix=f"{key}.counts", columns=1)
    sizes = ["channels", "hidden"] if isinstance(m.net, ConvNet) else ["hidden", "depth"]
    net = controls.edit(m.net, [*sizes, "activation"], prefix=f"{key}.net")
    train = controls.edit(config.train, ["epochs", "batch", "lr", "device"], prefix=f"{key}.train")
    return dataclasses.replace(config, model=dataclasses.replace(m, likelihood=likelihood, net=net), train=train)


def split_form(config: Config, dataset: Dataset, key: str, *, is_drawn: bool) -> Config:
    """Show how the rows are split."""
    config = controls.edit(config, ["split"], prefix=key, columns=1)
    plan = held_out.planned(dataset, config.split, drawn=is_drawn)
    return dataclasses.replace(config, split=plan.how, gap=plan.gap)


def default_config(
    data: Data, split: Split, dataset: Dataset, model: str, aim: Aim, *, members: int, beta: float
) -> Config:
    """Return the settings from which the rest of the form starts."""
    if aim.session is None:
        return recipes.for_dataset(
            data, dataset, model, beta=beta, members=members, goal=aim.goal, split=split, prior=aim.prior
        )
    prior, latents = prior_to_share(aim.session), aim.session.config.model.latents
    return recipes.for_session(data, dataset, prior, latents=latents, members=members, split=split)


def show(
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
        sessions: Runs of the same u, whose prior an iVAE may keep; none for a large file.

    Raises:
        ConfigError: If the model does not fit the data (an iVAE needs u).
    """
    key = f"train.{controls.data_to_text(data)}.{model}"  # other data or another model starts from its own defaults
    aim = aim_form(dataset, model, sessions, key, is_large=suggested is not None)
    key += aim.key
    cells = itertools.cycle(st.columns(2, vertical_alignment="bottom"))
    members = members_form(next(cells), aim, key)
    beta = beta_form(next(cells), key) if model == "beta-vae" else 1.0
    if suggested is None:
        config = default_config(data, split, dataset, model, aim, members=members, beta=beta)
    else:
        config = suggested(model, aim.goal)
        train = dataclasses.replace(config.train, seeds=tuple(range(members)), betas=(beta,) * members)
        config = dataclasses.replace(config, train=train)
    config = model_form(cells, config, model, aim, key)
    is_drawn = not isinstance(data, FileData)
    with st.expander("Advanced", icon=":material/settings:"):
        config = advanced_form(config, key)
        if suggested is None:
            config = split_form(config, dataset, f"{key}.{split}", is_drawn=is_drawn)
    if config.split != "auto" and suggested is None:  # rows without an order need no words
        parts = split_rows(dataset, config.split, gap=config.gap)
        st.caption(held_out.record(dataset, parts, drawn=is_drawn)["words"])
    return config
