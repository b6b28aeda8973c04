"""On a GPU: the recorded step is the plain one, and both agree with the CPU. Skipped without CUDA."""

import logging

import numpy as np
import pytest
import torch

from dvae_core import recipes
from dvae_core.config import SourcesData
from dvae_core.data.load import dataset_of
from dvae_core.model.start import initialise
from dvae_core.model.vae import Vae
from dvae_core.training.checkpoint import sizes_of
from dvae_core.training.engine import Batches, Engine, Recorded

DATA = SourcesData(segments=3, per_segment=100)
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def engine_on(device: str, posterior: str = "full") -> Engine:
    dataset = dataset_of(DATA)
    config = recipes.for_dataset(DATA, dataset, "ivae", members=3, posterior=posterior, batch=32, epochs=5)
    vae = Vae(config, sizes_of(dataset))
    initialise(vae, torch.from_numpy(dataset.x_float()), torch.from_numpy(dataset.u_features()))
    vae.to(device)
    return Engine(vae, Batches(dataset, np.arange(dataset.n), vae, torch.device(device)))


def test_a_step_that_cannot_be_recorded_runs_as_usual_and_says_why(caplog):
    if torch.cuda.is_available():
        pytest.skip("only a machine without CUDA is sure to refuse")
    plain, recorded = engine_on("cpu"), engine_on("cpu")
    recorded.recorded = Recorded(recorded)
    with caplog.at_level(logging.WARNING):
        for step in range(12):
            plain.step(step)
            recorded.step(step)
    assert caplog.text.count("no CUDA graph") == 1
    ours, theirs = recorded.state(), plain.state()
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        # the rate is a float32 tensor here and a double there: one rounding in 10^7 of a step of 0.005
        np.testing.assert_allclose(ours[name], expected, rtol=1e-4, atol=1e-6, err_msg=name)


@needs_cuda
@pytest.mark.parametrize("posterior", ["diagonal", "full", "gauss-newton"])
def test_gpu_and_cpu_agree(posterior):
    cpu, gpu = engine_on("cpu", posterior), engine_on("cuda", posterior)
    for step in range(20):
        cpu.step(step)
        gpu.step(step)
    # float32 sums in another order, 20 steps of at most 0.005: stated tolerance 1e-3
    np.testing.assert_allclose(gpu.state()["parameters"], cpu.state()["parameters"], rtol=0, atol=1e-3)


@needs_cuda
def test_the_recorded_step_is_the_plain_one(caplog):
    recorded, plain = engine_on("cuda"), engine_on("cuda")
    plain.recorded = None
    for step in range(20):
        recorded.step(step)
        plain.step(step)
    assert "no CUDA graph" not in caplog.text
    np.testing.assert_allclose(recorded.state()["parameters"], plain.state()["parameters"], rtol=0, atol=1e-5)
