"""The ONNX graph says what the library's decoder says, in another program."""

import dataclasses
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from dvae_core import recipes, runs
from dvae_core.config import (
    BernoulliLikelihood,
    ConvNet,
    GaussianLikelihood,
    MlpNet,
    ModelConfig,
    NegativeBinomialLikelihood,
    PoissonLikelihood,
)
from dvae_core.data.dataset import Dataset
from dvae_core.data.load import dataset_of
from dvae_core.export.onnx import decoder_onnx
from dvae_core.export.plan import decoder_plan
from dvae_core.training.checkpoint import load_vae
from tests.helpers import trained_run

ACTIVATIONS = ["xtanh", "tanh", "relu", "leaky", "silu", "gelu"]


def _run_onnx(data, z):
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return session.run(None, {"z": z})[0]


def _close(ours, theirs):
    # float32 sums in another order: 1e-5 of the output's range, as for the browser
    assert np.abs(ours - theirs).max() <= 1e-5 * max(1.0, np.ptp(ours))


@pytest.mark.slow
@pytest.mark.parametrize("run", runs.examples(), ids=lambda run: run.id)
def test_onnx_equals_torch_for_every_member_of_every_shipped_run(run):
    plan, vae = decoder_plan(run), load_vae(run)
    z = np.random.default_rng(0).normal(size=(16, plan.tree["d_z"])).astype(np.float32)
    with torch.no_grad():
        x = vae.decoder(torch.from_numpy(z).expand(vae.p, -1, -1)).mean.numpy()
    for m in range(vae.p):
        _close(x[m], _run_onnx(decoder_onnx(plan, m), z))


def _tiny_run(tmp_path, model, dataset):
    base = recipes.for_dataset(recipes.DigitsData(), dataset_of(recipes.DigitsData()), "vae", members=2, epochs=1)
    return trained_run(tmp_path / "run", dataclasses.replace(base, model=model), dataset)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    "likelihood", [GaussianLikelihood(), PoissonLikelihood(), NegativeBinomialLikelihood()], ids=lambda one: one.kind
)
def test_every_activation(tmp_path, activation, likelihood):
    x = np.random.default_rng(1).poisson(2.0, (60, 7)).astype(np.uint8)
    model = ModelConfig(latents=3, net=MlpNet(hidden=5, activation=activation), likelihood=likelihood)
    if likelihood.is_count:
        model = dataclasses.replace(model, preprocess="standardise")
    run = _tiny_run(tmp_path, model, Dataset("counts", x))
    z = np.random.default_rng(2).normal(size=(9, 3)).astype(np.float32)
    with torch.no_grad():
        ours = load_vae(run).decoder(torch.from_numpy(z).expand(2, -1, -1)).mean.numpy()
    _close(ours[1], _run_onnx(decoder_onnx(decoder_plan(run), 1), z))


def test_convolutional_colour_pictures(tmp_path):
    x = np.random.default_rng(3).integers(0, 2, (40, 16 * 16 * 3), dtype=np.uint8)
    dataset = Dataset("pictures", x, x_shape=(16, 16, 3))
    model = ModelConfig(
        latents=2, net=ConvNet(channels=4, hidden=8), likelihood=BernoulliLikelihood(), preprocess="centre"
    )
    run = _tiny_run(tmp_path, model, dataset)
    z = np.random.default_rng(4).normal(size=(3, 2)).astype(np.float32)
    with torch.no_grad():
        ours = load_vae(run).decoder(torch.from_numpy(z).expand(2, -1, -1)).mean.numpy()
    data = decoder_onnx(decoder_plan(run), 0)
    _close(ours[0], _run_onnx(data, z))
    props = {p.key: p.value for p in onnx.load_from_string(data).metadata_props}
    assert props["x_shape"] == "16 16 3"


def test_a_member_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="members 0 to"):
        decoder_onnx(decoder_plan(runs.examples()[0]), 99)


def test_without_onnx_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match="pip install"):
        decoder_onnx(decoder_plan(runs.examples()[0]))
