"""The report on a recording: its keys, its verdicts, and when "same axes" must not be given."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from dvae_core import recipes, runs
from dvae_core.analysis.encode import encoder_means
from dvae_core.analysis.recording.compute import agreement_of, effects_of, shuffled
from dvae_core.analysis.recording.record import (
    NOTHING,
    SAME_AXES,
    SAME_SPACE,
    Recording,
    RecordingAxes,
    statement_of,
    verdict_of,
)
from dvae_core.analysis.table import begin
from dvae_core.cli import main
from dvae_core.config import Config, FileData, MlpNet, ModelConfig, PoissonLikelihood, TrainConfig
from dvae_core.data.load import dataset_of
from dvae_core.data.split import split
from dvae_core.metrics.canonical import Consensus
from dvae_core.model.start import initialise
from dvae_core.model.vae import Sizes, Vae
from dvae_core.runs import RunError
from dvae_core.training.checkpoint import load_vae
from dvae_core.training.train import train
from tests.helpers import result_of

RNG = np.random.default_rng(0)
AGREE = {"mean": 0.98, "min": 0.97, "max": 0.99}


def compute(run, **settings) -> dict:
    return result_of(begin(run, "recording", settings))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Four seeds of a small model on 600 bins of ten units that follow u."""
    folder = tmp_path_factory.mktemp("recording")
    n = 600
    u = np.cumsum(RNG.standard_normal((n, 2)), axis=0)
    u = (u - u.mean(0)) / u.std(0)
    x = RNG.poisson(np.exp(0.5 * u @ RNG.standard_normal((2, 10)))).astype(np.uint8)
    np.savez(folder / "a.npz", x=x, u=u.astype(np.float32))
    data = FileData(path=str(folder / "a.npz"), x=("x",), u=("u",), rate_hz=10.0)
    config = recipes.for_dataset(
        data, dataset_of(data), goal="reading", members=4, epochs=10, net=MlpNet(hidden=8), gap=5
    )
    run = runs.create(folder / "run", config)
    for _ in train(run):
        pass
    return run


def test_the_report_has_every_key_and_its_axes_are_a_linear_map_of_the_latents(run):
    found = compute(run, control="no")
    wanted = {"own_axes_mcc", "rotation_floor", "linear_r2", "rule_axes_mcc", "decoding", "shuffled_u", "verdict"}
    assert wanted | {"within_u", "u_share", "consensus", "log_var_sd", "statement"} <= set(found)
    assert Recording.load(run, "recording").verdict == found["verdict"]
    assert found["rotation_floor"] == pytest.approx(0.9, abs=0.01)
    assert found["rule"] == "u"
    assert set(found["rule_axes_mcc"]) == {"u", "slow", "as trained"}
    assert set(found["decoding"]["linear"]) == {"latents", "window", "pca", "chance"}
    assert found["shuffled_u"] is None
    assert found["verdict"] != SAME_AXES  # it needs the control
    axes = RecordingAxes.load(run, "axes")
    vae, dataset = load_vae(run), dataset_of(run.config.data)
    parts = split(dataset, run.config.split, gap=run.config.gap)
    e_train = encoder_means(vae, dataset, parts.train)[axes.member].astype(float)
    for own, A, b in zip(e_train, axes.A, axes.b, strict=True):
        np.testing.assert_allclose(np.cov((own - b) @ A.T, rowvar=False), np.eye(2), atol=1e-4)  # whitened
    e_test = encoder_means(vae, dataset, axes.index)[axes.member].astype(float)
    parts_of = [(own - b) @ M.T for own, b, M in zip(e_test, axes.consensus_b, axes.consensus_maps, strict=True)]
    np.testing.assert_allclose(np.mean(parts_of, axis=0), axes.consensus_z, atol=1e-6)
    # the effect of an axis on a unit is a small step along it, decoded: f is smooth, so a hundredth is linear to 1e-3
    near = e_test[:1, :300]
    step = np.linalg.inv(axes.consensus_maps[0])[:, 1] * 0.01
    assert len(axes.index) <= 300  # all rows are averaged
    z = torch.zeros(vae.p, near.shape[1], 2)
    z[axes.member[0]] = torch.tensor(near[0]).float()
    moved = z.clone()
    moved[axes.member[0]] += torch.tensor(step).float()
    with torch.no_grad():
        change = (vae.decoder(moved).f - vae.decoder(z).f)[axes.member[0]].mean(0).numpy() / 0.01
    np.testing.assert_allclose(change, axes.effect[0, 1], atol=5e-3)


