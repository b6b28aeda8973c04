"""Baselines that score well without a model, by copying u or unmixing x linearly. A model has to beat them."""

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int, Shaped

from dvae_core.axes import Auxiliary, Matrix, means_by_code
from dvae_core.metrics.matching import assign, matched, orthogonal, rotation_mcc
from dvae_core.metrics.memory import FEWEST_STRETCHES, NO_SERIES, autocorrelation_time
from dvae_core.metrics.recovery import mcc_within_u
from dvae_core.metrics.score import Method, Score, checked, correlations, ranks

NEIGHBOURS = (5, 15, 45, 135)  # candidates for the k of `u_only`; each is about three times the previous one
SIGNIFICANCE = 0.01  # one-sided level for the held-out correlations of `u_only`


FLOORS = {
    "raw_x": "x itself",
    "pca": "PCA",
    "fastica": "FastICA",
    "u_only": "copying u",
    "random_rotation": "random rotation",
}
"""The reference lines, each with its name on figures and pages."""


def u_only(
    z_true_train: Float[np.ndarray, "n d_z"],
    u_train: Auxiliary,
    z_true_test: Float[np.ndarray, "m d_z"],
    u_test: Shaped[np.ndarray, "m ..."],
    *,
    method: Method = "pearson",
) -> Score:
    """Held-out MCC of the best code that depends only on u, not on x: the regression of the true factors on u.

    For labels, the prediction is the mean per label (a label unseen in training gets the overall mean). For numbers, it
    is the mean of the k nearest neighbours in standardised u. k is chosen for each factor from 5, 15, 45, 135 by
    cross-validation on the training rows in 20 contiguous blocks, and listed in the notes. Spearman regresses ranks. A
    factor counts only if prediction and truth correlate positively on held-out rows (one-sided p < 0.01), so that a u
    that changes no mean scores 0 instead of the noise of |corr|. In a time series, each stretch of one autocorrelation
    time (of the factor's residual given u) counts as one row of this test. With fewer than 25 stretches the test is
    skipped, and the correlation counts as it is.

    Args:
        z_true_train: Factors on which the regression is fitted.
        u_train: Labels `[n]` (integers) or numbers `[n]` or `[n d_u]`, same rows.
        z_true_test: Held-out factors.
        u_test: Their u.
        method: "pearson" or "spearman".

    Returns:
        Score in [0, 1]. Each factor is compared with its own prediction; `matrix` holds all pairs.

    Raises:
        ValueError: If rows or kinds of u disagree, a value is not finite, or a factor is constant.
    """
    from scipy.stats import t

    z_train, _ = checked(z_true_train, z_true_train, method, allow_constant=True)
    z_test, _ = checked(z_true_test, z_true_test, method)
    u_train, u_test = _same_kind(u_train, u_test, len(z_train), len(z_test))
    target = ranks(z_train) / len(z_train) if method == "spearman" else z_train
    if u_train.ndim == 1:
        guess, note = _label_means(target, u_train, u_test)
    else:
        guess, note = _neighbour_means(target, u_train, u_test)
    matrix, _ = correlations(z_test, guess, method)
    own = np.diag(matrix)
    memory = autocorrelation_time((ranks(z_test) / len(z_test) if method == "spearman" else z_test) - guess)
    stretches = len(z_test) if memory < NO_SERIES else len(z_test) / memory
    r, freedom = np.clip(own, -1 + 1e-12, 1 - 1e-12), max(stretches - 2, 1)
    p_value = t.sf(r * np.sqrt(freedom / (1 - r**2)), freedom)  # one-sided t test on independent stretches
    is_tested = stretches >= FEWEST_STRETCHES or memory < NO_SERIES
    counted = np.where(p_value < SIGNIFICANCE, own, 0.0) if is_tested else np.maximum(own, 0.0)
    if not is_tested:
        note += f" The held-out rows are {stretches:.0f} independent stretches, too few to test."
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


