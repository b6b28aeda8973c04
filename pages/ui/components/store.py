"""Ship a decoder to the browser once; explorer, sheet and rotor find it there by the plan's id."""

import contextlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st
from safetensors.numpy import save
from streamlit.components.v2 import component
from streamlit.errors import StreamlitDuplicateElementKey

from pages.ui.components import assets

# Registered once, at import; inside the mounting function it would be registered again on every rerun.
_store = component("dvae_store", js=assets.script("store"))

TENSOR_FIELDS = ("weight", "bias", "scale", "shift")


def pack(plan: dict[str, Any], tensors: Mapping[str, np.ndarray]) -> bytes:
    """A decoder as safetensors bytes with the plan as JSON in its metadata.

    Args:
        plan: As made by dvae_core.export.plan.decoder_plan: id, members, d_z, d_x, x_shape, likelihood, ops.
        tensors: The arrays the ops name; sent as float32. Others are left out.

    Returns:
        Bytes that decode.js reads in the page and tests/js/decode_cli.mjs on the command line.

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
            tensor = np.ascontiguousarray(tensors[name], "<f4")
            if not op.get("shared", op["op"] == "affine") and tensor.shape[:1] != (plan["members"],):
                raise ValueError(
                    f"Tensor {name!r} must start with the {plan['members']} members; its shape is {list(tensor.shape)}."
                )
            wanted[name] = tensor
    return save(wanted, metadata={"plan": json.dumps(plan)})


@st.cache_resource(max_entries=8, show_spinner=False)
def _packed(plan_json: str, _tensors: Mapping[str, np.ndarray]) -> bytes:
    return pack(json.loads(plan_json), _tensors)


def ship(plan: dict[str, Any], tensors: Mapping[str, np.ndarray]) -> None:
    """Send a decoder to the page, once; later reruns send a short reference to the bytes.

    Call it at page level on every run, outside the fragments that hold explorer, sheet or rotor. A second call with
    the same plan in one run does nothing. It takes no room on the page.

    Args:
        plan: As made by dvae_core.export.plan.decoder_plan. Its "id" must name plan and tensors together: bytes are
            cached by it, and the views of the page find their decoder by it.
        tensors: The arrays the ops name.

    Raises:
        ValueError: If an op names a tensor that is missing or whose leading axis is not plan["members"].

    Example:
        plan, tensors = decoder_plan(run)
        ship(plan, tensors)
        z = explorer(plan, key=f"traverse.{plan['id']}", latents=latents)
    """
    # Raw bytes are only accepted as the whole of data: inside a dict they would arrive as the text "b'...'".
    # Shipped already in this run: one copy serves every view of the page.
    with contextlib.suppress(StreamlitDuplicateElementKey):
        _store(key=f"dvae_store.{plan['id']}", data=_packed(json.dumps(plan, sort_keys=True), tensors))
