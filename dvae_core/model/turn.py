"""From full covariances of p(z|u) to diagonal ones: turn the latents to the axes in which they are diagonal.

While the prior's covariances are full (`GaussianPrior.turn_at`), no axes are preferred, and training finds latents up
to a linear map. The remaining map is then computed from the class covariances alone. A diagonal prior from the first
step prefers axes while the nets are still nearly linear, and in some worlds those are not the factors'.
"""

import itertools
import math

import torch
from jaxtyping import Float
from torch import Tensor

from dvae_core.model.priors import LOG_VAR_BOUND, ConditionalNormal
from dvae_core.model.vae import Vae

SWEEPS = 20  # over all pairs of latents; two latents need one
ANGLES = 180  # angles tried for each pair, from 0 to 90 degrees


@torch.no_grad()
def turn(vae: Vae, x: Float[Tensor, "n d_x"], u: Float[Tensor, "n d_u"] | None, h: Float[Tensor, "n d_seen"]) -> None:
    """Turn every member's latents to the axes in which p(z|u) is diagonal, and make the prior diagonal there.

    Encoder and decoder are changed so that every x has the same reconstruction as before. The prior takes the means and
    variances of the posterior means of these rows, for each label.

    Args:
        vae: The population; its u is labels.
        x: Some training rows.
        u: Their labels, one-hot.
        h: The encoder's input for them (preprocessed x, with its window).
    """
    prior = vae.prior
    if not isinstance(prior, ConditionalNormal) or prior.is_turned is None or u is None:
        raise ValueError("This prior has no full covariances to turn.")
    eps = torch.zeros(vae.p, len(x), vae.config.model.latents, device=x.device)
    mu = vae.eval().elbo_of(h.expand(vae.p, -1, -1), x.expand(vae.p, -1, -1), u.expand(vae.p, -1, -1), eps).q.mu
    vae.train()
    table = prior.net.get_parameter("weight")
    for m in range(vae.p):
        z = mu[m].double()
        if not torch.isfinite(z).all():  # a diverged member is left unchanged
            continue
        shares, means, covariances = moments_of(z, u.double())
        seen = shares > 0
        A = common_axes(covariances[seen], shares[seen])
        _apply(vae, m, A.to(table))
        variances = torch.diagonal(A.mT @ covariances[seen] @ A, dim1=-2, dim2=-1).clamp_min(1e-6)
        bounded = (variances.log() / LOG_VAR_BOUND).clamp(-0.99, 0.99)
        table[m, seen] = torch.cat([means[seen] @ A, LOG_VAR_BOUND * torch.atanh(bounded)], -1).to(table)
    prior.is_turned.fill_(True)


def moments_of(
    z: Float[Tensor, "n d"], u: Float[Tensor, "n k"]
) -> tuple[Float[Tensor, " k"], Float[Tensor, "k d"], Float[Tensor, "k d d"]]:
    """Return each label's share, mean and covariance; the share is 0 for a label with no more rows than latents."""
    counts = u.sum(0)
    means = u.mT @ z / counts.clamp_min(1)[:, None]
    rest = z - u @ means
    covariances = torch.einsum("nk,ni,nj->kij", u, rest, rest) / counts.clamp_min(1)[:, None, None]
    counts = torch.where(counts > z.shape[1], counts, 0)
    return counts / counts.sum().clamp_min(1), means, covariances


def common_axes(covariances: Float[Tensor, "k d d"], shares: Float[Tensor, " k"]) -> Float[Tensor, "d d"]:
    """Return A such that all A^T S_k A are as diagonal as they can be, and their mean is the identity.

    A = M^-1/2 R, where M is the mean of the S_k. The orthogonal R minimises sum_k share_k sum_i log (A^T S_k A)_ii, the
    likelihood of latents that are Gaussian and independent given the label (Pham & Cardoso 2001), pair after pair.
    """
    values, vectors = torch.linalg.eigh((shares[:, None, None] * covariances).sum(0))
    A = vectors * values.clamp_min(1e-12 * values.max()).rsqrt() @ vectors.mT
    angles = torch.arange(ANGLES, dtype=A.dtype, device=A.device) * (math.pi / 2 / ANGLES)
    cos, sin = torch.cos(angles), torch.sin(angles)
    for _ in range(SWEEPS):
        is_done = True
        for i, j in itertools.combinations(range(len(A)), 2):
            S = A.mT @ covariances @ A
            a, b, c = S[:, i, i, None], S[:, j, j, None], S[:, i, j, None]
            first = cos**2 * a + 2 * sin * cos * c + sin**2 * b
            second = sin**2 * a - 2 * sin * cos * c + cos**2 * b
            cost = shares @ (first.clamp_min(1e-12).log() + second.clamp_min(1e-12).log())
            best = int(cost.argmin())
            if cost[0] - cost[best] > 1e-9:
                is_done = False
                A[:, [i, j]] = A[:, [i, j]] @ torch.stack([
                    torch.stack([cos[best], -sin[best]]), torch.stack([sin[best], cos[best]])
                ])  # fmt: skip
        if is_done:
            break
    return A


def _apply(vae: Vae, m: int, A: Float[Tensor, "d d"]) -> None:
    """Change member m's nets so that its latents (rows) are z A and every reconstruction stays."""
    back = torch.linalg.inv(A)
    for net in (vae.encoder_net, vae.student_net):
        if net is not None and net.skip is not None:
            net.skip.weight[m] = net.skip.weight[m] @ A
            net.mlp.last.weight[m] = net.mlp.last.weight[m] @ A
            bias = net.mlp.last.get_parameter("bias")
            bias[m] = bias[m] @ A
    decoder = vae.decoder_net
    if decoder.skip is not None:
        decoder.skip.weight[m] = back @ decoder.skip.weight[m]
        first = next(iter((*decoder.mlp.hidden, decoder.mlp.last))).get_parameter("weight")
        first[m] = back @ first[m]
