"""The likelihoods against scipy, against each other, and the negative binomial's learned dispersion."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy import stats

from dvae_core import recipes, runs
from dvae_core.config import FileData, NegativeBinomialLikelihood, PoissonLikelihood
from dvae_core.data.dataset import Dataset
from dvae_core.model.likelihoods import Likelihood, NegativeBinomial, likelihood_of
from tests.helpers import finish

P, N, D_X = 2, 40, 6


def negative_binomial(dispersion: float) -> NegativeBinomial:
    module = NegativeBinomial(NegativeBinomialLikelihood(), P, D_X).double()
    with torch.no_grad():
        module.log_dispersion.fill_(np.log(dispersion))
    return module


def counts(high: int = 60) -> tuple[torch.Tensor, torch.Tensor]:
    noise = torch.Generator().manual_seed(0)
    x = torch.randint(0, high, (P, N, D_X), generator=noise).double()
    return x, 1.5 * torch.randn(P, N, D_X, generator=noise, dtype=torch.float64)


@pytest.mark.parametrize("dispersion", [5.0, 0.5, 0.126, 0.124, 0.01, 2e-4])  # 1/8: where the series takes over
def test_the_negative_binomial_is_scipys(dispersion):
    x, f = counts()
    r = 1 / dispersion
    expected = stats.nbinom.logpmf(x.numpy(), r, r / (r + np.exp(f.numpy()))).sum(-1)
    ours = negative_binomial(dispersion).log_prob(x, f, None).detach().numpy()
    # scipy's own difference of log-gammas loses digits: at r = 5,000 these are 4e4, right to 1e-11
    np.testing.assert_allclose(ours, expected, rtol=1e-8)


def test_float32_is_as_right_where_the_dispersion_is_small():
    """Two log-gammas at r = 5,000 are 4e4, and their difference in float32 would be off by 1e-2."""
    x, f = counts()
    module = negative_binomial(2e-4)
    exact = module.log_prob(x, f, None)
    torch.testing.assert_close(
        module.float().log_prob(x.float(), f.float(), None).double(), exact, rtol=1e-5, atol=1e-3
    )


def test_without_dispersion_it_is_the_poisson():
    x, f = counts(high=6)
    poisson = likelihood_of(PoissonLikelihood(), P, D_X)
    module = negative_binomial(np.exp(-9.0))  # the smallest: terms of order a x^2 remain
    for ours, theirs in (
        (module.log_prob(x, f, None), poisson.log_prob(x, f, None)),
        (module.fisher(x, f, None)[0], poisson.fisher(x, f, None)[0]),
        (module.fisher(x, f, None)[1], poisson.fisher(x, f, None)[1]),
        (module.in_noise_units(f, None)[0], poisson.in_noise_units(f, None)[0]),
    ):
        torch.testing.assert_close(ours, theirs, rtol=2e-2, atol=2e-2)
    assert not torch.allclose(negative_binomial(0.1).log_prob(x, f, None), poisson.log_prob(x, f, None), rtol=2e-2)


@pytest.mark.parametrize("dispersion", [0.5, 0.01])
def test_the_gradients_are_finite_differences(dispersion):
    x, f = counts(high=12)
    module = negative_binomial(dispersion)
    x, f = x[:, :3], f[:, :3].requires_grad_()

    def value(f, log_dispersion):
        return torch.func.functional_call(module, {"log_dispersion": log_dispersion}, (x, f))

    module.forward = lambda x, f: module.log_prob(x, f, None)
    assert torch.autograd.gradcheck(value, (f, module.log_dispersion.detach().requires_grad_()))


@pytest.mark.parametrize("kind", ["gaussian", "bernoulli", "poisson", "negative-binomial"])
def test_the_score_is_the_gradient_and_the_information_its_variance(kind):
    """`fisher` against autograd, and against 40,000 draws of x (5 standard errors)."""
    module = likelihood_of(recipes.LIKELIHOODS[kind](), 1, 1).double()
    assert isinstance(module, Likelihood)
    n, noise = 40_000, np.random.default_rng(0)
    f = torch.full((1, n, 1), 0.7, dtype=torch.float64, requires_grad=True)
    mean = module.mean(f).detach().numpy()
    draw = {
        "gaussian": lambda: noise.normal(mean, 1.0),
        "bernoulli": lambda: noise.binomial(1, mean),
        "poisson": lambda: noise.poisson(mean),
        "negative-binomial": lambda: noise.negative_binomial(1.0, 1 / (1 + mean)),  # log_dispersion starts at 0: a = 1
    }[kind]
    x = torch.from_numpy(np.asarray(draw(), float))
    score, information = module.fisher(x, f, None)
    (slope,) = torch.autograd.grad(module.log_prob(x, f, None).sum(), [f])
    torch.testing.assert_close(score.detach(), slope)
    squares = score.detach().square()
    assert abs(squares.mean() - information.mean()) < 5 * squares.std() / n**0.5


def trained(folder, x: np.ndarray, likelihood) -> runs.Run:
    dataset = Dataset("counts", x)
    config = recipes.for_dataset(
        FileData(path="counts.npy"),
        dataset,
        "vae",
        members=1,
        latents=1,
        batch=200,
        epochs=40,
        lr=(0.02,),
        posterior="diagonal",
    )
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, likelihood=likelihood))
    run = runs.create(folder, config)
    return finish(run, dataset)


@pytest.mark.slow  # trains two populations; by default the density and its start are held to closed forms
@pytest.mark.parametrize("dispersion", [0.5, 0.0])
def test_it_wins_on_overdispersed_counts_finds_their_dispersion_and_does_not_win_on_poisson(tmp_path, dispersion):
    noise = np.random.default_rng(0)
    z = noise.normal(size=(3000, 1))
    rate = np.exp(1.5 + z @ noise.uniform(-0.8, 0.8, (1, 12)))
    vary = noise.gamma(1 / dispersion, dispersion, rate.shape) if dispersion else 1.0
    x = noise.poisson(rate * vary).astype(np.uint16)
    poisson, ours = (
        trained(tmp_path / str(i), x, likelihood)
        for i, likelihood in enumerate((PoissonLikelihood(), NegativeBinomialLikelihood()))
    )
    gain = ours.latents()["elbo"][0] - poisson.latents()["elbo"][0]
    found = np.exp(ours.weights()["likelihood.log_dispersion"][0])
    if dispersion:
        assert gain > 1
        assert abs(found.mean() - dispersion) < 0.1
    else:
        assert abs(gain) < 0.1
        assert found.max() < 0.05  # it started at 0.1 and falls ever more slowly: the bound is flat there
