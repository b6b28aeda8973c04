"""Runs of kind "latents": latents that another program computed, stored as a run so that the same rules judge them.

`from_latents` writes the folder; `given_of` reads the latents of all rows back. There is no encoder, decoder or prior.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from jaxtyping import Bool, Float, Int64, Shaped
from pydantic import Field

from dvae_core.axes import evenly
from dvae_core.config import (
    Config,
    Data,
    FileData,
    GivenConfig,
    ModelConfig,
    Prior,
    StandardPrior,
    TrainConfig,
)
from dvae_core.config import Split as How
from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.given import Latents, Table, auxiliary, rows_in, stacked, table
from dvae_core.data.held_out import Plan, planned
from dvae_core.data.load import dataset_of
from dvae_core.data.split import MIN_ROWS, Split, split
from dvae_core.runs.data import facts_of
from dvae_core.runs.run import LATENT_ROWS, Run, RunError
from dvae_core.runs.store import clean_title, create
from dvae_core.settings import read

MAX_X_BYTES = 2**29  # of x kept in the run; larger x is left out, and with it the reference lines that need x
SHOWN = "shown_"  # prefix of the arrays of latents.npz in an export of our own runs
# What may come with the latents for each member [p], in nats per example; kl_latent is [p, d].
MEMBERS = ("elbo", "elbo_error", "recon", "kl", "active_latents", "mcc_wrong_u", "kl_latent")


@dataclass(frozen=True)
class Given:
    """The latents of all rows of a run of kind "latents", with what is known of each row.

    Attributes:
        mu_z: Latents of every member.
        encoder: Latents from an encoder that sees x alone, for decoding u; the same as mu_z if nothing else was given.
        index: Position of each row in the data, or its own number.
        held_out: Rows that are scored.
        train: Rows that readers are fitted on; rows in a gap beside held-out stretches are neither.
        u: Labels as codes, or numbers [n, d_u].
        z: True factors.
        x: Data, as stored in the Dataset.
        dataset: x, u and z as a Dataset. Without x, latents stand in for it.
        has_x: Whether x is known.
        of_members: What came with the latents for each member, see `MEMBERS`.
    """

    mu_z: Float[np.ndarray, "p n d"]
    encoder: Float[np.ndarray, "p n d"]
    index: Int64[np.ndarray, " n"]
    held_out: Bool[np.ndarray, " n"]
    train: Bool[np.ndarray, " n"]
    u: Shaped[np.ndarray, "n ..."] | None
    z: Float[np.ndarray, "n d_z"] | None
    x: Shaped[np.ndarray, "n d_x"] | None
    dataset: Dataset
    has_x: bool
    of_members: Mapping[str, np.ndarray]

    @property
    def train_rows(self) -> Int64[np.ndarray, " k"]:
        """Positions of the rows that readers are fitted on."""
        return np.flatnonzero(self.train)

    @property
    def held_out_rows(self) -> Int64[np.ndarray, " k"]:
        """Positions of the held-out rows."""
        return np.flatnonzero(self.held_out)


def given_of(run: Run) -> Given:
    """Return the latents of all rows.

    Raises:
        RunError: If the run was trained here, or its file is missing or damaged.
    """
    found = run._npz("given.npz")
    if found is None:
        raise RunError(f"{run.title} holds no imported latents (given.npz is missing); import them again.")
    about = run.about
    mu, x, u, z = (found.get(key) for key in ("mu_z", "x", "u", "z"))
    if mu is None:
        raise RunError(f"given.npz of run {run.id} has no latents (mu_z); import them again.")
    data = _stand_in(mu) if x is None else x
    data.setflags(write=False)
    dataset = Dataset(
        str(about.get("dataset") or run.title), data, u, z, u_names=tuple(about.get("u_names") or ()),
        x_names=() if x is None else tuple(about.get("x_names") or ()), z_names=tuple(about.get("z_names") or ()),
        u_labels=tuple(about.get("u_labels") or ()), x_scale=1.0 if x is None else float(about.get("x_scale") or 1.0),
        u_period=tuple(about.get("u_period") or ()),
    )  # fmt: skip
    known = {name: found[name] for name in MEMBERS if name in found}
    return Given(
        mu_z=mu, encoder=found.get("encoder", mu), index=found["index"], held_out=found["held_out"],
        train=found["train"], u=u, z=z, x=x, dataset=dataset, has_x=x is not None, of_members=known,
    )  # fmt: skip


def from_latents(
    mu_z: Any,
    out: str | Path,
    *,
    method: str = "latents",
    title: str = "",
    data: Data | Dataset | None = None,
    u: Any = None,
    z: Any = None,
    x: Any = None,
    rows: Any = None,
    std_z: Any = None,
    held_out: Any = None,
    encoder: Any = None,
    seeds: Sequence[int] = (),
    split_how: How = "auto",
    rate_hz: float | None = None,
    same_rows: bool = False,
    seconds: float | None = None,
    source: str = "",
    more: dict[str, np.ndarray] | None = None,
) -> Run:
    """Store latents that another program computed as a run, which Recover, Agree, Scores and exports then read.

    Args:
        mu_z: Latents [p, n, d] of p seeds, [n, d] of one, or a list with one array or table [n, d] for each seed.
        out: The new run's folder.
        method: What computed them ("CEBRA", "PCA"); it names them on every page.
        title: Of the run; the method by default.
        data: The data they belong to: the settings of built-in data or of a file, or a Dataset. Gives x, u and z.
        u: Labels [n] (text or whole numbers that repeat) or numbers [n, d_u], if there is no `data`.
        z: True factors [n, d_z], if there is no `data`.
        x: Data [n, d_x], if there is no `data`; the reference lines PCA and FastICA need it.
        rows: Each row's number or time in `data`; a pandas index also works.
        std_z: Standard deviations of the latents [p, n, d].
        held_out: Which rows the model was not fitted on [n]; drawn by `split_how` if it is not known.
        encoder: Latents [p, n, d] that have not seen u, for decoding u; `mu_z` by default.
        seeds: One number per seed; 0, 1, ... by default.
        split_how: How held-out rows are drawn, as for training.
        rate_hz: Sampling rate; rows are then in time order.
        same_rows: Declares that row i is row i of `data`, for arrays without row numbers or times.
        seconds: What the computation cost, if known.
        source: Name of the file, for the model card.
        more: Other arrays, of which bounds and KL by member are kept (see `MEMBERS`).

    Returns:
        The finished run. A seed with values that are not finite counts as failed: it is shown but enters no mean.

    Raises:
        DataError: If rows or seeds do not match, every seed has values that are not finite, or no latent varies.
        RunError: If the folder exists or cannot be written.
    """
    tables = _members(mu_z)
    stack, keys = stacked(tables)
    if rows is not None:
        keys = np.asarray(rows)
        if keys.shape != (stack.shape[1],):
            raise DataError(f"rows must have one key for each of the {stack.shape[1]:,} rows; got shape {keys.shape}.")
    latents = Latents(stack, keys, u=u, z=z, x=x, std_z=None if std_z is None else np.asarray(std_z),
                      held_out=None if held_out is None else np.asarray(held_out, bool), seeds=tuple(seeds),
                      more=more or {})  # fmt: skip
    return _write(
        latents, Path(out), method=method, title=title, data=data, split_how=split_how, rate_hz=rate_hz,
        same_rows=same_rows, seconds=seconds, source=source, encoder=encoder,
    )  # fmt: skip


def import_latents(
    latents: Latents,
    out: str | Path,
    *,
    method: str = "latents",
    title: str = "",
    data: Data | Dataset | None = None,
    split_how: How = "auto",
    rate_hz: float | None = None,
    same_rows: bool = False,
    source: str = "",
) -> Run:
    """Store latents read from files (`data.given.read_latents`) as a run. Arguments and errors as `from_latents`."""
    return _write(
        latents, Path(out), method=method, title=title, data=data, split_how=split_how, rate_hz=rate_hz,
        same_rows=same_rows, seconds=None, source=source, encoder=latents.more.get("encoder"),
    )  # fmt: skip


def _members(mu_z: Any) -> list[Table]:
    if isinstance(mu_z, list | tuple):
        return [table(member, f"seed {i + 1}") for i, member in enumerate(mu_z)]
    found = table(mu_z, "mu_z")
    if found.values.ndim == 3:
        return [Table(member, (), found.rows) for member in found.values]
    return [found]


def _write(
    latents: Latents,
    out: Path,
    *,
    method: str,
    title: str,
    data: Data | Dataset | None,
    split_how: How,
    rate_hz: float | None,
    same_rows: bool,
    seconds: float | None,
    source: str,
    encoder: Any,
) -> Run:
    """Store latents as a run; the arguments are those of `from_latents`."""
    if encoder is not None and np.shape(encoder) != latents.mu_z.shape:
        raise DataError(f"The latents from x alone have shape {np.shape(encoder)}, the latents {latents.mu_z.shape}.")
    mu = np.ascontiguousarray(latents.mu_z, dtype=np.float64 if latents.mu_z.dtype == np.float64 else np.float32)
    finite = _finite_seeds(mu)
    whole, dataset, positions, matched = _data(latents, data, rate_hz, same_rows)
    notes = []
    parts, plan = _parts(latents, whole, dataset, positions, split_how, drawn=_is_drawn(data))
    known = plan is None
    if not known:
        notes.append(
            "Which rows the model was fitted on is not stated: held-out rows are new to every reader here, perhaps "
            "not to the model."
        )
    has_x = dataset.meta.get("stand-in") is None
    keeps_x = has_x and dataset.x.nbytes <= MAX_X_BYTES
    if has_x and not keeps_x:
        notes.append("x is too large to be kept in the run, so reference lines that need x are missing.")
    config = Config(
        data=data if data is not None and not isinstance(data, Dataset) else FileData(path=source or "given arrays"),
        split="auto" if plan is None else plan.how, gap=0 if plan is None else plan.gap,
        model=ModelConfig(latents=mu.shape[2]), prior=_prior(latents), train=_population(latents),
        given=GivenConfig(method=clean_title(method) or "latents"),
    )  # fmt: skip
    run = create(out, config, title=title or method)
    facts = facts_of(dataset, parts, drawn=_is_drawn(data))
    if not has_x:
        facts |= {"d_x": 0, "x_names": (), "meta": {}, "fingerprint": _fingerprint(dataset, positions)}
    if whole is not None:
        facts["fingerprint"] = whole.fingerprint
    digest = hashlib.sha256(mu.tobytes()).hexdigest()[:16]
    given = {
        "method": method, "source": source, "digest": digest, "matched": matched, "seconds": seconds, "notes": notes,
        "split_known": known,
    }  # fmt: skip
    run.write_json("about.json", {**run.about, **facts, "given": given})
    arrays = _all_rows(mu, latents, dataset, positions, parts, encoder)
    if keeps_x:
        arrays["x"] = dataset.x[:]
    run.write_npz("given.npz", arrays)
    run.write_npz("latents.npz", _shown(latents, arrays, dataset, has_x=has_x))
    failed = tuple(m for m, ok in enumerate(finite) if not ok)
    lost = (
        f"{len(failed)} of {len(finite)} seeds have latents that are not finite and are shown as failed."
        if failed
        else ""
    )
    run.set_status(state="finished", failed_members=failed, message=lost, seconds=seconds or 0.0)
    return run


def _finite_seeds(mu: np.ndarray) -> list[bool]:
    """Return which seeds have finite values only; at least one of them must have a latent that varies."""
    finite = [bool(np.isfinite(seed).all()) for seed in mu]
    if not any(finite):
        raise DataError("Every seed has latents that are not finite; remove those rows, or compute them again.")
    if not any(np.ptp(seed, axis=0).any() for seed, ok in zip(mu, finite, strict=True) if ok):
        raise DataError("No latent of any seed varies over the rows, so there is nothing to judge; check the file.")
    return finite


def _population(latents: Latents) -> TrainConfig:
    """Return the seeds and betas that came with the latents; 0, 1, ... and 1 otherwise."""
    p = len(latents.mu_z)
    seeds = latents.seeds if len(latents.seeds) == p else tuple(range(p))
    betas = latents.more.get("beta", np.ones(p))
    return TrainConfig(seeds=tuple(seeds), betas=tuple(float(beta) for beta in betas))


def _data(
    latents: Latents, data: Data | Dataset | None, rate_hz: float | None, same_rows: bool
) -> tuple[Dataset | None, Dataset, np.ndarray, str]:
    """Return the whole data if there is any, the part of it that has latents, their positions, and how they matched."""
    n = latents.mu_z.shape[1]
    if data is None:
        dataset = _from_arrays(latents, n, rate_hz)
        keys = latents.rows
        numbered = keys is not None and keys.dtype.kind in "iu"
        return None, dataset, keys.astype(np.int64) if numbered else np.arange(n), "by the order of one source"  # type: ignore[union-attr]
    if any(part is not None for part in (latents.u, latents.z, latents.x)) and isinstance(data, FileData):
        latents = dataclasses.replace(latents, u=None, z=None, x=None)
    whole = data if isinstance(data, Dataset) else dataset_of(data)
    at = rows_in(latents, whole, same_rows=same_rows)
    how = "stated to be in the same order" if latents.rows is None else "by time" if whole.row_index.dtype.kind == "f" \
        else "by row number"  # fmt: skip
    if len(np.unique(at)) < len(at):
        raise DataError("Two rows of the latents match the same row of the data; give every row its own number.")
    return whole, _part(whole, at), at, how


def _part(whole: Dataset, at: np.ndarray) -> Dataset:
    """Return some rows of a data set; labels that none of them has stay known by name."""
    if np.array_equal(at, np.arange(whole.n)):
        return whole
    u = None if whole.u is None else whole.u[at]
    names: dict[str, Any] = {}
    if whole.has_labels and u is not None:
        kept, u = np.unique(u, return_inverse=True)
        names = {"u_labels": tuple(whole.u_labels[k] for k in kept)}
    return dataclasses.replace(
        whole, x=whole.x[at], u=u, z=None if whole.z is None else whole.z[at], index=None, trial=None, session=None,
        **names,
    )  # fmt: skip


def _stand_in(mu_z: np.ndarray) -> np.ndarray:
    """Return the first seed's finite, varying latents, which stand in for an unknown x."""
    return next(m for m in mu_z if np.isfinite(m).all() and np.ptp(m, axis=0).any()).copy()


