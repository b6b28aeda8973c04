"""A study of 64 models on a cluster of two workers writes the table that this process writes, byte for byte."""

from concurrent.futures import ThreadPoolExecutor

import distributed
import pytest

from dvae_core.work import study as studies
from dvae_core.work.populations import populations

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
DATA = ["neurons,n_neurons=10,per_segment=40"]


def test_a_study_on_two_dask_workers_equals_one_at_home(tmp_path):
    everything = populations(DATA, ["vae", "ivae"], (1, 2, 4, 8), 8, epochs=2)
    assert sum(p.config.members for p in everything) == 64
    with ThreadPoolExecutor(1) as here:
        *_, end = studies.perform(studies.create(tmp_path / "home", everything), here)
        assert end.state == "finished"
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        *_, end = studies.perform(studies.create(tmp_path / "there", everything), client.get_executor(pure=False))
        assert end.state == "finished"
    tables = [(tmp_path / name / "table.parquet").read_bytes() for name in ("home", "there")]
    assert tables[0] == tables[1]
