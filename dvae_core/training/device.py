"""Where a population is trained: the device and its threads."""

import ctypes
import functools
import platform
import sys

import torch

# One thread is fastest for nets this small (a second one made 64-unit nets 2x slower, measured on 2 cores); a step
# needs about this many multiply-adds per thread before a second thread pays for its hand-over.
_MADDS_PER_THREAD = 2e8


def choose_device(name: str) -> torch.device:
    """Return the device called `name` ("auto", "cpu", "cuda", "mps").

    Raises:
        ValueError: If a device was asked for by name and is absent; there is no silent fallback.
    """
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device("cuda" if available["cuda"] else "cpu")  # mps is slower than cpu for nets this small
    if not available.get(name, False):
        have = ", ".join(d for d, ok in available.items() if ok)
        raise ValueError(
            f"Device {name!r} was asked for but this machine has only {have}; choose one of these or auto."
        )
    return torch.device(name)


def describe_device(device: torch.device) -> str:
    """Return a description of the device for a person."""
    if device.type == "cuda":
        return f"GPU ({torch.cuda.get_device_name(device)})"
    if device.type == "mps":
        return "GPU (Apple)"
    threads = torch.get_num_threads()
    return f"CPU ({platform.machine()}, {threads} thread{'s' if threads > 1 else ''})"


def choose_threads(madds_per_step: float | int, cores: int) -> int:
    """Return the number of CPU threads for a training step of so many multiply-adds.

    One core is left to the app and to other jobs: threads wait for each other at every product, and two of them on two
    busy cores took 893 ms a step of a convolutional net where one took 43.
    """
    return int(min(max(madds_per_step // _MADDS_PER_THREAD, 1), max(cores - 1, 1)))


@functools.cache
def keep_memory() -> None:
    """Have the C library keep freed memory for the next step, where it is glibc (Linux); elsewhere do nothing.

    Otherwise it hands a step's larger tensors back to the system and fetches them again, a page fault for every 4 KB: 8
    models of 512 units on 64 x 64 pictures took 255 ms a step and take 205 (32 models of 64 units: 4.0 and 3.7). Under
    Dask it would be worse: its nanny sets MALLOC_TRIM_THRESHOLD_, with which glibc stops adapting, and every tensor
    above 128 kB is mapped anew (a population of 16 took 8.7 instead of 5.0 CPU seconds).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        trim_threshold, mmap_threshold = -1, -3  # malloc.h
        mallopt(mmap_threshold, 2**30)
        mallopt(trim_threshold, 2**30)
