"""Objectives: four weights, of which all ones are the ELBO; the bounds in their order; the encoder's own loss."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch.distributions import Independent, MultivariateNormal, Normal

from dvae_core import recipes, runs
from dvae_core.config import (
    Config,
    ConfigError,
    GaussianLikelihood,
    GaussianPrior,
    MlpNet,
    ModelConfig,
    SourcesData,
    StandardPrior,
    TrainConfig,
)
from dvae_core.data.load import dataset_of
from dvae_core.model.nets import Sizes
from dvae_core.model.objectives import RELEASED_IVAE, decompose, loss_weights, objective
from dvae_core.model.posterior import Posterior
from dvae_core.model.start import initialise
from dvae_core.model.vae import Vae, log_px
from dvae_core.training.train import train

N, D_Z = 16, 3


def build(*, posterior="full", prior=None, **train_settings):
    config = Config(
        model=ModelConfig(
            latents=D_Z, net=MlpNet(hidden=8), posterior=posterior, likelihood=GaussianLikelihood(std=0.5)
        ),
        prior=prior or StandardPrior(),
        train=TrainConfig(seeds=(0, 1), betas=train_settings.pop("betas", (1.0, 1.0)), **train_settings),
    )
    vae = Vae(config, Sizes(5, 4, True))
    noise = torch.Generator().manual_seed(0)
    x, u = torch.randn(N, 5, generator=noise), torch.eye(4)[torch.arange(N) % 4]
    initialise(vae, x, u)
    eps = torch.randn(2, N, D_Z * config.train.samples, generator=noise).double()
    return vae.double(), x.double().expand(2, -1, -1), u.double().expand(2, -1, -1), eps


def test_weights_by_name():
    betas = {"seeds": (0, 1), "betas": (1.0, 4.0)}
    assert loss_weights(TrainConfig(**betas)).tolist() == [[1, 1, 1, 1], [1, 4, 4, 4]]
    assert loss_weights(TrainConfig(**betas, objective="beta-tc")).tolist() == [[1, 1, 1, 1], [1, 1, 4, 1]]
    released = TrainConfig(seeds=(0,), betas=(1.0,), objective="released-ivae")
    assert tuple(loss_weights(released)[0].tolist()) == RELEASED_IVAE


@pytest.mark.parametrize("posterior", ["diagonal", "full", "gauss-newton"])
@torch.no_grad()
def test_the_three_terms_sum_to_the_kl_of_a_sample(posterior):
    vae, x, u, eps = build(posterior=posterior, prior=GaussianPrior())
    q = vae.encoder(x, u)
    z = q.sample(eps)
    parts = decompose(vae, q, z, u, n_train=1000)
    mu, logvar = vae.prior(u).moments()
    log_p = Independent(Normal(mu, torch.exp(0.5 * logvar)), 1).log_prob(z)
    torch.testing.assert_close(sum(parts), q.log_prob(z) - log_p)


@pytest.mark.parametrize("full", [False, True])
@torch.no_grad()
def test_the_terms_are_those_of_the_mixture_written_out(full):
    """q(z) and its marginals over the whole data set, by torch's own densities, one pair at a time."""
    vae, *_ = build()
    noise = torch.Generator().manual_seed(1)
    mu = torch.randn(1, N, D_Z, generator=noise, dtype=torch.float64)
    if full:
        factor = torch.randn(1, N, D_Z, D_Z, generator=noise, dtype=torch.float64) + 2 * torch.eye(D_Z)
        q = Posterior(mu, factor, torch.linalg.slogdet(factor)[1])
    else:
        factor = torch.rand(1, N, D_Z, generator=noise, dtype=torch.float64) + 0.2
        q = Posterior(mu, factor, torch.log(factor).sum(-1))
    z = q.sample(torch.randn(1, N, D_Z, generator=noise, dtype=torch.float64))
    information, correlation, dimensions = decompose(vae, q, z, None, n_train=N)
    F = factor[0] if full else torch.diag_embed(factor[0])
    covariance = F @ F.mT
    for i in range(N):
        joint = [MultivariateNormal(mu[0, j], covariance[j]).log_prob(z[0, i]) for j in range(N)]
        each = [Normal(mu[0, j], covariance[j].diagonal().sqrt()).log_prob(z[0, i]) for j in range(N)]
        log_qz = torch.logsumexp(torch.stack(joint), 0) - 2 * math.log(N)
        log_product = (torch.logsumexp(torch.stack(each), 0) - 2 * math.log(N)).sum()
        log_p = Normal(0.0, 1.0).log_prob(z[0, i]).sum()
        torch.testing.assert_close(information[0, i], joint[i] - log_qz)
        torch.testing.assert_close(correlation[0, i], log_qz - log_product)
        torch.testing.assert_close(dimensions[0, i], log_product - log_p)


