"""A study: its product, resuming it, one row for each model, failures that are reported, and what the table shows."""

import dataclasses
import shutil
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from dvae_core import figures
from dvae_core.analysis import study_table
from dvae_core.cli import main
from dvae_core.config import Config, ConfigError, FileData, SourcesData, data_from_text, data_to_text
from dvae_core.data.load import dataset_of
from dvae_core.metrics import variance_shares
from dvae_core.runs import RunError
from dvae_core.work import study as studies
from dvae_core.work.populations import Population, populations
from tests.helpers import scores_of

SMALL = "sources,per_segment=40,segments=3"


def small(seeds: int = 2, betas: tuple[float, ...] = (1, 4)) -> list[Population]:
    return populations([SMALL], ["vae", "ivae"], betas, seeds, epochs=1, batch=32)


class Here(Executor):
    """Does the work at once, in this thread; counts what it was asked for, and fails where the test wants it to."""

    def __init__(self, fail: str = "") -> None:
        self.asked: list[tuple[str, str]] = []
        self.fail = fail

    def submit(self, fn, /, *args, **kwargs) -> Future:
        folder, name, _ = args
        self.asked.append((folder.rsplit("/", 1)[1], name))
        future: Future = Future()
        if self.fail and self.fail in folder:
            future.set_exception(RuntimeError("the worker died\nof something"))
        else:
            future.set_result(fn(*args))
        return future


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> studies.Study:
    """A study of 8 models in 2 populations."""
    study = studies.create(tmp_path_factory.mktemp("study"), small())
    *_, end = studies.perform(study, Here())
    assert (end.state, end.done, end.models) == ("finished", 8, 8)
    return study


def test_betas_and_seeds_are_members_of_one_population():
    vae, ivae = small()
    assert (vae.config.train.betas, vae.config.train.seeds) == ((1, 1, 4, 4), (0, 1, 0, 1))
    assert (vae.config.prior.kind, ivae.config.prior.kind) == ("standard", "conditional")
    split = populations([SMALL], ["vae"], (1, 2, 4), 6)
    assert [p.config.train.betas for p in split] == [(1.0,) * 6 + (2.0,) * 6, (4.0,) * 6]  # 16 members at most


def test_a_model_may_carry_settings():
    default, diagonal = populations([SMALL], ["vae", "vae,posterior=diagonal,latents=3"], (1,), 1)
    assert (default.config.model.posterior, diagonal.config.model.posterior) == ("gauss-newton", "diagonal")
    assert diagonal.config.model.latents == 3


@pytest.mark.parametrize(
    ("models", "sentence"),
    [(["beta-vae"], "vae with betas"), (["vae,colour=1"], "no setting 'colour'"), ([], "at least one")],
)
def test_a_study_that_makes_no_sense_is_refused(models, sentence):
    with pytest.raises(ConfigError, match=sentence):
        populations([SMALL], models, (1,), 1)


def test_one_row_a_model_with_its_scores(finished):
    table = pd.read_parquet(finished.path / "table.parquet")
    pd.testing.assert_frame_equal(table, finished.table())
    assert len(table) == 8
    assert list(table[["model", "beta", "seed"]].itertuples(index=False, name=None))[3:5] == [
        ("vae", 4, 1),
        ("ivae", 1, 0),
    ]
    assert np.isfinite(table[["elbo", "kl", "mcc", "mig", "sap", "agreement", "udr"]].to_numpy()).all()
    assert table["dci_disentanglement"].isna().all()  # asked for with full=True only
    score = scores_of(finished.run(finished.populations[1])).members[2]
    assert table.loc[6, "mcc"] == score.mcc_pearson
    assert not table["failed"].any()


def test_what_is_finished_is_not_done_again(finished, tmp_path):
    again = Here()
    (end,) = studies.perform(finished, again)
    assert (end.state, again.asked) == ("finished", [])
    shutil.copytree(finished.path, tmp_path / "copy")
    study = studies.Study(tmp_path / "copy", tmp_path / "copy")
    lost = study.populations[0].run_id
    shutil.rmtree(study.path / lost)
    before = study.table()
    assert before["state"].tolist() == ["new"] * 4 + ["finished"] * 4
    for _ in studies.perform(study, again):
        pass
    assert again.asked == [(lost, "train"), (lost, "members")]
    pd.testing.assert_frame_equal(study.table(), finished.table())


