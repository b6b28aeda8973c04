"""Members that trained and did not arrive are named, shown and left out of the means; good ones never are."""

import numpy as np

from dvae_core import recipes, runs
from dvae_core.analysis import compute, read
from dvae_core.config import SourcesData
from dvae_core.data.load import dataset_of
from dvae_core.metrics import stuck
from dvae_core.training.train import train

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
    assert stuck(BOUNDS, dead, (1.0,) * 8) == {2: "none of its latents carries anything"}
    assert stuck(BOUNDS, dead, (8.0,) * 8) == {}  # a large beta may rightly kill all
    failed = BOUNDS.copy()
    failed[2] = np.nan
    assert stuck(failed, dead, (1.0,) * 8) == {}


def test_a_stuck_member_is_named_and_not_averaged_in(tmp_path, monkeypatch):
    data = SourcesData(segments=3, per_segment=100)
    config = recipes.for_dataset(data, dataset_of(data), "ivae", members=4, batch=30, epochs=3)
    run = runs.create(tmp_path / "run", config)
    late = {1: "its bound is 9 nats below its population's median"}
    monkeypatch.setattr("dvae_core.training.train.stuck", lambda *_: late)
    for _ in train(run):
        pass
    assert run.status().stuck_members == (1,)
    assert "Seed 1 is stuck: its bound is 9 nats below" in run.status().message
    monkeypatch.setattr("dvae_core.metrics.stuck", lambda *_: late)
    score = compute.score(run)
    assert score["members_stuck"] == 1
    assert any("seed 1 is stuck and not in the means" in note for note in score["notes"])
    others = [m["elbo"] for m in score["members"] if m["member"] != 1]
    assert score["mean"]["elbo"] == np.mean(others)
    assert len(score["members"]) == 4
    assert read.member_table(run)["stuck"].tolist() == [False, True, False, False]
    assert read.best_member(run) != 1