def _from_arrays(latents: Latents, n: int, rate_hz: float | None) -> Dataset:
    """Return u, z and x that came with the latents as a Dataset; latents stand in for an absent x."""
    u, labels = auxiliary(None if latents.u is None else table(latents.u, "u").values, n)
    parts = {name: table(getattr(latents, name), name) for name in ("z", "x") if getattr(latents, name) is not None}
    for name, part in parts.items():
        if len(part.values) != n:
            raise DataError(
                f"{name} must have the {n:,} rows of the latents; got {len(part.values):,}. Give the same rows."
            )
        if part.values.dtype.kind in "US":
            raise DataError(f"{name} must be numbers; got text. Give labels as u.")
    text = latents.more.get("u_labels")
    if text is not None and labels and len(text) == len(labels):
        labels = tuple(map(str, text.tolist()))
    more: dict[str, Any] = {}
    for key in ("u_names", "z_names", "x_names"):
        if key in latents.more and latents.more[key].ndim == 1:
            more[key] = tuple(map(str, latents.more[key].tolist()))
    x = parts["x"].values if "x" in parts else _stand_in(latents.mu_z)
    if "x" not in parts:
        more.pop("x_names", None)
    for name, columns in (("z_names", parts["z"].columns if "z" in parts else ()),):
        more |= {name: columns} if columns else {}
    scale = latents.more.get("x_scale")
    return Dataset(
        "given with the latents", x, u, parts["z"].values if "z" in parts else None, u_labels=labels, rate_hz=rate_hz,
        x_scale=1.0 if scale is None or "x" not in parts else float(scale),
        meta={} if "x" in parts else {"stand-in": "latents"}, **more,
    )  # fmt: skip


