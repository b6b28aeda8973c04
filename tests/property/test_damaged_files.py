"""Damaged files of every format: a Dataset or a DataError, never another exception, a crash or too much memory."""

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dvae_core.data import readers
from dvae_core.data.dataset import DataError

ROOT = Path(__file__).parents[2]

STARTS = {
    ".npy": b"\x93NUMPY\x01\x00", ".npz": b"PK\x03\x04", ".csv": b"a,b\n1,2\n", ".arff": b"@relation r\n",
    ".parquet": b"PAR1", ".mat": b"MATLAB 5.0".ljust(124) + b"\x00\x01IM", ".png": b"\x89PNG\r\n\x1a\n",
    ".zip": b"PK\x05\x06", ".gif": b"GIF89a",
    "-idx3-ubyte": b"\0\0\x08\x03", "-idx3-ubyte.gz": b"\x1f\x8b\x08", ".videoPositionTracking": b"<Start settings>\n",
}  # fmt: skip


@given(suffix=st.sampled_from(list(STARTS)), body=st.binary(max_size=300))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_behind_a_right_beginning(tmp_path, suffix, body):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(STARTS[suffix] + body)
    for look in (readers.inspect, readers.read):
        with contextlib.suppress(DataError):
            look(path)


def run_harness(name, *arguments):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", f"tests.harness.{name}", *map(str, arguments)], cwd=ROOT,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


@pytest.mark.skipif(sys.platform != "linux", reason="counts crashes by forking")
@pytest.mark.parametrize(
    "inputs",
    [10, pytest.param(500, marks=[pytest.mark.slow, pytest.mark.timeout(600)])],  # two minutes of a quiet machine
)
def test_damaged_files_are_read_or_refused(inputs):
    run_harness("fuzz", inputs)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="measures memory by forking")
def test_every_format_opens_and_every_hostile_file_is_refused_in_time_and_memory():
    run_harness("formats")


@pytest.mark.slow
@pytest.mark.timeout(1200)  # it writes 3 GB and trains on 20,000 pictures: minutes, and more on a busy machine
def test_a_file_larger_than_memory_trains_from_a_part_of_its_rows():
    run_harness("large_file")
