"""The slides in code: generator p_theta(x|z), encoder q_phi(z|x), and the ELBO, for a population of p members.

    x, u  --encoder-->  q(z|x) = N(mu_z, F F^T)  --z = mu_z + F eps-->  z  --generator-->  p(x|z)
    ELBO = E_q[log p(x|z)] - KL(q(z|x) || p(z|u));      beta-VAE weighs the KL by beta

A VAE has the prior N(0, I). An iVAE is a VAE whose prior is p(z|u); nothing else differs. Axes: p members, n examples.
"""

import dataclasses
import itertools
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dvae_core.config import Config, ConvNet, GaussianLikelihood, PoissonLikelihood
from dvae_core.model import likelihoods
from dvae_core.model.layers import ACTIVATIONS, Conv, Linear, Mlp, bounded_std, convolve
from dvae_core.model.priors import Family, Given, GivenNormal, prior_of

REFINE_TRAINING, REFINE_TESTING = 2, 5  # Gauss-Newton steps; one fewer in training costs .1 of MCC
AMORTISE = 10.0  # weight of the encoder's regression onto its refined mean: e(x) alone .90 at 0, .93 at 1, .945 at 10
LOG_STD_Z = 6.0  # |log std| of q is kept below this, smoothly


@dataclass(frozen=True)
class Sizes:
    """What a model must know of its data."""

    d_x: int
    d_u: int = 0
    labels: bool = False
    x_shape: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Posterior:
    """q(z|x) = N(mu, F F^T), with F [p, n, d, d], or [p, n, d] where it is diagonal; log_det = log |det F|.

    `guess` is the encoder's own mean where `mu` was refined from it.
    """

    mu: Tensor
    factor: Tensor
    log_det: Tensor
    guess: Tensor | None = None

    def sample(self, eps: Tensor) -> Tensor:
        """Return mu + F eps, for eps [p, n, d_z]."""
        if self.factor.dim() == self.mu.dim():
            return self.mu + self.factor * eps
        return self.mu + (self.factor @ eps[..., None])[..., 0]

    @property
    def var(self) -> Tensor:
        """Marginal variances [p, n, d_z]: the diagonal of F F^T."""
        if self.factor.dim() == self.mu.dim():
            return self.factor.square()
        return self.factor.square().sum(-1)

    def log_prob(self, z: Tensor) -> Tensor:
        """Return log q(z|x) [p, n]."""
        if self.factor.dim() == self.mu.dim():
            eps = (z - self.mu) / self.factor
        else:
            eps = torch.linalg.solve(self.factor, (z - self.mu)[..., None])[..., 0]
        return -0.5 * (eps.square() + math.log(2 * math.pi)).sum(-1) - self.log_det


@dataclass(frozen=True)
class Elbo:
    """The bound and its parts, nats per example, [p, n]; elbo = recon - kl, kl = kl_latent.sum(-1) + kl_dependence.

    `kl_latent` [p, n, d_z] compares each marginal of q with its prior; `kl_dependence` is the total correlation of
    q(z|x), 0 for a diagonal q. The loss uses `kl`; ordering and dead latents use `kl_latent`. In closed form, but for
    the learned prior: there E_q[log p(z_i|u)] is one sample's, so an example's `kl_latent` may be below 0, its mean
    over examples not. `q` is the posterior.
    """

    recon: Tensor
    kl: Tensor
    kl_latent: Tensor
    kl_dependence: Tensor
    q: Posterior

    @property
    def elbo(self) -> Tensor:
        """Recon - kl, to be maximised."""
        return self.recon - self.kl

    @torch.no_grad()
    def means(self) -> Tensor:
        """Return the means over examples of recon, kl, kl_dependence and each kl_latent, [p, 3 + d_z]."""
        parts = torch.stack([self.recon, self.kl, self.kl_dependence], -1)
        return torch.cat([parts, self.kl_latent], -1).mean(1)


