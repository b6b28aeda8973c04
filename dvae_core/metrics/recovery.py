"""How well latents match true factors, and the order, signs and curves that relate them."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from dvae_core.axes import means_by_code
from dvae_core.metrics.matching import assign, matched, notes_on
from dvae_core.metrics.memory import independent_step, resampled_rows, too_few
from dvae_core.metrics.score import MIN_ROWS, Method, Score, checked, is_constant, standardise


def mcc(
    z_true: Float[np.ndarray, "n d_z"], z_hat: Float[np.ndarray, "n d_hat"], *, method: Method = "pearson"
) -> Score:
    """Mean correlation coefficient between true factors and recovered latents.

        MCC = max over assignments pi of mean_i |corr(z_true_i, z_hat_pi(i))|

    MCC is blind to order, sign, scale and offset of the latents, but not to rotation. Its chance level is high:
    independent factors of equal variance rotated at random score 0.90 (d=2), 0.73 (d=5), 0.60 (d=10); see
    `rotation_mcc`. If u changes the means, copying u also scores high; see `u_only` and `mcc_within_u`.

    Args:
        z_true: Ground-truth factors. Need not be standardised.
        z_hat: Recovered latents, same rows. With more latents than factors the best d_z are used; with fewer, the
            remaining factors count as 0.
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
    z_true, z_hat = checked(z_true, z_hat, method)
    return matched(z_true, z_hat, method)


def mcc_within_u(
    z_true: Float[np.ndarray, "n d_z"],
    z_hat: Float[np.ndarray, "n d_hat"],
    u: Int[np.ndarray, " n"],
    *,
    method: Method = "pearson",
) -> Score:
    """MCC after subtracting from both sides their mean given u, so that copying u scores nothing.

        mcc(z_true - mean(z_true | u), z_hat - mean(z_hat | u))

    The matching is recomputed on the residuals. Labels with large within-u variance weigh most, because residuals are
    pooled and not standardised per label. The score has the blind spots of `mcc` and is also blind to what u explains.

    Args:
        z_true: Ground-truth factors.
        z_hat: Recovered latents, same rows.
        u: Label codes, same rows. The only row of a label has no residual and is left out.
        method: "pearson" or "spearman" (of the residuals).

    Returns:
        Score in [0, 1]. A latent that is a function of u has no residual: it scores 0 and is named in the notes.

    Raises:
        ValueError: As for `mcc`; also if every label has a single row, or a factor is constant within every label.
    """
    z_true, z_hat = checked(z_true, z_hat, method, allow_constant=True)
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
    # Whether a residual is zero is judged relative to the original column: rounding errors would otherwise correlate.
    if (nought := is_constant(true, z_true[keep])).any():
        i = int(np.flatnonzero(nought)[0])
        raise ValueError(
            f"Factor {i + 1} of {z_true.shape[1]} is constant within every label of u, so nothing of it is left to "
            "match; leave it out, or use mcc."
        )
    hat[:, is_constant(hat, z_hat[keep])] = 0.0
    score = matched(true, hat, method, dead="a function of u")
    alone = int((~keep).sum())
    notes = (*score.notes, f"{alone:,} rows were alone with their label and left out.") if alone else score.notes
    return replace(score, notes=notes, blind_to=f"what u explains; {score.blind_to}")


