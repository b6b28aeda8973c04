"""The literature's scores of a trained member, from the command line to what pages read."""

import numpy as np
import pytest

from dvae_core.analysis.disentanglement.compute import disentanglement
from dvae_core.analysis.disentanglement.record import Disentanglement, file_name
from dvae_core.analysis.encode import encode, scored_rows
from dvae_core.cli import main
from dvae_core.config import DigitsData, SourcesData
from dvae_core.data.load import dataset_of
from dvae_core.data.split import split
from dvae_core.recipes import for_dataset
from dvae_core.runs import RunError
from tests.helpers import trained_run


def barely_trained(path, data):
    return trained_run(path, for_dataset(data, dataset_of(data), "vae", members=2, epochs=1))


@pytest.mark.slow
def test_a_member_is_scored_by_the_command_line(tmp_path, monkeypatch):
    run = barely_trained(tmp_path / "run", SourcesData(segments=3, per_segment=100))
    assert Disentanglement.load(run, file_name(1)) is None
    assert main(["analyse", str(run.path), "disentanglement", "--set", "member_index=1", "--set", "fast=true"]) == 0
    found = Disentanglement.load(run, file_name(1))
    assert found is not None
    assert found.factors == ("s1", "s2")
    assert found.rows == 60
    assert 0 <= found.scores["mig"]["value"] <= 1
    assert found.matrix("dci_completeness").shape == (2, 2)
    with pytest.raises(RunError, match="members 0 to 1"):
        list(disentanglement(run, member_index=2))
    monkeypatch.setattr("dvae_core.analysis.encode.SCORED_ROWS", 20)
    seen = []
    kept = lambda vae, dataset, rows: seen.append(rows) or encode(vae, dataset, rows)  # noqa: E731
    monkeypatch.setattr("dvae_core.analysis.disentanglement.compute.encode", kept)
    list(disentanglement(run))
    held_out = split(dataset_of(run.config.data), run.config.split).held_out
    np.testing.assert_array_equal(seen[0], held_out[::3])  # of many rows, some from everywhere, as for every score


def test_scored_rows_are_all_or_at_equal_distances():
    np.testing.assert_array_equal(scored_rows(np.arange(20_000)), np.arange(20_000))
    np.testing.assert_array_equal(scored_rows(np.arange(60_000)), np.arange(0, 60_000, 3))


def test_without_true_factors_it_is_refused(tmp_path):
    run = barely_trained(tmp_path / "run", DigitsData())
    with pytest.raises(RunError, match="this run's data has none"):
        list(disentanglement(run))
