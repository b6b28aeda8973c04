"""A sheet of examples, given or decoded in the browser: data beside reconstructions or beside prior samples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import streamlit as st
from streamlit.components.v2 import component

from pages.ui.components import assets

_view = component(
    "dvae_sheet", html='<div class="dv sheet"></div>', css=assets.style("sheet"), js=assets.script("sheet")
)

MOST_POINTS = 5000  # in a scatter panel
MOST_CELLS = 200  # per row of pictures or bars


@dataclass(frozen=True, eq=False)
class Cells:
    """One row of a sheet: examples that are given (x) or to be decoded from latents (z).

    Args:
        label: Words at the row.
        x: [k, d_x] in the model's units (pictures in [0, 1]).
        z: [k, d_z]. Exactly one of x and z.
        at: [k, d_z], where a given x lies in the latents: what a click on it tells.
        colour: What the row is; by default "data" for x and "reconstruction" for z.
    """

    label: str
    x: Any = None
    z: Any = None
    at: Any = None
    colour: Literal["data", "reconstruction", "prior", "latent", "factor"] | None = None


def sheet(
    plan: dict[str, Any],
    *,
    key: str,
    rows: Sequence[Cells],
    member: int = 0,
    columns: int = 8,
    paired: bool = True,
    x_names: Sequence[str] = (),
    on_pick: Callable[[int, list[float]], None] | None = None,
) -> None:
    """Show rows of examples under each other: pictures, small bars, or for 2-D data one scatter panel a row.

    Args:
        plan: As made by dvae_core.export.plan.decoder_plan; ship it on the same page.
        key: Unique on the page.
        rows: What to show. Beyond 200 cells (5,000 points in the plane) a row is thinned evenly.
        member: Which member of the population decodes.
        columns: Cells in a line, fewer on a narrow page. Not used for 2-D data.
        paired: With more cells than columns, line 1 of every row comes first, then line 2 (examples stay over their
            reconstructions); False shows one row after the other.
        x_names: Names of the d_x dimensions.
        on_pick: Called with the row's number and the latents of the example that was clicked (or taken by arrow keys
            and Enter), before the next run. Examples with known latents can also be dragged into an explorer.

    Raises:
        ValueError: If a row has not exactly one of x and z, or a size does not fit the plan.

    Example:
        ship(plan, tensors)
        sheet(plan, key="held-out", rows=[Cells("held-out x", x=x8), Cells("reconstruction", z=mu8)])
        both = [Cells("data", x=x24), Cells("prior samples", z=eps24, colour="prior")]
        sheet(plan, key="prior", rows=both, paired=False)
    """
    if columns < 1 or not rows:
        raise ValueError(f"A sheet needs at least one row and one column; {len(rows)} rows and {columns} columns came.")

    def picked() -> None:
        news = st.session_state[key]["picked"]
        if on_pick is not None and news is not None:
            on_pick(int(news["row"]), [float(v) for v in news["z"]])

    _view(
        key=key,
        data=[  # one dict in a list: in a bare dict streamlit looks for tables, and imports pandas for it (55 MB)
            {
                "plan": plan["id"],
                "d_z": plan["d_z"],
                "d_x": plan["d_x"],
                "x_shape": plan["x_shape"],
                "likelihood": plan["likelihood"],
                "member": assets.member_of(plan, member),
                "rows": [_row(plan, row) for row in rows],
                "columns": int(columns),
                "paired": paired,
                "x_names": assets.texts(x_names),
                "pickable": on_pick is not None,
            }
        ],
        on_picked_change=picked,
    )


def _row(plan: dict[str, Any], row: Cells) -> dict[str, Any]:
    if (row.x is None) == (row.z is None):
        raise ValueError(f"Row {row.label!r} needs exactly one of x (given) and z (to be decoded).")
    most = MOST_POINTS if plan["d_x"] == 2 and not plan["x_shape"] else MOST_CELLS
    x = None if row.x is None else assets.rows_of(f"x of row {row.label!r}", row.x, plan["d_x"], most=most)
    z = None if row.z is None else assets.rows_of(f"z of row {row.label!r}", row.z, plan["d_z"], most=most)
    at = None if row.at is None else assets.rows_of(f"at of row {row.label!r}", row.at, plan["d_z"], most=most)
    if at is not None and (x is None or len(at) != len(x)):
        raise ValueError(
            f"Row {row.label!r} says where its x lie, for {len(at)} of them; it needs x, and one for each."
        )
    return {
        "label": str(row.label),
        "colour": row.colour or ("data" if z is None else "reconstruction"),
        "count": len(x if x is not None else z),  # pyright: ignore[reportArgumentType]
        "x": assets.packed_x(plan, x),
        "z": assets.packed(z),
        "at": assets.packed(at),
    }