def test_a_failed_population_is_rows_that_say_so_and_is_tried_again(tmp_path):
    study = studies.create(tmp_path / "study", small())
    *_, end = studies.perform(study, Here(fail="ivae"))
    assert (end.state, end.done) == ("stopped", 4)
    assert "the worker died" in end.problem
    table = pd.read_parquet(tmp_path / "study/table.parquet")
    assert table["failed"].tolist() == [False] * 4 + [True] * 4
    assert set(table.loc[4:, "problem"]) == {"the worker died"}
    assert table.loc[4:, "elbo"].isna().all()
    *_, end = studies.perform(study, Here())
    assert (end.state, end.problem) == ("finished", "")


def test_a_diverged_member_is_a_row_that_says_so(finished, tmp_path):
    shutil.copytree(finished.path, tmp_path / "copy")
    study = studies.Study(tmp_path / "copy", tmp_path / "copy")
    study.run(study.populations[0]).set_status(failed_members=[1])
    assert study.table()["failed"].tolist() == [False, True] + [False] * 6


@pytest.mark.slow
def test_a_study_stops_and_resumes(tmp_path):
    study = studies.create(tmp_path / "study", small())
    with ThreadPoolExecutor(1) as pool:
        *_, end = studies.perform(study, pool, should_stop=lambda: True)
        assert (end.state, studies.Study(study.path, study.store).status().done) == ("stopped", 0)
        assert not (study.path / "STOP").exists()
        *_, end = studies.perform(study, pool)
    assert end.state == "finished"
    assert end.seconds > 0


def test_another_study_is_not_written_over(finished):
    assert studies.create(finished.path, small()) == finished
    with pytest.raises(RunError, match="another study"):
        studies.create(finished.path, small(seeds=3))
    with pytest.raises(RunError, match="no study"):
        studies.Study(finished.path / "nowhere", finished.store).status()


@pytest.mark.slow
def test_two_cannot_be_at_work_on_one_study(tmp_path):
    study = studies.create(tmp_path / "study", small())
    first = studies.perform(study, Here())
    next(first)
    assert study.status().state == "running"
    with pytest.raises(RunError, match="already running"):
        next(studies.perform(study, Here()))
    first.close()
    assert not study.is_running()


def test_the_time_left_is_estimated_from_finished_work(finished, tmp_path):
    shutil.copytree(finished.path, tmp_path / "copy")
    study = studies.Study(tmp_path / "copy", tmp_path / "copy")
    shutil.rmtree(study.path / study.populations[0].run_id)
    seen = [(p.done, p.seconds_left) for p in studies.perform(study, Here())]
    assert seen[-1] == (8, None)
    fresh = studies.create(tmp_path / "fresh", small())
    at_first = next(studies.perform(fresh, Here(fail="vae")))
    assert at_first.seconds_left is None  # nothing is through: nothing is promised


def test_the_command_line_trains_resumes_and_refuses(tmp_path, capsys):
    out = str(tmp_path / "study")
    one = ["sweep", "--out", out, "--data", SMALL, "--models", "vae", "--betas", "1", "--seeds", "2", "--epochs", "1"]
    assert main(one) == 0
    assert main(["sweep", "--out", out]) == 0
    assert "2 are finished" in capsys.readouterr().out
    assert main([*one[:-1], "2"]) == 2
    assert main(["sweep", "--out", str(tmp_path / "none")]) == 2
    assert main(["sweep", "--out", str(tmp_path / "far"), "--data", SMALL, "--scheduler", "far://away"]) == 2


def test_studies_of_a_store_are_found(finished, tmp_path):
    (tmp_path / "studies").mkdir()
    shutil.copytree(finished.path, tmp_path / "studies/a")
    assert [s.id for s in studies.list_studies(tmp_path)] == ["a"]
    assert studies.list_studies(finished.path) == [finished]


def test_data_round_trips_through_text():
    for data in (SourcesData(noise="laplace", d_x=5), FileData(path="/a b.npz", x=("p", "q"), rate_hz=2.5)):
        assert data_from_text(data_to_text(data)) == (data, "auto")


