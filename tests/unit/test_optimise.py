"""Muon: orthogonal steps for the nets' matrices, each member's own; Adam for the rest; both resume."""

import numpy as np
import pytest
import torch

from dvae_core import recipes, runs
from dvae_core.config import SourcesData
from dvae_core.data.load import dataset_of
from dvae_core.model.start import initialise
from dvae_core.model.vae import Vae
from dvae_core.training.checkpoint import sizes_of
from dvae_core.training.engine import Flat
from dvae_core.training.optimiser import Optimiser, orthogonalise
from dvae_core.training.train import train

DATA = SourcesData(segments=3, per_segment=100)


def population(members: int):
    dataset = dataset_of(DATA)
    config = recipes.for_dataset(DATA, dataset, "ivae", members=members)
    vae = Vae(config, sizes_of(dataset))
    initialise(vae, torch.from_numpy(dataset.x_float()))
    return vae, Flat(vae)


def test_orthogonal_factors():
    noise = torch.Generator().manual_seed(0)
    for shape in ((4, 8, 8), (4, 5, 12), (4, 12, 5)):
        given = torch.randn(shape, generator=noise)
        left, values, right = torch.linalg.svd(orthogonalise(given), full_matrices=False)
        # Jordan et al. 2024: the quintic's fixed range; 5 steps lift singular values above 1e-2 of the largest into it
        assert values.min() > 0.6
        assert values.max() < 1.3
        u, _, v = torch.linalg.svd(given, full_matrices=False)
        # the same directions: the polar factor is U V^T
        torch.testing.assert_close(left @ right, u @ v, rtol=0, atol=2e-3)


def test_each_parameter_moves_as_it_should():
    vae, flat = population(2)
    plain_vae, plain = population(2)
    ours, adam = Optimiser("muon", vae, flat.tensor), Optimiser("adam", plain_vae, plain.tensor)
    gradient = torch.randn(flat.tensor.shape, generator=torch.Generator().manual_seed(0))
    start = {name: w.detach().clone() for name, w in vae.named_parameters()}
    flat.grad.copy_(gradient)
    plain.grad.copy_(gradient)
    ours.step(0.01)
    adam.step(0.01)
    theirs = dict(plain_vae.named_parameters())
    moved = [name for name, w in vae.named_parameters() if not torch.equal(w, theirs[name])]
    assert moved == [
        f"{net}.mlp.{layer}.weight"
        for net in ("encoder_net", "decoder_net")
        for layer in ("hidden.0", "hidden.1", "last")
    ]
    for name in moved:
        step = (dict(vae.named_parameters())[name] - start[name]) / 0.02
        d_in, d_out = step.shape[1:]
        values = torch.linalg.svdvals(step) / max(1, d_out / d_in) ** 0.5
        assert 0.6 < values.median() < values.max() < 1.3, name  # a square random matrix has one value near 0


def test_a_member_does_not_notice_its_neighbours():
    noise = torch.Generator().manual_seed(0)
    steps = [[torch.randn(3, *w.shape[1:], generator=noise) for w in population(1)[0].parameters()] for _ in range(5)]
    results = []
    for members in (1, 3):
        vae, flat = population(members)
        optimiser = Optimiser("muon", vae, flat.tensor)
        for step in steps:
            for w, grad in zip(vae.parameters(), step, strict=True):
                w.grad.copy_(grad[:members])
            optimiser.step(0.01)
        results.append([w.detach()[0].clone() for w in vae.parameters()])
    torch.testing.assert_close(*results, rtol=0, atol=1e-5)  # kernels differ with p


@pytest.mark.slow
def test_muon_resumes_bit_for_bit(tmp_path):
    config = recipes.for_dataset(
        DATA, dataset_of(DATA), "ivae", members=2, posterior="gauss-newton", batch=30, epochs=3
    )
    assert config.train.optimiser == "muon"
    whole, parts = runs.create(tmp_path / "whole", config), runs.create(tmp_path / "parts", config)
    list(train(whole))
    training = train(parts)
    for _ in range(8):
        next(training)
    training.close()
    list(train(parts))
    for name, weight in whole.weights().items():
        np.testing.assert_array_equal(parts.weights()[name], weight, err_msg=name)
