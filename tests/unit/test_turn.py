"""Full covariances of p(z|u) first, then a turn to the axes in which they are diagonal."""

import dataclasses

import numpy as np
import pytest
import torch

from dvae_core import recipes, runs
from dvae_core.config import ConfigError, GaussianPrior, MlpNet, SourcesData
from dvae_core.data.load import dataset_of
from dvae_core.model.posterior import Posterior
from dvae_core.model.priors import ConditionalNormal, GivenFullNormal
from dvae_core.model.start import initialise
from dvae_core.model.turn import common_axes, turn
from dvae_core.model.vae import Vae, kl
from dvae_core.training.checkpoint import sizes_of
from dvae_core.training.train import train
from tests.helpers import trained_run

DATA = SourcesData(segments=4, per_segment=60)


def turning_config(data=DATA, **settings):
    return recipes.for_dataset(
        data, dataset_of(data), "ivae", members=2, net=MlpNet(hidden=6), batch=16, epochs=2,
        prior=GaussianPrior(turn_at=0.5), **settings,
    )  # fmt: skip


def started(data=DATA, **settings):
    """Return a population before its first step, with full covariances, and x, u of its rows."""
    dataset = dataset_of(data)
    vae = Vae(turning_config(data, **settings), sizes_of(dataset))
    x, u = torch.from_numpy(dataset.x_float()), torch.from_numpy(dataset.u_features())
    initialise(vae, x, u)
    assert isinstance(vae.prior, ConditionalNormal)
    with torch.no_grad():
        vae.prior.get_parameter("below.weight").normal_(generator=torch.Generator().manual_seed(0))
        vae.prior.get_parameter("net.weight").normal_(std=0.5, generator=torch.Generator().manual_seed(1))
    return vae, x.expand(2, *x.shape), u.expand(2, *u.shape)


def test_axes_that_diagonalise_every_covariance_are_found():
    rng = np.random.default_rng(0)
    mixing = torch.from_numpy(rng.normal(size=(4, 4)))
    variances = torch.from_numpy(rng.uniform(0.1, 3, size=(8, 4)))
    covariances = mixing @ torch.diag_embed(variances) @ mixing.T
    A = common_axes(covariances, torch.full((8,), 1 / 8, dtype=torch.float64))
    # Rows z = s M^T of independent s: M^T A has one large entry a row. Angles are tried every half degree, .009.
    unmixed = (mixing.T @ A).abs()
    rest = unmixed.sum(1) - unmixed.max(1).values
    assert float((rest / unmixed.max(1).values).max()) < 4 * 0.009
    assert sorted(unmixed.argmax(1).tolist()) == [0, 1, 2, 3]


def test_a_full_prior_agrees_with_torch_distributions():
    gen = torch.Generator().manual_seed(0)
    mu, logvar, z, mean = (torch.randn(1, 5, 3, generator=gen, dtype=torch.float64) for _ in range(4))
    B = torch.eye(3, dtype=torch.float64) + torch.randn(1, 5, 3, 3, generator=gen, dtype=torch.float64).tril(-1)
    factor = torch.randn(1, 5, 3, 3, generator=gen, dtype=torch.float64).tril(-1) + torch.eye(3)
    q = Posterior(mean, factor, torch.zeros(1, 5, dtype=torch.float64))
    given = GivenFullNormal(mu, logvar, B)
    precision = B.mT @ torch.diag_embed(torch.exp(-logvar)) @ B
    known = torch.distributions.MultivariateNormal(mu, precision_matrix=precision)
    torch.testing.assert_close(given.log_prob(z).sum(-1), known.log_prob(z))
    torch.testing.assert_close(
        kl(q, given, z)[0],
        torch.distributions.kl_divergence(torch.distributions.MultivariateNormal(mean, scale_tril=factor), known),
    )
    torch.testing.assert_close(given.moments()[1], torch.log(torch.diagonal(known.covariance_matrix, dim1=-2, dim2=-1)))
    torch.testing.assert_close(given.newton(z)[1], precision)
    at = z.clone().requires_grad_()
    (slope,) = torch.autograd.grad(known.log_prob(at).sum(), at)
    torch.testing.assert_close(given.newton(z)[0], slope)


@pytest.mark.parametrize("data", [DATA, dataclasses.replace(DATA, n_latents=3, d_x=5)], ids=["2-D", "3-D lifted to 5"])
def test_a_turn_keeps_every_reconstruction_and_leaves_diagonal_covariances(data):
    vae, x, u = started(data)
    before, codes = vae.amortised(x, u), vae.decoder(vae.amortised(x, u)).mean
    turn(vae, x[0], u[0], vae.scaling(x[0]))
    after = vae.amortised(x, u)
    assert (after - before).abs().max() > 0.01
    torch.testing.assert_close(vae.decoder(after).mean, codes, atol=1e-4, rtol=1e-4)  # single precision, units of x
    assert not isinstance(vae.prior(u), GivenFullNormal)


def test_the_prior_takes_the_moments_of_the_turned_latents():
    vae, x, u = started()
    # The means before the turn, turned as the nets were: e(x) A, with A from a regression
    posterior = vae.eval().encoder(x, u).mu
    guess = vae.amortised(x, u)
    turn(vae, x[0], u[0], vae.scaling(x[0]))
    A = torch.linalg.lstsq(guess[0], vae.amortised(x, u)[0]).solution
    z = posterior[0] @ A
    for label in range(u.shape[-1]):
        rows = u[0, :, label] > 0
        mean, logvar = (t[0][rows][0] for t in vae.prior(u).moments())
        torch.testing.assert_close(mean, z[rows].mean(0), atol=1e-3, rtol=1e-3)
        known = z[rows].var(0, correction=0).log().clamp(-6.93, 6.93)  # a table of log variances ends at +-7
        torch.testing.assert_close(logvar, known, atol=1e-3, rtol=1e-3)


@pytest.mark.slow
def test_a_run_stopped_on_either_side_of_the_turn_resumes_as_if_it_had_not(tmp_path):
    config = turning_config()
    whole = trained_run(tmp_path / "whole", config)
    steps = whole.status().steps
    for stop in (steps // 2 - 2, steps // 2 + 2):
        run = runs.create(tmp_path / str(stop), config)
        training = train(run)
        for progress in training:  # so short a run reports every step
            if progress.step == stop:
                break
        training.close()
        assert run.status().state == "stopped"
        assert run.status().step == stop
        list(train(run))
        for name, value in whole.weights().items():
            np.testing.assert_array_equal(run.weights()[name], value, err_msg=name)


def test_an_impossible_turn_is_refused_with_a_message():
    with pytest.raises(ConfigError, match="set modulate to both"):
        GaussianPrior(modulate="variance", turn_at=0.3)
    continuous = SourcesData(segments=4, per_segment=60, continuous_u=True)
    dataset = dataset_of(continuous)
    with pytest.raises(ValueError, match="needs labels as u and the gauss-newton posterior"):
        Vae(turning_config(continuous), sizes_of(dataset))
    with pytest.raises(ValueError, match="set turn_at to 0"):
        Vae(turning_config(posterior="full"), sizes_of(dataset_of(DATA)))


def test_a_prior_without_a_turn_is_as_before():
    vae = Vae(recipes.for_dataset(DATA, dataset_of(DATA), "ivae", members=2), sizes_of(dataset_of(DATA)))
    assert isinstance(vae.prior, ConditionalNormal)
    assert not any("below" in name or "turned" in name for name in vae.state_dict())
