"""q_phi(z|x): a Gaussian for every example."""

import functools
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class Posterior:
    """q(z|x) = N(mu, F F^T), with F [p, n, d, d], or [p, n, d] if it is diagonal; log_det = log |det F|.

    `guess` is a prediction of `mu` that training improves: the encoder's own mean, if `mu` was refined from it, or the
    student's.
    """

    mu: Tensor
    factor: Tensor
    log_det: Tensor
    guess: Tensor | None = None

    @property
    def is_diagonal(self) -> bool:
        """Whether the latents are independent given x."""
        return self.factor.dim() == self.mu.dim()

    def sample(self, eps: Tensor) -> Tensor:
        """Return mu + F eps, for eps [p, n, d_z]."""
        if self.is_diagonal:
            return self.mu + self.factor * eps
        return self.mu + (self.factor @ eps[..., None])[..., 0]

    @functools.cached_property
    def var(self) -> Tensor:
        """Marginal variances [p, n, d_z]: the diagonal of F F^T."""
        return self.factor.square() if self.is_diagonal else self.factor.square().sum(-1)

    @functools.cached_property
    def log_var(self) -> Tensor:
        """Logarithms of the marginal variances, [p, n, d_z]."""
        return torch.log(self.var)

    @property
    def entropy(self) -> Tensor:
        """Entropy of each marginal q(z_i|x), nats, [p, n, d_z]."""
        return 0.5 * (self.log_var + LOG_2PI + 1)

    @property
    def dependence(self) -> Tensor:
        """Total correlation of q(z|x), nats, [p, n]. It is 0 if F is diagonal."""
        if self.is_diagonal:
            return torch.zeros_like(self.log_det)
        return 0.5 * self.log_var.sum(-1) - self.log_det

    def log_prob(self, z: Tensor) -> Tensor:
        """Log q(z|x), [p, n]."""
        if self.is_diagonal:
            return self.log_prob_at((z - self.mu) / self.factor)
        return self.log_prob_at(torch.linalg.solve(self.factor, (z - self.mu)[..., None])[..., 0])

    def log_prob_at(self, eps: Tensor) -> Tensor:
        """Log q(z|x) at the sample z = mu + F eps, [p, n]."""
        return -0.5 * (eps.square() + LOG_2PI).sum(-1) - self.log_det

    def full(self) -> "Posterior":
        """The same distribution, with its factor stored as a full matrix."""
        return Posterior(self.mu, torch.diag_embed(self.factor), self.log_det) if self.is_diagonal else self

    def turned(self, M: Float[Tensor, "d d"]) -> "Posterior":
        """The distribution of M z for an orthogonal M, with mean M mu and factor M F.

        The same noise gives the rotated sample, which would not hold for a new Cholesky factor of M F F^T M^T.
        """
        return Posterior(self.mu @ M.T, M @ self.full().factor, self.log_det)
