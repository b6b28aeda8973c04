"""Faults, really injected: what `python -m tests.harness.faults` does 200 times, a few times each."""

import os
from pathlib import Path

import pytest

from dvae_core.work import jobs
from tests.harness import faults

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory):
    os.environ["DVAE_FAULTS"] = f"tests-{os.getpid()}"
    made = faults.Bench(tmp_path_factory.mktemp("faults"))
    yield made
    made.workers.shutdown()
    jobs.use()
    assert not faults.orphans()


@pytest.mark.parametrize("name", [name for name in faults.FAULTS if name != "queue"])
def test_nothing_is_lost(bench, name):
    inject, share = faults.FAULTS[name]
    row = inject(bench, max(1, share // 20))
    assert row.lost == 0, row.notes
    assert not [note for note in row.notes if not note.startswith("skipped")], row.notes


def test_fifty_queued_jobs_outlive_their_server(bench):
    assert faults.long_queue(bench, 50).lost == 0


def test_a_thousand_runs(bench, capsys):
    faults.listing(bench)
    assert "list 1,000 runs" in capsys.readouterr().out


def test_the_store_is_clean_afterwards(bench):
    left = [p for p in Path(bench.store).rglob(".*") if p.name not in (".lock", ".sums.lock")]
    assert not left