def test_the_elbo_is_the_objective_with_every_weight_one():
    vae, x, u, eps = build(prior=GaussianPrior())
    bound, loss = objective(vae, x, u, eps, loss_weights(vae.config.train).double(), 1000)
    torch.testing.assert_close(loss, -bound.elbo.mean(1))
    other, *_ = build(prior=GaussianPrior(), objective="beta-tc")  # beta = 1: the same, but one sample's KL
    loss_tc = objective(other, x, u, eps, loss_weights(other.config.train).double(), 1000)[1]
    q = vae.encoder(x, u)
    z = q.sample(eps)
    mu, logvar = vae.prior(u).moments()
    log_p = Independent(Normal(mu, torch.exp(0.5 * logvar)), 1).log_prob(z)
    torch.testing.assert_close(loss_tc, -(bound.recon + log_p - q.log_prob(z)).mean(1))


def test_importance_weighted_training_maximises_that_bound():
    vae, x, u, eps = build(samples=5)
    bound, loss = objective(vae, x, u, eps, loss_weights(vae.config.train).double(), 1000)
    noise = eps.unflatten(-1, (5, D_Z)).movedim(2, 0)
    torch.testing.assert_close(loss, -log_px(vae, x, u, noise)[0].mean(1))
    torch.testing.assert_close(bound.elbo, vae.elbo(x, u, noise[0]).elbo)


def test_the_encoder_is_taught_without_moving_anything_else():
    """The gradient of the encoder's own loss reaches e(x) only, and no reported number changes."""
    vae, x, u, eps = build(posterior="gauss-newton", prior=GaussianPrior())
    bound, loss = objective(vae, x, u, eps, loss_weights(vae.config.train).double(), 1000)
    encoder_loss = loss + bound.elbo.mean(1)
    assert (encoder_loss > 0).all()
    grads = torch.autograd.grad(encoder_loss.sum(), list(vae.parameters()), allow_unused=True, materialize_grads=True)
    for (name, _), grad in zip(vae.named_parameters(), grads, strict=True):
        if name.startswith("encoder"):
            assert grad.abs().max() > 1e-6, name
        else:  # the bound's own gradient cancels: rounding is left
            assert grad.abs().max() < 1e-9, name


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"samples": 5, "betas": (2.0,)}, "set every beta to 1 and the objective to elbo"),
        ({"samples": 5, "objective": "beta-tc"}, "importance-weighted bound has no other weights"),
        ({"objective": "released-ivae", "betas": (2.0,)}, "weights of its own"),
        ({"samples": 0}, "samples must be between 1 and 1000; got 0"),
    ],
)
def test_objectives_that_do_not_exist_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        TrainConfig(**{"seeds": (0,), "betas": (1.0,), **settings})


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"objective": "beta-tc"}, {"objective": "released-ivae"}, {"samples": 3}])
def test_every_objective_trains(tmp_path, settings):
    data = SourcesData(segments=3, per_segment=100)
    made = recipes.for_dataset(data, dataset_of(data), "ivae", members=2, batch=30, epochs=4)
    config = dataclasses.replace(made, train=dataclasses.replace(made.train, **settings))
    run = runs.create(tmp_path / "run", config)
    seen = [progress.elbo for progress in train(run)]
    assert np.isfinite(seen[-1]).all()
    if settings.get("objective") != "released-ivae":  # which is free to lower the ELBO, and does
        assert (seen[-1] > seen[0]).all()
