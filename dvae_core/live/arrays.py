"""Arrays for the browser: checked, thinned and packed."""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np


def packed(array: Any) -> dict[str, str] | None:
    """Return numbers as base64 of little-endian float32: a third of the size of JSON digits, and exact."""
    if array is None:
        return None
    return {"f32": base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode("ascii")}


def packed_picture(array: Any) -> dict[str, Any] | None:
    """Return pictures in [0, 1] as bytes 0..255, which is what the screen shows of them."""
    if array is None:
        return None
    pixels = np.clip(np.rint(np.asarray(array, np.float32) * 255), 0, 255).astype(np.uint8)
    return {"u8": base64.b64encode(pixels.tobytes()).decode("ascii"), "scale": 1 / 255}


def packed_x(plan: dict[str, Any], x: Any) -> dict[str, Any] | None:
    """Return examples in the model's units, as pictures where the plan says they are."""
    return packed_picture(x) if plan["x_shape"] else packed(x)


def rows_of(name: str, array: Any, columns: int, *, most: int | None = None) -> np.ndarray:
    """Check a table of finite numbers and thin it evenly to `most` rows.

    Args:
        name: Its name in the error.
        array: [n, columns], array or nested lists.
        columns: How many columns it must have.
        most: Largest number of rows kept, None for all.

    Returns:
        float32 [k, columns].

    Raises:
        ValueError: If it is not [n, columns] or holds NaN or infinity.
    """
    table = np.asarray(array, np.float32)
    if table.ndim != 2 or table.shape[1] != columns:
        raise ValueError(f"{name} must be [n, {columns}]; its shape is {list(table.shape)}.")
    if not np.isfinite(table).all():
        raise ValueError(
            f"{name} must be finite; {int((~np.isfinite(table)).sum())} of its numbers are NaN or infinite."
        )
    if most is not None and len(table) > most:
        table = table[thinned(len(table), most)]
    return table


def thinned(n: int, most: int) -> np.ndarray:
    """Return the indices of at most `most` of n rows, evenly spread and in order."""
    return np.floor(np.arange(min(n, most)) * max(1.0, n / most)).astype(np.int64)


def latent(name: str, values: Any, d_z: int) -> list[float]:
    """Check one latent vector; Python floats, because they go into JSON and session state.

    Raises:
        ValueError: If it does not have d_z finite numbers.
    """
    z = np.asarray(values, np.float64)
    if z.shape != (d_z,) or not np.isfinite(z).all():
        raise ValueError(f"{name} must be {d_z} finite numbers; it is {np.array2string(z, threshold=8)}.")
    return [float(v) for v in z]


def member_of(plan: dict[str, Any], member: int) -> int:
    """Check a member number (0-based).

    Raises:
        ValueError: If the plan holds no such member.
    """
    if not 0 <= member < plan["members"]:
        raise ValueError(f"member must be 0 to {plan['members'] - 1} in this decoder; it is {member}.")
    return int(member)


def texts(names: Sequence[Any]) -> list[str]:
    """Return names as plain text; the page shows them as text, never as HTML."""
    return [str(name) for name in names]


def about(plan: dict[str, Any], member: int) -> dict[str, Any]:
    """Return which decoder, and which of its members, a component is about."""
    facts = {name: plan[name] for name in ("d_z", "d_x", "x_shape", "likelihood")}
    return {"plan": plan["id"], **facts, "member": member_of(plan, member)}


def enlarged(plan: dict[str, Any], x: Any, *, width: int = 320) -> np.ndarray:
    """Return one picture x [d_x] in [0, 1] with its pixels repeated until it is about `width` wide."""
    picture = np.clip(np.asarray(x, np.float32), 0, 1).reshape(plan["x_shape"])
    times = max(1, width // picture.shape[1])
    return picture.repeat(times, 0).repeat(times, 1)
