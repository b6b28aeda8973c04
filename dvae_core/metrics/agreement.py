"""Whether two sets of latents agree, and up to which transformation. Useful if no true factors are known.

Agreement means that training found the same latents again. It does not mean that they are the true ones.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from dvae_core.metrics.health import DEAD_NATS
from dvae_core.metrics.matching import assign, matched
from dvae_core.metrics.recovery import monotone_fit
from dvae_core.metrics.score import Method, Score, checked, correlations, is_constant

Rung = Literal["identity", "permutation", "monotone", "orthogonal", "affine"]

POINTWISE: tuple[Rung, ...] = ("identity", "permutation", "monotone")
LINEAR: tuple[Rung, ...] = ("identity", "permutation", "orthogonal", "affine")
RUNGS: tuple[Rung, ...] = ("identity", "permutation", "monotone", "orthogonal", "affine")
REACHED = 0.95  # R^2 from which a rung counts as reached
LASSO_ALPHA = 0.1  # of UDR, with standardised codes


@dataclass(frozen=True, eq=False)
class Ladder:
    """How well one set of latents is predicted from another by increasingly flexible maps.

    Attributes:
        r2: Held-out R^2 of each rung, mean over the latents predicted; NaN where a rung does not apply.
        per_latent: The same for each latent predicted; NaN for constant ones, which are left out of the mean.
        pointwise: Lowest rung of identity, permutation, monotone with R^2 >= 0.95; None if none reaches it.
        linear: The same of identity, permutation, orthogonal, affine.
        matching: For each latent predicted the index of its partner in the permutation rung, -1 for none.
        notes: Sentences about this particular comparison.
    """

    r2: dict[Rung, float]
    per_latent: dict[Rung, Float[np.ndarray, " d"]]
    pointwise: Rung | None
    linear: Rung | None
    matching: tuple[int, ...]
    notes: tuple[str, ...]


def ladder(
    z_from: Float[np.ndarray, "n d_from"], z_to: Float[np.ndarray, "n d_to"], *, same_axes: bool = True
) -> Ladder:
    """Predict one set of latents from another by increasingly flexible maps: the indeterminacy ladder.

        identity      z_to = z_from
        permutation   + sign, scale and offset: z_to_i = a_i z_from_pi(i) + b_i
        monotone      z_to_i = h_i(z_from_pi(i)), h_i monotone: order and a pointwise map, which theorem 2 leaves free
        orthogonal    z_to = s M z_from, M orthogonal, s one common scale, both sides standardised first
        affine        z_to = A z_from + c: left free by the theorem with monotonic statistics (k = 1, T = z)

    Each rung is fitted on rows 1, 3, 5, ... and scored on rows 2, 4, 6, ... After permutation there are two branches:
    monotone, and orthogonal followed by affine. The R^2 of a curve is computed on the normal scores of z_to, so that
    its scale is also free and a few outliers do not dominate. A straight line is also monotone, so the monotone rung
    takes the better of the two for each latent and is never below the permutation rung. The ladder is blind to whether
    either side is right. The mean over latents can hide one that fails among many that agree (a rotation by 20 degrees
    in one plane of five dimensions has R^2 0.95), so look at `per_latent` too.

    Args:
        z_from: Latents of one model.
        z_to: Latents of another on the same rows; constant ones are left out.
        same_axes: Whether column i means the same on both sides; False leaves the identity out.

    Returns:
        R^2 of every rung (up to 1, negative if a map does worse than the mean) and the lowest rung of each branch.

    Raises:
        ValueError: If row counts differ, a value is not finite, all latents of one side are constant, or there are
            fewer than 2 (d_from + 2) rows.
    """
    a, b = checked(z_from, z_to, "pearson", allow_constant=True)
    n, d_from, d_to = len(a), a.shape[1], b.shape[1]
    if n < 2 * (d_from + 2):
        raise ValueError(
            f"An affine map of {d_from} latents needs at least {2 * (d_from + 2)} rows; got {n}. Use more rows."
        )
    a, b = a.astype(float), b.astype(float)
    fit_a, test_a, fit_b, test_b = a[::2], a[1::2], b[::2], b[1::2]
    dead = is_constant(fit_b, b) | is_constant(test_b, b)
    if dead.all() or is_constant(fit_a, a).all():
        raise ValueError("All latents of one side are constant, so there is nothing to compare; leave it out.")
    spread = np.where(dead, 1.0, ((test_b - fit_b.mean(0)) ** 2).sum(0))

    def r2_of(guess: np.ndarray) -> np.ndarray:
        return np.where(dead, np.nan, 1 - ((test_b - guess) ** 2).sum(0) / spread)

    per_latent: dict[Rung, np.ndarray] = {}
    comparable = same_axes and d_from == d_to
    per_latent["identity"] = r2_of(test_a) if comparable else np.full(d_to, np.nan)
    matrix, _ = correlations(fit_b, fit_a, "pearson")
    matching, _ = assign(np.abs(matrix))
    pairs = [(i, k) for i, k in enumerate(matching.tolist()) if k >= 0 and not dead[i]]
    per_latent["permutation"] = r2_of(_lines(fit_a, fit_b, test_a, pairs))
    by_rank, _ = assign(np.abs(correlations(fit_b, fit_a, "spearman")[0]))
    per_latent["monotone"] = per_latent["permutation"].copy()
    for i, k in enumerate(by_rank):
        if k >= 0 and not dead[i]:
            curve = _monotone_r2(fit_a[:, k], fit_b[:, i], test_a[:, k], test_b[:, i])
            per_latent["monotone"][i] = max(per_latent["monotone"][i], curve)
    turned, mapped = _linear_maps(fit_a, fit_b, test_a)
    per_latent["orthogonal"], per_latent["affine"] = r2_of(turned), r2_of(mapped)

    r2: dict[Rung, float] = {rung: float(np.mean(values[~dead])) for rung, values in per_latent.items()}
    notes = []
    if dead.any():
        notes.append(f"Latent {', '.join(str(i + 1) for i in np.flatnonzero(dead))} is constant and left out.")
    if d_from != d_to:
        notes.append(f"{d_from} latents on one side and {d_to} on the other: those without a partner count 0.")
    return Ladder(r2, per_latent, lowest(r2, POINTWISE), lowest(r2, LINEAR), tuple(matching.tolist()), tuple(notes))


def _lines(fit_a: np.ndarray, fit_b: np.ndarray, test_a: np.ndarray, pairs: list[tuple[int, int]]) -> np.ndarray:
    """Return each b_i from a line in its partner a_k, by least squares; the mean of those without a partner."""
    guess = np.tile(fit_b.mean(0), (len(test_a), 1))
    for i, k in pairs:
        centred = fit_a[:, k] - fit_a[:, k].mean()
        slope = centred @ fit_b[:, i] / max(centred @ centred, np.finfo(float).tiny)
        guess[:, i] += slope * (test_a[:, k] - fit_a[:, k].mean())
    return guess


def _linear_maps(fit_a: np.ndarray, fit_b: np.ndarray, test_a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return b from the best rotation of a with one common scale (Procrustes), and from the best affine map."""
    standard_a, standard_b = _standardiser(fit_a), _standardiser(fit_b)
    A, B = standard_a(fit_a), standard_b(fit_b)
    left, singular, right = np.linalg.svd(A.T @ B, full_matrices=False)
    turned = standard_a(test_a) @ (left @ right) * (singular.sum() / (A**2).sum())
    weights = np.linalg.lstsq(np.column_stack([A, np.ones(len(A))]), B, rcond=None)[0]
    mapped = np.column_stack([standard_a(test_a), np.ones(len(test_a))]) @ weights
    return turned * fit_b.std(0) + fit_b.mean(0), mapped * fit_b.std(0) + fit_b.mean(0)


