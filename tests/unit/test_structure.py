"""The default number of latents follows what the columns of x share."""

import numpy as np
import pytest
from scipy.signal import lfilter

from dvae_core import recipes
from dvae_core.config import FileData
from dvae_core.data.dataset import Dataset
from dvae_core.data.worlds.sources import sources


def latents(dataset: Dataset) -> int:
    return recipes.for_dataset(FileData(path="x.npz"), dataset, "vae").model.latents


def table(factors: int, seed: int = 0, columns: int = 10) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((400, factors)) @ rng.standard_normal((factors, columns)) + 0.5 * rng.standard_normal(
        (400, columns)
    )


def test_two_factors_in_ten_columns_get_two_latents():
    data = Dataset("odours", table(2))
    assert data.components == 2
    assert latents(data) == 2


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_five_factors_in_fifty_dimensions_are_counted(noise):
    data = sources(n_latents=5, d_x=50, segments=20, per_segment=200, seed=1, observation_noise=noise)
    assert data.components == 5


def test_unrelated_columns_have_no_structure_even_if_each_is_slow():
    # a chance of 1 in 21 each that noise exceeds 20 shifted copies of itself; 4 of 20 has p = .015
    found = [Dataset("noise", np.random.default_rng(s).standard_normal((300, 8))).components for s in range(20)]
    assert sum(count > 0 for count in found) < 5
    keep = [lfilter([1], [1, -0.9], np.random.default_rng(s).standard_normal((1000, 8)), axis=0) for s in range(20)]
    slow = [Dataset("slow", x) for x in keep]  # a memory of 20 rows
    assert sum(data.components > 0 for data in slow) < 5


def test_known_factors_few_columns_and_pictures_keep_their_rule():
    assert latents(Dataset("known", table(2), z=table(3, columns=3))) == 3
    assert latents(Dataset("few", table(2, columns=4))) == 4
    assert latents(Dataset("pictures", table(2, columns=16), x_shape=(4, 4))) == 10
    assert latents(Dataset("noise", np.random.default_rng(0).standard_normal((300, 8)))) == 2
