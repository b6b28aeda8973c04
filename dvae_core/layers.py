"""Layers that carry the member axis: every weight is [p, ...], one multiplication serves the whole population.

A Python loop over p small modules costs p times the dispatch; `vmap` costs more than both (8 members, 50 units,
batch 64: 1.9 ms batched, 4.5 ms vmap, 11.5 ms loop). `draw` fills one member's weights from its own generator.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def xtanh(a: Tensor) -> Tensor:
    """tanh(a) + 0.1 a: the usual mixing nonlinearity of nonlinear ICA; never flat, so it can be inverted."""
    return _TanhAndSlope.apply(a, 0.1)[0]


def tanh(a: Tensor) -> Tensor:
    """Hyperbolic tangent, six times faster on a CPU than torch's and right to 2e-7."""
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
    """An activation at a and its derivative there, both differentiable: what a Jacobian through the decoder needs."""
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
    """(tanh(a) + c a, its derivative). tanh(a) = 1 - 2 sigmoid(-2a): torch's sigmoid takes a sixth of its tanh."""

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
        """Apply every member's own weights."""
        if self.bias is None:
            return torch.bmm(h, self.weight)
        return torch.baddbmm(self.bias[:, None, :], h, self.weight)


class Conv(nn.Module):
    """Strided convolution (or its transpose) that halves (doubles) the picture: 4 x 4, stride 2, padding 1."""

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


def convolve(
    pictures: Float[Tensor, "p n c_in h w"], convs: Iterable[nn.Module], activation: str, *, end_linear: bool = False
) -> list[Tensor]:
    """Put every member's pictures through its own `Conv`s, each but a linear end followed by the activation.

    Convolutions are bound by arithmetic, so members take turns: a grouped convolution for 8 members took twice as
    long as the loop. One member goes all the way before the next, while its maps are in the cache, and they stay in
    the channels-last layout (a step of 16 channels on 64 x 64 pixels, batch 64: 63 -> 43 ms).

    Returns:
        One tensor [n, c_out, h2, w2] a member, channels last in memory.
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

    def forward(
        self, h: Float[Tensor, "p n d_in"], skip: Linear | None = None, beside: Tensor | None = None
    ) -> Float[Tensor, "p n d_out"]:
        """Apply the layers in order; a linear `skip` of `beside` (else of h) is added to the first outputs."""
        weights = [w for layer in (*self.hidden, self.last) for w in (layer.weight, layer.bias)]
        if skip is None:
            return _MlpPass.apply(self.activation, h, None, None, *weights)
        return _MlpPass.apply(self.activation, h, h if beside is None else beside, skip.weight, *weights)

    def with_jacobian(self, z: Float[Tensor, "p n d_in"]) -> tuple[Tensor, Tensor]:
        """Return the output [p, n, d_out] and its Jacobian [p, n, d_in, d_out], as products of the layers' matrices."""
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


class _MlpPass(torch.autograd.Function):
    """The whole of `Mlp.forward` as one node with its gradient written out.

    What autograd records one small kernel at a time (8 members, 64 units, batch 64: 60 of them, half the step) is here
    a matrix product, a bias and an activation a layer, and the same again backwards.
    """

    @staticmethod
    def forward(ctx: Any, name: str, x: Tensor, beside: Tensor | None, skip: Tensor | None, *weights: Tensor) -> Tensor:
        out, inputs, kept = mlp_forward(name, x, weights[::2], [b.unsqueeze(1) for b in weights[1::2]])
        if skip is not None and beside is not None:
            out.narrow(-1, 0, skip.shape[-1]).add_(torch.bmm(beside, _wide(skip)))
        ctx.save_for_backward(beside, skip, *weights[::2], *inputs, *kept)
        ctx.name = name
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        beside, skip, *rest = ctx.saved_tensors
        layers = (len(rest) + 1) // 3
        weights, inputs, kept = rest[:layers], rest[layers : 2 * layers], rest[2 * layers :]
        _, needs_x, needs_beside, *_ = ctx.needs_input_grad
        grad = grad.contiguous()
        grad_x, grads = mlp_backward(ctx.name, grad, [w.mT for w in weights], inputs, kept, needs_x=needs_x)
        grad_beside = grad_skip = None
        if skip is not None:
            direct = grad.narrow(-1, 0, skip.shape[-1])
            grad_skip = outer(beside, direct)
            grad_beside = torch.bmm(direct, skip.mT) if needs_beside else None
        return None, (grad_x if needs_x else None), grad_beside, grad_skip, *grads


