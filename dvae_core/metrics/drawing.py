"""Shared by the scores of the literature: the rows they use, the fits they make, and the `Score` they return."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from jaxtyping import Float

from dvae_core.metrics.score import Score

Factors = Float[np.ndarray, "n d_z"]
Latents = Float[np.ndarray, "n d_hat"]
ROTATION = "order, sign and scale of the latents; not to rotation"


def score_of(
    each: np.ndarray, matrix: np.ndarray, method: str, notes: tuple[str, ...], blind_to: str, chance: str,
    *, per_factor: bool = True, weights: np.ndarray | None = None,
) -> Score:  # fmt: skip
    """Build a Score. `matrix` is d_z by d_hat, and each factor is matched to the latent with its largest entry."""
    heaviest = np.abs(matrix).argmax(1)
    return Score(
        value=float(each.mean() if weights is None else (each * weights).sum()),
        matrix=matrix.astype(float),
        matching=tuple(heaviest.tolist()),
        signs=(1,) * len(matrix),
        per_factor=tuple(each.tolist()) if per_factor else (),
        method=method,
        notes=notes,
        blind_to=blind_to,
        chance=chance,
    )


def row_entropy(R: np.ndarray) -> np.ndarray:
    """Return each row's entropy in the base of its length (a single column counts as 0)."""
    p = (R + 1e-11) / (R + 1e-11).sum(1, keepdims=True)
    return -(p * np.log(p)).sum(1) / np.log(max(R.shape[1], 2))


def drawn(n: int, rows: int, seed: int) -> np.ndarray:
    """Return at most `rows` of n row numbers, drawn without replacement."""
    return np.arange(n) if n <= rows else np.random.default_rng(seed).permutation(n)[:rows]


def fit_and_test(n: int, sizes: tuple[int, int], seed: int) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Return rows to fit on, rows to test on, and a note if there are fewer than requested."""
    order, asked = np.random.default_rng(seed).permutation(n), sum(sizes)
    if n >= asked:
        return order[: sizes[0]], order[sizes[0] : asked], ()
    fit = max(1, min(n * sizes[0] // asked, n - 1))
    return order[:fit], order[fit:], (f"{n:,} rows instead of {asked:,}: {fit:,} to fit on, {n - fit:,} to test on.",)


@contextmanager
def noting() -> Iterator[list[str]]:
    """Turn scikit-learn's warnings about fits that did not converge into one note."""
    from sklearn.exceptions import ConvergenceWarning

    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield notes
    slow = sum(issubclass(w.category, ConvergenceWarning) for w in caught)
    for w in caught:
        if not issubclass(w.category, ConvergenceWarning):
            warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)
    if slow:
        notes.append(f"{slow} fits stopped before they converged.")


def sklearn_version() -> str:
    """Return the version of scikit-learn, whose defaults are part of these scores."""
    import sklearn

    return f"scikit-learn {sklearn.__version__}"
