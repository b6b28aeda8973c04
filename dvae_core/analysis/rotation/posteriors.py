"""The parts of "the curve that says it all" that need an optimisation or a changed prior, on one member in float64.

x [1, n, d_x], u [1, n, d_u] or None, eps [s, 1, n, d_z]: a population of one, as `vae.member` returns it.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from dvae_core.model import likelihoods
from dvae_core.model.posterior import Posterior
from dvae_core.model.vae import Vae, kl, log_mean_weight
from dvae_core.rng import generator

FITTING, MEASURING = 8, 32  # samples per example, at least, of the optimisation steps and of the measured ELBO
STEPS = 5  # five more gain 0.0002 nats on the talk's run, 0.04 on the digits (a kinked decoder)


def matched_noise(s: int, n: int, d: int, *key: int | str) -> Float[Tensor, "s 1 n d_z"]:
    """Draw s standard normal samples for each example, with mean exactly 0 and covariance exactly I over the s.

    Expectations of quadratics are then exact, so the ELBO of a linear-Gaussian model has no Monte Carlo error at all.
    If s is less than 4 d, it is raised to 4 d.
    """
    s = max(s, 4 * d)
    eps = torch.randn(n, s // 2, d, generator=generator(*key), dtype=torch.float64)
    eps = torch.cat([eps, -eps], 1)
    L = torch.linalg.cholesky(eps.mT @ eps / eps.shape[1])
    eps = torch.linalg.solve_triangular(L, eps.mT, upper=False).mT
    return eps.transpose(0, 1)[:, None].contiguous()


@torch.no_grad()
def elbo(
    vae: Vae, q: Posterior, x: Tensor, u: Tensor | None, eps: Float[Tensor, "s 1 n d_z"]
) -> tuple[Float[Tensor, "1 n"], Float[Tensor, "1 n"]]:
    """Return the ELBO of any q per example and its standard error, nats.

    It uses the mean over the samples in `eps` and the KL in closed form. The error is that of independent antithetic
    pairs; `matched_noise` is somewhat better than that.
    """
    recon = torch.stack([vae.decoder(q.sample(noise)).log_prob(vae.row(x)) for noise in eps])
    half = len(eps) // 2
    pairs = 0.5 * (recon[:half] + recon[half:])
    error = pairs.std(0, correction=1) / math.sqrt(half)
    return recon.mean(0) - kl(q, vae.prior(u), q.sample(eps[0]))[0], error


@torch.no_grad()
def better(
    vae: Vae, candidates: Sequence[Posterior], x: Tensor, u: Tensor | None, eps: Float[Tensor, "s 1 n d_z"]
) -> Posterior:
    """Return for each example the full-covariance q with the highest ELBO on these samples."""
    value = torch.stack([elbo(vae, q, x, u, eps)[0] for q in candidates])
    value = torch.where(value.isfinite(), value, -torch.inf)
    pick = value.argmax(0)  # [1, n]

    def chosen(parts: Sequence[Tensor]) -> Tensor:
        stacked = torch.stack(list(parts))
        index = pick.reshape(1, *pick.shape, *([1] * (stacked.dim() - 3))).expand(1, *stacked.shape[1:])
        return stacked.gather(0, index)[0]

    return Posterior(
        chosen([q.mu for q in candidates]), chosen([q.factor for q in candidates]),
        chosen([q.log_det for q in candidates]),
    )  # fmt: skip


def best_diagonal(
    vae: Vae,
    S: Float[Tensor, "p n d_z d_z"],
    mode: Float[Tensor, "p n d_z"],
    x: Tensor,
    eps: Float[Tensor, "s 1 n d_z"],
) -> Posterior:
    """Return the best diagonal q(z|x) of each example: start at N(mode, diag(1 / (S^-1)_ii)), then a few steps."""
    precision = torch.diagonal(torch.linalg.inv(S), dim1=-2, dim2=-1)
    return _improve(vae, Posterior(mode, precision.rsqrt(), -0.5 * torch.log(precision).sum(-1)), S, x, eps)


def best_full(vae: Vae, q: Posterior, x: Tensor, eps: Float[Tensor, "s 1 n d_z"]) -> Posterior:
    """Return the best full-covariance q(z|x) of each example, started at q: a fair competitor of `best_diagonal`."""
    return _improve(vae, q, q.factor @ q.factor.mT, x, eps)


def _improve(vae: Vae, q: Posterior, S: Tensor, x: Tensor, eps: Tensor) -> Posterior:
    """Raise each example's ELBO by a few Newton-like steps; a step that makes one worse is rejected and halved.

    With q = N(m, (F T)(F T)^T), where F is the initial factor, the quadratic model has curvature S^-1 in m, 1 in the
    entries of T below the diagonal and 2 in their logs on it: these precondition the gradient. The prior is N(0, I).
    """
    n, d = q.mu.shape[1:]
    x = x.expand(len(eps), -1, -1).reshape(1, -1, x.shape[-1])
    kept = torch.zeros(1, n, d, d + 2, dtype=q.mu.dtype)  # columns: step of m, log T_ii, T below its diagonal
    uphill, length = torch.zeros_like(kept), torch.ones_like(kept[..., :1, :1])
    best = torch.full((1, n), -torch.inf, dtype=q.mu.dtype)
    for _ in range(STEPS + 1):
        tried = (kept + length * uphill).requires_grad_()
        with torch.enable_grad():
            moved = _moved(q, tried)
            z = torch.stack([moved.sample(noise) for noise in eps])
            recon = vae.decoder(z.reshape(1, -1, d)).log_prob(vae.row(x)).reshape(len(eps), 1, n).mean(0)
            value = recon - kl(moved, vae.prior(None), z[0])[0]
            (gradient,) = torch.autograd.grad(value.sum(), [tried])
        step = torch.cat([S @ gradient[..., :1], 0.5 * gradient[..., 1:2], torch.tril(gradient[..., 2:], -1)], -1)
        is_better = value.detach() > best  # False if the value is not finite
        best = torch.where(is_better, value.detach(), best)
        pick = is_better[..., None, None]
        kept, uphill = torch.where(pick, tried.detach(), kept), torch.where(pick, step, uphill)
        length = torch.where(pick, 1.0, 0.5 * length)
    return _moved(q, kept)


def _moved(q: Posterior, by: Float[Tensor, "1 n d_z k"]) -> Posterior:
    m, log_t, below = q.mu + by[..., 0], by[..., 1], by[..., 2:]
    log_det = q.log_det + log_t.sum(-1)
    if q.is_diagonal:
        return Posterior(m, q.factor * torch.exp(log_t), log_det)
    return Posterior(m, q.factor @ (torch.diag_embed(torch.exp(log_t)) + below), log_det)


class TurnedPriors:
    """log p(x|u) of one member under priors rotated by any M, from one set of samples of its own posterior.

    The generator is rotated too, so p(x|z) at each sample stays the same, and only the prior's term changes:

        log p_M(x|u) ~ log 1/S sum_s p(x|z_s) p~(M z_s|u) / q(z_s|x,u),   z_s ~ q

    p~ is the run's own prior (held fixed) or the best factorial Gaussian one in the turned axes, N(M mu_u, diag(M V_u
    M^T)), mu_u and V_u the moments of the run's prior.
    """

    def __init__(
        self,
        vae: Vae,
        q: Posterior,
        x: Tensor,
        u: Tensor | None,
        eps: Float[Tensor, "s 1 n d_z"],
        *,
        whiten: bool = False,
    ) -> None:
        with torch.no_grad():
            self.prior = vae.prior(u)
            mu, logvar = self.prior.moments()
            var = torch.exp(logvar)
            # Turn z / sqrt(mean_u V_u) instead of z; its density differs by a constant.
            scale = var.mean(1, keepdim=True).sqrt() if whiten else torch.ones_like(var[:, :1])
            self.mu, self.var, self.scale, self.log_scale = mu / scale, var / scale**2, scale, torch.log(scale).sum()
            z, self.rest = [], []
            for noise in eps:
                sample = q.sample(noise)
                z.append(sample / scale)
                self.rest.append(vae.decoder(sample).log_prob(vae.row(x)) - q.log_prob_at(noise))
            self.z = z

    def log_pxu(self, M: Tensor, *, refitted: bool) -> tuple[Float[Tensor, "1 n"], Float[Tensor, "1 n"]]:
        """Return the estimate and its standard error, nats per example."""
        pairs = list(zip(self.rest, self.z, strict=True))
        if not refitted:
            with torch.no_grad():
                fixed = [r + self.prior.log_prob(z @ M.T * self.scale).sum(-1) for r, z in pairs]
            return log_mean_weight(torch.stack(fixed))
        mu, log_std = self.mu @ M.T, 0.5 * torch.log(self.var @ M.square().T)
        return log_mean_weight(
            torch.stack([r + likelihoods.gaussian(z @ M.T, mu, log_std) for r, z in pairs]) - self.log_scale
        )
