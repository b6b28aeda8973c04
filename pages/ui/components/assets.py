"""Scripts and styles of the components, and how arrays travel to them."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
SHARED = ("decode", "draw", "plane", "view")
PARTS = {"explorer": ("screen", "rates", "film", "pad", "export"), "rotor": ("dial",)}


def script(name: str) -> str:
    """The JavaScript of one component as one ES module without a build step: what all share, then its own files."""
    parts = [*SHARED, *PARTS.get(name, ()), name]
    return "\n".join((HERE / f"{part}.js").read_text(encoding="utf-8") for part in parts)


def style(name: str) -> str:
    """The shared style and the component's own."""
    return "\n".join((HERE / part).read_text(encoding="utf-8") for part in ("base.css", f"{name}.css"))


def packed(array: Any) -> dict[str, str] | None:
    """Numbers as base64 of little-endian float32: a third of the size of JSON digits, and exact."""
    if array is None:
        return None
    return {"f32": base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode("ascii")}


def packed_picture(array: Any) -> dict[str, Any] | None:
    """Pictures in [0, 1] as bytes 0..255, which is what the screen shows of them."""
    if array is None:
        return None
    pixels = np.clip(np.rint(np.asarray(array, np.float32) * 255), 0, 255).astype(np.uint8)
    return {"u8": base64.b64encode(pixels.tobytes()).decode("ascii"), "scale": 1 / 255}


def packed_x(plan: dict[str, Any], x: Any) -> dict[str, Any] | None:
    """Examples in the model's units, as pictures where the plan says they are."""
    return packed_picture(x) if plan["x_shape"] else packed(x)


def rows_of(name: str, array: Any, columns: int, *, most: int | None = None) -> np.ndarray:
    """Check a table of finite numbers and thin it evenly to `most` rows.

    Args:
        name: What it is called in the error.
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
        raise ValueError(f"{name} must be [n, {columns}]; it came as {list(table.shape)}.")
    if not np.isfinite(table).all():
        raise ValueError(
            f"{name} must be finite; {int((~np.isfinite(table)).sum())} of its numbers are NaN or infinite."
        )
    if most is not None and len(table) > most:
        table = table[thinned(len(table), most)]
    return table


def thinned(n: int, most: int) -> np.ndarray:
    """Indices of at most `most` of n rows, evenly spread and in order."""
    return np.floor(np.arange(min(n, most)) * max(1.0, n / most)).astype(np.int64)


def latent(name: str, values: Any, d_z: int) -> list[float]:
    """Check one latent vector; floats of Python, since they go into JSON and session state.

    Raises:
        ValueError: If it does not have d_z finite numbers.
    """
    z = np.asarray(values, np.float64)
    if z.shape != (d_z,) or not np.isfinite(z).all():
        raise ValueError(f"{name} must be {d_z} finite numbers; it came as {np.array2string(z, threshold=8)}.")
    return [float(v) for v in z]


def member_of(plan: dict[str, Any], member: int) -> int:
    """Check a member number (0-based).

    Raises:
        ValueError: If the plan holds no such member.
    """
    if not 0 <= member < plan["members"]:
        raise ValueError(f"member must be 0 to {plan['members'] - 1} in this decoder; {member} came.")
    return int(member)


def texts(names: Sequence[Any]) -> list[str]:
    """Names as plain text; the page shows them as text, never as HTML."""
    return [str(name) for name in names]
