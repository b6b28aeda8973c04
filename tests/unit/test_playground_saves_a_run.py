"""A population trained in the browser becomes a run: the same latents, scored on rows that it has not seen."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from dvae_core import cli, runs
from dvae_core.analysis.score.compute import score
from dvae_core.config import SourcesData
from dvae_core.data.load import dataset_of
from dvae_core.runs import RunError
from dvae_core.runs.data import data_of
from dvae_core.training.checkpoint import load_vae
from dvae_core.work import browser_runs

ROOT = Path(__file__).parents[2]
SEEDS = (4, 9, 2)


def asked_for(prior="u", posterior="gauss-newton", dx=2):
    """A small world, and what to train on it in two workers."""
    data = dataset_of(SourcesData(n_latents=2, d_x=dx, segments=3, per_segment=100, modulate="both", seed=1))
    rows = np.random.default_rng(0).permutation(data.n)  # so that held-out blocks have every label
    world = {
        "x": data.x[rows].ravel().tolist(), "n": data.n, "dx": data.d_x, "dz": 2, "segments": 3,
        "u": data.u[rows].astype(int).ravel().tolist(), "z": data.z[rows].ravel().tolist(),
    }  # fmt: skip
    settings = {
        "posterior": posterior, "prior": prior, "beta": 1, "steps": 40, "batch": 32, "rate": 1e-2, "hidden": 6,
        "shuffleTime": False,
    }  # fmt: skip
    return {"world": world, "settings": settings, "seeds": SEEDS, "steps": 40, "workers": 2}


def saved_by(node_path, path, **what):
    """Save a small population and return what the engine says of it."""
    answer = subprocess.run(
        [node_path, str(ROOT / "tests" / "js" / "playground_save.js"), str(path)],
        input=json.dumps(asked_for(**what)), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr[-2000:]
    return json.loads(answer.stdout)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("posterior", "prior", "dx"), [("gauss-newton", "u", 2), ("full", "normal", 4), ("gauss-newton", "time", 2)]
)
def test_a_saved_population_becomes_a_run_with_the_same_latents(posterior, prior, dx, node_path, tmp_path, capsys):
    file = tmp_path / "saved.safetensors"
    output = saved_by(node_path, file, posterior=posterior, prior=prior, dx=dx)
    assert cli.main(["import-run", str(file), "--out", str(tmp_path / "store" / "mine"), "--title", "Mine"]) == 0
    run = runs.Run(tmp_path / "store" / "mine")
    run.check()
    assert run.status().state == "finished"
    assert run.title == "Mine"
    assert run.config.train.seeds == SEEDS
    assert run.config.model_name == {"u": "iVAE", "normal": "VAE", "time": "VAE over time"}[prior]
    assert run.is_sealed
    latents = run.latents()
    assert latents is not None
    vae = load_vae(run)
    x = torch.from_numpy(data_of(run).x_float(latents["index"])).expand(3, -1, -1)
    with torch.no_grad():
        guess = vae.amortised(x).numpy()
    # float32 sums in another order, through two layers
    at = np.searchsorted(load_file(file)["held_out"], latents["index"])  # pairs of rows may leave a row out
    np.testing.assert_allclose(guess, np.array(output["latents"])[:, at], atol=1e-4)
    # the engine's bound is of one sample of z a row, this one is of eight
    error = 5 * np.sqrt((latents["elbo_rows"].var(1) + 2) / len(latents["index"]))
    assert (np.abs(latents["elbo"] - output["bound"]) < error).all()
    assert score(run).mean.mcc_pearson > 0.4
    assert "Imported 3 seeds" in capsys.readouterr().out


def changed(path, *, drop=(), notes=None, **arrays):
    """Rewrite a saved file with other arrays or another header."""
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    given = {name: value for name, value in load_file(path).items() if name not in drop}
    save_file({**given, **arrays}, path, metadata={**header, **(notes or {})})


@pytest.fixture(scope="module")
def good(node_path, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "saved.safetensors"
    saved_by(node_path, path)
    return path


def settings_with(path, **changes):
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    return {"settings": json.dumps({**json.loads(header["settings"]), **changes})}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_bytes(b"no file of numbers"), "was not saved by the playground, or is damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:-40]), "was not saved by the playground, or is damaged"),
        (lambda path: changed(path, notes={"format": "other"}), "has the format 'other'"),
        (lambda path: changed(path, notes={"seeds": '"all"'}), "holds no trained population"),
        (lambda path: changed(path, drop=("world.x",)), "lacks the data"),
        (lambda path: changed(path, drop=("encoder_net.skip.weight",)), "encoder_net.skip.weight should be"),
        (lambda path: changed(path, notes=settings_with(path, prior="time")), "prior.raw should be"),
        (lambda path: changed(path, notes=settings_with(path, posterior="flow")), "posterior"),
        (lambda path: changed(path, notes=settings_with(path, hidden=7)), "The weights do not fit the settings"),
        (lambda path: changed(path, held_out=np.arange(60, dtype=np.float32)), "held-out rows are not those"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_in_a_sentence_and_leaves_nothing(spoil, message, good, tmp_path, capsys):
    file = tmp_path / "saved.safetensors"
    file.write_bytes(good.read_bytes())
    spoil(file)
    assert cli.main(["import-run", str(file), "--out", str(tmp_path / "store" / "mine")]) == 2
    output = capsys.readouterr().err
    assert message in output
    assert output.count("\n") == 1
    assert "Traceback" not in output
    assert not [path for path in (tmp_path / "store").rglob("*") if path.is_file()]


def test_a_member_that_failed_in_the_browser_is_shown_as_failed(good, tmp_path):
    file = tmp_path / "saved.safetensors"
    file.write_bytes(good.read_bytes())
    changed(file, failed=np.array([-1, 12, -1], np.float32))
    assert cli.main(["import-run", str(file), "--out", str(tmp_path / "store" / "mine")]) == 0
    status = runs.Run(tmp_path / "store" / "mine").status()
    assert list(status.failed_members) == [1]
    assert "1 of 3 members diverged" in status.message


@pytest.mark.slow
def test_the_app_imports_it_through_the_command_and_shows_its_refusal(good, tmp_path):
    run = browser_runs.import_run(good.read_bytes(), tmp_path)
    assert run.status().state == "finished"
    assert run.path.parent == tmp_path
    with pytest.raises(RunError, match=r"^saved\.safetensors was not saved by the playground"):
        browser_runs.import_run(b"nothing", tmp_path)
    assert [each.id for each in runs.list_runs(tmp_path)] == [run.id]
