"""The start of training is the same on every machine, whichever basis its linear algebra finds."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from dvae_core import recipes, runs
from dvae_core.config import Config, ModelConfig, PoissonLikelihood, SourcesData, TrainConfig
from dvae_core.data.load import dataset_of
from dvae_core.model.scaling import settled
from dvae_core.model.start import initialise
from dvae_core.model.vae import Sizes, Vae
from dvae_core.training.checkpoint import sizes_of
from dvae_core.training.train import train
from tests.helpers import small_config

SMALL = {"n_latents": 3, "segments": 5, "per_segment": 100}
WORLDS = {
    "whitened, as many x as latents: every basis is one of principal axes": SourcesData(**SMALL),
    "lifted to more x than latents": SourcesData(**SMALL, d_x=6),
}
STARTED = """
import sys, numpy as np
from dvae_core.config import SourcesData
from tests.unit.test_start import SMALL, started
np.savez(sys.argv[1], **started(SourcesData(**SMALL)))
"""


def started(data):
    """Return every number of a population before its first step."""
    dataset = dataset_of(data)
    config = recipes.for_dataset(data, dataset, "ivae", members=2)
    vae = Vae(config, sizes_of(dataset))
    initialise(vae, torch.from_numpy(dataset.x_float()), torch.from_numpy(dataset.u_features()))
    return {name: tensor.numpy() for name, tensor in vae.state_dict().items()}


def turned(vectors, values):
    """Return another basis, in columns, of each span of singular vectors or eigenvectors with equal values."""
    ends = (torch.nonzero(torch.diff(values).abs() > 1e-6 * values.abs().max()).flatten() + 1).tolist()
    spans = []
    for number, span in enumerate(vectors.tensor_split(ends, 1)):
        noise = torch.Generator().manual_seed(number)
        spans.append(-torch.linalg.qr(torch.randn(span.shape[1], span.shape[1], generator=noise).to(span))[0])
    turn = torch.block_diag(*spans)
    assert not torch.allclose(turn, torch.eye(len(turn)).to(turn))
    return turn


@pytest.mark.parametrize("name", WORLDS)
def test_the_start_does_not_depend_on_the_basis_that_linear_algebra_finds(name, monkeypatch):
    usual = started(WORLDS[name])
    svd, eigh = torch.linalg.svd, torch.linalg.eigh

    def another_svd(matrix, full_matrices=True):
        left, values, right = svd(matrix, full_matrices=full_matrices)
        turn = turned(right.T, values)
        return left @ turn, values, turn.T @ right

    def another_eigh(matrix):
        values, vectors = eigh(matrix)
        return values, vectors @ turned(vectors, values)

    monkeypatch.setattr(torch.linalg, "svd", another_svd)
    monkeypatch.setattr(torch.linalg, "eigh", another_eigh)
    again = started(WORLDS[name])
    for part, tensor in usual.items():
        # values that differ by up to 1e-6 count as equal here
        np.testing.assert_allclose(again[part], tensor, atol=3e-6, err_msg=part)
    paths = usual["encoder_net.skip.weight"]
    assert np.abs(paths[0] - paths[1]).max() > 0.1  # members start independently


@pytest.mark.slow
def test_the_start_does_not_depend_on_the_instruction_set(tmp_path):
    environment = {**os.environ, "MKL_ENABLE_INSTRUCTIONS": "SSE4_2", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", STARTED, str(tmp_path / "start.npz")]
    subprocess.run(command, env=environment, check=True)
    there = np.load(tmp_path / "start.npz")
    for part, tensor in started(SourcesData(**SMALL)).items():
        np.testing.assert_allclose(there[part], tensor, rtol=1e-6, atol=1e-7, err_msg=part)


def counting(start: str, *, window=(0, 0), seeds=tuple(range(12))) -> tuple[Vae, torch.Tensor]:
    """Return a Poisson population before its first step, on 400 rows of eight units that follow two signals."""
    rng = np.random.default_rng(0)
    x = rng.poisson(np.exp(1 + 0.4 * rng.standard_normal((400, 2)) @ rng.standard_normal((2, 8)))).astype(np.float32)
    likelihood = PoissonLikelihood()
    model = ModelConfig(latents=2, likelihood=likelihood, preprocess="standardise", start=start, window=window)  # type: ignore[arg-type]
    config = Config(model=model, train=TrainConfig(seeds=seeds, betas=(1.0,) * len(seeds)))
    vae = Vae(config, Sizes(d_x=8))
    seen = np.concatenate([np.roll(x, -k, axis=0) for k in range(-window[0], window[1] + 1)], axis=1)
    initialise(vae, torch.from_numpy(seen))
    return vae, torch.from_numpy(seen)


@pytest.mark.parametrize("start", ["components", "random", "mirrored"])
def test_members_start_in_both_orientations(start):
    """det(A_0^+ A_m) is 1 or -1 times a size: a rotation of the first member's axes, or one with a reflection."""
    vae, x = counting(start)
    z = (vae.scaling(x) @ vae.encoder_net.skip.weight).detach().double()
    z = z - z.mean(1, keepdim=True)
    signs = [torch.linalg.det(torch.linalg.lstsq(z[0], own).solution).sign().item() for own in z]
    assert set(signs) == {1.0, -1.0}
    if start == "mirrored":
        assert all(a == -b for a, b in zip(signs[::2], signs[1::2], strict=True))


@pytest.mark.parametrize("window", [(0, 0), (2, 1)])
def test_a_mirrored_start_differs_in_one_axis_and_its_log_rates_are_a_regression(window):
    vae, x = counting("mirrored", window=window, seeds=(3, 4))
    one, two = vae.encoder_net.skip.weight.detach().numpy()
    np.testing.assert_array_equal(two, one * [-1, 1])
    h = vae.scaling(x).double()
    z = (h - h.mean(0)) @ vae.encoder_net.skip.weight[0].detach().double()
    counts = vae.row(x).double()
    expected = (z.T @ (counts - counts.mean(0)) / len(z) / counts.mean(0)).numpy()  # cov(z, x) / mean(x)
    np.testing.assert_allclose(vae.decoder_net.skip.weight[0].detach().numpy(), expected, atol=1e-5)
    assert np.abs(expected).max() > 0.1


@pytest.mark.slow
def test_a_resumed_run_keeps_the_axes_of_x_that_it_began_with(tmp_path, monkeypatch):
    """Its weights were trained on them; an older version found axes with other signs."""
    config = small_config()
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, preprocess="whiten"))
    whole, parted = (runs.create(tmp_path / name, config) for name in ("whole", "parted"))
    with monkeypatch.context() as older:
        older.setattr("dvae_core.model.scaling.settled", lambda variances, axes: -settled(variances, axes))
        for _ in train(whole):
            pass
        begun = train(parted)
        for _ in range(3):
            next(begun)
        begun.close()
    for _ in train(parted):
        pass
    assert parted.status().state == "finished"
    for name, weight in whole.weights().items():
        np.testing.assert_array_equal(parted.weights()[name], weight, err_msg=name)
