"""Sliders over latents whose picture, plane or bars follow every move: decoded in the browser, without a round trip."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import streamlit as st
from streamlit.components.v2 import component

from pages.ui.components import assets, snippet
from pages.ui.components.pushed import Pushed

_view = component(
    "dvae_explorer", html='<div class="dv explorer"></div>', css=assets.style("explorer"), js=assets.script("explorer")
)

MOST_POINTS = 5000
MOST_ENCODED = 2000
Mode = Literal["sliders", "pad", "between", "members", "twin", "betas"]


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
    mode: Mode = "sliders",
    cloud: Any = None,
    hues: Any = None,
    hue_labels: Sequence[str] = (),
    hues_ordered: bool = False,
    ends: Sequence[tuple[Any, Any]] | None = None,
    members: Sequence[dict[str, Any]] = (),
    plane: tuple[int, int] | None = None,
    run_id: str | None = None,
    on_pick: Callable[[int], None] | None = None,
    fallback: Callable[[list[float]], Any] | None = None,
) -> list[float]:
    """Draw one slider per latent and E[x|z], which follows while dragging; return z as Python last heard of it.

    The page hears of a move 200 ms after it ends, or at once on release: mount it in an `st.fragment`, below `ship`.
    What is drawn depends on the plan: a picture (x_shape), a point in a plane with the curve that the latent last moved
    sweeps (d_x = 2), else bars, or a strip of rates for Poisson. Under it stands a filmstrip of all latents.

    Args:
        plan: As made by dvae_core.export.plan.decoder_plan; ship it on the same page.
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
        mode: "sliders": one a latent. "pad": two latents at once. "between": the straight line between two examples.
            "members": the sliders move every member, side by side. "twin": the sliders move the original and its twin
            f(M^T z), with a slider for the angle. "betas": one slider over the members by their beta.
        cloud: [n, d_z] encoded data, thinned evenly to 2,000: points in the pad, and in a small map beside the sliders.
            A click on a point goes to it in all latents; with as many rows in `background`, a click there as well.
        hues: [n] codes 0..K-1 of the cloud's rows, which colour its points.
        hue_labels: K names.
        hues_ordered: Whether the codes have an order (bins of a number) and get shades in place of hues.
        ends: For "between": (z [d_z], x [d_x]) of example A and of example B.
        members: For "members" and "betas", one for each member of the plan: {"label": "seed 0"}, and for "betas" also
            "beta", "recon", "kl" (nats or None), "kl_latent" [d_z], "mu" [d_z] of the reference or None.
        plane: For "twin": the two latents (0-based) that turn.
        run_id: The run's id; with it the export buttons appear, and "Copy as Python" makes the picture again.
        on_pick: Called with the row of `cloud` that was clicked, before the next run.
        fallback: z -> x [d_x], called where the browser cannot decode this plan: sliders and a picture from the server.

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
    ends_of = [_ends("lo", lo, d_z), _ends("hi", hi, d_z)]
    for row in shown:
        i = row["index"]
        if not ends_of[0][i] < ends_of[1][i]:
            raise ValueError(f"lo must lie below hi; {row['label']} has {ends_of[0][i]} and {ends_of[1][i]}.")
    if reference is not None:
        reference = assets.rows_of("reference", [reference], d_x)
    given = mode in {"sliders", "pad", "twin"} and cloud is not None
    encoded = assets.rows_of("cloud", cloud, d_z) if given else None
    kept = assets.thinned(0 if encoded is None else len(encoded), MOST_ENCODED)
    paired = encoded is not None and background is not None and len(background) == len(encoded) and d_x == 2
    if background is not None:
        background = (
            assets.rows_of("background", background, 2, most=None if paired else MOST_POINTS) if d_x == 2 else None
        )
    if paired:
        background = background[kept]  # pyright: ignore[reportOptionalSubscript]

    _check_mode(mode, plan, shown, ends, members, plane)

    pushed = Pushed(key, "z")
    pushed.follow(start, fits=lambda z: len(z) == d_z)
    side, failed = _Side(key, pushed.widget), st.session_state.get(f"{key}.failed")

    def heard(name: str) -> Any:
        return st.session_state[pushed.widget][name]

    def picked() -> None:
        if on_pick is not None and heard("picked") is not None:
            on_pick(int(kept[int(heard("picked")["row"])]))

    _view(
        key=pushed.widget,
        data=[  # one dict in a list: in a bare dict streamlit looks for tables, and imports pandas for it (55 MB)
            {
                "plan": plan["id"],
                "d_z": d_z,
                "d_x": d_x,
                "x_shape": plan["x_shape"],
                "likelihood": plan["likelihood"],
                "member": assets.member_of(plan, member),
                "latents": shown,
                "lo": ends_of[0],
                "hi": ends_of[1],
                "z": pushed.sent,
                "rev": pushed.rev,
                "z0": start,
                "reference": assets.packed_x(plan, reference),
                "background": assets.packed(background),
                "x_names": assets.texts(x_names),
                "autoplay": autoplay and not pushed.touched,
                "filmstrip": filmstrip,
                "mode": mode,
                "cloud": assets.packed(None if encoded is None else encoded[kept]),
                "paired": paired,
                "hues": None if encoded is None or hues is None else [int(c) for c in np.asarray(hues)[kept]],
                "hue_labels": assets.texts(hue_labels),
                "hues_ordered": hues_ordered,
                "ends": [_end(plan, *end) for end in ends] if ends and mode == "between" else None,
                "members": [_member(row, d_z) for row in members] if mode in {"members", "betas"} else [],
                "plane": list(plane) if plane and mode == "twin" else None,
                "side": side.sent,
                "exports": run_id is not None,
                "code": None if run_id is None else snippet.of(run_id, plan, mode, plane),
                "name": run_id or "latents",
            }
        ],
        on_z_change=pushed.remember,
        on_side_change=lambda: side.remember(heard("side")),
        on_picked_change=picked,
        on_failed_change=lambda: st.session_state.update({f"{key}.failed": heard("failed")}),
    )
    if fallback is not None and failed and failed["plan"] == plan["id"] and failed["sentence"]:
        _draw_here(key, plan, shown, ends_of, pushed, fallback)
    return list(pushed.value)


