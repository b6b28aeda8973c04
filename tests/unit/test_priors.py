"""Every family of p_theta(z|u): normalised, sampled, differentiated and compared with its closed form."""

import dataclasses
import math

import pytest
import torch
from scipy import stats
from torch import nn
from torch.distributions import Laplace, Normal

from dvae_core.config import GaussianPrior, LaplacePrior, LearnedPrior, StandardPrior
from dvae_core.model.posterior import Posterior
from dvae_core.model.priors import GRID_STEP, Q_STD, GivenFamily, GivenLaplace, GivenNormal, LearnedFamily, prior_of
from dvae_core.rng import generator

P, N, D_Z, D_U = 2, 6, 3, 4
FAMILIES = {
    "standard": StandardPrior(),
    **{f"gaussian {m}": GaussianPrior(modulate=m) for m in ("both", "mean", "variance")},
    "laplace": LaplacePrior(),
    **{f"learned {k}": LearnedPrior(k=k, width=8) for k in (1, 2, 3)},
}


def family(name: str, *, labels: bool) -> tuple[nn.Module, torch.Tensor]:
    """A family in float64 with its own random weights (the table's larger, so that u does something), and u."""
    module = prior_of(FAMILIES[name], P, D_Z, D_U if labels else 1, labels=labels, standardise=lambda u: u)
    for path, part in module.named_modules():
        if hasattr(part, "draw"):
            for member in range(P):
                part.draw(member, generator(member, path))
    if labels and hasattr(module, "net"):
        with torch.no_grad():
            module.net.weight *= 8
    u = torch.eye(D_U)[torch.arange(N) % D_U] if labels else torch.linspace(-2, 2, N)[:, None]
    return module.double(), u.double().expand(P, -1, -1)


each = pytest.mark.parametrize("name", FAMILIES)
kinds = pytest.mark.parametrize("labels", [True, False], ids=["labels", "numbers"])


def at(given, row: int):
    """The given of one row, to be asked at any number of z (N(0, I) has one row for all)."""
    rows = {f.name: getattr(given, f.name) for f in dataclasses.fields(given)}
    row = 0 if isinstance(given, GivenNormal) and given.mu.shape[1] == 1 else row
    return dataclasses.replace(
        given, **{k: v[:, row : row + 1] for k, v in rows.items() if isinstance(v, torch.Tensor)}
    )


def fine(step: float) -> torch.Tensor:
    return torch.linspace(-40, 40, round(80 / step) + 1, dtype=torch.float64)


@kinds
@each
@torch.no_grad()
def test_densities_integrate_to_one_and_have_the_stated_moments(name, labels):
    module, u = family(name, labels=labels)
    z = fine(0.004)
    given = module(u)
    mean, logvar = (moment.expand(P, N, -1) for moment in given.moments())
    for i in range(0, N, 2):
        density = torch.exp(at(given, i).log_prob(z[None, :, None].expand(P, -1, D_Z)))
        # steps of 0.004 leave 1e-5 at a Laplace's kink, and the family's grid 1e-6
        assert (torch.trapezoid(density, z, dim=1) - 1).abs().max() < (2e-5 if name == "laplace" else 3e-6)
        first = torch.trapezoid(density * z[None, :, None], z, dim=1)
        second = torch.trapezoid(density * z[None, :, None].square(), z, dim=1)
        torch.testing.assert_close(first, mean[:, i], rtol=1e-4, atol=1e-4)
        # the tail beyond 10 counts as a point at 10
        torch.testing.assert_close(second - first.square(), torch.exp(logvar[:, i]), rtol=1e-3, atol=1e-4)


class Gaussian(nn.Module):
    """T = (z, z^2), Q a plain wide Gaussian: the learned family must become the Gaussian one."""

    def forward(self, z):
        return torch.stack([torch.zeros_like(z), z, z.square()], -1)


@torch.no_grad()
def test_the_quadrature_is_the_gaussians_closed_form():
    learned = LearnedFamily(P, D_U, D_Z, labels=True, k=2, width=1, hidden=1, standardise=lambda u: u).double()
    learned.functions = Gaussian()
    noise = torch.Generator().manual_seed(0)
    mu = 4 * torch.rand(P, N, D_Z, generator=noise, dtype=torch.float64) - 2
    std = 0.1 + 1.2 * torch.rand(P, N, D_Z, generator=noise, dtype=torch.float64)  # 8 stds within the grid, or nearly
    precision = std**-2
    lam = torch.stack([mu * precision, 0.5 * (Q_STD**-2 - precision)], -1)
    log_z = learned.log_z(lam)
    # log of int Q(z) exp(lam_1 z + lam_2 z^2) dz
    expected = torch.log(std / Q_STD) + 0.5 * mu.square() * precision
    assert (log_z - expected).abs().max() < 1e-6
    given = GivenFamily(learned, lam, log_z)
    z = mu + std * torch.randn(P, N, D_Z, generator=noise, dtype=torch.float64)
    assert (given.log_prob(z) - Normal(mu, std).log_prob(z)).abs().max() < 1e-6
    mean, logvar = given.moments()
    assert (mean - mu).abs().max() < 1e-6
    assert (torch.exp(0.5 * logvar) - std).abs().max() < 1e-6


