"""Draws x ~ p(x|z) without torch: their moments are those of the model's likelihood."""

import dataclasses

import numpy as np
import pytest

from dvae_core import runs
from dvae_core.config import (
    BernoulliLikelihood,
    GaussianLikelihood,
    NegativeBinomialLikelihood,
    PoissonLikelihood,
)
from dvae_core.export.draws import draw_x
from dvae_core.export.plan import decode, decoder_plan
from dvae_core.runs import RunError

DRAWS = 20_000


class Other(runs.Run):
    """A run with another likelihood, and weights that it needs."""

    def __init__(self, run: runs.Run, likelihood, **weights) -> None:
        super().__init__(run.path)
        model = dataclasses.replace(run.config.model, likelihood=likelihood)
        self.other = dataclasses.replace(run.config, model=model)
        self.more = weights

    @property
    def config(self):
        return self.other

    def weights(self):
        return super().weights() | self.more


@pytest.fixture(scope="module")
def talk():
    return runs.find("talk-vae")


def moments(run, plan, z):
    x = draw_x(run, plan, 1, np.repeat(z[None], DRAWS, 0).astype(np.float32))
    return decode(plan, 1, z[None])[0].astype(float), x.mean(0), np.cov(x.T)


def test_a_gaussian_of_whitened_x_has_the_noise_of_the_model(talk):
    plan = decoder_plan(talk)
    mean, found, cov = moments(talk, plan, np.array([0.3, -0.5]))
    std = float(np.exp(talk.weights()["likelihood.log_std"][1, 0]))
    inverse = talk.weights()["scaling.x_inverse"]
    wanted = std**2 * inverse.T @ inverse
    se = np.sqrt(np.diag(wanted) / DRAWS)
    assert (abs(found - mean) < 5 * se).all()
    # a variance of 20,000 draws has an error of 1 %; 5 of them, in units of the larger variance
    np.testing.assert_allclose(cov, wanted, atol=0.05 * np.diag(wanted).max())


@pytest.mark.parametrize(
    "likelihood", [BernoulliLikelihood(), PoissonLikelihood(), NegativeBinomialLikelihood()], ids=lambda s: s.kind
)
def test_counts_and_pixels_have_the_mean_and_the_variance_of_their_likelihood(talk, likelihood):
    a = np.array([0.5, 2.0], np.float32)
    dispersion = np.tile(np.log(a), (talk.config.members, 1))
    run = Other(talk, likelihood, **{"likelihood.log_dispersion": dispersion})
    plan = decoder_plan(run)
    mean, found, cov = moments(run, plan, np.array([0.3, -0.5]))
    variance = {
        "bernoulli": mean * (1 - mean), "poisson": mean, "negative-binomial": mean + a * mean**2
    }[likelihood.kind]  # fmt: skip
    assert (abs(found - mean) < 5 * np.sqrt(variance / DRAWS)).all()
    np.testing.assert_allclose(np.diag(cov), variance, rtol=0.15)  # heavy tails: 5 errors of a = 2
    again = draw_x(run, plan, 1, np.zeros((3, 2), np.float32), seed=1)
    np.testing.assert_array_equal(again, draw_x(run, plan, 1, np.zeros((3, 2), np.float32), seed=1))


def test_noise_from_a_network_is_refused(talk):
    run = Other(talk, GaussianLikelihood(noise="network"))
    with pytest.raises(RunError, match=r"only E\[x\|z\] is drawn"):
        draw_x(run, decoder_plan(talk), 0, np.zeros((1, 2), np.float32))