def test_populations_of_any_configs_make_a_study(finished, tmp_path):
    config = dataclasses.replace(finished.populations[0].config, data=SourcesData(segments=3, per_segment=45))
    study = studies.create(tmp_path / "own", [Population("mine", "vae", config)])
    assert Config.from_json(study.populations[0].config.to_json()) == config
    for _ in studies.perform(study, Here()):
        pass
    assert set(study.table()["data"]) == {"mine"}


# --- what the table says ---


def test_variance_is_split_as_it_was_put_together():
    rng = np.random.default_rng(0)
    method, strength, _ = (a.ravel() for a in np.meshgrid(range(3), range(4), range(2000), indexing="ij"))
    noise = rng.normal(0, 1.0, method.size)
    # Var of 0, 2, 4 is 8/3; of 0..3 is 5/4; of the seed 1.
    shares = variance_shares(2.0 * method + strength + noise, method, strength.astype(float))
    whole = 8 / 3 + 5 / 4 + 1
    # Standard error of a share with 24,000 rows is below 0.005.
    np.testing.assert_allclose(shares[:4], [8 / 3 / whole, 5 / 4 / whole, 0, 1 / whole], atol=0.01)
    assert sum(shares[:4]) == pytest.approx(1)


def test_a_pure_interaction_and_missing_rows():
    method, strength = np.repeat([0, 0, 1, 1], 5), np.tile(np.repeat([1.0, 2.0], 5), 2)
    score = np.where((method == 1) == (strength == 2), 1.0, 0.0)
    assert variance_shares(score, method, strength).both == pytest.approx(1)
    score[3] = np.nan  # a failed member
    shares = variance_shares(score, method, strength)
    assert (shares.n, sum(shares[:4])) == (19, pytest.approx(1))


def test_luck_is_what_pure_noise_explains():
    rng = np.random.default_rng(1)
    method, strength = np.repeat(np.arange(2), 20), np.tile(np.repeat(np.arange(4.0), 5), 2)
    found = [variance_shares(rng.normal(size=40), method, strength) for _ in range(400)]
    mean = np.mean([s[:3] for s in found], axis=0)
    np.testing.assert_allclose(mean, found[0].luck, atol=0.015)  # 400 draws of shares with std < 0.07: 4 errors
    assert found[0].luck == (1 / 39, 3 / 39, 3 / 39)


@pytest.mark.parametrize("score", [[1.0, np.nan], [1.0, 1, 1, 1], [1.0, 2, 3, 4]])
def test_nothing_to_split_gives_none(score):
    at = np.arange(len(score))
    assert variance_shares(np.array(score), at, at.astype(float)) is None


