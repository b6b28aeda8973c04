"""The choice of the device on which a population is trained, and of its number of threads."""

import ctypes
import functools
import platform
import sys

import torch

# One thread is fastest for nets this small (a second one made 64-unit nets 2x slower, measured on 2 cores). A step
# needs about this many multiply-adds per thread before a second thread is worth its synchronisation cost.
_MADDS_PER_THREAD = 2e8


def choose_device(name: str) -> torch.device:
    """Return the device called `name` ("auto", "cpu", "cuda", "mps").

    Raises:
        ValueError: If a device was requested by name and is absent; there is no silent fallback.
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
    """Return a human-readable description of the device."""
    if device.type == "cuda":
        return f"GPU ({torch.cuda.get_device_name(device)})"
    if device.type == "mps":
        return "GPU (Apple)"
    threads = torch.get_num_threads()
    return f"CPU ({platform.machine()}, {threads} thread{'s' if threads > 1 else ''})"


def choose_threads(madds_per_step: float | int, cores: int) -> int:
    """Return the number of CPU threads for a training step with this many multiply-adds.

    One core is left to the app and to other jobs, because threads wait for each other at every product: a step of a
    convolutional net took 893 ms with two threads on two busy cores, and 43 ms with one thread.
    """
    return int(min(max(madds_per_step // _MADDS_PER_THREAD, 1), max(cores - 1, 1)))


@functools.cache
def keep_memory() -> None:
    """Make glibc (Linux) keep freed memory for the next step. With other C libraries, do nothing.

    Otherwise glibc returns large buffers to the OS after every step and faults them back in, 4 KB at a time. Keeping
    them reduces a step of 8 models of 512 units on 64 x 64 pictures from 255 to 205 ms (32 models of 64 units: from 4.0
    to 3.7 ms). It matters more under Dask, whose nanny sets MALLOC_TRIM_THRESHOLD_. glibc then stops adapting its
    thresholds and maps every tensor above 128 kB anew (a population of 16 took 8.7 instead of 5.0 CPU seconds).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        trim_threshold, mmap_threshold = -1, -3  # malloc.h
        mallopt(mmap_threshold, 2**30)
        mallopt(trim_threshold, 2**30)
