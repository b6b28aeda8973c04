"""Compute exact posteriors of two latents on a grid, and compare Gaussians with them."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from dvae_core.analysis.common import Computation
from dvae_core.analysis.encode import inputs, opened
from dvae_core.analysis.posterior.record import Posteriors, file_name
from dvae_core.axes import evenly
from dvae_core.data.split import split
from dvae_core.model.posterior import Posterior
from dvae_core.model.priors import GivenNormal
from dvae_core.model.time_prior import GivenPairs
from dvae_core.model.vae import Vae
from dvae_core.runs import Run, RunError
from dvae_core.runs.data import data_of

ROWS = 150
AT_ONCE = 25  # rows: 93,000 points of the grid
REACH, SIDE = 6.0, 61  # standard deviations to each side, points: the sum over a Gaussian is then exact to 1e-8
WIDE = 2.0  # the first grid, around the run's own q, is so much wider, since q may be too narrow
PASSES = 3  # each grid is placed around the moments found on the one before

LogJoint = Callable[[Float[Tensor, "n g 2"]], Float[Tensor, "n g"]]


def posterior(run: Run, *, member_index: int = 0, rows: int = ROWS) -> Computation:
    """Compare q(z|x) of a member with two latents to the exact p(z|x); write analysis/posterior-<member>.npz.

    Yields:
        The fraction done.

    Raises:
        RunError: If the run does not have two latents, there is no such member, or it diverged.
    """
    config = run.config
    if config.model.latents != 2:
        raise RunError(f"Posteriors are drawn for two latents; this run has {config.model.latents}.")
    vae = opened(run, member_index)
    dataset = data_of(run)
    latents = run.latents()
    if latents is None:
        raise RunError(f"{run.title} has no latents yet; let it train to its end.")
    held_out = split(dataset, config.split, gap=config.gap).held_out
    shown = evenly(len(latents["x_rows"]), rows)
    chosen = latents["index"][latents["x_rows"][shown]]
    assert set(chosen.tolist()) <= set(held_out.tolist()), "latents.npz holds rows that are held out"
    parts: list[dict[str, Tensor]] = []
    for start in range(0, len(chosen), AT_ONCE):
        x, u = inputs(vae, dataset, chosen[start : start + AT_ONCE])
        with torch.no_grad():
            parts.append(_compared(vae, x, u))
        yield min(1.0, (start + AT_ONCE) / len(chosen))
    arrays = {name: torch.cat([part[name] for part in parts]).numpy() for name in parts[0]}
    return Posteriors(rows=shown, **arrays).save(run, file_name(member_index))


def on_grid(
    log_joint: LogJoint, mean: Float[Tensor, "n 2"], cov: Float[Tensor, "n 2 2"]
) -> tuple[Float[Tensor, "n 2"], Float[Tensor, "n 2 2"], Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Integrate exp(log_joint) on a grid that is repeatedly placed around the moments found so far.

    Args:
        log_joint: log p(x, z) of n examples at g points each.
        mean: Centre of the first grid.
        cov: Its width.

    Returns:
        Mean and covariance of z given x, log p(x), and the share of the mass at the edge of the grid.
    """
    grid = _grid()
    edge = grid.abs().amax(-1) > REACH - 1e-9
    for _ in range(PASSES):
        factor = torch.linalg.cholesky(cov)
        z = mean[:, None] + grid @ factor.mT
        log_p = log_joint(z)
        weights = torch.softmax(log_p, -1)
        cell = 2 * math.log(2 * REACH / (SIDE - 1)) + factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        evidence = torch.logsumexp(log_p, -1) + cell
        mean = (weights[..., None] * z).sum(1)
        centred = z - mean[:, None]
        cov = (weights[..., None] * centred).mT @ centred + 1e-12 * torch.eye(2, dtype=z.dtype)
    return mean, cov, evidence, weights[:, edge].sum(-1)


def loss(log_joint: LogJoint, evidence: Float[Tensor, " n"], q: Posterior) -> Float[Tensor, " n"]:
    """KL(q(z|x) || p(z|x)), nats: log p(x) minus the bound of q, which is integrated on a grid.

    `q` describes one member: mean [1, n, 2].
    """
    grid = _grid()
    weights = torch.softmax(-0.5 * grid.square().sum(-1), 0)
    z = q.mu[0][:, None] + grid @ q.full().factor[0].mT
    expected = (log_joint(z) * weights).sum(-1)
    entropy = math.log(2 * math.pi) + 1 + q.log_det[0]
    return evidence - expected - entropy


def _compared(vae: Vae, x: Tensor, u: Tensor | None) -> dict[str, Tensor]:
    """Return the arrays of the record for these examples, x [1, n, d_seen]."""
    n, row = x.shape[1], vae.row(x)

    def log_joint(z: Tensor) -> Tensor:
        g = z.shape[1]
        flat = z.reshape(1, n * g, 2)
        log_px = vae.decoder(flat).log_prob(row.repeat_interleave(g, 1))
        prior = vae.prior(None if u is None else u.repeat_interleave(g, 1))
        if isinstance(prior, GivenPairs):  # q(z|x) sees one row, whose own prior is N(0, I)
            prior = GivenNormal(*prior.moments())
        return (log_px + prior.log_prob(flat).sum(-1)).reshape(n, g)

    own = vae.encoder(x, u).full()
    own_cov = (own.factor @ own.factor.mT)[0]
    mean, cov, evidence, edge = on_grid(log_joint, own.mu[0], WIDE**2 * own_cov)
    var = 1 / torch.linalg.inv(cov).diagonal(dim1=-2, dim2=-1)
    full, diagonal = (_gaussian(mean, c) for c in (cov, torch.diag_embed(var)))
    return {
        "mean": mean, "cov": cov, "q_mean": own.mu[0], "q_cov": own_cov, "var_diagonal": var, "edge": edge,
        "loss_q": loss(log_joint, evidence, own), "loss_full": loss(log_joint, evidence, full),
        "loss_diagonal": loss(log_joint, evidence, diagonal),
    }  # fmt: skip


def _gaussian(mean: Tensor, cov: Tensor) -> Posterior:
    factor = torch.linalg.cholesky(cov)
    return Posterior(mean[None], factor[None], factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)[None])


def _grid() -> Float[Tensor, "g 2"]:
    side = torch.linspace(-REACH, REACH, SIDE, dtype=torch.float64)
    return torch.cartesian_prod(side, side)
