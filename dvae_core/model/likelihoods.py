"""p_theta(x|z): the distribution of x given the decoder's output f(z). One class per likelihood, log-densities in nats.

| class | x given z | E[x|z] |
|---|---|---|
| `Gaussian` | N(f, Sigma_x), of preprocessed x | f, in the data's units |
| `Bernoulli` | Bernoulli(sigmoid(f)) | sigmoid(f) |
| `Poisson` | Poisson(exp(f)) | exp(f) |
| `NegativeBinomial` | of mean exp(f), variance mean + a mean^2 | exp(f) |

To add one, write its class here and its settings in `config.py`; no other code depends on the kind of likelihood.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dvae_core.config import (
    BernoulliLikelihood,
    CustomLikelihood,
    GaussianLikelihood,
    NegativeBinomialLikelihood,
    PoissonLikelihood,
)
from dvae_core.config import Likelihood as Settings
from dvae_core.model import contract
from dvae_core.model.scaling import Scaling

LOG_STD_MIN, LOG_STD_MAX = -6.0, 3.0  # relative to standardised x: a noise std below 0.25 % is not worth modelling
LOG_DISPERSION_MIN, LOG_DISPERSION_MAX = -9.0, 3.0  # at e^-9, counts of mean 100 have a std 0.6 % above Poisson's
STIRLING_FROM = 8.0  # from this r on, three terms of Stirling's series are exact to 1e-8


class Likelihood(nn.Module):
    """The distribution of x [p, n, d_x] given the decoder's output f, and its second output if it has two."""

    outputs = 1  # number of decoder outputs per dimension of x
    is_scaled = False  # whether this is a distribution of preprocessed x; otherwise it is one of x itself

    def log_prob(self, x: Tensor, f: Tensor, second: Tensor | None) -> Float[Tensor, "p n"]:
        """Log p(x|z), nats per example."""
        raise NotImplementedError

    def mean(self, f: Tensor) -> Tensor:
        """E[x|z]."""
        raise NotImplementedError

    def fisher(self, x: Tensor, f: Tensor, second: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the gradient of log p(x|z) in f, and the Fisher information of f, each [p, n, d_x]."""
        raise NotImplementedError

    def in_noise_units(self, f: Tensor, second: Tensor | None) -> tuple[Tensor, float | None]:
        """Return g(f), on a scale where the noise has standard deviation 1, and the mean noise std if x has one."""
        raise NotImplementedError

    def start(self, x: Float[Tensor, "n d_x"]) -> Float[Tensor, " d_x"] | None:
        """Return the initial value of f (None means 0), and initialise the likelihood's own parameters.

        Raises:
            ValueError: If this likelihood cannot describe x.
        """
        raise NotImplementedError


class Gaussian(Likelihood):
    """N(f, diag(std^2)) of preprocessed x. The std is fixed, annealed, learned, or the decoder's second output."""

    is_scaled = True
    log_std: Tensor | None

    def __init__(self, settings: GaussianLikelihood, p: int, d_x: int) -> None:
        super().__init__()
        self.start_std, self.outputs = settings.std, 2 if settings.noise == "network" else 1
        if settings.noise in ("scalar", "dimension"):
            self.log_std = nn.Parameter(torch.zeros(p, 1 if settings.noise == "scalar" else d_x))
        else:
            self.register_buffer("log_std", None if settings.noise == "network" else torch.zeros(p, 1))

    def bounded_log_std(self, second: Tensor | None) -> Tensor:
        """Log std, clamped to the bounds above. Beyond them its gradient is 0."""
        if second is None:
            assert self.log_std is not None
            second = self.log_std[:, None, :]
        return second.clamp(LOG_STD_MIN, LOG_STD_MAX)

    def log_prob(self, x: Tensor, f: Tensor, second: Tensor | None) -> Float[Tensor, "p n"]:
        """Log N(x; f, diag(std^2))."""
        return gaussian(x, f, self.bounded_log_std(second))

    def mean(self, f: Tensor) -> Tensor:
        """F itself, in units of preprocessed x."""
        return f

    def fisher(self, x: Tensor, f: Tensor, second: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return (x - f) / std^2 and 1 / std^2."""
        W = torch.exp(-2 * self.bounded_log_std(second)).expand_as(f)
        return (x - f) * W, W

    def in_noise_units(self, f: Tensor, second: Tensor | None) -> tuple[Tensor, float | None]:
        """Return f / std. A network's std is averaged over the examples, so that all distances have the same unit."""
        std = torch.exp(self.bounded_log_std(None if second is None else second.mean(1, keepdim=True)))
        return f / std, float(std.mean())

    def start(self, x: Tensor) -> None:
        """Set the noise to its configured value. f starts at 0, the mean of preprocessed x."""
        self.set_std(self.start_std)

    @torch.no_grad()
    def set_std(self, std: float) -> None:
        """Set the noise of every dimension. This does not affect noise that comes from a network."""
        if self.log_std is not None:
            self.log_std.fill_(math.log(std))


class Bernoulli(Likelihood):
    """Bernoulli(sigmoid(f)), for pictures in [0, 1]. For grey x it is a pseudo-likelihood, not a density."""

    def log_prob(self, x: Tensor, f: Tensor, second: Tensor | None) -> Float[Tensor, "p n"]:
        """Sum of x log s + (1 - x) log(1 - s), s = sigmoid(f)."""
        return -F.binary_cross_entropy_with_logits(f, x, reduction="none").sum(-1)

    def mean(self, f: Tensor) -> Tensor:
        """Probability of a 1."""
        return torch.sigmoid(f)

    def fisher(self, x: Tensor, f: Tensor, second: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return x - s and s (1 - s)."""
        s = torch.sigmoid(f)
        W = s * (1 - s)
        return x - s, W

    def in_noise_units(self, f: Tensor, second: Tensor | None) -> tuple[Tensor, float | None]:
        """Return 2 arcsin sqrt(s)."""
        return 2 * torch.asin(torch.sigmoid(f).sqrt()), None

    def start(self, x: Tensor) -> Tensor:
        """Return the logit of the mean picture."""
        low, high = float(x.min()), float(x.max())
        if not 0 <= low <= high <= 1:
            raise ValueError(
                f"A Bernoulli likelihood needs x between 0 and 1, and x lies in {low:g} to {high:g}; choose Gaussian."
            )
        return torch.logit(x.double().mean(0), 1e-3).float()


class Poisson(Likelihood):
    """Poisson(exp(f)), for counts."""

    def log_prob(self, x: Tensor, f: Tensor, second: Tensor | None) -> Float[Tensor, "p n"]:
        """Log Poisson(x; exp(f)), including the factorial, so that ELBOs are true log-probabilities."""
        return (x * f - torch.exp(f) - torch.lgamma(x + 1)).sum(-1)

    def mean(self, f: Tensor) -> Tensor:
        """Rate."""
        return torch.exp(f)

    def fisher(self, x: Tensor, f: Tensor, second: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return x - rate and the rate."""
        rate = torch.exp(f)
        return x - rate, rate

    def in_noise_units(self, f: Tensor, second: Tensor | None) -> tuple[Tensor, float | None]:
        """Return 2 sqrt(rate)."""
        return 2 * torch.exp(0.5 * f), None

    def start(self, x: Tensor) -> Tensor:
        """Return the logarithm of the mean counts."""
        return log_mean_counts(x, "Poisson")


class NegativeBinomial(Likelihood):
    """Negative binomial of mean exp(f) and variance mean + a mean^2: a Poisson whose rate is gamma-distributed.

    The dispersion a is learned, one number for each member and dimension. As a goes to 0 this becomes the Poisson
    likelihood. Spike counts usually vary more than a Poisson allows.
    """

    def __init__(self, settings: NegativeBinomialLikelihood, p: int, d_x: int) -> None:
        super().__init__()
        self.start_dispersion = settings.dispersion
        self.log_dispersion = nn.Parameter(torch.zeros(p, d_x))

    @property
    def log_a(self) -> Float[Tensor, "p 1 d_x"]:
        """Log of the dispersion a, clamped to the bounds above. Beyond them its gradient is 0."""
        return self.log_dispersion[:, None].clamp(LOG_DISPERSION_MIN, LOG_DISPERSION_MAX)

    def log_prob(self, x: Tensor, f: Tensor, second: Tensor | None) -> Float[Tensor, "p n"]:
        """Log NB(x; mean exp(f), dispersion a), including all constants, so that ELBOs are true log-probabilities.

        log G(x + r) / (G(r) r^x) - log x! - r log(1 + a m) + x (f - log(1 + a m)),   m = exp(f), r = 1 / a
        """
        log_a = self.log_a
        r, growth = torch.exp(-log_a), F.softplus(f + log_a)  # growth = log(1 + a m)
        return (_log_rising(x, r) - torch.lgamma(x + 1) - r * growth + x * (f - growth)).sum(-1)

    def mean(self, f: Tensor) -> Tensor:
        """Rate."""
        return torch.exp(f)

    def fisher(self, x: Tensor, f: Tensor, second: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return (x - m) / (1 + a m) and m / (1 + a m)."""
        rate, share = torch.exp(f), torch.sigmoid(-f - self.log_a)  # share = 1 / (1 + a m)
        return (x - rate) * share, rate * share

    def in_noise_units(self, f: Tensor, second: Tensor | None) -> tuple[Tensor, float | None]:
        """Return 2 arsinh(sqrt(a m)) / sqrt(a), which is 2 sqrt(m) if a is 0."""
        log_a = self.log_a
        return 2 * torch.asinh(torch.exp(0.5 * (f + log_a))) * torch.exp(-0.5 * log_a), None

    def start(self, x: Tensor) -> Tensor:
        """Set the dispersion to its configured value, and return the logarithm of the mean counts."""
        with torch.no_grad():
            self.log_dispersion.fill_(math.log(self.start_dispersion))
        return log_mean_counts(x, "negative binomial")


def _log_rising(x: Tensor, r: Tensor) -> Tensor:
    """Log G(x + r) / (G(r) r^x), which is the sum of log(1 + k / r) over k < x.

    For large r the two log-gammas are nearly equal, so their difference is taken term by term in Stirling's series.
    """
    small, large = r.clamp_max(STIRLING_FROM), r.clamp_min(STIRLING_FROM)
    exact = torch.lgamma(x + small) - torch.lgamma(small) - x * torch.log(small)
    top = x + large
    series = (top - 0.5) * torch.log1p(x / large) - x
    series = series + (1 / top - 1 / large) / 12 - (top**-3 - large**-3) / 360 + (top**-5 - large**-5) / 1260
    return torch.where(r < STIRLING_FROM, exact, series)


def log_mean_counts(x: Float[Tensor, "n d_x"], name: str) -> Float[Tensor, " d_x"]:
    """Return the logarithm of the mean of each dimension of counts."""
    if float(x.min()) < 0:
        raise ValueError(
            f"A {name} likelihood needs counts, and the smallest x is {float(x.min()):g}; choose the Gaussian one."
        )
    return torch.log(x.double().mean(0).clamp_min(1e-3)).float()


@dataclass(frozen=True)
class GivenX:
    """p_theta(x|z) at given z, as returned by `Vae.decoder`. x is in the data's units.

    `f` and `second` are the decoder's outputs.
    """

    likelihood: Likelihood
    scaling: Scaling
    f: Float[Tensor, "p n d_x"]
    second: Float[Tensor, "p n d_x"] | None = None

    def log_prob(self, x: Float[Tensor, "p n d_x"]) -> Float[Tensor, "p n"]:
        """Log p(x|z) in nats per example of the data, independent of the preprocessing."""
        return self.log_prob_of(self._target(x))

    def log_prob_of(self, target: Float[Tensor, "p n d_x"]) -> Float[Tensor, "p n"]:
        """Log p(x|z) of the likelihood's own target: preprocessed x if it is Gaussian, otherwise x itself."""
        value = self.likelihood.log_prob(target, self.f, self.second)
        return value + self.scaling.x_log_det if self.likelihood.is_scaled else value

    @property
    def mean(self) -> Float[Tensor, "p n d_x"]:
        """E[x|z]: a mean, a probability or a rate."""
        mean = self.likelihood.mean(self.f)
        return self.scaling.undo(mean) if self.likelihood.is_scaled else mean

    def fisher(self, x: Float[Tensor, "p n d_x"]) -> tuple[Tensor, Tensor]:
        """Return the gradient of log p(x|z) in f, and the Fisher information of f."""
        return self.likelihood.fisher(self._target(x), self.f, self.second)

    def in_noise_units(self) -> tuple[Float[Tensor, "p n d_x"], float | None]:
        """Return E[x|z] on a scale where the noise has a std of 1, and the mean noise std if Gaussian."""
        return self.likelihood.in_noise_units(self.f, self.second)

    def _target(self, x: Tensor) -> Tensor:
        return self.scaling(x) if self.likelihood.is_scaled else x


def gaussian(x: Float[Tensor, "p n d"], mu: Float[Tensor, "p n d"], log_std: Tensor) -> Float[Tensor, "p n"]:
    """Log N(x; mu, diag(std^2)); `log_std` broadcasts against x."""
    residual = (x - mu) * torch.exp(-log_std)
    return -(0.5 * residual.square() + log_std + 0.5 * math.log(2 * math.pi)).sum(-1)


def likelihood_of(settings: Settings, p: int, d_x: int) -> Likelihood:
    """Return the module for these likelihood settings, for p members and d_x dimensions."""
    if isinstance(settings, GaussianLikelihood):
        return Gaussian(settings, p, d_x)
    if isinstance(settings, CustomLikelihood):
        return contract.named(settings.path)(p, d_x)
    if isinstance(settings, NegativeBinomialLikelihood):
        return NegativeBinomial(settings, p, d_x)
    return {BernoulliLikelihood: Bernoulli, PoissonLikelihood: Poisson}[type(settings)]()
