"""Every shipped decoder gives the same picture in the browser as in torch."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from dvae_core import runs
from dvae_core.export.plan import decoder_plan
from dvae_core.live.decoder import pack
from dvae_core.training.checkpoint import load_vae

CLI = Path(__file__).parents[1] / "js" / "decode_cli.js"


@pytest.mark.slow
@pytest.mark.parametrize("run", runs.examples(), ids=lambda run: run.id)
def test_every_member_of_a_shipped_run_decodes_in_javascript_as_in_torch(run, node_path, tmp_path):
    plan = decoder_plan(run)
    file = tmp_path / "decoder.safetensors"
    file.write_bytes(pack(plan.tree, plan.tensors))
    z = np.random.default_rng(0).normal(0, 1.5, (64, plan.tree["d_z"])).astype(np.float32)
    members = plan.tree["members"]
    with torch.no_grad():
        expected = load_vae(run).decoder(torch.from_numpy(z).expand(members, -1, -1)).mean.numpy()
    asked = json.dumps([{"member": m, "z": z.tolist()} for m in range(members)])
    answer = subprocess.run([node_path, str(CLI), str(file)], input=asked, capture_output=True, text=True, check=True)
    found = np.array([member["x"] for member in json.loads(answer.stdout)])
    worst = np.abs(found - expected).max() / (expected.max() - expected.min())
    print(f"{run.id}: largest difference {worst:.1e} of the range")
    assert worst < 1e-5  # float32 sums in another order
