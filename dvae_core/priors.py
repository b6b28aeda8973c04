"""p(z) = N(0, I), and p_theta(z|u) = prod_i N(z_i; mu_i(u), var_i(u)): the only difference between VAE and iVAE.

The conditional prior is the exponential family of the talk with T(z_i) = (z_i, z_i^2), k = 2, and
lambda(u) = (mu / var, -1 / (2 var)); "mean" and "variance" switch one of the two off (k = 1).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dvae_core.layers import Linear, Mlp

LOG_VAR_BOUND = 7.0  # |log var| below this: stds between 0.03 and 33


class StandardNormal(nn.Module):
    """N(0, I) for every member and every u."""

    def forward(self, z_like: Tensor, u: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return (mu, logvar), zeros of z_like's shape [p, n, d_z]."""
        zeros = torch.zeros_like(z_like)
        return zeros, zeros


class ConditionalNormal(nn.Module):
    """N(mu(u), var(u)) with independent components.

    u arrives as features [p, n, d_u]. Labels come one-hot, so that the first layer *is* the table lambda(u);
    numbers go through a network with one hidden layer. A learned mean is essential where means move with u.
    """

    def __init__(self, p: int, d_u: int, d_z: int, *, labels: bool, modulate: str, hidden: int) -> None:
        super().__init__()
        self.modulate = modulate
        self.net = (
            Linear(p, d_u, 2 * d_z, bias=False, gain=0.1)
            if labels
            else Mlp(p, d_u, 2 * d_z, hidden=hidden, depth=1, activation="xtanh")
        )

    def forward(
        self, z_like: Float[Tensor, "p n d_z"], u: Float[Tensor, "p n d_u"] | None
    ) -> tuple[Float[Tensor, "p n d_z"], Float[Tensor, "p n d_z"]]:
        """Return (mu, logvar) at u."""
        if u is None:
            raise ValueError("The prior p(z|u) needs u; pass the auxiliary variable or use the prior N(0, I).")
        mu, logvar = self.net(u).chunk(2, -1)
        if self.modulate == "mean":
            logvar = torch.zeros_like(logvar)  # the scale is free (the decoder absorbs it): fix it at 1
        if self.modulate == "variance":
            mu = torch.zeros_like(mu)
        return mu, LOG_VAR_BOUND * torch.tanh(logvar / LOG_VAR_BOUND)
