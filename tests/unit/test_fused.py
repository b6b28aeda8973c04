"""The bound and gradient written out by hand are those of autograd, for every model they claim."""

import dataclasses
import itertools

import pytest
import torch

from dvae_core.config import (
    BernoulliLikelihood,
    Config,
    ConvNet,
    GaussianLikelihood,
    GaussianPrior,
    LaplacePrior,
    MlpNet,
    ModelConfig,
    NegativeBinomialLikelihood,
    PoissonLikelihood,
    SourcesData,
    StandardPrior,
    TrainConfig,
)
from dvae_core.model.nets import Sizes
from dvae_core.model.objectives import loss_weights, objective
from dvae_core.model.vae import Vae
from dvae_core.training.fused import Fused, covers

P, N, D_X, D_U = 3, 7, 20, 3
PRIORS = (StandardPrior(), *(GaussianPrior(modulate=m, hidden=5) for m in ("both", "mean", "variance")))
LIKELIHOODS = (
    *(GaussianLikelihood(noise=noise, std=0.7) for noise in ("fixed", "scalar", "dimension", "annealed")),
    BernoulliLikelihood(),
    PoissonLikelihood(),
    NegativeBinomialLikelihood(),
)


def population(*, prior=PRIORS[1], labels=True, **model) -> Vae:
    settings = {"latents": 3, "net": MlpNet(hidden=18, depth=2), "posterior": "full", "preprocess": "standardise"}
    config = Config(
        data=SourcesData(),
        model=ModelConfig(**{**settings, **model}),
        prior=prior,
        train=TrainConfig(seeds=(0, 1, 2), betas=(0.5, 1.0, 4.0)),
    )
    vae = Vae(config, Sizes(D_X, D_U, labels)).double()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for w in (*vae.parameters(), vae.scaling.x_mean, vae.scaling.u_mean):
            w.copy_(torch.randn(w.shape, generator=generator, dtype=w.dtype) / 3)
    return vae


def fused(vae: Vae, beta: torch.Tensor) -> Fused:
    for w in vae.parameters():
        w.grad = torch.full_like(w, torch.nan)
    return Fused(vae, beta)


def check(vae: Vae) -> None:
    generator = torch.Generator().manual_seed(1)
    width = D_X * (1 + sum(vae.config.model.window))
    x = torch.randint(0, 2, (P, N, width), generator=generator).double()
    keep = 2 * torch.randint(0, 2, (P, N, width), generator=generator).double() if vae.config.model.dropout else None
    u = torch.nn.functional.one_hot(torch.randint(0, D_U, (P, N), generator=generator), D_U).double()
    u = u if vae.sizes.labels else u + 0.3
    eps = torch.randn(P, N, vae.config.model.latents, generator=generator, dtype=torch.float64)
    weights = loss_weights(vae.config.train).double()
    bound, loss = objective(vae, x, u, eps, weights, N, keep=keep)
    wanted = torch.autograd.grad(loss.sum(), list(vae.parameters()))
    assert covers(vae)
    for with_bound in (True, False):
        means = fused(vae, weights[:, 1])(vae.row(x), u, eps, vae.scaling(x), keep, with_bound=with_bound)
        if with_bound:
            torch.testing.assert_close(means, bound.means(), rtol=1e-10, atol=1e-10)
        else:
            assert means is None
        for (name, w), theirs in zip(vae.named_parameters(), wanted, strict=True):
            torch.testing.assert_close(
                w.grad, theirs, rtol=1e-10, atol=1e-10, msg=lambda text, name=name: f"{name}: {text}"
            )


@pytest.mark.slow
@pytest.mark.parametrize(("likelihood", "posterior"), [*itertools.product(LIKELIHOODS, ("diagonal", "full"))])
def test_every_likelihood_and_posterior(likelihood, posterior):
    check(population(likelihood=likelihood, posterior=posterior))


@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("posterior", ["diagonal", "full"])
def test_every_prior(prior, labels, posterior):
    check(population(prior=prior, labels=labels, posterior=posterior))


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["x", "xu"])
@pytest.mark.parametrize("activation", ["xtanh", "tanh", "relu", "leaky", "silu", "gelu"])
def test_every_net(activation, encoder):
    for depth in (1, 3):
        check(population(net=MlpNet(hidden=5, encoder_hidden=64, depth=depth, activation=activation), encoder=encoder))


@pytest.mark.parametrize("likelihood", [GaussianLikelihood(), PoissonLikelihood()])
@pytest.mark.parametrize("posterior", ["diagonal", "full"])
def test_window_dropout_and_student(likelihood, posterior):
    more = {"likelihood": likelihood, "posterior": posterior}
    check(population(window=(2, 1), **more))
    check(population(dropout=0.5, **more))
    check(population(encoder="xu", student=True, window=(0, 2), dropout=0.5, **more))


def test_one_latent_has_no_covariance():
    for posterior in ("diagonal", "full"):
        check(population(latents=1, posterior=posterior))


def test_a_noise_at_its_bound_has_no_gradient():
    vae = population(likelihood=GaussianLikelihood(noise="scalar"))
    with torch.no_grad():
        vae.likelihood.log_std[:] = torch.tensor([-7.0, 0.0, 4.0])[:, None]
    check(vae)


def test_a_bad_member_leaves_the_others_alone():
    vae = population()
    eps = torch.zeros(P, N, 3, dtype=torch.float64)
    x, u = torch.ones(P, N, D_X, dtype=torch.float64), torch.ones(P, N, D_U, dtype=torch.float64)
    step = fused(vae, torch.ones(P, dtype=torch.float64))
    step(x, u, eps, x)
    good = [w.grad.clone() for w in vae.parameters()]
    eps[1] = torch.nan
    means = step(x, u, eps, x)
    assert torch.isfinite(means).all(1).tolist() == [True, False, True]
    for w, theirs in zip(vae.parameters(), good, strict=True):
        torch.testing.assert_close(w.grad[[0, 2]], theirs[[0, 2]], rtol=0, atol=0)


@pytest.mark.parametrize(
    "model",
    [
        {"posterior": "gauss-newton"},
        {"likelihood": GaussianLikelihood(noise="network")},
        {"rotation": ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))},
        {"prior": LaplacePrior()},
    ],
)
def test_other_models_are_left_to_autograd(model):
    assert not covers(population(**model))


@pytest.mark.parametrize("train", [{"objective": "beta-tc"}, {"samples": 5, "betas": (1.0,) * P}])
def test_other_objectives_are_left_to_autograd(train):
    vae = population()
    vae.config = dataclasses.replace(vae.config, train=dataclasses.replace(vae.config.train, **train))
    assert not covers(vae)
    conv = Vae(
        dataclasses.replace(vae.config, model=dataclasses.replace(vae.config.model, net=ConvNet())),
        Sizes(256, 3, True, (16, 16)),
    )
    assert not covers(conv)
