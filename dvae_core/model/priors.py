"""p(z) = N(0, I), and p_theta(z|u), a factorial exponential family: the only difference between VAE and iVAE.

    p_theta(z|u) = prod_i Q_i(z_i) / Z_i(u) exp( sum_j T_ij(z_i) lambda_ij(u) )

| module | T_i | lambda_i(u) |
|---|---|---|
| `ConditionalNormal` | (z, z^2); "mean" or "variance" uses only one of the two (k = 1) | (mu / var, -1 / (2 var)) |
| `ConditionalLaplace` | abs(z), k = 1 | -1 / scale |
| `LearnedFamily` | k small networks | learned |

A module turns u into a *given*: the distribution at these u, with `log_prob`, `kl_from`, `newton`, `sample` and
`moments`, each per latent. Labels are one-hot, so the first layer of lambda(u) *is* its table. Numeric u is
standardised and passed through a network with one hidden layer.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dvae_core.config import (
    CustomPrior,
    GaussianPrior,
    LaplacePrior,
    MixturePrior,
    Prior,
    StandardPrior,
    TimePrior,
)
from dvae_core.model import contract
from dvae_core.model.layers import Linear, Mlp
from dvae_core.model.mixture_prior import Mixture
from dvae_core.model.posterior import Posterior
from dvae_core.model.time_prior import OverTime

LOG_VAR_BOUND = 7.0  # |log var| stays below this: stds between 0.03 and 33


@dataclass(frozen=True)
class GivenNormal:
    """N(mu, exp(logvar)) with independent components. Both are [p, n, d_z], or [1, 1, d_z] if all share them."""

    mu: Tensor
    logvar: Tensor

    def moments(self) -> tuple[Tensor, Tensor]:
        """Return mean and log variance."""
        return self.mu, self.logvar

    def log_prob(self, z: Tensor) -> Tensor:
        """Log p(z_i|u) per latent, nats."""
        return -0.5 * ((z - self.mu).square() * torch.exp(-self.logvar) + self.logvar + math.log(2 * math.pi))

    def kl_from(self, q: Posterior, z: Tensor) -> Tensor:
        """KL(q(z_i|x) || p(z_i|u)) in closed form; the sample z is not needed."""
        precision = torch.exp(-self.logvar)
        squared = (q.mu - self.mu).square()
        return 0.5 * (q.var * precision + squared * precision - 1 + self.logvar - torch.log(q.var))

    def newton(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Gradient of log p(z_i|u) and a positive precision (here minus its second derivative)."""
        precision = torch.exp(-self.logvar)
        return -precision * (z - self.mu), precision

    def sample(self, v: Tensor) -> Tensor:
        """F^-1(v), v uniform on (0, 1)."""
        return self.mu + torch.exp(0.5 * self.logvar) * torch.special.ndtri(v)


