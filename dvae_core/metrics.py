"""How well latents match true factors: arrays in, `Score` out, each with what it is blind to and its reference lines.

A mean correlation coefficient (MCC) is easy to have: a random rotation of the truth scores 0.73 in five dimensions, and
an encoder that only copies u can reach 0.9. So every score here travels with what such shortcuts would score.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from dvae_core.axes import Auxiliary, Matrix

Method = Literal["pearson", "spearman"]

MIN_ROWS = 3  # two rows always correlate at +-1
FEW_ROWS = 30  # below it, independent columns correlate at 0.18 and more by luck
NEIGHBOURS = (5, 15, 45, 135)  # candidates for the k of `u_only`; each about three times the one before
SIGNIFICANCE = 0.01  # one-sided, of `u_only`'s held-out correlations
NAMED = 5  # constant columns listed by name in a note; the rest are counted

_BLIND = {
    "pearson": "order, sign, scale and offset of the latents; not to rotation",
    "spearman": "order, sign, and any monotone change of a latent; not to rotation",
}


@dataclass(frozen=True, eq=False)
class Score:
    """A number with what is needed to judge it.

    Attributes:
        value: The score.
        matrix: What it was computed from, d_z by d_hat: signed correlations, or standardised weights for `r2_affine`.
        matching: For each factor the index of its latent; -1 where none was left.
        signs: For each factor the sign of its correlation, +1 or -1; 0 where none was left.
        per_factor: Each factor's share; their mean is `value`.
        method: "pearson", "spearman" or "least squares".
        notes: Sentences about this very computation: dead latents, few rows, fits that did not converge.
        blind_to: What could change without changing the score.
        chance: What a random rotation of the truth scores, where that is the yardstick; otherwise a sentence.
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


class Interval(NamedTuple):
    """A bootstrap interval: the score itself, the mean over resamples, and the bounds at `level`."""

    value: float
    mean: float
    low: float
    high: float
    level: float


class Curve(NamedTuple):
    """A monotone curve by its corners, x ascending; `r2` is the share of variance it explains in its own sample."""

    x: np.ndarray
    y: np.ndarray
    is_increasing: bool
    r2: float


def mcc(
    z_true: Float[np.ndarray, "n d_z"], z_hat: Float[np.ndarray, "n d_hat"], *, method: Method = "pearson"
) -> Score:
    """Mean correlation coefficient between true factors and recovered latents.

        MCC = max over assignments pi of mean_i |corr(z_true_i, z_hat_pi(i))|

    Blind to order, sign, scale and offset of the latents; not to rotation. Chance is high: independent factors of equal
    variance rotated at random score 0.90 (d=2), 0.73 (d=5), 0.60 (d=10); see `rotation_mcc`. Where u moves the means,
    copying u scores high too; see `u_only` and `mcc_within_u`.

    Args:
        z_true: Ground-truth factors. Need not be standardised.
        z_hat: Recovered latents, same rows. With more latents than factors the best d_z are taken; with fewer, the
            factors left over count 0.
        method: "pearson" (linear) or "spearman" (monotone).

    Returns:
        Score in [0, 1]; `matrix` holds the signed correlations, d_z by d_hat.

    Raises:
        ValueError: If row counts differ, rows are too few, a value is not finite, or a factor is constant (its
            correlation is undefined). A constant latent (dead) scores 0 and is named in `Score.notes`.

    References:
        Hyvarinen & Morioka 2016 (TCL); Khemakhem et al. 2020 (iVAE), section 5.

    Example:
        >>> z = np.random.default_rng(0).standard_normal((100, 2))
        >>> round(mcc(z, -2 * z[:, [1, 0]] + 3).value, 6)
        1.0
    """
    z_true, z_hat = _checked(z_true, z_hat, method)
    return _matched(z_true, z_hat, method)


