"""Import a population that was trained in the browser: the file that the playground saves becomes a run folder.

The file is treated as hostile: it is safetensors (numbers and a text header, nothing is executed), every setting is
checked, and weights that do not fit their settings are refused. Curves are not in the file, so history.csv has the
final held-out bound alone.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from dvae_core.config import (
    Config,
    ConfigError,
    FileData,
    GaussianLikelihood,
    GaussianPrior,
    MlpNet,
    ModelConfig,
    StandardPrior,
    TimePrior,
    TrainConfig,
)
from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.load import dataset_of
from dvae_core.data.split import Split, split
from dvae_core.metrics import stuck
from dvae_core.model.vae import Vae
from dvae_core.runs import Run, RunError, create
from dvae_core.runs.data import facts_of
from dvae_core.runs.files import arrays_to, tensors_from, write_atomically
from dvae_core.runs.run import LATENT_ROWS
from dvae_core.training.checkpoint import sizes_of, write_weights
from dvae_core.training.record import HeldOut, History, order_of, write_latents

FORMAT = "dvae-playground-1"
MAX_BYTES = 2**26
AGAIN = "save the population again from the playground."
TEXTS = ("format", "settings", "seeds", "step", "latents", "segments")


@dataclass(frozen=True)
class Saved:
    """A file that the playground saved: numbers by name, and the notes in its header."""

    arrays: dict[str, np.ndarray]
    settings: dict[str, Any]
    seeds: tuple[int, ...]
    step: int
    latents: int


def import_run(source: Path, path: Path, *, title: str = "") -> Run:
    """Make a finished run at `path` of a file that the playground saved; its data goes into the same folder.

    Raises:
        RunError: If the file is not such a file, is damaged, or holds what the library cannot train.
        ConfigError: If a setting is out of range.
    """
    saved = saved_from(source)
    folder = path.absolute().parent / "data"
    data_path = folder / f"{path.name}.npz"
    folder.mkdir(parents=True, exist_ok=True)
    if data_path.exists():
        raise RunError(f"{data_path} already exists; choose another name for the run.")
    try:
        write_atomically(data_path, arrays_to(_world(saved)))
        config = config_of(saved, data_path)
        dataset = dataset_of(config.data)
        parts = split(dataset, config.split, gap=config.gap)
        _check_parts(saved, parts)
        vae = vae_of(saved, config, dataset)
        run = create(path, config, title=title or "From the playground")
    except (ConfigError, DataError, RunError, ValueError):
        data_path.unlink(missing_ok=True)
        raise
    _finish(run, saved, vae, dataset, parts)
    return run


def saved_from(source: Path) -> Saved:
    """Read and check the file."""
    if source.stat().st_size > MAX_BYTES:
        raise RunError(f"{source.name} is larger than {MAX_BYTES // 2**20} MiB, which no playground saves; {AGAIN}")
    data = source.read_bytes()
    try:
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        notes = {name: str(header["__metadata__"][name]) for name in TEXTS}
        arrays = tensors_from(data)
        settings, seeds = json.loads(notes["settings"]), json.loads(notes["seeds"])
        step, latents = int(notes["step"]), int(notes["latents"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunError(f"{source.name} was not saved by the playground, or is damaged; {AGAIN}") from error
    if notes["format"] != FORMAT:
        raise RunError(f"{source.name} has the format {notes['format'][:40]!r}; this version reads {FORMAT}; {AGAIN}")
    is_list = isinstance(seeds, list) and all(type(seed) is int for seed in seeds)
    if not isinstance(settings, dict) or not is_list or step < 1:
        raise RunError(f"{source.name} holds no trained population (settings, seeds and steps); {AGAIN}")
    x = arrays.get("world.x")
    if x is None or x.ndim != 2 or not np.isfinite(x).all() or "held_out" not in arrays:
        raise RunError(f"{source.name} lacks the data it was trained on (world.x, held_out); {AGAIN}")
    for name in ("world.u", "world.z"):
        if name in arrays and (len(arrays[name]) != len(x) or not np.isfinite(arrays[name]).all()):
            raise RunError(f"{source.name}: {name} must be finite and have the {len(x):,} rows of world.x; {AGAIN}")
    return Saved(arrays, settings, tuple(seeds), step, latents)


def _world(saved: Saved) -> dict[str, np.ndarray]:
    """Return x, u and z as in an npz file of a user's data; values of u are text, so that they are read as labels."""
    out = {"x": saved.arrays["world.x"]}
    if "world.u" in saved.arrays:
        out["u"] = np.array([f"u{int(value) + 1:03d}" for value in saved.arrays["world.u"]])
    if "world.z" in saved.arrays:
        out["z"] = saved.arrays["world.z"]
    return out


