"""The arithmetic of the components, in node."""

import json
import subprocess
from pathlib import Path

import numpy as np

from dvae_core.live.decoder import pack

ROOT = Path(__file__).parents[2]


def test_javascript_arithmetic(node_path):
    files = map(str, sorted(Path(ROOT, "tests", "js").glob("*.test.js")))
    found = subprocess.run([node_path, "--test", *files], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-3000:] + found.stderr[-1000:]


def test_a_decoder_packed_here_is_decoded_by_node(node_path, tmp_path):
    rng = np.random.default_rng(0)
    w, b = rng.normal(size=(2, 3, 4)).astype("f4"), rng.normal(size=(2, 4)).astype("f4")
    ops = [
        {"op": "start"},
        {"op": "linear", "weight": "w", "bias": "b", "shared": False},
        {"op": "act", "name": "tanh"},
    ]
    plan = {"id": "t", "members": 2, "d_z": 3, "d_x": 4, "x_shape": None, "likelihood": "gaussian", "ops": ops}
    path = tmp_path / "decoder.safetensors"
    path.write_bytes(pack(plan, {"w": w, "b": b}))
    z = rng.normal(size=(5, 3)).astype("f4")
    asked = json.dumps({"member": 1, "z": z.tolist()})
    found = subprocess.run(
        [node_path, "tests/js/decode_cli.js", str(path)],
        cwd=ROOT,
        input=asked,
        capture_output=True,
        text=True,
        check=True,
    )
    np.testing.assert_allclose(json.loads(found.stdout)["x"], np.tanh(z @ w[1] + b[1]), atol=1e-6)
