"""The slopes written out by hand are autograd's, and the fast tanh is tanh."""

import pytest
import torch
from torch.autograd import gradcheck

from dvae_core.model.layers import ACTIVATIONS, tanh, with_slope


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    drawn = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn.requires_grad_()


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
