"""Ship a decoder to the browser once; explorer, sheet and rotor find it there by the plan's id."""

import contextlib
import json
from collections.abc import Mapping
from typing import Any

import streamlit as st
from streamlit.components.v2 import component
from streamlit.errors import StreamlitDuplicateElementKey

from dvae_core.live.decoder import pack
from pages.ui.components.live_component import script

_store = component("dvae_store", js=script("store"))  # it shows nothing


@st.cache_resource(max_entries=8, show_spinner=False)
def _packed(plan_json: str, _tensors: Mapping[str, Any]) -> bytes:
    return pack(json.loads(plan_json), _tensors)


def ship(plan: dict[str, Any], tensors: Mapping[str, Any]) -> None:
    """Send a decoder to the page, once; later reruns send a short reference to the bytes.

    Call it at page level on every run, outside the fragments that hold explorer, sheet or rotor. A second call with the
    same plan in one run does nothing. It takes up no space on the page.

    Args:
        plan: `tree` of dvae_core.export.plan.decoder_plan. Its "id" must identify plan and tensors together: it is the
            cache key of the bytes, and the page's views find their decoder by it.
        tensors: The arrays that the ops name.

    Raises:
        ValueError: If an op names a tensor that is missing or whose leading axis is not plan["members"].

    Example:
        plan = decoder_plan(run)
        ship(plan.tree, plan.tensors)
        z = explorer(plan.tree, ExplorerState(latents=latents), key=f"traverse.{run.id}")
    """
    # Raw bytes are accepted only as the whole of data: inside a dict they would arrive as the text "b'...'".
    # Already shipped in this run: one copy serves every view of the page.
    with contextlib.suppress(StreamlitDuplicateElementKey):
        _store(key=f"dvae_store.{plan['id']}", data=_packed(json.dumps(plan, sort_keys=True), tensors))
