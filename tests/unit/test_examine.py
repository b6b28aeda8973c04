"""All rows of a data set are examined by a worker, with progress and a stop, and the result reads back equal."""

import numpy as np

from dvae_core import recipes, runs
from dvae_core.analysis.examine.compute import examine
from dvae_core.analysis.examine.record import Examined, ExaminedOverview
from dvae_core.config import FileData
from dvae_core.data import care, held_out
from dvae_core.data.dataset import Dataset
from dvae_core.data.saved import save
from dvae_core.data.split import split


def run_on(tmp_path, **known):
    x = np.cumsum(np.random.default_rng(0).standard_normal((900, 6)), axis=0) % 7
    x[:, 5], x[10, 0] = 1.0, 1e6
    data = Dataset("recording", x, **known)
    save(data, tmp_path / "recording.npz")
    config = recipes.for_dataset(FileData(path=str(tmp_path / "recording.npz")), data, "vae", members=1)
    return runs.create(tmp_path / "look", config), data


def test_what_is_found_is_what_the_page_finds_in_small_data(tmp_path):
    run, data = run_on(tmp_path, u=np.arange(900.0), rate_hz=20.0)
    shares = list(examine(run))
    assert shares == sorted(shares)
    found = Examined.load(run, "examine")
    assert found is not None
    assert found.as_findings() == care.findings(data)
    plan = held_out.planned(data)
    parts = split(data, plan.how, gap=plan.gap)
    assert found.split == held_out.record(data, parts)
    assert (found.n, found.components) == (900, data.components)
    seen, drawn = ExaminedOverview.load(run, "overview"), held_out.overview(data, parts)
    assert seen is not None
    assert seen.as_overview().stretches == drawn.stretches
    np.testing.assert_allclose(seen.as_overview().x, drawn.x, rtol=1e-6)
    np.testing.assert_array_equal(seen.as_overview().u, drawn.u)


def test_a_stop_ends_it_without_a_result(tmp_path):
    run, _ = run_on(tmp_path)
    at_work = examine(run)
    next(at_work)
    next(at_work)
    (run.path / "STOP").touch()
    assert list(at_work) == []
    assert Examined.load(run, "examine") is None
    assert list(examine(run))[-1] < 1  # asked again, it does not remember the stop
    assert Examined.load(run, "examine") is not None


def test_the_settings_that_suit_all_rows_are_those_of_a_form_that_reads_all_rows(tmp_path):
    u = np.arange(900) // 10 % 5
    run, data = run_on(tmp_path, u=u, u_labels=tuple("abcde"), rate_hz=20.0)
    list(examine(run))
    found = Examined.load(run, "examine")
    assert found is not None
    assert set(found.configs) == {"vae", "beta-vae", "ivae", "ivae axes", "ivae reading"}
    for model, goal in (("vae", None), ("ivae", None), ("ivae", "axes")):
        made = recipes.for_dataset(run.config.data, data, model, members=1, goal=goal)
        assert found.config(model, goal) == made
    assert np.array_equal(found.codes, np.sort(u))


def test_the_overview_shows_means_of_all_rows_and_every_stretch():
    x = np.repeat(np.arange(100.0), 10)[:, None] * [1.0, -1.0]
    data = Dataset("steps", x, u=np.arange(1000) // 500, rate_hz=10.0)
    parts = split(data, "blocks", gap=7)
    seen = held_out.overview(data, parts, bins=100)
    np.testing.assert_allclose(seen.x[:, 0], np.arange(100.0))
    assert seen.u.tolist() == [0.0] * 50 + [1.0] * 50
    assert seen.stretches["held out"] == [(100, 150), (350, 400), (600, 650), (850, 900)]
    assert seen.stretches["gap"][:2] == [(93, 100), (150, 157)]
    assert held_out.overview(data, split(data, "random")).stretches == {}
