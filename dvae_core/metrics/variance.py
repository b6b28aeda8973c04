"""How much of a score's variance is due to the method, to the strength of the penalty, and to the seed."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int


class Shares(NamedTuple):
    """Shares of a score's sum of squares, which add up to 1. `luck` is each share's value if only seeds mattered."""

    method: float
    strength: float
    both: float
    seed: float
    luck: tuple[float, float, float]
    n: int


def variance_shares(
    score: Float[np.ndarray, " n"], method: Int[np.ndarray, " n"], strength: Float[np.ndarray, " n"]
) -> Shares | None:
    """Split the variance of a score over a study into method, strength, their interaction, and the remainder, the seed.

        sum (s - mean)^2 = SS_method + SS_strength + SS_method x strength + SS_seed

    This is an analysis of variance that adds one term after the other; in a balanced study the order does not matter.
    The seed's part is the spread within cells of equal method and strength, from initial weights, order of the data and
    noise. A term with many levels explains something by chance: with pure noise its share is its degrees of freedom
    divided by n - 1, see `luck`. The split is blind to differences between data sets (analyse one at a time) and to
    which levels were tried: a wider range of strengths explains more.

    Args:
        score: One number per model. Those that are not finite (failed members) are left out.
        method: Codes of the method, same rows.
        strength: The penalty's weight, same rows.

    Returns:
        The shares, or None if there is nothing to split: fewer than 3 models, no cell with two seeds, or no variance.

    References:
        Locatello et al. 2019, "How important are different models and hyperparameters for disentanglement?"

    Example:
        >>> s = variance_shares(np.array([0.0, 0, 1, 1]), np.array([0, 0, 1, 1]), np.ones(4))
        >>> (s.method, s.seed)
        (1.0, 0.0)
    """
    good = np.isfinite(score)
    score, method, strength = score[good].astype(float), method[good], strength[good]
    n = len(score)
    if n < 3 or np.ptp(score) == 0:
        return None
    _, methods = np.unique(method, return_inverse=True)
    _, strengths = np.unique(strength, return_inverse=True)
    _, cells = np.unique(methods * (strengths.max() + 1) + strengths, return_inverse=True)
    if cells.max() + 1 == n:
        return None
    one = np.ones((n, 1))
    designs = [one, np.hstack([one, _dummies(methods)])]
    designs += [np.hstack([designs[1], _dummies(strengths)]), _dummies(cells)]
    left, ranks = [], []
    for design in designs:
        weights, _, rank, _ = np.linalg.lstsq(design, score, rcond=None)
        left.append(float(np.square(score - design @ weights).sum()))
        ranks.append(int(rank))
    total = left[0]
    shares = [max(before - after, 0.0) / total for before, after in pairwise(left)]
    luck = [(after - before) / (n - 1) for before, after in pairwise(ranks)]
    method_share, strength_share, both = (float(s) if s > 1e-12 else 0.0 for s in shares)
    return Shares(
        method_share, strength_share, both, 1.0 - method_share - strength_share - both, (luck[0], luck[1], luck[2]), n
    )


def _dummies(codes: np.ndarray) -> np.ndarray:
    return (codes[:, None] == np.arange(codes.max() + 1)).astype(float)
