"""A learned mixture of K Gaussians with diagonal covariances: what an iVAE's prior becomes if u is not observed.

    p(z) = sum_k pi_k N(z; mu_k, diag s_k)

It is not factorial, so there is no density of a single latent: `log_prob` divides log p(z) evenly among the latents,
and only their sum means anything.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dvae_core.model.posterior import LOG_2PI, Posterior

LOG_VAR_BOUND = 7.0  # |log s_k| stays below this, as in a Gaussian p(z|u)
START_LOG_VAR = -1.4  # components start with a variance of a quarter, around means drawn from N(0, I)


@dataclass(frozen=True)
class GivenMixture:
    """The mixture: log_pi [p, K], normalised; mu and logvar [p, K, d_z]."""

    log_pi: Tensor
    mu: Tensor
    logvar: Tensor

    def joint(self, z: Float[Tensor, "p n d_z"]) -> Float[Tensor, "p n k"]:
        """Log pi_k N(z; mu_k, diag s_k) of every component."""
        t, logvar = z[:, :, None] - self.mu[:, None], self.logvar[:, None]
        return self.log_pi[:, None] - 0.5 * (t.square() * torch.exp(-logvar) + logvar + LOG_2PI).sum(-1)

    def log_prob(self, z: Float[Tensor, "p n d_z"]) -> Float[Tensor, "p n d_z"]:
        """Log p(z), divided evenly among the latents, nats."""
        return (torch.logsumexp(self.joint(z), -1) / z.shape[-1])[..., None].expand_as(z)

    def kl_from(self, q: Posterior, z: Tensor) -> Tensor:
        """Unbiased Monte Carlo estimate from one sample z ~ q; only its sum over latents is a KL (with dependence)."""
        return -q.entropy - self.log_prob(z)

    def newton(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Gradient of log p(z), and the precision of EM's lower bound, positive and diagonal where -log p is neither.

        With the responsibilities r_k and P_k = 1 / s_k: sum_k r_k P_k (mu_k - z), and sum_k r_k P_k.
        """
        r, P = torch.softmax(self.joint(z), -1), torch.exp(-self.logvar)
        precision = r @ P
        return r @ (P * self.mu) - precision * z, precision

    def moments(self) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of the mixture, [p, 1, d_z]."""
        pi = torch.exp(self.log_pi)[..., None]
        mean = (pi * self.mu).sum(1, keepdim=True)
        var = (pi * (torch.exp(self.logvar) + self.mu.square())).sum(1, keepdim=True) - mean.square()
        return mean, torch.log(var)

    def sample(self, v: Float[Tensor, "p n d_z"]) -> Float[Tensor, "p n d_z"]:
        """Return draws from v, uniform on (0, 1). The first latent's v picks the component; the rest is uniform."""
        pi = torch.exp(self.log_pi)
        edges = torch.cumsum(pi, 1)[:, :-1].contiguous()
        k = torch.searchsorted(edges, v[..., 0].contiguous())  # [p, n]
        low = torch.nn.functional.pad(edges, (1, 0)).gather(1, k)
        first = ((v[..., 0] - low) / pi.gather(1, k)).clamp(1e-6, 1 - 1e-6)
        v = torch.cat([first[..., None], v[..., 1:]], -1)
        at = k[..., None].expand(-1, -1, v.shape[-1])
        mu, logvar = self.mu.gather(1, at), self.logvar.gather(1, at)
        return mu + torch.exp(0.5 * logvar) * torch.special.ndtri(v)


class Mixture(nn.Module):
    """K components for every member."""

    k = 0

    def __init__(self, p: int, d_z: int, *, components: int) -> None:
        super().__init__()
        self.raw_pi = nn.Parameter(torch.zeros(p, components))
        self.mu = nn.Parameter(torch.zeros(p, components, d_z))
        self.logvar = nn.Parameter(torch.zeros(p, components, d_z))

    def draw(self, member: int, generator: torch.Generator) -> None:
        """Draw one member's means; the components start with equal shares and variances."""
        with torch.no_grad():
            self.mu[member] = torch.randn(self.mu.shape[1:], generator=generator)
            self.logvar[member] = START_LOG_VAR

    def forward(self, u: Tensor | None = None) -> GivenMixture:
        """Return the mixture; u is ignored."""
        logvar = LOG_VAR_BOUND * torch.tanh(self.logvar / LOG_VAR_BOUND)
        return GivenMixture(torch.log_softmax(self.raw_pi, -1), self.mu, logvar)
