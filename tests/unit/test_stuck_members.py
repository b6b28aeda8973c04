"""Members that trained but found no useful solution are named, shown and left out of the means; good ones never are."""

import os
import shutil
import socket

import numpy as np
import pandas as pd
import pytest

from dvae_core import figures, recipes, runs
from dvae_core.analysis import study_table
from dvae_core.analysis.agreement.compute import agreement
from dvae_core.analysis.common import best_member, good_members, rivals, stuck_members
from dvae_core.analysis.downstream.compute import downstream
from dvae_core.analysis.members.compute import member_scores
from dvae_core.analysis.score.compute import score
from dvae_core.analysis.tables import member_table
from dvae_core.config import SourcesData
from dvae_core.data.load import dataset_of
from dvae_core.metrics import pair_mcc, stuck
from dvae_core.runs import RunError
from pages.ui import page as ui
from tests.helpers import finish, trained_run

ALIVE = np.ones((8, 2))
BOUNDS = np.array([0.0, 0.1, -0.1, 0.05, 0.02, -0.05, 0.08, -0.02])


def test_a_member_far_below_its_population_is_stuck():
    assert stuck(BOUNDS, ALIVE, (1.0,) * 8) == {}
    late = BOUNDS - np.where(np.arange(8) == 3, 2.0, 0.0)
    assert stuck(late, ALIVE, (1.0,) * 8) == {3: "its bound is 1.9 nats below its population's median"}
    assert stuck(BOUNDS / 1000 - np.where(np.arange(8) == 3, 0.1, 0.0), ALIVE, (1.0,) * 8) == {}  # not worth a nat
    assert stuck(-late, ALIVE, (1.0,) * 8) == {}  # far above is no fault


def test_bounds_are_compared_among_equals():
    betas = (1.0,) * 4 + (8.0,) * 4
    apart = BOUNDS - np.where(np.arange(8) > 3, 30.0, 0.0)  # a larger beta costs nats and is no accident
    assert stuck(apart, ALIVE, betas) == {}
    assert list(stuck(apart - np.where(np.arange(8) == 6, 5.0, 0.0), ALIVE, betas)) == [6]
    assert stuck(np.array([0.0, -50.0]), np.ones((2, 2)), (1.0, 1.0)) == {}  # two cannot say which is right


def test_dead_and_failed_members():
    dead = ALIVE * np.where(np.arange(8) == 2, 1e-3, 1.0)[:, None]
    assert stuck(BOUNDS, dead, (1.0,) * 8) == {2: "none of its latents carries any information"}
    assert stuck(BOUNDS, dead, (8.0,) * 8) == {}  # a large beta may rightly kill all
    failed = BOUNDS.copy()
    failed[2] = np.nan
    assert stuck(failed, dead, (1.0,) * 8) == {}


def constant(run: runs.Run, late: int) -> None:
    """Make one member of a finished run what a stuck one is: its encoder says nothing, and its bound is lower."""
    weights, latents = run.weights(), dict(run.latents())
    for name, value in weights.items():
        if name.startswith("encoder"):
            value[late] = 0.0
    latents["mu_z"][late] = 0.0
    latents["kl_latent"][late] = 1e-4
    latents["elbo"][late] -= 9.0
    run.write_tensors("weights.safetensors", weights)
    run.write_npz("latents.npz", latents)


@pytest.fixture(scope="module")
def population(tmp_path_factory):
    """A population of four, one of which is stuck."""
    data = SourcesData(segments=3, per_segment=100)
    config = recipes.for_dataset(
        data, dataset_of(data), "ivae", members=4, batch=30, epochs=3, posterior="diagonal", encoder="x"
    )
    run = trained_run(tmp_path_factory.mktemp("stuck") / "run", config)
    constant(run, 1)
    return run


def test_training_names_a_stuck_member_when_it_ends(tmp_path, monkeypatch):
    data = SourcesData(segments=3, per_segment=100)
    config = recipes.for_dataset(data, dataset_of(data), "ivae", members=4, batch=30, epochs=1)
    monkeypatch.setattr("dvae_core.training.train.stuck", lambda *_: {1: "its bound is 9 nats below"})
    run = trained_run(tmp_path / "run", config)
    assert run.status().stuck_members == (1,)
    assert "Seed 1 is stuck: its bound is 9 nats below" in run.status().message


@pytest.mark.slow
def test_a_stuck_member_is_shown_and_in_no_mean_of_the_score(population):
    assert good_members(population) == [0, 2, 3]
    scored = score(population)
    assert scored.members_stuck == 1
    assert any("seed 1 is stuck and not in the means" in note for note in scored.notes)
    assert scored.mean.elbo == np.mean([m.elbo for m in scored.members if m.member != 1])
    assert len(scored.members) == 4
    assert member_table(population)["stuck"].tolist() == [False, True, False, False]
    assert best_member(population) != 1


