"""Data that come with an installed package: nothing to download."""

import numpy as np

from dvae_core.data import Dataset


def digits() -> Dataset:
    """Handwritten digits of 8 x 8 pixels: 1,797 pictures in [0, 1], u = which digit was written; factors unknown."""
    from sklearn.datasets import load_digits  # not at the top: it takes seconds to import

    pixels, digit = load_digits(return_X_y=True)
    return Dataset(
        name="Digits",
        x=np.asarray(pixels, dtype=np.float32) / 16,  # stored as 0..16
        u=np.asarray(digit),
        u_names=("digit",),
        x_shape=(8, 8),
        meta={
            "source": "UCI optical recognition of handwritten digits, test set (Alpaydin and Kaynak 1998), as shipped "
            "with scikit-learn",
            "licence": "CC BY 4.0",
        },
    )
