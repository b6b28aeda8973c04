"""The rotated twin is a model of its own that nothing observable tells from the original."""

import numpy as np
import pytest
import torch
from scipy.stats import ortho_group

from dvae_core.config import ConditionalPrior, Config, GaussianLikelihood, MlpNet, ModelConfig, TrainConfig
from dvae_core.identify import rotate, rotation_matrix
from dvae_core.models import Sizes, Vae, initialise, log_px

N, D = 200, 4


def build(posterior="full", prior=None) -> tuple[Vae, torch.Tensor, torch.Tensor, torch.Tensor]:
    config = Config(
        model=ModelConfig(
            latents=D, net=MlpNet(hidden=16), likelihood=GaussianLikelihood(std=0.5), posterior=posterior
        ),
        prior=prior or Config().prior,
        train=TrainConfig(seeds=(0, 1), betas=(1.0, 1.0)),
    )
    vae = Vae(config, Sizes(6, 3, True))
    noise = torch.Generator().manual_seed(0)
    x = torch.randn(N, 6, generator=noise)
    u = torch.eye(3)[torch.arange(N) % 3]
    initialise(vae, x, u)
    vae = vae.double()
    with torch.no_grad():  # away from the symmetric start
        for w in vae.parameters():
            w.add_(0.3 * torch.randn(w.shape, generator=noise, dtype=torch.float64))
    eps = torch.randn(2, N, D, generator=noise, dtype=torch.float64)
    return vae, x.double().expand(2, -1, -1), u.double().expand(2, -1, -1), eps


def orthogonal(seed: int) -> np.ndarray:
    return ortho_group.rvs(D, random_state=seed)


@pytest.mark.parametrize("posterior", ["diagonal", "full", "gauss-newton"])
@pytest.mark.parametrize("which", [0, 1, 2])
@torch.no_grad()
def test_the_twin_has_the_same_elbo_and_the_same_data(posterior, which):
    vae, x, u, eps = build(posterior)
    M = orthogonal(which)  # determinant +1 or -1
    twin = rotate(vae, M)
    bound, twin_bound = vae.elbo(x, u, eps), twin.elbo(x, u, eps)
    assert (bound.elbo - twin_bound.elbo).abs().max() < 1e-8  # float64; the house bar is 1e-5 nats
    z = vae.encode(x).sample(eps)
    torch.testing.assert_close(twin.encode(x).sample(eps), z @ torch.tensor(M).T)
    torch.testing.assert_close(twin.decode(z @ torch.tensor(M).T), vae.decode(z))
    estimate, _ = log_px(vae, x, u, eps[None])
    torch.testing.assert_close(log_px(twin, x, u, eps[None])[0], estimate)


@torch.no_grad()
def test_the_twin_has_other_latents():
    vae, x, _, _ = build()
    twin = rotate(vae, rotation_matrix(D, 45, (0, 1)))
    mu, twin_mu = vae.encode(x).mu[0].numpy(), twin.encode(x).mu[0].numpy()
    assert abs(np.corrcoef(mu[:, 0], twin_mu[:, 0])[0, 1]) < 0.99
    np.testing.assert_allclose(mu[:, 2:], twin_mu[:, 2:])


@torch.no_grad()
def test_a_conditional_prior_notices_the_rotation():
    """The auxiliary variable bends the curve: with p(z|u) held fixed the twin is a different model."""
    vae, x, u, eps = build(prior=ConditionalPrior())
    twin = rotate(vae, orthogonal(0))
    assert (vae.elbo(x, u, eps).elbo - twin.elbo(x, u, eps).elbo).abs().mean() > 0.01


@torch.no_grad()
def test_rotations_compose_and_undo():
    vae, x, u, eps = build()
    M, R = orthogonal(1), orthogonal(2)
    both, at_once = rotate(rotate(vae, M), R), rotate(vae, R @ M)
    torch.testing.assert_close(both.encode(x).mu, at_once.encode(x).mu)
    back = rotate(rotate(vae, M), M.T)
    torch.testing.assert_close(back.encode(x).mu, vae.encode(x).mu)
    torch.testing.assert_close(back.elbo(x, u, eps).elbo, vae.elbo(x, u, eps).elbo)


def test_what_is_not_a_rotation_is_refused_with_its_defect():
    vae, *_ = build()
    with pytest.raises(ValueError, match=r"\|\|M\^T M - I\|\| = "):
        rotate(vae, np.eye(D) + 0.1)
    with pytest.raises(ValueError, match="must be 4 x 4"):
        rotate(vae, np.eye(3))
    with pytest.raises(ValueError, match="not orthogonal"):
        rotate(vae, np.full((D, D), np.nan))


def test_rotation_matrix():
    M = rotation_matrix(3, 90, (0, 2))
    np.testing.assert_allclose(M @ [1, 0, 0], [0, 0, 1], atol=1e-15)
    np.testing.assert_allclose(M.T @ M, np.eye(3), atol=1e-15)
    assert np.linalg.det(M) == pytest.approx(1)
    with pytest.raises(ValueError, match="two different axes"):
        rotation_matrix(3, 10, (1, 1))
    with pytest.raises(ValueError, match="two different axes"):
        rotation_matrix(2, 10, (0, 2))
