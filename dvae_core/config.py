"""Settings: one frozen tree that says everything a run needs to be repeated.

`Config = data + model + prior + train`. A field a model does not use is not on its class, so setting it raises.
Field metadata (label, help, bounds, unit) feeds the page's form and the command line: one source for all three.
"""

import dataclasses
import difflib
import functools
import hashlib
import json
import re
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Union

# What is asked of a type never changes, and a list of runs reads 1,000 configs.
get_type_hints: Any = functools.cache(typing.get_type_hints)
get_origin: Any = functools.cache(typing.get_origin)
get_args: Any = functools.cache(typing.get_args)
fields: Any = functools.cache(dataclasses.fields)
is_dataclass: Any = functools.cache(dataclasses.is_dataclass)


class ConfigError(ValueError):
    """A setting that cannot be used, in one sentence."""


def setting(
    default: Any,
    label: str,
    help: str = "",
    *,
    min: float | int | None = None,
    max: float | int | None = None,
    late: bool = False,
) -> Any:
    """Return a dataclass field with the words and bounds that forms and the command line show.

    A `late` one came after runs had been made without it: at its default it does not count in `Config.key`.
    """
    return field(default=default, metadata={"label": label, "help": help, "min": min, "max": max, "late": late})


class _Checked:
    """Checks literals and bounds at construction, so that a wrong value never travels."""

    def __post_init__(self) -> None:
        for name, choices, low, high in _checks(type(self)):
            value = getattr(self, name)
            if choices:
                _one_of(choices, value, f"{type(self).__name__}.{name}")
                continue
            for number in value if isinstance(value, tuple) else (value,):
                _check_bounds(type(self).__name__, name, number, low, high)


@functools.cache
def _checks(cls: Any) -> list[tuple[str, tuple, Any, Any]]:
    """Return every field's name, choices and bounds."""
    hints = get_type_hints(cls)
    choices = {name: get_args(hint) if get_origin(hint) is Literal else () for name, hint in hints.items()}
    return [(f.name, choices[f.name], f.metadata.get("min"), f.metadata.get("max")) for f in fields(cls)]


def _one_of(choices: tuple, value: Any, where: str) -> Any:
    if value not in choices:
        raise ConfigError(f"{where} must be one of {', '.join(map(str, choices))}; got {value!r}.")
    return value


