"""Handwritten digits from an installed package: real pictures without a download."""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np

from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.worlds.world import World
from dvae_core.settings import settings


@settings
class DigitsData:
    """1,797 handwritten digits of 8 x 8 pixels, from scikit-learn."""

    kind: Literal["digits"] = "digits"


def digits() -> Dataset:
    """Return 1,797 handwritten digits of 8 x 8 pixels in [0, 1], with u = the digit, from scikit-learn.

    The file is read without importing scikit-learn, which would cost the app's server 150 MB and more than a second.

    Raises:
        DataError: If scikit-learn, which holds the file, is not installed.
    """
    package = find_spec("sklearn")
    folders = [] if package is None else package.submodule_search_locations or []
    files = [path for folder in folders if (path := Path(folder, "datasets", "data", "digits.csv.gz")).exists()]
    if not files:
        raise DataError("The digits come with scikit-learn, and it was not found; install scikit-learn.")
    table = np.loadtxt(files[0], delimiter=",")
    return Dataset(
        name="Digits",
        x=(table[:, :-1] / 16).astype(np.float32),  # stored as 0..16
        u=table[:, -1].astype(np.int64),
        u_names=("digit",),
        x_shape=(8, 8),
        meta={
            "source": "UCI optical recognition of handwritten digits, test set, as shipped with scikit-learn",
            "licence": "CC BY 4.0",
        },
    )


WORLD = World(
    "digits",
    DigitsData,
    lambda data: digits(),
    lambda data: "handwritten digits",
    "1,797 handwritten digits of 8 x 8 pixels; u is the digit. The true factors are unknown.",
)
