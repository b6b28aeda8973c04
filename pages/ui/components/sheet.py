"""A sheet of examples on a page."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from dvae_core.live import sheet as live
from dvae_core.live.sheet import Cells
from pages.ui.components.live_component import canvas, register

_view = register("sheet")


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
    decode: Callable[[Any], Any] | None = None,
) -> None:
    """Show rows of examples below each other: pictures, small bars, or for 2-D data one scatter panel per row.

    Args:
        plan: `tree` of dvae_core.export.plan.decoder_plan; ship it on the same page.
        key: Unique on the page.
        rows: What to show; dvae_core.live.sheet.data documents this and the next four arguments.
        member: The member of the population that decodes.
        columns: Cells per line.
        paired: Whether examples stay above their reconstructions.
        x_names: Names of the d_x dimensions.
        on_pick: Called before the next run with the row's number and the latents of the example that was clicked (or
            chosen by arrow keys and Enter). Examples with known latents can also be dragged into an explorer.
        decode: z [k, d_z] -> x [k, d_x]; with it, the sheet is among the page's figures for print.

    Raises:
        ValueError: If a row does not have exactly one of x and z, or if a size does not fit the plan.

    Example:
        ship(plan, tensors)
        sheet(plan, key="held-out", rows=[Cells("held-out x", x=x8), Cells("reconstruction", z=mu8)])
        both = [Cells("data", x=x24), Cells("prior samples", z=eps24, colour="prior")]
        sheet(plan, key="prior", rows=both, paired=False)
    """

    def picked() -> None:
        report = st.session_state[key]["picked"]
        if on_pick is not None and report is not None:
            on_pick(int(report["row"]), [float(v) for v in report["z"]])

    def printed() -> Any:
        from dvae_core import figures  # not at the top: plotly is loaded only for print

        shown = [(row.label, row.x if row.x is not None else decode(row.z)) for row in rows]  # type: ignore[misc]
        return figures.cells(shown, plan["x_shape"], x_names, columns=columns)

    if decode is not None:
        canvas(key, printed)
    look: dict = {"member": member, "columns": columns, "paired": paired, "x_names": x_names}
    data = live.data(plan, rows, **look, pickable=on_pick is not None)
    _view(key=key, data=[data], on_picked_change=picked)
