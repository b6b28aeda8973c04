"""Legend of axis letters, and the array aliases that several modules share.

| letter | axis |
|---|---|
| `n` | examples: rows of the data, samples, time bins |
| `p` | population members: seeds, trained side by side |
| `s` | posterior samples of one example |
| `t` | steps of a traversal |
| `d_x`, `d_z`, `d_u` | dimensions of data, latents or factors, auxiliary variable |
| `d_seen` | what an encoder sees of x: `d_x`, times the rows of its window |
| `d`, `k`, `m` | any dimension; chosen rows; segments (values of a discrete u) |

Arrays are row-major with examples first, or members first and examples second: `x [n d_x]`, `z_hat [p n d_z]`. One-axis
shapes are written `" n"`. The shapes are checked in tests only; they cost nothing at run time.
"""

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from jaxtyping import Float, Float32, Int, Int64, Real, Shaped

Matrix: TypeAlias = Float[np.ndarray, "n d"]
"""Examples in rows, any floating-point type."""

Features: TypeAlias = Float32[np.ndarray, "n d"]
"""Examples in rows, ready for a model."""

Codes: TypeAlias = Int64[np.ndarray, " n"]
"""Label codes 0..K-1, one per row."""

Auxiliary: TypeAlias = Shaped[np.ndarray, "n ..."]
"""u, either labels `[n]` or numbers `[n d_u]`."""

if TYPE_CHECKING:
    from pandas import DataFrame as Table
else:
    Table = object  # pandas costs the app server 55 MB: functions that make a table import it themselves


def evenly(n: int, limit: int) -> Int64[np.ndarray, " k"]:
    """Return at most `limit` evenly spaced row numbers out of n, ascending, including the first and the last.

    Example:
        >>> evenly(10, 4).tolist()
        [0, 3, 6, 9]
    """
    return np.unique(np.linspace(0, n - 1, min(n, limit)).astype(int))


def means_by_code(values: Real[np.ndarray, "n d"], codes: Int[np.ndarray, " n"]) -> Float[np.ndarray, "m d"]:
    """Return the mean of the rows of each code 0, 1, ...; 0 for a code without rows."""
    counts = np.bincount(codes)
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, codes, values.astype(float))
    return sums / np.maximum(counts, 1)[:, None]