def _less_group_means(z: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return z less its mean per code (0..K-1)."""
    residual = z.astype(float)
    for _ in range(2):  # the second pass removes the rounding error of the first, so that a copy of u becomes exactly 0
        residual = residual - means_by_code(residual, codes)[codes]
    return residual


def r2_affine(z_true: Float[np.ndarray, "n d_z"], z_hat: Float[np.ndarray, "n d_hat"]) -> Score:
    """R^2 of the best affine map from latents to factors: tells "right up to affine" from "right up to permutation".

        R^2_i = 1 - sum (z_true_i - A z_hat - c)^2 / sum (z_true_i - mean)^2, averaged over factors

    The map is fitted by least squares on rows 1, 3, 5, ... and scored on rows 2, 4, 6, ... (In a time series these are
    neighbours, which is harmless because there are few coefficients.) The score is blind to any invertible affine map
    of the latents, including rotation.

    Args:
        z_true: Ground-truth factors.
        z_hat: Recovered latents, same rows.

    Returns:
        Score up to 1, negative if the map does worse than the mean; `matrix` holds the weights in standardised
        units, `matching` each factor's heaviest latent.

    Raises:
        ValueError: As for `mcc`; also with fewer than 2 (d_hat + 2) rows.
    """
    z_true, z_hat = checked(z_true, z_hat, "pearson")
    n, d_hat = z_hat.shape
    if n < 2 * (d_hat + 2):
        raise ValueError(
            f"An affine map of {d_hat} latents needs at least {2 * (d_hat + 2)} rows; got {n}. Score more rows."
        )
    dead = is_constant(z_hat, z_hat)
    true, hat = standardise(z_true), standardise(z_hat)
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
        notes=notes_on(n, dead, "constant"),
        blind_to="any invertible affine map of the latents, rotation included",
        chance="0 for latents that know nothing of the factors; 1 for any rotation of the truth",
    )


class Interval(NamedTuple):
    """A bootstrap interval: the score itself, the mean over resamples, and the bounds at `level`.

    Without enough independent rows, the mean and the bounds are NaN, and `note` says so.
    """

    value: float
    mean: float
    low: float
    high: float
    level: float
    note: str = ""


def mcc_interval(
    z_true: Float[np.ndarray, "n d_z"],
    z_hat: Float[np.ndarray, "n d_hat"],
    *,
    method: Method = "pearson",
    n_boot: int = 200,
    seed: int = 0,
    level: float = 0.95,
    memory: float | int = 1.0,
) -> Interval:
    """Bootstrap interval of `mcc`: rows are drawn with replacement and the matching is redone each time.

        tanh( artanh(score) +- t sd ),   sd of artanh over resamples, t of Student's law (blocks - 1 degrees of freedom)

    The interval shows how much the score depends on these rows, not how much it varies over seeds of the model. Rows of
    a time series are drawn in blocks of three autocorrelation times. Nominal 95 % intervals cover 94 %, both with
    independent rows and with a memory of 70 rows out of 5,000 (`benchmarks/intervals.py`).

    Args:
        z_true: Ground-truth factors.
        z_hat: Recovered latents, same rows.
        method: "pearson" or "spearman".
        n_boot: Number of resamples.
        seed: Seed for the resampling.
        level: Nominal coverage.
        memory: Autocorrelation time of the rows, see `autocorrelation_time`; 1 for independent rows.

    Returns:
        The score, the mean over resamples, and the bounds. NaN and a note with fewer than 25 independent stretches.

    Raises:
        ValueError: As for `mcc`; also for a level outside (0, 1), fewer than two resamples, or a memory below 1.
    """
    from scipy.stats import t

    z_true, z_hat = checked(z_true, z_hat, method)
    n = len(z_true)
    if not 0 < level < 1:
        raise ValueError(f"The level must lie between 0 and 1, such as 0.95; got {level}.")
    if n_boot < 2 or memory < 1:
        raise ValueError(f"n_boot must be 2 or more and memory 1 or more; got {n_boot} and {memory}.")
    value = matched(z_true, z_hat, method).value
    drawn = resampled_rows(n, memory, n_boot, np.random.default_rng(seed))
    if drawn is None:
        nan = float("nan")
        return Interval(value, nan, nan, nan, level, too_few(n, memory))
    resampled = resampled_correlations(z_true, z_hat, method)
    values = [assign(np.abs(resampled(rows)))[1].sum() / z_true.shape[1] for rows in drawn]
    limit = 1 - 1e-12  # artanh is finite below it
    centre, spread = np.arctanh(min(value, limit)), np.arctanh(np.minimum(values, limit)).std(ddof=1)
    reach = t.ppf((1 + level) / 2, max(n / independent_step(memory, 3) - 1, 1)) * spread
    low, high = np.tanh([centre - reach, centre + reach])
    return Interval(value, float(np.mean(values)), max(float(low), 0.0), float(high), level)


def resampled_correlations(
    z_true: np.ndarray, z_hat: np.ndarray, method: Method
) -> Callable[[Int[np.ndarray, " n"]], Float[np.ndarray, "d_z d_hat"]]:
    """Return a function that gives the correlations of resampled rows, from how often each row was drawn.

    It equals `correlations(z_true[rows], z_hat[rows])` up to rounding, without sorting each resample again.
    """
    n, d = z_true.shape
    columns = np.ascontiguousarray(np.hstack([standardise(z_true), standardise(z_hat)]).T)
    squares = columns**2
    codes = np.stack([np.unique(column, return_inverse=True)[1] for column in columns])
    flat = codes + n * np.arange(len(codes))[:, None]

    def of(rows: np.ndarray) -> np.ndarray:
        weight = np.bincount(rows, minlength=n) / n
        values, squared = columns, squares
        if method == "spearman":
            times = np.bincount(flat.ravel(), np.tile(weight, len(codes)), flat.size).reshape(codes.shape)
            middle = np.cumsum(times, 1) - 0.5 * times - 0.5  # mean rank of each value, over n, less its mean
            values = middle.ravel()[flat]
            squared = values**2
        mean = values @ weight
        std = np.sqrt(np.maximum(squared @ weight - mean**2, 0.0))
        alive = std > 1e-6 * np.sqrt(squared.max(1))  # in this resample a column may be constant
        scale = np.where(alive, 1 / np.where(alive, std, 1.0), 0.0)
        together = (values[:d] * weight) @ values[d:].T - np.outer(mean[:d], mean[d:])
        return np.clip(together * np.outer(scale[:d], scale[d:]), -1.0, 1.0)

    return of


def align(
    z_true: Float[np.ndarray, "n d_z"], z_hat: Float[np.ndarray, "n d_hat"], *, method: Method = "pearson"
) -> Float[np.ndarray, "n d_z"]:
    """Return the latents in the factors' order and sign, with mean 0 and standard deviation 1.

    Args:
        z_true: Ground-truth factors.
        z_hat: Recovered latents, same rows.
        method: The correlation by which they are matched, see `mcc`.

    Returns:
        One column per factor. A factor without a latent (d_hat < d_z) has NaN, a dead latent 0.

    Raises:
        ValueError: As for `mcc`.
    """
    score = mcc(z_true, z_hat, method=method)
    hat = standardise(np.asarray(z_hat, float))
    out = np.full(np.shape(z_true), np.nan)
    for i, (k, sign) in enumerate(zip(score.matching, score.signs, strict=True)):
        if k >= 0:
            out[:, i] = hat[:, k] * sign
    return out


class Curve(NamedTuple):
    """A monotone curve given by its corners, x ascending. `r2` is the share of variance explained in its own sample."""

    x: np.ndarray
    y: np.ndarray
    is_increasing: bool
    r2: float


def monotone_fit(z_hat: Float[np.ndarray, " n"], z_true: Float[np.ndarray, " n"]) -> Curve:
    """Fit the best monotone curve from one latent to one factor: the pointwise nonlinearity the theorem leaves free.

    Isotonic regression (least squares) is run in both directions, and the better fit is kept. It is fitted and judged
    on the same rows, so `r2` is slightly optimistic, and more so with fewer rows.

    Args:
        z_hat: One recovered latent.
        z_true: One factor, same rows.

    Returns:
        The curve's corners, which are connected by straight lines.

    Raises:
        ValueError: If lengths differ, rows are too few, a value is not finite, or the factor is constant.
    """
    from scipy.optimize import isotonic_regression  # scikit-learn's would cost the app server another 60 MB

    true, hat = checked(np.reshape(z_true, (-1, 1)), np.reshape(z_hat, (-1, 1)), "pearson")
    y = true[:, 0]
    x, row, count = np.unique(hat[:, 0], return_inverse=True, return_counts=True)
    mean_y = np.bincount(row, y) / count  # rows with the same latent share a value
    rising, falling = (isotonic_regression(mean_y, weights=count, increasing=rises).x for rises in (True, False))
    missed = [np.square(y - fit[row]).mean() for fit in (rising, falling)]
    is_increasing = bool(missed[0] <= missed[1])
    fit = rising if is_increasing else falling
    moves = np.diff(fit) != 0
    corner = np.ones(len(fit), bool)
    corner[1:-1] = moves[:-1] | moves[1:]  # both ends of every flat stretch
    return Curve(x[corner], fit[corner], is_increasing, float(1 - min(missed) / y.var()))