@dataclass(frozen=True)
class GivenFullNormal(GivenNormal):
    """N(mu, Sigma) with Sigma^-1 = B^T diag(exp(-logvar)) B and B [p, n, d_z, d_z] unit lower triangular.

    So w = B (z - mu) has independent components of log variance `logvar`. Values "per latent" are per component of w.
    """

    B: Tensor

    def moments(self) -> tuple[Tensor, Tensor]:
        """Return mean and log of the marginal variances."""
        back = torch.linalg.inv(self.B)
        return self.mu, torch.log((back.square() * torch.exp(self.logvar)[..., None, :]).sum(-1))

    def log_prob(self, z: Tensor) -> Tensor:
        """Log densities of the components of w, nats; their sum is log p(z|u), since det B = 1."""
        w = self._components(z)
        return -0.5 * (w.square() * torch.exp(-self.logvar) + self.logvar + math.log(2 * math.pi))

    def kl_from(self, q: Posterior, z: Tensor) -> Tensor:
        """Terms whose sum, with q's dependence, is KL(q(z|x) || p(z|u)); q's entropy is shared equally among them."""
        precision = torch.exp(-self.logvar)
        var = (self.B @ q.full().factor).square().sum(-1)
        terms = var * precision + self._components(q.mu).square() * precision - 1 + self.logvar
        return 0.5 * terms - ((q.log_det + q.dependence) / z.shape[-1])[..., None]

    def newton(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Gradient of log p(z|u), and its precision matrix."""
        precision = self.B.mT @ (torch.exp(-self.logvar)[..., None] * self.B)
        return -(precision @ (z - self.mu)[..., None])[..., 0], precision

    def sample(self, v: Tensor) -> Tensor:
        """A draw of z from v, uniform on (0, 1)."""
        w = torch.exp(0.5 * self.logvar) * torch.special.ndtri(v)
        return self.mu + torch.linalg.solve_triangular(self.B, w[..., None], upper=False)[..., 0]

    def _components(self, z: Tensor) -> Tensor:
        return (self.B @ (z - self.mu)[..., None])[..., 0]


class StandardNormal(nn.Module):
    """N(0, I) for every member and every u."""

    k = 0
    zeros: Tensor

    def __init__(self, d_z: int) -> None:
        super().__init__()
        self.register_buffer("zeros", torch.zeros(1, 1, d_z), persistent=False)

    def forward(self, u: Tensor | None = None) -> GivenNormal:
        """Return N(0, I)."""
        return GivenNormal(self.zeros, self.zeros)


class OfNumbers(Mlp):
    """A network of numeric u with one hidden layer. It first standardises u with the model's own scaling."""

    def __init__(self, p: int, d_u: int, d_out: int, *, hidden: int, standardise: Callable[[Tensor], Tensor]) -> None:
        super().__init__(p, d_u, d_out, hidden=hidden, depth=1, activation="xtanh")
        self.standardise = standardise

    def forward(self, u: Float[Tensor, "p n d_u"]) -> Float[Tensor, "p n d_out"]:
        """Return the outputs at u, in the data's units."""
        return super().forward(self.standardise(u))


class ConditionalNormal(nn.Module):
    """N(mu(u), var(u)) with independent components. A learned mean is essential if means change with u.

    If it is to be turned (`GaussianPrior.turn_at`), its components are dependent, with the entries of B in `below`,
    until `turn.turn` sets `is_turned`.
    """

    is_turned: Tensor | None

    def __init__(self, p: int, d_u: int, d_z: int, *, modulate: str, turns: bool = False, **of_u: Any) -> None:
        super().__init__()
        self.modulate = modulate
        self.k = 2 if modulate == "both" else 1
        self.net = _of_u(p, d_u, 2 * d_z, **of_u)
        turns = turns and d_z > 1
        self.below = Linear(p, d_u, d_z * (d_z - 1) // 2, bias=False, gain=0.0) if turns else None
        self.register_buffer("is_turned", torch.tensor(False) if turns else None)

    def forward(self, u: Float[Tensor, "p n d_u"] | None) -> GivenNormal:
        """Return the Gaussian at u."""
        mu, logvar = self.net(_required(u)).chunk(2, -1)
        if self.modulate == "mean":
            logvar = torch.zeros_like(logvar)  # the scale is arbitrary (the decoder absorbs it): fix it at 1
        if self.modulate == "variance":
            mu = torch.zeros_like(mu)
        logvar = LOG_VAR_BOUND * torch.tanh(logvar / LOG_VAR_BOUND)
        if self.below is None or self.is_turned:
            return GivenNormal(mu, logvar)
        d = mu.shape[-1]
        rows, columns = torch.tril_indices(d, d, -1, device=mu.device)
        B = torch.eye(d, dtype=mu.dtype, device=mu.device).repeat(*mu.shape[:2], 1, 1)
        B[..., rows, columns] = self.below(_required(u))
        return GivenFullNormal(mu, logvar, B)

    def statistics(self, z: Float[Tensor, "p n d_z"]) -> Float[Tensor, "p n d_z k"]:
        """T(z): z and z^2, or only the one that u changes."""
        both = {"mean": [z], "variance": [z.square()], "both": [z, z.square()]}
        return torch.stack(both[self.modulate], -1)

    def lam(self, u: Float[Tensor, "p n d_u"]) -> Float[Tensor, "p n d_z k"]:
        """lambda(u), from which the matrix L is built."""
        given = self(u)
        precision = torch.exp(-given.logvar)
        both = {"mean": [precision * given.mu], "variance": [-0.5 * precision]}
        return torch.stack(both.get(self.modulate, [precision * given.mu, -0.5 * precision]), -1)


@dataclass(frozen=True)
class GivenLaplace:
    """Laplace(0, exp(log_scale)) with independent components. The variance is 2 scale^2."""

    log_scale: Tensor

    def moments(self) -> tuple[Tensor, Tensor]:
        """Return mean and log variance."""
        return torch.zeros_like(self.log_scale), math.log(2) + 2 * self.log_scale

    def log_prob(self, z: Tensor) -> Tensor:
        """Log p(z_i|u) per latent, nats."""
        return -z.abs() * torch.exp(-self.log_scale) - self.log_scale - math.log(2)

    def kl_from(self, q: Posterior, z: Tensor) -> Tensor:
        """KL(q(z_i|x) || p(z_i|u)) in closed form; the sample z is not needed.

        E|z| = sd sqrt(2/pi) exp(-mu^2 / (2 var)) + mu erf(mu / (sd sqrt 2)), the folded normal's mean.
        """
        entropy = q.entropy
        sd = q.var.sqrt()
        t = q.mu / (sd * math.sqrt(2))
        mean_abs = sd * math.sqrt(2 / math.pi) * torch.exp(-t.square()) + q.mu * torch.erf(t)
        return -entropy - (-mean_abs * torch.exp(-self.log_scale) - self.log_scale - math.log(2))

    def newton(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Gradient and a positive precision, those of the parabola that lies above sqrt(z^2 + (scale / 10)^2) / scale.

        The log density has a kink and no curvature, so this uses the weight of iteratively reweighted least squares.
        """
        scale = torch.exp(self.log_scale)
        precision = 1 / (scale * (z.square() + 0.01 * scale.square()).sqrt())
        return -precision * z, precision

    def sample(self, v: Tensor) -> Tensor:
        """F^-1(v), v uniform on (0, 1)."""
        side = v - 0.5
        return -torch.exp(self.log_scale) * torch.sign(side) * torch.log1p(-2 * side.abs())


class ConditionalLaplace(nn.Module):
    """Laplace(0, scale(u)) with independent components: T = |z|, k = 1, not monotonic, so permutation is attainable.

    The centre is fixed at 0, because the decoder absorbs any other. With a centre that changes with u this would not be
    an exponential family.
    """

    k = 1

    def __init__(self, p: int, d_u: int, d_z: int, **of_u: Any) -> None:
        super().__init__()
        self.net = _of_u(p, d_u, d_z, **of_u)

    def forward(self, u: Float[Tensor, "p n d_u"] | None) -> GivenLaplace:
        """Return the Laplace at u. Without an effect of u its variance is 1."""
        bound = 0.5 * LOG_VAR_BOUND
        return GivenLaplace(bound * torch.tanh(self.net(_required(u)) / bound) - 0.5 * math.log(2))

    def statistics(self, z: Float[Tensor, "p n d_z"]) -> Float[Tensor, "p n d_z k"]:
        """T(z) = |z|."""
        return z.abs()[..., None]

    def lam(self, u: Float[Tensor, "p n d_u"]) -> Float[Tensor, "p n d_z k"]:
        """lambda(u) = -1 / scale(u)."""
        return -torch.exp(-self(u).log_scale)[..., None]


# --- the learned family ---

Q_STD = 3.0  # of the wide Gaussian in Q_i; the linear paths start with latents of std about 1
GRID_END, GRID_STEP = 10.0, 0.05  # trapezoids: exact to 1e-8 for a Gaussian of std 0.05 and wider, 1e-3 at 0.03
T_BOUND = 20.0  # smooth bound on T, so that Z_i(u) exists for every lambda; -z^2/2 flattens beyond |z| = 4
RAW_BOUND = 6.0  # lambda = sinh(raw), and |raw| stays below this: |lambda| < 202
SAMPLED_ROWS = 500  # inverted at once: a CDF has 401 numbers per row, latent and member


class Statistics(nn.Module):
    """For each latent, functions of one number with one hidden layer: the log of Q_i's learned shape, and T_i1 .. T_ik.

    T_ij(z) = B tanh(h_ij(z) / B),  h_ij(z) = start_j(z) + sum_l w_ijl tanh(a_il z + c_il)

    with start = (z, -z^2/2) for k >= 2 and -z^2/2 for k = 1, so that training starts near the Gaussian family. Beyond
    +-10 every function is constant.
    """

    def __init__(self, p: int, d_z: int, k: int, width: int) -> None:
        super().__init__()
        self.k, self.width = k, width
        self.slopes = nn.Parameter(torch.zeros(p, d_z, width))
        self.offsets = nn.Parameter(torch.zeros(p, d_z, width))
        self.weights = nn.Parameter(torch.zeros(p, d_z, width, k + 1))

    def draw(self, member: int, generator: torch.Generator) -> None:
        """Draw one member's networks, with the hidden units centred throughout [-3, 3] and small weights."""
        d, width = self.slopes.shape[1:]
        slopes = 1 + torch.rand(d, width, generator=generator)
        knees = 6 * torch.rand(d, width, generator=generator) - 3
        with torch.no_grad():
            self.slopes[member] = slopes
            self.offsets[member] = -slopes * knees
            self.weights[member] = torch.randn(d, width, self.k + 1, generator=generator) * (0.3 / math.sqrt(width))

    def forward(self, z: Float[Tensor, "p m d_z"]) -> Float[Tensor, "p m d_z c"]:
        """Return (log shape, T_1, .., T_k) at z, c = k + 1."""
        return self.with_derivatives(z.clamp(-GRID_END, GRID_END))[0]

    def with_derivatives(self, z: Float[Tensor, "p m d_z"]) -> tuple[Tensor, Tensor, Tensor]:
        """Return the values and their first and second derivatives in z, for |z| within the grid."""
        t = torch.tanh(z[..., None] * self.slopes[:, None] + self.offsets[:, None])  # [p, m, d, width]
        bend = (1 - t.square()) * self.slopes[:, None]
        both = torch.stack([t, bend, -2 * t * bend * self.slopes[:, None]])
        h, dh, ddh = torch.einsum("spmdw,pdwc->spmdc", both, self.weights)
        zero, one = torch.zeros_like(z), torch.ones_like(z)
        starts = [(zero, zero, zero), (-0.5 * z.square(), -z, -one)]
        if self.k > 1:
            starts.insert(1, (z, one, zero))
        starts += [(zero, zero, zero)] * (self.k + 1 - len(starts))
        h, dh, ddh = (a + torch.stack(b, -1) for a, b in zip((h, dh, ddh), zip(*starts, strict=True), strict=True))
        t = torch.tanh(h / T_BOUND)
        slope = 1 - t.square()
        return T_BOUND * t, slope * dh, slope * (ddh - 2 / T_BOUND * t * dh.square())


class Grid:
    """The grid on which Z_i(u) is summed: trapezoids on [-10, 10], and one point for each tail of the wide Gaussian.

    Beyond the grid the statistics are constant, so the tails are exact; Z_i(u) exists for every lambda.
    """

    def __init__(self, like: Tensor, step: float = GRID_STEP) -> None:
        kind = {"dtype": like.dtype, "device": like.device}
        self.step = step
        self.z = torch.linspace(-GRID_END, GRID_END, round(2 * GRID_END / step) + 1, **kind)
        log_width = torch.full_like(self.z, math.log(step))
        log_width[[0, -1]] -= math.log(2)
        tail = torch.special.log_ndtr(torch.tensor([-GRID_END / Q_STD], **kind)).expand(2)
        self.log_weight = torch.cat([_log_wide(self.z) + log_width, tail])
        self.nodes = torch.cat([self.z, self.z[[0, -1]]])


def _log_wide(z: Tensor) -> Tensor:
    return -0.5 * (z / Q_STD).square() - math.log(Q_STD * math.sqrt(2 * math.pi))


@dataclass(frozen=True)
class GivenFamily:
    """The learned family at given u: lambda [p, n, d_z, k] and log Z [p, n, d_z]."""

    family: "LearnedFamily"
    lam: Tensor
    log_z: Tensor

    def _log_mass(self, rows: slice = slice(None)) -> tuple[Grid, Tensor]:
        """Return the grid and the log probability [p, n, d_z, nodes] at each of its nodes, with the tails last."""
        grid, shape, T = self.family.on_grid(self.lam)
        return grid, _tilted(grid.log_weight + shape, T, self.lam[:, rows]) - self.log_z[:, rows, :, None]

    def moments(self) -> tuple[Tensor, Tensor]:
        """Return mean and log variance, computed by the same sums as Z."""
        grid, log_mass = self._log_mass()
        mass = torch.exp(log_mass)
        mean = mass @ grid.nodes
        return mean, torch.log((mass @ grid.nodes.square() - mean.square()).clamp_min(1e-8))

    def log_prob(self, z: Tensor) -> Tensor:
        """Log p(z_i|u) per latent, nats."""
        values = self.family.functions(z)
        tilt = (values[..., 1:] * self.lam).sum(-1)
        return _log_wide(z) + values[..., 0] + tilt - self.log_z

    def kl_from(self, q: Posterior, z: Tensor) -> Tensor:
        """Unbiased Monte Carlo estimate of KL(q(z_i|x) || p(z_i|u)), with E log p(z_i|u) from one sample z ~ q."""
        return -q.entropy - self.log_prob(z)

    def newton(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Gradient of log p(z_i|u), and minus its second derivative, but at least the wide Gaussian's precision.

        Between two modes -log p is concave, so the wide Gaussian's own precision is used there.
        """
        _, slope, bend = self.family.functions.with_derivatives(z.clamp(-GRID_END, GRID_END))
        inside = (z.abs() < GRID_END).to(z.dtype)
        gradient = inside * (slope[..., 0] + (slope[..., 1:] * self.lam).sum(-1)) - z / Q_STD**2
        curvature = inside * (bend[..., 0] + (bend[..., 1:] * self.lam).sum(-1)) - 1 / Q_STD**2
        return gradient, (-curvature).clamp_min(1 / Q_STD**2)

    def sample(self, v: Float[Tensor, "p n d_z"]) -> Tensor:
        """F^-1(v), v uniform on (0, 1). F sums the trapezoids and is linear between nodes; its tails are exact."""
        return torch.cat([self._sample(v, slice(i, i + SAMPLED_ROWS)) for i in range(0, v.shape[1], SAMPLED_ROWS)], 1)

    def _sample(self, v: Tensor, rows: slice) -> Tensor:
        grid, log_mass = self._log_mass(rows)
        v, mass = v[:, rows], torch.exp(log_mass)
        left, right, inner = mass[..., -2], mass[..., -1], mass[..., :-2]
        # an interval holds half the mass of each of its two nodes; an end node's mass all lies on one side
        half = 0.5 * inner
        half = torch.cat([inner[..., :1], half[..., 1:-1], inner[..., -1:]], -1)
        cdf = torch.cat([left[..., None], left[..., None] + torch.cumsum(half[..., :-1] + half[..., 1:], -1)], -1)
        k = torch.searchsorted(cdf, v[..., None].contiguous()).clamp(1, cdf.shape[-1] - 1)
        low, high = (torch.gather(cdf, -1, i)[..., 0] for i in (k - 1, k))
        share = ((v - low) / (high - low).clamp_min(1e-30)).clamp(0, 1)
        z = grid.z[k[..., 0] - 1] + grid.step * share
        tail = torch.special.ndtr(torch.tensor(-GRID_END / Q_STD, dtype=v.dtype, device=v.device))
        in_left, in_right = v < left, v > 1 - right
        depth = torch.where(in_left, v / left.clamp_min(1e-30), (1 - v) / right.clamp_min(1e-30))
        beyond = -Q_STD * torch.special.ndtri((tail * depth).clamp_min(1e-30))
        return torch.where(in_left, -beyond, torch.where(in_right, beyond, z))


class LearnedFamily(nn.Module):
    """p_theta(z|u) with learned T_ij, lambda_ij(u) and Q_i: the complete formula on the slide.

    Q_i is a wide Gaussian times a learned bounded shape that u does not change. Because the prior factorises, Z_i(u) is
    a one-dimensional integral, which is summed on a fixed grid (`Grid`) and can be differentiated.
    """

    def __init__(self, p: int, d_u: int, d_z: int, *, k: int, width: int, **of_u: Any) -> None:
        super().__init__()
        self.k, self.labels = k, of_u["labels"]
        self.functions = Statistics(p, d_z, k, width)
        self.net = _of_u(p, d_u, d_z * k, **of_u)

    def forward(self, u: Float[Tensor, "p n d_u"] | None) -> GivenFamily:
        """Return the family at u. If u is labels, Z is summed once per label, not once per row."""
        u = _required(u)
        if not self.labels:
            lam = self._lam(u)
            return GivenFamily(self, lam, self.log_z(lam))
        each = torch.eye(u.shape[-1], dtype=u.dtype, device=u.device).expand(u.shape[0], -1, -1)
        table = self._lam(each)
        log_z = self.log_z(table)
        return GivenFamily(self, (u @ table.flatten(2)).unflatten(-1, table.shape[2:]), u @ log_z)

    def _lam(self, u: Tensor) -> Tensor:
        raw = self.net(u).unflatten(-1, (-1, self.k))
        start = torch.zeros(self.k, dtype=raw.dtype, device=raw.device)
        start[min(1, self.k - 1)] = math.asinh(1)  # lambda of -z^2/2 starts near 1, so the prior starts near N(0, 1)
        return torch.sinh(RAW_BOUND * torch.tanh((raw + start) / RAW_BOUND))

    def lam(self, u: Float[Tensor, "p n d_u"]) -> Float[Tensor, "p n d_z k"]:
        """lambda(u), from which the matrix L is built."""
        return self(u).lam

    def statistics(self, z: Float[Tensor, "p n d_z"]) -> Float[Tensor, "p n d_z k"]:
        """T(z)."""
        return self.functions(z)[..., 1:]

    def on_grid(self, like: Tensor, step: float = GRID_STEP) -> tuple[Grid, Tensor, Tensor]:
        """Return the grid, the log shape of Q [p, d_z, nodes] and T [p, d_z, k, nodes] on it."""
        grid = Grid(like, step)
        p, d = like.shape[0], like.shape[2]
        values = self.functions(grid.nodes[None, :, None].expand(p, -1, d)).permute(0, 2, 3, 1)  # [p, d, k + 1, nodes]
        return grid, values[:, :, 0], values[:, :, 1:]

    def log_z(self, lam: Float[Tensor, "p n d_z k"], step: float = GRID_STEP) -> Float[Tensor, "p n d_z"]:
        """Log Z_i(u), the log of the sum over the grid and both tails."""
        grid, shape, T = self.on_grid(lam, step)
        return torch.logsumexp(_tilted(grid.log_weight + shape, T, lam), -1)


def _tilted(base: Float[Tensor, "p d g"], T: Float[Tensor, "p d k g"], lam: Float[Tensor, "p n d k"]) -> Tensor:
    """Return base + sum_j lambda_j T_j at every node, [p, n, d, g]."""
    tilt = lam.transpose(1, 2) @ T  # [p, d, n, g]
    return (base[:, :, None] + tilt).transpose(1, 2)


def prior_of(
    prior: Prior, p: int, d_z: int, d_u: int, *, labels: bool, standardise: Callable[[Tensor], Tensor]
) -> nn.Module:
    """Return the module for these prior settings, for p members, d_z latents and u of d_u features.

    `standardise` is applied to numeric u first. It belongs to the model, because the encoder may also see u.
    """
    if isinstance(prior, StandardPrior):
        return StandardNormal(d_z)
    if isinstance(prior, TimePrior):
        return OverTime(p, d_z, innovations=prior.innovations, shuffle=prior.shuffle)
    if isinstance(prior, MixturePrior):
        return Mixture(p, d_z, components=prior.components)
    if isinstance(prior, CustomPrior):
        return contract.named(prior.path)(p, d_z, d_u if prior.uses_u else 0)
    of_u = {"labels": labels, "hidden": prior.hidden, "standardise": standardise}
    if isinstance(prior, GaussianPrior):
        return ConditionalNormal(p, d_u, d_z, modulate=prior.modulate, turns=prior.turn_at > 0, **of_u)
    if isinstance(prior, LaplacePrior):
        return ConditionalLaplace(p, d_u, d_z, **of_u)
    return LearnedFamily(p, d_u, d_z, k=prior.k, width=prior.width, **of_u)


def _of_u(
    p: int, d_u: int, d_out: int, *, labels: bool, hidden: int, standardise: Callable[[Tensor], Tensor]
) -> nn.Module:
    if labels:
        return Linear(p, d_u, d_out, bias=False, gain=0.1)
    return OfNumbers(p, d_u, d_out, hidden=hidden, standardise=standardise)


def _required(u: Tensor | None) -> Tensor:
    if u is None:
        raise ValueError("The prior p(z|u) needs u; pass the auxiliary variable or use the prior N(0, I).")
    return u
