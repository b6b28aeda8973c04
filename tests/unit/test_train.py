"""Training: members do not affect each other, a resumed run repeats the uninterrupted one, a bad member stays alone."""

import dataclasses
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import torch

from dvae_core import recipes, runs
from dvae_core.data.load import dataset_of
from dvae_core.model.start import initialise
from dvae_core.model.vae import Vae
from dvae_core.runs import RunError
from dvae_core.training import engine
from dvae_core.training.checkpoint import load_vae, sizes_of, write_weights
from dvae_core.training.engine import one_cycle
from dvae_core.training.record import History
from dvae_core.training.train import Throttle, train
from tests.helpers import SMALL_DATA, finish, small_config, trained_run


@pytest.mark.slow
def test_a_run_folder_holds_what_it_should(tmp_path):
    run = runs.create(tmp_path / "a", small_config(), title="Two of them")
    seen = list(train(run))
    assert seen[0].step == 0
    assert seen[-1].step == seen[-1].steps == run.status().step
    status = run.status()
    assert (status.state, status.failed_members) == ("finished", ())
    assert status.device.startswith("CPU")
    history = run.history()
    assert set(history["split"]) == {"train", "held_out"}
    held_out = history[history["split"] == "held_out"]
    # training works: the bound rises by nats, not by noise
    first, last = (held_out[held_out["step"] == s]["elbo"].mean() for s in (0, status.step))
    assert last > first + 1
    np.testing.assert_allclose(history["elbo"], history["recon"] - history["kl"], atol=1e-3)  # 6 digits are written
    latents = run.latents()
    assert latents["mu_z"].shape == (2, len(latents["index"]), 2)
    assert {"std_z", "prior_mu", "prior_logvar", "kl_latent", "u", "z_true", "x", "x_rows"} <= set(latents)
    assert run.title == "Two of them"
    assert run.about["n_held_out"] == len(latents["index"]) == 60


