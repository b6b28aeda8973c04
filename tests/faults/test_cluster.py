"""The guide's commands for a cluster, on processes of this machine; and the same result as without a cluster."""

import os
import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dvae_core import runs
from dvae_core.analysis.score.record import Scores
from dvae_core.work import jobs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[2]


def test_the_guides_cluster_trains_what_this_process_trains(tmp_path):
    guide = (ROOT / "docs/how-to/cluster.md").read_text(encoding="utf-8")
    (code,) = re.findall(r'^ +python -c "(from dask_jobqueue import SLURMCluster.*)"$', guide, re.M)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    here = code.replace("from dask_jobqueue import SLURMCluster", "from dask_jobqueue.local import LocalCluster")
    here = here.replace("8786", str(port))
    assert here.count("LocalCluster") == 1
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    cluster = subprocess.Popen(
        [sys.executable, "-c", here], cwd=tmp_path, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        address = cluster.stdout.readline().strip()
        assert address.endswith(f":{port}")
        out = tmp_path / "there"
        made = [runs.create(tmp_path / name, config()) for name in ("there", "home")]
        command = [sys.executable, "-m", "dvae_core", "train", "--resume", str(out), "--scheduler", address]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "Finished" in done.stdout
        with ThreadPoolExecutor(1) as process:
            process.submit(jobs.perform, str(made[1].path), "train", {}).result()
        for name, weight in made[0].weights().items():
            assert (weight == made[1].weights()[name]).all(), name
        assert Scores.of(made[0]) == Scores.of(made[1])
    finally:
        cluster.communicate("\n", timeout=60)


def config():
    from dvae_core.config import Config, MlpNet, ModelConfig, SourcesData, TrainConfig

    return Config(
        data=SourcesData(segments=3, per_segment=100),
        model=ModelConfig(net=MlpNet(hidden=8)),
        train=TrainConfig(seeds=(0, 1), betas=(1.0, 4.0), epochs=20, batch=16),
    )


@pytest.mark.parametrize("name", ["SLURMCluster", "LSFCluster"])
def test_the_job_script_asks_for_one_worker_a_job_and_a_gpu_where_wanted(name, tmp_path, monkeypatch):
    import dask_jobqueue

    monkeypatch.chdir(tmp_path)
    make = getattr(dask_jobqueue, name)
    with make(
        cores=1, processes=1, memory="4GB", walltime="08:00" if name == "LSFCluster" else "08:00:00",
        worker_extra_args=["--resources", "GPU=1"],
    ) as cluster:  # fmt: skip
        script = cluster.job_script()
    assert "--nthreads 1" in script
    assert "GPU=1" in script


def test_a_missing_scheduler_gives_one_sentence():
    with pytest.raises(runs.RunError, match="No Dask scheduler answers"):
        jobs.dask_executor("tcp://127.0.0.1:9", timeout=1)
