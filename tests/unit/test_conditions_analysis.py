"""The analysis "conditions" on real runs, and the training of small populations: a record for each Config, resumed."""

import dataclasses
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from dvae_core import recipes, runs
from dvae_core.analysis.conditions import kinds_of_u as kinds
from dvae_core.analysis.conditions.compute import conditions
from dvae_core.analysis.conditions.record import Conditions, file_name, kinds_of_u, shipped_kinds_of_u
from dvae_core.analysis.latents import held_out
from dvae_core.analysis.rotation.twin import twin
from dvae_core.cli import main
from dvae_core.config import LaplacePrior, LearnedPrior, SourcesData
from dvae_core.data.load import dataset_of
from dvae_core.identify.conditions import theorem_matrix, what_follows
from tests.helpers import trained_run


@pytest.mark.slow
def test_the_talks_run_meets_what_can_be_counted(tmp_path):
    run = runs.Run(shutil.copytree(runs.examples_folder() / "talk-ivae", tmp_path / "run"))
    sizes = []
    for m in range(run.config.members):
        for _ in conditions(run, member_index=m):
            pass
        found = Conditions.load(run, file_name(m))
        learned = theorem_matrix(found.lam, spread=found.spread)
        true = theorem_matrix(found.lam_true)
        assert (learned.rank, true.rank, found.lam.shape) == (4, 4, (5, 2, 2)), f"member {m}"
        # Nats are nats: the world's largest difference, within the factor 2 by which members of MCC .95 differ
        assert 0.5 < learned.singular[0] / true.singular[0] < 2, f"member {m}"
        lights, _ = found.lights(run.config, is_continuous=False)
        assert [light.state for light in lights] == ["met"] * 4, f"member {m}: {lights}"
        assert "theorem 2 would say" in what_follows(run.config, lights, found.monotonic, found.effect)
        sizes.append(np.exp(np.log(learned.singular / true.singular).mean()))
    # and over all four directions the world's, in nats, within a third, as the usual member has them
    assert 0.75 < np.median(sizes) < 1.33
    found = Conditions.load(run, file_name(0))
    # lambda is the Gaussian's own: precision and mean behind the moments that were written with the latents
    latents = held_out(run)
    row = int(np.flatnonzero(latents["u"] == 2)[0])
    var = np.exp(latents["prior_logvar"][0, row].astype(float))
    expected = np.stack([latents["prior_mu"][0, row] / var, -0.5 / var], -1)
    np.testing.assert_allclose(found.lam[2], expected, rtol=1e-4)
    assert found.singular.min() > 1
    assert found.pairs[1] == 0
    np.testing.assert_allclose(np.trapezoid(found.curves, found.curve_z), 1, atol=0.05)  # the range drawn