def test_the_quadratures_gradient_is_the_gaussians():
    """D log Z / d lambda = E[T]: the mean and the second moment."""
    learned = LearnedFamily(1, D_U, 1, labels=True, k=2, width=1, hidden=1, standardise=lambda u: u).double()
    learned.functions = Gaussian()
    mu, std = 0.7, 0.4
    lam = torch.tensor([[[[mu / std**2, 0.5 * (Q_STD**-2 - std**-2)]]]], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(learned.log_z(lam).sum(), [lam])
    torch.testing.assert_close(slope.flatten(), torch.tensor([mu, mu**2 + std**2], dtype=torch.float64))


@pytest.mark.slow
@kinds
@each
@torch.no_grad()
def test_samples_have_the_density(name, labels):
    """Probability integral transform: F(F^-1(v)) by the density's own fine sums, and a KS test of draws."""
    module, u = family(name, labels=labels)
    n = 2000
    v = torch.rand(P, n, D_Z, generator=generator("v"), dtype=torch.float64)
    one = module(u[:, :1].expand(-1, n, -1))
    z, grid = one.sample(v), fine(0.002)
    density = torch.exp(at(one, 0).log_prob(grid[None, :, None].expand(P, -1, D_Z)))
    cdf = torch.cumulative_trapezoid(density, grid, dim=1)
    for m in range(P):
        for i in range(D_Z):
            k = torch.searchsorted(grid, z[m, :, i].contiguous()).clamp(1, len(grid) - 1)
            # within a cell of 0.05 the sampler's density is flat: off by h^2 f' / 8, some 1e-3 at most
            assert (cdf[m, k - 1, i] - v[m, :, i]).abs().max() < 3e-3
            assert stats.kstest(cdf[m, k - 1, i].numpy(), "uniform").pvalue > 1e-4  # 48 tests of fixed draws


def test_the_far_tails_are_the_wide_gaussians():
    module, u = family("learned 2", labels=True)
    given = module(u)
    z = given.sample(torch.full((P, N, D_Z), 1e-30, dtype=torch.float64))
    assert (z < -10).all()
    assert torch.isfinite(z).all()
    step = given.log_prob(torch.full_like(z, 14.0)) - given.log_prob(torch.full_like(z, 12.0))
    torch.testing.assert_close(step, torch.full_like(z, -0.5 * (14**2 - 12**2) / Q_STD**2))


@kinds
@each
def test_newton_steps_along_the_gradient_with_a_positive_precision(name, labels):
    module, u = family(name, labels=labels)
    z = torch.randn(P, N, D_Z, generator=generator("z"), dtype=torch.float64).requires_grad_()
    given = module(u)
    (slope,) = torch.autograd.grad(given.log_prob(z).sum(), [z], create_graph=True)
    gradient, precision = given.newton(z)
    assert (precision > 0).all()
    if name == "laplace":  # a parabola above a rounded kink
        assert (torch.sign(gradient) == torch.sign(slope)).all()
        assert (gradient.abs() <= slope.abs()).all()
        return
    torch.testing.assert_close(gradient, slope)
    if name.startswith("learned"):
        (bend,) = torch.autograd.grad(slope.sum(), [z])  # each slope depends on its own z alone
        torch.testing.assert_close(precision, (-bend).clamp_min(Q_STD**-2))


@pytest.mark.parametrize("name", ["laplace", "gaussian"])
def test_the_closed_form_of_the_kl_is_the_integral(name):
    own = torch.tensor([[[-1.0, 0.3]]], dtype=torch.float64)
    mu, var = torch.tensor([[[0.4, -2.0]]], dtype=torch.float64), torch.tensor([[[0.3, 1.5]]], dtype=torch.float64)
    z = torch.linspace(-15, 15, 300_001, dtype=torch.float64)[:, None]
    given, reference = {
        "laplace": (GivenLaplace(own), Laplace(0.0, torch.exp(own))),
        "gaussian": (GivenNormal(own - 1, own), Normal(own - 1, torch.exp(0.5 * own))),
    }[name]
    torch.testing.assert_close(given.log_prob(z), reference.log_prob(z))
    log_q = Normal(mu[0], var[0].sqrt()).log_prob(z)
    expected = torch.trapezoid(torch.exp(log_q) * (log_q - given.log_prob(z)[0]), z[:, 0], dim=0)
    q = Posterior(mu, var.sqrt(), 0.5 * torch.log(var).sum(-1))
    torch.testing.assert_close(given.kl_from(q, mu)[0, 0], expected, rtol=1e-7, atol=1e-7)  # trapezoids of 1e-4


@kinds
@each
@torch.no_grad()
def test_the_density_is_the_exponential_family_of_lam_and_statistics(name, labels):
    """Log p(z|u) - log p(z|u') is linear in T(z): Q(z) and Z(u) cancel in differences of differences."""
    module, u = family(name, labels=labels)
    if not module.k:
        return
    z = torch.randn(2, P, N, D_Z, generator=generator("pair"), dtype=torch.float64)
    other = u.roll(1, 1)
    near, far = module(u), module(other)
    left = (near.log_prob(z[0]) - far.log_prob(z[0])) - (near.log_prob(z[1]) - far.log_prob(z[1]))
    T = module.statistics(z[0]) - module.statistics(z[1])
    right = (T * (module.lam(u) - module.lam(other))).sum(-1)
    torch.testing.assert_close(left, right)
    assert module.lam(u).shape == (P, N, D_Z, module.k)


@torch.no_grad()
def test_a_finer_grid_changes_nothing():
    module, u = family("learned 2", labels=True)
    lam = module(u).lam
    assert (module.log_z(lam) - module.log_z(lam, GRID_STEP / 2)).abs().max() < 1e-6
    assert math.isfinite(float(lam.abs().max()))


@each
def test_a_prior_without_its_u_is_refused(name):
    module, _ = family(name, labels=True)
    if name != "standard":
        with pytest.raises(ValueError, match="needs u"):
            module(None)
