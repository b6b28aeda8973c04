"""Variational autoencoders as populations of seeds: train VAE, beta-VAE and iVAE, and measure what they recovered.

Useful without the app: in a notebook, a script or a cluster job. Importing the package loads nothing heavy; modules
that need torch import it themselves.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dvae_core.config import Config
    from dvae_core.data.dataset import Dataset
    from dvae_core.export.estimator import VaeEstimator
    from dvae_core.metrics import mcc
    from dvae_core.model.vae import Vae
    from dvae_core.runs import Run
    from dvae_core.runs import find as example
    from dvae_core.training.train import train

__all__ = ["Config", "Dataset", "Run", "Vae", "VaeEstimator", "example", "mcc", "train"]
__version__ = "0.2.0"

_HOMES = {
    "Config": ("dvae_core.config", "Config"),
    "Dataset": ("dvae_core.data.dataset", "Dataset"),
    "Run": ("dvae_core.runs", "Run"),
    "Vae": ("dvae_core.model.vae", "Vae"),
    "VaeEstimator": ("dvae_core.export.estimator", "VaeEstimator"),
    "example": ("dvae_core.runs", "find"),
    "mcc": ("dvae_core.metrics", "mcc"),
    "train": ("dvae_core.training.train", "train"),
}


def __getattr__(name: str) -> Any:
    """Load one of the main names on first use, so that importing the package loads nothing heavy."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
