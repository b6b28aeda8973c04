"""The playground's workers start from a single file, and train as node does, bit for bit, however many there are."""

import base64
import json
import subprocess

import numpy as np
import pytest

from dvae_core import cli, runs
from dvae_core.live import modules
from tests.unit.test_playground_saves_a_run import ROOT, asked_for

ENTRY = 'import { createPool } from "./playground/pool.js";\nglobalThis.createPool = createPool;\n'
TRAIN = """
async ([{ world, settings, seeds, steps }, workers]) => {
  const given = { ...world, x: Float32Array.from(world.x), u: Int32Array.from(world.u), z: Float32Array.from(world.z) };
  let pool;
  const last = await new Promise((done) => {
    pool = createPool((frame) => (frame.type === "failed" || frame.step >= steps) && done(frame), workers);
    pool.post({ type: "start", world: given, settings: { ...settings, steps }, seeds });
    pool.post({ type: "play" });
  });
  if (last.type === "failed") throw new Error(last.message);
  const file = await pool.save();
  pool.close();
  return { latents: Array.from(last.latents), mcc: Array.from(last.mcc), file: btoa(String.fromCharCode(...file)) };
}
"""
REFUSED = """
async ([{ world, settings, seeds }]) => {
  const given = { ...world, x: Float32Array.from(world.x), u: null };
  return await new Promise((done) => {
    const pool = createPool((frame) => done(frame), 1);
    pool.post({ type: "start", world: given, settings, seeds });
  });
}
"""


@pytest.mark.slow
def test_workers_train_as_node_does_and_what_they_save_is_a_run(chromium, node_path, tmp_path):
    page_path = tmp_path / "page.html"
    script = modules.bundle(ENTRY).replace("</script", "<\\/script")
    page_path.write_text(f'<!DOCTYPE html><script type="module">{script}</script>', encoding="utf-8")
    asked = {**asked_for(), "steps": 10}
    answer = subprocess.run(
        [node_path, str(ROOT / "tests" / "js" / "playground_save.js"), str(tmp_path / "node.safetensors")],
        input=json.dumps(asked | {"settings": asked["settings"] | {"steps": 10}}),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    wanted = np.array(json.loads(answer.stdout)["latents"])  # [seed, held-out row, latent]
    context = chromium.new_context()
    try:
        page = context.new_page()
        page.set_default_timeout(90_000)
        page.goto(page_path.as_uri())
        page.wait_for_function("globalThis.createPool !== undefined")
        found = [page.evaluate(TRAIN, [asked, workers]) for workers in (1, 2)]
        refused = page.evaluate(REFUSED, [asked])
    finally:
        context.close()
    n = asked["world"]["n"]
    held_out = np.isin(np.arange(n) * 20 // n, (2, 7, 12, 17))
    for each in found:
        latents = np.array(each["latents"]).reshape(len(asked["seeds"]), n, 2)
        np.testing.assert_array_equal(latents[:, held_out], wanted)
    assert found[0] == found[1]
    assert refused == {"type": "failed", "message": "The prior p(z|u) needs u, and this world has none."}
    file = tmp_path / "saved.safetensors"
    file.write_bytes(base64.b64decode(found[1]["file"]))
    assert file.read_bytes() == (tmp_path / "node.safetensors").read_bytes()
    assert cli.main(["import-run", str(file), "--out", str(tmp_path / "store" / "mine")]) == 0
    assert runs.Run(tmp_path / "store" / "mine").status().state == "finished"
