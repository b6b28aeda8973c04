"""White shapes on black: the world of dSprites, drawn here and identical to the original pixel for pixel.

The geometry was measured on original frames. The side of the square, the axes of the ellipse and the box of the heart
are fractions of the picture's side. A pixel is white if its centre lies inside, and orientation turns
counter-clockwise.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8

from dvae_core.data.dataset import Dataset
from dvae_core.data.worlds.factors import uniform_factors
from dvae_core.data.worlds.world import World, arguments
from dvae_core.settings import setting, settings

Grid = Literal["dsprites", "continuous"]

SHAPES = ("square", "ellipse", "heart")
FACTORS = ("shape", "scale", "orientation", "x", "y")
DSPRITES_SIZES = (3, 6, 40, 32, 32)

_CHUNK = 128  # pictures drawn at once: their float32 grids (2 MB each) stay in the processor's cache
_SQUARE = 0.15  # half side
_ELLIPSE = (0.2, 0.1125)  # half axes
_HEART = (0.6 / 64, 0.6628 / 64, -1.435 / 64)  # unit of x, unit of y, height of the curve's origin


@settings
class SpritesData:
    """White shapes on black in the manner of dSprites: shape, scale, orientation, x and y are known."""

    kind: Literal["sprites"] = "sprites"
    n: int = setting(10_000, "Pictures", min=10, max=737_280)
    side: int = setting(64, "Side in pixels", "64 is that of dSprites; 32 trains four times as fast", min=16, max=128)
    grid: Literal["dsprites", "continuous"] = setting("dsprites", "Factors", "On the grid of dSprites, or continuous")
    u: Literal["shape", "none"] = setting("shape", "u", "The shape as a label, or no auxiliary variable")
    correlation: float = setting(0.0, "Correlation of factors", "0 in the original", min=-0.2, max=0.95)
    seed: int = setting(0, "Data seed", min=0)


def sprites(
    *,
    n: int = 10_000,
    side: int = 64,
    grid: Grid = "dsprites",
    u: Literal["shape", "none"] = "shape",
    correlation: float | int = 0.0,
    seed: int = 0,
) -> Dataset:
    """Draw pictures of one white shape each, with its factors: shape, scale, orientation, x, y.

    Factors are drawn with replacement, each uniform. On dSprites' grid (3 x 6 x 40 x 32 x 32 = 737,280 pictures)
    orientation 0 and 2 pi are two classes with one picture, as in the original. A square looks the same every quarter
    turn, an ellipse every half turn. Orientation therefore cannot be read off a picture, and no score of it reaches 1.

    Args:
        n: Number of pictures.
        side: Pixels; 64 is dSprites'.
        grid: "dsprites": scale 0.5, 0.6 .. 1, 40 orientations from 0 to 2 pi, 32 x 32 positions from 0 to 1; or
            "continuous": uniform in the same ranges.
        u: The auxiliary variable: the shape as a label, or none.
        correlation: Correlation of every pair of factors (see `uniform_factors`).
        seed: Determines everything.

    Returns:
        x of 0 and 1, factors z in dSprites' units (shape 0, 1, 2), u.

    Raises:
        ValueError: If an argument is out of range.

    References:
        Matthey et al. 2017 (dSprites).
    """
    if side < 8 or grid not in ("dsprites", "continuous") or u not in ("shape", "none"):
        raise ValueError(
            f"side must be at least 8, grid dsprites or continuous, u shape or none; got {side}, {grid!r} and {u!r}."
        )
    level = uniform_factors(n, 5, correlation=correlation, seed=seed)
    shape = np.floor(level[:, 0] * 3)
    if grid == "dsprites":
        level = np.floor(level * DSPRITES_SIZES) / (np.array(DSPRITES_SIZES) - 1)  # the range includes both ends
    factors = np.column_stack([shape, 0.5 + 0.5 * level[:, 1], 2 * np.pi * level[:, 2], level[:, 3:]])
    return Dataset(
        name=f"Sprites, {n:,} of {side} x {side} pixels",
        x=draw_sprites(factors, side=side).reshape(n, -1),
        z=factors.astype(np.float32),
        z_names=FACTORS,
        u=shape.astype(np.int64) if u == "shape" and len(np.unique(shape)) == 3 else None,
        u_names=("shape",) if u == "shape" else (),
        u_labels=SHAPES if u == "shape" and len(np.unique(shape)) == 3 else (),
        x_shape=(side, side),
        meta={
            "source": "drawn by this library in the manner of dSprites (Matthey et al. 2017)",
            "licence": "free of conditions",
            "notes": f"{grid} factors, correlation {correlation:g}, seed {seed}; a square looks the same every quarter "
            "turn and an ellipse every half, so no score of orientation reaches 1",
        },
    )


def draw_sprites(factors: Float[np.ndarray, "n 5"], *, side: int = 64) -> UInt8[np.ndarray, "n side side"]:
    """Draw pictures from factors, 0 outside and 1 inside.

    Args:
        factors: Columns shape (0 square, 1 ellipse, 2 heart), scale (1 is 0.3 of the side), orientation (radians,
            counter-clockwise), x and y (0..1: from a quarter to three quarters of the side, y downwards).
        side: Pixels.

    Raises:
        ValueError: If a shape is none of 0, 1, 2.
    """
    shape = factors[:, 0].astype(int)
    if len(shape) and (shape.min() < 0 or shape.max() > 2 or (shape != factors[:, 0]).any()):
        raise ValueError(f"Shapes are 0 (square), 1 (ellipse) and 2 (heart); got {np.unique(factors[:, 0])[:5]}.")
    out = np.zeros((len(factors), side, side), np.uint8)
    tests: tuple[Callable[[np.ndarray, np.ndarray], np.ndarray], ...] = (_in_square, _in_ellipse, _in_heart)
    for k, inside in enumerate(tests):
        rows = np.flatnonzero(shape == k)
        for part in np.array_split(rows, -(-len(rows) // _CHUNK) or 1):
            out[part] = inside(*_own_axes(factors[part], side))
    return out


def _own_axes(factors: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return each pixel centre in the shape's own axes, [k, side, side] each: at scale 1 the picture's side is 1."""
    at = (np.arange(side, dtype=np.float32) + 0.5) / side
    scale, turn, x, y = factors[:, 1:].T.astype(np.float32)
    dx = (at[None, :] - (0.25 + 0.5 * x)[:, None]) / scale[:, None]
    dy = (at[None, :] - (0.25 + 0.5 * y)[:, None]) / scale[:, None]
    c, s = np.cos(turn)[:, None], np.sin(turn)[:, None]
    own_x = (c * dx)[:, None, :] - (s * dy)[:, :, None]
    own_y = (s * dx)[:, None, :] + (c * dy)[:, :, None]
    return own_x, own_y


def _in_square(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(x), np.abs(y)) <= _SQUARE


def _in_ellipse(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.square(x / _ELLIPSE[0]) + np.square(y / _ELLIPSE[1]) <= 1


def _in_heart(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The curve x = 16 sin^3 t, y = 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t: two heights at every x, t and pi - t."""
    sin = np.cbrt(np.minimum(np.abs(x) / (16 * _HEART[0]), 1.0))
    cos = np.sqrt(1 - sin * sin)
    cos2 = 1 - 2 * sin * sin
    odd = cos * (13 - 2 * (2 * cos2 - 1))  # 13 cos t - 2 cos 3t
    even = -5 * cos2 - (2 * cos2 * cos2 - 1)
    height = (_HEART[2] - y) / _HEART[1]
    return (np.abs(height - even) <= odd) & (np.abs(x) <= 16 * _HEART[0])


WORLD = World(
    "sprites",
    SpritesData,
    lambda data: sprites(**arguments(data)),
    lambda data: f"sprites of {data.side} pixels",
    "White shapes on black, as in dSprites: shape, scale, orientation, x and y are the true factors.",
    ("n", "side", "grid", "u", "correlation", "seed"),
)
