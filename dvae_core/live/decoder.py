"""A decoder on its way to the browser: safetensors with the plan in their metadata."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors.numpy import save

TENSOR_FIELDS = ("weight", "bias", "scale", "shift")


def pack(plan: dict[str, Any], tensors: Mapping[str, np.ndarray], *, dtype: str = "<f4") -> bytes:
    """Return a decoder as safetensors bytes with the plan as JSON in its metadata.

    Args:
        plan: `tree` of dvae_core.export.plan.decoder_plan: id, members, d_z, d_x, x_shape, likelihood, ops.
        tensors: The arrays that the ops name; Others are left out.
        dtype: What they are written as: "<f4" or "<f2", half of the bytes.

    Returns:
        Bytes that decode.js reads in the page and tests/js/decode_cli.js on the command line.

    Raises:
        ValueError: If an op names a tensor that is missing or whose leading axis is not plan["members"].

    Example:
        >>> plan = {"id": "a", "members": 1, "d_z": 1, "d_x": 1, "x_shape": None, "likelihood": "gaussian",
        ...         "ops": [{"op": "start"}, {"op": "linear", "weight": "w", "bias": None, "shared": False}]}
        >>> len(pack(plan, {"w": np.ones((1, 1, 1))})) > 100
        True
    """
    wanted: dict[str, np.ndarray] = {}
    for op in plan["ops"]:
        for field in TENSOR_FIELDS:
            name = op.get(field)
            if name is None:
                continue
            if name not in tensors:
                raise ValueError(f"Step {op['op']} needs the tensor {name!r}, which is not among {sorted(tensors)}.")
            tensor = np.ascontiguousarray(tensors[name], dtype)
            if not op.get("shared", op["op"] == "affine") and tensor.shape[:1] != (plan["members"],):
                raise ValueError(
                    f"Tensor {name!r} must start with the {plan['members']} members; its shape is {list(tensor.shape)}."
                )
            wanted[name] = tensor
    return save(wanted, metadata={"plan": json.dumps(plan)})
