"""The hand-out: one HTML file with the run's own numbers, its provenance, no data unless requested, and only text."""

import base64
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from dvae_core import runs
from dvae_core.cli import main
from dvae_core.export.plan import Plan, decode, decoder_plan
from dvae_core.live.decoder import pack
from dvae_core.live.handout import run_handout
from dvae_core.live.handout.document import Handout, Rows, Section, decoder
from dvae_core.training.checkpoint import load_vae
from tests.helpers import scores_of

DECODE = Path(__file__).parents[1] / "js" / "decode_cli.js"
HOSTILE = '</script><img src=x onerror="alert(1)"><b>& "quotes"'


def content_of(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="content">(.*?)</script>', html, re.S)[1])


def in_javascript(node: str, file: Path, member: int, z: np.ndarray) -> np.ndarray:
    asked = json.dumps([{"member": member, "z": z.tolist()}])
    answer = subprocess.run([node, str(DECODE), str(file)], input=asked, capture_output=True, text=True, check=True)
    return np.array(json.loads(answer.stdout)[0]["x"])


@pytest.fixture
def copied(tmp_path):
    """A copy of a shipped run that may be changed."""
    shutil.copytree(runs.find("talk-vae").path, tmp_path / "copy")
    return runs.Run(tmp_path / "copy")


QUICK = ("talk-ivae", "track-ivae")  # a plane, counts


@pytest.mark.parametrize(
    "run",
    [pytest.param(run, id=run.id, marks=[] if run.id in QUICK else pytest.mark.slow) for run in runs.examples()],
)
def test_the_file_of_a_shipped_run_is_small_and_decodes_as_torch_does(run, node_path, tmp_path):
    html = run_handout(run).html()
    assert len(html.encode()) < 1.5e6
    content = content_of(html)
    file = tmp_path / "decoder.safetensors"
    file.write_bytes(base64.b64decode(content["decoders"][0]))
    data = content["parts"][0]["data"]
    lo, hi = np.array(data["lo"]), np.array(data["hi"])
    z = np.random.default_rng(0).uniform(lo, hi, (32, len(lo)))  # where the sliders can go
    with torch.no_grad():
        vae = load_vae(run)
        everywhere = torch.tensor(z, dtype=torch.float32).expand(run.config.members, -1, -1)
        expected = vae.decoder(everywhere).mean.numpy()[data["member"]]
    found = in_javascript(node_path, file, data["member"], z)
    worst = np.abs(found - expected).max() / (expected.max() - expected.min())
    print(f"{run.id}: {len(html.encode()):,} bytes, largest difference from torch {worst:.1e} of the range")
    assert worst < 1e-3  # the rounding of float16, which the file itself states


def test_weights_stay_in_float32_where_float16_would_change_the_picture(node_path, tmp_path):
    rng = np.random.default_rng(0)
    ops = [{"op": "start"}, {"op": "linear", "weight": "w", "bias": None, "shared": False}]
    tree = {"id": "p", "members": 1, "d_z": 2, "d_x": 3, "x_shape": None, "likelihood": "gaussian", "ops": ops}
    z = rng.normal(size=(5, 2)).astype("f4")
    fine = decoder(Plan(tree, {"w": rng.normal(size=(1, 2, 3)).astype("f4")}), [z])
    assert fine.dtype == "float16"
    assert 0 < fine.difference < 1e-3
    large = Plan(tree, {"w": 1e6 * rng.normal(size=(1, 2, 3)).astype("f4")})  # beyond the largest float16
    kept = decoder(large, [z])
    assert (kept.dtype, kept.difference) == ("float32", 0.0)
    file = tmp_path / "decoder.safetensors"
    file.write_bytes(kept.packed)
    expected = decode(large, 0, z)
    assert np.abs(in_javascript(node_path, file, 0, z) - expected).max() < 1e-5 * np.ptp(expected)
    # every float16 arrives as it is: small, large, denormal, negative and zero
    odd = np.array([[[0, -0.0, 1], [65504, -(2**-24), 1 / 3]]], "f4")
    file.write_bytes(pack(tree, {"w": odd}, dtype="<f2"))
    assert in_javascript(node_path, file, 0, np.eye(2)).tolist() == odd[0].astype("f2").astype("f8").tolist()


def test_of_a_large_population_one_member_is_in_the_file(monkeypatch, node_path, tmp_path):
    from dvae_core.live.handout import of_run

    run = runs.find("digits-beta-vae")
    monkeypatch.setattr(of_run, "MOST_BYTES", 1000)
    made = run_handout(run, 2)
    assert any("only" in note for note in made.notes)
    content = content_of(made.html())
    part = content["parts"][0]
    assert part["data"]["member"] == 0
    assert {variant["data"]["mode"] for variant in part["variants"]} == {"sliders", "pad", "twin"}
    file = tmp_path / "decoder.safetensors"
    file.write_bytes(base64.b64decode(content["decoders"][0]))
    z = np.zeros((1, 8))
    expected = decode(decoder_plan(run), 2, z)
    assert np.abs(in_javascript(node_path, file, 0, z) - expected).max() < 1e-3 * np.ptp(expected)


def test_it_carries_its_provenance_and_its_scores_with_reference_lines():
    run = runs.find("talk-ivae")
    html = run_handout(run).html()
    facts = [run.about["fingerprint"], run.sums()["weights.safetensors"], "free of conditions", "torch", "0, 1, 2, 3"]
    facts += [f"{scores_of(run).mean.mcc_pearson:.3f}", "random rotation", "copying u", "float16", "gauss-newton"]
    assert [fact for fact in facts if fact not in html] == []


@pytest.mark.slow
def test_rows_of_the_data_are_in_the_file_only_if_requested(copied):
    without, asked = run_handout(copied), run_handout(copied, with_examples=True)
    assert "No row of the data is in this file." in without.html()
    components = [part["component"] for part in content_of(without.html())["parts"]]
    assert components == ["explorer", "rotor"]
    explorer = content_of(without.html())["parts"][0]
    assert explorer["data"]["background"] is None
    assert "between" not in {variant["data"]["mode"] for variant in explorer["variants"]}
    assert {"sheet", "linked"} <= {part["component"] for part in content_of(asked.html())["parts"]}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("CC BY 4.0", True), ("MIT", True), ("Apache-2.0 (dSprites)", True), (None, True), ("CC BY-NC 4.0", False),
        ("CelebA: non-commercial research only", False), ("for research", False), ("as stated by its origin", False),
        ("CC BY-NC-ND 4.0", False), ("CC BY-ND", False), ("CC BY-SA 3.0", True), ("CC BY-SA-NC", False),
    ],
)  # fmt: skip
def test_a_licence_that_forbids_it_leaves_the_examples_out(copied, licence, allowed):
    about = copied.about
    copied.write_json("about.json", {**about, "meta": {**about["meta"], "licence": licence}})
    made = run_handout(copied, with_examples=True)
    components = {part["component"] for part in content_of(made.html())["parts"]}
    assert ("linked" in components) == allowed
    assert ("does not allow examples" in made.notes[-1]) != allowed


