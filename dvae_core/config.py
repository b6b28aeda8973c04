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

from dvae_core.data.load import Data
from dvae_core.data.load import FileData as FileData  # all settings can be imported from this module
from dvae_core.data.worlds import DigitsData as DigitsData
from dvae_core.data.worlds import FacesData as FacesData
from dvae_core.data.worlds import MemoriesData as MemoriesData
from dvae_core.data.worlds import NeuronsData as NeuronsData
from dvae_core.data.worlds import SourcesData as SourcesData
from dvae_core.data.worlds import SpritesData as SpritesData
from dvae_core.data.worlds import TrackData as TrackData
from dvae_core.settings import ConfigError, Number, one_of, read, setting, settings

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


# --- model ---

ClassPath = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]  # of a class: package.module:Name


@settings
class MlpNet:
    """Fully connected encoder and decoder, each with a linear path parallel to the hidden layers."""

    kind: Literal["mlp"] = "mlp"
    hidden: int = setting(64, "Hidden units", min=1, max=4096)
    depth: int = setting(2, "Hidden layers", min=0, max=6)
    activation: Literal["xtanh", "tanh", "relu", "leaky", "silu", "gelu"] = setting(
        "xtanh", "Activation", "xtanh(a) = tanh(a) + 0.1 a suits sources; relu or gelu suit pictures"
    )
    encoder_hidden: int | None = setting(
        None, "Encoder's hidden units", "Leave empty for as many as the decoder has", min=1, max=4096, late=True
    )


@settings
class ConvNet:
    """Four strided convolutions and their mirror image, for pictures whose sides are multiples of 16."""

    kind: Literal["conv"] = "conv"
    channels: int = setting(32, "Channels", "First layer; later layers use twice as many", min=1, max=256)
    hidden: int = setting(256, "Hidden units", min=1, max=4096)
    activation: Literal["xtanh", "tanh", "relu", "leaky", "silu", "gelu"] = setting("relu", "Activation")


@settings
class GaussianLikelihood:
    """x | z ~ N(f(z), Sigma_x). Sigma_x is relative to the preprocessed x."""

    kind: Literal["gaussian"] = "gaussian"
    is_count, last = False, None  # not settings: whether x is counts; the last operation of E[x|z]
    noise: Literal["fixed", "scalar", "dimension", "network", "annealed"] = setting(
        "scalar",
        "Sigma_x",
        "fixed; one learned number; one per dimension; a network's Sigma_x(z), as on the slide; or lowered by hand "
        "from 0.5 to 0.02 over 80 % of training",
    )
    std: float = setting(
        1.0,
        "Noise std",
        "The value if fixed, else the start. A wide start lets the latents turn to where the prior wants them before "
        "the decoder sharpens: 0.1 left 6 of 8 iVAEs of the talk's figure at their random axes, 1.0 none",
        min=1e-4,
        max=10,
    )

    def effective_beta(self, beta: float) -> float | None:
        """2 std^2 beta: the weight of the KL against the summed squared error of preprocessed x.

        None unless the noise is fixed, because learned noise adapts to beta.
        """
        return 2 * self.std**2 * beta if self.noise == "fixed" else None


@settings
class BernoulliLikelihood:
    """x | z ~ Bernoulli(sigmoid(f(z))), for pictures in [0, 1]."""

    kind: Literal["bernoulli"] = "bernoulli"
    is_count, last = False, "sigmoid"  # not settings


@settings
class PoissonLikelihood:
    """x | z ~ Poisson(exp(f(z))), for spike counts."""

    kind: Literal["poisson"] = "poisson"
    is_count, last = True, "exp"  # not settings


@settings
class NegativeBinomialLikelihood:
    """x | z ~ NB of mean exp(f(z)) and variance mean + a mean^2, for counts that vary more than a Poisson allows."""

    kind: Literal["negative-binomial"] = "negative-binomial"
    is_count, last = True, "exp"  # not settings
    dispersion: float = setting(
        0.1,
        "Dispersion",
        "The start of a, which is learned for each dimension: counts of mean m have variance m + a m^2",
        min=1e-3,
        max=10,
    )


@settings
class CustomLikelihood:
    """A likelihood of your own, named by its path (`dvae_core.model.contract`); run only if DVAE_PLUGINS lists it."""

    kind: Literal["custom"] = "custom"
    path: ClassPath = setting("package.module:Name", "Class", "Where the likelihood's class is found")
    output: Literal["identity", "exp", "sigmoid"] = setting("identity", "Output", "The last operation of E[x|z]")

    is_count = False  # not a setting

    @property
    def last(self) -> str | None:
        """The last operation of E[x|z], None for none."""
        return None if self.output == "identity" else self.output