def mcc_within_u(
    z_true: Float[np.ndarray, "n d_z"],
    z_hat: Float[np.ndarray, "n d_hat"],
    u: Int[np.ndarray, " n"],
    *,
    method: Method = "pearson",
) -> Score:
    """MCC of what is left when both sides lose their mean given u, so that copying u earns nothing.

        mcc(z_true - mean(z_true | u), z_hat - mean(z_hat | u))

    The matching is made anew on the residuals. Labels with large within-u variance weigh most (residuals are pooled,
    not standardised per label). Blind to what u explains, besides what `mcc` is blind to.

    Args:
        z_true: Ground-truth factors.
        z_hat: Recovered latents, same rows.
        u: Label codes, same rows. Rows that are alone with their label have no residual and are left out.
        method: "pearson" or "spearman" (of the residuals).

    Returns:
        Score in [0, 1]. A latent that is a function of u has no residual: it scores 0 and is named in the notes.

    Raises:
        ValueError: As `mcc`; also if every label has a single row, or a factor is constant within every label.
    """
    z_true, z_hat = _checked(z_true, z_hat, method, allow_constant=True)
    if len(u) != len(z_true):
        raise ValueError(
            f"u must have the {len(z_true):,} rows of z_true; got {len(u):,}. Pass the u of the same rows."
        )
    _, codes, counts = np.unique(u, return_inverse=True, return_counts=True)
    keep = counts[codes] > 1
    if keep.sum() < MIN_ROWS:
        raise ValueError(
            f"Within-u correlations need labels that repeat; {len(counts):,} labels on {len(u):,} rows leave "
            f"{keep.sum()} rows that share theirs. Use coarser labels."
        )
    true, hat = (_less_group_means(z[keep], codes[keep]) for z in (z_true, z_hat))
    # A residual is nought relative to the column it was left by, not to itself: rounding would correlate.
    if (nought := _is_constant(true, z_true[keep])).any():
        i = int(np.flatnonzero(nought)[0])
        raise ValueError(
            f"Factor {i + 1} of {z_true.shape[1]} is constant within every label of u, so nothing of it is left to "
            "match; leave it out, or use mcc."
        )
    hat[:, _is_constant(hat, z_hat[keep])] = 0.0
    score = _matched(true, hat, method, dead="a function of u")
    alone = int((~keep).sum())
    notes = (*score.notes, f"{alone:,} rows were alone with their label and left out.") if alone else score.notes
    return replace(score, notes=notes, blind_to=f"what u explains; {score.blind_to}")


def u_only(
    z_true_train: Float[np.ndarray, "n d_z"],
    u_train: Auxiliary,
    z_true_test: Float[np.ndarray, "m d_z"],
    u_test: Shaped[np.ndarray, "m ..."],
    *,
    method: Method = "pearson",
) -> Score:
    """MCC of the best code that knows u and nothing of x: the true factors' regression on u, scored held-out.

    Labels: the mean per label (a label unseen in training gets the overall mean). Numbers: k nearest neighbours in
    standardised u, k of 5, 15, 45, 135 chosen per factor by cross-validation on the training rows in 20 contiguous
    blocks; the k's are in the notes. Spearman regresses ranks. A factor counts only if prediction and truth correlate
    positively held-out (one-sided p < 0.01), so that a u that moves no mean scores 0, not the noise of |corr|.

    Args:
        z_true_train: Factors the regression is fitted on.
        u_train: Labels `[n]` (integers) or numbers `[n]` or `[n d_u]`, same rows.
        z_true_test: Held-out factors.
        u_test: Their u.
        method: "pearson" or "spearman".

    Returns:
        Score in [0, 1]. Each factor is compared with its own prediction; `matrix` has all pairs.

    Raises:
        ValueError: If rows or kinds of u disagree, a value is not finite, or a factor is constant.
    """
    z_train, _ = _checked(z_true_train, z_true_train, method, allow_constant=True)
    z_test, _ = _checked(z_true_test, z_true_test, method)
    u_train, u_test = _same_kind(u_train, u_test, len(z_train), len(z_test))
    target = _ranks(z_train) / len(z_train) if method == "spearman" else z_train
    if u_train.ndim == 1:
        guess, note = _label_means(target, u_train, u_test)
    else:
        guess, note = _neighbour_means(target, u_train, u_test)
    matrix, _ = _correlations(z_test, guess, method)
    own = np.diag(matrix)
    counted = np.where(_p_value(own, len(z_test)) < SIGNIFICANCE, own, 0.0)
    nothing = [f"{i + 1}" for i in np.flatnonzero(counted == 0)]
    if len(nothing) == len(own):
        note += " u moves the mean of no factor, as far as the held-out rows can tell: 0 by definition."
    elif nothing:
        note += f" u does not move the mean of factor {', '.join(nothing)}: counted 0."
    return Score(
        value=float(counted.mean()),
        matrix=matrix,
        matching=tuple(range(len(own))),
        signs=tuple(int(v > 0) for v in counted),
        per_factor=tuple(counted.tolist()),
        method=method,
        notes=(note,),
        blind_to="everything but the mean of the factors given u",
        chance="itself a reference line: no x is needed to reach it",
    )