def test_member_seven_is_the_same_alone_and_among_many(tmp_path):
    """Same weights, order and noise bit for bit; parameters within 1e-5 after 50 steps (kernels differ with p)."""
    many = runs.create(tmp_path / "many", small_config(tuple(range(8)), epochs=4))  # 15 steps an epoch
    lone = runs.create(tmp_path / "lone", small_config((7,), epochs=4))
    finish(many)
    finish(lone)
    assert many.status().step >= 50
    theirs, ours = many.weights(), lone.weights()
    for name, weight in ours.items():
        expected = theirs[name] if weight.shape == theirs[name].shape else theirs[name][7:8]
        np.testing.assert_allclose(weight, expected, atol=1e-5, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("optimiser", ["adam", "muon"])
def test_learning_rates_may_differ_by_member(tmp_path, optimiser):
    """Each member moves as it would alone, at its own rate (1e-5 after 60 steps: kernels differ with p)."""
    rates = {5: 1e-3, 7: 2e-2}
    both = runs.create(
        tmp_path / "both", small_config(tuple(rates), epochs=4, lrs=tuple(rates.values()), optimiser=optimiser)
    )
    finish(both)
    assert both.history().groupby("seed")["lr"].unique().map(list).to_dict() == {5: [1e-3], 7: [2e-2]}
    for m, (seed, rate) in enumerate(rates.items()):
        lone = runs.create(tmp_path / str(seed), small_config((seed,), epochs=4, lr=rate, optimiser=optimiser))
        finish(lone)
        for name, weight in lone.weights().items():
            theirs = both.weights()[name]
            theirs = theirs if theirs.shape == weight.shape else theirs[m : m + 1]
            np.testing.assert_allclose(theirs, weight, atol=1e-5, err_msg=name)


@pytest.mark.slow
def test_betas_may_differ_by_member(tmp_path):
    run = runs.create(tmp_path / "a", small_config((0, 0), betas=(0.1, 20.0), epochs=20))
    finish(run)
    kl = run.latents()["kl"]
    assert kl[0] > kl[1] + 0.5


@pytest.mark.slow
@pytest.mark.parametrize("stop_at", [1, 3, 7])
def test_a_stopped_run_resumes_bit_for_bit(tmp_path, stop_at):
    whole = runs.create(tmp_path / "whole", small_config())
    finish(whole)
    run = runs.create(tmp_path / "stopped", small_config())
    training = train(run)
    for _ in range(stop_at):
        next(training)
    training.close()
    assert run.status().state == "stopped"
    finish(run)
    for name, weight in whole.weights().items():
        np.testing.assert_array_equal(run.weights()[name], weight, err_msg=name)
    clock = ["seconds"]
    pd.testing.assert_frame_equal(run.history().drop(columns=clock), whole.history().drop(columns=clock))


@pytest.mark.slow
def test_a_killed_run_resumes_from_its_config_or_checkpoint(tmp_path):
    """kill -9 leaves no goodbye; the run is shown as lost, resumes, and equals the uninterrupted one."""
    config = small_config(epochs=60)
    whole = runs.create(tmp_path / "whole", config)
    finish(whole)
    run = runs.create(tmp_path / "killed", config)
    worker = subprocess.Popen(
        [sys.executable, "-m", "dvae_core", "train", "--resume", str(run.path)], stderr=subprocess.DEVNULL
    )
    deadline = time.time() + 60
    while run.status().step < 100 and time.time() < deadline:
        time.sleep(0.02)
    assert run.status().step >= 100
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    assert run.status().state == "lost"
    finish(run)
    for name, weight in whole.weights().items():
        np.testing.assert_array_equal(run.weights()[name], weight, err_msg=name)


def kill_at(run, step: int, checkpoint_seconds: float) -> None:
    """Train in another process until it is beyond this step; then kill -9."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "dvae_core", "train", "--resume", str(run.path)], stderr=subprocess.DEVNULL,
        env={**os.environ, "DVAE_CHECKPOINT_SECONDS": str(checkpoint_seconds)},
    )  # fmt: skip
    while worker.poll() is None and run.written_status().step < step:
        time.sleep(0.002)
    worker.kill()
    worker.wait()
    assert run.status().state == "lost", "it ended before it could be killed"


def assert_same(run, whole) -> None:
    for what in ("weights", "latents"):
        ours, theirs = getattr(run, what)(), getattr(whole, what)()
        assert set(ours) == set(theirs)
        for name, array in theirs.items():
            np.testing.assert_array_equal(ours[name], array, err_msg=name)
    histories = [r.history().drop(columns="seconds") for r in (run, whole)]
    pd.testing.assert_frame_equal(*histories)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("vae", {"posterior": "diagonal", "epochs": 100}),
        ("ivae", {"posterior": "full", "epochs": 100}),
        ("ivae", {"posterior": "gauss-newton", "epochs": 25}),  # Muon, and an encoder that is taught
    ],
)
def test_killed_at_three_random_steps_it_equals_the_uninterrupted_run(tmp_path, kind, settings):
    made = recipes.for_dataset(
        SMALL_DATA, dataset_of(SMALL_DATA), kind, members=3, betas=(1.0, 2.0, 0.5), batch=16, **settings
    )
    whole, run = (runs.create(tmp_path / name, made) for name in ("whole", "killed"))
    finish(whole)
    chance = random.Random(f"{kind} {settings}")
    last = whole.status().steps
    for at in sorted(chance.uniform(0.05, 0.8) for _ in range(3)):
        kill_at(run, max(int(at * last), run.written_status().step + 1), 0.05)
    finish(run)
    assert_same(run, whole)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_before_its_first_checkpoint_it_begins_again_from_its_config(tmp_path):
    whole, run = (runs.create(tmp_path / name, small_config(epochs=100)) for name in ("whole", "killed"))
    finish(whole)
    kill_at(run, 1, 1e9)
    assert not (run.path / "resume.safetensors").exists()
    finish(run)
    assert_same(run, whole)


def test_a_stop_file_stops_soon(tmp_path):
    run = runs.create(tmp_path / "a", small_config(epochs=500))
    training = train(run)
    next(training)
    (run.path / "STOP").touch()
    for _ in training:
        pass
    assert run.status().state == "stopped"
    assert run.status().step < run.status().steps / 4  # looked for ten times a second; all 7,500 steps take many
    assert run.weights()  # what was learnt so far can be looked at


@pytest.mark.slow
@pytest.mark.parametrize("epochs", [1, 3, 17])  # of 15 steps: rows after every step, and after every 5th
def test_every_logged_row_has_a_training_bound(tmp_path, epochs):
    run = runs.create(tmp_path / "a", small_config(epochs=epochs))
    finish(run)
    rows = run.history().query("split == 'train'")
    assert rows["step"].max() == epochs * 15
    assert np.isfinite(rows[["elbo", "recon", "kl"]].to_numpy()).all()


def test_one_bad_batch_is_noticed_at_steps_whose_bound_is_not_taken():
    dataset = dataset_of(SMALL_DATA)
    config = small_config(seeds=(0, 1), epochs=30)
    vae = Vae(config, sizes_of(dataset))
    initialise(vae, torch.from_numpy(dataset.x_float()), torch.from_numpy(dataset.u_features()))
    moved = engine.Engine(vae, engine.Batches(dataset, np.arange(dataset.n), vae, torch.device("cpu")))
    for step in range(moved.every):  # the last of them takes the bound, so the next does not
        moved.step(step)
    moved.sums.take()
    moved.batches.at(moved.every)
    moved.batches.eps[moved.every % engine.BLOCK, 1] = torch.nan
    moved.step(moved.every)
    assert moved.sums.count == 0
    assert moved.sums.not_finite() == [1]
    assert all(torch.isfinite(w).all() for w in vae.parameters())


def test_what_is_slow_is_done_less_often():
    done = []
    throttle = Throttle(0.0)
    for _ in range(2):  # the second comes at once, and is due after 20 times the 50 ms of the first
        throttle(lambda: done.append(time.sleep(0.05)))
    assert len(done) == 1


def test_a_finished_run_keeps_no_checkpoint(tmp_path):
    run = runs.create(tmp_path / "a", small_config(epochs=2))
    training = train(run)
    for _ in range(3):
        next(training)
    training.close()
    assert (run.path / "resume.safetensors").exists()
    finish(run)
    assert run.status().state == "finished"
    assert not (run.path / "resume.safetensors").exists()


@pytest.mark.slow
def test_a_diverged_member_is_shown_and_leaves_the_others_alone(tmp_path, monkeypatch):
    alone = runs.create(tmp_path / "alone", small_config((0,), epochs=4))
    finish(alone)
    both = runs.create(tmp_path / "both", small_config((0, 1), epochs=4))
    monkeypatch.setattr(engine, "covers", lambda vae: False)  # test_fused has the same for a gradient written out
    whole = Vae.elbo_of

    def with_a_bad_member(self, h, x, u, eps, keep=None):
        bound = whole(self, h, x, u, eps, keep)
        bad = bound.recon.new_tensor([1.0] + [float("nan")] * (self.p - 1))
        return dataclasses.replace(bound, recon=bound.recon * bad[:, None])

    monkeypatch.setattr(Vae, "elbo_of", with_a_bad_member)
    finish(both)
    status = both.status()
    assert (status.state, status.failed_members) == ("finished", (1,))
    assert "1 of 2 members diverged" in status.message
    for name, weight in alone.weights().items():
        theirs = both.weights()[name]
        theirs = theirs if theirs.shape == weight.shape else theirs[:1]
        np.testing.assert_allclose(theirs, weight, atol=1e-5, err_msg=name)
    assert all(np.isfinite(w).all() for w in both.weights().values())
    diverged = both.history().query("member == 1 and step > 0")
    assert diverged["elbo"].isna().all()


def test_a_run_that_cannot_be_trained_gives_a_clear_message(tmp_path):
    run = runs.create(tmp_path / "a", small_config(epochs=1))
    finish(run)
    with pytest.raises(RunError, match="is finished"):
        finish(run)
    other = runs.create(tmp_path / "b", small_config(epochs=1, device="cuda"))
    with pytest.raises(ValueError, match="this machine has only cpu"):
        finish(other)
    assert other.status().state == "failed"
    assert "cuda" in other.status().message


def test_changed_data_is_not_mixed_into_an_old_run(tmp_path):
    run = runs.create(tmp_path / "a", small_config())
    training = train(run)
    next(training)
    training.close()
    run.write_json("about.json", {**run.about, "fingerprint": "0" * 16})
    with pytest.raises(RunError, match="has changed since it was trained"):
        finish(run)


def test_loaded_weights_give_the_latents_that_were_written(tmp_path):
    import torch

    run = runs.create(tmp_path / "a", small_config(epochs=2))
    finish(run)
    latents = run.latents()
    with torch.no_grad():
        mu = load_vae(run).encoder(torch.from_numpy(latents["x"]).expand(2, -1, -1)).mu.numpy()
    np.testing.assert_allclose(mu, latents["mu_z"][:, latents["x_rows"]], atol=1e-5)


def test_weights_of_older_runs_load_under_the_names_of_today(tmp_path):
    """Some shipped runs keep the names of their first release; saved again, theirs are the current ones."""
    names = {run: run.tensors("weights.safetensors") for run in runs.examples()}
    old = [run for run, tensors in names.items() if any(name.startswith("generator.") for name in tensors)]
    assert old
    for example in old:
        vae = load_vae(example)
        assert set(example.weights()) == set(vae.state_dict())
        again = runs.create(tmp_path / example.id, example.config)
        write_weights(again, vae)
        saved = again.tensors("weights.safetensors")
        assert set(saved) == set(vae.state_dict())
        for name, weight in example.weights().items():
            np.testing.assert_array_equal(saved[name], weight, err_msg=name)


def test_one_cycle_rises_then_falls():
    rates = np.array([one_cycle(s, 100, 1.0) for s in range(101)])
    assert rates.argmax() == 30
    assert rates[0] == pytest.approx(1 / 25)
    assert rates[-1] == pytest.approx(1 / 1000)
    assert (np.diff(rates[:31]) > 0).all()
    assert (np.diff(rates[30:]) < 0).all()


def test_history_is_append_only(tmp_path):
    run = runs.create(tmp_path / "a", small_config())
    history = History(run, run.config)
    history.add(0, np.ones((2, 5)), "train", 0.0)
    before = (run.path / "history.csv").read_bytes()
    History(run, run.config).add(1, np.zeros((2, 5)), "held_out", 1.0)
    after = (run.path / "history.csv").read_bytes()
    assert after.startswith(before)
    (run.path / "history.csv").write_bytes(after + b"2,0,0,1,train,3.0,1")  # a row that is being written
    assert len(run.history()) == 4


def test_packed_pictures_train_as_their_bytes_do(tmp_path, monkeypatch):
    from dvae_core.data import dataset as module

    x = (np.random.default_rng(0).random((60, 35)) < 0.3).astype(np.uint8)
    trained = []
    for pack_above in (1, 2**62):
        monkeypatch.setattr(module, "PACK_ABOVE", pack_above)
        dataset = module.Dataset("dots", x, x_shape=(5, 7))
        config = recipes.for_dataset(SMALL_DATA, dataset, "vae", members=2, latents=2, batch=16, epochs=2)
        trained.append(trained_run(tmp_path / str(pack_above), config, dataset).weights())
    for name, weight in trained[0].items():
        np.testing.assert_array_equal(trained[1][name], weight, err_msg=name)


def test_a_full_device_gives_a_message_that_says_what_to_do(tmp_path, monkeypatch):
    def full(self, *batch, **_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.\nmore")

    import torch

    monkeypatch.setattr(engine.Engine, "move", full)
    run = runs.create(tmp_path / "a", small_config(epochs=1))
    with pytest.raises(torch.OutOfMemoryError):
        finish(run)
    assert run.status().state == "failed"
    assert "half the batch size" in run.status().message
