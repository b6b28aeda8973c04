"""Settings of a model: its nets, likelihood, posterior and start."""

from typing import Annotated, Literal

from pydantic import Field

from dvae_core.settings import ConfigError, Number, one_of, setting, settings

ClassPath = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]  # of a class: package.module:Name
Activation = Literal["xtanh", "tanh", "relu", "leaky", "silu", "gelu"]


@settings
class MlpNet:
    """Fully connected encoder and decoder, each with a linear path parallel to the hidden layers."""

    kind: Literal["mlp"] = "mlp"
    hidden: int = setting(64, "Hidden units", min=1, max=4096)
    depth: int = setting(2, "Hidden layers", min=0, max=6)
    activation: Activation = setting(
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
    activation: Activation = setting("relu", "Activation")


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
