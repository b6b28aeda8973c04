"""Settings of the priors.

On each class, `k` is the number of statistics per latent that depend on u, and `frames` the number of rows of an
example; neither is a setting.
"""

from typing import Any, Literal

from dvae_core.config.model import ClassPath
from dvae_core.settings import ConfigError, setting, settings


def _hidden(whose: str) -> Any:
    return setting(32, "Hidden units", f"Of {whose} network, if u is a number", min=1, max=1024)


@settings
class StandardPrior:
    """p(z) = N(0, I)."""

    kind: Literal["standard"] = "standard"

    k, frames = 0, 1


@settings
class GaussianPrior:
    """p_theta(z|u) = prod_i N(z_i; mu_i(u), var_i(u)), learned: the iVAE.

    In files its kind is "conditional", as runs have always written it, although other families are conditional too.
    """

    kind: Literal["conditional"] = "conditional"
    modulate: Literal["both", "mean", "variance"] = setting("both", "What u changes in the prior")
    hidden: int = _hidden("the prior's")
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

    frames = 1

    @property
    def k(self) -> int:
        """Number of statistics per latent: z and z^2, or one of the two."""
        return 2 if self.modulate == "both" else 1


@settings
class LaplacePrior:
    """p_theta(z|u) = prod_i Laplace(z_i; 0, b_i(u)) with learned scales: T = |z|, k = 1, an iVAE for peaked factors."""

    kind: Literal["laplace"] = "laplace"
    hidden: int = _hidden("the prior's")

    k, frames = 1, 1


@settings
class LearnedPrior:
    """p_theta(z|u) = prod_i Q_i(z_i) / Z_i(u) exp(sum_j T_ij(z_i) lambda_ij(u)), T, Q and lambda learned: an iVAE."""

    kind: Literal["learned"] = "learned"
    k: int = setting(2, "Statistics k", "T_i1 .. T_ik of each latent; n k + 1 values of u are needed", min=1, max=4)
    width: int = setting(16, "Hidden units of T", "Each T_ij is a network of one hidden layer", min=1, max=256)
    hidden: int = _hidden("lambda's")

    frames = 1


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

    k, frames = 0, 2


@settings
class MixturePrior:
    """p(z) = sum_k pi_k N(z; mu_k, diag s_k), learned, without u: not factorial, so no single latent has a KL."""

    kind: Literal["mixture"] = "mixture"
    components: int = setting(5, "Components", "K of the mixture", min=1, max=200)

    k, frames = 0, 1


@settings
class CustomPrior:
    """A prior of your own, named by its path (`dvae_core.model.contract`). It is run only if DVAE_PLUGINS lists it."""

    kind: Literal["custom"] = "custom"
    path: ClassPath = setting("package.module:Name", "Class", "Where the prior's class is found")
    uses_u: bool = setting(False, "Uses u", "Whether the prior is p(z|u)")

    k, frames = 0, 1


Prior = StandardPrior | GaussianPrior | LaplacePrior | LearnedPrior | TimePrior | MixturePrior | CustomPrior

JOINT = ("mixture",)  # the priors that are not factorial, so that no single latent has a KL
NAMED_AFTER = {"time": " over time", "mixture": " with a mixture", "custom": " with a custom prior"}  # a model


def uses_u(prior: Prior) -> bool:
    """Whether a prior is p(z|u)."""
    return isinstance(prior, GaussianPrior | LaplacePrior | LearnedPrior) or (
        isinstance(prior, CustomPrior) and prior.uses_u
    )