def _is_drawn(data: Data | Dataset | None) -> bool:
    """Whether the rows of built-in data are known to be drawn independently of each other."""
    return data is not None and not isinstance(data, Dataset | FileData)


def _prior(latents: Latents) -> Prior:
    """Return the prior that came with an export of our own runs; N(0, I) otherwise, whose statistics are z itself."""
    text = latents.more.get("prior")
    if text is None:
        return StandardPrior()
    try:
        tree = json.loads(str(text))
    except ValueError:
        raise DataError("The prior in the file of the latents is not JSON; export the latents again.") from None
    return read(Annotated[Prior, Field(discriminator="kind")], tree, "prior")


def _parts(
    latents: Latents, whole: Dataset | None, dataset: Dataset, at: np.ndarray, how: How, *, drawn: bool
) -> tuple[Split, Plan | None]:
    """Return which rows of the latents are held out and fitted on, and the plan; None if the source stated them."""
    n, none = latents.mu_z.shape[1], np.zeros(0, np.int64)
    if latents.held_out is not None:
        if latents.held_out.shape != (n,) or not latents.held_out.any():
            raise DataError(f"held_out must mark at least one of the {n:,} rows; got shape {latents.held_out.shape}.")
        train = latents.more.get("train")
        train = ~latents.held_out if train is None or train.shape != (n,) else train.astype(bool) & ~latents.held_out
        return Split(np.flatnonzero(train), np.flatnonzero(latents.held_out), "given", none), None
    if n < MIN_ROWS or (whole is None and "x_rows" in latents.more):  # the export of held-out rows alone
        return Split(none, np.arange(n), "given", none), None
    source = dataset if whole is None else whole
    plan = planned(source, how, drawn=drawn)
    parts = split(source, plan.how, gap=plan.gap)
    if whole is not None:
        of = np.zeros(source.n, int)
        of[parts.train], of[parts.held_out] = 1, 2
        parts = dataclasses.replace(parts, train=np.flatnonzero(of[at] == 1), held_out=np.flatnonzero(of[at] == 2),
                                    gap=np.flatnonzero(of[at] == 0))  # fmt: skip
    if not len(parts.held_out):
        raise DataError("None of the rows is held out in this data; give latents of more rows, or mark held_out rows.")
    return parts, plan


