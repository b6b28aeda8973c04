"""The `Score` class, the checks on data to be scored, and the correlations behind most scores."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

Method = Literal["pearson", "spearman"]

MIN_ROWS = 3  # two rows always correlate at +-1
BLIND_TO = {
    "pearson": "order, sign, scale and offset of the latents; not to rotation",
    "spearman": "order, sign, and any monotone change of a latent; not to rotation",
}


@dataclass(frozen=True, eq=False)
class Score:
    """A number with the information needed to judge it.

    Attributes:
        value: The score.
        matrix: The d_z by d_hat matrix behind it: signed correlations, or standardised weights for `r2_affine`.
        matching: For each factor the index of its latent, or -1 if none was left.
        signs: For each factor the sign of its correlation, +1 or -1, or 0 if none was left.
        per_factor: Each factor's own score; their mean is `value`.
        method: "pearson", "spearman" or "least squares".
        notes: Sentences about this particular computation: dead latents, few rows, fits that did not converge.
        blind_to: The changes that would not affect the score.
        chance: The score of a random rotation of the truth, if that is the baseline; otherwise a sentence.
    """

    value: float
    matrix: Float[np.ndarray, "d_z d_hat"]
    matching: tuple[int, ...]
    signs: tuple[int, ...]
    per_factor: tuple[float, ...]
    method: str
    notes: tuple[str, ...]
    blind_to: str
    chance: float | str


def checked(
    z_true: np.ndarray, z_hat: np.ndarray, method: str, *, allow_constant: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return both unchanged if they can be scored, or raise an error with the reason."""
    if method not in BLIND_TO:
        raise ValueError(f"method must be 'pearson' or 'spearman'; got {method!r}.")
    z_true, z_hat = np.asarray(z_true), np.asarray(z_hat)
    for name, z in (("z_true", z_true), ("z_hat", z_hat)):
        if z.ndim != 2 or z.shape[1] < 1:
            raise ValueError(f"{name} must have rows and at least one column; got shape {z.shape}.")
        if z.dtype.kind not in "fiub":
            raise ValueError(f"{name} must hold real numbers; got {z.dtype}.")
    if len(z_true) != len(z_hat):
        raise ValueError(
            f"z_true and z_hat must describe the same rows; got {len(z_true):,} and {len(z_hat):,}. "
            "Select the same rows."
        )
    if len(z_true) < MIN_ROWS:
        raise ValueError(f"A correlation needs at least {MIN_ROWS} rows; got {len(z_true)}. Score more rows.")
    for name, z in (("z_true", z_true), ("z_hat", z_hat)):
        bad = ~np.isfinite(z)
        if bad.any():
            row, column = np.argwhere(bad)[0]
            raise ValueError(
                f"{name} has {bad.sum():,} values that are not finite, the first in row {row}, column {column}; "
                "a diverged member cannot be scored."
            )
    constant = np.flatnonzero(is_constant(z_true, z_true))
    if len(constant) and not allow_constant:
        raise ValueError(
            f"Factor {constant[0] + 1} of {z_true.shape[1]} is constant on these rows, so its correlation is "
            "undefined; leave it out or use more rows."
        )
    return z_true, z_hat


def is_constant(z: np.ndarray, original: np.ndarray) -> np.ndarray:
    """Whether each column's range is zero up to rounding in `original`, of which z may be a residual."""
    eps = np.finfo(original.dtype if original.dtype.kind == "f" else float).eps
    return np.ptp(z, axis=0) <= 16 * eps * np.abs(original).max(0)


def standardise(z: np.ndarray) -> np.ndarray:
    """Return float64 columns with mean 0 and standard deviation 1; constant ones become exactly 0."""
    constant = is_constant(z, z)
    centred = z.astype(float) - z.mean(0, dtype=float)
    centred[:, constant] = 0.0
    largest = np.abs(centred).max(0)
    centred /= np.where(largest > 0, largest, 1.0)  # scale to [-1, 1] first, so that no square over- or underflows
    std = centred.std(0)
    return centred / np.where(std > 0, std, 1.0)


def ranks(z: np.ndarray) -> np.ndarray:
    """Return the ranks of each column; ties share their mean rank."""
    columns = np.ascontiguousarray(np.asarray(z).T)  # sorting along memory takes half the time
    order = np.argsort(columns, axis=1)
    ordered = np.take_along_axis(columns, order, 1)
    if (ordered[:, 1:] == ordered[:, :-1]).any() or columns.dtype.kind == "b":
        from scipy.stats import rankdata

        return rankdata(z, axis=0)
    out = np.empty(columns.shape)
    np.put_along_axis(out, order, np.arange(1.0, columns.shape[1] + 1)[None], 1)
    return out.T


def correlations(z_true: np.ndarray, z_hat: np.ndarray, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the signed correlations [d_z, d_hat] (0 for constant columns) and which latents are constant."""
    dead = is_constant(z_hat, z_hat)
    if method == "spearman":
        z_true, z_hat = ranks(z_true), np.where(dead, 0.0, ranks(z_hat))
    matrix = standardise(z_true).T @ standardise(z_hat) / len(z_true)
    return np.clip(matrix, -1.0, 1.0), dead
