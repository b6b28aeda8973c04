"""Decoders for other programs: one member's E[x|z] as an ONNX graph.

The graph is written from the same plan that the browser follows, so torch is not needed. The `onnx` package is needed:
`pip install "dvae-core[export]"`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from dvae_core.export.plan import Plan

OPSET = 20  # the first with Gelu


def decoder_onnx(plan: Plan, member: int = 0, *, name: str = "decoder") -> bytes:
    """Return E[x|z] of one member as an ONNX model: input `z [n d_z]`, output `x [n d_x]`, both float32.

    x is in the model's units (pictures 0..1, counts per bin). Picture rows are flattened in C order, and `x_shape` is
    stored in the model's metadata. The graph of a rotated twin begins with M^T.

    Args:
        plan: The result of `plan.decoder_plan`.
        member: Index in the population.
        name: Name of the graph, shown by viewers.

    Raises:
        ValueError: If there is no such member.
        ImportError: If the onnx package is absent; the message says how to install it.

    Example:
        `onnxruntime.InferenceSession(data).run(None, {"z": z})[0]`
    """
    if not 0 <= member < plan.tree["members"]:
        raise ValueError(f"The run has members 0 to {plan.tree['members'] - 1}; got {member}.")
    try:
        import onnx
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise ImportError('Writing ONNX needs the onnx package: pip install "dvae-core[export]".') from error

    nodes, constants = [], {}
    current = start = "z"

    def constant(key: str, value: np.ndarray) -> str:
        constants[key] = numpy_helper.from_array(np.ascontiguousarray(value), key)
        return key

    def weight(op: dict, which: str) -> str:
        whole = plan.tensors[op[which]]
        return constant(op[which], whole if op.get("shared") else whole[member])

    def node(kind: str, *inputs: str, **attributes: Any) -> str:
        output = f"h{len(nodes)}"
        nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    for op in plan.tree["ops"]:
        kind = op["op"]
        if kind == "start":
            start = current
        elif kind == "linear":
            current = node("MatMul", current, weight(op, "weight"))
            current = current if op["bias"] is None else node("Add", current, weight(op, "bias"))
        elif kind == "act":
            current = _activation(op["name"], current, node, constant)
        elif kind == "skip":
            current = node("Add", current, node("MatMul", start, weight(op, "weight")))
        elif kind == "bias":
            current = node("Add", current, weight(op, "bias"))
        elif kind == "affine":
            current = node("Add", node("Mul", current, weight(op, "scale")), weight(op, "shift"))
        elif kind == "reshape":
            current = node("Reshape", current, constant("picture", np.array([-1, *op["shape"]], np.int64)))
        elif kind == "conv_transpose":
            pads = [op["padding"]] * 4
            inputs = (current, weight(op, "weight"), weight(op, "bias"))
            current = node("ConvTranspose", *inputs, strides=[op["stride"]] * 2, pads=pads)
        elif kind == "flatten_channels_last":
            moved = node("Transpose", current, perm=[0, 2, 3, 1])
            current = node("Reshape", moved, constant("row", np.array([-1, plan.tree["d_x"]], np.int64)))
        elif kind in ("sigmoid", "exp"):
            current = node(kind.capitalize(), current)
        else:
            raise ValueError(f"The plan has an operation {kind!r} that ONNX export does not know.")
    nodes.append(helper.make_node("Identity", [current], ["x"]))
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", plan.tree["d_z"]])],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", plan.tree["d_x"]])],
        list(constants.values()),
    )
    model = helper.make_model(graph, producer_name="dvae_core", opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 10  # readable by runtimes of 2024 and later
    shape = plan.tree["x_shape"]
    helper.set_model_props(
        model, {"member": str(member), "x_shape": " ".join(map(str, shape or ())), "id": plan.tree["id"]}
    )
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _activation(name: str, current: str, node: Callable[..., str], constant: Callable[..., str]) -> str:
    if name == "xtanh":
        tenth = constant("tenth", np.array(0.1, np.float32))
        return node("Add", node("Tanh", current), node("Mul", current, tenth))
    if name == "silu":
        return node("Mul", current, node("Sigmoid", current))
    if name == "leaky":
        return node("LeakyRelu", current, alpha=0.1)
    return node({"tanh": "Tanh", "relu": "Relu", "gelu": "Gelu"}[name], current)
