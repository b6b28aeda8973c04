"""Initialisation: fits the preprocessing to x, draws each member's weights from its seed, pairs the linear paths."""

import copy
import math

import torch
from jaxtyping import Float
from torch import Tensor

from dvae_core.model.scaling import orthogonal_part
from dvae_core.model.vae import Vae
from dvae_core.rng import generator

RARE = 1e-2  # counts a row; the log rate of a rarer unit starts nearly flat

# The random generator of a member's weights is keyed by the module's name. These are the names that the first runs
# used, so that renaming a module does not change its initial weights.
DRAWN_AS = {"encoder_net": "encoder", "decoder_net": "generator", "prior": "conditional"}


def initialise(vae: Vae, x: Float[Tensor, "n d_seen"], u: Float[Tensor, "n d_u"] | None = None) -> None:
    """Fit the preprocessing to training data x (and u) and draw every member's weights from its own seed.

    The linear paths start as a pair: the encoder's is A = V D^-1 Q on the leading principal components of x (unit
    variance, a random orthogonal Q per member), and the decoder's is the pseudo-inverse of A. With the start "random"
    nothing but the data is shared, see `_draw_independent_paths`. Member m's weights depend only on its seed, and
    neither on the machine nor on the basis that its linear algebra finds (`_draw_linear_paths`). If the encoder has a
    window, x has the rows around each example side by side.

    Raises:
        ValueError: If the likelihood cannot describe x.
    """
    f = vae.likelihood.start(vae.row(x))
    vae.scaling.fit(vae.row(x), u)
    for name, module in vae.named_modules():
        draw = getattr(module, "draw", None)
        if draw is not None:
            part, _, rest = name.partition(".")
            for m, seed in enumerate(vae.config.train.seeds):
                draw(m, generator(seed, "initial", f"{DRAWN_AS.get(part, part)}.{rest}"))
    if f is not None:
        vae.decoder_net.start_at(f)
    with torch.no_grad():
        if vae.config.model.start == "random":
            _draw_independent_paths(vae, x)
        else:
            _draw_linear_paths(vae, x)
        if vae.student_net is not None and vae.student_net.skip is not None and vae.encoder_net.skip is not None:
            vae.student_net.skip.weight.copy_(vae.encoder_net.skip.weight)  # it starts with the weights of its teacher


def _draw_linear_paths(vae: Vae, x: Tensor) -> None:
    """Draw the linear paths of every member.

    Singular vectors are free in sign, and where singular values are equal, as for whitened x, they are any basis of
    their span: the basis that a machine finds then depends on its instruction set. So Q is not drawn in this basis but
    from G [d_x, d_z], random numbers in the coordinates of x. Q is the orthogonal part of V^T G, and A = V D^-1 Q is
    then the same for every basis V of these spans. Q is uniformly distributed, and independent between members.
    """
    encoder_skip, decoder_skip = vae.encoder_net.skip, vae.decoder_net.skip
    if encoder_skip is None or decoder_skip is None:
        return  # a convolutional net has no linear path
    rows = _some_rows(x)
    h = _preprocessed(vae, rows)
    spread, axes = leading_components(h - h.mean(0), vae.config.model.latents)
    d_x, d_z = h.shape[1], vae.config.model.latents
    k = min(d_z, axes.shape[0])
    axes, std = axes[:k], (spread[:k] / math.sqrt(max(len(h) - 1, 1))).clamp_min(1e-6)
    seeds, is_mirrored = vae.config.train.seeds, vae.config.model.start == "mirrored"
    counts = vae.row(rows).double()
    for m in range(len(seeds)):
        second = is_mirrored and m % 2 == 1
        G = torch.randn(d_x, d_z, generator=generator(seeds[m - second], "linear path")).double()
        Q = orthogonal_part(axes @ G)
        if second:
            Q[:, 0] = -Q[:, 0]  # the other orientation, which no rotation can reach
        encoder_skip.weight[m] = ((axes.T / std) @ Q).float()
        if vae.likelihood.is_scaled:  # logits and log rates have no linear relation to x: their linear path starts at 0
            decoder_skip.weight[m] = (Q.T @ vae.row(std[:, None] * axes)).float()
        elif is_mirrored and vae.config.model.likelihood.is_count:
            # With a fixed prior, MCC .85 instead of .64; with a prior that is trained too, .01 to .04 lower.
            z = (h - h.mean(0)) @ (axes.T / std) @ Q
            decoder_skip.weight[m] = (z.T @ counts / len(z) / counts.mean(0).clamp_min(RARE)).float()
        else:
            decoder_skip.weight[m] = 0.0


def _draw_independent_paths(vae: Vae, x: Tensor) -> None:
    """Draw each member's linear paths at random, so that their agreement cannot come from their start.

    The encoder's is A = Q C, with Q [d_in, d_z] orthonormal and uniform (of either orientation) and C such that z = A h
    is white. The decoder's is the regression of preprocessed x on z, and 0 for logits and log rates: a random direction
    of many units is mostly noise, and log rates that start at their regression on it, cov(z, x) / mean(x), cost the rat
    CA1 recording 2 nats a bin and its members' agreement (R^2 between seeds .24 instead of .99).
    """
    encoder_skip, decoder_skip = vae.encoder_net.skip, vae.decoder_net.skip
    if encoder_skip is None or decoder_skip is None:
        return  # a convolutional net has no linear path
    h = _preprocessed(vae, _some_rows(x))
    h = h - h.mean(0)
    target = vae.row(h) if vae.likelihood.is_scaled else torch.zeros_like(vae.row(h))
    d_z = vae.config.model.latents
    for m, seed in enumerate(vae.config.train.seeds):
        drawn = torch.randn(h.shape[1], d_z, generator=generator(seed, "independent path")).double()
        Q, R = torch.linalg.qr(drawn)
        Q = Q * torch.sign(torch.diagonal(R))  # uniform: without this the orientation is always the same
        if Q.shape[1] < d_z:  # fewer columns of x than latents: the others start at 0
            Q = torch.nn.functional.pad(Q, (0, d_z - Q.shape[1]))
        z = h @ Q
        variances, axes = torch.linalg.eigh(z.T @ z / max(len(z) - 1, 1))
        is_free = variances > 1e-6 * variances.max()
        C = axes * torch.where(is_free, variances, torch.ones_like(variances)).rsqrt() @ axes.T
        encoder_skip.weight[m] = (Q @ C).float()
        decoder_skip.weight[m] = ((z @ C).T @ target / max(len(z) - 1, 1)).float()


def _some_rows(x: Tensor) -> Tensor:
    """Return about 4,000 rows at equal distances, which estimate the leading components well enough."""
    return x[:: max(1, len(x) // 4000)]


def _preprocessed(vae: Vae, x: Tensor) -> Tensor:
    """Return preprocessed x in double precision, so that machines differ by less than a float."""
    return copy.deepcopy(vae.scaling).double()(x.double())


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
