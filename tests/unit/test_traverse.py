"""The decoder's plan says the same as torch, in numpy and in the browser's own JavaScript."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from dvae_core import runs
from dvae_core.config import (
    BernoulliLikelihood,
    Config,
    ConvNet,
    GaussianLikelihood,
    MlpNet,
    ModelConfig,
    NegativeBinomialLikelihood,
    PoissonLikelihood,
    TrainConfig,
)
from dvae_core.export.plan import decode, decoder_plan
from dvae_core.live.decoder import pack
from dvae_core.model.nets import Sizes
from dvae_core.model.start import initialise
from dvae_core.model.vae import Vae
from dvae_core.training.checkpoint import load_vae, write_weights

ACTIVATIONS = ("xtanh", "tanh", "relu", "leaky", "silu", "gelu")
CASES = [
    *({"net": MlpNet(hidden=8, activation=a), "preprocess": "whiten"} for a in ACTIVATIONS),
    *({"net": MlpNet(hidden=8), "preprocess": p} for p in ("none", "centre", "standardise")),
    {"net": MlpNet(hidden=8, depth=0), "likelihood": BernoulliLikelihood()},
    {"net": MlpNet(hidden=8), "likelihood": PoissonLikelihood(), "preprocess": "standardise"},
    {"net": MlpNet(hidden=8), "likelihood": NegativeBinomialLikelihood(), "preprocess": "standardise"},
    {"net": MlpNet(hidden=8), "likelihood": GaussianLikelihood(noise="network"), "preprocess": "standardise"},
    {"net": MlpNet(hidden=8), "rotation": ((0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))},
    {"net": ConvNet(channels=4, hidden=8), "likelihood": BernoulliLikelihood(), "preprocess": "centre"},
    {"net": ConvNet(channels=4, hidden=8), "likelihood": GaussianLikelihood(noise="network"), "preprocess": "centre"},
]  # fmt: skip


def random_run(tmp_path: Path, case: dict) -> runs.Run:
    config = Config(model=ModelConfig(latents=3, **case), train=TrainConfig(seeds=(0, 1), betas=(1.0, 1.0)))
    conv = isinstance(case["net"], ConvNet)
    shape, d_x = ((16, 32, 3), 16 * 32 * 3) if conv else (None, 7)
    run = runs.create(tmp_path / "run", config)
    run.write_json("about.json", {"d_x": d_x, "d_u": 0, "has_labels": False, "x_shape": shape, "u_labels": []})
    vae = Vae(config, Sizes(d_x, x_shape=shape))
    noise = torch.Generator().manual_seed(0)
    initialise(vae, torch.rand(40, d_x, generator=noise))
    with torch.no_grad():
        for w in vae.parameters():
            w.add_(0.2 * torch.randn(w.shape, generator=noise))
    write_weights(run, vae)
    return run


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_numpy_and_the_browser_agree_with_torch(tmp_path, case, node_path):
    run = random_run(tmp_path, case)
    z = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    with torch.no_grad():
        expected = load_vae(run).decoder(torch.from_numpy(z).expand(2, -1, -1)).mean.numpy()
    span = expected.max() - expected.min()
    plan = decoder_plan(run)
    file = tmp_path / "plan.safetensors"
    file.write_bytes(pack(plan.tree, plan.tensors))
    for m in (0, 1):
        # 1e-5 of the range: float32 sums in another order
        assert np.abs(decode(plan, m, z) - expected[m]).max() < 1e-5 * span
        asked = json.dumps({"member": m, "z": z.tolist()})
        cli = Path(__file__).parents[1] / "js" / "decode_cli.js"
        answer = subprocess.run(
            [node_path, str(cli), str(file)], input=asked, capture_output=True, text=True, check=True
        )
        worst = np.abs(np.array(json.loads(answer.stdout)["x"]) - expected[m]).max() / span
        print(f"largest difference {worst:.1e} of the range")
        assert worst < 1e-5


def test_the_plan_id_changes_with_the_weights(tmp_path):
    one = random_run(tmp_path / "1", CASES[0])
    plan = decoder_plan(one)
    weights = one.weights()
    weights["decoder_net.mlp.last.bias"] = weights["decoder_net.mlp.last.bias"] + 1
    one.write_tensors("weights.safetensors", weights)
    assert decoder_plan(one).tree["id"] != plan.tree["id"]
    assert json.loads(json.dumps(plan.tree)) == plan.tree