def test_a_straight_decoder_has_no_interval_but_that_of_its_seeds():
    """Its Jacobian is the same at every row, so drawing rows again changes nothing and drawing seeds does."""
    rng = np.random.default_rng(0)
    model = ModelConfig(latents=2, net=MlpNet(depth=0), likelihood=PoissonLikelihood(), preprocess="standardise")
    config = Config(model=model, train=TrainConfig(seeds=(0, 1, 2), betas=(1.0,) * 3))
    vae = Vae(config, Sizes(d_x=5))
    initialise(vae, torch.from_numpy(rng.poisson(2.0, (400, 5)).astype(np.float32)))
    with torch.no_grad():
        vae.decoder_net.skip.weight.copy_(torch.from_numpy(rng.standard_normal((3, 2, 5))))
    e = rng.standard_normal((3, 200, 2))
    turns = np.array([np.linalg.qr(rng.standard_normal((2, 2)))[0] for _ in range(3)])
    one = effects_of(vae, [1], e[1:2], Consensus(turns[1:2], np.zeros((1, 2))))
    assert one["effect"].std() > 0.1
    np.testing.assert_allclose(one["effect_low"], one["effect"][0], atol=1e-6)  # float32
    np.testing.assert_allclose(one["effect_high"], one["effect"][0], atol=1e-6)
    all_ = effects_of(vae, [0, 1, 2], e, Consensus(turns, np.zeros((3, 2))))
    np.testing.assert_allclose(all_["effect"][1], one["effect"][0], atol=1e-6)
    # a mean of three seeds lies within them, and one draw in nine repeats a single seed: the ends of 95 %
    np.testing.assert_allclose(all_["effect_low"], all_["effect"].min(0), atol=1e-6)
    np.testing.assert_allclose(all_["effect_high"], all_["effect"].max(0), atol=1e-6)
    related = np.repeat(e[:, :10], 20, axis=1)  # ten values that stay for 20 rows each: no interval
    assert set(effects_of(vae, [0, 1, 2], related, Consensus(turns, np.zeros((3, 2))))) == {"effect"}


