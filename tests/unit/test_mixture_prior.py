"""A mixture prior without u: its density and Newton terms in closed form, its samples, and what a run of it reports."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from dvae_core import recipes
from dvae_core.analysis.latents import latent_table
from dvae_core.analysis.score.record import Scores
from dvae_core.config import MixturePrior, MlpNet, SourcesData
from dvae_core.data.load import dataset_of
from dvae_core.model.mixture_prior import GivenMixture, Mixture
from dvae_core.testing import check_prior
from tests.helpers import trained_run

P, N, K, D_Z = 2, 7, 3, 2


def mixture() -> tuple[GivenMixture, torch.Tensor]:
    module = Mixture(P, D_Z, components=K)
    noise = torch.Generator().manual_seed(0)
    for weight in module.parameters():
        weight.data = torch.randn(weight.shape, generator=noise)
    return module.double()(), torch.randn(P, N, D_Z, generator=noise, dtype=torch.float64)


def of_torch(given: GivenMixture, m: int) -> MixtureSameFamily:
    parts = Independent(Normal(given.mu[m], torch.exp(0.5 * given.logvar[m])), 1)
    return MixtureSameFamily(Categorical(logits=given.log_pi[m]), parts)


@torch.no_grad()
def test_its_density_is_that_of_a_mixture():
    given, z = mixture()
    for m in range(P):
        torch.testing.assert_close(given.log_prob(z).sum(-1)[m], of_torch(given, m).log_prob(z[m]))


def test_newton_is_the_gradient_and_a_precision_that_does_not_overshoot():
    given, z = mixture()
    z.requires_grad_()
    (slope,) = torch.autograd.grad(given.log_prob(z).sum(), z)
    with torch.no_grad():
        gradient, precision = given.newton(z)
        torch.testing.assert_close(gradient, slope)
        assert (precision > 0).all()
        # EM's bound lies below log p, so a step to its maximum cannot lower log p
        assert (given.log_prob(z + gradient / precision).sum(-1) >= given.log_prob(z).sum(-1) - 1e-12).all()


@torch.no_grad()
def test_samples_follow_the_mixture():
    given, _ = mixture()
    v = torch.rand(P, 20_000, D_Z, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    z = given.sample(v)
    mean, logvar = given.moments()
    for m in range(P):
        theirs = of_torch(given, m)
        torch.testing.assert_close(mean[m, 0], theirs.mean)
        torch.testing.assert_close(torch.exp(logvar[m, 0]), theirs.variance)
        # 20,000 draws: six standard errors
        assert ((z[m].mean(0) - theirs.mean).abs() < 6 * (theirs.variance / 20_000).sqrt()).all()
    share = torch.softmax(given.joint(z), -1).mean(1)
    # responsibilities average to the shares of the components, whatever their overlap: standard error below .004
    torch.testing.assert_close(share, torch.exp(given.log_pi), rtol=0, atol=0.02)


def test_it_keeps_the_contract_of_a_prior():
    check_prior(lambda p, d_z, d_u: Mixture(p, d_z, components=K), d_z=D_Z)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    data = SourcesData(segments=3, per_segment=80)
    config = recipes.for_dataset(data, dataset_of(data), "vae", members=2, epochs=2, prior=MixturePrior(components=4))
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, net=MlpNet(hidden=6)))
    return trained_run(tmp_path_factory.mktemp("mixture") / "run", config, score=True)


def test_a_run_reports_the_total_kl_only(run):
    latents, scored = run.latents(), Scores.of(run)
    assert "kl_latent" not in latents
    assert np.isfinite(latents["kl"]).all()
    assert all(m.active_latents is None and np.isfinite(m.kl) for m in scored.members)
    assert run.history()[["kl_1", "kl_2"]].isna().all(axis=None)
    assert not any(latent["dead"] for latent in latent_table(run, 0))
    assert latents["prior_z"].shape == latents["mu_z"].shape
    assert run.config.model_name == "VAE with a mixture"
    assert not run.config.is_conditional
    assert "stuck" not in run.status().message


def test_its_bound_is_below_the_importance_weighted_one(run):
    from dvae_core.analysis.encode import inputs
    from dvae_core.data.split import split
    from dvae_core.model.vae import log_px
    from dvae_core.training.checkpoint import load_vae

    vae, dataset = load_vae(run), dataset_of(run.config.data)
    x, u = inputs(vae, dataset, split(dataset).held_out)
    eps = torch.randn(64, vae.p, x.shape[1], 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        better = log_px(vae, x, u, eps)[0].mean(1).numpy()
    assert (better > run.latents()["elbo"] - 0.05).all()  # eight samples a row leave a few hundredths of a nat
