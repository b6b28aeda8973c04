"""The models that a study trains: the product of data sets, models, betas and seeds. No torch."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from dvae_core import recipes
from dvae_core.config import Config, ConfigError, Data, FileData, data_from_text, data_to_text
from dvae_core.data.dataset import Dataset
from dvae_core.data.load import dataset_of

MODELS, BETAS, SEEDS = ("vae", "ivae"), (1, 2, 4, 8), 5  # of a study, unless it names others
MEMBERS = 16  # of one population: more are hardly faster on a CPU, and a cluster needs several to distribute


@dataclass(frozen=True)
class Population:
    """One Run of a study: the names of its data and model in the table, and its settings."""

    data: str
    model: str
    config: Config

    @property
    def run_id(self) -> str:
        """The run's folder: a slug of data and model, and the Config's key."""
        slug = re.sub(r"[^a-z0-9]+", "-", f"{self.model} {self.data}".lower()).strip("-")[:40].strip("-")
        return f"{slug}-{self.config.key()}"


def populations(
    data: Sequence[str | Data],
    models: Sequence[str] = MODELS,
    betas: Sequence[float | int] = BETAS,
    seeds: int = SEEDS,
    *,
    dataset_of: Callable[[Data], Dataset] = dataset_of,
    **settings: Any,
) -> list[Population]:
    """Return the populations of a study: every data set with every model, with betas x seeds as members.

    Args:
        data: Data sources, as `Data` objects or in the notation of links and the command line ("sprites,side=32").
        models: "vae" or "ivae", optionally with settings of `recipes.for_dataset`: "vae,posterior=diagonal".
        betas: Weights of the KL; beta = 1 is the plain VAE or iVAE.
        seeds: Number of seeds per model and beta; they are 0, 1, 2, ...
        dataset_of: Loads the data; called once per source.
        settings: Settings for every model, as `recipes.for_dataset` takes them.

    Raises:
        ConfigError: If there is nothing to train, a model or setting does not exist, or an iVAE would have no u.
    """
    betas = tuple(dict.fromkeys(float(b) for b in betas))
    if not (data and models and betas) or seeds < 1:
        raise ConfigError("A study needs at least one data set, one model, one beta and one seed.")
    at_once = max(1, MEMBERS // seeds)
    made: dict[str, Population] = {}
    for given in data:
        source, split = data_from_text(given) if isinstance(given, str) else (given, "auto")
        own = {} if split == "auto" else {"split": split}
        dataset = dataset_of(source)
        for model in models:
            name, requested = _model(model)
            for start in range(0, len(betas), at_once):
                some = [b for b in betas[start : start + at_once] for _ in range(seeds)]
                each = tuple(range(seeds)) * (len(some) // seeds)
                how = {**settings, **own, **requested}
                config = recipes.for_dataset(source, dataset, name, betas=some, seeds=each, **how)
                population = Population(_data_label(given, dataset), model, config)
                made.setdefault(population.run_id, population)
    return list(made.values())


def by_latents(
    data: str | Data,
    latents: Sequence[int],
    goal: str,
    *,
    seeds: int = recipes.MEMBERS_OF_GOAL,
    dataset_of: Callable[[Data], Dataset] = dataset_of,
    **settings: Any,
) -> list[Population]:
    """Return populations of a recording that differ in their number of latents alone, for `analysis.dimensions`.

    Args:
        data: The recording, as in `populations`.
        latents: The numbers to try.
        goal: What they are trained for, see `recipes.for_recording`.
        seeds: Number of seeds of each.
        dataset_of: Loads the data.
        settings: Settings for every model, as `recipes.for_dataset` takes them.

    Raises:
        ConfigError: If there is nothing to train, or the data is no recording with a u.
    """
    models = [f"ivae,latents={d}" for d in dict.fromkeys(latents)]
    return populations([data], models, (1,), seeds, dataset_of=dataset_of, goal=goal, **settings)


def _data_label(given: str | Data, dataset: Dataset) -> str:
    return given if isinstance(given, str) else data_to_text(given) if not isinstance(given, FileData) else dataset.name


def _model(text: str) -> tuple[Any, dict[str, Any]]:
    """Parse "ivae,posterior=full,epochs=20" into a name and settings of `recipes.for_dataset`."""
    name, *pairs = text.split(",")
    names = [n for n in get_args(recipes.ModelName) if n != "beta-vae"]
    if name not in names:
        hint = " A beta-VAE is a vae with betas." if name == "beta-vae" else ""
        raise ConfigError(f"A study's model must be one of {', '.join(names)}; got {name!r}.{hint}")
    known = [setting for setting in recipes.SETTINGS if setting not in ("seeds", "betas", "lrs", "rotation", "net")]
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        if key not in known:
            raise ConfigError(f"A study's model has no setting {key!r}; known are {', '.join(known)}.")
        try:
            settings[key] = json.loads(value)
        except json.JSONDecodeError:
            settings[key] = value
    return name, settings
