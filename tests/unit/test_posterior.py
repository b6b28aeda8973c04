"""The analysis "posterior": exact posteriors of two latents, and what Gaussians lose against them."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from dvae_core import runs
from dvae_core.analysis.common import best_member
from dvae_core.analysis.posterior.compute import loss, on_grid, posterior
from dvae_core.analysis.posterior.record import Posteriors, file_name
from dvae_core.analysis.rotation.twin import twin
from dvae_core.export.draws import noise_covariance
from dvae_core.live.posterior import PosteriorState
from dvae_core.model.posterior import Posterior
from dvae_core.runs import RunError
from dvae_core.training.checkpoint import load_vae
from tests.helpers import result_of, small_config, trained_run, unchecked

S = torch.tensor([[[1.0, 0.8], [0.8, 1.0]], [[0.3, -0.1], [-0.1, 0.05]]], dtype=torch.float64)
MEAN = torch.tensor([[1.0, -2.0], [0.0, 3.0]], dtype=torch.float64)
LOG_PX = torch.tensor([-1.0, 2.5], dtype=torch.float64)


def gaussian(z):
    """log p(x, z) where z given x is N(MEAN, S) and log p(x) is LOG_PX."""
    exact = torch.distributions.MultivariateNormal(MEAN[:, None], S[:, None])
    return exact.log_prob(z) + LOG_PX[:, None]


def q_of(cov):
    factor = torch.linalg.cholesky(cov)
    return Posterior(MEAN[None], factor[None], factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)[None])


def test_a_gaussian_posterior_is_found_from_a_wrong_start():
    start = torch.diag_embed(torch.full((2, 2), 2.0, dtype=torch.float64))
    mean, cov, log_px, edge = on_grid(gaussian, MEAN + 1, start)
    # the sum over a grid of .2 standard deviations is exact to the tails beyond 6 of them
    torch.testing.assert_close(mean, MEAN, atol=1e-6, rtol=0)
    torch.testing.assert_close(cov, S, atol=1e-6, rtol=0)
    torch.testing.assert_close(log_px, LOG_PX, atol=1e-6, rtol=0)
    assert edge.max() < 1e-6


def test_the_losses_have_their_closed_forms():
    assert loss(gaussian, LOG_PX, q_of(S)).abs().max() < 1e-6
    var = 1 / torch.linalg.inv(S).diagonal(dim1=-2, dim2=-1)
    gap = 0.5 * (torch.log(1 / var).sum(-1) + torch.logdet(S))  # the slide's closed form
    torch.testing.assert_close(loss(gaussian, LOG_PX, q_of(torch.diag_embed(var))), gap, atol=1e-6, rtol=0)
    wider = loss(gaussian, LOG_PX, q_of(torch.diag_embed(1.2 * var)))
    assert (wider > gap + 1e-3).all()  # no other diagonal is better


def test_mass_at_the_edge_is_reported():
    def ridge(z):  # log p(x, z) that never falls along z1: no grid holds it
        return -0.5 * z[..., 1].square()

    *_, edge = on_grid(ridge, torch.zeros(1, 2, dtype=torch.float64), torch.eye(2, dtype=torch.float64)[None])
    assert edge > 0.01


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    return runs.Run(shutil.copytree(runs.examples_folder() / "talk-vae", tmp_path_factory.mktemp("talk") / "run"))


@pytest.fixture(scope="module")
def found(talk) -> Posteriors:
    return found_of(talk, member_index=2, rows=24)


def found_of(run, **settings) -> Posteriors:
    with unchecked():
        for _ in posterior(run, **settings):
            pass
    found = Posteriors.load(run, file_name(settings.get("member_index", 0)))
    assert found is not None
    return found


def test_on_the_talks_vae_latents_lean_and_a_diagonal_q_pays(talk, found):
    latents = talk.latents()
    rows = latents["x_rows"][found.rows]
    # latents.npz was written by float32 nets
    np.testing.assert_allclose(found.q_mean, latents["mu_z"][2][rows], atol=2e-3)
    np.testing.assert_allclose(np.sqrt(found.q_cov.diagonal(axis1=1, axis2=2)), latents["std_z"][2][rows], rtol=0.02)
    assert found.edge.max() < 1e-3
    assert min(found.loss_q.min(), found.loss_full.min(), found.loss_diagonal.min()) > -1e-6  # a KL is never negative
    assert found.loss_full.mean() < found.loss_q.mean() < found.loss_diagonal.mean()
    closed = 0.5 * (-np.log(found.var_diagonal).sum(1) + np.linalg.slogdet(found.cov)[1])
    # The closed form holds for Gaussian posteriors; how far these are from Gaussian is what `loss_full` measures.
    assert abs((found.loss_diagonal - closed).mean()) < 4 * found.loss_full.mean()


def test_a_turned_twin_has_the_turned_posterior_and_another_diagonal(talk, found, tmp_path, monkeypatch):
    monkeypatch.setenv("DVAE_RUNS", str(tmp_path))
    path = Path(result_of(twin(talk, member_index=2, degrees=30.0))["path"])
    after = found_of(runs.Run(path), rows=24)
    c, s = math.cos(math.pi / 6), math.sin(math.pi / 6)
    M = np.array([[c, -s], [s, c]])
    # the twin's weights are stored as float32
    np.testing.assert_allclose(after.mean, found.mean @ M.T, atol=1e-4)
    np.testing.assert_allclose(after.cov, M @ found.cov @ M.T, atol=1e-4)
    np.testing.assert_allclose(after.loss_q, found.loss_q, atol=1e-3)  # nothing observable turned
    np.testing.assert_allclose(after.loss_full, found.loss_full, atol=1e-3)
    assert np.abs(after.loss_diagonal - found.loss_diagonal).max() > 0.05  # the diagonal's axes matter


def test_sigma_x_is_the_covariance_of_the_models_own_density(talk):
    """Whitened x: the quadratic form of Sigma_x is what log p(x|z) loses away from its mean."""
    member, rng = best_member(talk), np.random.default_rng(0)
    z, away = torch.from_numpy(rng.normal(size=(5, 2))), rng.normal(size=(5, 2)) / 10
    with torch.no_grad():
        given = load_vae(talk).double().decoder(z.expand(talk.config.members, 5, 2))
        lost = (given.log_prob(given.mean) - given.log_prob(given.mean + torch.from_numpy(away)))[member].numpy()
    inverse = np.linalg.inv(noise_covariance(talk, member).astype(float))
    np.testing.assert_allclose(0.5 * np.einsum("ni,ij,nj->n", away, inverse, away), lost, rtol=1e-4)  # float32 weights
    drawn = PosteriorState(found=Posteriors.load(talk, file_name(member)), x_cov=noise_covariance(talk, member))
    assert len(drawn.data()["x_cov"]) == 3


def test_runs_that_cannot_be_drawn_say_so(talk, tmp_path):
    with pytest.raises(RunError, match="members 0 to 7; got 8"):
        next(posterior(talk, member_index=8))
    with pytest.raises(RunError, match="two latents; this run has 8"):
        next(posterior(runs.find("digits-beta-vae")))


def test_the_browser_gets_every_example_once_and_refuses_other_rows(talk, found):
    data = PosteriorState(found=found, x=talk.latents()["x"][found.rows]).data()
    assert sorted(data["path"]) == list(range(24))
    assert data["x"] is not None
    with pytest.raises(ValueError, match="x must have 24 rows"):
        PosteriorState(found=found, x=np.zeros((5, 2))).data()


@pytest.mark.slow
def test_a_conditional_run_conditions_on_u_as_well(tmp_path):
    run = trained_run(tmp_path / "run", small_config(seeds=(0,)))
    found = found_of(run, rows=20)
    assert found.loss_q.min() > -1e-6
    assert found.loss_full.mean() <= found.loss_q.mean() + 1e-3
