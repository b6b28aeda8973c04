"""Checks of a prior or a likelihood of your own against its contract, for your tests: each raises an AssertionError.

check_prior(MyPrior, d_z=2)
check_likelihood(MyLikelihood, x)       # x: rows that it can describe
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dvae_core.model import contract
from dvae_core.model.posterior import Posterior
from dvae_core.rng import generator

MEMBERS, DRAWS, ROWS = 3, 40_000, 60
WIDE = 3.0  # degrees of freedom of the proposal that densities are integrated with: heavier tails than most
ERRORS = 6.0  # standard errors that a Monte Carlo mean may be off: one good prior in 10^8 is refused


def check_prior(make: Callable[[int, int, int], Any], *, d_z: int = 2, d_u: int = 0) -> None:
    """Check that a prior is a normalised density, that its parts agree, and that members do not affect each other.

    Args:
        make: The class, called as `make(p, d_z, d_u)`.
        d_z: Number of latents.
        d_u: Features of u that it is asked at; 0 for a prior without u.

    Raises:
        AssertionError: If a part is missing or wrong; the message says which.
    """
    prior = _drawn(make(MEMBERS, d_z, d_u))
    u = None if not d_u else torch.randn(1, d_u, generator=generator("u"), dtype=torch.float64).expand(MEMBERS, 1, -1)
    given = prior(u)
    for name in ("log_prob", "kl_from", "newton", "moments", "sample"):
        assert hasattr(given, name), f"What the prior returns has no {name}."

    def at(n: int) -> Any:
        return prior(None if u is None else u.expand(-1, n, -1))

    z = torch.randn(MEMBERS, ROWS, d_z, generator=generator("z"), dtype=torch.float64).requires_grad_()
    log_p = at(ROWS).log_prob(z)
    assert log_p.shape == z.shape, f"log_prob must be [p, n, d_z] = {list(z.shape)}; got {list(log_p.shape)}."
    _check_newton(at(ROWS), z, log_p)
    q = Posterior(z.detach(), torch.full_like(z, 0.5), torch.full(z.shape[:2], d_z * math.log(0.5)))
    kl = at(ROWS).kl_from(q, z.detach())
    assert kl.shape == z.shape, f"kl_from must be [p, n, d_z] = {list(z.shape)}; got {list(kl.shape)}."
    with torch.no_grad():
        _check_density(at(DRAWS), d_z)
        _check_members(make, prior, u, z.detach())


def _check_newton(given: Any, z: Tensor, log_p: Tensor) -> None:
    (slope,) = torch.autograd.grad(log_p.sum(), z)
    gradient, precision = (part.expand_as(z) for part in given.newton(z.detach()))
    close = (gradient - slope).abs() <= 1e-4 * (1 + slope.abs())
    # a density may have kinks, around which newton may return the slope of something smoother
    assert close.double().mean() >= 0.9, "newton's first part is not the gradient of log p(z)."
    assert (precision > 0).all(), "newton's second part, the precision, must be positive."


def _check_density(given: Any, d_z: int) -> None:
    mean, logvar = (part.expand(MEMBERS, DRAWS, d_z) for part in given.moments())
    normal = torch.randn(MEMBERS, DRAWS, d_z, generator=generator("wide"), dtype=torch.float64)
    chi = torch.randn(MEMBERS, DRAWS, d_z, int(WIDE), generator=generator("chi"), dtype=torch.float64).square().sum(-1)
    t, scale = normal / (chi / WIDE).sqrt(), 1.5 * torch.exp(0.5 * logvar)
    log_q = torch.distributions.StudentT(WIDE).log_prob(t) - torch.log(scale)
    weight = torch.exp((given.log_prob(mean + scale * t) - log_q).sum(-1))
    error = weight.std(1) / math.sqrt(DRAWS)
    assert ((weight.mean(1) - 1).abs() < ERRORS * error + 1e-9).all(), (
        f"exp(sum of log_prob) integrates to {weight.mean(1).tolist()}, not to 1: a constant is missing or wrong."
    )
    v = torch.rand(MEMBERS, DRAWS, d_z, generator=generator("v"), dtype=torch.float64).clamp(1e-9, 1 - 1e-9)
    drawn = (given.sample(v) - mean) * torch.exp(-0.5 * logvar)
    off = drawn.mean(1).abs() / (drawn.std(1) / math.sqrt(DRAWS))
    assert (off < ERRORS).all(), "The mean of sample(v) is not that of moments()."
    square = drawn.square()
    off = (square.mean(1) - 1).abs() / (square.std(1) / math.sqrt(DRAWS))
    assert (off < ERRORS).all(), "The variance of sample(v) is not that of moments()."
    slope = given.newton(given.sample(v))[0] * torch.exp(0.5 * logvar)
    off = slope.mean(1).abs() / (slope.std(1) / math.sqrt(DRAWS) + 1e-12)
    assert (off < ERRORS).all(), "The gradient of log p is not 0 on average over sample(v): they are two densities."


def _check_members(make: Callable, prior: Any, u: Tensor | None, z: Tensor) -> None:
    u = None if u is None else u.expand(-1, z.shape[1], -1)
    before = prior(u).log_prob(z)
    again = make(MEMBERS, z.shape[2], 0 if u is None else u.shape[2]).double()
    again.load_state_dict(prior.state_dict())
    assert torch.equal(again(u).log_prob(z), before), "A prior with the same state_dict has another density."
    for weight in again.parameters():
        weight[1] += 0.1
    assert torch.allclose(again(u).log_prob(z)[0], before[0], rtol=1e-10, atol=1e-10), (
        "Changing one member's parameters changes another member's density."
    )


def check_likelihood(make: Callable[[int, int], Any], x: Tensor) -> None:
    """Check that a likelihood's gradient is that of its density and that its shapes are right.

    Args:
        make: The class, called as `make(p, d_x)`.
        x: Rows [n, d_x] that it can describe.

    Raises:
        AssertionError: If a part is missing or wrong; the message says which.
    """
    likelihood: Any = make(MEMBERS, x.shape[1])
    assert isinstance(likelihood, nn.Module), "A likelihood is a torch module."
    assert isinstance(likelihood, contract.Likelihood), "The likelihood lacks a part of dvae_core.model.contract."
    likelihood.start(x)
    likelihood = likelihood.double()
    x = x.double().expand(MEMBERS, -1, -1)
    shape = (MEMBERS, *x.shape[1:])
    f, second = (0.5 * torch.randn(shape, generator=generator(name), dtype=torch.float64) for name in ("f", "second"))
    second = second if likelihood.outputs == 2 else None
    f.requires_grad_()
    log_p = likelihood.log_prob(x, f, second)
    assert log_p.shape == x.shape[:2], f"log_prob must be [p, n] = {list(x.shape[:2])}; got {list(log_p.shape)}."
    (slope,) = torch.autograd.grad(log_p.sum(), f)
    gradient, information = likelihood.fisher(x, f.detach(), second)
    assert torch.allclose(gradient, slope, rtol=1e-4, atol=1e-6), "fisher's first part is not the gradient in f."
    assert (information > 0).all(), "The Fisher information must be positive."
    assert likelihood.mean(f.detach()).shape == shape, "mean(f) must have the shape of f."
    assert likelihood.in_noise_units(f.detach(), second)[0].shape == shape, "in_noise_units must keep the shape of f."
    _check_axes(likelihood)


def _drawn(prior: Any) -> Any:
    assert isinstance(prior, nn.Module), "A prior is a torch module."
    assert isinstance(prior, contract.Prior), "The prior lacks a part of dvae_core.model.contract."
    _check_axes(prior)
    for member in range(MEMBERS):
        prior.draw(member, generator(member, "check"))
    return prior.double()


def _check_axes(module: nn.Module) -> None:
    for name, weight in module.named_parameters():
        assert weight.shape[:1] == (MEMBERS,), f"The parameter {name} needs a leading member axis."