def _same_kind(u_train: np.ndarray, u_test: np.ndarray, n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Return u as integer codes [n] or as standardised float columns [n, d_u], the same way for train and test."""
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
    labels, codes = np.unique(u_train, return_inverse=True)
    at = np.searchsorted(labels, u_test).clip(max=len(labels) - 1)
    known = labels[at] == u_test
    guess = np.where(known[:, None], means_by_code(z, codes)[at], z.mean(0, dtype=float))
    note = f"Mean of each factor per label of u ({len(labels)} labels)."
    return guess, note if known.all() else f"{note} {(~known).sum():,} rows have a label unseen in training."


def _neighbour_means(z: np.ndarray, u_train: np.ndarray, u_test: np.ndarray) -> tuple[np.ndarray, str]:
    """Predict by the mean over the k nearest u, with k per factor chosen by squared error in five-fold validation."""
    n = len(z)
    fold = np.arange(n) * 20 // n % 5  # blocks keep neighbours in time together
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
    """Held-out MCC of baselines that need no model. A model has to beat them.

    Args:
        x_train: Data on which PCA and FastICA are fitted.
        x_test: Held-out data.
        z_train: Factors of the training rows; only `u_only` is fitted on them.
        z_test: Factors of the held-out rows.
        u_train: Auxiliary variable of the training rows, or None.
        u_test: Auxiliary variable of the held-out rows, or None.
        method: "pearson" or "spearman".

    Returns:
        Scores by name. `raw_x`: unchanged columns of x. `pca`: the first d_z principal components. `fastica`: FastICA
        of these (log cosh, seed 0, 1,000 iterations), with a note if it did not converge. `u_only`: None without u.
        `random_rotation`: the mean over random rotations of white factors.

    Raises:
        ValueError: If row counts disagree, a value is not finite, or a factor is constant.
    """
    z_test = checked(z_test, z_test, method)[0]
    for name, x, z in (("x_train", x_train, z_train), ("x_test", x_test, z_test)):
        if len(x) != len(z):
            raise ValueError(f"{name} has {len(x):,} rows and its factors have {len(z):,}; pass the same rows of both.")
        if not np.isfinite(x).all():
            raise ValueError(f"{name} has values that are not finite; remove those rows.")
    x_train, x_test = np.asarray(x_train, float), np.asarray(x_test, float)
    d = z_test.shape[1]
    pca_train, pca_test = _principal_components(x_train, x_test, d)
    ica_test, ica_notes = _independent_components(pca_train, pca_test)
    fastica = matched(z_test, ica_test, method)
    scores: dict[str, Score | None] = {
        "raw_x": matched(z_test, x_test, method, what="column"),
        "pca": matched(z_test, pca_test, method),
        "fastica": replace(fastica, notes=(*fastica.notes, *ica_notes)),
        "u_only": None,
        "random_rotation": rotation_score(d),
    }
    if u_train is not None and u_test is not None:
        scores["u_only"] = u_only(z_train, u_train, z_test, u_test, method=method)
    return scores


def floors_within_u(
    x_train: Matrix, x_test: Float[np.ndarray, "m d"], z_test: Float[np.ndarray, "m d_z"], u_test: Int[np.ndarray, " m"]
) -> dict[str, Score]:
    """Held-out MCC within u (see `mcc_within_u`) of baselines that need no model. A model's has to beat these.

    Args:
        x_train: Data on which PCA and FastICA are fitted.
        x_test: Held-out data.
        z_test: Factors of the held-out rows.
        u_test: Labels of the held-out rows.

    Returns:
        Scores by name: `raw_x`, `pca` and `fastica`. Copying u scores 0 by definition.

    Raises:
        ValueError: As for `mcc_within_u`.
    """
    x_train, x_test = np.asarray(x_train, float), np.asarray(x_test, float)
    pca_train, pca_test = _principal_components(x_train, x_test, z_test.shape[1])
    codes = {"raw_x": x_test, "pca": pca_test, "fastica": _independent_components(pca_train, pca_test)[0]}
    return {name: mcc_within_u(z_test, code, u_test) for name, code in codes.items()}


def rotation_score(d: int) -> Score:
    """Return the MCC of random rotations of d white factors as a Score."""
    rotation = orthogonal(d, np.random.default_rng(0))
    matching, _ = assign(np.abs(rotation))
    return Score(
        value=rotation_mcc(d),
        matrix=rotation,
        matching=tuple(matching.tolist()),
        signs=tuple(np.where(rotation[np.arange(d), matching] < 0, -1, 1).tolist()),
        per_factor=(rotation_mcc(d),) * d,
        method="pearson",
        notes=("Mean over random rotations; the matrix is one of them.",),
        blind_to="everything but rotation",
        chance=rotation_mcc(d),
    )


def _principal_components(train: np.ndarray, test: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the scores of the first d components (fewer if x has fewer), scaled to variance 1 in training."""
    from sklearn.decomposition import PCA

    pca = PCA(n_components=min(d, *train.shape), random_state=0).fit(train)
    # Components below 1e-12 of the largest variance are rounding errors; scaled to 1 they would look like a signal.
    alive = pca.explained_variance_ > 1e-12 * max(pca.explained_variance_[0], np.finfo(float).tiny)
    scale = np.sqrt(np.where(alive, pca.explained_variance_, 1.0))
    return pca.transform(train)[:, alive] / scale[alive], pca.transform(test)[:, alive] / scale[alive]


def _independent_components(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Rotate white scores to independence, with a note if FastICA did not converge."""
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
