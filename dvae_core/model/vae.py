"""The slides in code: encoder q_phi(z|x), decoder p_theta(x|z), prior and the ELBO, for a population of p members.

    x, u  --encoder-->  q(z|x) = N(mu_z, F F^T)  --z = mu_z + F eps-->  z  --decoder-->  p(x|z)
    ELBO = E_q[log p(x|z)] - KL(q(z|x) || p(z|u));      a beta-VAE weights the KL by beta

A VAE has the prior N(0, I). An iVAE is a VAE whose prior is p(z|u); nothing else differs. Axes: p members, n examples.
"""

import dataclasses
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dvae_core.config import Config, ConvNet
from dvae_core.model.contract import Given
from dvae_core.model.likelihoods import GivenX, likelihood_of
from dvae_core.model.nets import DecoderNet, EncoderNet, Sizes, student_net
from dvae_core.model.posterior import Posterior
from dvae_core.model.priors import prior_of
from dvae_core.model.scaling import Scaling

REFINE_TRAINING, REFINE_TESTING = 2, 5  # Gauss-Newton steps; one fewer in training costs .1 of MCC
AMORTISE = 10.0  # weight of the encoder's regression onto its refined mean; MCC of e(x): .90 at 0, .93 at 1, .945 at 10


@dataclass(frozen=True)
class Elbo:
    """The bound and its parts, nats per example, [p, n]; elbo = recon - kl, kl = kl_latent.sum(-1) + kl_dependence.

    `kl_latent` [p, n, d_z] is the KL of each marginal of q from its prior; `kl_dependence` is the total correlation of
    q(z|x), 0 for a diagonal q. The loss uses `kl`; the order of latents and the dead ones follow from `kl_latent`. The
    KL is in closed form except with the learned prior. That one estimates E_q[log p(z_i|u)] from one sample, so
    an example's `kl_latent` may be negative, though its mean over examples is not. `q` is the posterior.
    """

    recon: Tensor
    kl: Tensor
    kl_latent: Tensor
    kl_dependence: Tensor
    q: Posterior

    @property
    def elbo(self) -> Tensor:
        """Recon - kl, which training maximises."""
        return self.recon - self.kl

    @torch.no_grad()
    def means(self) -> Tensor:
        """Return the means over examples of recon, kl, kl_dependence and each kl_latent, [p, 3 + d_z]."""
        parts = torch.stack([self.recon, self.kl, self.kl_dependence], -1)
        return torch.cat([parts, self.kl_latent], -1).mean(1)


