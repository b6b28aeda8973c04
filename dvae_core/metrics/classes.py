"""Factors as classes, latents in bins, and the plug-in information between them."""

import numpy as np
from jaxtyping import Float, Int64

from dvae_core.metrics.score import is_constant

CLASSES = 64  # distinct values: dSprites' orientation has 40
BINS = 20


def class_codes(column: np.ndarray) -> Int64[np.ndarray, " n"] | None:
    """Return class codes of one factor, or None if it is numeric: more than 64 values, or fewer than 4 rows each."""
    values, codes = np.unique(column, return_inverse=True)
    return codes.astype(np.int64) if len(values) <= min(CLASSES, len(column) // 4) else None


def classes(z_true: np.ndarray) -> tuple[Int64[np.ndarray, "n d_z"], tuple[str, ...]]:
    """Return class codes of every factor, with numeric ones cut into bins, and a note that names those."""
    codes = [class_codes(column) for column in z_true.T]
    cut = [str(k + 1) for k, c in enumerate(codes) if c is None]
    v = [binned(column) if c is None else c for c, column in zip(codes, z_true.T, strict=True)]
    note = f"Factor {', '.join(cut)} is a number: cut into {BINS} bins of equal width."
    return np.column_stack(v), (note,) if cut else ()


def binned(column: np.ndarray) -> np.ndarray:
    """Return the bin 0..19 of each value. The bins have equal widths between the smallest and the largest value."""
    low, high = float(column.min()), float(column.max())
    if is_constant(column[:, None], column[:, None])[0]:
        return np.zeros(len(column), np.int64)
    edges = np.linspace(low, high, BINS + 1)[1:-1]
    return np.digitize(column, edges)


def information(v: np.ndarray, z_hat: np.ndarray) -> Float[np.ndarray, "d_z d_hat"]:
    """Return the plug-in mutual information, in nats, between every factor and every binned latent."""
    bins = [binned(column) for column in z_hat.T]
    out = np.zeros((v.shape[1], len(bins)))
    for k, codes in enumerate(v.T):
        for j, cut in enumerate(bins):
            joint = np.bincount(codes * BINS + cut, minlength=(codes.max() + 1) * BINS).reshape(-1, BINS)
            out[k, j] = entropy(joint.sum(1)) + entropy(joint.sum(0)) - entropy(joint.ravel())
    return np.maximum(out, 0.0)


def entropy(counts: np.ndarray) -> float:
    """Return the plug-in entropy of counts in nats."""
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log(p)).sum())
