"""Maps applied before the dial: reflections, random orthogonal matrices, pasted matrices, earlier turns.

The link stores them as `before`, steps separated by "|": "reflect 0|random 3|turn 0 1 30|paste 0.6 -0.8;0.8 0.6".
"""

from typing import Any

import streamlit as st

from dvae_core.identify import matrices
from pages.ui import page as ui
from pages.ui.components.rotor import set_angle


def steps() -> list[str]:
    """Return the link's steps in the order of their application."""
    return [step for step in st.query_params.get("before", "").split("|") if step]


def matrix(d: int) -> Any:
    """Return the product of the steps [d d], or None if there are none; an invalid step causes a warning."""
    maps = []
    for step in steps():
        try:
            maps.append(_map(step, d))
        except ValueError as error:
            st.warning(f"{error} The maps before the dial are left out.", icon=":material/link_off:")
            _write([])
            return None
    return matrices.compose(*maps) if maps else None


def _map(step: str, d: int) -> Any:
    kind, _, rest = step.partition(" ")
    if kind == "paste":
        return matrices.from_text(rest, d)
    numbers = [float(v) for v in rest.split()]
    match kind, numbers:
        case "reflect", [axis]:
            return matrices.reflection(d, int(axis))
        case "random", [seed]:
            return matrices.random_orthogonal(d, int(seed))
        case "turn", [i, j, degrees]:
            return matrices.rotation_matrix(d, degrees, (int(i), int(j)))
    raise ValueError(f"The link names a map that does not exist: {step!r}.")


def menu(d: int, plane: tuple[int, int], key: str) -> None:
    """Show the popover that adds and removes maps before the dial `key`."""
    now = steps()
    with st.popover(f"Before the dial ({len(now)})" if now else "Before the dial", icon=":material/grid_on:"):
        st.caption(
            "Any orthogonal M will do. These maps come first, then the dial. Every one can be undone: its inverse is "
            "its transpose."
        )
        seed = 1 + max((int(step.split()[1]) for step in now if step.startswith("random")), default=0)
        angle = ui.number("angle", 0.0, 90.0)
        with st.container(horizontal=True):
            st.button(f"Reflect z{plane[0] + 1}", on_click=_write, args=([*now, f"reflect {plane[0]}"],))
            st.button("Random M", on_click=_write, args=([*now, f"random {seed}"],))
            st.button("Keep this turn", on_click=_keep, args=(plane, key), help=f"Dial at {angle:g}° when last drawn")
        text = st.text_area("Paste a matrix", placeholder="0.6 -0.8\n0.8 0.6", key="before.text")
        if st.button("Use it") and text.strip():
            try:
                matrices.from_text(text, d)
            except ValueError as error:
                ui.problem(error)
            else:
                _write(
                    [*now, "paste " + ";".join(line for line in text.replace("|", " ").splitlines() if line.strip())]
                )
                st.rerun()
        if now:
            st.text("\n".join(f"{k}. {step}" for k, step in enumerate(now, 1)))
            with st.container(horizontal=True):
                st.button("Undo the last", icon=":material/undo:", on_click=_write, args=(now[:-1],))
                st.button("Remove all", on_click=_write, args=([],))


def _write(now: list[str]) -> None:
    ui.remember("before", "|".join(now) or None)


def _keep(plane: tuple[int, int], key: str) -> None:
    angle = ui.number("angle", 0.0, 90.0)
    if angle:
        _write([*steps(), f"turn {plane[0]} {plane[1]} {angle:g}"])
        ui.remember("angle", "0")
        set_angle(key, 0.0)
