"""From latents back to data, without torch: the decoder as a plan that a browser (or numpy) can follow.

`decoder_plan` writes the generator of a run as a short list of operations on named arrays. The browser components run
the plan while a slider is dragged; `decode` runs it in numpy, slowly, for tests and single pictures.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from dvae_core.config import ConvNet
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
    config, about, weights = run.config, run.about, run.weights()
    model = config.model
    ops: list[dict[str, Any]] = []
    tensors: dict[str, np.ndarray] = {}

    def tensor(name: str, value: np.ndarray) -> str:
        tensors[name] = np.ascontiguousarray(value, "<f4")
        return name

    def linear(name: str, columns: int | None = None) -> dict[str, Any]:
        weight = tensor(f"{name}.weight", weights[f"{name}.weight"][..., :columns])
        bias = tensor(f"{name}.bias", weights[f"{name}.bias"][..., :columns])
        return {"op": "linear", "weight": weight, "bias": bias, "shared": False}

    if model.rotation:
        M = tensor("rotation", weights["rotation"])  # rows: z = z~ M
        ops.append({"op": "linear", "weight": M, "bias": None, "shared": True})
    ops.append({"op": "start"})
    act = {"op": "act", "name": model.net.activation}
    depth = 1 if isinstance(model.net, ConvNet) else model.net.depth
    for i in range(depth):
        ops += [linear(f"decoder_net.mlp.hidden.{i}"), act]
    d_x, shape = about["d_x"], about.get("x_shape")
    if isinstance(model.net, ConvNet):
        height, width, channels = (*(shape or ()), 1)[:3]
        ops += [linear("decoder_net.mlp.last"), act]
        ops.append({"op": "reshape", "shape": [2 * model.net.channels, height // 16, width // 16]})
        for i in range(4):
            name = f"decoder_net.convs.{i}"
            kept = channels if i == 3 else None  # a network's Sigma_x has a second head, which E[x|z] does not need
            weight = tensor(f"{name}.weight", weights[f"{name}.weight"][:, :, :kept])
            bias = tensor(f"{name}.bias", weights[f"{name}.bias"][:, :kept])
            ops.append({"op": "conv_transpose", "weight": weight, "bias": bias, "stride": 2, "padding": 1})
            if i < 3:
                ops.append(act)
        ops.append({"op": "flatten_channels_last"})
        ops.append({"op": "bias", "bias": tensor("decoder_net.bias", weights["decoder_net.bias"])})
    else:
        ops.append(linear("decoder_net.mlp.last", columns=d_x))
        ops.append({"op": "skip", "weight": tensor("decoder_net.skip.weight", weights["decoder_net.skip.weight"])})
    if model.likelihood.last is not None:
        ops.append({"op": model.likelihood.last})
    else:
        scale, shift = tensor("x_inverse", weights["scaling.x_inverse"]), tensor("x_mean", weights["scaling.x_mean"])
        if model.preprocess == "whiten":
            ops.append({"op": "linear", "weight": scale, "bias": shift, "shared": True})
        else:
            ops.append({"op": "affine", "scale": scale, "shift": shift, "shared": True})
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode() + tensors[name].tobytes())
    tree = {
        "id": digest.hexdigest()[:16],
        "members": config.members,
        "d_z": model.latents,
        "d_x": d_x,
        "x_shape": list(shape) if shape else None,
        "likelihood": model.likelihood.kind,
        "ops": ops,
    }
    return Plan(tree, tensors)


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
