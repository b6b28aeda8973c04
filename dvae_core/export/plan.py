"""From latents back to data, without torch: the decoder as a plan that a browser (or numpy) can follow.

`decoder_plan` writes the generator of a run as a short list of operations on named arrays. The browser components run
the plan while a slider is dragged; `decode` runs it in numpy, slowly, for tests and single pictures.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from dvae_core.config import ConvNet, ModelConfig
from dvae_core.runs import Run


@dataclass(frozen=True)
class Plan:
    """A decoder for the browser: `tree` is small JSON, `tensors` the float32 arrays its operations name."""

    tree: dict[str, Any]
    tensors: dict[str, np.ndarray]


def decoder_plan(run: Run) -> Plan:
    """Return E[x|z] of every member of a run as operations (linear, act, conv_transpose, ...), in order.

    Every tensor has a leading member axis unless its operation is marked shared. A rotated twin begins with M^T.
    """
    config, about = run.config, run.about
    model = config.model
    plan = _Operations(run.weights())
    if model.rotation:  # rows: z = z~ M
        plan.add("linear", weight=plan.tensor("rotation", plan.weights["rotation"]), bias=None, shared=True)
    plan.add("start")
    for i in range(1 if isinstance(model.net, ConvNet) else model.net.depth):
        plan.add_linear(f"decoder_net.mlp.hidden.{i}")
        plan.add("act", name=model.net.activation)
    d_x, shape = about["d_x"], about.get("x_shape")
    if isinstance(model.net, ConvNet):
        _add_convolutions(plan, model.net, (*(shape or ()), 1)[:3])
    else:
        plan.add_linear("decoder_net.mlp.last", columns=d_x)
        plan.add("skip", weight=plan.tensor("decoder_net.skip.weight", plan.weights["decoder_net.skip.weight"]))
    _add_units(plan, model)
    digest = hashlib.sha256()
    for name in sorted(plan.tensors):
        digest.update(name.encode() + plan.tensors[name].tobytes())
    tree = {
        "id": digest.hexdigest()[:16],
        "members": config.members,
        "d_z": model.latents,
        "d_x": d_x,
        "x_shape": list(shape) if shape else None,
        "likelihood": model.likelihood.kind,
        "ops": plan.ops,
    }
    return Plan(tree, plan.tensors)


class _Operations:
    """Collects operations in order, and the tensors that they name."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self.weights = weights
        self.ops: list[dict[str, Any]] = []
        self.tensors: dict[str, np.ndarray] = {}

    def tensor(self, name: str, value: np.ndarray) -> str:
        """Keep a tensor, and return its name."""
        self.tensors[name] = np.ascontiguousarray(value, "<f4")
        return name

    def add(self, op: str, **settings: Any) -> None:
        """Append an operation."""
        self.ops.append({"op": op, **settings})

    def add_linear(self, name: str, columns: int | None = None) -> None:
        """Append a linear layer, or its first columns."""
        weight = self.tensor(f"{name}.weight", self.weights[f"{name}.weight"][..., :columns])
        bias = self.tensor(f"{name}.bias", self.weights[f"{name}.bias"][..., :columns])
        self.add("linear", weight=weight, bias=bias, shared=False)


