"""Layers with a member axis: every weight is [p, ...], so one multiplication serves the whole population.

A Python loop over p small modules costs p times the dispatch; `vmap` costs more than both (8 members, 50 units,
batch 64: 1.9 ms batched, 4.5 ms vmap, 11.5 ms loop). `draw` fills one member's weights from its own generator.
"""

import itertools
import math
from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def xtanh(a: Tensor) -> Tensor:
    """tanh(a) + 0.1 a: the usual mixing nonlinearity of nonlinear ICA. It is never flat, so it is invertible."""
    return _TanhAndSlope.apply(a, 0.1)[0]


def tanh(a: Tensor) -> Tensor:
    """Hyperbolic tangent, six times faster than torch's on a CPU and accurate to 2e-7."""
    return _TanhAndSlope.apply(a, 0.0)[0]


ACTIVATIONS = {
    "xtanh": xtanh,
    "tanh": tanh,
    "relu": torch.relu,
    "leaky": lambda a: F.leaky_relu(a, 0.1),
    "silu": F.silu,
    "gelu": F.gelu,
}


def with_slope(name: str, a: Tensor) -> tuple[Tensor, Tensor]:
    """An activation and its derivative at a, both differentiable, as the Jacobian of the decoder requires."""
    if name in ("xtanh", "tanh"):
        return _TanhAndSlope.apply(a, 0.1 if name == "xtanh" else 0.0)
    h = ACTIVATIONS[name](a)
    if name == "relu":
        return h, (a > 0).to(a.dtype)
    if name == "leaky":
        return h, torch.where(a > 0, 1.0, 0.1).to(a.dtype)
    s = torch.sigmoid(a) if name == "silu" else 0.5 * (1 + torch.erf(a / math.sqrt(2)))
    if name == "silu":
        return h, s * (1 + a * (1 - s))
    return h, s + a * torch.exp(-0.5 * a.square()) / math.sqrt(2 * math.pi)


class _TanhAndSlope(torch.autograd.Function):
    """(tanh(a) + c a, its derivative).

    Uses tanh(a) = 1 - 2 sigmoid(-2a), because torch's sigmoid takes a sixth of the time of its tanh.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, c: float) -> tuple[Tensor, Tensor]:
        t = torch.rsub(torch.sigmoid(-2 * a), 1, alpha=2)
        slope = torch.rsub(t * t, 1 + c)
        ctx.save_for_backward(t, slope)
        ctx.c = c
        ctx.set_materialize_grads(False)
        return (torch.add(t, a, alpha=c) if c else t), slope

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor | None, grad_slope: Tensor | None) -> tuple[Tensor | None, None]:
        t, slope = ctx.saved_tensors
        whole = None if grad is None else grad * slope
        if grad_slope is not None:  # d slope / da = -2 t (1 - t^2)
            bend = torch.ops.aten.tanh_backward(grad_slope, t).mul_(t)
            whole = -2 * bend if whole is None else whole.add_(bend, alpha=-2)
        return whole, None


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
        """Apply each member's own weights."""
        if self.bias is None:
            return torch.bmm(h, self.weight)
        return torch.baddbmm(self.bias[:, None, :], h, self.weight)


class Conv(nn.Module):
    """Strided convolution (or its transpose) that halves (doubles) the picture's sides: 4 x 4, stride 2, padding 1."""

    def __init__(self, p: int, c_in: int, c_out: int, *, transpose: bool = False) -> None:
        super().__init__()
        self.transpose = transpose
        shape = (c_in, c_out, 4, 4) if transpose else (c_out, c_in, 4, 4)  # torch's order for each kind
        self.weight = nn.Parameter(torch.zeros(p, *shape))
        self.bias = nn.Parameter(torch.zeros(p, c_out))
        self.fan_in = (
            c_in * 16 // (4 if transpose else 1)
        )  # at stride 2, only a quarter of the kernel contributes to each output

    def draw(self, member: int, generator: torch.Generator) -> None:
        """Draw one member's weights from N(0, 2 / fan_in)."""
        drawn = torch.randn(self.weight.shape[1:], generator=generator) * math.sqrt(2 / self.fan_in)
        with torch.no_grad():
            self.weight[member] = drawn