def test_a_member_is_called_best_only_if_its_bound_stands_out(population, tmp_path):
    run = runs.Run(shutil.copytree(population.path, tmp_path / "run"))
    latents = {name: values.copy() for name, values in run.latents().items()}
    noise = np.random.default_rng(0).standard_normal(latents["elbo_rows"].shape)
    latents["elbo_rows"][:] = noise + 0.01 * np.array([[0], [0], [1], [0]])  # member 2 is ahead, by far less than noise
    latents["elbo"] = latents["elbo_rows"].mean(1)
    latents["elbo"][1] -= 9  # still stuck
    run.write_npz("latents.npz", latents)
    assert sorted(rivals(run)) == [0, 2, 3]
    assert ui.by_bound(run) == "highest bound of 4 members, not distinguishable from 2 others"
    latents["elbo_rows"][2] += 1.0
    latents["elbo"][2] += 1.0
    run.write_npz("latents.npz", latents)
    assert rivals(run) == [2]
    assert ui.by_bound(run) == "best bound of 4 members"
    del latents["elbo_rows"]
    run.write_npz("latents.npz", latents)
    assert ui.by_bound(run) == "highest bound of 4 members"  # version 0.1 kept nothing to test with


def test_a_stuck_member_agrees_with_nobody(population):
    list(agreement(population))
    assert population.analysis("agreement")["member"].tolist() == [0, 2, 3]


def test_a_stuck_member_is_not_compared_with_other_seeds(population):
    list(member_scores(population))
    records = population.record("members")["members"]
    latents = population.latents()
    pairs = [pair_mcc(latents["mu_z"][0].astype(float), latents["mu_z"][m].astype(float)).value for m in (2, 3)]
    assert records[0]["agreement"] == pytest.approx(np.mean(pairs))
    assert (records[1]["agreement"], records[1]["udr"]) == (None, None)
    assert records[1]["mig"] == pytest.approx(0, abs=1e-9)  # shown, as what it is


def test_a_stuck_member_is_not_in_the_mean_of_what_its_latents_predict(population):
    list(downstream(population))
    found = population.analysis("downstream-u-linear")
    members = found["members"][0]
    assert np.isnan(members).tolist() == [False, True, False, False]
    assert found["value"][0] == pytest.approx(np.nanmean(members))
    assert "left out: seeds 1" in str(found["notes"][0])


def test_where_no_member_is_left_there_is_no_mean_and_a_sentence(tmp_path):
    data = SourcesData(segments=3, per_segment=100)
    config = recipes.for_dataset(data, dataset_of(data), "ivae", members=1, batch=30, epochs=1, posterior="diagonal")
    run = runs.create(tmp_path / "run", config)
    finish(run)
    constant(run, 0)
    scored = score(run)
    assert scored.mean.elbo is None
    assert any("Every member failed or is stuck" in note for note in scored.notes)
    assert scored.members[0].stuck
    with pytest.raises(RunError, match=r"Every member of .* failed or is stuck"):
        list(downstream(run))
    with pytest.raises(RunError, match="at least two members"):
        list(agreement(run))
    assert best_member(run) == 0


def test_a_run_at_work_has_no_stuck_members_yet(population):
    assert list(stuck_members(population)) == [1]
    population.set_status(state="running", pid=os.getpid(), host=socket.gethostname())
    with population.lock():
        assert stuck_members(population) == {}
        assert good_members(population) == [0, 1, 2, 3]
    population.set_status(state="finished", pid=None)


def test_the_line_through_a_studys_means_passes_by_a_stuck_member():
    table = pd.DataFrame({
        "model": ["vae"] * 4, "beta": [1.0] * 4, "seed": range(4), "failed": [False] * 4,
        "stuck": [False, True, False, False], "mcc": [0.9, 0.1, 0.8, 1.0],
    })  # fmt: skip
    figure = figures.score_against_beta(table, "mcc", "MCC")
    line = next(trace for trace in figure.data if trace.mode == "lines")
    assert line.y[0] == pytest.approx(0.9)
    shares = study_table.variance(table.assign(stuck=False), ["mcc"])["MCC"]
    assert shares is not None
    assert study_table.variance(table.assign(mcc=[0.9, 0.1, 0.9, 0.9]), ["mcc"])["MCC"] is None  # nothing varies


def test_a_stuck_member_is_not_ranked_with_the_others_and_is_drawn_open():
    """Its low bound and low score would make the bound look like a guide to the truth."""
    table = pd.DataFrame({
        "model": ["vae"] * 7, "beta": [1.0] * 7, "seed": range(7), "failed": [False] * 7,
        "stuck": [False] * 5 + [True] * 2, "data": ["a"] * 7,
        "elbo": [1.0, 2.0, 3.0, 4.0, 5.0, -9.0, -8.0], "mcc": [0.9, 0.8, 0.7, 0.6, 0.5, 0.1, 0.2],
    })  # fmt: skip
    rho = study_table.rank_correlation(study_table.with_worlds(table), "elbo", "mcc")
    assert rho == pytest.approx(-1)
    figure = figures.known_and_unknown(table, "elbo", "mcc", study_table.NAMES, rho)
    assert [(trace.marker.symbol, len(trace.x)) for trace in figure.data] == [("circle", 5), ("circle-open", 2)]
