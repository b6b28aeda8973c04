"""Sliders over latents whose picture, plane or bars follow every move: decoded in the browser, without a round trip."""

import math
from collections.abc import Sequence
from typing import Any

from streamlit.components.v2 import component

from pages.ui.components import assets
from pages.ui.components.pushed import Pushed

_view = component(
    "dvae_explorer", html='<div class="dv explorer"></div>', css=assets.style("explorer"), js=assets.script("explorer")
)

MOST_POINTS = 5000


def set_latent(key: str, z: Sequence[float]) -> None:
    """Move the sliders of the explorer `key` from Python, in a callback or above the explorer.

    Args:
        key: The explorer's key.
        z: [d_z], where to go.

    Example:
        st.button("Prior mean", on_click=set_latent, args=("traverse", [0.0] * plan["d_z"]))
    """
    Pushed(key, "z").push([float(v) for v in z])


def explorer(
    plan: dict[str, Any],
    *,
    key: str,
    latents: Sequence[dict[str, Any]],
    member: int = 0,
    lo: Any = -3.0,
    hi: Any = 3.0,
    z0: Any = None,
    reference: Any = None,
    background: Any = None,
    x_names: Sequence[str] = (),
    autoplay: bool = False,
    filmstrip: bool = True,
) -> list[float]:
    """Draw one slider per latent and E[x|z], which follows while dragging; return z as Python last heard of it.

    The page hears of a move 200 ms after it ends, or at once on release: mount it in an `st.fragment`, below `ship`.
    What is drawn depends on the plan: a picture (x_shape), a point in a plane with the curve that the latent last moved
    sweeps (d_x = 2), else bars, or a strip of rates for Poisson. Under it stands a filmstrip of all latents.

    Args:
        plan: As made by dvae_core.traverse.decoder_plan; ship it on the same page.
        key: Unique on the page. Session keys "<key>.z" and others beginning with "<key>." belong to it.
        latents: What to show, in this order: {"index": 0-based, "label": "z1", "kl": nats or None, "dead": bool}.
        member: Which member of the population decodes.
        lo: Left end of the sliders, one number or d_z numbers by index.
        hi: Right end.
        z0: [d_z], where it starts and where Reset goes; None is the prior mean, 0. Another z0 than in the run before
            moves the sliders there.
        reference: x [d_x] in the model's units, drawn beside what is decoded (pictures: with the difference).
        background: [n, 2] data for the plane; thinned evenly to 5,000.
        x_names: Names of the d_x dimensions.
        autoplay: Let the first latent sweep slowly until someone touches it (never where reduced motion is asked for).
        filmstrip: Show the filmstrip.

    Returns:
        z [d_z], rounded to 0.001 where it was moved.

    Raises:
        ValueError: If a size does not fit the plan or a number is not finite.

    Example:
        plan = decoder_plan(run)
        ship(plan.tree, plan.tensors)

        @st.fragment
        def traverse() -> None:
            latents = [{"index": i, "label": f"z{i + 1}", "kl": kl[i], "dead": kl[i] < 0.01} for i in order]
            z = explorer(plan.tree, key=f"traverse.{run.id}", latents=latents, background=data)
            st.caption(f"z = {z}")
    """
    d_z, d_x = plan["d_z"], plan["d_x"]
    start = assets.latent("z0", [0.0] * d_z if z0 is None else z0, d_z)
    shown = [_latent(row, d_z) for row in latents]
    if not shown:
        raise ValueError("latents is empty; list at least one latent to put on a slider.")
    ends = [_ends("lo", lo, d_z), _ends("hi", hi, d_z)]
    for row in shown:
        i = row["index"]
        if not ends[0][i] < ends[1][i]:
            raise ValueError(f"lo must lie below hi; {row['label']} has {ends[0][i]} and {ends[1][i]}.")
    if reference is not None:
        reference = assets.rows_of("reference", [reference], d_x)
    if background is not None:
        background = assets.rows_of("background", background, 2, most=MOST_POINTS) if d_x == 2 else None

    pushed = Pushed(key, "z")
    pushed.follow(start, fits=lambda z: len(z) == d_z)
    _view(
        key=pushed.widget,
        data={
            "plan": plan["id"],
            "d_z": d_z,
            "d_x": d_x,
            "x_shape": plan["x_shape"],
            "likelihood": plan["likelihood"],
            "member": assets.member_of(plan, member),
            "latents": shown,
            "lo": ends[0],
            "hi": ends[1],
            "z": pushed.sent,
            "rev": pushed.rev,
            "z0": start,
            "reference": assets.packed_x(plan, reference),
            "background": assets.packed(background),
            "x_names": assets.texts(x_names),
            "autoplay": autoplay and not pushed.touched,
            "filmstrip": filmstrip,
        },
        on_z_change=pushed.remember,
    )
    return list(pushed.value)


def _latent(row: dict[str, Any], d_z: int) -> dict[str, Any]:
    index = int(row["index"])
    if not 0 <= index < d_z:
        raise ValueError(f"A latent's index must be 0 to {d_z - 1}; {index} came.")
    kl = row.get("kl")
    known = None if kl is None or not math.isfinite(kl) else float(kl)  # NaN is no JSON
    return {"index": index, "label": str(row.get("label", f"z{index + 1}")), "kl": known, "dead": bool(row.get("dead"))}


def _ends(name: str, value: Any, d_z: int) -> list[float]:
    return assets.latent(name, value if hasattr(value, "__len__") else [value] * d_z, d_z)
