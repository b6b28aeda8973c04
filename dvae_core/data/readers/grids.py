"""Picture sets that form full grids of known factors (dSprites, 3dshapes, MPI3D): the factors' names and values."""

from math import prod

import numpy as np

DSPRITES = ("color", "shape", "scale", "orientation", "posX", "posY")
SHAPES3D = ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation")
MPI3D = ("object_color", "object_shape", "object_size", "camera_height", "background_color", "horizontal_axis",
         "vertical_axis")  # fmt: skip

# MPI3D has no factors in its files: the number of pictures identifies the set (toy, realistic and real; complex)
_MPI3D_SIZES = {1_036_800: (6, 6, 2, 3, 3, 40, 40), 460_800: (4, 4, 2, 3, 3, 40, 40)}

LICENCES = {DSPRITES: "Apache-2.0 (dSprites)", SHAPES3D: "Apache-2.0 (3dshapes)", MPI3D: "CC BY 4.0 (MPI3D)"}


def names_of(pictures: tuple[int, ...], factors: tuple[int, ...]) -> tuple[str, ...]:
    """Return the factor names of pictures of this shape, or () if it is not a set known here."""
    if len(factors) != 2 or factors[1] != 6 or pictures[:1] != factors[:1]:
        return ()
    if pictures[1:] in ((64, 64), (64, 64, 1)):
        return DSPRITES
    return SHAPES3D if pictures[1:] == (64, 64, 3) else ()


def mpi3d(pictures: tuple[int, ...], rows: np.ndarray | None) -> np.ndarray | None:
    """Return the factors of the rows of MPI3D as whole numbers, or None if these are not its pictures."""
    sizes = _MPI3D_SIZES.get(pictures[0])
    if sizes is None or pictures[1:] != (64, 64, 3):
        return None
    return factors_at(np.arange(prod(sizes)) if rows is None else rows, sizes)


def factors_at(rows: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """Return the factor indices of rows of a grid whose last factor is fastest: row = sum of index x base."""
    bases = prod(sizes) // np.cumprod(sizes)
    return rows[:, None] // bases % sizes


def varying(values: np.ndarray, names: tuple[str, ...]) -> tuple[np.ndarray, tuple[str, ...], list[str]]:
    """Return the factors that vary, their names, and a note on the others (dSprites' colour is always white)."""
    moves = values.max(axis=0) > values.min(axis=0)
    if moves.all() or not moves.any():
        return values, names, []
    still = [name for name, moving in zip(names, moves, strict=True) if not moving]
    kept = tuple(name for name, moving in zip(names, moves, strict=True) if moving)
    return values[:, moves], kept, [f"{', '.join(still)} left out: always the same"]