def kl_to_prior(q: Posterior, prior_mu: Tensor, prior_logvar: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """KL(q || prod_i N(mu_i, var_i)) in closed form: total [p, n], per latent [p, n, d], dependence [p, n]."""
    var = q.var
    precision = torch.exp(-prior_logvar)
    kl_latent = 0.5 * (var * precision + (q.mu - prior_mu).square() * precision - 1 + prior_logvar - torch.log(var))
    total = kl_latent.sum(-1)
    if q.factor.dim() == q.mu.dim():
        return total, kl_latent, torch.zeros_like(q.log_det)
    dependence = 0.5 * torch.log(var).sum(-1) - q.log_det  # total correlation of a Gaussian
    return total + dependence, kl_latent, dependence


def kl_to(q: Posterior, prior: Given, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """KL(q || p(z|u)) for any factorial prior: total [p, n], per latent [p, n, d], dependence [p, n].

        KL_i = -H[q_i] - E_q[log p(z_i|u)],   H[q_i] = 1/2 log(2 pi e var_i)

    The entropy is in closed form. So is the expectation, but for the learned family: there it is that of the sample
    z ~ q, unbiased.
    """
    if isinstance(prior, GivenNormal):
        return kl_to_prior(q, prior.mu, prior.logvar)
    entropy = 0.5 * (torch.log(q.var) + math.log(2 * math.pi) + 1)
    kl_latent = -entropy - prior.expected_log_prob(q.mu, q.var, z)
    if q.factor.dim() == q.mu.dim():
        return kl_latent.sum(-1), kl_latent, torch.zeros_like(q.log_det)
    dependence = entropy.sum(-1) - 0.5 * q.mu.shape[-1] * (math.log(2 * math.pi) + 1) - q.log_det
    return kl_latent.sum(-1) + dependence, kl_latent, dependence


class Encoder(nn.Module):
    """g_phi: preprocessed x (and u) to mu_z and the numbers that make F. A linear path runs beside the MLP."""

    rows: Tensor
    columns: Tensor

    def __init__(self, p: int, config: Config, sizes: Sizes) -> None:
        super().__init__()
        model = config.model
        d_z = model.latents
        self.d_z, self.kind = d_z, model.posterior
        self.sees_u = model.encoder == "xu"
        n_out = {"diagonal": 2 * d_z, "full": 2 * d_z + d_z * (d_z - 1) // 2, "gauss-newton": d_z}[model.posterior]
        d_u = sizes.d_u if self.sees_u else 0
        self.trunk = None
        if isinstance(model.net, ConvNet):
            self.trunk = ConvTrunk(p, model.net, sizes)
            self.mlp = Mlp(
                p, self.trunk.d_out + d_u, n_out, hidden=model.net.hidden, depth=1, activation=model.net.activation
            )
            self.skip = None
        else:
            net = model.net
            hidden = net.encoder_hidden or net.hidden
            self.mlp = Mlp(p, sizes.d_x + d_u, n_out, hidden=hidden, depth=net.depth, activation=net.activation)
            self.skip = Linear(p, sizes.d_x, d_z, bias=False)
        rows, columns = torch.tril_indices(d_z, d_z, -1)
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("columns", columns, persistent=False)

    def forward(self, x: Float[Tensor, "p n d_x"], u: Tensor | None) -> tuple[Tensor, Posterior | None]:
        """Return (mu, q); q is None for "gauss-newton", whose covariance comes from the decoder."""
        h = x if self.trunk is None else self.trunk(x)
        if self.sees_u:
            if u is None:
                raise ValueError("This encoder is q(z|x,u): it needs u.")
            h = torch.cat([h, u], -1)
        out = self.mlp(h, self.skip, x)
        if self.kind == "gauss-newton":
            return out, None
        d = self.d_z
        mu, log_std, below = out.split((d, d, out.shape[-1] - 2 * d), -1)
        std, log_det = bounded_std(log_std, LOG_STD_Z)
        if self.kind == "diagonal":
            return mu, Posterior(mu, std, log_det)
        # F = diag(std) (I + strictly lower part): rows scale with their own std
        factor = torch.diag_embed(std)
        if below.shape[-1]:
            factor = factor.clone()
            factor[..., self.rows, self.columns] = below * std[..., self.rows]
        return mu, Posterior(mu, factor, log_det)


class ConvTrunk(nn.Module):
    """Four strided convolutions: [H, W, C] to c, c, 2c, 2c channels on a picture 16 times smaller."""

    def __init__(self, p: int, net: ConvNet, sizes: Sizes) -> None:
        super().__init__()
        self.shape = picture_shape(sizes)
        height, width, channels = self.shape
        widths = [channels, net.channels, net.channels, 2 * net.channels, 2 * net.channels]
        self.convs = nn.ModuleList(Conv(p, a, b) for a, b in itertools.pairwise(widths))
        self.d_out = widths[-1] * (height // 16) * (width // 16)
        self.activation = net.activation

    def forward(self, x: Float[Tensor, "p n d_x"]) -> Float[Tensor, "p n d_out"]:
        """Return the features, flattened."""
        h = x.unflatten(-1, self.shape).movedim(-1, -3)  # rows of x are [H, W, C]
        return torch.stack([maps.flatten(1) for maps in convolve(h, self.convs, self.activation)])


class Generator(nn.Module):
    """f_theta: z to the mean of preprocessed x, to logits, or to log rates (and, for a network's Sigma_x, log std)."""

    def __init__(self, p: int, config: Config, sizes: Sizes) -> None:
        super().__init__()
        model = config.model
        self.two_heads = isinstance(model.likelihood, GaussianLikelihood) and model.likelihood.noise == "network"
        heads = 2 if self.two_heads else 1
        self.activation = model.net.activation
        self.convs, self.skip = None, None
        if isinstance(model.net, ConvNet):
            height, width, channels = picture_shape(sizes)
            c = model.net.channels
            self.small = (2 * c, height // 16, width // 16)
            self.mlp = Mlp(
                p, model.latents, math.prod(self.small), hidden=model.net.hidden, depth=1,
                activation=model.net.activation, last_gain=1.0,
            )  # fmt: skip
            widths = [2 * c, 2 * c, c, c, channels * heads]
            self.convs = nn.ModuleList(Conv(p, a, b, transpose=True) for a, b in itertools.pairwise(widths))
            self.bias = nn.Parameter(torch.zeros(p, sizes.d_x))  # the mean picture: the net learns what varies
        else:
            net = model.net
            self.mlp = Mlp(
                p, model.latents, sizes.d_x * heads, hidden=net.hidden, depth=net.depth, activation=net.activation
            )
            self.skip = Linear(p, model.latents, sizes.d_x, bias=False)

    def forward(self, z: Float[Tensor, "p n d_z"]) -> tuple[Tensor, Tensor | None]:
        """Return (mean, logit or log rate [p, n, d_x]; log std [p, n, d_x] or None)."""
        h = self.mlp(z, self.skip)
        if self.convs is not None:
            h = ACTIVATIONS[self.activation](h).unflatten(-1, self.small)
            pictures = convolve(h, self.convs, self.activation, end_linear=True)
            heads = [maps.chunk(2, 1) if self.two_heads else (maps,) for maps in pictures]
            # back to rows of [H, W, C], one head after the other
            parts = [torch.stack([h.movedim(1, -1).flatten(1) for h in head]) for head in zip(*heads, strict=True)]
            parts[0] = parts[0] + self.bias[:, None]
        else:
            parts = list(h.chunk(2, -1)) if self.two_heads else [h]
        return parts[0], (parts[1] if self.two_heads else None)

    def with_jacobian(self, z: Float[Tensor, "p n d_z"]) -> tuple[Tensor, Tensor | None, Tensor]:
        """Return `forward`'s pair and the Jacobian [p, n, d_z, d_x] of its first part. MLP only.

        Raises:
            ValueError: For a convolutional decoder.
        """
        if self.skip is None:
            raise ValueError("Only the MLP's Jacobian is written out; choose the MLP.")
        h, jacobian = self.mlp.with_jacobian(z)
        d_x = self.skip.weight.shape[-1]
        mean = h[..., :d_x] + self.skip(z)
        jacobian = jacobian[..., :d_x] + self.skip.weight[:, None]
        return mean, (h[..., d_x:] if self.two_heads else None), jacobian


class Vae(nn.Module):
    """A population of p VAEs (or, with a conditional prior, iVAEs) on one data set.

    Every parameter has a leading member axis. x is in the data's units; the linear preprocessing sits inside, and
    Gaussian likelihoods include its log-determinant, so that ELBOs are nats per example *of the data*. z, eps, x, u
    are [p, n, ...]. The module knows no device, file or log.
    """

    conditional: Family
    x_mean: Tensor
    x_forward: Tensor
    x_inverse: Tensor
    x_log_det: Tensor
    u_mean: Tensor
    u_scale: Tensor
    rotation: Tensor
    log_std_x: Tensor

    def __init__(self, config: Config, sizes: Sizes) -> None:
        super().__init__()
        check(config, sizes)
        p, model = config.members, config.model
        self.config, self.sizes = config, sizes
        self.encoder = Encoder(p, config, sizes)
        self.generator = Generator(p, config, sizes)
        self.conditional = prior_of(config.prior, p, model.latents, sizes.d_u, labels=sizes.labels)
        d_x = sizes.d_x
        square = (d_x, d_x) if model.preprocess == "whiten" else (d_x,)
        self.register_buffer("x_mean", torch.zeros(d_x))
        self.register_buffer("x_forward", torch.ones(square))  # a matrix for "whiten", else a scale per dimension
        self.register_buffer("x_inverse", torch.ones(square))
        self.register_buffer("x_log_det", torch.zeros(()))
        self.register_buffer("u_mean", torch.zeros(sizes.d_u))
        self.register_buffer("u_scale", torch.ones(sizes.d_u))
        rotation = torch.tensor(model.rotation) if model.rotation else torch.eye(model.latents)
        self.register_buffer("rotation", rotation)
        noise = model.likelihood.noise if isinstance(model.likelihood, GaussianLikelihood) else None
        if noise in ("scalar", "dimension"):
            self.log_std_x = nn.Parameter(torch.zeros(p, 1 if noise == "scalar" else d_x))
        elif noise in ("fixed", "annealed"):
            self.register_buffer("log_std_x", torch.zeros(p, 1))

    # --- the slide ---

    def encode(self, x: Float[Tensor, "p n d_x"], u: Tensor | None = None) -> Posterior:
        """q_phi(z|x), or q_phi(z|x,u) if the encoder sees u (gauss-newton sees u through the prior)."""
        h = self.preprocess(x)
        return self._encode(h, self.target(x, h), u)

    def _encode(self, h: Tensor, target: Tensor, u: Tensor | None) -> Posterior:
        mu, q = self.encoder(h, self.standardise_u(u))
        if q is None:
            q = self.gauss_newton(target, u, mu)
        if not self.config.model.rotation:
            return q
        M = self.rotation  # the rotated twin: mean M mu, factor M F (never a fresh Cholesky factor of M S M^T)
        factor = torch.diag_embed(q.factor) if q.factor.dim() == q.mu.dim() else q.factor
        return Posterior(q.mu @ M.T, M @ factor, q.log_det)

    def amortised(self, x: Float[Tensor, "p n d_x"], u: Tensor | None = None) -> Float[Tensor, "p n d_z"]:
        """The encoder's own mean e(x), before any refinement on the decoder."""
        mu, _ = self.encoder(self.preprocess(x), self.standardise_u(u))
        return mu @ self.rotation.T if self.config.model.rotation else mu

    def gauss_newton(self, target: Float[Tensor, "p n d_x"], u: Tensor | None, mu: Tensor) -> Posterior:
        """Refine the encoder's guess on the decoder, and take the decoder's own curvature as covariance.

            H = J W J^T + Lambda,   m <- m + H^-1 [ J e + d log p(m|u) / dz ],   q(z|x,u) = N(m, H^-1)

        with Lambda the prior's precision at m (Gaussian: 1 / var_u, and -(m - mu_u) / var_u the gradient; others: the
        curvature of -log p(z|u), kept positive), J = d eta / dz, e the residual and W its Fisher information (Gaussian:
        e = (x - f) / s^2, W = 1 / s^2; Poisson: e = x - rate, W = rate; Bernoulli likewise). Everything stays in the
        graph: gradients flow through the steps (detached, the recovery is lost). Any m and H give a valid bound.
        """
        prior = self.given(mu, u)
        m = mu
        steps = REFINE_TRAINING if self.training else REFINE_TESTING
        for _ in range(steps):
            H, gradient = self._curvature(target, m)
            pull, precision = prior.newton(m)
            gradient = gradient + pull
            L = _cholesky(H + torch.diag_embed(precision))
            move = torch.cholesky_solve(gradient[..., None], L)[..., 0]
            length = move.square().sum(-1, keepdim=True).clamp_min(1e-12).sqrt()
            m = m + move / length.clamp_min(
                1.0
            )  # no step is longer than 1: far from the mode the model is not quadratic
        H, _ = self._curvature(target, m)
        _, precision = prior.newton(m)
        L = _cholesky(H + torch.diag_embed(precision))
        identity = torch.eye(m.shape[-1], dtype=m.dtype, device=m.device).expand_as(L)
        factor = torch.linalg.solve_triangular(L.mT, identity, upper=True)  # H^-1 = L^-T L^-1
        return Posterior(m, factor, -torch.log(torch.diagonal(L, dim1=-2, dim2=-1)).sum(-1), guess=mu)

    def _curvature(self, target: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return J W J^T [p, n, d, d] and J e [p, n, d] of the likelihood at z."""
        mean, log_std, J = self.generator.with_jacobian(z)
        kind = self.config.model.likelihood.kind
        if kind == "gaussian":
            log_std = self.log_std_x[:, None, :] if log_std is None else log_std
            W = torch.exp(-2 * likelihoods.bounded_log_std(log_std)).expand_as(mean)
            e = (target - mean) * W
        else:
            expected = torch.exp(mean) if kind == "poisson" else torch.sigmoid(mean)
            W = expected if kind == "poisson" else expected * (1 - expected)
            e = target - expected
        return (J * W[:, :, None]) @ J.mT, (J @ e[..., None])[..., 0]

    def given(self, z_like: Float[Tensor, "p n d_z"], u: Tensor | None = None) -> Given:
        """p(z), or p_theta(z|u) at these u: its densities, samples and moments, with the shape of `z_like`."""
        return self.conditional(z_like, self.standardise_u(u))

    def prior(self, z_like: Float[Tensor, "p n d_z"], u: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(mean, log variance) of p(z), or of p_theta(z|u), whatever its family."""
        return self.given(z_like, u).moments()

    def sample_prior(self, v: Float[Tensor, "p n d_z"], u: Tensor | None = None) -> Float[Tensor, "p n d_z"]:
        """Draw z ~ p(z) or p_theta(z|u): F^-1(v) for v uniform on (0, 1), drawn by the caller."""
        return self.given(v, u).sample(v)

    def decode(self, z: Float[Tensor, "p n d_z"]) -> Float[Tensor, "p n d_x"]:
        """E[x|z] in the data's units: a mean, a probability or a rate."""
        mean, _ = self.generator(self.unrotate(z))
        kind = self.config.model.likelihood.kind
        if kind == "bernoulli":
            return torch.sigmoid(mean)
        if kind == "poisson":
            return torch.exp(mean)
        if self.x_inverse.dim() == 2:
            return mean @ self.x_inverse + self.x_mean
        return mean * self.x_inverse + self.x_mean

    def log_px_z(self, x: Float[Tensor, "p n d_x"], z: Float[Tensor, "p n d_z"]) -> Float[Tensor, "p n"]:
        """Log p_theta(x|z), nats per example."""
        return self._log_px_z(self.target(x), z)

    def _log_px_z(self, target: Tensor, z: Tensor) -> Tensor:
        mean, log_std = self.generator(self.unrotate(z))
        kind = self.config.model.likelihood.kind
        if kind == "bernoulli":
            return likelihoods.bernoulli(target, mean)
        if kind == "poisson":
            return likelihoods.poisson(target, mean)
        log_std = self.log_std_x[:, None, :] if log_std is None else log_std
        return likelihoods.gaussian(target, mean, likelihoods.bounded_log_std(log_std)) + self.x_log_det

    def elbo(
        self,
        x: Float[Tensor, "p n d_x"],
        u: Tensor | None,
        eps: Float[Tensor, "p n d_z"],
        h: Float[Tensor, "p n d_x"] | None = None,
    ) -> Elbo:
        """One-sample ELBO; `eps` is drawn by the caller. The KL: see `kl_to`.

        `h` is x preprocessed, where the caller has it: training does that once, not at every step.
        """
        h = self.preprocess(x) if h is None else h
        target = self.target(x, h)
        q = self._encode(h, target, u)
        z = q.sample(eps)
        return Elbo(self._log_px_z(target, z), *kl_to(q, self.given(q.mu, u), z), q)

    # --- around it ---

    def preprocess(self, x: Tensor) -> Tensor:
        """Centre and scale (or whiten) x. Counts are square-rooted for the encoder; Poisson terms use x itself."""
        if isinstance(self.config.model.likelihood, PoissonLikelihood):
            x = torch.sqrt(x)
        x = x - self.x_mean
        return x @ self.x_forward if self.x_forward.dim() == 2 else x * self.x_forward

    def target(self, x: Tensor, h: Tensor | None = None) -> Tensor:
        """What the likelihood describes: preprocessed x (h, if at hand) if it is Gaussian, else x itself."""
        if not isinstance(self.config.model.likelihood, GaussianLikelihood):
            return x
        return self.preprocess(x) if h is None else h

    def standardise_u(self, u: Tensor | None) -> Tensor | None:
        """Centre and scale u where it is numbers; labels (one-hot) pass unchanged."""
        return u if u is None or self.sizes.labels else (u - self.u_mean) * self.u_scale

    def unrotate(self, z: Tensor) -> Tensor:
        """M^T z~ (rows: z~ M) for a rotated twin; z itself otherwise."""
        return z @ self.rotation if self.config.model.rotation else z

    @property
    def p(self) -> int:
        """Number of members."""
        return self.config.members


def _cholesky(H: Tensor) -> Tensor:
    # unchecked: a member whose H is not finite gets numbers that are not, and the others go on; nor does a GPU wait
    return torch.linalg.cholesky_ex(H)[0]


def picture_shape(sizes: Sizes) -> tuple[int, int, int]:
    """Return (H, W, C) for a convolutional net, or say in words why there is none."""
    shape = sizes.x_shape
    if shape is None or shape[0] % 16 or shape[1] % 16:
        what = "not pictures" if shape is None else f"{shape[0]} x {shape[1]} pixels"
        raise ValueError(
            f"A convolutional net needs pictures with sides that are multiples of 16; x is {what}: use the MLP."
        )
    return (shape[0], shape[1], shape[2] if len(shape) == 3 else 1)


def check(config: Config, sizes: Sizes) -> None:
    """Raise a ValueError where a config and its data do not fit."""
    if config.is_conditional and not sizes.d_u:
        raise ValueError("An iVAE needs an auxiliary variable u, and this data has none; name one or choose a VAE.")
    if config.model.encoder == "xu" and not sizes.d_u:
        raise ValueError("The encoder q(z|x,u) needs u, and this data has none; use the encoder q(z|x).")
    if config.model.posterior == "gauss-newton" and isinstance(config.model.net, ConvNet):
        raise ValueError("The gauss-newton posterior needs the MLP's Jacobian; choose the MLP, or another posterior.")
    d_z, M = config.model.latents, config.model.rotation
    if M and (len(M) != d_z or any(len(row) != d_z for row in M)):
        raise ValueError(f"The rotation must be {d_z} x {d_z}, as many as latents; got {len(M)} rows.")


def log_px(
    vae: Vae,
    x: Float[Tensor, "p n d_x"],
    u: Tensor | None,
    eps: Float[Tensor, "s p n d_z"],
    q: Posterior | None = None,
) -> tuple[Float[Tensor, "p n"], Float[Tensor, "p n"]]:
    """Importance-weighted log p(x), or log p(x|u) where the prior is conditional, with its Monte Carlo error.

        log p(x) ~ log 1/S sum_s p(x|z_s) p(z_s|u) / q(z_s|x),   z_s ~ q        (Burda et al. 2016)

    A lower bound on average, rising with S to the truth; q's own covariance is the proposal.

    Args:
        vae: The population.
        x: Data, in its own units.
        u: Its auxiliary variable, or None.
        eps: Noise of the S samples.
        q: The posterior of x, if already at hand.

    Returns:
        The estimate and its standard error (delta method), nats per example, both [p, n].
    """
    q = vae.encode(x, u) if q is None else q
    prior = vae.given(q.mu, u)
    log_w = []
    for noise in eps:  # one sample at a time: memory stays that of a batch
        z = q.sample(noise)
        log_q = -0.5 * (noise.square() + math.log(2 * math.pi)).sum(-1) - q.log_det
        log_w.append(vae.log_px_z(x, z) + prior.log_prob(z).sum(-1) - log_q)
    log_weights = torch.stack(log_w)
    estimate = torch.logsumexp(log_weights, 0) - math.log(len(eps))
    weights = torch.exp(log_weights - estimate)  # mean 1
    return estimate, weights.std(0, correction=1) / math.sqrt(len(eps)) if len(eps) > 1 else torch.zeros_like(estimate)


def member(vae: Vae, m: int) -> Vae:
    """Return member m alone, as a population of one."""
    train = vae.config.train
    own = {"seeds": train.seeds[m : m + 1], "betas": train.betas[m : m + 1], "lrs": train.lrs[m : m + 1]}
    alone = dataclasses.replace(vae.config, train=dataclasses.replace(train, **own))
    new = Vae(alone, vae.sizes)
    of_members = {name for name, _ in vae.named_parameters()} | {"log_std_x"}  # fixed noise is a buffer, yet p rows
    new.load_state_dict({k: v[m : m + 1] if k in of_members else v for k, v in vae.state_dict().items()})
    return new.to(next(vae.parameters()).dtype)