def r2_affine(z_true: Float[np.ndarray, "n d_z"], z_hat: Float[np.ndarray, "n d_hat"]) -> Score:
    """R^2 of the best affine map from latents to factors: tells "right up to affine" from "right up to permutation".

        R^2_i = 1 - sum (z_true_i - A z_hat - c)^2 / sum (z_true_i - mean)^2, averaged over factors

    Fitted by least squares on rows 1, 3, 5, ... and scored on rows 2, 4, 6, ... (in a time series these are neighbours;
    the few coefficients keep that harmless). Blind to any invertible affine map of the latents, rotation included.

    Args:
        z_true: Ground-truth factors.
        z_hat: Recovered latents, same rows.

    Returns:
        Score up to 1, negative where the map does worse than the mean; `matrix` holds the weights in standardised
        units, `matching` each factor's heaviest latent.

    Raises:
        ValueError: As `mcc`; also with fewer than 2 (d_hat + 2) rows.
    """
    z_true, z_hat = _checked(z_true, z_hat, "pearson")
    n, d_hat = z_hat.shape
    if n < 2 * (d_hat + 2):
        raise ValueError(
            f"An affine map of {d_hat} latents needs at least {2 * (d_hat + 2)} rows; got {n}. Score more rows."
        )
    dead = _is_constant(z_hat, z_hat)
    true, hat = _standardise(z_true), _standardise(z_hat)
    design = np.column_stack([hat, np.ones(n)])
    weights = np.linalg.lstsq(design[::2], true[::2], rcond=None)[0]  # [d_hat + 1, d_z]
    error = true[1::2] - design[1::2] @ weights
    spread = true[1::2] - true[::2].mean(0)
    r2 = 1 - (error**2).sum(0) / np.maximum((spread**2).sum(0), np.finfo(float).tiny)
    matrix = weights[:-1].T
    heaviest = np.abs(matrix).argmax(1)
    signs = np.sign(matrix[np.arange(len(matrix)), heaviest]).astype(int)
    return Score(
        value=float(r2.mean()),
        matrix=matrix,
        matching=tuple(heaviest.tolist()),
        signs=tuple(signs.tolist()),
        per_factor=tuple(r2.tolist()),
        method="least squares",
        notes=_notes(n, dead, "constant"),
        blind_to="any invertible affine map of the latents, rotation included",
        chance="0 for latents that know nothing of the factors; 1 for any rotation of the truth",
    )