def test_names_are_text(copied):
    about = copied.about
    hostile = {"title": HOSTILE, "dataset": HOSTILE, "x_names": [HOSTILE, "b"], "u_labels": [HOSTILE, *"2345"]}
    copied.write_json("about.json", {**about, **hostile, "meta": {"source": HOSTILE, "notes": HOSTILE}})
    html = run_handout(copied, with_examples=True).html()
    assert "<img" not in html
    assert html.count("</script>") == 2  # of the content and of the script
    assert "&lt;img src=x onerror" in html
    assert content_of(html)["parts"][0]["data"]["x_names"] == [HOSTILE, "b"]
    bold = Handout(HOSTILE, ["**<i>**"], [Section(HOSTILE, [Rows("<i>", ["<i>"], [["<i>"]])], "<i>", "<i>", ["<i>"])])
    assert "<i>" not in bold.html()


def break_weights(run):
    run.remove("weights.safetensors")


def break_latents(run):
    run.remove("latents.npz")


def break_config(run):
    run.remove("config.json")


def make_newer(run):
    run.write_json("about.json", {**run.about, "format": runs.FORMAT + 1})


def make_diverged(run):
    weights = run.weights()
    run.write_tensors("weights.safetensors", {name: np.full_like(w, np.nan) for name, w in weights.items()})


