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
        from onnx import TensorProto, helper
    except ImportError as error:
        raise ImportError('Writing ONNX needs the onnx package: pip install "dvae-core[export]".') from error

    graph = _Graph(plan, member)
    for op in plan.tree["ops"]:
        graph.add(op)
    model = helper.make_model(
        helper.make_graph(
            [*graph.nodes, helper.make_node("Identity", [graph.current], ["x"])],
            name,
            [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", plan.tree["d_z"]])],
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", plan.tree["d_x"]])],
            list(graph.constants.values()),
        ),
        producer_name="dvae_core",
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    model.ir_version = 10  # readable by runtimes of 2024 and later
    shape = plan.tree["x_shape"]
    helper.set_model_props(
        model, {"member": str(member), "x_shape": " ".join(map(str, shape or ())), "id": plan.tree["id"]}
    )
    onnx.checker.check_model(model)
    return model.SerializeToString()


class _Graph:
    """The nodes and constants of one member's decoder, written one operation after the other."""

    def __init__(self, plan: Plan, member: int) -> None:
        self.plan, self.member = plan, member
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.current = self.start = "z"

    def constant(self, key: str, value: np.ndarray) -> str:
        """Keep an array, and return its name."""
        from onnx import numpy_helper

        self.constants[key] = numpy_helper.from_array(np.ascontiguousarray(value), key)
        return key

    def weight(self, op: dict, which: str) -> str:
        """Keep the member's weights of an operation, and return their name."""
        whole = self.plan.tensors[op[which]]
        return self.constant(op[which], whole if op.get("shared") else whole[self.member])

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node, and return the name of its output."""
        from onnx import helper

        output = f"h{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def add(self, op: dict) -> None:
        """Add an operation of the plan behind those before it."""
        kind, node, current = op["op"], self.node, self.current
        if kind == "start":
            self.start = current
        elif kind == "linear":
            current = node("MatMul", current, self.weight(op, "weight"))
            current = current if op["bias"] is None else node("Add", current, self.weight(op, "bias"))
        elif kind == "act":
            current = _activation(op["name"], current, node, self.constant)
        elif kind == "skip":
            current = node("Add", current, node("MatMul", self.start, self.weight(op, "weight")))
        elif kind == "bias":
            current = node("Add", current, self.weight(op, "bias"))
        elif kind == "affine":
            current = node("Add", node("Mul", current, self.weight(op, "scale")), self.weight(op, "shift"))
        elif kind == "reshape":
            current = node("Reshape", current, self.constant("picture", np.array([-1, *op["shape"]], np.int64)))
        elif kind == "conv_transpose":
            inputs = (current, self.weight(op, "weight"), self.weight(op, "bias"))
            current = node("ConvTranspose", *inputs, strides=[op["stride"]] * 2, pads=[op["padding"]] * 4)
        elif kind == "flatten_channels_last":
            row = self.constant("row", np.array([-1, self.plan.tree["d_x"]], np.int64))
            current = node("Reshape", node("Transpose", current, perm=[0, 2, 3, 1]), row)
        elif kind in ("sigmoid", "exp"):
            current = node(kind.capitalize(), current)
        else:
            raise ValueError(f"The plan has an operation {kind!r} that ONNX export does not know.")
        self.current = current


def _activation(name: str, current: str, node: Callable[..., str], constant: Callable[..., str]) -> str:
    if name == "xtanh":
        tenth = constant("tenth", np.array(0.1, np.float32))
        return node("Add", node("Tanh", current), node("Mul", current, tenth))
    if name == "silu":
        return node("Mul", current, node("Sigmoid", current))
    if name == "leaky":
        return node("LeakyRelu", current, alpha=0.1)
    return node({"tanh": "Tanh", "relu": "Relu", "gelu": "Gelu"}[name], current)
