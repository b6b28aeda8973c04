"""Creating, composing, inverting and validating orthogonal matrices. For rows of z, z~ = z M^T."""

import functools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

TOLERANCE = 1e-6  # largest ||M^T M - I|| accepted as orthogonal: float32 entries give about 1e-7


def rotation_matrix(d: int, degrees: float | int, plane: tuple[int, int] = (0, 1)) -> Float[np.ndarray, "d d"]:
    """Return the rotation by an angle in the plane (i, j) of R^d: M[i, i] = cos, M[i, j] = -sin.

    Raises:
        ValueError: If the plane does not name two different axes of R^d.
    """
    i, j = plane
    if not (0 <= i < d and 0 <= j < d and i != j):
        raise ValueError(f"A rotation needs two different axes among 0..{d - 1}; got {i} and {j}.")
    angle = np.deg2rad(degrees)
    M = np.eye(d)
    M[i, i] = M[j, j] = np.cos(angle)
    M[i, j], M[j, i] = -np.sin(angle), np.sin(angle)
    return M


def reflection(d: int, axis: int = 0) -> Float[np.ndarray, "d d"]:
    """Return the map of R^d that flips the sign of one axis; det M = -1, and it is its own inverse.

    Raises:
        ValueError: If there is no such axis.
    """
    if not 0 <= axis < d:
        raise ValueError(f"A reflection needs an axis among 0..{d - 1}; got {axis}.")
    M = np.eye(d)
    M[axis, axis] = -1.0
    return M


def random_orthogonal(d: int, seed: int = 0) -> Float[np.ndarray, "d d"]:
    """Return an orthogonal matrix drawn uniformly (Haar), with det +1 or -1, by QR of Gaussian noise with unique signs.

    Raises:
        ValueError: If d is below 1.

    References:
        Mezzadri 2007, How to generate random matrices from the classical compact groups.
    """
    if d < 1:
        raise ValueError(f"A matrix needs at least 1 dimension; got {d}.")
    Q, R = np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))
    return Q * np.sign(np.diag(R))  # without the signs LAPACK's convention would favour some matrices


def compose(*maps: Float[np.ndarray, "d d"]) -> Float[np.ndarray, "d d"]:
    """Return the composition of maps, applied in the order given: B A for A and B.

    Raises:
        ValueError: If there is nothing to compose.
    """
    if not maps:
        raise ValueError("There is nothing to compose: give at least one matrix.")
    return functools.reduce(lambda done, M: M @ done, maps)


def undo(M: Float[np.ndarray, "d d"]) -> Float[np.ndarray, "d d"]:
    """Return the map that undoes M: M^T, the inverse of an orthogonal matrix."""
    return M.T.copy()


def orthogonality_defect(M: Float[np.ndarray, "d d"]) -> float:
    """Return ||M^T M - I|| (Frobenius): 0 for an orthogonal matrix, NaN if an entry is."""
    return float(np.linalg.norm(M.T @ M - np.eye(M.shape[-1])))


def require_orthogonal(M: Float[np.ndarray, "r c"], d: int | None = None, tolerance: float = TOLERANCE) -> None:
    """Raise an error if a matrix is not orthogonal, with the size of its defect.

    Raises:
        ValueError: If M is not square (of size d, if given), or ||M^T M - I|| exceeds the tolerance.
    """
    size = d if d is not None else len(M)
    if M.shape != (size, size):
        what = f"{d} x {d} for a model with {d} latents" if d is not None else "square"
        raise ValueError(f"M must be {what}; got {M.shape[0]} x {M.shape[-1]}.")
    defect = orthogonality_defect(M)
    if not defect <= tolerance:  # so that NaN also fails
        raise ValueError(f"M is not orthogonal: ||M^T M - I|| = {defect:.3g}; only orthogonal maps keep N(0, I).")


def from_text(text: str, d: int | None = None) -> Float[np.ndarray, "d d"]:
    """Read an orthogonal matrix from pasted text, with rows on lines (or between semicolons), blanks or commas in rows.

    Raises:
        ValueError: If it holds something other than numbers, is not square (of size d), or not orthogonal.
    """
    for mark in "[](),\t":
        text = text.replace(mark, " ")
    rows = [line.split() for line in text.replace(";", "\n").splitlines() if line.strip()]
    if not rows or len({len(row) for row in rows}) > 1:
        raise ValueError(
            f"A matrix needs rows of equal length, one per line; got rows of {[len(r) for r in rows]} numbers."
        )
    try:
        M = np.array([[float(v) for v in row] for row in rows])
    except ValueError:
        raise ValueError("A matrix needs plain numbers, such as 0.6 -0.8; got something else.") from None
    require_orthogonal(M, d, tolerance=1e-4)  # pasted numbers often have four or five digits
    U, _, Vt = np.linalg.svd(M)
    return U @ Vt  # the nearest orthogonal matrix, which only repairs rounding


def entangles(M: Float[np.ndarray, "d d"]) -> bool:
    """Whether every new latent depends on every old one: all entries are non-zero, as Locatello's theorem requires.

    It is False at 0 and 90 degrees, which only relabel and flip the axes.
    """
    return bool((np.abs(M) > 1e-9).all())  # cos 90 degrees is 6e-17 in float64


def turned(z: Float[np.ndarray, "n 2"], angles: Sequence[float | int]) -> Float[np.ndarray, "t n 2"]:
    """Return M z for every angle of M, in degrees."""
    return np.stack([z @ rotation_matrix(2, float(a)).T for a in angles])
