"""Settings: one frozen tree that holds everything needed to repeat a run.

`Config = data + model + prior + train`. A field that a model does not use is not on its class, so setting it raises.
pydantic checks every value when it is created, in Python and from JSON alike. A field's title, description and bounds
also define the page's form and the command line, so each is written only once.
"""

import dataclasses
import hashlib
import json
import re
from typing import Annotated, Any, Literal

from pydantic import Field

from dvae_core.config.model import BernoulliLikelihood as BernoulliLikelihood
from dvae_core.config.model import ConvNet as ConvNet
from dvae_core.config.model import CustomLikelihood as CustomLikelihood
from dvae_core.config.model import GaussianLikelihood as GaussianLikelihood
from dvae_core.config.model import Likelihood as Likelihood
from dvae_core.config.model import MlpNet as MlpNet
from dvae_core.config.model import ModelConfig as ModelConfig
from dvae_core.config.model import NegativeBinomialLikelihood as NegativeBinomialLikelihood
from dvae_core.config.model import PoissonLikelihood as PoissonLikelihood
from dvae_core.config.priors import JOINT as JOINT
from dvae_core.config.priors import NAMED_AFTER, Prior, StandardPrior, uses_u
from dvae_core.config.priors import CustomPrior as CustomPrior
from dvae_core.config.priors import GaussianPrior as GaussianPrior
from dvae_core.config.priors import LaplacePrior as LaplacePrior
from dvae_core.config.priors import LearnedPrior as LearnedPrior
from dvae_core.config.priors import MixturePrior as MixturePrior
from dvae_core.config.priors import TimePrior as TimePrior
from dvae_core.data.load import Data
from dvae_core.data.load import FileData as FileData  # all settings can be imported from this module
from dvae_core.data.worlds import DigitsData as DigitsData
from dvae_core.data.worlds import FacesData as FacesData
from dvae_core.data.worlds import MemoriesData as MemoriesData
from dvae_core.data.worlds import NeuronsData as NeuronsData
from dvae_core.data.worlds import SourcesData as SourcesData
from dvae_core.data.worlds import SpritesData as SpritesData
from dvae_core.data.worlds import TrackData as TrackData
from dvae_core.settings import ConfigError, one_of, read, setting, settings

# --- data ---

Split = Literal["auto", "random", "blocks", "trials", "sessions"]


def data_from_text(text: str) -> tuple[Data, Split]:
    """Read data in the notation of links and the command line: "sprites,side=32,split=blocks" is sprites in blocks.

    Raises:
        ConfigError: If it names a kind or setting that does not exist, or a value that is out of range.
    """
    kind, _, rest = text.partition(",")
    tree: dict[str, Any] = {"kind": kind}
    while rest:
        name, _, rest = rest.partition("=")
        try:  # a JSON value marks its own end; any other text ends where the next setting begins
            value, end = json.JSONDecoder().raw_decode(rest)
        except json.JSONDecodeError:
            end = -1
        if end < 0 or rest[end : end + 1] not in ("", ","):
            value = re.split(r",(?=[a-z_]+=)", rest, maxsplit=1)[0]
            end = len(value)
        tree[name], rest = value, rest[end + 1 :]
    split = read(Split, tree.pop("split", "auto"), "split")
    return read(Annotated[Data, Field(discriminator="kind")], tree, "data"), split


def data_to_text(data: Data, split: Split = "auto") -> str:
    """Write data in the notation of `data_from_text`: its kind and the settings that differ from the defaults."""
    plain = type(data)()
    changed = {
        f.name: getattr(data, f.name)
        for f in dataclasses.fields(data)
        if f.name != "kind" and getattr(data, f.name) != getattr(plain, f.name)
    }
    changed |= {"split": split} if split != "auto" else {}
    return ",".join([data.kind, *(f"{k}={_in_link(v)}" for k, v in changed.items())])


def _in_link(value: Any) -> str:
    """Write a value so that it reads back the same: plain words unchanged, ambiguous text in quotes."""
    if isinstance(value, str) and not re.search(r",[a-z_]+=", value):
        try:
            json.JSONDecoder().raw_decode(value)
        except json.JSONDecodeError:
            return value
    return json.dumps(value, ensure_ascii=False)


Seed = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]
Beta = Annotated[float, Field(strict=True, ge=0, le=1000)]
LearningRate = Annotated[float, Field(strict=True, ge=1e-7, le=1)]