def convolve(
    pictures: Float[Tensor, "p n c_in h w"], convs: Iterable[nn.Module], activation: str, *, end_linear: bool = False
) -> list[Tensor]:
    """Apply each member's own `Conv`s to its pictures, with the activation after each one except a linear last one.

    Convolutions are limited by arithmetic, so the members are computed one by one: a grouped convolution for 8 members
    took twice as long as the loop. Each member passes through all layers before the next one starts, while its feature
    maps are in the cache, and the maps stay in the channels-last layout (a step of 16 channels on 64 x 64 pixels,
    batch 64: 63 -> 43 ms).

    Returns:
        One tensor [n, c_out, h2, w2] per member, channels last in memory.
    """
    layers = [conv for conv in convs if isinstance(conv, Conv)]
    kernels = [(conv.weight.unbind(0), conv.bias.unbind(0)) for conv in layers]
    out = []
    for m, h in enumerate(pictures.unbind(0)):
        h = h.contiguous(memory_format=torch.channels_last)
        for i, (conv, (weights, biases)) in enumerate(zip(layers, kernels, strict=True)):
            apply = F.conv_transpose2d if conv.transpose else F.conv2d
            h = apply(h, weights[m], biases[m], stride=2, padding=1)
            if not (end_linear and i == len(layers) - 1):
                h = F.relu(h, inplace=True) if activation == "relu" else ACTIVATIONS[activation](h)
        out.append(h)
    return out


class Mlp(nn.Module):
    """`depth` hidden layers and a linear output layer, without a linear path of its own."""

    def __init__(
        self, p: int, d_in: int, d_out: int, *, hidden: int, depth: int, activation: str, last_gain: float = 0.3
    ) -> None:
        super().__init__()
        sizes = [d_in] + [hidden] * depth
        gain = math.sqrt(2) if activation in ("relu", "leaky", "silu", "gelu") else 1.0
        self.hidden = nn.ModuleList(Linear(p, a, b, gain=gain) for a, b in itertools.pairwise(sizes))
        self.last = Linear(p, sizes[-1], d_out, gain=last_gain)
        self.activation = activation

    def forward(
        self, h: Float[Tensor, "p n d_in"], skip: Linear | None = None, beside: Tensor | None = None
    ) -> Float[Tensor, "p n d_out"]:
        """Apply the layers in order and add a linear `skip` of `beside` (by default h) to the first outputs."""
        beside = h if beside is None else beside
        for layer in self.hidden:
            h = ACTIVATIONS[self.activation](layer(h))
        out = self.last(h)
        if skip is None:
            return out
        direct = skip(beside)
        return out + F.pad(direct, (0, out.shape[-1] - direct.shape[-1]))

    def with_jacobian(self, z: Float[Tensor, "p n d_in"]) -> tuple[Tensor, Tensor]:
        """Return the output [p, n, d_out] and its Jacobian [p, n, d_in, d_out], a product of the layers' matrices."""
        p, n, d_in = z.shape
        h, tangent = z, None  # tangent[p, n, i] = dh / dz_i; None stands for the identity
        for layer in self.hidden:
            h, slope = with_slope(self.activation, layer(h))
            tangent = _push(tangent, layer.get_parameter("weight"), n) * slope[:, :, None]
        jacobian = _push(tangent, self.last.weight, n)
        return self.last(h), jacobian.expand(p, n, d_in, -1)


def _push(tangent: Tensor | None, weight: Tensor, n: int) -> Tensor:
    if tangent is None:
        return weight[:, None]  # the identity times the weights: the same for every example
    return torch.bmm(tangent.flatten(1, 2), weight).unflatten(1, (n, -1))


def bounded_std(raw: Tensor, bound: float) -> tuple[Tensor, Tensor]:
    """Return std = exp(bound tanh((raw - 1) / bound)) and the sum of its logarithm over the last axis."""
    log_std = bound * tanh((raw - 1) / bound)
    return torch.exp(log_std), log_std.sum(-1)
