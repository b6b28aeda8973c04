"""Initialisation: fits the preprocessing to x, draws each member's weights from its seed, pairs the linear paths."""

import copy
import math

import torch
from jaxtyping import Float
from torch import Tensor

from dvae_core.model.scaling import orthogonal_part
from dvae_core.model.vae import Vae
from dvae_core.rng import generator

# The random generator of a member's weights is keyed by the module's name. These are the names from when runs were
# first made, so that renaming a module does not change its initial weights.
DRAWN_AS = {"encoder_net": "encoder", "decoder_net": "generator", "prior": "conditional"}


def initialise(vae: Vae, x: Float[Tensor, "n d_x"], u: Float[Tensor, "n d_u"] | None = None) -> None:
    """Fit the preprocessing to training data x (and u) and draw every member's weights from its own seed.

    The linear paths start as a pair: the encoder's is A = V D^-1 Q on the leading principal components of x (unit
    variance, a random orthogonal Q per member), and the decoder's is the pseudo-inverse of A. Member m's weights depend
    only on its seed, and neither on the machine nor on the basis that its linear algebra finds (`_draw_linear_paths`).

    Raises:
        ValueError: If the likelihood cannot describe x.
    """
    f = vae.likelihood.start(x)
    vae.scaling.fit(x, u)
    for name, module in vae.named_modules():
        draw = getattr(module, "draw", None)
        if draw is not None:
            part, _, rest = name.partition(".")
            for m, seed in enumerate(vae.config.train.seeds):
                draw(m, generator(seed, "initial", f"{DRAWN_AS.get(part, part)}.{rest}"))
    if f is not None:
        vae.decoder_net.start_at(f)
    with torch.no_grad():
        _draw_linear_paths(vae, x)


def _draw_linear_paths(vae: Vae, x: Tensor) -> None:
    """Draw the linear paths of every member.

    Singular vectors are free in sign, and where singular values are equal, as for whitened x, they are any basis of
    their span: what a machine finds then depends on its instruction set. So Q is not drawn in this basis but from
    G [d_x, d_z], random numbers in the coordinates of x. Q is the orthogonal part of V^T G, and A = V D^-1 Q is then
    the same for every basis V of these spans. Q is uniformly distributed, and independent between members.
    """
    encoder_skip, decoder_skip = vae.encoder_net.skip, vae.decoder_net.skip
    if encoder_skip is None or decoder_skip is None:
        return  # a convolutional net has no linear path
    scaling = copy.deepcopy(vae.scaling).double()  # in double precision, so that machines differ by less than a float
    h = scaling(x[:: max(1, len(x) // 4000)].double())  # 4,000 rows estimate the leading components well enough
    spread, axes = leading_components(h - h.mean(0), vae.config.model.latents)
    d_x, d_z = h.shape[1], vae.config.model.latents
    k = min(d_z, axes.shape[0])
    axes, std = axes[:k], (spread[:k] / math.sqrt(max(len(h) - 1, 1))).clamp_min(1e-6)
    for m, seed in enumerate(vae.config.train.seeds):
        G = torch.randn(d_x, d_z, generator=generator(seed, "linear path")).double()
        Q = orthogonal_part(axes @ G)
        encoder_skip.weight[m] = ((axes.T / std) @ Q).float()
        if vae.likelihood.is_scaled:  # logits and log rates have no linear relation to x: their linear path starts at 0
            decoder_skip.weight[m] = (Q.T @ (std[:, None] * axes)).float()
        else:
            decoder_skip.weight[m] = 0.0


def leading_components(h: Float[Tensor, "n d"], k: int) -> tuple[Tensor, Tensor]:
    """Return singular values and right singular vectors [., d] of h, largest first. For a large h, only the first k.

    Those come from subspace iteration (Halko et al. 2011), which took the time for 1,024 pictures of 64 x 64 pixels
    from 3.5 to 0.15 s. Initialisation needs the span of the components, not their last digits.
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