class Vae(nn.Module):
    """A population of p VAEs (or, with a prior p(z|u), iVAEs) on one data set.

    Every parameter has a leading member axis. x is in the data's units. The linear preprocessing is part of the model,
    and Gaussian likelihoods include its log-determinant, so that ELBOs are nats per example *of the data*. z, eps, x, u
    are [p, n, ...]. The module does not deal with devices, files or logs.

    With a window of w rows (`ModelConfig.window`), what encodes x takes x [p, n, w d_x], the rows around each example
    side by side (`data.windows`). What decodes z describes the example's own row, `row(x)`.
    """

    rotation: Tensor

    def __init__(self, config: Config, sizes: Sizes) -> None:
        super().__init__()
        check(config, sizes)
        p, model = config.members, config.model
        self.config, self.sizes = config, sizes
        self.scaling = Scaling(model, sizes.d_x, sizes.d_u, labels=sizes.labels)
        # Checkpoints store all parameters in one row, in the order of these lines.
        self.likelihood = likelihood_of(model.likelihood, p, sizes.d_x)
        self.encoder_net = EncoderNet(p, config, sizes)
        self.decoder_net = DecoderNet(p, config, sizes, self.likelihood.outputs)
        self.student_net = student_net(p, config, sizes) if model.student else None
        standardise = self.scaling.of_u
        self.prior = prior_of(config.prior, p, model.latents, sizes.d_u, labels=sizes.labels, standardise=standardise)
        rotation = torch.tensor(model.rotation) if model.rotation else torch.eye(model.latents)
        self.register_buffer("rotation", rotation)

    # --- the slide ---

    def elbo(self, x: Float[Tensor, "p n d_seen"], u: Tensor | None, eps: Float[Tensor, "p n d_z"]) -> Elbo:
        """One-sample ELBO. The caller draws `eps`, the noise of z."""
        q = self.encoder(x, u)
        z = q.sample(eps)
        px, pz = self.decoder(z), self.prior(u)
        return Elbo(px.log_prob(self.row(x)), *kl(q, pz, z), q)

    def encoder(self, x: Float[Tensor, "p n d_seen"], u: Tensor | None = None) -> Posterior:
        """q_phi(z|x), or q_phi(z|x,u) if the encoder sees u (gauss-newton sees u through the prior)."""
        h = self.scaling(x)
        return self._encoder_of(h, self._target(h, self.row(x)), u)

    def decoder(self, z: Float[Tensor, "p n d_z"]) -> GivenX:
        """p_theta(x|z): its density, its mean and its curvature."""
        return GivenX(self.likelihood, self.scaling, *self.decoder_net.of_unrotated(self._unrotated(z)))

    # --- supporting methods ---

    def forward(self, x: Float[Tensor, "p n d_seen"], u: Tensor | None = None) -> Float[Tensor, "p n d_x"]:
        """The reconstruction E[x|z] at the posterior mean of z."""
        return self.decoder(self.encoder(x, u).mu).mean

    def row(self, x: Float[Tensor, "*n d_seen"]) -> Float[Tensor, "*n d_x"]:
        """The example's own row of its window; x itself if that is one row."""
        d_x = self.sizes.d_x
        return x if x.shape[-1] == d_x else x[..., self.config.model.window[0] * d_x :][..., :d_x]

    def elbo_of(
        self,
        h: Float[Tensor, "p n d_seen"],
        x: Float[Tensor, "p n d_x"],
        u: Tensor | None,
        eps: Tensor,
        keep: Float[Tensor, "p n d_seen"] | None = None,
    ) -> Elbo:
        """The ELBO, given h, the preprocessed input of the encoder: training preprocesses once, not at every step.

        `x` are the examples' own rows. `keep` are the factors of input dropout, 0 or 1 / (1 - dropout); none if None.
        """
        target = self._target(h, x)
        q = self._encoder_of(h if keep is None else h * keep, target, u)
        z = q.sample(eps)
        return Elbo(self.decoder(z).log_prob_of(target), *kl(q, self.prior(u), z), q)

    def decoder_with_jacobian(self, z: Float[Tensor, "p n d_z"]) -> tuple[GivenX, Float[Tensor, "p n d_z d_x"]]:
        """p_theta(x|z) and the Jacobian d f / d z of the decoder's output (no gradient if convolutional)."""
        f, second, jacobian = self.decoder_net.jacobian_of_unrotated(self._unrotated(z))
        if self.config.model.rotation:
            jacobian = self.rotation @ jacobian  # for a twin, z~ = M z, so d f / d z~ = M d f / d z
        return GivenX(self.likelihood, self.scaling, f, second), jacobian

    def amortised(self, x: Float[Tensor, "p n d_seen"], u: Tensor | None = None) -> Float[Tensor, "p n d_z"]:
        """The encoder's own mean e(x), before any refinement on the decoder; the student's, if there is one."""
        h = self.scaling(x)
        mu, _ = self.encoder_net(h, self._standardised(u)) if self.student_net is None else self.student_net(h, None)
        return mu @ self.rotation.T if self.config.model.rotation else mu

    def refined(self, x: Float[Tensor, "p n d_seen"], u: Tensor | None = None) -> Posterior:
        """The gauss-newton posterior of x, even if the model was trained with another posterior. MLP only."""
        h = self.scaling(x)
        mu, _ = self.encoder_net(h, self._standardised(u))
        return self._turned(self._gauss_newton(self._target(h, self.row(x)), u, mu))

    @property
    def p(self) -> int:
        """Number of members."""
        return self.config.members

    def _encoder_of(self, h: Tensor, target: Tensor, u: Tensor | None) -> Posterior:
        mu, q = self.encoder_net(h, self._standardised(u))
        q = self._gauss_newton(target, u, mu) if q is None else q
        if self.student_net is not None and self.training:
            q = dataclasses.replace(q, guess=self.student_net(h, None)[0])
        return self._turned(q)

    def _gauss_newton(self, target: Float[Tensor, "p n d_x"], u: Tensor | None, mu: Tensor) -> Posterior:
        """Refine the encoder's guess on the decoder, and take the covariance from the decoder's curvature.

            H = J W J^T + Lambda,   m <- m + H^-1 [ J e + d log p(m|u) / dz ],   q(z|x,u) = N(m, H^-1)

        where Lambda is the prior's precision at m (for a Gaussian 1 / var_u, with gradient -(m - mu_u) / var_u; for
        others the curvature of -log p(z|u), kept positive), J = d f / dz, e is the gradient of log p(x|z) in f, and W
        its Fisher information. Gradients flow through the steps; if the steps are detached, the factors are not
        recovered. Any m and H give a valid bound.
        """
        prior = self.prior(u)
        m = mu
        steps = REFINE_TRAINING if self.training else REFINE_TESTING
        for _ in range(steps):
            H, gradient = self._curvature(target, m)
            pull, precision = prior.newton(m)
            gradient = gradient + pull
            L = _cholesky(H + _matrix(precision, m))
            move = _solve(L, gradient)
            length = move.square().sum(-1, keepdim=True).clamp_min(1e-12).sqrt()
            # Limit every step to length 1: far from the mode the model is not quadratic.
            m = m + move / length.clamp_min(1.0)
        H, _ = self._curvature(target, m)
        _, precision = prior.newton(m)
        L = _cholesky(H + _matrix(precision, m))
        identity = torch.eye(m.shape[-1], dtype=m.dtype, device=m.device).expand_as(L)
        factor = torch.linalg.solve_triangular(L.mT, identity, upper=True)  # H^-1 = L^-T L^-1
        return Posterior(m, factor, -torch.log(torch.diagonal(L, dim1=-2, dim2=-1)).sum(-1), guess=mu)

    def _curvature(self, target: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return J W J^T [p, n, d, d] and J e [p, n, d] of the likelihood, at unrotated latents."""
        f, second, J = self.decoder_net.jacobian_of_unrotated(z)
        e, W = self.likelihood.fisher(target, f, second)
        return (J * W[:, :, None]) @ J.mT, (J @ e[..., None])[..., 0]

    def _target(self, h: Tensor, x: Tensor) -> Tensor:
        """The target of the likelihood: preprocessed x (h's own row) if it is Gaussian, otherwise x itself."""
        return self.row(h) if self.likelihood.is_scaled else x

    def _standardised(self, u: Tensor | None) -> Tensor | None:
        return None if u is None else self.scaling.of_u(u)

    def _turned(self, q: Posterior) -> Posterior:
        return q.turned(self.rotation) if self.config.model.rotation else q

    def _unrotated(self, z: Tensor) -> Tensor:
        """M^T z~ (rows: z~ M) for a rotated twin; z itself otherwise."""
        return z @ self.rotation if self.config.model.rotation else z


def _matrix(precision: Tensor, z: Tensor) -> Float[Tensor, "p n d_z d_z"]:
    """Return a prior's precision as a matrix; priors with independent latents give its diagonal."""
    return precision if precision.dim() > z.dim() else torch.diag_embed(precision)


def kl(q: Posterior, prior: Given, z: Float[Tensor, "p n d_z"]) -> tuple[Tensor, Tensor, Tensor]:
    """KL(q(z|x) || p(z|u)) for any factorial prior: total [p, n], per latent [p, n, d], dependence [p, n].

        KL = sum_i KL(q(z_i|x) || p(z_i|u)) + total correlation of q(z|x)

    It is in closed form, except with the learned prior, for which it is estimated without bias from the sample z ~ q.
    """
    each = prior.kl_from(q, z)
    dependence = q.dependence
    return each.sum(-1) + dependence, each, dependence


def log_px(
    vae: Vae,
    x: Float[Tensor, "p n d_seen"],
    u: Tensor | None,
    eps: Float[Tensor, "s p n d_z"],
    q: Posterior | None = None,
) -> tuple[Float[Tensor, "p n"], Float[Tensor, "p n"]]:
    """Importance-weighted log p(x), or log p(x|u) if the prior is p(z|u), with its Monte Carlo error.

        log p(x) ~ log 1/S sum_s p(x|z_s) p(z_s|u) / q(z_s|x),   z_s ~ q        (Burda et al. 2016)

    On average this is a lower bound, which rises to the true value as S grows.

    Args:
        vae: The population.
        x: Data, in the data's units.
        u: Its auxiliary variable, or None.
        eps: Noise of the S samples.
        q: The proposal; the encoder's posterior if None.

    Returns:
        The estimate and its standard error, nats per example, both [p, n].
    """
    return log_mean_weight(log_weights(vae, x, u, eps, vae.encoder(x, u) if q is None else q))


def log_weights(
    vae: Vae, x: Float[Tensor, "p n d_seen"], u: Tensor | None, eps: Float[Tensor, "s p n d_z"], q: Posterior
) -> Float[Tensor, "s p n"]:
    """Return log p(x, z_s|u) - log q(z_s|x) of samples z_s ~ q, nats.

    Their mean is the ELBO, with less noise than log p(x|z) - KL: most of a sample's effect on p cancels with that on q.
    The log of their mean exponential is `log_px`.
    """
    prior, log_w, x = vae.prior(u), [], vae.row(x)
    for noise in eps:  # one sample at a time, so that memory does not grow with S
        z = q.sample(noise)
        log_w.append(vae.decoder(z).log_prob(x) + prior.log_prob(z).sum(-1) - q.log_prob_at(noise))
    return torch.stack(log_w)


def log_mean_weight(log_w: Float[Tensor, "s p n"]) -> tuple[Float[Tensor, "p n"], Float[Tensor, "p n"]]:
    """Return the log of the mean weight of the samples, and its standard error (delta method; 0 for one sample)."""
    estimate = torch.logsumexp(log_w, 0) - math.log(len(log_w))
    if len(log_w) == 1:
        return estimate, torch.zeros_like(estimate)
    weights = torch.exp(log_w - estimate)  # mean 1
    return estimate, weights.std(0, correction=1) / math.sqrt(len(log_w))


def effective_samples(log_w: Float[Tensor, "s p n"]) -> Float[Tensor, "p n"]:
    """Return (sum w)^2 / sum w^2, from 1 to S: the effective number of importance samples behind a row's estimate."""
    return torch.exp(2 * torch.logsumexp(log_w, 0) - torch.logsumexp(2 * log_w, 0))


def check(config: Config, sizes: Sizes) -> None:
    """Raise a ValueError if a config and its data do not fit."""
    if config.is_conditional and not sizes.d_u:
        raise ValueError("An iVAE needs an auxiliary variable u, and this data has none; name one or choose a VAE.")
    if config.model.encoder == "xu" and not sizes.d_u:
        raise ValueError("The encoder q(z|x,u) needs u, and this data has none; use the encoder q(z|x).")
    if config.model.posterior == "gauss-newton" and isinstance(config.model.net, ConvNet):
        raise ValueError("The gauss-newton posterior needs the MLP's Jacobian; choose the MLP, or another posterior.")
    if getattr(config.prior, "turn_at", 0) and not (sizes.labels and config.model.posterior == "gauss-newton"):
        raise ValueError("A turn needs labels as u and the gauss-newton posterior; set turn_at to 0, or change these.")
    d_z, M = config.model.latents, config.model.rotation
    if M and (len(M) != d_z or any(len(row) != d_z for row in M)):
        raise ValueError(f"The rotation must be {d_z} x {d_z}, as many as latents; got {len(M)} rows.")


def member(vae: Vae, m: int) -> Vae:
    """Return member m alone, as a population of one."""
    train = vae.config.train
    own = {"seeds": train.seeds[m : m + 1], "betas": train.betas[m : m + 1], "lrs": train.lrs[m : m + 1]}
    alone = dataclasses.replace(vae.config, train=dataclasses.replace(train, **own))
    new = Vae(alone, vae.sizes)
    of_members = {name for name, _ in vae.named_parameters()} | {"likelihood.log_std"}  # a fixed one is a buffer
    new.load_state_dict({k: v[m : m + 1] if k in of_members else v for k, v in vae.state_dict().items()})
    return new.to(next(vae.parameters()).dtype)


def _solve(L: Tensor, b: Tensor) -> Tensor:
    """Return the solution of L L^T x = b; on a GPU without MAGMA, whose batched solver a CUDA graph cannot record."""
    if L.is_cuda:
        y = torch.linalg.solve_triangular(L, b[..., None], upper=False)
        return torch.linalg.solve_triangular(L.mT, y, upper=True)[..., 0]
    return torch.cholesky_solve(b[..., None], L)[..., 0]  # its gradient takes half the time on a CPU


def _cholesky(H: Tensor) -> Tensor:
    # unchecked: a member with a non-finite H gets non-finite values and the others continue, and a GPU need not wait
    return torch.linalg.cholesky_ex(H)[0]