def table_of(n: int = 12) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(np.nan, range(n), list(study_table.NAMES))
    table["model"] = ["vae", "ivae,posterior=full"] * (n // 2)
    table["beta"], table["seed"] = np.repeat([1.0, 4.0], n // 2), np.arange(n) // 2 % 3
    table["failed"], table["stuck"] = np.arange(n) == 3, np.arange(n) == 5
    table["mcc"], table["elbo"] = rng.uniform(size=n), rng.normal(size=n)
    table.loc[3, ["mcc", "elbo"]] = np.nan
    table["udr"] = table["mcc"] ** 3
    return table


def test_ranks_of_what_needs_no_truth_against_what_does():
    ranks = study_table.rank_correlations(table_of())
    assert ranks["UDR"]["MCC"] == pytest.approx(1)
    assert set(ranks) == {"ELBO", "UDR"}
    assert np.isnan(study_table.rank_correlation(table_of(4), "udr", "mcc"))


def test_figures_show_every_model_and_state_what_was_found():
    table = table_of()
    figure = figures.score_against_beta(table, "mcc", "MCC")
    names = [trace.name for trace in figure.data]
    assert "VAE, failed" not in names
    assert "iVAE, posterior full, failed" in names
    assert "iVAE, posterior full, stuck" in names
    assert sum(len(t.x) for t in figure.data if t.mode == "markers") == 12
    assert "another seed moves it by up to" in figure.layout.title.text.replace("<br>", " ")
    bars = figures.variance_bars(study_table.variance(table, ["mcc", "udr"]))
    np.testing.assert_allclose(np.sum([bar.x for bar in bars.data], axis=0), 100)
    assert {bar.marker.pattern.shape for bar in bars.data} == {"", "/", ".", "x"}
    tiles = figures.rank_correlations(study_table.rank_correlations(table))
    assert "UDR says most about MCC" in tiles.layout.title.text.replace("<br>", " ")
    dots = figures.known_and_unknown(table, "udr", "mcc", study_table.NAMES, 1.0)
    assert sum(len(t.x) for t in dots.data) == 11


def test_results_are_averaged_over_worlds_and_bars_are_over_worlds():
    table = table_of().assign(data=["sources", "sources,segments=3,seed=7"] * 6)
    named = study_table.with_worlds(table)
    assert named["data"].tolist() == ["sources", "sources,segments=3"] * 6
    assert named["world"].tolist() == [0, 7] * 6
    # two worlds of one model: the cells' means are those of the worlds' means, the bars their spread
    one = table_of().assign(model="vae", failed=False, stuck=False, beta=1.0, mcc=[0.1] * 9 + [0.7] * 3)
    one["world"] = [0] * 9 + [1] * 3
    figure = figures.score_against_beta(one, "mcc", "MCC")
    line = next(t for t in figure.data if t.mode == "lines")
    assert (line.y[0], line.error_y.array[0]) == pytest.approx((0.4, 0.3))
    assert "over 2 worlds" in figure.layout.title.subtitle.text.replace("<br>", " ")
    assert "worlds of one model differ by up to 0.60" in figure.layout.title.text.replace("<br>", " ")
    # a score that is alike in both worlds but shifted between them: pooled, the worlds would correlate by themselves
    twice = pd.concat([table_of().assign(world=0), table_of().assign(world=1)], ignore_index=True)
    shifted = twice.assign(elbo=twice["elbo"] + 10 * twice["world"], mcc=twice["mcc"] + 10 * twice["world"])
    assert study_table.rank_correlation(shifted, "elbo", "mcc") == study_table.rank_correlation(
        table_of(), "elbo", "mcc"
    )
    assert study_table.variance(shifted, ["mcc"])["MCC"][:4] == pytest.approx(
        study_table.variance(table_of(), ["mcc"])["MCC"][:4]
    )


def test_figures_of_too_little_are_a_sentence():
    table = table_of(4).assign(mcc=np.nan)
    for figure in (
        figures.score_against_beta(table, "mcc", "MCC"),
        figures.variance_bars(study_table.variance(table, ["mcc"])),
        figures.rank_correlations(study_table.rank_correlations(table)),
        figures.known_and_unknown(table, "udr", "mcc", study_table.NAMES, float("nan")),
    ):
        assert figure.layout.annotations[0].text


def test_imported_latents_are_rows_of_a_study(tmp_path, capsys):
    data = SourcesData(segments=3, per_segment=40)
    z = dataset_of(data).z.astype(float)
    flipped = -z + 0.01 * np.random.default_rng(0).normal(size=z.shape)
    np.savez(tmp_path / "two.npz", mu_z=np.stack([z, flipped]), seeds=np.array([3, 8]))
    path, here = tmp_path / "study", Here()
    asked = ["import", str(tmp_path / "two.npz"), "--data", SMALL, "--same-rows", "--study", str(path)]
    assert [main([*asked, "--method", name]) for name in ("CEBRA", "PCA")] == [0, 0]
    study = studies.opened(path)
    for _ in studies.perform(study, here):
        pass
    assert here.asked == [(p.run_id, "members") for p in study.populations]  # nothing is trained
    table = study.table()
    assert table[["data", "state"]].to_numpy().tolist() == [[data_to_text(data), "finished"]] * 4
    assert table[["model", "seed"]].to_numpy().tolist() == [["CEBRA", 3], ["CEBRA", 8], ["PCA", 3], ["PCA", 8]]
    np.testing.assert_allclose(table["mcc"], 1, atol=1e-3)  # noise of a hundredth of the factors' scale
    np.testing.assert_allclose(table["agreement"], 1, atol=1e-3)
    assert table["elbo"].isna().all()  # no decoder, no bound
    before = sorted(file.name for file in path.iterdir())
    assert main([*asked, "--method", "PCA"]) == 2
    assert "has latents of PCA" in capsys.readouterr().err
    assert sorted(file.name for file in path.iterdir()) == before  # nothing of the second try is left
