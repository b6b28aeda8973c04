"""The command line, as people and scripts use it: real processes, real files, exit codes."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dvae_core import runs
from dvae_core.cli import main
from dvae_core.data.readers import read
from dvae_core.data.saved import save
from dvae_core.data.split import split
from dvae_core.data.worlds.sources import sources
from tests.helpers import scores_of, unchecked, until
from tests.shared_data import SHARED


@pytest.fixture(scope="module")
def npz(tmp_path_factory) -> Path:
    data = sources(segments=3, per_segment=200, seed=3)
    path = tmp_path_factory.mktemp("data") / "three.npz"
    np.savez(path, x=data.x, u=data.u, s=data.z)
    return path


@pytest.fixture(scope="module")
def trained(npz, tmp_path_factory) -> runs.Run:
    folder = tmp_path_factory.mktemp("runs") / "run"
    with unchecked():
        assert main(["train", "--data", str(npz), "--members", "2", "--epochs", "20", "--out", str(folder)]) == 0
    return runs.Run(folder)


def test_train_then_score_as_json(trained, capsys):
    assert main(["score", str(trained.path), "--json"]) == 0
    score = json.loads(capsys.readouterr().out)
    assert [m["member"] for m in score["members"]] == [0, 1]
    wanted = {"mcc_pearson", "mcc_spearman", "mcc_within_u", "mcc_encoder_only", "elbo"}
    assert all(wanted <= set(record) for record in [*score["members"], score["mean"]])
    assert {"raw_x", "fastica", "u_only"} <= set(score["floors"])
    mean = np.mean([m["mcc_pearson"] for m in score["members"]])
    assert score["mean"]["mcc_pearson"] == pytest.approx(mean)
    assert score == trained.record("score")


def test_of_several_learning_rates_every_seed_gets_each(npz, tmp_path):
    where = tmp_path / "rates"
    options = ["--model", "vae", "--members", "2", "--epochs", "1", "--lr", "1e-3,1e-2"]
    assert main(["train", "--data", str(npz), "--out", str(where), *options]) == 0
    train = runs.Run(where).config.train
    assert list(zip(train.seeds, train.rates, strict=True)) == [(0, 1e-3), (1, 1e-3), (0, 1e-2), (1, 1e-2)]


def test_scores_are_those_of_the_latents_on_disk(trained, capsys):
    from dvae_core.metrics import mcc

    main(["score", str(trained.path), "--json"])
    score = json.loads(capsys.readouterr().out)
    latents = trained.latents()
    for m, record in enumerate(score["members"]):
        by_hand = mcc(latents["z_true"].astype(float), latents["mu_z"][m].astype(float)).value
        assert record["mcc_pearson"] == pytest.approx(by_hand, abs=1e-6)


def test_score_for_people(trained, capsys):
    assert main(["score", str(trained.path)]) == 0
    output = capsys.readouterr().out
    assert "mcc_pearson" in output
    assert "floor fastica" in output


def test_without_true_factors_the_mcc_fields_are_null(tmp_path, capsys):
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(300, 3)), columns=["a", "b", "c"])
    table.to_csv(tmp_path / "t.csv", index=False)
    out = tmp_path / "run"
    assert (
        main(
            [
                "train",
                "--data",
                str(tmp_path / "t.csv"),
                "--model",
                "vae",
                "--x",
                "a",
                "b",
                "--epochs",
                "1",
                "--out",
                str(out),
            ]
        )
        == 0
    )
    capsys.readouterr()
    assert main(["score", str(out), "--json"]) == 0
    score = json.loads(capsys.readouterr().out)
    assert score["mean"]["mcc_pearson"] is None
    assert score["floors"]["fastica"] is None
    assert isinstance(score["mean"]["elbo"], float)
    assert runs.Run(out).about["x_names"] == ["a", "b"]


@pytest.mark.parametrize("suffix", [".npz", ".csv"])
def test_encode_writes_the_latents_of_a_file(trained, npz, tmp_path, suffix):
    out = tmp_path / f"z{suffix}"
    assert main(["encode", str(trained.path), "--data", str(npz), "--out", str(out)]) == 0
    rows = split(read(npz)).held_out
    expected = trained.latents()["mu_z"]
    if suffix == ".npz":
        np.testing.assert_allclose(np.load(out)["mu_z"][:, rows], expected, atol=1e-5)
    else:
        table = pd.read_csv(out)
        assert list(table.columns) == ["member", "row", "z1", "z2"]
        member = table[table["member"] == 1].set_index("row")
        np.testing.assert_allclose(member.loc[rows, ["z1", "z2"]], expected[1], atol=1e-4)


def test_encode_refuses_columns_in_another_unit(trained, npz, tmp_path, capsys):
    data = read(npz)
    for factor, code in ((1000.0, 2), (3.0, 0)):
        np.savez(tmp_path / "b.npz", x=data.x * factor, u=data.u)
        assert (
            main(["encode", str(trained.path), "--data", str(tmp_path / "b.npz"), "--out", str(tmp_path / "z.npz")])
            == code
        )
    assert main(["encode", str(trained.path), "--data", str(npz), "--out", str(tmp_path / "z.npz")]) == 0
    np.savez(tmp_path / "b.npz", x=data.x / 1000, u=data.u)
    capsys.readouterr()
    assert main(["encode", str(trained.path), "--data", str(tmp_path / "b.npz"), "--out", str(tmp_path / "z.npz")]) == 2
    assert "bring them to the same unit" in capsys.readouterr().err


def test_two_held_out_rows_are_scored_as_far_as_they_go(tmp_path, capsys):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "a.npz", x=rng.standard_normal((9, 4)), z=rng.standard_normal((9, 2)))
    out = tmp_path / "run"
    options = ["--data", str(tmp_path / "a.npz"), "--model", "vae", "--members", "2", "--epochs", "1"]
    assert main(["train", *options, "--out", str(out)]) == 0
    score = scores_of(runs.Run(out))
    assert score.held_out_rows == 2
    assert isinstance(score.mean.elbo, float)
    assert score.mean.mcc_pearson is None
    assert "2 held-out rows are too few for a correlation, so there is no MCC and no agreement" in score.notes


def test_list_shows_runs_and_says_when_there_are_none(trained, tmp_path, capsys):
    assert main(["list", str(trained.path.parent)]) == 0
    assert "finished" in capsys.readouterr().out
    assert main(["list", str(tmp_path)]) == 0
    assert "No runs here" in capsys.readouterr().out


@pytest.mark.slow
def test_the_rotation_analysis_of_an_ivae_bends(trained):
    assert main(["analyse", str(trained.path), "rotation", "--set", "member_index=1"]) == 0
    vae = trained.analysis("rotation-1-0-1")
    assert vae["angle"].tolist() == list(range(0, 91, 5))
    # this run is an iVAE: its prior notices the rotation, and log p(x|u) bends by more than its Monte Carlo error
    assert np.ptp(vae["log_px"]) > 10 * vae["log_px_error"].max()


@pytest.mark.slow
def test_a_vaes_log_likelihood_does_not_notice_and_its_twin_is_a_run(npz, tmp_path, monkeypatch):
    monkeypatch.setenv("DVAE_RUNS", str(tmp_path))
    out = tmp_path / "vae"
    main(["train", "--data", str(npz), "--model", "vae", "--members", "2", "--epochs", "3", "--out", str(out)])
    assert main(["analyse", str(out), "rotation", "--set", "step=15"]) == 0
    curve = runs.Run(out).analysis("rotation-0-0-1")
    assert np.ptp(curve["elbo"]) < 1e-8  # float64, the noise carried along
    # independent noise at each of 7 angles: 5 standard errors of a difference
    assert np.ptp(curve["log_px"]) < 5 * np.sqrt(2) * curve["log_px_error"].max()
    assert main(["analyse", str(out), "twin", "--set", "degrees=30", "--set", "title=The twin"]) == 0
    twin = next(r for r in runs.list_runs(tmp_path) if r.title == "The twin")
    ours, theirs = (scores_of(run).members[0] for run in (runs.Run(out), twin))
    assert twin.status().state == "finished"
    assert theirs.elbo == pytest.approx(ours.elbo, abs=0.2)  # other noise: 1 sample on 120 rows
    assert abs(theirs.mcc_pearson - ours.mcc_pearson) > 1e-3
    M = np.array(twin.config.model.rotation)
    np.testing.assert_allclose(twin.latents()["mu_z"][0], runs.Run(out).latents()["mu_z"][0] @ M.T, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--out", "x"], "--data FILE, --recipe NAME or --resume DIR"),
        (["train", "--data", "nope.npz", "--out", "x"], "nope.npz"),
        (["train", "--data", "nope.npz"], "--out DIR"),
        (["train", "--recipe", "nope", "--out", "x"], "known are talk-ivae"),
        (["train", "--recipe", "talk-vae", "--out", "x", "--device", "cuda"], "this machine has only"),
        (
            ["train", "--recipe", "talk-vae", "--out", "x", "--epochs", "3", "--shuffle-time"],
            "--recipe decides --shuffle-time and --epochs",
        ),
        (["train", "--resume", "RUN", "--epochs", "3"], "--resume decides --epochs"),
        (["train", "--resume", "nope"], "not a readable run"),
        (["score", "nope"], "no folder 'nope'"),
        (["list", "nope"], "not a folder"),
        (["train", "--data", "NPZ", "--out", "x", "--u", "wrong"], "nothing called 'wrong'"),
        (["train", "--data", "NPZ", "--out", "x", "--lr", "-1"], "lr must be between"),
        (["train", "--data", "NPZ", "--out", "x", "--members", "0"], "at least one member"),
        (["train", "--data", "NPZ", "--out", "x", "--latents", "0"], "latents must be between"),
        (["train", "--data", "NPZ", "--out", "x", "--device", "cuda"], "this machine has only"),
        (["analyse", "RUN", "nope"], "no analysis 'nope'"),
        (["analyse", "RUN", "rotation", "--set", "k=1"], "no setting 'k'"),
        (["analyse", "RUN", "twin"], "not rotation-invariant"),
        (["encode", "RUN", "--data", "NPZ", "--out", "z.txt"], ".npz or .csv"),
        (["train", "--resume", "RUN"], "is finished"),
    ],
)
def test_an_error_is_one_sentence_and_exit_code_2(arguments, message, npz, trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    named = [{"NPZ": str(npz), "RUN": str(trained.path)}.get(a, a) for a in arguments]
    assert main(named) == 2
    output = [line for line in capsys.readouterr().err.splitlines() if line.startswith("dvae_core: ")]
    assert len(output) == 1
    assert message in output[0]


def test_a_run_is_named_by_its_folder_or_by_its_id(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DVAE_RUNS", str(trained.path.parent))
    monkeypatch.chdir(tmp_path)
    assert main(["score", trained.id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == trained.record("score")


def test_an_unknown_option_exits_with_2():
    asked = [sys.executable, "-m", "dvae_core", "train", "--model", "gan"]
    answer = subprocess.run(asked, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert answer.returncode == 2
    assert "Traceback" not in answer.stderr


def test_no_traceback_for_a_missing_file_in_a_real_process(tmp_path):
    asked = [
        sys.executable,
        "-m",
        "dvae_core",
        "train",
        "--data",
        str(tmp_path / "no.npz"),
        "--out",
        str(tmp_path / "r"),
    ]
    answer = subprocess.run(asked, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert not (tmp_path / "r").exists()


@pytest.mark.slow  # tests/unit/test_jobs.py kills and resumes by default
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_kill_leave_a_run_that_resumes(npz, tmp_path, how):
    out = tmp_path / "run"
    start = [
        sys.executable,
        "-m",
        "dvae_core",
        "train",
        "--data",
        str(npz),
        "--members",
        "1",
        "--epochs",
        "4000",
        "--out",
        str(out),
    ]
    worker = subprocess.Popen(start, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    run = runs.Run(out)
    until(lambda: out.exists() and run.status().step > 0)
    os.kill(worker.pid, how)
    _, output = worker.communicate(timeout=100)
    assert worker.returncode == 0
    assert f"--resume {out}" in output
    stopped = run.status()
    assert stopped.state == "stopped"

    def stop_once_further() -> None:
        until(lambda: run.status().step > stopped.step)
        (out / "STOP").touch()

    with ThreadPoolExecutor(1) as other:
        watching = other.submit(stop_once_further)
        assert main(["train", "--resume", str(out)]) == 0
        watching.result()
    assert run.status().state == "stopped"
    assert run.status().step > stopped.step


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "s1-reach").exists(), reason="the real recordings are not beside this checkout")
def test_real_recordings_train_and_say_what_is_known(tmp_path, capsys):
    out = tmp_path / "s1"
    mat = str(SHARED / "s1-reach" / "s1_data.mat")
    arguments = ["train", "--data", mat, "--x", "spikes", "--u", "vel", "--model", "ivae", "--latents", "2"]
    assert main([*arguments, "--split", "blocks", "--members", "2", "--epochs", "1", "--out", str(out)]) == 0
    run = runs.Run(out)
    assert run.config.model.likelihood.kind == "poisson"
    assert (run.about["n"], run.about["d_x"], run.about["split"]) == (35129, 52, "blocks")
    capsys.readouterr()
    assert main(["score", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mean"]["mcc_pearson"] is None
    history = run.history().query("split == 'held_out'").groupby("step")["elbo"].mean()
    assert history.iloc[-1] > history.iloc[0] + 1  # the start is already every neuron's mean rate


@pytest.mark.slow
def test_objectives_and_optimisers_by_name(tmp_path):
    save(sources(segments=3, per_segment=50), tmp_path / "data.npz")
    common = ["train", "--data", str(tmp_path / "data.npz"), "--members", "2", "--epochs", "1"]
    chosen = ["--model", "beta-vae", "--beta", "3", "--objective", "beta-tc", "--optimiser", "muon"]
    assert main([*common, *chosen, "--out", str(tmp_path / "tc")]) == 0
    how = runs.Run(tmp_path / "tc").config.train
    assert (how.objective, how.betas, how.optimiser) == ("beta-tc", (3.0, 3.0), "muon")
    assert main([*common, "--samples", "3", "--out", str(tmp_path / "weighted")]) == 0
    assert runs.Run(tmp_path / "weighted").config.train.samples == 3
    assert main([*common, *chosen, "--samples", "3", "--out", str(tmp_path / "no")]) == 2