@pytest.mark.slow
def test_the_consensus_of_all_rows_is_that_of_the_report(run, tmp_path, capsys):
    compute(run, control="no")
    axes = RecordingAxes.load(run, "axes")
    z = {}
    for suffix in ("npz", "csv"):
        out, data = str(tmp_path / f"z.{suffix}"), run.config.data.path
        assert main(["encode", str(run.path), "--data", data, "--out", out, "--consensus"]) == 0
        z[suffix] = np.load(out)["mu_z"][0] if suffix == "npz" else pd.read_csv(out)[["z1", "z2"]].to_numpy()
    np.testing.assert_allclose(z["csv"], z["npz"], atol=1e-6)
    # where the window of ten rows stays inside a held-out stretch: in another file no split ends a window
    inside = [k for k, row in enumerate(axes.index) if {row - 5, row + 4} <= set(axes.index.tolist())]
    assert len(inside) > 50
    np.testing.assert_allclose(z["npz"][axes.index[inside]], axes.consensus_z[inside], atol=1e-5)
    copy = shutil.copytree(run.path, tmp_path / "copy", ignore=shutil.ignore_patterns("analysis", "SHA256SUMS"))
    assert main(["encode", str(copy), "--data", data, "--out", out, "--consensus"]) == 2
    assert "compute it first: python -m dvae_core analyse" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_line_prints_it_and_the_control_is_trained_once(run, capsys):
    assert main(["analyse", str(run.path), "recording", "--set", "control=yes", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["shuffled_u"]) == {"own_axes_mcc", "linear_r2", "same_pairs", "decoding", "seeds"}
    linear = found["decoding"]["linear"]["latents"]["mean"]
    assert linear > found["shuffled_u"]["decoding"]["linear"]["latents"]["mean"]  # u was in the training
    stored = (run.path / "analysis" / "shuffled_u.npz").stat().st_mtime_ns
    compute(run)
    assert (run.path / "analysis" / "shuffled_u.npz").stat().st_mtime_ns == stored


@pytest.mark.slow
def test_a_negative_binomial_is_compared_with_poisson_on_the_same_rows(run):
    """These counts are Poisson given u, so it gains nothing (slow: it trains a population)."""
    found = compute(run, control="no", counts=True)["negative_binomial"]
    # both bounds are means of float32, rounded at 1e-6 of themselves
    assert found["gain"] == pytest.approx(found["elbo"] - found["poisson"], abs=1e-5)
    assert found["gain"] < 2 * found["error"]
    assert compute(run, control="no")["negative_binomial"] == found  # kept


def test_shuffling_keeps_each_part_and_says_nothing_about_x(run):
    dataset = dataset_of(run.config.data)
    parts = split(dataset, "blocks", gap=5)
    other = shuffled(dataset, parts)
    for rows in (parts.train, parts.held_out):
        np.testing.assert_array_equal(np.sort(other.u[rows], axis=0), np.sort(dataset.u[rows], axis=0))
        assert abs(np.corrcoef(other.u[rows, 0], dataset.u[rows, 0])[0, 1]) < 0.3


def test_the_verdicts():
    assert verdict_of(AGREE, 1.0, 0.0, latents=2) == SAME_AXES
    assert verdict_of(AGREE, 1.0, None, latents=2) == SAME_SPACE  # no control
    assert verdict_of(AGREE, 1.0, 0.6, latents=2) == SAME_SPACE  # the seeds agree on axes without u, too
    assert verdict_of(AGREE, 0.5, 0.0, latents=2) == SAME_SPACE
    assert verdict_of(AGREE, 1.0, 0.0, latents=1) == SAME_SPACE  # one latent has no axes
    assert verdict_of({**AGREE, "mean": 0.94}, 1.0, 0.0, latents=2) == NOTHING
    assert verdict_of({**AGREE, "min": 0.5}, 1.0, 0.0, latents=2) == NOTHING


def test_agreement_of_rotated_and_of_reordered_latents():
    z = RNG.standard_normal((500, 2))
    turn = np.array([[1, -1], [1, 1]]) / np.sqrt(2)
    alive = np.ones((2, 2), bool)
    rotated = agreement_of(np.stack([z, z @ turn]), alive)
    assert rotated["linear_r2"]["min"] > 0.999
    assert rotated["same_pairs"] == 0
    assert rotated["own_axes_mcc"]["mean"] == pytest.approx(0.71, abs=0.05)
    assert agreement_of(np.stack([z, -2 * z[:, ::-1]]), alive)["same_pairs"] == 1
    with pytest.raises(RunError, match="no latent alive"):
        agreement_of(np.stack([z, z]), np.zeros((2, 2), bool))


def test_the_statement_claims_no_more_than_the_verdict(run):
    record = {**compute(run, control="no"), "linear_r2": AGREE, "same_pairs": 1.0, "shuffled_u": None}
    text = statement_of({**record, "verdict": SAME_SPACE})
    assert "axes are not determined" in text
    assert "it is open whether u chose these axes" in text
    assert "u chose them" not in text
    assert "should be interpreted" in statement_of({**record, "verdict": NOTHING})


def test_what_cannot_be_reported_is_refused(run):
    with pytest.raises(RunError, match="The rule must be auto, u, slow, as trained"):
        compute(run, rule="ica")


def test_members_that_share_their_start_are_named_in_the_agreement(run, tmp_path):
    for _ in begin(run, "agreement", {}):
        pass
    assert not any("started in one subspace" in note for note in run.analysis("agreement")["notes"].tolist())
    config = recipes.for_dataset(
        run.config.data, dataset_of(run.config.data), members=2, epochs=1, posterior="full", net=MlpNet(hidden=4)
    )
    other = runs.create(tmp_path / "shared", config)
    for _ in train(other):
        pass
    for _ in begin(other, "agreement", {}):
        pass
    assert any("started in one subspace" in note for note in other.analysis("agreement")["notes"].tolist())