Likelihood = (
    GaussianLikelihood | BernoulliLikelihood | PoissonLikelihood | NegativeBinomialLikelihood | CustomLikelihood
)


Rows = Annotated[int, Field(strict=True, ge=0, le=200)]


@settings
class ModelConfig:
    """Generator p_theta(x|z) and encoder q_phi."""

    latents: int = setting(2, "Latents", "Dimensions of z", min=1, max=256)
    net: MlpNet | ConvNet = one_of(MlpNet())
    likelihood: Likelihood = one_of(GaussianLikelihood())
    posterior: Literal["diagonal", "full", "gauss-newton"] = setting(
        "full",
        "Posterior q(z|x)",
        "diagonal: mean field, prefers PCA-like axes; full: latents may correlate; gauss-newton: the encoder's guess "
        "is refined on the decoder and sees u through the prior",
    )
    encoder: Literal["x", "xu"] = setting("x", "Encoder sees", "x alone, or x and u")
    window: tuple[Rows, Rows] = setting(
        (0, 0),
        "Encoder's window",
        "Rows before and after its own that the encoder also sees, for rows in time order; the decoder describes one "
        "row. A window smooths the latents and nothing in it is causal",
        late=True,
    )
    dropout: float = setting(
        0.0, "Input dropout", "Share of the encoder's inputs that each training step hides", min=0, max=0.9, late=True
    )
    student: bool = setting(
        False,
        "Student",
        "Train e(x), which never sees u, to predict the mean of q(z|x,u). Only e(x) is then shown, decoded, exported "
        "and compared",
        late=True,
    )
    start: Literal["components", "random", "mirrored"] = setting(
        "components",
        "Start",
        "Of the linear paths: axes turned at random within the leading principal components, which all members share, "
        "or drawn at random for each member; mirrored: as components, with every second member the mirror image of the "
        "one before, and log rates that start at their regression on z",
        late=True,
    )
    preprocess: Literal["none", "centre", "standardise", "whiten"] = setting(
        "whiten", "Preprocessing of x", "Linear and invertible, inside the model; ELBOs stay in units of the data"
    )
    rotation: tuple[tuple[Number, ...], ...] = setting((), "Rotation M", "Set by the Rotate page: z~ = M z")

    def __post_init__(self) -> None:
        if self.student and self.encoder != "xu":
            raise ConfigError("A student learns from a teacher that sees u; set the encoder to xu, or leave it out.")
        if isinstance(self.net, ConvNet) and (any(self.window) or self.dropout or self.student):
            raise ConfigError("A window, input dropout and a student need the MLP; leave them out, or choose the MLP.")


@settings
class StandardPrior:
    """p(z) = N(0, I)."""

    kind: Literal["standard"] = "standard"

    k, frames = 0, 1  # not settings: no statistic depends on u; an example is one row


@settings
class GaussianPrior:
    """p_theta(z|u) = prod_i N(z_i; mu_i(u), var_i(u)), learned: the iVAE.

    In files its kind is "conditional", as runs have always written it, although other families are conditional too.
    """

    kind: Literal["conditional"] = "conditional"
    modulate: Literal["both", "mean", "variance"] = setting("both", "What u changes in the prior")
    hidden: int = setting(32, "Hidden units", "Of the prior's network, if u is a number", min=1, max=1024)
    shared: str = setting("", "Prior of", "Folder of a run whose p(z|u) is taken as it is and not trained", late=True)
    shared_member: int = setting(0, "Prior's member", "Which member of that run it is taken from", min=0, late=True)
    turn_at: float = setting(
        0.0,
        "Turn at",
        "Share of training in which the covariances of p(z|u) are full, so that no axes are preferred; the latents are "
        "then turned to the axes in which they are diagonal. 0: diagonal throughout. For labels and gauss-newton",
        min=0,
        max=0.9,
        late=True,
    )

    def __post_init__(self) -> None:
        if self.turn_at and self.modulate != "both":
            raise ConfigError("A turn needs a prior whose means and variances u changes; set modulate to both.")
        if self.turn_at and self.shared:
            raise ConfigError("A prior that is taken from a run cannot be turned; leave turn_at or shared out.")

    frames = 1  # not a setting

    @property
    def k(self) -> int:
        """Number of statistics per latent: z and z^2, or one of the two."""
        return 2 if self.modulate == "both" else 1


