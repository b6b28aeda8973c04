"""Does a study on a Dask cluster give the same table, bit for bit, and what does the cluster cost?

    python benchmarks/cluster.py [--epochs 60]

64 models (VAE and iVAE, 4 betas, 8 seeds: 4 populations of 16) three times on two cores of this machine: two threads of
this process, two warm local processes, two workers of a local Dask cluster (one thread each). Starting workers and
importing torch is left out: every side first does a small study. Printed: wall-clock and CPU seconds, the ratios, and
whether the tables are equal. Needs requirements-cluster.txt. Wall-clock means something on a quiet machine only.
"""

import argparse
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
os.environ.setdefault("OMP_NUM_THREADS", "1")  # two workers on two cores; nets this small use one thread each anyway

import psutil
from distributed import Client, LocalCluster

from dvae_core.work import jobs
from dvae_core.work import study as studies
from dvae_core.work.populations import populations

BAR = 1.2
DATA = "neurons,n_neurons=30,per_segment=400"


@contextmanager
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@contextmanager
def workers() -> Iterator[Executor]:
    pool = jobs.Workers(2)
    yield pool
    pool.shutdown()


@contextmanager
def dask() -> Iterator[Executor]:
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        client.run(importlib.import_module, "dvae_core.work.worker")  # on each of them
        yield client.get_executor(pure=False)


PLACES = {"two threads": threads, "two processes": workers, "Dask, two workers": dask}


def cpu_seconds() -> float:
    """CPU time of this process and of all that live under it."""
    family = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return sum(sum(p.cpu_times()[:2]) for p in family)


def study(store: Path, executor: Executor, seeds: int, epochs: int) -> bytes:
    """Do a study and return its table's file."""
    made = studies.create(store, populations([DATA], ["vae", "ivae"], (1, 2, 4, 8), seeds, epochs=epochs))
    *_, end = studies.perform(made, executor)
    assert end.state == "finished", end
    return (store / "table.parquet").read_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=60)
    options = parser.parse_args()
    wall, cpu, tables = {}, {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for name, place in PLACES.items():
            with place() as executor:
                study(Path(folder) / f"{name} warm", executor, 4, 1)  # two populations: one for each worker
                began, used = time.perf_counter(), cpu_seconds()
                tables[name] = study(Path(folder) / name, executor, 8, options.epochs)
                wall[name], cpu[name] = time.perf_counter() - began, cpu_seconds() - used
            print(f"{name:18s} {wall[name]:7.1f} s wall-clock  {cpu[name]:7.1f} s CPU", flush=True)
    *here, there = PLACES
    for name in here:
        print(
            f"Dask / {name}: {wall[there] / wall[name]:.2f} of the time, {cpu[there] / cpu[name]:.2f} of the CPU time"
        )
    fastest = min(here, key=lambda name: wall[name])
    print(f"ratio {wall[there] / wall[fastest]:.2f} to {fastest} (bar {BAR})")
    print(f"tables equal, bit for bit: {len(set(tables.values())) == 1}")


if __name__ == "__main__":
    main()