def _check_bounds(owner: str, name: str, value: Any, low: Any, high: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    if value != value or (low is not None and value < low) or (high is not None and value > high):
        bounds = f"at least {low}" if high is None else f"between {low} and {high}"
        raise ConfigError(f"{owner}.{name} must be {bounds}; got {value}.")


# --- data ---

_SPLIT_HELP = (
    "random: within each label; blocks: contiguous stretches, for time series; auto: blocks if a rate is known"
)


@dataclass(frozen=True)
class SourcesData(_Checked):
    """Nonstationary sources through a nonlinear mixing: the talk's data with known factors."""

    kind: Literal["sources"] = "sources"
    n_latents: int = setting(2, "Factors", "How many independent factors the world has", min=1, max=50)
    d_x: int | None = setting(None, "Data dimensions", "Leave empty for as many as factors", min=1, max=500)
    segments: int = setting(5, "Segments", "Values of u; the theorem needs n k + 1", min=1, max=200)
    per_segment: int = setting(1000, "Points per segment", min=10, max=100_000)
    noise: Literal["gaussian", "laplace", "sech", "student", "bimodal"] = setting(
        "gaussian", "Source distribution", "Given u. Laplace, sech, Student (5 degrees) are heavy-tailed; two humps"
    )
    modulate: Literal["both", "mean", "variance"] = setting("both", "What u changes")
    strength: float = setting(
        1.0, "Strength of modulation", "0: u changes nothing; 1: means over +-5, stds 0.5 to 3", min=0, max=2, late=True
    )
    layers: int = setting(3, "Mixing layers", min=1, max=10)
    activation: Literal["xtanh", "leaky", "linear"] = setting("xtanh", "Mixing nonlinearity")
    observation_noise: float = setting(0.0, "Observation noise", "Fraction of x's standard deviation", min=0, max=2)
    correlation: float = setting(0.0, "Correlation of factors", "Above 0 the MCC misleads", min=-0.95, max=0.95)
    continuous_u: bool = setting(False, "Continuous u")
    seed: int = setting(0, "Data seed", min=0)
    split: Literal["auto", "random", "blocks"] = setting("auto", "Split", _SPLIT_HELP)


@dataclass(frozen=True)
class NeuronsData(_Checked):
    """Poisson spike counts of a population driven by latent factors."""

    kind: Literal["neurons"] = "neurons"
    n_latents: int = setting(2, "Factors", min=1, max=20)
    n_neurons: int = setting(100, "Neurons", min=2, max=1000)
    segments: int = setting(5, "Segments", min=1, max=200)
    per_segment: int = setting(1000, "Points per segment", min=10, max=100_000)
    tuning: Literal["mixing", "place", "stimulus"] = setting(
        "mixing", "Driven by", "A random f(z); place fields on a track, u = position; or directions, u = stimulus",
        late=True,
    )  # fmt: skip
    seed: int = setting(0, "Data seed", min=0)
    split: Literal["auto", "random", "blocks"] = setting("auto", "Split", _SPLIT_HELP)


@dataclass(frozen=True)
class DigitsData(_Checked):
    """1,797 handwritten digits of 8 x 8 pixels, from scikit-learn."""

    kind: Literal["digits"] = "digits"
    split: Literal["auto", "random", "blocks"] = setting("auto", "Split", _SPLIT_HELP)


@dataclass(frozen=True)
class SpritesData(_Checked):
    """White shapes on black in the manner of dSprites: shape, scale, orientation, x and y are known."""

    kind: Literal["sprites"] = "sprites"
    n: int = setting(10_000, "Pictures", min=10, max=737_280)
    side: int = setting(64, "Side in pixels", "64 is that of dSprites; 32 trains four times as fast", min=16, max=128)
    grid: Literal["dsprites", "continuous"] = setting("dsprites", "Factors", "On the grid of dSprites, or continuous")
    u: Literal["shape", "none"] = setting("shape", "u", "The shape as a label, or no auxiliary variable")
    correlation: float = setting(0.0, "Correlation of factors", "0 in the original", min=-0.2, max=0.95)
    seed: int = setting(0, "Data seed", min=0)
    split: Literal["auto", "random", "blocks"] = setting("auto", "Split", _SPLIT_HELP)


@dataclass(frozen=True)
class FacesData(_Checked):
    """Cartoon faces in colour: skin, age, hair, smile, gaze and saturation are known."""

    kind: Literal["faces"] = "faces"
    n: int = setting(5000, "Pictures", min=10, max=100_000)
    side: int = setting(64, "Side in pixels", "32 trains four times as fast and loses the wrinkles", min=16, max=128)
    u: Literal["age", "none"] = setting("none", "u", "Thirds of age as a label, or no auxiliary variable")
    correlation: float = setting(0.0, "Correlation of factors", "Of every pair", min=-0.19, max=0.95)
    seed: int = setting(0, "Data seed", min=0)
    split: Literal["auto", "random", "blocks"] = setting("auto", "Split", _SPLIT_HELP)


@dataclass(frozen=True)
class FileData(_Checked):
    """A file of the user's own; names pick the variables or columns for x, u and the true factors z."""

    kind: Literal["file"] = "file"
    path: str = setting("", "File")
    x: tuple[str, ...] = setting((), "Columns of x")
    u: tuple[str, ...] = setting((), "Columns of u")
    z: tuple[str, ...] = setting((), "Columns of true factors")
    rate_hz: float | None = setting(None, "Sampling rate", "Hz; rows are then in time order", min=1e-9)
    rows: int | None = setting(
        None, "Rows", "At most so many: the first; of pictures, drawn at random", min=1, late=True
    )
    bin_s: float | None = setting(None, "Bin width", "s; event times (spikes) are counted in bins", min=1e-9, late=True)
    smooth_s: float | None = setting(None, "Smoothing", "s; rates by a Gaussian instead of counts", min=1e-9, late=True)
    min_speed: float | None = setting(
        None, "Least speed", "Running periods only, in the recording's unit", min=0, late=True
    )
    time: str | None = setting(None, "Times of u", "Variable with the times of behaviour, if not t or time", late=True)
    missing: Literal["refuse", "drop rows", "drop columns"] = setting(
        "refuse", "Missing values", "NaN and infinite: refuse the file, or drop rows or columns with them", late=True
    )
    clip: float | None = setting(
        None, "Clip outliers", "At so many robust standard deviations from the median", min=1, late=True
    )
    constant: Literal["keep", "drop"] = setting("keep", "Constant columns", late=True)
    duplicates: Literal["keep", "drop"] = setting("keep", "Repeated rows", late=True)
    split: Literal["auto", "random", "blocks"] = setting("auto", "Split", _SPLIT_HELP)


Data = SourcesData | NeuronsData | DigitsData | SpritesData | FacesData | FileData


def data_from_text(text: str) -> Data:
    """Read a data source written as in links and on the command line: "sprites,side=32,correlation=0.5".

    Raises:
        ConfigError: If it names a kind or setting that does not exist, or a value that is out of range.
    """
    kind, *pairs = re.split(r",(?=[a-z_]+=)", text)  # a list of names has commas too
    tree: dict[str, Any] = {"kind": kind}
    for pair in pairs:
        name, _, value = pair.partition("=")
        try:
            tree[name] = json.loads(value)
        except json.JSONDecodeError:
            tree[name] = value
    return _build(Data, tree, "data")


def data_to_text(data: Data) -> str:
    """Write a data source as `data_from_text` reads it: its kind and what differs from the defaults."""
    plain = type(data)()
    changed = {
        f.name: getattr(data, f.name)
        for f in dataclasses.fields(data)
        if f.name != "kind" and getattr(data, f.name) != getattr(plain, f.name)
    }
    return ",".join([data.kind, *(f"{k}={v if isinstance(v, str) else json.dumps(v)}" for k, v in changed.items())])


# --- model ---


@dataclass(frozen=True)
class MlpNet(_Checked):
    """Fully connected encoder and decoder, each with a linear path beside the hidden layers."""

    kind: Literal["mlp"] = "mlp"
    hidden: int = setting(64, "Hidden units", min=1, max=4096)
    depth: int = setting(2, "Hidden layers", min=0, max=6)
    activation: Literal["xtanh", "tanh", "relu", "leaky", "silu", "gelu"] = setting(
        "xtanh", "Activation", "xtanh(a) = tanh(a) + 0.1 a suits sources; relu or gelu suit pictures"
    )
    encoder_hidden: int | None = setting(
        None, "Encoder's hidden units", "Leave empty for as many as the decoder has", min=1, max=4096, late=True
    )


@dataclass(frozen=True)
class ConvNet(_Checked):
    """Four strided convolutions and their mirror; pictures whose sides are multiples of 16."""

    kind: Literal["conv"] = "conv"
    channels: int = setting(32, "Channels", "First layer; later layers use twice as many", min=1, max=256)
    hidden: int = setting(256, "Hidden units", min=1, max=4096)
    activation: Literal["xtanh", "tanh", "relu", "leaky", "silu", "gelu"] = setting("relu", "Activation")


@dataclass(frozen=True)
class GaussianLikelihood(_Checked):
    """x | z ~ N(f(z), Sigma_x). Sigma_x is relative to the preprocessed x."""

    kind: Literal["gaussian"] = "gaussian"
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


@dataclass(frozen=True)
class BernoulliLikelihood(_Checked):
    """x | z ~ Bernoulli(sigmoid(f(z))), for pictures in [0, 1]."""

    kind: Literal["bernoulli"] = "bernoulli"


@dataclass(frozen=True)
class PoissonLikelihood(_Checked):
    """x | z ~ Poisson(exp(f(z))), for spike counts."""

    kind: Literal["poisson"] = "poisson"


Likelihood = GaussianLikelihood | BernoulliLikelihood | PoissonLikelihood


@dataclass(frozen=True)
class ModelConfig(_Checked):
    """Generator p_theta(x|z) and encoder q_phi."""

    latents: int = setting(2, "Latents", "Dimensions of z", min=1, max=256)
    net: MlpNet | ConvNet = MlpNet()
    likelihood: Likelihood = GaussianLikelihood()
    posterior: Literal["diagonal", "full", "gauss-newton"] = setting(
        "full",
        "Posterior q(z|x)",
        "diagonal: mean field, prefers PCA-like axes; full: latents may correlate; gauss-newton: the encoder's guess "
        "is refined on the decoder and sees u through the prior",
    )
    encoder: Literal["x", "xu"] = setting("x", "Encoder sees", "x alone, or x and u")
    preprocess: Literal["none", "centre", "standardise", "whiten"] = setting(
        "whiten", "Preprocessing of x", "Linear and invertible, inside the model; ELBOs stay in units of the data"
    )
    rotation: tuple[tuple[float, ...], ...] = setting((), "Rotation M", "Set by the Rotate page: z~ = M z")


@dataclass(frozen=True)
class StandardPrior(_Checked):
    """p(z) = N(0, I)."""

    kind: Literal["standard"] = "standard"

    k = 0  # not a setting: no statistic depends on u


@dataclass(frozen=True)
class ConditionalPrior(_Checked):
    """p_theta(z|u) = prod_i N(z_i; mu_i(u), var_i(u)), learned: the iVAE."""

    kind: Literal["conditional"] = "conditional"
    modulate: Literal["both", "mean", "variance"] = setting("both", "What u changes in the prior")
    hidden: int = setting(32, "Hidden units", "Of the prior's network, if u is a number", min=1, max=1024)

    @property
    def k(self) -> int:
        """Statistics a latent: z and z^2, or one of the two."""
        return 2 if self.modulate == "both" else 1


@dataclass(frozen=True)
class LaplacePrior(_Checked):
    """p_theta(z|u) = prod_i Laplace(z_i; 0, b_i(u)), the scales learned: T = |z|, k = 1, an iVAE for peaked factors."""

    kind: Literal["laplace"] = "laplace"
    hidden: int = setting(32, "Hidden units", "Of the prior's network, if u is a number", min=1, max=1024)

    k = 1  # not a setting


@dataclass(frozen=True)
class LearnedPrior(_Checked):
    """p_theta(z|u) = prod_i Q_i(z_i) / Z_i(u) exp(sum_j T_ij(z_i) lambda_ij(u)), T, Q and lambda learned: an iVAE."""

    kind: Literal["learned"] = "learned"
    k: int = setting(2, "Statistics k", "T_i1 .. T_ik of each latent; n k + 1 values of u are needed", min=1, max=4)
    width: int = setting(16, "Hidden units of T", "Each T_ij is a network of one hidden layer", min=1, max=256)
    hidden: int = setting(32, "Hidden units", "Of lambda's network, if u is a number", min=1, max=1024)


Prior = StandardPrior | ConditionalPrior | LaplacePrior | LearnedPrior


@dataclass(frozen=True)
class TrainConfig(_Checked):
    """How a population is trained. `seeds`, `betas` and, where members differ in it, `lrs` have one entry a member."""

    seeds: tuple[int, ...] = setting((0, 1, 2, 3), "Seeds", "One per member", min=0, max=2**31 - 1)
    betas: tuple[float, ...] = setting((1.0, 1.0, 1.0, 1.0), "beta", "One per member", min=0, max=1000)
    epochs: int = setting(30, "Epochs", min=1, max=100_000)
    batch: int = setting(256, "Batch size", min=1, max=1_000_000)
    lr: float = setting(5e-3, "Learning rate", "Peak of a one-cycle schedule", min=1e-7, max=1)
    lrs: tuple[float, ...] = setting(
        (), "Learning rates", "One per member; leave empty for the same", min=1e-7, max=1, late=True
    )
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
        super().__post_init__()
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
        """Every member's learning rate, the peak of its schedule."""
        return self.lrs or (self.lr,) * len(self.seeds)


@dataclass(frozen=True)
class Config(_Checked):
    """Everything that determines a run."""

    data: Data = SourcesData()
    model: ModelConfig = ModelConfig()
    prior: Prior = StandardPrior()
    train: TrainConfig = TrainConfig()

    @property
    def members(self) -> int:
        """Number of members p of the population."""
        return len(self.train.seeds)

    @property
    def is_conditional(self) -> bool:
        """Whether the prior is p_theta(z|u), of whatever family: an iVAE."""
        return not isinstance(self.prior, StandardPrior)

    @property
    def model_name(self) -> str:
        """The talk's name for this model: VAE, beta-VAE or iVAE."""
        if self.is_conditional:
            return "iVAE" if all(b == 1 for b in self.train.betas) else "beta-iVAE"
        return "VAE" if all(b == 1 for b in self.train.betas) else "beta-VAE"

    def to_json(self) -> str:
        """Return the tree as indented JSON; `from_json` reads it back equal."""
        return json.dumps(dataclasses.asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Config":
        """Read a tree; unknown keys and wrong values are ConfigErrors that say where and suggest the nearest name."""
        try:
            tree = json.loads(text)
        except json.JSONDecodeError as error:
            raise ConfigError(f"The configuration is not valid JSON: {error}.") from error
        return _build(cls, tree, "config")

    def key(self) -> str:
        """Return 12 hex digits that change with anything that affects results (not with the device)."""
        tree = _for_key(self)
        del tree["train"]["device"]
        return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()[:12]


def _for_key(settings: Any) -> dict[str, Any]:
    """Return the tree without late settings that are at their defaults."""
    tree = {}
    for f in dataclasses.fields(settings):
        value = getattr(settings, f.name)
        if not (f.metadata.get("late") and value == f.default):
            tree[f.name] = _for_key(value) if dataclasses.is_dataclass(value) else value
    return tree


def _build(hint: Any, value: Any, where: str) -> Any:
    """Turn JSON into the type `hint` says, or raise a ConfigError that names the place."""
    return _reader(hint)(value, where)


@functools.cache
def _reader(hint: Any) -> Callable[[Any, str], Any]:
    """Return what `_build` does for this type: a list of a thousand runs reads as many Configs."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return functools.partial(_one_of, args)
    if origin in (Union, types.UnionType):
        kinds = {get_args(get_type_hints(c)["kind"])[0]: _reader(c) for c in args if is_dataclass(c)}
        if kinds:
            return functools.partial(_of_a_kind, kinds)
        inner = _reader(next(a for a in args if a is not type(None)))
        return lambda value, where: None if value is None else inner(value, where)
    if origin is tuple:
        return functools.partial(_list_of, _reader(args[0]))
    if is_dataclass(hint):
        return functools.partial(_class_from, hint, {name: _reader(h) for name, h in get_type_hints(hint).items()})
    return functools.partial(_plain, hint)


def _of_a_kind(kinds: dict[str, Callable], value: Any, where: str) -> Any:
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in kinds:
        raise ConfigError(f"{where}.kind must be one of {', '.join(kinds)}; got {kind!r}.")
    return kinds[kind](value, where)


def _list_of(read: Callable, value: Any, where: str) -> tuple:
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{where} must be a list; got {value!r}.")
    return tuple(read(v, f"{where}[{i}]") for i, v in enumerate(value))


def _class_from(cls: Any, readers: dict[str, Callable], value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise ConfigError(f"{where} must be an object; got {value!r}.")
    for key in value:
        if key not in readers:
            near = difflib.get_close_matches(key, readers, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(readers)}."
            raise ConfigError(f"{where} has no setting {key!r}{hint}")
    return cls(**{key: readers[key](v, f"{where}.{key}") for key, v in value.items()})


def _plain(kind: type, value: Any, where: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ConfigError(f"{where} must be {kind.__name__}; got {value!r}.")
    return value