def _add_convolutions(plan: _Operations, net: ConvNet, shape: tuple[int, ...]) -> None:
    """Append a picture's decoder behind its hidden layer; `shape` is (height, width, channels)."""
    height, width, channels = shape
    weights = plan.weights
    plan.add_linear("decoder_net.mlp.last")
    plan.add("act", name=net.activation)
    plan.add("reshape", shape=[2 * net.channels, height // 16, width // 16])
    for i in range(4):
        name = f"decoder_net.convs.{i}"
        kept = channels if i == 3 else None  # a network's Sigma_x has a second head, which E[x|z] does not need
        weight = plan.tensor(f"{name}.weight", weights[f"{name}.weight"][:, :, :kept])
        bias = plan.tensor(f"{name}.bias", weights[f"{name}.bias"][:, :kept])
        plan.add("conv_transpose", weight=weight, bias=bias, stride=2, padding=1)
        if i < 3:
            plan.add("act", name=net.activation)
    plan.add("flatten_channels_last")
    plan.add("bias", bias=plan.tensor("decoder_net.bias", weights["decoder_net.bias"]))


def _add_units(plan: _Operations, model: ModelConfig) -> None:
    """Append what turns the net's output into E[x|z] in the units of x."""
    if model.likelihood.last is not None:
        plan.add(model.likelihood.last)
        return
    scale = plan.tensor("x_inverse", plan.weights["scaling.x_inverse"])
    shift = plan.tensor("x_mean", plan.weights["scaling.x_mean"])
    if model.preprocess == "whiten":
        plan.add("linear", weight=scale, bias=shift, shared=True)
    else:
        plan.add("affine", scale=scale, shift=shift, shared=True)


def decode(
    plan: Plan, member: int, z: Float[np.ndarray, "n d_z"] | Sequence[Sequence[float]]
) -> Float[np.ndarray, "n d_x"]:
    """Run the plan in numpy for one member: E[x|z] in the model's units."""
    h = start = np.asarray(z, np.float32)
    for op in plan.tree["ops"]:
        if op["op"] == "start":
            start = h
        elif op["op"] == "act":
            h = _ACTIVATIONS[op["name"]](h)
        elif op["op"] == "reshape":
            h = h.reshape(len(h), *op["shape"])
        elif op["op"] == "flatten_channels_last":
            h = np.moveaxis(h, 1, -1).reshape(len(h), -1)
        elif op["op"] == "sigmoid":
            h = 1 / (1 + np.exp(-h))
        elif op["op"] == "exp":
            h = np.exp(h)
        else:
            h = _with_weights(op, plan.tensors, member, h, start)
    return h


def _with_weights(
    op: dict, tensors: dict[str, np.ndarray], member: int, h: np.ndarray, start: np.ndarray
) -> np.ndarray:
    def own(key: str) -> np.ndarray:
        whole = tensors[op[key]]
        return whole if op.get("shared") else whole[member]

    if op["op"] == "linear":
        h = h @ own("weight")
        return h if op["bias"] is None else h + own("bias")
    if op["op"] == "skip":
        return h + start @ own("weight")
    if op["op"] == "bias":
        return h + own("bias")
    if op["op"] == "affine":
        return h * own("scale") + own("shift")
    if op["op"] == "conv_transpose":
        return _conv_transpose(h, own("weight"), own("bias"), op["stride"], op["padding"])
    raise ValueError(f"The plan has an operation {op['op']!r} that is not known here.")


def _conv_transpose(h: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int, padding: int) -> np.ndarray:
    n, _, height, width = h.shape
    _, c_out, k, _ = weight.shape
    full = np.zeros((n, c_out, (height - 1) * stride + k, (width - 1) * stride + k), np.float32)
    for i in range(k):
        for j in range(k):
            part = np.einsum("nchw,co->nohw", h, weight[:, :, i, j])
            full[:, :, i : i + (height - 1) * stride + 1 : stride, j : j + (width - 1) * stride + 1 : stride] += part
    inner = slice(padding, -padding or None)
    return full[:, :, inner, inner] + bias[:, None, None]


def _gelu(a: np.ndarray) -> np.ndarray:
    return a * 0.5 * (1 + np.vectorize(math.erf)(a / math.sqrt(2)))


_ACTIVATIONS = {
    "xtanh": lambda a: np.tanh(a) + 0.1 * a,
    "tanh": np.tanh,
    "relu": lambda a: np.maximum(a, 0),
    "leaky": lambda a: np.where(a > 0, a, 0.1 * a),
    "silu": lambda a: a / (1 + np.exp(-a)),
    "gelu": _gelu,
}