def _all_rows(
    mu: np.ndarray, latents: Latents, dataset: Dataset, positions: np.ndarray, parts: Split, encoder: Any
) -> dict[str, Any]:
    """Return given.npz without x: the latents of all rows, with what is known of each row and each seed."""
    held_out, train = (np.isin(np.arange(mu.shape[1]), rows) for rows in (parts.held_out, parts.train))
    arrays: dict[str, Any] = {"mu_z": mu, "index": positions, "held_out": held_out, "train": train}
    if encoder is not None:
        arrays["encoder"] = np.asarray(encoder)
    arrays |= {key: value for key, value in (("u", dataset.u), ("z", dataset.z)) if value is not None}
    return arrays | _of_members(latents)


def _shown(latents: Latents, arrays: dict[str, Any], dataset: Dataset, *, has_x: bool) -> dict[str, np.ndarray]:
    """Return latents.npz: at most 5,000 held-out rows, as training writes it, without what only a model knows."""
    own = {k.removeprefix(SHOWN): v for k, v in latents.more.items() if k.startswith(SHOWN)}
    if {"mu_z", "index"} <= set(own):
        return own
    rows = np.flatnonzero(arrays["held_out"])
    rows = rows[evenly(len(rows), LATENT_ROWS)]
    out: dict[str, np.ndarray] = {"index": arrays["index"][rows], "mu_z": arrays["mu_z"][:, rows]}
    if latents.std_z is not None:
        out["std_z"] = latents.std_z[:, rows]
    out |= _of_members(latents)
    if dataset.u is not None:
        out["u"] = dataset.u[rows]
    if dataset.z is not None:
        out["z_true"] = dataset.z[rows]
    if has_x:
        shown = evenly(len(rows), max(64, 500_000 // dataset.d_x))
        out |= {"x": dataset.x_float(rows[shown]), "x_rows": shown}
    return out


def _of_members(latents: Latents) -> dict[str, np.ndarray]:
    """Return the bounds, KL and the like that came with the latents, if they have a value for each member."""
    p, _, d = latents.mu_z.shape
    shapes = {name: (p, d) if name == "kl_latent" else (p,) for name in MEMBERS}
    known = {name: latents.more[name] for name in MEMBERS if name in latents.more}
    return {name: value for name, value in known.items() if value.shape == shapes[name]}


def _fingerprint(dataset: Dataset, positions: np.ndarray) -> str | None:
    """Return what identifies rows without x: their numbers, u and factors; None if nothing is known about them."""
    if dataset.u is None and dataset.z is None:
        return None
    digest = hashlib.sha256(repr((dataset.u_names, dataset.z_names, dataset.u_labels)).encode() + positions.tobytes())
    for array in (dataset.u, dataset.z):
        digest.update(b"none" if array is None else array.tobytes())
    return digest.hexdigest()[:16]
