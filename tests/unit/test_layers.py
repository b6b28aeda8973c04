"""The gradients written out by hand are autograd's, and the fast tanh is tanh."""

import itertools

import pytest
import torch
from torch.autograd import gradcheck

from dvae_core.layers import ACTIVATIONS, Linear, Mlp, gaussian_kl, gaussian_log_density, tanh, with_slope

P, N = 2, 5


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    drawn = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn.requires_grad_()


def mlp(activation: str, *, depth: int = 2, d_in: int = 3, d_out: int = 4, hidden: int = 20) -> tuple[Mlp, Linear]:
    net = Mlp(P, d_in, d_out, hidden=hidden, depth=depth, activation=activation)
    skip = Linear(P, d_in, d_out - 1, bias=False)
    generator = torch.Generator().manual_seed(1)
    for w in (*net.parameters(), *skip.parameters()):
        w.data = torch.randn(w.shape, generator=generator, dtype=torch.float64) / 3
    return net, skip


def one_layer_at_a_time(net: Mlp, h: torch.Tensor, skip: Linear, beside: torch.Tensor) -> torch.Tensor:
    for layer in net.hidden:
        a = layer(h)
        h = {"xtanh": lambda a: torch.tanh(a) + 0.1 * a, "tanh": torch.tanh}.get(
            net.activation, ACTIVATIONS[net.activation]
        )(a)
    direct = skip(beside)
    return net.last(h) + torch.nn.functional.pad(direct, (0, 1))


@pytest.mark.parametrize(
    ("activation", "depth"), [*itertools.product(ACTIVATIONS, (2,)), ("xtanh", 0), ("xtanh", 1), ("relu", 3)]
)
def test_the_mlp_in_one_pass_is_its_layers(activation, depth):
    net, skip = mlp(activation, depth=depth)
    x, beside, weigh = noise(P, N, 3), noise(P, N, 3, seed=2), noise(P, N, 4, seed=3).detach()
    wanted = [x, beside, *net.parameters(), *skip.parameters()]
    slow = one_layer_at_a_time(net, x, skip, beside)
    fast = net(x, skip, beside)
    torch.testing.assert_close(fast, slow)
    for ours, theirs in zip(
        torch.autograd.grad((fast * weigh).sum(), wanted),
        torch.autograd.grad((slow * weigh).sum(), wanted),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


def test_the_linear_path_is_fed_the_input_itself_unless_told():
    net, skip = mlp("xtanh")
    x = noise(P, N, 3)
    torch.testing.assert_close(net(x, skip), net(x, skip, x))
    data = x.detach()  # data needs no gradient; the weights' gradients stay
    weights = list(net.parameters())
    for ours, theirs in zip(
        torch.autograd.grad(net(data, skip).sum(), weights),
        torch.autograd.grad(net(x, skip).sum(), weights),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_slopes_are_the_activations_derivatives(activation):
    a = noise(40)
    h, slope = with_slope(activation, a)
    torch.testing.assert_close(h, ACTIVATIONS[activation](a))
    (expected,) = torch.autograd.grad(ACTIVATIONS[activation](a).sum(), [a])
    torch.testing.assert_close(slope, expected)
    if activation not in ("relu", "leaky"):  # whose slope is a step
        assert gradcheck(lambda v: with_slope(activation, v), [a])


def test_the_fast_tanh_is_tanh():
    a = torch.linspace(-12, 12, 100_001)
    # float32 sigmoid is right to one part in 2^24 of 1, and is doubled
    assert (tanh(a).double() - torch.tanh(a.double())).abs().max() < 2.5e-7


@pytest.mark.parametrize("shape", [(P, 1, 1), (P, 1, 3), (P, N, 3)])
def test_gaussian_log_density(shape):
    x, mu, log_std = noise(P, N, 3), noise(P, N, 3, seed=1), noise(*shape, seed=2)
    expected = torch.distributions.Normal(mu, torch.exp(log_std)).log_prob(x).sum(-1)
    torch.testing.assert_close(gaussian_log_density(x, mu, log_std), expected)
    assert gradcheck(gaussian_log_density, (x, mu, log_std))


def test_gaussian_kl():
    mu, prior_mu, logvar = noise(P, N, 3), noise(P, N, 3, seed=1), noise(P, N, 3, seed=2)
    var = noise(P, N, 3, seed=3).detach().exp().requires_grad_()
    q, prior = torch.distributions.Normal(mu, var.sqrt()), torch.distributions.Normal(prior_mu, torch.exp(0.5 * logvar))
    torch.testing.assert_close(gaussian_kl(mu, var, prior_mu, logvar), torch.distributions.kl_divergence(q, prior))
    assert gradcheck(gaussian_kl, (mu, var, prior_mu, logvar))
