"""A store with one small run of each kind that pages must cope with, trained once a session."""

import dataclasses
import functools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from dvae_core import recipes, runs
from dvae_core.config import Config, DigitsData, FileData, NeuronsData, SourcesData
from dvae_core.data.load import dataset_of
from tests.helpers import trained_run

ROOT = Path(__file__).parents[2]
PAGES = (
    "start", "data", "train", "traverse", "rotate", "any_prior", "recover", "agree", "conditions", "bend", "study",
    "runs",
)  # fmt: skip
SCAN = "scan_component_manifests"
KINDS = ("ivae", "vae", "digits", "neurons", "one-latent", "unknown-truth")


def small(data, model, **more) -> Config:
    quick = {} if isinstance(data, DigitsData) else {"posterior": "full"}
    return recipes.for_dataset(data, dataset_of(data), model, members=2, **({"epochs": 2} | quick | more))


@pytest.fixture(scope="session", autouse=True)
def _installed_packages_are_read_once() -> Iterator[None]:
    """Every run of an AppTest reads the metadata of all installed packages: half a second for what never changes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, SCAN, functools.cache(getattr(manifest_scanner, SCAN)))
        yield


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one finished run of each of KINDS."""
    import torch

    from dvae_core.analysis.rotation.compute import rotation

    store = tmp_path_factory.mktemp("trained")
    rng = np.random.default_rng(0)
    table = store / "data" / "table.npz"
    table.parent.mkdir()
    np.savez(table, x=rng.normal(size=(200, 5)), u=rng.normal(size=(200, 2)))
    sources = SourcesData(segments=3, per_segment=80)
    configs = {
        "ivae": small(sources, "ivae"),
        "vae": small(sources, "vae"),
        "digits": small(DigitsData(), "beta-vae", latents=3, epochs=1),
        "neurons": small(NeuronsData(n_neurons=12, segments=3, per_segment=80), "ivae", latents=3),
        "one-latent": small(dataclasses.replace(sources, n_latents=1, d_x=3), "vae"),
        "unknown-truth": small(FileData(path=str(table)), "ivae", latents=2),
    }
    for name, config in configs.items():
        trained_run(store / name, config, title=f"Run {name}", score=True)
    with torch.no_grad():
        for _ in rotation(runs.Run(store / "vae"), step=45.0):
            pass
    return store


@pytest.fixture
def no_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store, and no shipped runs either; returns the store."""
    monkeypatch.setenv("DVAE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr("dvae_core.runs.store.examples_folder", lambda: tmp_path / "no examples")
    return tmp_path / "runs"


@pytest.fixture
def store(trained: Path, no_runs: Path) -> Path:
    """A store of its own with a copy of every trained run."""
    shutil.copytree(trained, no_runs)
    return no_runs


@pytest.fixture
def visit() -> Callable[..., AppTest]:
    """Open a page through the router, with query parameters."""

    def open_page(page: str, **query: str) -> AppTest:
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        for key, value in {**query, "to": page}.items():
            at.query_params[key] = value
        return at.run()

    return open_page
