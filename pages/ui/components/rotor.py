"""A dial that rotates the latents: the prior's density stays, the data stay, what each latent means does not."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from streamlit.components.v2 import component

from pages.ui.components import assets
from pages.ui.components.pushed import Pushed

_view = component(
    "dvae_rotor", html='<div class="dv rotor"></div>', css=assets.style("rotor"), js=assets.script("rotor")
)

MOST_POINTS = 5000


def set_angle(key: str, angle: float) -> None:
    """Turn the rotor `key` from Python, in a callback or above the rotor.

    Args:
        key: The rotor's key.
        angle: Degrees.

    Example:
        st.button("45 degrees", on_click=set_angle, args=("rotate", 45.0))
    """
    Pushed(key, "angle").push(float(angle))


def rotor(
    plan: dict[str, Any] | None,
    *,
    key: str,
    points: Any,
    member: int = 0,
    hues: Any = None,
    hue_labels: Sequence[str] = (),
    x_points: Any = None,
    x_names: Sequence[str] = (),
    angle: float = 0.0,
    limit: float = 360.0,
    plane: tuple[int, int] = (0, 1),
    base: Any = None,
    twin: bool = True,
    strips: bool = True,
    reach: float = 3.0,
) -> float:
    """Draw a dial and linked panels of z, z~ = M z and x = f(z) = f(M^T z~); return the angle Python last heard of.

    M = R @ base with R = [[cos a, -sin a], [sin a, cos a]] in the plane (i, j), on column vectors. While turning, the
    strips along z~_i and z~_j and the examples are decoded anew in the browser through f(M^T z~); the largest change
    of any example's x is written under them. The page hears of the angle on release, or 200 ms after the last move:
    mount it in an `st.fragment`, below `ship`.

    Args:
        plan: As made by dvae_core.export.plan.decoder_plan; ship it on the same page. None with twin=False.
        key: Unique on the page. Session keys "<key>.angle" and others beginning with "<key>." belong to it.
        points: [n, d] latents (prior samples, or posterior means); thinned evenly to 5,000.
        member: Which member of the population decodes.
        hues: [n] codes 0..K-1, one colour and symbol each; None colours by the quadrant of z in the plane.
        hue_labels: K names for the legend.
        x_points: [n, 2] what the data panel shows where d_x = 2; None shows f(points).
        x_names: Names of the d_x dimensions.
        angle: Degrees, counter-clockwise, held within 0..limit. Another angle than in the run before turns the dial.
        limit: Largest angle; 360 is a full turn without end, 90 a quarter dial for a curve over 0..90 degrees.
        plane: The two latents (0-based) that turn.
        base: [d, d] orthogonal, applied before the rotation: a reflection, a random M, rotations in other planes.
        twin: False leaves out the decoder: only z and z~.
        strips: False leaves out the traversal strips and puts the dial beside the panels: one screen of a projector.
        reach: The strips run from -reach to reach.

    Returns:
        The angle in degrees, rounded to 0.01 where it was moved.

    Raises:
        ValueError: If a size does not fit the plan, a number is not finite, or base is not orthogonal.

    Example:
        ship(plan, tensors)

        @st.fragment
        def rotate() -> None:
            angle = rotor(plan, key="rotate", points=z, hues=u, hue_labels=names, x_points=x, limit=90)
            st.caption(f"MCC with the unrotated latents: {max(abs(cos(radians(angle))), abs(sin(radians(angle)))):.2f}")
    """
    if twin and plan is None:
        raise ValueError("twin=True decodes through f(M^T z~) and needs a plan; pass one, or twin=False.")
    table = np.asarray(points, np.float32)
    d = plan["d_z"] if plan is not None else (table.shape[1] if table.ndim == 2 else 2)
    table = assets.rows_of("points", table, d)
    if len(table) == 0:
        raise ValueError("points is empty; give at least one latent vector.")
    i, j = plane
    if i == j or not (0 <= i < d and 0 <= j < d):
        raise ValueError(f"plane must be two different latents among 0 to {d - 1}; {tuple(plane)} came.")
    keep = assets.thinned(len(table), MOST_POINTS)
    codes = None if hues is None else _codes(hues, len(table))[keep].tolist()
    flat = twin and plan is not None and plan["d_x"] == 2 and not plan["x_shape"]
    x_table = assets.rows_of("x_points", x_points, 2) if flat and x_points is not None else None
    if x_table is not None and len(x_table) != len(table):
        raise ValueError(f"x_points must have the {len(table)} rows of points; it has {len(x_table)}.")

    pushed = Pushed(key, "angle")
    pushed.follow(min(max(float(angle), 0.0), float(limit)))
    about = {"id": None, "d_x": 0, "x_shape": None, "likelihood": None} if plan is None else plan
    _view(
        key=pushed.widget,
        data=[  # one dict in a list: in a bare dict streamlit looks for tables, and imports pandas for it (55 MB)
            {
                "plan": about["id"],
                "d_z": d,
                "d_x": about["d_x"],
                "x_shape": about["x_shape"],
                "likelihood": about["likelihood"],
                "member": 0 if plan is None else assets.member_of(plan, member),
                "points": assets.packed(table[keep]),
                "hues": codes,
                "hue_labels": assets.texts(hue_labels),
                "x_points": assets.packed(None if x_table is None else x_table[keep]),
                "x_names": assets.texts(x_names),
                "angle": pushed.sent,
                "rev": pushed.rev,
                "limit": float(limit),
                "plane": [int(i), int(j)],
                "base": None if base is None else _orthogonal(base, d),
                "twin": twin,
                "strips": twin and strips,
                "reach": float(reach),
            }
        ],
        on_angle_change=pushed.remember,
    )
    return pushed.value


def _codes(hues: Any, n: int) -> np.ndarray:
    codes = np.asarray(hues)
    if codes.shape != (n,) or not np.issubdtype(codes.dtype, np.integer) or codes.min() < 0:
        raise ValueError(f"hues must be {n} integer codes from 0 up; {codes.dtype} of shape {list(codes.shape)} came.")
    return codes


def _orthogonal(base: Any, d: int) -> list[float]:
    M = np.asarray(base, np.float64)
    if M.shape != (d, d) or not np.allclose(M.T @ M, np.eye(d), atol=1e-6):
        raise ValueError(f"base must be an orthogonal {d} x {d} matrix; M^T M is not the identity.")
    return [float(v) for v in M.ravel()]
