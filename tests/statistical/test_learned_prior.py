"""The learned exponential family against the Gaussian one, on factors that are not Gaussian: held-out ELBO, 8 seeds."""

import numpy as np
import pytest

from dvae_core import recipes
from dvae_core.config import GaussianPrior, LearnedPrior, SourcesData
from dvae_core.data.load import dataset_of
from tests.helpers import scores_of, trained_run


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.timeout(600)
@pytest.mark.parametrize("noise", ["bimodal", "student"])
def test_the_learned_family_fits_what_the_gaussian_cannot(noise, tmp_path):
    """Every seed gains, and the mean gain exceeds the spread over seeds (measured: see benchmarks/learned_prior.py)."""
    data = SourcesData(noise=noise, modulate="variance", segments=10, per_segment=300, layers=2)
    elbo = {}
    for name, prior in (("gaussian", GaussianPrior()), ("learned", LearnedPrior())):
        config = recipes.for_dataset(
            data, dataset_of(data), "ivae", members=8, posterior="gauss-newton", epochs=50, prior=prior
        )
        scores = scores_of(trained_run(tmp_path / name, config, score=True))
        elbo[name] = np.array([member.elbo for member in scores.members])
    gain = elbo["learned"] - elbo["gaussian"]
    assert (gain > 0).all()
    assert gain.mean() > gain.std()
