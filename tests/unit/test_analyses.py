"""Analyses by name: their settings, their record, their lock, and that the command line uses the worker for them."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from dvae_core import runs
from dvae_core.analysis.common import progress
from dvae_core.analysis.disentanglement.record import Disentanglement
from dvae_core.analysis.downstream.record import Downstream, file_name
from dvae_core.analysis.linear_ica.record import LinearIca
from dvae_core.analysis.table import ANALYSES, begin
from dvae_core.cli import main
from dvae_core.config import ConfigError
from dvae_core.runs import RunError
from dvae_core.runs.locks import locked
from dvae_core.work import worker


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


def test_the_record_that_is_returned_is_the_one_in_the_file(run):
    record = worker.perform(str(run.path), "rotation", {"step": 45.0})
    assert record is not None
    written = run.analysis("rotation-0-0-1")
    assert written is not None
    assert sorted(record) == sorted(written)
    for key, values in written.items():
        np.testing.assert_array_equal(record[key], values)


def test_json_prints_the_record(run, capsys):
    assert main(["analyse", str(run.path), "members", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == run.record("members")
    assert main(["score", str(run.path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == run.score()


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


def test_help_lists_every_analysis_with_its_settings(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["analyse", "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for name in ANALYSES:
        assert f"\n  {name} " in text
    assert "member_index=0, i=0, j=1, step=5.0" in text


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
