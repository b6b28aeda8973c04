"""A prior over time: pairs of neighbouring rows, in which every latent has a memory of its own. It needs no u.

    p(z_t-1) = N(0, I),   p(z_t|z_t-1) = prod_i N(a_i z_t-1,i, 1 - a_i^2),   a_i = tanh(raw_i)

The covariance of a pair is [[I, A], [A, I]] with A = diag(a). A rotation M turns A into M A M^T, which is A only if M
mixes latents of equal memory: unlike N(0, I), this prior prefers its axes, provided that the memories differ.

Rows come in pairs: row 2 i + 1 follows row 2 i in time. The mean over both of the row's terms is then the bound per
row, half of that of log p(x_t-1, x_t) with q(z_t-1|x_t-1) q(z_t|x_t).
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dvae_core.model.posterior import LOG_2PI, Posterior

VAR_MIN = 1e-4  # of an innovation: |a| above .99995 counts as that
LOG_SCALE_BOUND = 3.5  # of a Laplace innovation
START, START_STD = 0.5, 0.3  # of raw: memories start at .46, but unequal, because equal memories prefer no axes


@dataclass(frozen=True)
class GivenPairs:
    """The density of rows in pairs: N(0, I) for the first of each, and a step of `memory` [p, 1, d_z] to the second.

    `log_scale` [p, 1, d_z] is that of Laplace innovations, None if they are Gaussian of variance 1 - a^2.
    """

    memory: Tensor
    log_scale: Tensor | None
    shuffle: bool

    def log_prob(self, z: Float[Tensor, "p n d_z"]) -> Float[Tensor, "p n d_z"]:
        """Log p(z_i) of each pair's first row, and log p(z_i|the first) of its second, nats per latent."""
        before, after = self._pairs(z)
        return self._rows(-0.5 * (before.square() + LOG_2PI), self._step(after - self.memory * before))

    def kl_from(self, q: Posterior, z: Tensor) -> Tensor:
        """-H(q(z_i|x)) - E log p(z_i), in closed form, since both rows of a pair are independent given x.

        Its sum over a pair is the KL of q(z_t-1|x_t-1) q(z_t|x_t) from the pair's prior. One row's part may be below 0.
        """
        (mu, var), (mu_after, var_after) = zip(self._pairs(q.mu), self._pairs(q.var), strict=True)
        mean, spread = mu_after - self.memory * mu, var_after + self.memory.square() * var
        first = -0.5 * (mu.square() + var + LOG_2PI)
        return -q.entropy - self._rows(first, self._step(mean, spread))

    def newton(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Gradient and precision of N(0, I), each row's own prior: q(z|x) sees no other row. Any q gives a bound."""
        return -z, torch.ones_like(z)

    def moments(self) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of a pair's first row: 0 and 0."""
        zeros = torch.zeros_like(self.memory[:1])
        return zeros, zeros

    def sample(self, v: Float[Tensor, "p n d_z"]) -> Float[Tensor, "p n d_z"]:
        """Return a draw of the pairs from v, uniform on (0, 1)."""
        before, after = self._pairs(v)
        before = torch.special.ndtri(before)
        return self._rows(before, self.memory * before + self._innovation(after))

    def of_pairs(self, rows: Float[Tensor, "*s n"]) -> Float[Tensor, "*s m"]:
        """Return the sum of the two rows of each pair."""
        before, after = rows[..., 0::2], rows[..., 1::2]
        return (before.roll(before.shape[-1] // 2, -1) if self.shuffle else before) + after

    def _step(self, mean: Tensor, spread: Tensor | None = None) -> Tensor:
        """Return E log p(e) of an innovation e ~ N(mean, spread); log p(mean) without a spread."""
        if self.log_scale is None:
            var = self._var()
            square = mean.square() if spread is None else mean.square() + spread
            return -0.5 * (square / var + torch.log(var) + LOG_2PI)
        size = mean.abs()
        if spread is not None:  # the mean of a folded normal
            sd = spread.sqrt()
            t = mean / (sd * math.sqrt(2))
            size = sd * math.sqrt(2 / math.pi) * torch.exp(-t.square()) + mean * torch.erf(t)
        return -size * torch.exp(-self.log_scale) - self.log_scale - math.log(2)

    def _var(self) -> Tensor:
        return (1 - self.memory.square()).clamp_min(VAR_MIN)

    def _innovation(self, v: Tensor) -> Tensor:
        if self.log_scale is None:
            return self._var().sqrt() * torch.special.ndtri(v)
        side = v - 0.5
        return -torch.exp(self.log_scale) * torch.sign(side) * torch.log1p(-2 * side.abs())

    def _pairs(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return the first and the second row of every pair; with `shuffle`, the first row comes from another pair."""
        if z.shape[1] % 2:
            raise ValueError(f"The prior over time needs rows in pairs of neighbours; got {z.shape[1]} rows.")
        before, after = z[:, 0::2], z[:, 1::2]
        return before.roll(before.shape[1] // 2, 1) if self.shuffle else before, after

    def _rows(self, before: Tensor, after: Tensor) -> Tensor:
        """Undo `_pairs`."""
        before = before.roll(-(before.shape[1] // 2), 1) if self.shuffle else before
        return torch.stack([before, after], 2).flatten(1, 2)


class OverTime(nn.Module):
    """p(z_t-1, z_t) for every member, with learned memories and, for Laplace innovations, learned scales."""

    k = 0

    def __init__(self, p: int, d_z: int, *, innovations: str, shuffle: bool) -> None:
        super().__init__()
        self.shuffle = shuffle
        self.raw = nn.Parameter(torch.zeros(p, d_z))
        self.raw_scale = nn.Parameter(torch.zeros(p, d_z)) if innovations == "laplace" else None

    def draw(self, member: int, generator: torch.Generator) -> None:
        """Draw one member's memories; its innovations start with a variance of 1 - a^2."""
        with torch.no_grad():
            self.raw[member] = START + START_STD * torch.randn(self.raw.shape[1], generator=generator)
            if self.raw_scale is not None:
                self.raw_scale[member] = 0.5 * torch.log(0.5 * (1 - torch.tanh(self.raw[member]).square()))

    @property
    def memory(self) -> Float[Tensor, "p d_z"]:
        """The learned a_i: the correlation of latent i with itself one row earlier."""
        return torch.tanh(self.raw)

    def forward(self, u: Tensor | None = None) -> GivenPairs:
        """Return the density of rows in pairs; u is ignored."""
        scale = self.raw_scale
        if scale is not None:
            scale = (LOG_SCALE_BOUND * torch.tanh(scale / LOG_SCALE_BOUND))[:, None]
        return GivenPairs(self.memory[:, None], scale, self.shuffle)
