"""Layers that carry the member axis: every weight is [p, ...], one multiplication serves the whole population.

A Python loop over p small modules costs p times the dispatch; `vmap` costs more than both (8 members, 50 units,
batch 64: 1.9 ms batched, 4.5 ms vmap, 11.5 ms loop). `draw` fills one member's weights from its own generator.
"""

import itertools
import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def xtanh(a: Tensor) -> Tensor:
    """tanh(a) + 0.1 a: the usual mixing nonlinearity of nonlinear ICA; never flat, so it can be inverted."""
    return torch.tanh(a) + 0.1 * a


ACTIVATIONS = {
    "xtanh": xtanh,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky": lambda a: F.leaky_relu(a, 0.1),
    "silu": F.silu,
    "gelu": F.gelu,
}


def slope(name: str, a: Tensor) -> Tensor:
    """The derivative of an activation at a, itself differentiable: what a Jacobian through the decoder needs."""
    if name == "xtanh":
        return 1.1 - torch.tanh(a).square()
    if name == "tanh":
        return 1 - torch.tanh(a).square()
    if name == "relu":
        return (a > 0).to(a.dtype)
    if name == "leaky":
        return torch.where(a > 0, 1.0, 0.1).to(a.dtype)
    s = torch.sigmoid(a) if name == "silu" else 0.5 * (1 + torch.erf(a / math.sqrt(2)))
    if name == "silu":
        return s * (1 + a * (1 - s))
    return s + a * torch.exp(-0.5 * a.square()) / math.sqrt(2 * math.pi)


class Linear(nn.Module):
    """h [p, n, d_in] -> h @ weight + bias, [p, n, d_out]."""

    def __init__(self, p: int, d_in: int, d_out: int, *, bias: bool = True, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(p, d_in, d_out))
        self.bias = nn.Parameter(torch.zeros(p, d_out)) if bias else None
        self.gain = gain

    def draw(self, member: int, generator: torch.Generator) -> None:
        """Draw one member's weights from N(0, gain^2 / d_in); biases stay 0."""
        d_in, d_out = self.weight.shape[1:]
        drawn = torch.randn(d_in, d_out, generator=generator) * (self.gain / math.sqrt(max(d_in, 1)))
        with torch.no_grad():
            self.weight[member] = drawn

    def forward(self, h: Float[Tensor, "p n d_in"]) -> Float[Tensor, "p n d_out"]:
        """Apply every member's own weights."""
        if self.bias is None:
            return torch.bmm(h, self.weight)
        return torch.baddbmm(self.bias[:, None, :], h, self.weight)


class Conv(nn.Module):
    """Strided convolution (or its transpose) that halves (doubles) the picture: 4 x 4, stride 2, padding 1.

    Loops over members inside: a grouped convolution for 8 members took twice as long as the loop.
    """

    def __init__(self, p: int, c_in: int, c_out: int, *, transpose: bool = False) -> None:
        super().__init__()
        self.transpose = transpose
        shape = (c_in, c_out, 4, 4) if transpose else (c_out, c_in, 4, 4)  # torch's order for each kind
        self.weight = nn.Parameter(torch.zeros(p, *shape))
        self.bias = nn.Parameter(torch.zeros(p, c_out))
        self.fan_in = (
            c_in * 16 // (4 if transpose else 1)
        )  # a stride of 2 reaches each output from a quarter of the kernel

    def draw(self, member: int, generator: torch.Generator) -> None:
        """Draw one member's weights from N(0, 2 / fan_in)."""
        drawn = torch.randn(self.weight.shape[1:], generator=generator) * math.sqrt(2 / self.fan_in)
        with torch.no_grad():
            self.weight[member] = drawn

    def forward(self, h: Float[Tensor, "p n c_in h w"]) -> Float[Tensor, "p n c_out h2 w2"]:
        """Convolve every member's batch with its own kernel."""
        convolve = F.conv_transpose2d if self.transpose else F.conv2d
        return torch.stack([convolve(h[m], self.weight[m], self.bias[m], stride=2, padding=1) for m in range(len(h))])


class Mlp(nn.Module):
    """`depth` hidden layers and a last linear one; no linear path of its own."""

    def __init__(
        self, p: int, d_in: int, d_out: int, *, hidden: int, depth: int, activation: str, last_gain: float = 0.3
    ) -> None:
        super().__init__()
        sizes = [d_in] + [hidden] * depth
        gain = math.sqrt(2) if activation in ("relu", "leaky", "silu", "gelu") else 1.0
        self.hidden = nn.ModuleList(Linear(p, a, b, gain=gain) for a, b in itertools.pairwise(sizes))
        self.last = Linear(p, sizes[-1], d_out, gain=last_gain)
        self.activation = activation

    def forward(self, h: Float[Tensor, "p n d_in"]) -> Float[Tensor, "p n d_out"]:
        """Apply the layers in order."""
        act = ACTIVATIONS[self.activation]
        for layer in self.hidden:
            h = act(layer(h))
        return self.last(h)

    def with_jacobian(self, z: Float[Tensor, "p n d_in"]) -> tuple[Tensor, Tensor]:
        """Return the output [p, n, d_out] and its Jacobian [p, n, d_in, d_out], as products of the layers' matrices."""
        p, n, d_in = z.shape
        h, tangent = z, None  # tangent[p, n, i] = dh / dz_i; None stands for the identity
        for layer in self.hidden:
            a = layer(h)
            tangent = _push(tangent, layer.get_parameter("weight"), n) * slope(self.activation, a)[:, :, None]
            h = ACTIVATIONS[self.activation](a)
        jacobian = _push(tangent, self.last.weight, n)
        return self.last(h), jacobian.expand(p, n, d_in, -1)


def _push(tangent: Tensor | None, weight: Tensor, n: int) -> Tensor:
    if tangent is None:
        return weight[:, None]  # the identity times the weights: the same for every example
    return torch.bmm(tangent.flatten(1, 2), weight).unflatten(1, (n, -1))