def config_of(saved: Saved, data_path: Path) -> Config:
    """Return the playground's settings as a Config."""
    s, given = saved.settings, saved.arrays
    if s.get("prior") not in ("normal", "u", "time"):
        raise RunError(f"There is no prior {str(s.get('prior'))[:40]!r} in the playground; {AGAIN}")
    names = {"x": ("x",), "u": ("u",) if "world.u" in given else (), "z": ("z",) if "world.z" in given else ()}
    over_time = s["prior"] == "time"
    is_train = np.ones(len(given["world.x"]), bool)
    try:
        is_train[given["held_out"].astype(np.int64)] = False
        examples = int((is_train[:-1] & is_train[1:]).sum() if over_time else is_train.sum())
        per_epoch = examples // min(int(s["batch"]), examples)
        model = ModelConfig(
            latents=saved.latents,
            posterior=s["posterior"],
            net=MlpNet(hidden=s["hidden"]),
            likelihood=GaussianLikelihood(),
            preprocess="whiten" if given["scaling.x_forward"].ndim == 2 else "standardise",
        )
        train = TrainConfig(
            seeds=saved.seeds,
            betas=(float(s["beta"]),) * len(saved.seeds),
            epochs=max(1, round(saved.step / per_epoch)),
            batch=s["batch"],
            lr=s["rate"],
            optimiser=s["optimiser"],
            device="cpu",
        )
    except (KeyError, IndexError, TypeError, ValueError, ZeroDivisionError) as error:
        if isinstance(error, ConfigError):
            raise
        raise RunError(f"The playground's settings are incomplete or of the wrong kind ({error}); {AGAIN}") from error
    prior = {
        "normal": StandardPrior(),
        "u": GaussianPrior(modulate="both"),
        "time": TimePrior(shuffle=bool(s.get("shuffleTime"))),
    }[s["prior"]]
    # The world has no clock: one row a second says that rows follow each other, as this prior assumes.
    data = FileData(path=str(data_path), rate_hz=1.0 if over_time else None, **names)
    return Config(data=data, split="blocks", gap=0, model=model, prior=prior, train=train)


def _check_parts(saved: Saved, parts: Split) -> None:
    """Check that scores are computed on rows that the population has not seen."""
    if not np.array_equal(np.sort(saved.arrays["held_out"].astype(np.int64)), parts.held_out):
        raise RunError(f"The file's held-out rows are not those that a run would be scored on; {AGAIN}")


def vae_of(saved: Saved, config: Config, dataset: Dataset) -> Vae:
    """Return the model with the file's weights; every one must be there and fit."""
    vae = Vae(config, sizes_of(dataset))
    own = vae.state_dict()
    given = {name: torch.from_numpy(np.array(value)) for name, value in saved.arrays.items() if name in own}
    for name in [name for name, _ in vae.named_parameters()] + [
        "scaling.x_mean",
        "scaling.x_forward",
        "scaling.x_inverse",
    ]:
        found: tuple[int, ...] | str = tuple(given[name].shape) if name in given else "nothing"
        if found != tuple(own[name].shape):
            raise RunError(
                f"The weights do not fit the settings: {name} should be {tuple(own[name].shape)}, got {found}; {AGAIN}"
            )
    if not all(bool(torch.isfinite(given[name]).all()) for name in given if name.startswith("scaling.")):
        raise RunError(f"The file's preprocessing of x is not finite; {AGAIN}")
    vae.load_state_dict({**own, **given})
    return vae.eval()


def _finish(run: Run, saved: Saved, vae: Vae, dataset: Dataset, parts: Split) -> None:
    """Write what training would have written at its end."""
    run.write_json("about.json", {**run.about, **facts_of(dataset, parts, drawn=False), "trained_in": "browser"})
    write_weights(run, vae)
    stretch = order_of(run.config, dataset, parts)
    held_out = HeldOut(dataset, parts.held_out, vae, torch.device("cpu"), stretch)
    History(run, run.config).add(saved.step, held_out.elbo(vae), "held_out", 0.0)
    arrays = write_latents(run, vae, held_out, LATENT_ROWS)
    failed = _failed(saved, arrays["elbo"])
    late = {
        m: why
        for m, why in stuck(arrays["elbo"], arrays["kl_latent"], run.config.train.betas).items()
        if m not in failed
    }
    lost = [f"{len(failed)} of {vae.p} members diverged and are shown as failed."] if failed else []
    lost += [f"Seed {saved.seeds[m]} is stuck: {why}." for m, why in late.items()]
    run.set_status(
        state="finished", step=saved.step, steps=saved.step, device="browser", dtype="float32",
        failed_members=failed, stuck_members=list(late), message=" ".join(lost),
    )  # fmt: skip


def _failed(saved: Saved, elbo: Float[np.ndarray, " p"]) -> list[int]:
    """Return the members whose gradient was not finite in the browser, or whose bound is not here."""
    named = saved.arrays.get("failed", np.full(len(elbo), -1.0))
    return np.flatnonzero((named >= 0) | ~np.isfinite(elbo)).tolist()