class _Side:
    """What the browser moves beside z (an angle, a way, a beta): kept for the next visit, sent only at a new mount."""

    def __init__(self, key: str, widget: str) -> None:
        self._now, self._sent = f"{key}.side", f"{key}.side_sent"
        if widget not in st.session_state:
            st.session_state[self._sent] = st.session_state.get(self._now, {})

    @property
    def sent(self) -> dict[str, float]:
        return st.session_state[self._sent]

    def remember(self, side: dict[str, float] | None) -> None:
        if side is not None:
            st.session_state[self._now] = side


def _draw_here(
    key: str,
    plan: dict[str, Any],
    latents: list[dict[str, Any]],
    ends: list[list[float]],
    pushed: Pushed,
    decode: Callable[[list[float]], Any],
) -> None:
    """Sliders and a picture made by the server, for a decoder that the browser cannot follow."""
    st.caption("Drawn by the server: the picture follows when a slider is released.")
    z = list(pushed.value)
    for row in latents:
        i = row["index"]
        lo, hi = min(ends[0][i], z[i]), max(ends[1][i], z[i])
        z[i] = st.slider(row["label"], lo, hi, z[i], key=f"{key}.server.{plan['id']}.{i}")
    if z != pushed.value:
        pushed.push(z)
    x = np.asarray(decode(z), np.float32)
    if plan["x_shape"]:
        picture = np.clip(x, 0, 1).reshape(plan["x_shape"])
        enlarge = max(1, 320 // picture.shape[1])
        st.image(picture.repeat(enlarge, 0).repeat(enlarge, 1), caption="E[x|z]", output_format="PNG")
    else:
        st.bar_chart(x, x_label="dimension of x", y_label="E[x|z]")


def _check_mode(
    mode: Mode,
    plan: dict[str, Any],
    latents: list[dict[str, Any]],
    ends: Sequence[tuple[Any, Any]] | None,
    members: Sequence[dict[str, Any]],
    plane: tuple[int, int] | None,
) -> None:
    population = (len(members) == plan["members"], f"a row for each of {plan['members']} members; {len(members)} came")
    wanted = {
        "pad": (len(latents) >= 2, f"at least 2 latents; {len(latents)} came"),
        "between": (ends is not None and len(ends) == 2, "two ends, (z, x) of A and of B"),
        "members": population,
        "betas": population,
        "twin": (
            plane is not None and plane[0] != plane[1] and all(0 <= i < plan["d_z"] for i in plane),
            f"a plane of two different latents among 0 to {plan['d_z'] - 1}; {plane} came",
        ),
    }
    fits, words = wanted.get(mode, (True, ""))
    if not fits:
        raise ValueError(f"mode={mode!r} needs {words}.")


def _end(plan: dict[str, Any], z: Any, x: Any) -> dict[str, Any]:
    x_row = assets.rows_of("x of an end", [x], plan["d_x"])
    return {"z": assets.latent("z of an end", z, plan["d_z"]), "x": assets.packed_x(plan, x_row)}


def _member(row: dict[str, Any], d_z: int) -> dict[str, Any]:
    kl, mu = row.get("kl_latent"), row.get("mu")
    return {
        "label": str(row["label"]),
        "beta": float(row.get("beta", 1.0)),
        "recon": _known(row.get("recon")),
        "kl": _known(row.get("kl")),
        "kl_latent": [0.0 if _known(v) is None else float(v) for v in ([0.0] * d_z if kl is None else kl)],
        "mu": None if mu is None else assets.latent("mu of a member", mu, d_z),
    }


def _known(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)  # NaN is no JSON


def _latent(row: dict[str, Any], d_z: int) -> dict[str, Any]:
    index = int(row["index"])
    if not 0 <= index < d_z:
        raise ValueError(f"A latent's index must be 0 to {d_z - 1}; {index} came.")
    label, kl = str(row.get("label", f"z{index + 1}")), _known(row.get("kl"))
    return {"index": index, "label": label, "kl": kl, "dead": bool(row.get("dead"))}


def _ends(name: str, value: Any, d_z: int) -> list[float]:
    return assets.latent(name, value if hasattr(value, "__len__") else [value] * d_z, d_z)