def _monotone_r2(fit_a: np.ndarray, fit_b: np.ndarray, test_a: np.ndarray, test_b: np.ndarray) -> float:
    """Return the held-out R^2 of an isotonic fit to the normal scores of b."""
    from scipy.special import ndtri

    values, at, count = np.unique(fit_b, return_inverse=True, return_counts=True)
    middle = (np.cumsum(count) - 0.5 * count) / len(fit_b)  # the share of values below, counting half of the ties
    fit_score, test_score = ndtri(middle[at]), ndtri(np.interp(test_b, values, middle))
    curve = monotone_fit(fit_a, fit_score)
    error = test_score - np.interp(test_a, curve.x, curve.y)
    return float(1 - (error**2).sum() / ((test_score - fit_score.mean()) ** 2).sum())


def lowest(r2: Mapping[Any, float], branch: tuple[Rung, ...]) -> Rung | None:
    """Return the first rung of a branch with R^2 >= 0.95, or None if there is none."""
    return next((rung for rung in branch if r2[rung] >= REACHED), None)


def class_scores(z_from: Float[np.ndarray, "n d_from"], z_to: Float[np.ndarray, "n d_to"]) -> dict[str, float]:
    """R^2 of z_to from z_from by the classes of two other packages, fitted and scored on the same rows.

        identity      z_to = z_from
        permutation   order and sign, without scale and offset; matched by the correlations of absolute values
        linear        z_to = A z_from
        affine        z_to = A z_from + c: CEBRA's consistency between runs

    The four are those of iTuna 0.1.0, and affine is also CEBRA 0.6.1's consistency score, so that published numbers can
    be compared. They differ from `ladder` in three ways. They are in-sample, so an affine map of many latents always
    scores; their permutation has no scale, so latents in other units score low or negative; and they have no reference
    line, although independent latents score d / n and a rotation scores 1 for linear and affine.

    Args:
        z_from: Latents of one model.
        z_to: Latents of another on the same rows.

    Returns:
        R^2 averaged over the columns of z_to, by class; identity and permutation are NaN if the widths differ.

    Raises:
        ValueError: If row counts differ, rows are too few, or a value is not finite.
    """
    a, b = (np.asarray(z, float) for z in checked(z_from, z_to, "pearson", allow_constant=True))
    spread = ((b - b.mean(0)) ** 2).sum(0)

    def r2(guess: np.ndarray) -> float:
        error = ((b - guess) ** 2).sum(0)
        one = np.where(error > 0, 0.0, 1.0)  # a constant column is either met exactly or not at all
        return float(np.mean(np.where(spread > 0, 1 - error / np.where(spread > 0, spread, 1.0), one)))

    out = {"identity": float("nan"), "permutation": float("nan")}
    if a.shape[1] == b.shape[1]:
        sizes = correlations(np.abs(a), np.abs(b), "pearson")[0]
        matching, _ = assign(sizes)
        signs = np.where(correlations(a, b, "pearson")[0][np.arange(a.shape[1]), matching] < 0, -1.0, 1.0)
        guess = np.empty_like(b)
        guess[:, matching] = a * signs
        out = {"identity": r2(a), "permutation": r2(guess)}
    out["linear"] = r2(a @ np.linalg.lstsq(a, b, rcond=None)[0])
    centred = a - a.mean(0)
    out["affine"] = r2(centred @ np.linalg.lstsq(centred, b - b.mean(0), rcond=None)[0] + b.mean(0))
    return out


