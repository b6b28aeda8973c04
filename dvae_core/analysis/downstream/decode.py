"""Predict a target from features by scikit-learn, held-out, and the baselines beside a model. No torch."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Shaped

from dvae_core.metrics import FLOORS, circular_error, mean_direction, resampled_rows

Reader = Literal["linear", "neighbours"]
RESAMPLES = 200
NEIGHBOURS = 15


@dataclass(frozen=True)
class Decoding:
    """A held-out score of one kind of features: mean over members, 95 % interval over rows, and each member's score."""

    value: float
    low: float
    high: float
    members: tuple[float, ...]


def decode(
    features: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]],
    y_train: Shaped[np.ndarray, "n ..."],
    y_test: Shaped[np.ndarray, "m ..."],
    *,
    reader: Reader = "linear",
    neighbours: int = NEIGHBOURS,
    memory: float | int = 1.0,
    period: float | int = 0,
    seed: int = 0,
) -> dict[str, Decoding]:
    """Predict a target from features, held-out, by scikit-learn.

    Integers [n] are labels: the score is the accuracy of logistic regression (L2, C = 1), or of 15 nearest neighbours.
    Floats [n, d] are numbers: the score is R^2, averaged over columns, of ridge regression (penalty by leave-one-out),
    or of 15 neighbours. With a period, floats [n, 1] are an angle: its sine and cosine are predicted, and the score is
    the mean error of the direction in degrees, so less is better. Features are standardised on the training rows. The
    interval resamples held-out rows in blocks of three autocorrelation times and does not refit. It therefore describes
    these rows, not other seeds, whose spread is in `members`. With fewer than 25 independent stretches its ends are
    NaN.

    Args:
        features: By name, (training, held-out) features of every member.
        y_train: Target of the training rows.
        y_test: Target of the held-out rows.
        reader: "linear" or "neighbours".
        neighbours: How many neighbours the second reader averages.
        memory: Autocorrelation time of the held-out rows; 1 for independent rows.
        period: A full circle in the target's unit if it is an angle, otherwise 0.
        seed: Seed of the resampling.

    Returns:
        A Decoding by name, and "chance": the most frequent training label, the training mean, or the mean direction.
    """
    is_labels = y_train.ndim == 1
    goal = y_test if is_labels else y_test.astype(float)
    rows = resampled_rows(len(goal), memory, RESAMPLES, np.random.default_rng(seed))

    def scored(guesses: list[np.ndarray]) -> Decoding:
        values, resampled = [], np.full(RESAMPLES, np.nan if rows is None else 0.0)
        for guess in guesses:
            if is_labels or period:
                each = circular_error(goal[:, 0], guess, period) if period else (guess == goal).astype(float)
                values.append(float(each.mean()))
                if rows is not None:
                    resampled += each[rows].mean(1)
            else:
                error, spread = (goal - guess) ** 2, (goal - y_train.mean(0)) ** 2
                values.append(float(np.mean(1 - error.sum(0) / spread.sum(0))))
                if rows is not None:
                    resampled += np.mean(1 - error[rows].sum(1) / np.maximum(spread[rows].sum(1), 1e-300), axis=1)
        low, high = np.quantile(resampled / len(guesses), [0.025, 0.975])
        return Decoding(float(np.mean(values)), float(low), float(high), tuple(values))

    if period:
        usual, shape = mean_direction(y_train[:, 0], period), goal[:, 0].shape
    else:
        usual, shape = np.bincount(y_train).argmax() if is_labels else y_train.mean(0, dtype=float), goal.shape
    nothing = np.broadcast_to(usual, shape)
    fitted = on_circle(y_train, period) if period else y_train
    found = {}
    for name, pairs in features.items():
        guesses = [_guess(train, test, fitted, reader, neighbours) for train, test in pairs]
        found[name] = scored([np.arctan2(*g.T) * period / (2 * np.pi) for g in guesses] if period else guesses)
    return {**found, "chance": scored([nothing])}


def on_circle(angle: np.ndarray, period: float | int) -> np.ndarray:
    """Return sine and cosine of an angle [n, 1]."""
    turn = 2 * np.pi * angle[:, 0].astype(float) / period
    return np.stack([np.sin(turn), np.cos(turn)], axis=1)


def _guess(train: np.ndarray, test: np.ndarray, y: np.ndarray, reader: Reader, neighbours: int) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits  # scikit-learn's own

    if y.ndim == 1:
        model: Any = LogisticRegression(max_iter=2000) if reader == "linear" else KNeighborsClassifier(neighbours)
    else:
        model = RidgeCV(np.logspace(-3, 4, 15)) if reader == "linear" else KNeighborsRegressor(neighbours)
    # One thread: which of several rows at the same distance are the nearest depends on how threads share the work, and
    # windows of few spikes are often equal (R^2 of position .54 with one thread, .58 with two).
    with threadpool_limits(1, "openmp"):
        guess = make_pipeline(StandardScaler(), model).fit(train, y).predict(test)
    return guess if y.ndim == 1 else guess.reshape(len(test), -1)


def baselines(
    x_train: Float[np.ndarray, "n d_x"], x_test: Float[np.ndarray, "m d_x"], d: int
) -> tuple[dict[str, list[tuple[np.ndarray, np.ndarray]]], tuple[str, ...]]:
    """Return raw x, and PCA and FastICA with d components fitted on the training rows, with notes."""
    from sklearn.decomposition import PCA, FastICA
    from sklearn.exceptions import ConvergenceWarning

    d = min(d, *x_train.shape)
    pca = PCA(d, random_state=0).fit(x_train)
    scores = pca.transform(x_train), pca.transform(x_test)
    out, notes = {FLOORS["raw_x"]: [(x_train, x_test)], FLOORS["pca"]: [scores]}, ()
    if d > 1:
        ica = FastICA(whiten="unit-variance", random_state=0, max_iter=1000)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            ica.fit(scores[0])
        out[FLOORS["fastica"]] = [(ica.transform(scores[0]), ica.transform(scores[1]))]
        if caught:
            notes = ("FastICA did not converge in 1,000 iterations; its score is that of the last one.",)
    return out, notes
