"""A sheet of examples, given or decoded in the browser: data beside reconstructions or beside prior samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dvae_core.live import arrays

MOST_POINTS = 5000  # in a scatter panel
MOST_CELLS = 200  # per row of pictures or bars


@dataclass(frozen=True, eq=False)
class Cells:
    """One row of a sheet: examples that are given (x) or to be decoded from latents (z).

    Args:
        label: The row's name.
        x: [k, d_x] in the model's units (pictures in [0, 1]).
        z: [k, d_z]. Exactly one of x and z.
        at: [k, d_z], where a given x lies in the latents: what a click on it reports.
        colour: What the row is; by default "data" for x and "reconstruction" for z.
    """

    label: str
    x: Any = None
    z: Any = None
    at: Any = None
    colour: Literal["data", "reconstruction", "prior", "latent", "factor"] | None = None


def data(
    plan: dict[str, Any],
    rows: Sequence[Cells],
    *,
    member: int = 0,
    columns: int = 8,
    paired: bool = True,
    x_names: Sequence[str] = (),
    pickable: bool = False,
) -> dict[str, Any]:
    """Return what sheet.js takes: JSON, its arrays packed.

    Args:
        plan: `tree` of dvae_core.export.plan.decoder_plan.
        rows: What to show. A row of more than 200 cells (5,000 points in the plane) is thinned evenly.
        member: The member of the population that decodes.
        columns: Cells in a line, fewer on a narrow page. Not used for 2-D data.
        paired: With more cells than columns, line 1 of every row comes first, then line 2 (examples stay over their
            reconstructions); False shows one row after the other.
        x_names: Names of the d_x dimensions.
        pickable: Let examples with known latents be clicked, chosen by arrow keys and Enter, or dragged to an explorer.

    Raises:
        ValueError: If a row has not exactly one of x and z, or a size does not fit the plan.
    """
    if columns < 1 or not rows:
        raise ValueError(f"A sheet needs a row and a column at least; it has {len(rows)} rows and {columns} columns.")
    return {
        **arrays.about(plan, member),
        "rows": [_row(plan, row) for row in rows],
        "columns": int(columns),
        "paired": paired,
        "x_names": arrays.texts(x_names),
        "pickable": pickable,
    }


def _row(plan: dict[str, Any], row: Cells) -> dict[str, Any]:
    if (row.x is None) == (row.z is None):
        raise ValueError(f"Row {row.label!r} needs exactly one of x (given) and z (to be decoded).")
    most = MOST_POINTS if plan["d_x"] == 2 and not plan["x_shape"] else MOST_CELLS
    x = None if row.x is None else arrays.rows_of(f"x of row {row.label!r}", row.x, plan["d_x"], most=most)
    z = None if row.z is None else arrays.rows_of(f"z of row {row.label!r}", row.z, plan["d_z"], most=most)
    at = None if row.at is None else arrays.rows_of(f"at of row {row.label!r}", row.at, plan["d_z"], most=most)
    if at is not None and (x is None or len(at) != len(x)):
        raise ValueError(
            f"Row {row.label!r} says where {len(at)} examples lie in the latents; it needs x, and one `at` for each."
        )
    return {
        "label": str(row.label),
        "colour": row.colour or ("data" if z is None else "reconstruction"),
        "count": len(x if x is not None else z),  # pyright: ignore[reportArgumentType]
        "x": arrays.packed_x(plan, x),
        "z": arrays.packed(z),
        "at": arrays.packed(at),
    }
