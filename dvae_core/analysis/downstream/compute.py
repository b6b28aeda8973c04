"""Posterior means as features of a plain classifier or regression, beside raw x, PCA and FastICA."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64

from dvae_core.analysis.common import Computation, good_members
from dvae_core.analysis.downstream.decode import baselines, decode, on_circle
from dvae_core.analysis.downstream.record import DEGREES, Downstream, file_name
from dvae_core.analysis.encode import encoder_means, encoder_sees_u
from dvae_core.data.dataset import Dataset
from dvae_core.data.split import split
from dvae_core.metrics import autocorrelation_time, too_few
from dvae_core.runs import Run, RunError
from dvae_core.runs.data import data_of
from dvae_core.runs.given import given_of
from dvae_core.training.checkpoint import load_vae

TRAIN_ROWS, TEST_ROWS = 8000, 5000


class Target(NamedTuple):
    """What to predict: labels [n] or numbers [n, d], its name, and a full circle in its unit if it is an angle."""

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


@dataclass(frozen=True)
class Features:
    """Latents that have not seen u on training and on held-out rows, and the data of all rows.

    `has_x` is False for imported latents that came without x.
    """

    dataset: Dataset
    train: Int64[np.ndarray, " n"]
    test: Int64[np.ndarray, " m"]
    z_train: Float[np.ndarray, "p n d"]
    z_test: Float[np.ndarray, "p m d"]
    how: str
    has_x: bool = True


def rows_of(train: np.ndarray, held_out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the training rows that readers are fitted on, and the held-out rows that they are scored on."""
    return train[:: -(-len(train) // TRAIN_ROWS)], held_out[:: -(-len(held_out) // TEST_ROWS)]


def _of_model(run: Run) -> Features:
    dataset = data_of(run)
    parts = split(dataset, run.config.split, gap=run.config.gap)
    train, test = rows_of(parts.train, parts.held_out)
    vae = load_vae(run)
    z_train, z_test = (encoder_means(vae, dataset, rows).astype(float) for rows in (train, test))
    return Features(dataset, train, test, z_train, z_test, parts.how)


def _of_given(run: Run) -> Features:
    given = given_of(run)
    if not len(given.train_rows):
        raise RunError(
            f"{run.title} has held-out rows only, and a reader is fitted on training rows; import the latents of all "
            "rows."
        )
    train, test = rows_of(given.train_rows, given.held_out_rows)
    z_train, z_test = (given.encoder[:, rows].astype(float) for rows in (train, test))
    return Features(given.dataset, train, test, z_train, z_test, str(run.about.get("split")), given.has_x)


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
            "This run's encoder sees u, so its latents would only return u; predict something else, or train with "
            "an encoder that sees x alone."
        )
    good = good_members(run)
    if not good:
        raise RunError(f"Every member of {run.title} failed or is stuck, so there is no mean; train more seeds.")
    source = _of_given(run) if run.kind == "latents" else _of_model(run)
    dataset, train, test, z_train, z_test = source.dataset, source.train, source.test, source.z_train, source.z_test
    y, name, period = target_of(dataset, target)
    yield 0.3
    plain, notes = {}, ()
    if source.has_x:
        x_train, x_test = (dataset.x_float(rows).astype(float) for rows in (train, test))
        plain, notes = baselines(x_train, x_test, z_test.shape[2])
    features = {config.model_name: [(z_train[m], z_test[m]) for m in good], **plain}
    labels = dataset.u[test] if dataset.has_labels and dataset.u is not None else None
    series = [z_test[m].astype(float) for m in good] + (
        [on_circle(y[test], period) if period else y[test].astype(float)] if y.ndim > 1 else []
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
    note = f"{len(train):,} training and {len(test):,} held-out rows ({source.how} split)."
    if len(train) + len(test) < len(dataset.x):
        note += f" Of more rows, evenly spaced ones are used: at most {TRAIN_ROWS:,} and {TEST_ROWS:,}."
    if np.isnan(next(iter(found.values())).low):
        note += f" {too_few(len(test), memory)}"
    left_out = [config.train.seeds[m] for m in range(config.members) if m not in good]
    if left_out:
        note += f" Failed or stuck, and left out: seeds {', '.join(map(str, left_out))}."
    record = Downstream(
        names=tuple(found), value=np.array([f.value for f in found.values()]),
        low=np.array([f.low for f in found.values()]), high=np.array([f.high for f in found.values()]),
        members=members, measure=measure, target=name, notes=(note, *notes),
    )  # fmt: skip
    written = record.save(run, file_name(target, reader))
    yield 1.0
    return written
