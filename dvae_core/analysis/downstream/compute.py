"""Posterior means as features of a plain classifier or regression, beside raw x, PCA and FastICA."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from dvae_core.analysis.common import Computation, good_members
from dvae_core.analysis.downstream.record import DEGREES, Downstream, file_name
from dvae_core.analysis.encode import encoder_means, encoder_sees_u
from dvae_core.data.dataset import Dataset
from dvae_core.data.split import split
from dvae_core.metrics import FLOORS, autocorrelation_time, circular_error, mean_direction, resampled_rows, too_few
from dvae_core.runs import Run, RunError
from dvae_core.runs.data import data_of
from dvae_core.training.checkpoint import load_vae

Reader = Literal["linear", "neighbours"]
TRAIN_ROWS, TEST_ROWS = 8000, 5000
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
    fitted = _on_circle(y_train, period) if period else y_train
    found = {}
    for name, pairs in features.items():
        guesses = [_guess(train, test, fitted, reader, neighbours) for train, test in pairs]
        found[name] = scored([np.arctan2(*g.T) * period / (2 * np.pi) for g in guesses] if period else guesses)
    return {**found, "chance": scored([nothing])}


def _on_circle(angle: np.ndarray, period: float | int) -> np.ndarray:
    """Return sine and cosine of an angle [n, 1]."""
    turn = 2 * np.pi * angle[:, 0].astype(float) / period
    return np.stack([np.sin(turn), np.cos(turn)], axis=1)


def _guess(train: np.ndarray, test: np.ndarray, y: np.ndarray, reader: Reader, neighbours: int) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if y.ndim == 1:
        model: Any = LogisticRegression(max_iter=2000) if reader == "linear" else KNeighborsClassifier(neighbours)
    else:
        model = RidgeCV(np.logspace(-3, 4, 15)) if reader == "linear" else KNeighborsRegressor(neighbours)
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


class Target(NamedTuple):
    """What is predicted: labels [n] or numbers [n, d], its name, and a full circle in its unit if it is an angle."""

    values: np.ndarray
    name: str
    period: float = 0.0


def target_of(dataset: Dataset, target: str) -> Target:
    """Return the target "u", "z", "u:2" or "z:1" (one column, counted from 1).

    An angle beside other columns is returned as its sine and cosine.

    Raises:
        RunError: If the data does not have it.
    """
    what, _, number = target.partition(":")
    values, names = {"u": (dataset.u, dataset.u_names), "z": (dataset.z, dataset.z_names)}.get(what, (None, ()))
    if values is None:
        raise RunError(f"The data has no {target!r} to predict; choose u or z, if it has them.")
    if not number:
        periods = dataset.u_period if what == "u" else ()
        if len(periods) > 1 and any(periods):
            return Target(dataset.features_of(values), ", ".join(names) + " (angles as sine and cosine)")
        return Target(values, ", ".join(names), periods[0] if periods else 0.0)
    if values.ndim == 1 or not number.isdigit() or not 1 <= int(number) <= values.shape[1]:
        raise RunError(f"There is no column {number} of {what}; it has {len(names)}.")
    period = dataset.u_period[int(number) - 1] if what == "u" and dataset.u_period else 0.0
    return Target(values[:, [int(number) - 1]], names[int(number) - 1], period)


def downstream(run: Run, *, target: str = "u", reader: str = "linear") -> Computation:
    """Predict u or true factors from every member's latents; write analysis/downstream-<target>-<reader>.npz.

    The features are the encoder's own means of x alone: a posterior refined with the prior p(z|u) has seen u. The
    predictors are fitted on at most 8,000 training rows and scored on at most 5,000 held-out ones. Members that failed
    or are stuck are left out.

    `record.Downstream` documents the content of the file.

    Yields:
        The fraction done.

    Raises:
        RunError: If the data has no such target, the encoder sees the u that is to be predicted, or every member failed
            or is stuck.
    """
    if reader not in ("linear", "neighbours"):
        raise RunError(f"The reader must be linear or neighbours; got {reader!r}.")
    config = run.config
    if encoder_sees_u(config) and target.startswith("u"):
        raise RunError(
            "This run's encoder sees u, so its latents would only hand u back; predict something else, or train with "
            "an encoder that sees x alone."
        )
    dataset = data_of(run)
    y, name, period = target_of(dataset, target)
    parts = split(dataset, config.split, gap=config.gap)
    train = parts.train[:: -(-len(parts.train) // TRAIN_ROWS)]
    test = parts.held_out[:: -(-len(parts.held_out) // TEST_ROWS)]
    good = good_members(run)
    if not good:
        raise RunError(
            f"Every member of {run.title} failed or is stuck, so there is no mean to take; train more seeds."
        )
    vae = load_vae(run)
    z_train, z_test = (encoder_means(vae, dataset, rows).astype(float) for rows in (train, test))
    yield 0.3
    plain, notes = baselines(dataset.x_float(train).astype(float), dataset.x_float(test).astype(float), z_test.shape[2])
    features = {config.model_name: [(z_train[m], z_test[m]) for m in good], **plain}
    labels = dataset.u[test] if dataset.has_labels and dataset.u is not None else None
    series = [z_test[m].astype(float) for m in good] + (
        [_on_circle(y[test], period) if period else y[test].astype(float)] if y.ndim > 1 else []
    )
    memory = autocorrelation_time(np.hstack(series), labels)
    yield 0.4
    found = decode(features, y[train], y[test], reader=reader, memory=memory, period=period)
    members = np.full((len(found), len(z_train)), np.nan)
    for row, (key, decoding) in zip(members, found.items(), strict=True):
        if key == config.model_name:
            row[good] = decoding.members
        else:
            row[0] = decoding.value
    measure = "accuracy" if y.ndim == 1 else DEGREES if period else "R²"
    words = f"{len(train):,} training and {len(test):,} held-out rows ({parts.how} split)."
    if np.isnan(next(iter(found.values())).low):
        words += f" {too_few(len(test), memory)}"
    left_out = [config.train.seeds[m] for m in range(config.members) if m not in good]
    if left_out:
        words += f" Failed or stuck, and left out: seeds {', '.join(map(str, left_out))}."
    record = Downstream(
        names=tuple(found), value=np.array([f.value for f in found.values()]),
        low=np.array([f.low for f in found.values()]), high=np.array([f.high for f in found.values()]),
        members=members, measure=measure, target=name, notes=(words, *notes),
    )  # fmt: skip
    written = record.save(run, file_name(target, reader))
    yield 1.0
    return written