def test_the_command_line_prints_lights_and_verdict_as_json(tmp_path, capsys):
    run = runs.Run(shutil.copytree(runs.examples_folder() / "talk-ivae", tmp_path / "run"))
    assert main(["analyse", str(run.path), "conditions", "--set", "member_index=2", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert set(printed) == {"effect", "lights", "verdict"}
    assert [set(light) for light in printed["lights"]] == [{"name", "state", "number"}] * 4
    assert [light["name"].split()[0] for light in printed["lights"]] == ["Noise", "Injective", "Independent", "Enough"]
    assert all(light["state"] == "met" for light in printed["lights"])
    assert printed["verdict"].startswith(f"u changes log p(z|u) by {printed['effect']['nats']:.3f}")


@pytest.mark.slow
def test_no_light_is_green_and_no_theorem_named_where_u_does_nothing(tmp_path):
    data = SourcesData(strength=0.0, segments=20, per_segment=250, seed=45)
    config = recipes.for_dataset(data, dataset_of(data), "ivae", members=2, posterior="gauss-newton", epochs=8)
    run = trained_run(tmp_path / "run", config)
    for m in range(2):
        for _ in conditions(run, member_index=m):
            pass
        found = Conditions.load(run, file_name(m))
        lights, learned = found.lights(config, is_continuous=False)
        assert learned.rank == 4  # a learned lambda always spans all directions: noise does
        assert lights[3].state == "broken", lights[3]
        text = what_follows(config, lights, found.monotonic, found.effect)
        assert "promise nothing" in text
        assert f"{found.effect.gain:.3f}" in text


@pytest.mark.parametrize(
    ("prior", "continuous"),
    [
        (LaplacePrior(), False),
        (LearnedPrior(width=4), True),
        pytest.param(LaplacePrior(), True, marks=pytest.mark.slow),
        pytest.param(LearnedPrior(k=1, width=4), True, marks=pytest.mark.slow),
        pytest.param(LearnedPrior(k=1, width=4), False, marks=pytest.mark.slow),
        pytest.param(LearnedPrior(width=4), False, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_every_family_and_both_kinds_of_u(tmp_path, prior, continuous):
    data = SourcesData(segments=6, per_segment=60, noise="laplace", modulate="variance", continuous_u=continuous)
    config = recipes.for_dataset(data, dataset_of(data), "ivae", members=1, epochs=2, prior=prior)
    run = trained_run(tmp_path / "run", config)
    assert list(conditions(run))[-1] == 1
    found = Conditions.load(run, file_name(0))
    k = prior.k
    assert found.lam.shape[1:] == found.spread.shape == (2, k)
    assert found.gram.shape == (2, k)
    assert found.grid_error < 1e-6
    assert not found.monotonic.any() or k > 1
    assert (found.explained >= 0).all()


def test_the_jacobian_of_a_rotated_twin_is_taken_at_the_points_of_its_original(tmp_path, monkeypatch):
    """A turn by 90 degrees exchanges the latents (and their scales), so it leaves every singular value as it is."""
    monkeypatch.setenv("DVAE_RUNS", str(tmp_path / "store"))
    original = runs.Run(shutil.copytree(runs.examples_folder() / "talk-vae", tmp_path / "original"))
    assert list(twin(original, degrees=90.0))[-1] == 1
    (rotated,) = runs.list_runs(runs.default_store())
    for run in (original, rotated):
        assert list(conditions(run))[-1] == 1
    before, after = (Conditions.load(run, file_name(0)).singular for run in (original, rotated))
    assert before.std(0).min() > 0.1 * before.mean()  # they differ from point to point: other points have others
    np.testing.assert_allclose(after, before, rtol=1e-9)  # float64 throughout; the turn's entries are 0 and 1 to 1e-16


@pytest.mark.slow
def test_the_study_records_each_world_once_and_stops_on_request(tmp_path):
    few = kinds.configs(members=2, steps=20)
    small = {name: few[name] for name in ("none-1-1-w0", "both-2-1-w0")}  # two values of u: fewer directions than n k
    run = runs.unlisted_run(tmp_path / "study")
    assert runs.list_runs(tmp_path.parent) == []  # too deep to be listed
    (run.path / "STOP").touch()
    list(kinds.train_all(small, run.path))
    assert kinds_of_u(run.path) == []
    (run.path / "STOP").unlink()
    assert list(kinds.train_all(small, run.path)) == [0.5, 1.0, 1.0]
    rows = kinds_of_u(run.path)
    assert [(r["modulate"], r["segments"], r["world"]) for r in rows] == [("none", 1, 0), ("both", 2, 0)]
    assert all(len(r["mcc"]) == 2 for r in rows)
    assert rows[0]["rank"] is None
    assert rows[1]["rank"] <= 1  # two values of u: one difference of lambda
    before = (run.path / "analysis" / "study.json").read_text()
    assert list(kinds.train_all(small, run.path)) == [1.0]
    assert (run.path / "analysis" / "study.json").read_text() == before
    other = {name: dataclasses.replace(c, train=dataclasses.replace(c.train, lr=2e-2)) for name, c in small.items()}
    keys = {r["key"] for r in rows}
    list(kinds.train_all(other, run.path))
    assert keys.isdisjoint(r["key"] for r in kinds_of_u(run.path))  # other settings are trained anew
    assert len(json.loads(before)) == len(kinds_of_u(run.path))


def test_a_failed_seed_is_not_the_median_of_its_population(tmp_path, monkeypatch):
    config = kinds.configs(members=2, steps=1)["both-2-1-w0"]
    members = [SimpleNamespace(member=m, mcc_pearson=0.5, mcc_within_u=None, elbo=0.0) for m in (0, 1)]
    monkeypatch.setattr(kinds, "train", lambda run: [])
    monkeypatch.setattr(kinds, "score", lambda run: SimpleNamespace(members=members, floors={"u_only": 0.1}))
    monkeypatch.setattr(kinds, "good_members", lambda run: [1])
    judged = []
    monkeypatch.setattr(kinds, "_directions", lambda run, m: judged.append(m) or (m, 2.0))
    list(kinds.train_all({"one": config}, runs.unlisted_run(tmp_path / "study").path))
    (row,) = json.loads((tmp_path / "study" / "analysis" / "study.json").read_text()).values()
    assert (judged, row["rank"], row["mcc"][0]) == ([1], 1, None)


def test_the_whole_study_is_as_many_populations_as_the_page_counts_on_five_worlds_each():
    from pages.ui.conditions_kinds_of_u import POPULATIONS

    configs = kinds.configs()
    assert len(configs) == POPULATIONS
    assert {c.data.seed for c in configs.values()} == set(range(5))


def test_the_shipped_result_is_that_of_the_settings_of_today():
    assert {r["name"]: r["key"] for r in shipped_kinds_of_u()} == {n: c.key() for n, c in kinds.configs().items()}