def mlp_forward(
    name: str, x: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Apply the layers to x, without autograd; weights are [p, d_in, d_out], biases [p, 1, d_out].

    Returns:
        The output; each layer's input; what each activation's derivative needs.
    """
    inputs, kept = [x], []
    scale = -2 if name in ("xtanh", "tanh") else 1  # tanh(a) = 1 - 2 sigmoid(-2a), see above
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        h, keep = _activate(name, torch.baddbmm(bias, inputs[-1], weight, beta=scale, alpha=scale))
        inputs.append(h)
        kept.append(keep)
    return torch.baddbmm(biases[-1], inputs[-1], _wide(weights[-1])), inputs, kept


def mlp_backward(
    name: str, grad: Tensor, transposed: Sequence[Tensor], inputs: Sequence[Tensor], kept: Sequence[Tensor], *,
    needs_x: bool,
) -> tuple[Tensor, list[Tensor]]:  # fmt: skip
    """Return the gradients in x and in weight, bias, weight, bias, ...; `transposed` are the weights [p, d_out, d_in].

    Where x needs none, the first is that in the first layer's output, no further.
    """
    grads: list[Tensor] = []
    for i in reversed(range(len(transposed))):
        grads += [grad.sum(1), outer(inputs[i], grad)]
        if i == 0 and not needs_x:
            break
        grad = torch.bmm(grad, transposed[i])
        if i > 0:
            grad = _activation_gradient(name, grad, kept[i - 1])
    return grad, grads[::-1]


def _activate(name: str, a: Tensor) -> tuple[Tensor, Tensor]:
    """Return the activation and what its derivative needs; for tanh and xtanh `a` is -2 times the argument."""
    if name in ("xtanh", "tanh"):
        s = torch.sigmoid(a)
        t = torch.rsub(s, 1, alpha=2)
        return (torch.add(t, a, alpha=-0.05, out=a) if name == "xtanh" else t), t  # no new memory: it has to be fetched
    if name == "relu":
        h = torch.relu_(a)
        return h, h
    h = ACTIVATIONS[name](a)
    return h, h if name in ("relu", "leaky") else a  # the sign of h is that of a


def _activation_gradient(name: str, grad: Tensor, kept: Tensor) -> Tensor:
    aten = torch.ops.aten
    if name in ("xtanh", "tanh"):
        through = aten.tanh_backward(grad, kept)
        return through.add_(grad, alpha=0.1) if name == "xtanh" else through
    if name == "relu":
        return aten.threshold_backward(grad, kept, 0)
    if name == "leaky":
        return aten.leaky_relu_backward(grad, kept, 0.1, False)
    return aten.silu_backward(grad, kept) if name == "silu" else aten.gelu_backward(grad, kept)


def _is_narrow(p: int, d_in: int, d_out: int) -> bool:
    return p > 1 and d_out <= 16 and d_in >= 4 * d_out


def _wide(weight: Tensor) -> Tensor:
    """The same weights, laid out so that a product with few outputs runs along the long axis: 33 us become 17."""
    return weight.mT.contiguous().mT if _is_narrow(*weight.shape) else weight


def outer(h: Tensor, grad: Tensor) -> Tensor:
    """Return the gradient h^T grad [p, d_in, d_out] of weights, computed along its longer axis (35 us become 8)."""
    if _is_narrow(h.shape[0], h.shape[-1], grad.shape[-1]):
        return torch.bmm(grad.mT, h).mT
    return torch.bmm(h.mT, grad)


def bounded_std(raw: Tensor, bound: float) -> tuple[Tensor, Tensor]:
    """Return std = exp(bound tanh((raw - 1) / bound)) and the sum of its logarithm over the last axis."""
    return _BoundedStd.apply(raw, bound)


class _BoundedStd(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, raw: Tensor, bound: float) -> tuple[Tensor, Tensor]:
        t = torch.rsub(torch.rsub(raw, 1).mul_(2 / bound).sigmoid_(), 1, alpha=2)  # tanh((raw - 1) / bound)
        log_std = t * bound
        std = torch.exp(log_std)
        ctx.save_for_backward(t, std)
        return std, log_std.sum(-1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_std: Tensor, grad_sum: Tensor) -> tuple[Tensor, None]:
        t, std = ctx.saved_tensors
        return torch.ops.aten.tanh_backward(torch.addcmul(grad_sum.unsqueeze(-1), grad_std, std), t), None


# --- Gaussian densities, each one node with its gradient written out: on 64 rows dispatch is what costs ---


def gaussian_log_density(x: Tensor, mu: Tensor, log_std: Tensor) -> Tensor:
    """Log N(x; mu, diag(std^2)) summed over the last axis; `log_std` broadcasts against x and mu."""
    return _GaussianLogDensity.apply(x, mu, log_std)


def gaussian_kl(mu: Tensor, var: Tensor, prior_mu: Tensor, prior_logvar: Tensor) -> Tensor:
    """KL(N(mu, var) || N(prior_mu, prior_var)) of every latent, all of one shape.

    1/2 [ var / prior_var - 1 - log(var / prior_var) + (mu - prior_mu)^2 / prior_var ]
    """
    return _GaussianKl.apply(mu, var, prior_mu, prior_logvar)


class _GaussianLogDensity(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, mu: Tensor, log_std: Tensor) -> Tensor:
        precision = torch.exp(-log_std)  # of the residual: 1 / std
        residual = (x - mu).mul_(precision)
        squares = torch.linalg.vecdot(residual, residual)
        ctx.save_for_backward(residual, precision, squares)
        d = residual.shape[-1]
        log_norm = log_std.sum(-1) * (-d / log_std.shape[-1]) - 0.5 * math.log(2 * math.pi) * d
        return torch.add(log_norm, squares, alpha=-0.5)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        residual, precision, squares = ctx.saved_tensors
        needs_x, needs_mu, needs_std = ctx.needs_input_grad
        grad_x = grad_mu = grad_std = None
        if needs_std and precision.shape[-1] == 1:
            grad_std = ((squares - residual.shape[-1]) * grad).unsqueeze(-1).sum_to_size(precision.shape)
        elif needs_std:
            grad_std = ((residual.square() - 1) * grad[..., None]).sum_to_size(precision.shape)
        if needs_x or needs_mu:
            grad_mu = residual * (grad.unsqueeze(-1) * precision)
            grad_x = -grad_mu if needs_x else None
        return grad_x, (grad_mu if needs_mu else None), grad_std


class _GaussianKl(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, mu: Tensor, var: Tensor, prior_mu: Tensor, prior_logvar: Tensor) -> Tensor:
        precision = torch.exp(-prior_logvar)
        distance = mu - prior_mu
        pull = distance * precision
        ratio = var * precision
        strain = torch.addcmul(ratio, pull, distance).sub_(1)  # 0 where q is the prior
        ctx.save_for_backward(var, precision, pull, strain)
        return torch.sub(strain, torch.log(ratio)).mul_(0.5)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        var, precision, pull, strain = ctx.saved_tensors
        grad_mu = grad * pull
        grad_var = (precision - var.reciprocal()).mul_(grad).mul_(0.5)
        grad_prior_mu = -grad_mu if ctx.needs_input_grad[2] else None
        grad_logvar = (strain * grad).mul_(-0.5) if ctx.needs_input_grad[3] else None
        return grad_mu, grad_var, grad_prior_mu, grad_logvar
