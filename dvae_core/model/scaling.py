"""Preprocessing of x and u: the networks see them centred and scaled, by numbers fitted once and kept in the model."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dvae_core.config import ModelConfig
from dvae_core.rng import generator

EQUAL = 1e-8  # relative; eigenvectors with a gap of g are found to within about 1e-16 / g


class Scaling(nn.Module):
    """Invertible linear preprocessing of x, and standardisation of numeric u.

    Counts are square-rooted first, but only for the encoder: their likelihood describes x itself.
    """

    x_mean: Tensor
    x_forward: Tensor
    x_inverse: Tensor
    x_log_det: Tensor
    u_mean: Tensor
    u_scale: Tensor

    def __init__(self, model: ModelConfig, d_x: int, d_u: int, *, labels: bool) -> None:
        super().__init__()
        self.how, self.labels = model.preprocess, labels
        self.takes_roots = model.likelihood.is_count
        square = (d_x, d_x) if self.how == "whiten" else (d_x,)
        self.register_buffer("x_mean", torch.zeros(d_x))
        self.register_buffer("x_forward", torch.ones(square))  # a matrix for "whiten", otherwise a scale per dimension
        self.register_buffer("x_inverse", torch.ones(square))
        self.register_buffer("x_log_det", torch.zeros(()))
        self.register_buffer("u_mean", torch.zeros(d_u))
        self.register_buffer("u_scale", torch.ones(d_u))

    def forward(self, x: Float[Tensor, "*n d_seen"]) -> Float[Tensor, "*n d_seen"]:
        """Return x centred and scaled (or whitened), row by row for the rows of a window side by side."""
        if x.shape[-1] != len(self.x_mean):
            return self(x.unflatten(-1, (-1, len(self.x_mean)))).flatten(-2)
        if self.takes_roots:
            x = torch.sqrt(x)
        x = x - self.x_mean
        return x @ self.x_forward if self.x_forward.dim() == 2 else x * self.x_forward

    def undo(self, h: Float[Tensor, "*n d_x"]) -> Float[Tensor, "*n d_x"]:
        """Return h in the data's units (the square roots, for counts)."""
        if self.x_inverse.dim() == 2:
            return h @ self.x_inverse + self.x_mean
        return h * self.x_inverse + self.x_mean

    def of_u(self, u: Float[Tensor, "*n d_u"]) -> Float[Tensor, "*n d_u"]:
        """Return numeric u centred and scaled. Labels (one-hot) are returned unchanged."""
        return u if self.labels else (u - self.u_mean) * self.u_scale

    @torch.no_grad()
    def fit(self, x: Float[Tensor, "n d_x"], u: Float[Tensor, "n d_u"] | None) -> None:
        """Fit the centre and scale of x and u to training data."""
        if u is not None and not self.labels:
            self.u_mean.copy_(u.mean(0))
            self.u_scale.copy_(1 / u.std(0).clamp_min(1e-6))
        x = torch.sqrt(x.double()) if self.takes_roots else x.double()
        if self.how != "none":
            self.x_mean.copy_(x.mean(0))
        if self.how == "standardise":
            std = x.std(0)
            # A constant column stays at 0. So does a unit that is all but silent in training: scaled up to 1, a few
            # held-out spikes would be hundreds of standard deviations, and their bound minus infinity.
            std = torch.where(std > (1e-2 if self.takes_roots else 1e-12), std, torch.ones_like(std))
            self.x_forward.copy_(1 / std)
            self.x_inverse.copy_(std)
            self.x_log_det.fill_(-torch.log(std).sum())
        if self.how == "whiten":
            variances, axes = torch.linalg.eigh(torch.cov(x.T).reshape(x.shape[1], x.shape[1]))
            variances, axes = variances.flip(0), settled(variances, axes).flip(1)
            # Directions with less than 1e-6 of the largest variance are noise: scaled up to 1, it would be trained on.
            std = variances.clamp_min(1e-6 * variances[0]).sqrt()
            self.x_forward.copy_(axes / std)
            self.x_inverse.copy_(std[:, None] * axes.T)
            self.x_log_det.fill_(-torch.log(std).sum())


def settled(variances: Float[Tensor, " d"], axes: Float[Tensor, "d d"]) -> Float[Tensor, "d d"]:
    """Return eigenvectors, in columns, that do not depend on which ones the algorithm happened to find.

    An eigenvector is free in sign, and those of equal variances are any basis of their span. Each span is given the
    basis nearest to fixed random directions.

    Args:
        variances: The eigenvalues, in ascending order.
        axes: Their eigenvectors.
    """
    towards = torch.randn(axes.shape, generator=generator("axes"), dtype=torch.float64).to(axes)
    starts = torch.nonzero(torch.diff(variances) > EQUAL * variances[-1]).flatten() + 1
    spans = axes.tensor_split(starts.tolist(), 1)
    return torch.cat([V @ orthogonal_part(V.T @ towards[:, : V.shape[1]]) for V in spans], 1)


def orthogonal_part(M: Float[Tensor, "a b"]) -> Float[Tensor, "a b"]:
    """Return the orthogonal factor of M's polar decomposition. That of R M is R times it, for every orthogonal R."""
    left, _, right = torch.linalg.svd(M, full_matrices=False)
    return left @ right