def floors(
    x_train: Matrix,
    x_test: Float[np.ndarray, "m d"],
    z_train: Float[np.ndarray, "n d_z"],
    z_test: Float[np.ndarray, "m d_z"],
    u_train: Auxiliary | None,
    u_test: Shaped[np.ndarray, "m ..."] | None,
    *,
    method: Method = "pearson",
) -> dict[str, Score | None]:
    """Held-out MCC of what needs no model: the lines a model has to beat.

    Args:
        x_train: Data that PCA and FastICA are fitted on.
        x_test: Held-out data.
        z_train: Factors of the training rows; only `u_only` is fitted on them.
        z_test: Factors of the held-out rows.
        u_train: Auxiliary variable of the training rows, or None.
        u_test: Auxiliary variable of the held-out rows, or None.
        method: "pearson" or "spearman".

    Returns:
        Scores by name. `raw_x`: columns of x as they are. `pca`: the first d_z principal components. `fastica`: FastICA
        of these (log cosh, seed 0, 1,000 iterations); not converging is a note. `u_only`: None without u.
        `random_rotation`: the mean over random rotations of white factors.

    Raises:
        ValueError: If row counts disagree, a value is not finite, or a factor is constant.
    """
    z_test = _checked(z_test, z_test, method)[0]
    for name, x, z in (("x_train", x_train, z_train), ("x_test", x_test, z_test)):
        if len(x) != len(z):
            raise ValueError(f"{name} has {len(x):,} rows and its factors have {len(z):,}; pass the same rows of both.")
        if not np.isfinite(x).all():
            raise ValueError(f"{name} has values that are not finite; remove those rows.")
    x_train, x_test = np.asarray(x_train, float), np.asarray(x_test, float)
    d = z_test.shape[1]
    pca_train, pca_test = _principal_components(x_train, x_test, d)
    ica_test, ica_notes = _independent_components(pca_train, pca_test)
    fastica = _matched(z_test, ica_test, method)
    scores: dict[str, Score | None] = {
        "raw_x": _matched(z_test, x_test, method, what="column"),
        "pca": _matched(z_test, pca_test, method),
        "fastica": replace(fastica, notes=(*fastica.notes, *ica_notes)),
        "u_only": None,
        "random_rotation": _rotation_score(d),
    }
    if u_train is not None and u_test is not None:
        scores["u_only"] = u_only(z_train, u_train, z_test, u_test, method=method)
    return scores


