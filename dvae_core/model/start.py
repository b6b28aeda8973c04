"""How a population starts: preprocessing fitted to x, weights drawn from each member's seed, linear paths as a pair."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from dvae_core.config import GaussianLikelihood, PoissonLikelihood
from dvae_core.model.vae import Vae
from dvae_core.rng import generator


def initialise(vae: Vae, x: Float[Tensor, "n d_x"], u: Float[Tensor, "n d_u"] | None = None) -> None:
    """Fit the preprocessing to training data x (and u) and draw every member's weights from its own seed.

    The linear paths start as a transposed pair: encoder A = V D^-1 Q on the leading principal components of x (unit
    variance, random orthogonal Q per member), decoder A's pseudo-inverse. Member m's weights depend on its seed only.

    Raises:
        ValueError: If x is not what the likelihood describes.
    """
    kind, low, high = vae.config.model.likelihood.kind, float(x.min()), float(x.max())
    if kind == "poisson" and low < 0:
        raise ValueError(f"A Poisson likelihood needs counts, and the smallest x is {low:g}; choose the Gaussian one.")
    if kind == "bernoulli" and not 0 <= low <= high <= 1:
        raise ValueError(
            f"A Bernoulli likelihood needs x between 0 and 1, and x lies in {low:g} to {high:g}; choose Gaussian."
        )
    _fit_preprocessing(vae, x)
    if u is not None and not vae.sizes.labels:
        vae.u_mean.copy_(u.mean(0))
        vae.u_scale.copy_(1 / u.std(0).clamp_min(1e-6))
    for name, module in vae.named_modules():
        draw = getattr(module, "draw", None)
        if draw is not None:
            for m, seed in enumerate(vae.config.train.seeds):
                draw(m, generator(seed, "initial", name))
    likelihood = vae.config.model.likelihood
    with torch.no_grad():
        if isinstance(likelihood, GaussianLikelihood):
            if hasattr(vae, "log_std_x"):
                vae.log_std_x.fill_(math.log(likelihood.std))
        else:  # start at the mean picture or the mean rates
            mean = x.double().mean(0)
            start = torch.logit(mean, 1e-3) if likelihood.kind == "bernoulli" else torch.log(mean.clamp_min(1e-3))
            last = vae.generator.mlp.last.bias
            if vae.generator.convs is not None:
                vae.generator.bias[:] = start.float()
            elif last is not None:
                last[:, : vae.sizes.d_x] = start.float()
        _draw_linear_paths(vae, x)


def _fit_preprocessing(vae: Vae, x: Tensor) -> None:
    how = vae.config.model.preprocess
    x = torch.sqrt(x.double()) if isinstance(vae.config.model.likelihood, PoissonLikelihood) else x.double()
    with torch.no_grad():
        if how != "none":
            vae.x_mean.copy_(x.mean(0))
        if how == "standardise":
            std = x.std(0)
            std = torch.where(std > 1e-12, std, torch.ones_like(std))  # a constant column stays at 0
            vae.x_forward.copy_(1 / std)
            vae.x_inverse.copy_(std)
            vae.x_log_det.fill_(-torch.log(std).sum())
        if how == "whiten":
            variances, axes = torch.linalg.eigh(torch.cov(x.T).reshape(x.shape[1], x.shape[1]))
            variances, axes = variances.flip(0), axes.flip(1)
            # Directions with less than 1e-6 of the largest variance are noise: scaling them up to 1 would train on it.
            std = variances.clamp_min(1e-6 * variances[0]).sqrt()
            vae.x_forward.copy_(axes / std)
            vae.x_inverse.copy_(std[:, None] * axes.T)
            vae.x_log_det.fill_(-torch.log(std).sum())


def _draw_linear_paths(vae: Vae, x: Tensor) -> None:
    encoder_skip, generator_skip = vae.encoder.skip, vae.generator.skip
    if encoder_skip is None or generator_skip is None:
        return  # a convolutional net has no linear path
    h = vae.preprocess(x[:: max(1, len(x) // 4000)]).double()  # 4,000 rows fix the leading components well enough
    spread, axes = leading_components(h - h.mean(0), vae.config.model.latents)
    d_z, k = vae.config.model.latents, min(vae.config.model.latents, axes.shape[0])
    std = (spread[:k] / math.sqrt(max(len(h) - 1, 1))).clamp_min(1e-6)
    gaussian = isinstance(vae.config.model.likelihood, GaussianLikelihood)
    for m, seed in enumerate(vae.config.train.seeds):
        Q, _ = torch.linalg.qr(torch.randn(d_z, d_z, generator=generator(seed, "linear path")).double())
        encoder_skip.weight[m] = ((axes[:k].T / std) @ Q[:k]).float()
        if gaussian:  # logits and log rates have no linear relation to x: their linear path starts at 0
            generator_skip.weight[m] = (Q[:k].T @ (std[:, None] * axes[:k])).float()
        else:
            generator_skip.weight[m] = 0.0


def leading_components(h: Float[Tensor, "n d"], k: int) -> tuple[Tensor, Tensor]:
    """Return singular values and right singular vectors [., d] of h, largest first: all, or of a large h the first k.

    For these subspace iteration (Halko et al. 2011) is enough: 1,024 pictures of 64 x 64 pixels took 3.5 s and take
    0.15. A start needs the span of the components, not their last digits.
    """
    if min(h.shape) <= 500:
        _, spread, axes = torch.linalg.svd(h, full_matrices=False)
        return spread, axes
    span = torch.randn(h.shape[1], min(2 * k + 10, *h.shape), generator=generator("leading"), dtype=torch.float32)
    span = span.to(h)
    for _ in range(4):
        span, _ = torch.linalg.qr(h.T @ (h @ span))
    _, spread, axes = torch.linalg.svd(h @ span, full_matrices=False)
    return spread[:k], (axes @ span.T)[:k]
