"""Analyses by name: their settings, their record, their lock, and that the command line uses the worker for them."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from dvae_core import runs
from dvae_core.analysis.common import progress
from dvae_core.analysis.conditions import kinds_of_u
from dvae_core.analysis.disentanglement.record import Disentanglement
from dvae_core.analysis.downstream.record import Downstream, file_name
from dvae_core.analysis.encode import rows_of_another_u
from dvae_core.analysis.linear_ica.record import LinearIca
from dvae_core.analysis.score.compute import score
from dvae_core.analysis.score.record import Scores
from dvae_core.analysis.table import ANALYSES, begin
from dvae_core.cli import main
from dvae_core.config import ConfigError
from dvae_core.data.load import dataset_of
from dvae_core.runs import RunError
from dvae_core.runs.locks import LockedError, locked
from dvae_core.work import worker
from tests.helpers import SMALL_DATA, small_config, trained_run


@pytest.fixture
def run(tmp_path):
    return runs.Run(shutil.copytree(runs.examples_folder() / "talk-vae", tmp_path / "run"))


def test_text_and_typed_settings_are_the_same(run):
    typed = worker.perform(str(run.path), "downstream", {"target": "z:1"})
    text = worker.perform(str(run.path), "downstream", {"target": "z:1", "reader": "linear"})
    assert typed is not None
    assert text is not None
    np.testing.assert_array_equal(typed["value"], text["value"])


@pytest.mark.parametrize(
    ("name", "settings", "sentence"),
    [
        ("nope", {}, "There is no analysis 'nope'; known are score, rotation"),
        ("rotation", {"k": "1"}, "The analysis rotation has no setting 'k'; known are member_index, i, j, step"),
        ("difficulty", {"k": 1}, "has no setting 'k'; it has none"),
        ("rotation", {"member_index": "first"}, "member_index of the analysis rotation must be a whole number"),
        ("rotation", {"step": "wide"}, "must be a number; got 'wide'"),
        ("disentanglement", {"fast": "perhaps"}, "must be true or false; got 'perhaps'"),
    ],
)
def test_wrong_names_and_values_are_refused_in_a_sentence(run, name, settings, sentence):
    with pytest.raises(ConfigError, match=sentence):
        begin(run, name, settings)
    assert not (run.path / "analysis" / f"{name}.progress").exists()


@pytest.mark.slow
def test_the_record_that_is_returned_is_the_one_in_the_file(run):
    record = worker.perform(str(run.path), "rotation", {"step": 45.0})
    assert record is not None
    written = run.analysis("rotation-0-0-1")
    assert written is not None
    assert sorted(record) == sorted(written)
    for key, values in written.items():
        np.testing.assert_array_equal(record[key], values)


@pytest.mark.slow
def test_json_prints_the_record(run, capsys):
    assert main(["analyse", str(run.path), "members", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == run.record("members")
    assert main(["score", str(run.path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == run.record("score")


QUICK = {"rotation": {"step": 45.0}, "downstream": {"target": "z:1"}, "twin": {"degrees": 45.0}}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    config = small_config(epochs=1)
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, posterior="gauss-newton"))
    return trained_run(tmp_path_factory.mktemp("analyses") / "run", config)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ANALYSES if name != "kinds_of_u"])
def test_every_analysis_prints_json_and_nothing_else(name, run, small, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DVAE_RUNS", str(tmp_path))  # the twin becomes a run of the store
    settings = [f"--set={key}={value}" for key, value in QUICK.get(name, {}).items()]
    of = run if name == "twin" else small  # the prior of an iVAE cannot be turned
    if name == "session":
        prior = dataclasses.replace(small.config.prior, shared=str(small.path))
        of = trained_run(tmp_path / "second", dataclasses.replace(small.config, prior=prior))
    assert main(["analyse", str(of.path), name, *settings, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_the_kinds_of_u_print_json(tmp_path, monkeypatch, capsys):
    one = dict(list(kinds_of_u.configs(members=1, steps=1).items())[:1])
    monkeypatch.setattr(kinds_of_u, "configs", lambda **_: one)
    folder = runs.unlisted_run(tmp_path / "study").path
    assert main(["analyse", str(folder), "kinds_of_u", "--json"]) == 0
    (population,) = json.loads(capsys.readouterr().out)["populations"]
    assert population["world"] == 0


def test_a_wrong_u_is_that_of_a_row_with_another_label():
    dataset = dataset_of(SMALL_DATA)
    rows = np.arange(0, dataset.n, 3)
    other = rows_of_another_u(dataset, rows)
    assert other is not None
    assert set(other) <= set(rows)
    assert (dataset.u[other] != dataset.u[rows]).all()
    assert rows_of_another_u(dataset, np.flatnonzero(dataset.u == 1)) is None  # there is no other
    numbers = dataset_of(dataclasses.replace(SMALL_DATA, continuous_u=True))
    np.testing.assert_array_equal(np.sort(rows_of_another_u(numbers, rows)), rows)


def test_a_wrong_u_shows_in_the_score_of_codes_that_copy_u(tmp_path):
    """An encoder of x and u that is made to ignore x follows u, right or wrong."""
    config = small_config(seeds=(0,), epochs=1)
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, encoder="xu"))
    run = trained_run(tmp_path / "run", config)
    weights, d_x = run.weights(), run.about["d_x"]
    for name in ("encoder_net.mlp.hidden.0.weight", "encoder_net.skip.weight"):
        weights[name] = weights[name].copy()
        weights[name][:, :d_x] = 0  # the encoder ignores x
    run.write_tensors("weights.safetensors", weights)
    found = score(run).mean
    assert found.mcc_pearson > found.mcc_wrong_u + 0.1
    assert score(trained_run(tmp_path / "vae", small_config(model="vae", epochs=1))).mean.mcc_wrong_u is None


def test_progress_is_reported_and_its_file_goes_away(run):
    seen = []
    worker.perform(
        str(run.path), "difficulty", {}, on_progress=lambda done: seen.append((done, progress(run, "difficulty")))
    )
    assert [done for done, _ in seen] == [0.0, 0.1, 1.0]
    assert all(done == written for done, written in seen)
    assert progress(run, "difficulty") is None


def test_an_analysis_that_is_asked_to_stop_writes_nothing(run):
    assert worker.perform(str(run.path), "difficulty", {}, should_stop=lambda: True) is None
    assert run.record("difficulty") is None
    assert progress(run, "difficulty") is None


def test_an_analysis_that_fails_leaves_no_progress(run):
    with pytest.raises(RunError, match="members 0 to"):
        worker.perform(str(run.path), "rotation", {"member_index": 99})
    assert progress(run, "rotation") is None


def test_the_command_line_waits_for_no_other_process_at_the_same_analysis(run, capsys):
    with locked(run.path / "analysis" / ".difficulty.lock"):
        assert main(["analyse", str(run.path), "difficulty"]) == 2
    assert "is being computed on" in capsys.readouterr().err
    assert main(["analyse", str(run.path), "difficulty"]) == 0
    assert not list(run.path.glob("analysis/.*.lock"))


def test_a_lock_that_its_holder_removes_is_never_held_twice(tmp_path, monkeypatch):
    """Another holder removes the file just after it was opened: a lock on what is left would exclude nobody."""
    path, opened = tmp_path / "lock", os.open

    def open_and_lose(name, *flags):
        descriptor = opened(name, *flags)
        monkeypatch.setattr(os, "open", opened)
        path.unlink()
        return descriptor

    monkeypatch.setattr(os, "open", open_and_lose)
    with locked(path, remove=True), pytest.raises(LockedError), locked(path, wait=0):
        pass
    assert not path.exists()


def test_help_lists_every_analysis_with_its_settings(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["analyse", "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for name in ANALYSES:
        assert f"\n  {name} " in text
    assert "member_index=0, i=0, j=1, step=5.0" in text


@pytest.mark.slow
def test_the_help_of_the_whole_program_loads_no_torch():
    code = (
        "import sys\nfrom dvae_core.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_a_record_of_arrays_is_read_as_it_was_written_and_survives_other_versions(run):
    record = worker.perform(str(run.path), "downstream", {"target": "z:1"})
    assert record is not None
    name = file_name("z:1", "linear")
    found = Downstream.load(run, name)
    assert found is not None
    assert found.names == ("VAE", "x itself", "PCA", "FastICA", "chance")
    assert (found.measure, found.target) == ("R²", "s1")
    np.testing.assert_array_equal(found.value, record["value"])
    run.write_npz(f"analysis/{name}.npz", {**record, "of_a_newer_version": np.zeros(3)})
    assert Downstream.load(run, name) is not None
    run.write_npz(f"analysis/{name}.npz", {key: value for key, value in record.items() if key != "low"})
    with pytest.raises(RunError, match="lacks low; delete the file and compute it again"):
        Downstream.load(run, name)
    assert Downstream.load(run, "not computed") is None


@pytest.mark.parametrize("shipped", runs.examples(), ids=lambda run: run.id)
def test_the_records_of_shipped_runs_are_read(shipped):
    read = [
        (kind, kind.load(shipped, path.stem))
        for kind, pattern in ((Downstream, "downstream-*.npz"), (LinearIca, "linear_ica.npz"),
                              (Disentanglement, "disentanglement-*.json"))
        for path in (shipped.path / "analysis").glob(pattern)
    ]  # fmt: skip
    assert all(isinstance(record, kind) for kind, record in read)


def test_scores_of_earlier_and_later_versions_load_and_a_lack_is_named(run):
    """The first version knew neither stuck members nor the control with a wrong u; a later one may know more."""
    tree = run.record("score")
    assert dataclasses.asdict(Scores.of(run)) == tree  # a round trip
    mean = {key: value for key, value in tree["mean"].items() if key != "mcc_wrong_u"}
    members = [{k: v for k, v in m.items() if k not in ("stuck", "mcc_wrong_u")} | {"new": 1} for m in tree["members"]]
    older = {k: v for k, v in tree.items() if k not in ("members_stuck", "floors_within_u")}
    run.write_json("analysis/score.json", older | {"mean": mean, "members": members})
    found = Scores.of(run)
    assert (found.mean.elbo, found.mean.mcc_wrong_u) == (tree["mean"]["elbo"], None)
    assert [m.mcc_pearson for m in found.members] == [m["mcc_pearson"] for m in tree["members"]]
    assert not any(m.stuck for m in found.members)
    run.write_json("analysis/score.json", {k: v for k, v in tree.items() if k != "mean"})
    with pytest.raises(RunError, match=r"score.json of run .* lacks mean"):
        Scores.of(run)
