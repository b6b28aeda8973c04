"""The training objectives: the ELBO, its variants with four weighted terms, and the importance-weighted bound.

The KL of the ELBO, averaged over the data, is a sum of three terms (Hoffman & Johnson 2016; Chen et al. 2018):

    E_x KL(q(z|x) || p(z)) =  E log q(z|x) - log q(z)              index-code mutual information
                            + E log q(z) - sum_i log q(z_i)        total correlation
                            + E sum_i log q(z_i) - log p(z)        dimension-wise KL

where q(z) is the average of q(z|x) over the data. An objective is defined by four weights, one for the reconstruction
and one for each of these terms.

    objective       recon   mutual information   total correlation   dimension-wise
    ELBO              1             1                    1                  1
    beta-VAE          1            beta                 beta               beta
    beta-TC-VAE       1             1                   beta                1
    released iVAE    100            1                    0                 10

The ELBO is a lower bound on log p(x). For beta >= 1 the next two are also lower bounds, but looser and no longer tight
at q = p(z|x) (beta-TC is one on average over the data, with the exact q(z)). For beta < 1 they are not bounds. The last
row holds the settings released with the iVAE paper. They let latents depend on each other at no cost, so the resulting
MCC is not a result of maximum likelihood. Here it reaches .76 in 20 epochs of the 5-D, 40-segment task (.82 in 60;
equal weights reach .83 in 20). Runs always report the ELBO, whichever objective was maximised.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from dvae_core.config import TrainConfig
from dvae_core.model.posterior import Posterior
from dvae_core.model.vae import AMORTISE, Elbo, Vae, log_px

RELEASED_IVAE = (100.0, 1.0, 0.0, 10.0)  # a, b, c, d in the configuration released with Khemakhem et al. 2020


def loss_weights(train: TrainConfig) -> Float[Tensor, "p 4"]:
    """Return each member's weights of (reconstruction, mutual information, total correlation, dimension-wise KL)."""
    rows = {
        "elbo": [(1.0, beta, beta, beta) for beta in train.betas],
        "beta-tc": [(1.0, 1.0, beta, 1.0) for beta in train.betas],
        "released-ivae": [RELEASED_IVAE] * len(train.betas),
    }
    return torch.tensor(rows[train.objective])


def objective(
    vae: Vae,
    x: Float[Tensor, "p n d_seen"],
    u: Tensor | None,
    eps: Tensor,
    weights: Float[Tensor, "p 4"],
    n_train: int,
    h: Float[Tensor, "p n d_seen"] | None = None,
    keep: Float[Tensor, "p n d_seen"] | None = None,
) -> tuple[Elbo, Float[Tensor, " p"]]:
    """Return a batch's ELBO, for logging, and each member's loss, averaged over the examples.

    A gauss-newton encoder is also trained to predict the refined mean m: `AMORTISE / 2 |e(x) - m|^2`, with m held
    fixed, is added to the loss but to no reported number. Its gradient reaches only the encoder, so it cannot change
    the decoder or the prior. (The bound itself hardly trains the encoder, because every guess that the refinement can
    correct gives the same bound.) A student e(x) is trained by the same term, with q(z|x,u) as its teacher.

    Args:
        vae: The population.
        x: A batch, in the data's units.
        u: Its auxiliary variable, or None.
        eps: Noise [p, n, d_z], or [p, n, samples d_z] for the importance-weighted bound.
        weights: The result of `loss_weights`.
        n_train: Number of rows of the training data, needed to estimate q(z) from a batch.
        h: The encoder's input (preprocessed x, with its window), if the caller already has it.
        keep: The factors of input dropout, see `Vae.elbo_of`.
    """
    d_z, train = vae.config.model.latents, vae.config.train
    bound = vae.elbo_of(vae.scaling(x) if h is None else h, vae.row(x), u, eps[..., :d_z], keep)
    q = bound.q
    if train.samples > 1:
        value = log_px(vae, x, u, eps.unflatten(-1, (train.samples, d_z)).movedim(2, 0), q)[0]
    elif train.objective == "elbo":
        value = bound.recon - weights[:, 1:2] * bound.kl
    else:
        a, b, c, d = weights.T[..., None]
        information, correlation, dimensions = decompose(vae, q, q.sample(eps), u, n_train)
        value = a * bound.recon - b * information - c * correlation - d * dimensions
    loss = -value.mean(1)
    if q.guess is not None:
        loss = loss + 0.5 * AMORTISE * (q.guess - q.mu.detach()).square().sum(-1).mean(1)
    return bound, loss


def decompose(
    vae: Vae, q: Posterior, z: Float[Tensor, "p n d_z"], u: Tensor | None, n_train: int
) -> tuple[Float[Tensor, "p n"], Float[Tensor, "p n"], Float[Tensor, "p n"]]:
    """Return one-sample estimates of mutual information, total correlation and dimension-wise KL, for z ~ q.

        log q(z) ~ log 1/(N M) sum_j q(z|x_j),   the M examples of the batch standing for the N of the data

    This is minibatch-weighted sampling (Chen et al. 2018). It is biased, as if examples outside the batch did not
    count; N M enters only as an additive constant. With a conditional prior each x_j keeps its own u_j in
    q(z|x_j, u_j), and the dimension-wise term is taken against p(z|u), as in the code released with the iVAE paper.
    The three terms always sum to log q(z|x) - log p(z|u).
    """
    # axes: p members, i samples, j posteriors
    difference = z[:, :, None] - q.mu[:, None]  # [p, i, j, d]
    if q.is_diagonal:
        std = q.factor[:, None]
        per_latent = -0.5 * ((difference / std).square() + math.log(2 * math.pi)) - torch.log(std)
        joint = per_latent.sum(-1)
    else:
        eps = torch.linalg.solve(q.factor, difference.movedim(1, -1))  # [p, j, d, i]
        joint = (-0.5 * (eps.square() + math.log(2 * math.pi)).sum(2) - q.log_det[..., None]).mT
        var = q.factor.square().sum(-1)[:, None]
        per_latent = -0.5 * (difference.square() / var + torch.log(var) + math.log(2 * math.pi))
    log_share = math.log(n_train * z.shape[1])
    log_q = torch.diagonal(joint, dim1=1, dim2=2)
    log_qz = torch.logsumexp(joint, 2) - log_share
    log_product = (torch.logsumexp(per_latent, 2) - log_share).sum(-1)
    log_p = vae.prior(u).log_prob(z).sum(-1)
    return log_q - log_qz, log_qz - log_product, log_product - log_p
