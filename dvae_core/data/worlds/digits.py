"""Handwritten digits from an installed package, or shipped: real pictures without a download."""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np

import dvae_core
from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.worlds.world import World
from dvae_core.settings import setting, settings

LARGE = Path(dvae_core.__file__).parent / "examples" / "digits.npz"  # beside its licence, ATTRIBUTION.md
Size = Literal["8x8", "28x28"]


@settings
class DigitsData:
    """Handwritten digits: 1,797 of 8 x 8 pixels from scikit-learn, or 3,000 of 28 x 28 from MNIST's test set."""

    kind: Literal["digits"] = "digits"
    size: Size = setting("8x8", "Pixels", "8x8: from scikit-learn; 28x28: 3,000 of MNIST", late=True)


def digits(*, size: Size = "8x8") -> Dataset:
    """Return handwritten digits in [0, 1], with u = the digit: 1,797 of 8 x 8 pixels, or 3,000 of 28 x 28.

    Args:
        size: "8x8" for the digits that scikit-learn holds, "28x28" for those that are shipped, from MNIST.

    Raises:
        DataError: If their file is missing.
    """
    return _small() if size == "8x8" else _large()


def _large() -> Dataset:
    if not LARGE.is_file():
        raise DataError("The digits of 28 x 28 pixels are missing from the installation; install the software again.")
    with np.load(LARGE, allow_pickle=False) as stored:
        x, digit = stored["x"], stored["digit"]
    return Dataset(
        name="Digits of MNIST",
        x=(x.reshape(len(x), -1) / 255).astype(np.float32),
        u=digit.astype(np.int64),
        u_names=("digit",),
        x_shape=x.shape[1:],
        meta={
            "source": "the first 3,000 pictures of the MNIST test set (Y. LeCun and C. Cortes, from NIST data)",
            "licence": "CC BY-SA 3.0",
        },
    )


def _small() -> Dataset:
    """Return the digits of scikit-learn.

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
    lambda data: digits(size=data.size),
    lambda data: "handwritten digits" + (", 28 x 28" if data.size == "28x28" else ""),
    "Handwritten digits, 1,797 of 8 x 8 pixels or 3,000 of 28 x 28; u is the digit. The true factors are unknown.",
    dials=("size",),
)