def typical_rung(r2: Mapping[Any, Any]) -> tuple[Rung | None, int, int]:
    """Return the first rung whose median R^2 over pairs reaches 0.95, how many pairs reach it, and how many there are.

    Rungs are tried from the strictest to the freest. If none is reached, return None, 0 and the number of pairs.

    Args:
        r2: R^2 of each pair by rung; NaN where a rung does not apply.
    """
    pairs = max((len(values) for values in r2.values()), default=0)
    for rung in RUNGS:
        values = np.asarray(r2.get(rung, ()), float)
        values = values[np.isfinite(values)]
        if len(values) and np.median(values) >= REACHED:
            return rung, int((values >= REACHED).sum()), pairs
    return None, 0, pairs


def _standardiser(fitted: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    mean, std = fitted.mean(0), fitted.std(0)
    std = np.where(is_constant(fitted, fitted) | (std == 0), 1.0, std)
    return lambda z: (z - mean) / std


def pair_mcc(a: Float[np.ndarray, "n d_a"], b: Float[np.ndarray, "n d_b"], *, method: Method = "pearson") -> Score:
    """Symmetric MCC of two sets of latents: the sum of matched |correlations| divided by the larger d.

    A latent that has no partner, or is constant, counts as 0. The score has the blind spots of `mcc`, and is blind to
    whether either set is right. Its chance level is that of `mcc`: two sets that differ by a random rotation score
    0.90 (d=2), 0.73 (d=5), 0.60 (d=10).

    Args:
        a: Latents of one model.
        b: Latents of another on the same rows.
        method: "pearson" or "spearman".

    Returns:
        Score in [0, 1]; the rows of `matrix` belong to the larger set.

    Raises:
        ValueError: If row counts differ, there are fewer than 3 rows, or a value is not finite.
    """
    a, b = checked(a, b, method, allow_constant=True)
    return matched(a, b, method) if a.shape[1] >= b.shape[1] else matched(b, a, method)


def strengths(
    a: Float[np.ndarray, "n d_a"], b: Float[np.ndarray, "n d_b"], *, method: Method = "pearson"
) -> Float[np.ndarray, " d_a"]:
    """Per-latent stability: |correlation| of each latent of `a` with its partner in `b`, matched one to one.

        strength_k = |corr(a_k, b_pi(k))|,   pi the best assignment

    A latent that recurs in every seed has strengths of 1. Like the MCC, this is not blind to rotation: a latent that is
    mixed with others in another seed falls below 1. A latent that has no partner, or is constant, has 0.

    Raises:
        ValueError: If row counts differ, there are fewer than 3 rows, or a value is not finite.
    """
    a, b = np.asarray(a), np.asarray(b)
    if not b.shape[1]:
        return np.zeros(a.shape[1])
    one, other = checked(a, b, method, allow_constant=True)
    return assign(np.abs(correlations(one, other, method)[0]))[1]


def udr(z: Float[np.ndarray, "p n d"], kl_latent: Float[np.ndarray, "p d"]) -> Float[np.ndarray, " p"]:
    """Unsupervised disentanglement ranking: how much each member's latents recur one to one in the other members.

        R = |Lasso coefficients| of member j's codes on member i's
        UDR_ij = 1/2 [ mean over columns of max^2 / sum + mean over rows of max^2 / sum ],   UDR_j = median over i != j

    Codes are standardised and dead latents (mean KL below 0.01 nats) masked. This is disentanglement_lib's form (the
    paper pools the two sums). It ranks members without true factors, and assumes that disentangled models look alike
    and entangled ones do not.

    Args:
        z: Posterior means of every member, same rows.
        kl_latent: Mean KL of every latent, nats.

    Returns:
        One score per member, about 0 to 1; NaN for a single member.

    References:
        Duan et al. 2020, Unsupervised model selection for variational disentangled representation learning.
    """
    from sklearn.linear_model import Lasso

    p = len(z)
    alive = kl_latent >= DEAD_NATS
    codes = [_standardiser(m)(m) for m in z.astype(float)]
    pairs = np.full((p, p), np.nan)
    for i in range(p):
        for j in range(p):
            if i == j:
                continue
            if not (alive[i].any() and alive[j].any()):
                pairs[i, j] = 0.0
                continue
            fit = Lasso(alpha=LASSO_ALPHA, max_iter=2000).fit(codes[i][:, alive[i]], codes[j][:, alive[j]])
            R = np.abs(np.atleast_2d(fit.coef_)).T  # latents of i by latents of j
            shares = []
            for axis in (0, 1):
                total = R.sum(axis)
                share = np.divide(R.max(axis) ** 2, total, out=np.zeros_like(total), where=total > 0)
                shares.append(share.mean())
            pairs[i, j] = 0.5 * sum(shares)
    return np.array([np.median(np.delete(pairs[:, j], j)) if p > 1 else np.nan for j in range(p)])
