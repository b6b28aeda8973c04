"""Copy as Python: the lines that make the picture of an explorer again, with dvae_core alone."""

from typing import Any

OPENING = """import numpy as np
import plotly.express as px
from dvae_core import runs
from dvae_core.export.plan import decode, decoder_plan

plan = decoder_plan(runs.find("{run_id}"))
z = np.array([<z>])
"""


def of(run_id: str, plan: dict[str, Any], mode: str, plane: tuple[int, int] | None) -> str:
    """Write the lines for a run and a mode; the browser fills in <z>, <member> and <degrees>.

    Args:
        run_id: As runs.find takes it.
        plan: The run's plan.
        mode: The explorer's mode.
        plane: The two latents that turn, for "twin".

    Returns:
        Python that leaves x [k, d_x] and a plotly figure.

    Example:
        >>> plan = {"d_z": 2, "x_shape": None, "d_x": 2}
        >>> "x[:, 0]" in of("talk-vae", plan, "sliders", None)
        True
    """
    if mode == "members":
        decode = 'x = np.concatenate([decode(plan, m, z) for m in range(plan.tree["members"])])'
    elif mode == "twin" and plane is not None:
        i, j = plane
        decode = (
            f"M, a = np.eye({plan['d_z']}), np.radians(<degrees>)\n"
            f"M[np.ix_([{i}, {j}], [{i}, {j}])] = [[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]\n"
            "x = decode(plan, <member>, np.concatenate([z, z @ M]))  # the original, and the twin f(M^T z)"
        )
    else:
        decode = "x = decode(plan, <member>, z)"
    if plan["x_shape"]:
        shape = ", ".join(map(str, plan["x_shape"]))
        draw = f"pictures = np.uint8(255 * x.clip(0, 1).reshape(-1, {shape}))\n"
        grey = "" if len(plan["x_shape"]) == 3 else ', color_continuous_scale="gray", zmin=0, zmax=255'
        draw += f"figure = px.imshow(pictures, facet_col=0{grey})"
    elif plan["d_x"] == 2:
        draw = "figure = px.scatter(x=x[:, 0], y=x[:, 1])"
    else:
        draw = 'figure = px.bar(x.T, barmode="group")'
    return f"{OPENING.format(run_id=run_id)}{decode}\n{draw}\nfigure.show()\n"