@settings
class LaplacePrior:
    """p_theta(z|u) = prod_i Laplace(z_i; 0, b_i(u)) with learned scales: T = |z|, k = 1, an iVAE for peaked factors."""

    kind: Literal["laplace"] = "laplace"
    hidden: int = setting(32, "Hidden units", "Of the prior's network, if u is a number", min=1, max=1024)

    k, frames = 1, 1  # not settings


@settings
class LearnedPrior:
    """p_theta(z|u) = prod_i Q_i(z_i) / Z_i(u) exp(sum_j T_ij(z_i) lambda_ij(u)), T, Q and lambda learned: an iVAE."""

    kind: Literal["learned"] = "learned"
    k: int = setting(2, "Statistics k", "T_i1 .. T_ik of each latent; n k + 1 values of u are needed", min=1, max=4)
    width: int = setting(16, "Hidden units of T", "Each T_ij is a network of one hidden layer", min=1, max=256)
    hidden: int = setting(32, "Hidden units", "Of lambda's network, if u is a number", min=1, max=1024)

    frames = 1  # not a setting


@settings
class TimePrior:
    """A prior over pairs of neighbouring rows, without u: every latent has a memory a_i of its own, learned.

    p(z_t-1) = N(0, I),  p(z_t|z_t-1) = prod_i N(a_i z_t-1,i, 1 - a_i^2), or Laplace innovations of a learned scale.
    """

    kind: Literal["time"] = "time"
    innovations: Literal["gaussian", "laplace"] = setting(
        "gaussian",
        "Innovations",
        "What is new in a row, given the one before it. Laplace: heavy tails fix the axes even if all memories are "
        "equal",
    )
    shuffle: bool = setting(
        False, "Shuffle time", "The control: each row is paired with a row of another pair, so that time says nothing"
    )

    k, frames = 0, 2  # not settings


@settings
class MixturePrior:
    """p(z) = sum_k pi_k N(z; mu_k, diag s_k), learned, without u: not factorial, so no single latent has a KL."""

    kind: Literal["mixture"] = "mixture"
    components: int = setting(5, "Components", "K of the mixture", min=1, max=200)

    k, frames = 0, 1  # not settings


@settings
class CustomPrior:
    """A prior of your own, named by its path (`dvae_core.model.contract`). It is run only if DVAE_PLUGINS lists it."""

    kind: Literal["custom"] = "custom"
    path: ClassPath = setting("package.module:Name", "Class", "Where the prior's class is found")
    uses_u: bool = setting(False, "Uses u", "Whether the prior is p(z|u)")

    k, frames = 0, 1  # not settings


Prior = StandardPrior | GaussianPrior | LaplacePrior | LearnedPrior | TimePrior | MixturePrior | CustomPrior

CONDITIONAL = ("conditional", "laplace", "learned")  # the priors p(z|u) of the library
JOINT = ("mixture",)  # the priors that are not factorial, so that no single latent has a KL
NAMED_AFTER = {"time": " over time", "mixture": " with a mixture", "custom": " with a custom prior"}  # a model


def uses_u(prior: Prior) -> bool:
    """Whether a prior is p(z|u)."""
    return prior.kind in CONDITIONAL or (isinstance(prior, CustomPrior) and prior.uses_u)


Seed = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]
Beta = Annotated[float, Field(strict=True, ge=0, le=1000)]
LearningRate = Annotated[float, Field(strict=True, ge=1e-7, le=1)]


@settings
class TrainConfig:
    """How a population is trained. `seeds`, `betas` and, if members differ in it, `lrs` have one entry per member."""

    seeds: tuple[Seed, ...] = setting((0, 1, 2, 3), "Seeds", "One per member")
    betas: tuple[Beta, ...] = setting((1.0, 1.0, 1.0, 1.0), "beta", "One per member")
    epochs: int = setting(30, "Epochs", min=1, max=100_000)
    batch: int = setting(256, "Batch size", min=1, max=1_000_000)
    lr: float = setting(5e-3, "Learning rate", "Peak of a one-cycle schedule", min=1e-7, max=1)
    lrs: tuple[LearningRate, ...] = setting((), "Learning rates", "One per member; leave empty for the same", late=True)
    optimiser: Literal["adam", "muon"] = setting(
        "adam",
        "Optimiser",
        "muon: the nets' matrices move along their orthogonalised momentum, all else by Adam; with gauss-newton it "
        "halves what is left of the error",
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
