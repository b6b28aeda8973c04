"""The rotated twin is a different model that nothing observable distinguishes from the original."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.stats import ortho_group

from dvae_core.config import Config, GaussianLikelihood, GaussianPrior, MlpNet, ModelConfig, TrainConfig
from dvae_core.identify.matrices import (
    compose,
    entangles,
    from_text,
    orthogonality_defect,
    random_orthogonal,
    reflection,
    require_orthogonal,
    undo,
)
from dvae_core.identify.rotation import rotate, rotation_matrix
from dvae_core.model.nets import Sizes
from dvae_core.model.start import initialise
from dvae_core.model.vae import Vae, log_px

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
    z = vae.encoder(x).sample(eps)
    torch.testing.assert_close(twin.encoder(x).sample(eps), z @ torch.tensor(M).T)
    torch.testing.assert_close(twin.decoder(z @ torch.tensor(M).T).mean, vae.decoder(z).mean)
    estimate, _ = log_px(vae, x, u, eps[None])
    torch.testing.assert_close(log_px(twin, x, u, eps[None])[0], estimate)


@torch.no_grad()
def test_the_twin_has_other_latents():
    vae, x, _, _ = build()
    twin = rotate(vae, rotation_matrix(D, 45, (0, 1)))
    mu, twin_mu = vae.encoder(x).mu[0].numpy(), twin.encoder(x).mu[0].numpy()
    assert abs(np.corrcoef(mu[:, 0], twin_mu[:, 0])[0, 1]) < 0.99
    np.testing.assert_allclose(mu[:, 2:], twin_mu[:, 2:])


@torch.no_grad()
def test_a_conditional_prior_notices_the_rotation():
    """The auxiliary variable bends the curve: with p(z|u) held fixed the twin is a different model."""
    vae, x, u, eps = build(prior=GaussianPrior())
    twin = rotate(vae, orthogonal(0))
    assert (vae.elbo(x, u, eps).elbo - twin.elbo(x, u, eps).elbo).abs().mean() > 0.01


@torch.no_grad()
def test_rotations_compose_and_undo():
    vae, x, u, eps = build()
    M, R = orthogonal(1), orthogonal(2)
    both, at_once = rotate(rotate(vae, M), R), rotate(vae, R @ M)
    torch.testing.assert_close(both.encoder(x).mu, at_once.encoder(x).mu)
    back = rotate(rotate(vae, M), M.T)
    torch.testing.assert_close(back.encoder(x).mu, vae.encoder(x).mu)
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


@pytest.mark.parametrize("d", [1, 2, 5])
def test_random_orthogonal_matrices_are_orthogonal_of_both_kinds(d):
    found = [random_orthogonal(d, seed) for seed in range(20)]
    assert max(map(orthogonality_defect, found)) < 1e-14 * d
    assert {round(float(np.linalg.det(M))) for M in found} == {-1, 1}
    np.testing.assert_array_equal(random_orthogonal(d, 3), found[3])


def test_random_orthogonal_is_uniform():
    """Entries of a Haar matrix in the plane: M[0, 0] = cos of a uniform angle, so its square has mean 1/2."""
    first = np.array([random_orthogonal(2, seed)[0, 0] for seed in range(400)])
    assert np.mean(first**2) == pytest.approx(0.5, abs=0.07)  # std of cos^2 is .354: 4 standard errors
    assert abs(np.mean(first)) < 0.15  # std .707: 4 standard errors; 0 only with the signs made unique


def test_matrices_compose_in_order_and_undo():
    A, B = rotation_matrix(3, 30, (0, 1)), reflection(3, 2)
    np.testing.assert_allclose(compose(A, B), B @ A)
    np.testing.assert_allclose(compose(A, B, undo(compose(A, B))), np.eye(3), atol=1e-15)
    np.testing.assert_array_equal(compose(B, B), np.eye(3))
    assert np.linalg.det(B) == -1
    np.testing.assert_allclose(compose(*[rotation_matrix(2, 15)] * 6), rotation_matrix(2, 90), atol=1e-15)


@torch.no_grad()
def test_a_reflection_has_a_twin_too():
    vae, x, u, eps = build()
    twin = rotate(vae, reflection(D, 1))
    assert (vae.elbo(x, u, eps).elbo - twin.elbo(x, u, eps).elbo).abs().max() < 1e-8
    np.testing.assert_allclose(twin.encoder(x).mu[..., 1], -vae.encoder(x).mu[..., 1])


def test_a_pasted_matrix_is_read_or_refused_with_a_message():
    np.testing.assert_allclose(from_text("0.6 -0.8\n0.8 0.6"), [[0.6, -0.8], [0.8, 0.6]], atol=1e-15)
    np.testing.assert_allclose(from_text("[[0, 1], [1, 0]]".replace("], [", "; ")), [[0, 1], [1, 0]])
    rounded = from_text("0.86603 -0.5; 0.5 0.86603", d=2)  # five digits: defect 1e-5
    assert orthogonality_defect(rounded) < 1e-14
    for text, message in (
        ("1 0.5\n0 1", r"not orthogonal: \|\|M\^T M - I\|\| = 0.75"),  # M^T M - I = [[0, .5], [.5, .25]]
        ("1 0 0\n0 1 0", "M must be square; got 2 x 3"),
        ("1 0\n0", "rows of equal length"),
        ("", "rows of equal length"),
        ("a b\nc d", "plain numbers"),
        ("nan 0\n0 1", "not orthogonal"),
    ):
        with pytest.raises(ValueError, match=message):
            from_text(text)
    with pytest.raises(ValueError, match="3 x 3 for a model with 3 latents; got 2 x 2"):
        from_text("1 0\n0 1", d=3)


def test_impossible_matrices_are_refused():
    with pytest.raises(ValueError, match=r"axis among 0..1; got 2"):
        reflection(2, 2)
    with pytest.raises(ValueError, match="at least 1 dimension; got 0"):
        random_orthogonal(0)
    with pytest.raises(ValueError, match="nothing to compose"):
        compose()
    with pytest.raises(ValueError, match="two different axes"):  # one latent: nothing to turn
        rotation_matrix(1, 30)
    require_orthogonal(np.eye(1))


def test_only_0_and_90_degrees_leave_the_axes_alone():
    assert not entangles(rotation_matrix(2, 0))
    assert not entangles(rotation_matrix(2, 90))
    assert entangles(rotation_matrix(2, 1))
    assert not entangles(rotation_matrix(3, 45, (0, 1)))  # the third latent stays apart
    assert entangles(random_orthogonal(3))


def test_what_pages_import_stays_light():
    modules = "any_prior, darmois, independence, linear_gaussian, marginals, matrices, two_sample"
    heavy = "{'torch', 'scipy', 'sklearn'}"
    code = f"import sys; from dvae_core.identify import {modules}; print({heavy} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()", found.stdout