@lru_cache(maxsize=256)
def rotation_mcc(d: int) -> float:
    """Mean MCC of random rotations of d white factors: 0.90 / 0.83 / 0.73 / 0.60 / 0.47 for d = 2 / 3 / 5 / 10 / 20.

    For white z, corr(z_i, (M z)_j) = M_ji, so orthogonal matrices are drawn (uniformly, fixed seed) and no samples. The
    number of draws falls from 2,000 to 20 as d grows; the standard error stays below 0.003.

    Raises:
        ValueError: If d is below 1.
    """
    if d < 1:
        raise ValueError(f"The number of factors must be 1 or more; got {d}.")
    rng = np.random.default_rng(0)
    draws = int(np.clip(20_000 // d**2, 20, 2000))
    return float(np.mean([_assign(np.abs(_orthogonal(d, rng)))[1].mean() for _ in range(draws)]))


@lru_cache(maxsize=256)
def independent_mcc(d: int, n: int) -> float:
    """Mean MCC of d latents that are independent of the d factors, on n rows: 0.14 / 0.04 for d = 5, n = 100 / 1,000.

    Correlations of independent columns are drawn from their large-sample law N(0, 1/(n - 1)), 200 times, fixed seed.

    Raises:
        ValueError: If d is below 1 or n below 3.
    """
    if d < 1 or n < MIN_ROWS:
        raise ValueError(f"At least 1 factor and {MIN_ROWS} rows are needed; got {d} and {n}.")
    rng = np.random.default_rng(0)
    draws = np.minimum(np.abs(rng.standard_normal((200, d, d))) / np.sqrt(n - 1), 1.0)
    return float(np.mean([_assign(c)[1].mean() for c in draws]))


def mcc_interval(
    z_true: Float[np.ndarray, "n d_z"],
    z_hat: Float[np.ndarray, "n d_hat"],
    *,
    method: Method = "pearson",
    n_boot: int = 200,
    seed: int = 0,
    level: float = 0.95,
    block: int = 1,
) -> Interval:
    """Bootstrap interval of `mcc`: rows are drawn with replacement and the matching is redone each time.

    Says how much the score hangs on these rows, not how much it varies over seeds of the model. Assumes independent
    rows; in a time series draw blocks longer than its memory, or the interval is too narrow.

    Args:
        z_true: Ground-truth factors.
        z_hat: Recovered latents, same rows.
        method: "pearson" or "spearman".
        n_boot: Number of resamples.
        seed: Of the resampling.
        level: Coverage aimed at (percentile interval).
        block: Rows drawn together, in their order; 1 for independent rows.

    Returns:
        The score, the mean over resamples, and the bounds.

    Raises:
        ValueError: As `mcc`; also for a level outside (0, 1), no resamples, or a block longer than the data.
    """
    z_true, z_hat = _checked(z_true, z_hat, method)
    n = len(z_true)
    if not 0 < level < 1:
        raise ValueError(f"The level must lie between 0 and 1, such as 0.95; got {level}.")
    if n_boot < 1 or not 1 <= block <= n:
        raise ValueError(f"n_boot must be 1 or more and block 1 to {n}; got {n_boot} and {block}.")
    value = _matched(z_true, z_hat, method).value
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(n_boot):
        starts = rng.integers(0, n, -(-n // block))
        rows = ((starts[:, None] + np.arange(block)) % n).ravel()[:n]  # blocks wrap round the end
        matrix, _ = _correlations(z_true[rows], z_hat[rows], method)
        values.append(_assign(np.abs(matrix))[1].sum() / z_true.shape[1])
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(np.mean(values)), float(low), float(high), level)


def align(
    z_true: Float[np.ndarray, "n d_z"], z_hat: Float[np.ndarray, "n d_hat"], *, method: Method = "pearson"
) -> Float[np.ndarray, "n d_z"]:
    """Return the latents in the factors' order and sign, with mean 0 and standard deviation 1.

    Args:
        z_true: Ground-truth factors.
        z_hat: Recovered latents, same rows.
        method: How they are matched, see `mcc`.

    Returns:
        One column a factor; a factor without a latent (d_hat < d_z) has NaN, a dead latent 0.

    Raises:
        ValueError: As `mcc`.
    """
    score = mcc(z_true, z_hat, method=method)
    hat = _standardise(np.asarray(z_hat, float))
    out = np.full(np.shape(z_true), np.nan)
    for i, (k, sign) in enumerate(zip(score.matching, score.signs, strict=True)):
        if k >= 0:
            out[:, i] = hat[:, k] * sign
    return out


def monotone_fit(z_hat: Float[np.ndarray, " n"], z_true: Float[np.ndarray, " n"]) -> Curve:
    """Fit the best monotone curve from one latent to one factor: the pointwise nonlinearity the theorem leaves free.

    Isotonic regression (least squares) in both directions; the better one is kept. Fitted and judged on the same rows,
    so `r2` flatters a little, the more the fewer the rows.

    Args:
        z_hat: One recovered latent.
        z_true: One factor, same rows.

    Returns:
        The curve's corners; straight lines between them.

    Raises:
        ValueError: If lengths differ, rows are too few, a value is not finite, or the factor is constant.
    """
    from sklearn.isotonic import IsotonicRegression

    true, hat = _checked(np.reshape(z_true, (-1, 1)), np.reshape(z_hat, (-1, 1)), "pearson")
    y, x = true[:, 0], hat[:, 0]
    curves = []
    for is_increasing in (True, False):
        fit = IsotonicRegression(increasing=is_increasing).fit(x, y)
        r2 = 1 - np.square(y - fit.predict(x)).mean() / y.var()
        curves.append(Curve(fit.X_thresholds_, fit.y_thresholds_, is_increasing, float(r2)))
    return max(curves, key=lambda curve: curve.r2)


# --- correlations and matching ----------------------------------------------------------------------------------------


def _checked(
    z_true: np.ndarray, z_hat: np.ndarray, method: str, *, allow_constant: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return both as they are (checked) if they can be scored, or say why not."""
    if method not in _BLIND:
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
    constant = np.flatnonzero(_is_constant(z_true, z_true))
    if len(constant) and not allow_constant:
        raise ValueError(
            f"Factor {constant[0] + 1} of {z_true.shape[1]} is constant on these rows, so its correlation is "
            "undefined; leave it out or use more rows."
        )
    return z_true, z_hat


def _is_constant(z: np.ndarray, original: np.ndarray) -> np.ndarray:
    """Whether each column's range is nought up to rounding in `original`, which z may be a residual of."""
    eps = np.finfo(original.dtype if original.dtype.kind == "f" else float).eps
    return np.ptp(z, axis=0) <= 16 * eps * np.abs(original).max(0)


def _standardise(z: np.ndarray) -> np.ndarray:
    """Return float64 columns with mean 0 and standard deviation 1; constant ones become exactly 0."""
    constant = _is_constant(z, z)
    centred = z.astype(float) - z.mean(0, dtype=float)
    centred[:, constant] = 0.0
    largest = np.abs(centred).max(0)
    centred /= np.where(largest > 0, largest, 1.0)  # first to [-1, 1], so that no square over- or underflows
    std = centred.std(0)
    return centred / np.where(std > 0, std, 1.0)


def _ranks(z: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    return rankdata(z, axis=0)


def _correlations(z_true: np.ndarray, z_hat: np.ndarray, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the signed correlations [d_z, d_hat] (0 for constant columns) and which latents are constant."""
    dead = _is_constant(z_hat, z_hat)
    if method == "spearman":
        z_true, z_hat = _ranks(z_true), np.where(dead, 0.0, _ranks(z_hat))
    matrix = _standardise(z_true).T @ _standardise(z_hat) / len(z_true)
    return np.clip(matrix, -1.0, 1.0), dead


def _assign(strength: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return per factor the latent of the best assignment (-1 where none is left) and its strength (0 there)."""
    from scipy.optimize import linear_sum_assignment

    factors, latents = linear_sum_assignment(strength, maximize=True)
    matching = np.full(len(strength), -1)
    matching[factors] = latents
    return matching, np.where(matching >= 0, strength[np.arange(len(strength)), matching], 0.0)


def _matched(
    z_true: np.ndarray, z_hat: np.ndarray, method: str, *, what: str = "latent", dead: str = "constant"
) -> Score:
    matrix, is_dead = _correlations(z_true, z_hat, method)
    matching, strength = _assign(np.abs(matrix))
    taken = matrix[np.arange(len(matrix)), matching]
    signs = np.where(matching >= 0, np.where(taken < 0, -1, 1), 0)
    notes = _notes(len(z_true), is_dead, dead, what)
    left = np.flatnonzero(matching < 0)
    if len(left):
        names = ", ".join(str(i + 1) for i in left)
        notes = (
            *notes,
            f"{z_hat.shape[1]} {what}s for {z_true.shape[1]} factors: factor {names} has none and counts 0.",
        )
    return Score(
        value=float(strength.mean()),
        matrix=matrix,
        matching=tuple(matching.tolist()),
        signs=tuple(signs.tolist()),
        per_factor=tuple(strength.tolist()),
        method=method,
        notes=notes,
        blind_to=_BLIND[method],
        chance=rotation_mcc(z_true.shape[1]),
    )


def _notes(n: int, is_dead: np.ndarray, dead: str, what: str = "latent") -> tuple[str, ...]:
    notes = []
    if n < FEW_ROWS:
        notes.append(f"Only {n} rows: independent columns correlate at about {1 / np.sqrt(n):.2f} by luck.")
    gone = np.flatnonzero(is_dead)
    if len(gone):
        names = ", ".join(str(k + 1) for k in gone[:NAMED])
        more = f" and {len(gone) - NAMED:,} more" if len(gone) > NAMED else ""
        is_are, its = ("is", "its correlation counts") if len(gone) == 1 else ("are", "their correlations count")
        notes.append(f"{what.capitalize()} {names}{more} {is_are} {dead}: {its} 0.")
    return tuple(notes)


def _orthogonal(d: int, rng: np.random.Generator) -> np.ndarray:
    """Draw an orthogonal matrix uniformly: QR of a Gaussian matrix, the diagonal of R made positive."""
    q, r = np.linalg.qr(rng.standard_normal((d, d)))
    return q * np.sign(np.diag(r))


def _rotation_score(d: int) -> Score:
    value = rotation_mcc(d)
    rotation = _orthogonal(d, np.random.default_rng(0))
    matching, _ = _assign(np.abs(rotation))
    return Score(
        value=value,
        matrix=rotation,
        matching=tuple(matching.tolist()),
        signs=tuple(np.where(rotation[np.arange(d), matching] < 0, -1, 1).tolist()),
        per_factor=(value,) * d,
        method="pearson",
        notes=("Mean over random rotations; the matrix is one of them.",),
        blind_to="everything but rotation",
        chance=value,
    )


# --- what u alone can do ----------------------------------------------------------------------------------------------


def _less_group_means(z: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return z less its mean per code (0..K-1)."""
    counts, residual = np.bincount(codes), z.astype(float)
    for _ in range(2):  # the second pass takes what the first left by rounding: a copy of u becomes exactly 0
        sums = np.zeros((len(counts), z.shape[1]))
        np.add.at(sums, codes, residual)
        residual = residual - (sums / np.maximum(counts, 1)[:, None])[codes]
    return residual


def _same_kind(u_train: np.ndarray, u_test: np.ndarray, n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Return u as integer codes [n] or as standardised float columns [n, d_u], train and test alike."""
    u_train, u_test = np.asarray(u_train), np.asarray(u_test)
    for name, u, rows in (("u_train", u_train, n), ("u_test", u_test, m)):
        if len(u) != rows:
            raise ValueError(f"{name} must have the {rows:,} rows of its factors; got {len(u):,}.")
        if u.dtype.kind not in "fiub" or not np.isfinite(u).all():
            raise ValueError(
                f"{name} must hold finite numbers or integer codes; got {u.dtype} with values that are not."
            )
    if u_train.ndim == 1 and u_train.dtype.kind in "iub" and u_test.ndim == 1 and u_test.dtype.kind in "iub":
        return u_train, u_test
    u_train, u_test = u_train.reshape(n, -1).astype(float), u_test.reshape(m, -1).astype(float)
    if u_train.shape[1] != u_test.shape[1] or not u_train.shape[1]:
        raise ValueError(
            f"u_train and u_test must have the same columns; got {u_train.shape[1]} and {u_test.shape[1]}."
        )
    scale = u_train.std(0)
    scale[scale == 0] = 1.0
    return (u_train - u_train.mean(0)) / scale, (u_test - u_train.mean(0)) / scale


def _label_means(z: np.ndarray, u_train: np.ndarray, u_test: np.ndarray) -> tuple[np.ndarray, str]:
    labels, codes, counts = np.unique(u_train, return_inverse=True, return_counts=True)
    sums = np.zeros((len(labels), z.shape[1]))
    np.add.at(sums, codes, z.astype(float))
    at = np.searchsorted(labels, u_test).clip(max=len(labels) - 1)
    known = labels[at] == u_test
    guess = np.where(known[:, None], (sums / counts[:, None])[at], z.mean(0, dtype=float))
    note = f"Mean of each factor per label of u ({len(labels)} labels)."
    return guess, note if known.all() else f"{note} {(~known).sum():,} rows have a label unseen in training."


def _neighbour_means(z: np.ndarray, u_train: np.ndarray, u_test: np.ndarray) -> tuple[np.ndarray, str]:
    """Predict by the mean over the k nearest u, k per factor with the least squared error in five-fold validation."""
    n = len(z)
    fold = np.arange(n) * 20 // n % 5  # blocks of neighbours in time stay together
    candidates = [k for k in NEIGHBOURS if k <= n * 3 // 4] or [1]
    errors = np.zeros((len(candidates), z.shape[1]))
    for f in range(5):
        inside, outside = fold != f, fold == f
        if outside.any() and inside.sum() >= candidates[-1]:
            guesses = _k_means(z[inside], u_train[inside], u_train[outside], candidates)
            errors += ((guesses - z[outside]) ** 2).sum(1)
    best = errors.argmin(0)
    guesses = _k_means(z, u_train, u_test, candidates)
    chosen = ", ".join(str(candidates[b]) for b in best)
    note = f"Mean over the k nearest training rows in standardised u, k by cross-validation per factor: {chosen}."
    return guesses[best, :, np.arange(z.shape[1])].T, note


def _k_means(z: np.ndarray, u_from: np.ndarray, u_at: np.ndarray, candidates: Sequence[int]) -> np.ndarray:
    """Return the mean of z over the k nearest rows for every k, [k, rows, d_z], from one search."""
    from sklearn.neighbors import NearestNeighbors

    near = NearestNeighbors(n_neighbors=candidates[-1]).fit(u_from).kneighbors(u_at, return_distance=False)
    sums, out = np.zeros((len(u_at), z.shape[1])), []
    for start, stop in zip((0, *candidates), candidates, strict=False):
        sums = sums + z[near[:, start:stop]].sum(1)
        out.append(sums / stop)
    return np.stack(out)


def _p_value(correlation: np.ndarray, n: int) -> np.ndarray:
    """One-sided p of a correlation above 0 on n independent rows (t test)."""
    from scipy.stats import t

    r = np.clip(correlation, -1 + 1e-12, 1 - 1e-12)
    return t.sf(r * np.sqrt((n - 2) / (1 - r**2)), n - 2)


# --- what needs no u either -------------------------------------------------------------------------------------------


def _principal_components(train: np.ndarray, test: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the scores of the first d components (fewer if x has fewer), scaled to variance 1 in training."""
    from sklearn.decomposition import PCA

    pca = PCA(n_components=min(d, *train.shape), random_state=0).fit(train)
    # Below 1e-12 of the largest variance there is only rounding, and dividing by it would look like a signal.
    alive = pca.explained_variance_ > 1e-12 * max(pca.explained_variance_[0], np.finfo(float).tiny)
    scale = np.sqrt(np.where(alive, pca.explained_variance_, 1.0))
    return pca.transform(train)[:, alive] / scale[alive], pca.transform(test)[:, alive] / scale[alive]


def _independent_components(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Rotate white scores to independence; a note says so where FastICA did not converge."""
    from sklearn.decomposition import FastICA
    from sklearn.exceptions import ConvergenceWarning

    if train.shape[1] < 2:
        return test, ("One component: nothing to rotate, so FastICA equals PCA.",)
    ica = FastICA(whiten="unit-variance", random_state=0, max_iter=1000)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        codes = ica.fit(train).transform(test)
    failed = False
    for warning in caught:
        if issubclass(warning.category, ConvergenceWarning):
            failed = True
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return codes, (
        "FastICA did not converge in 1,000 iterations; its score is that of the last one.",
    ) if failed else ()