def make_failed(run):
    run.set_status(failed_members=list(range(8)))


def rename_decoder(run):
    weights = {name.replace("decoder_net.mlp", "other"): w for name, w in run.weights().items()}
    run.write_tensors("weights.safetensors", weights)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (break_weights, "has no weights"), (break_latents, "has no latents"), (break_config, "config.json is missing"),
        (make_newer, "update the software"), (make_diverged, "diverged"), (make_failed, "diverged"),
        (rename_decoder, "no decoder"),
    ],
)  # fmt: skip
def test_a_run_that_cannot_be_drawn_is_one_sentence_and_no_file(copied, tmp_path, capsys, change, message):
    change(copied)
    out = tmp_path / "out" / "file.html"
    assert main(["handout", str(copied.path), "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not out.parent.exists()


def test_the_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch, capsys):
    out = tmp_path / "file.html"
    out.write_text("before", encoding="utf-8")

    def full(*_):
        raise OSError(28, "No space left on device", str(out))

    monkeypatch.setattr(os, "replace", full)
    assert main(["handout", "talk-vae", "--out", str(out)]) == 2
    assert "No space left" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["file.html"]
    assert out.read_text(encoding="utf-8") == "before"
    assert main(["handout", "talk-vae", "--out", str(tmp_path / "file.txt")]) == 2
    assert main(["handout", "talk-vae", "--out", str(out), "--member", "8"]) == 2
    assert "members 0 to 7" in capsys.readouterr().err


def test_the_playground_is_a_small_file_whose_workers_come_from_the_file_itself(tmp_path, capsys):
    out = tmp_path / "play.html"
    assert main(["handout", "playground", "--out", str(out)]) == 0
    assert "trains in the browser" in capsys.readouterr().out
    html = out.read_text(encoding="utf-8")
    assert len(html.encode()) < 300_000
    assert "worker-src blob:" in html
    assert "connect-src" not in html
    assert [part["component"] for part in content_of(html)["parts"]] == ["playground"]


@pytest.fixture(scope="module")
def talk():
    from pages.ui.talk.handout import talk_handout

    return talk_handout()


@pytest.mark.slow  # draws every slide of the talk once
def test_the_talk_is_a_scroll_of_its_slides_with_their_questions(talk):
    from html import escape

    from pages.ui.talk.slides import SLIDES

    html = talk.html()
    assert len(html.encode()) < 3e6
    positions = [html.index(f"<h2>{escape(slide.title)}</h2>") for slide in SLIDES]
    assert positions == sorted(positions)
    for slide, section in zip(SLIDES, talk.sections, strict=False):
        assert section.parts, slide.name
        if slide.question:
            assert (section.question, tuple(section.options)) == (slide.question, slide.options)
    names = [part["component"] for part in content_of(html)["parts"]]
    assert {"explorer", "sheet", "rotor"} <= set(names)


@pytest.mark.slow
def test_every_live_part_of_the_talk_finds_its_decoder(talk):
    wanted = {part["data"].get("plan") for part in content_of(talk.html())["parts"]} - {None}
    assert wanted == {decoder.plan.tree["id"] for decoder in talk.decoders}
    assert all(decoder.difference < 1e-3 for decoder in talk.decoders)
    for run in runs.examples():
        assert run.about["fingerprint"] in talk.html()