@settings
class TrainConfig:
    """Settings of training. `seeds`, `betas` and, if members differ in it, `lrs` have one entry per member."""

    seeds: tuple[Seed, ...] = setting((0, 1, 2, 3), "Seeds", "One per member")
    betas: tuple[Beta, ...] = setting((1.0, 1.0, 1.0, 1.0), "beta", "One per member")
    epochs: int = setting(30, "Epochs", min=1, max=100_000)
    batch: int = setting(256, "Batch size", min=1, max=1_000_000)
    lr: float = setting(5e-3, "Learning rate", "Peak of a one-cycle schedule", min=1e-7, max=1)
    lrs: tuple[LearningRate, ...] = setting((), "Learning rates", "One per member; leave empty for the same", late=True)
    optimiser: Literal["adam", "muon"] = setting(
        "adam",
        "Optimiser",
        "muon: the nets' matrices move along their orthogonalised momentum, everything else by Adam; with gauss-newton "
        "it halves the remaining error",
        late=True,
    )
    objective: Literal["elbo", "beta-tc", "released-ivae"] = setting(
        "elbo",
        "Objective",
        "What is maximised, as weights of (reconstruction, index-code MI, total correlation, dimension-wise KL). "
        "elbo: (1, beta, beta, beta), so beta = 1 is the ELBO and any other a beta-VAE; beta-tc: (1, 1, beta, 1), Chen "
        "et al. 2018; released-ivae: (100, 1, 0, 10), the settings released with the iVAE paper, no bound at all",
        late=True,
    )
    samples: int = setting(
        1,
        "Importance samples",
        "Above 1 the importance-weighted bound (Burda et al. 2016) is maximised",
        min=1,
        max=1000,
        late=True,
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = setting("auto", "Device")

    def __post_init__(self) -> None:
        if len(self.seeds) == 0 or len(self.seeds) != len(self.betas):
            raise ConfigError(
                f"A population needs one seed and one beta per member; got {len(self.seeds)} and {len(self.betas)}."
            )
        if self.lrs and len(self.lrs) != len(self.seeds):
            raise ConfigError(
                f"A population needs one learning rate per member, or one for all; got {len(self.lrs)} for "
                f"{len(self.seeds)} members."
            )
        if self.samples > 1 and (self.objective != "elbo" or any(b != 1 for b in self.betas)):
            raise ConfigError(
                "The importance-weighted bound has no other weights than 1; set every beta to 1 and the objective to "
                "elbo, or samples to 1."
            )
        if self.objective == "released-ivae" and any(b != 1 for b in self.betas):
            raise ConfigError("The objective released-ivae has weights of its own; set every beta to 1.")

    @property
    def rates(self) -> tuple[float, ...]:
        """Each member's learning rate, the peak of its schedule."""
        return self.lrs or (self.lr,) * len(self.seeds)


@settings
class GivenConfig:
    """Latents that another program computed: the run then has no model of its own, and is not trained."""

    method: str = setting("", "Method", "The name of what computed them; empty for a model that is trained here")


@settings
class Config:
    """Everything that determines a run. Of an imported run only the data, the split and the member list count."""

    data: Data = one_of(SourcesData())
    split: Split = setting(
        "auto",
        "Split",
        "How the held-out fifth is chosen. random: within each label; blocks: contiguous stretches, for time series; "
        "trials, sessions: whole ones; auto: trials if rows are their bins, blocks if a sampling rate is known or "
        "neighbouring rows resemble each other",
    )
    gap: int = setting(
        0,
        "Gap",
        "Rows on either side of each held-out block that are in neither part; a new run in blocks leaves at least "
        "what x remembers",
        min=0,
        late=True,
    )
    model: ModelConfig = ModelConfig()
    prior: Prior = one_of(StandardPrior())
    train: TrainConfig = TrainConfig()
    given: GivenConfig = dataclasses.field(default=GivenConfig(), metadata={"late": True})

    def __post_init__(self) -> None:
        if self.prior.frames > 1 and (self.train.samples > 1 or self.train.objective != "elbo"):
            raise ConfigError(
                "A prior over pairs of rows is trained on its ELBO; set the objective to elbo and samples to 1, or "
                "choose another prior."
            )

    @property
    def is_given(self) -> bool:
        """Whether the latents were computed elsewhere, so that there is no encoder, decoder or prior."""
        return bool(self.given.method)

    @property
    def members(self) -> int:
        """Number of members p of the population."""
        return len(self.train.seeds)

    @property
    def is_conditional(self) -> bool:
        """Whether the prior is p_theta(z|u) of any family, which makes the model an iVAE."""
        return uses_u(self.prior)

    @property
    def needs_order(self) -> bool:
        """Whether rows must be in time order: the encoder sees a window, or the prior is over neighbouring rows."""
        return any(self.model.window) or self.prior.frames > 1

    @property
    def model_name(self) -> str:
        """The talk's name for this model, such as VAE or beta-iVAE; of imported latents the name of their method."""
        if self.is_given:
            return self.given.method
        name = "iVAE" if self.is_conditional else "VAE"
        name = name if all(b == 1 for b in self.train.betas) else f"beta-{name}"
        return name + NAMED_AFTER.get(self.prior.kind, "")

    def to_json(self) -> str:
        """Return the tree as indented JSON. `from_json` reads back an equal tree."""
        return json.dumps(dataclasses.asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Config":
        """Read a tree. For unknown keys and wrong values, raise a ConfigError with the place and the nearest name."""
        try:
            tree = json.loads(text)
        except json.JSONDecodeError as error:
            raise ConfigError(f"The configuration is not valid JSON: {error}.") from error
        data = tree.get("data") if isinstance(tree, dict) else None
        if isinstance(data, dict) and "split" in data and "split" not in tree:  # written by version 0.1
            tree["split"] = data.pop("split")
        return read(cls, tree, "config")

    def key(self) -> str:
        """Return 12 hex digits that change with anything that affects results (not with the device)."""
        tree = _for_key(self)
        del tree["train"]["device"]
        tree["data"]["split"] = tree.pop("split")  # its place in version 0.1, so that runs made then keep their keys
        return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()[:12]


def _for_key(settings: Any) -> dict[str, Any]:
    """Return the tree without the late settings that have their default value."""
    tree = {}
    for f in dataclasses.fields(settings):
        value = getattr(settings, f.name)
        if not (f.metadata.get("late") and value == f.default):
            tree[f.name] = _for_key(value) if dataclasses.is_dataclass(value) else value
    return tree
