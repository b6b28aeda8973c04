"""Scores that hold a factor fixed, by looking up rows that share a class of it instead of drawing new pictures.

The rows should therefore come from (nearly) independent factors.
"""

import numpy as np
from jaxtyping import Int64

from dvae_core.metrics.classes import classes
from dvae_core.metrics.drawing import Factors, Latents, drawn, noting, score_of, sklearn_version
from dvae_core.metrics.score import Score, checked, is_constant

ACTIVE_STD = 0.05  # FactorVAE's threshold
BATCH = 64  # rows behind one vote of the interventional scores


def factor_vae(z_true: Factors, z_hat: Latents, *, sizes: tuple[int, int] = (10_000, 5_000), seed: int = 0) -> Score:
    """FactorVAE score: when a factor is held fixed, is it always the same latent that varies least?

    For each vote, draw a factor k and 64 rows that share a class of it. The latent whose variance falls most (relative
    to all rows) votes for k. Each latent is assigned the factor that most of its training votes name, and the score is
    the share of correct evaluation votes. Latents with a standard deviation below 0.05 do not vote. The score is blind
    to a factor that is spread over several latents, and to a latent that also knows other factors.

    Args:
        z_true: Factors, classes or numbers (cut into 20 bins: a "fixed" number still varies by a bin).
        z_hat: Posterior means, same rows.
        sizes: Number of training and evaluation votes.
        seed: Seed for the votes.

    Returns:
        Score in [0, 1]; `matrix` holds training votes, `per_factor` is empty. No active latent: 0.

    Raises:
        ValueError: As for `mcc`.

    References:
        Kim & Mnih 2018.
    """
    z_true, z_hat = checked(z_true, z_hat, "pearson")
    v, notes = classes(z_true)
    notes = (*notes, *_small_classes(v))
    variance = z_hat.var(0, ddof=1)
    active = np.flatnonzero(np.sqrt(variance) >= ACTIVE_STD)
    rng, K = np.random.default_rng(seed), v.shape[1]
    votes = np.zeros((2, K, z_hat.shape[1]))
    for part, count in enumerate(sizes if len(active) else ()):
        for k, many in enumerate(rng.multinomial(count, np.full(K, 1 / K)).tolist()):
            for chosen in np.array_split(_sharing(rng, v[:, k], many), -(-many // 1000) or 1):
                spread = z_hat[chosen][:, :, active].var(1, ddof=1) / variance[active]
                votes[part, k] += np.bincount(active[spread.argmin(1)], minlength=z_hat.shape[1])
    stands_for = votes[0].argmax(0)
    right = votes[1, stands_for, np.arange(z_hat.shape[1])].sum() / max(votes[1].sum(), 1)
    if len(active) < z_hat.shape[1]:
        notes = (*notes, f"{z_hat.shape[1] - len(active)} latents vary by less than {ACTIVE_STD} and do not vote.")
    return score_of(np.array([right]), votes[0], f"{sizes[0]:,} + {sizes[1]:,} votes of {BATCH}", notes,
                  "a factor spread over several latents", f"about {1 / K:.2f}: one factor of {K}",
                  per_factor=False)  # fmt: skip


def beta_vae(z_true: Factors, z_hat: Latents, *, sizes: tuple[int, int] = (10_000, 5_000), seed: int = 0) -> Score:
    """BetaVAE score: can a linear classifier tell which factor two batches share, from the difference of their latents?

    For each point, draw a factor k, 64 rows, and for each row a partner with the same class of k. The feature is the
    mean of |r_1 - r_2|, from which a logistic regression with its defaults predicts k. The score is blind to rotations
    that keep factors linearly readable from such differences: it is known to reach 1 too easily.

    Args:
        z_true: Factors, classes or numbers (cut into 20 bins).
        z_hat: Posterior means, same rows.
        sizes: Points to fit on and points to test on.
        seed: Seed for the points.

    Returns:
        Accuracy in [0, 1]; `matrix` holds the classifier's weights (none with a single factor), `per_factor` is empty.

    Raises:
        ValueError: As for `mcc`; also with a single factor.

    References:
        Higgins et al. 2017.
    """
    from sklearn.linear_model import LogisticRegression

    z_true, z_hat = checked(z_true, z_hat, "pearson")
    v, notes = classes(z_true)
    rng, K = np.random.default_rng(seed), v.shape[1]
    if K < 2:
        raise ValueError("The BetaVAE score tells factors apart, and there is only one; use another score.")
    points = []
    for count in sizes:
        features, truth = [], []
        for k, many in enumerate(rng.multinomial(count, np.full(K, 1 / K)).tolist()):
            first = rng.integers(0, len(v), (many, BATCH))
            partner = _partners(rng, v[:, k], first)
            for a, b in zip(*(np.array_split(i, -(-many // 1000) or 1) for i in (first, partner)), strict=True):
                features.append(np.abs(z_hat[a] - z_hat[b]).mean(1))
            truth.append(np.full(many, k))
        points.append((np.concatenate(features), np.concatenate(truth)))
    with noting() as slow:
        machine = LogisticRegression().fit(*points[0])
    weights = np.zeros((K, z_hat.shape[1]))
    weights[machine.classes_ if len(machine.classes_) > 2 else machine.classes_[1:]] = machine.coef_
    return score_of(np.array([machine.score(*points[1])]), weights, f"logistic regression, {sklearn_version()}",
                  (*notes, *_small_classes(v), *slow), "rotations that leave differences linearly readable",
                  f"about {1 / K:.2f}: one factor of {K}", per_factor=False)  # fmt: skip


def irs(
    z_true: Factors, z_hat: Latents, *, rows: int = 10_000, quantile: float = 0.99, seed: int = 0
) -> Score:  # fmt: skip
    """Interventional robustness score: does each latent stay where one factor puts it, whatever the others do?

        IRS_jk = 1 - mean_v q99 |r_j - E[r_j | v_k = v]| / max |r_j - E r_j|
        IRS = sum_j M_j max_k IRS_jk / sum_j M_j,   M_j = max |r_j - E r_j|

    The score is blind to several latents that follow the same factor, to a factor that no latent follows, and to any
    change of a latent that keeps its classes apart equally far. It is not blind to rotation. It is a statement about
    interventions only if the rows come from independent factors.

    Args:
        z_true: Factors, classes or numbers (cut into 20 bins; a "fixed" number still varies by a bin, so that even a
            perfect latent stays near 0.95).
        z_hat: Posterior means, same rows. Constant latents are left out.
        rows: Largest number of rows used.
        quantile: Of the distances within a class; 1 is the maximum, as in the paper. disentanglement_lib uses 0.99.
        seed: Seed for drawing the rows.

    Returns:
        Score in [0, 1], 0 if every latent is constant; `matrix` holds IRS_jk, `per_factor` is empty.

    Raises:
        ValueError: As for `mcc`.

    References:
        Suter et al. 2019, Robustly disentangled causal mechanisms.
    """
    z_true, z_hat = checked(z_true, z_hat, "pearson")
    chosen = drawn(len(z_true), rows, seed)
    v, notes = classes(z_true[chosen])
    r = z_hat[chosen].astype(float)
    furthest = np.where(is_constant(r, r), 0.0, np.abs(r - r.mean(0)).max(0))
    robust = np.zeros((v.shape[1], r.shape[1]))
    for k, codes in enumerate(v.T):
        within = [r[codes == c] for c in np.unique(codes)]
        apart = np.mean([np.quantile(np.abs(part - part.mean(0)), quantile, axis=0) for part in within], axis=0)
        robust[k] = np.where(furthest > 0, 1 - apart / np.where(furthest > 0, furthest, 1.0), 0.0)
    if not furthest.all():
        notes = (*notes, f"{int((furthest == 0).sum())} latents are constant and left out.")
    return score_of(robust.max(0), robust, f"{quantile:.0%} quantile of distances", notes,
                    "duplicated latents, and factors that no latent follows",
                    "not 0: the most distant row lies outside its class's quantile",
                    per_factor=False, weights=furthest / max(furthest.sum(), 1e-300))  # fmt: skip


def _sharing(rng: np.random.Generator, codes: np.ndarray, many: int) -> Int64[np.ndarray, "many b"]:
    """Return `many` batches of rows, each sharing the class of a row drawn at random."""
    return _partners(rng, codes, np.repeat(rng.integers(0, len(codes), (many, 1)), BATCH, 1))


def _partners(rng: np.random.Generator, codes: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Return for each row number a random row of the same class."""
    order, counts = np.argsort(codes, kind="stable"), np.bincount(codes)
    start = np.cumsum(counts) - counts
    return order[start[codes[of]] + (rng.random(of.shape) * counts[codes[of]]).astype(int)]


def _small_classes(v: np.ndarray) -> tuple[str, ...]:
    smallest = min(int(np.bincount(c)[np.bincount(c) > 0].min()) for c in v.T)
    note = f"The smallest class holds {smallest} rows, so its batches of {BATCH} repeat rows."
    return (note,) if smallest < BATCH else ()
