"""Time and memory of the Data page on a recording of 10,000 neurons x 20,000 frames (800 MB), as ratios.

    python benchmarks/large_data.py [FOLDER]

Writes big.npy and big.h5 into FOLDER (a temporary one by default) and runs each part in a separate process: what the
page does before it shows something (list the variables, read 500 rows), and what the worker does (`examine`). Printed
are the CPU seconds of the process and of those it starts (an HDF5 file is opened in one of its own), which other work
on the machine does not change, and the peak memory besides the file as a multiple of 1.5 GB: below 1 is the aim.
"""

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that a script runs from any folder

import numpy as np

ROWS, COLUMNS, AIM = 20_000, 10_000, 1.5e9


def write(folder: Path) -> list[Path]:
    """Write five slow signals in white noise, in two formats."""
    import h5py

    rng = np.random.default_rng(0)
    kernel = np.exp(-0.5 * np.square(np.arange(-60, 61) / 20))
    slow = np.stack([np.convolve(rng.standard_normal(ROWS + 120), kernel, "valid") for _ in range(5)], 1)
    weight = 0.1 * rng.standard_normal((5, COLUMNS), dtype=np.float32)
    paths = [folder / "big.npy", folder / "big.h5"]
    array = np.lib.format.open_memmap(paths[0], "w+", np.float32, (ROWS, COLUMNS))
    with h5py.File(paths[1], "w") as file:
        x = file.create_dataset("x", (ROWS, COLUMNS), np.float32)
        for start in range(0, ROWS, 2000):
            part = slow[start : start + 2000].astype(np.float32) @ weight
            part += rng.standard_normal(part.shape, dtype=np.float32)
            array[start : start + 2000] = x[start : start + 2000] = part
    array.flush()
    return paths


def cpu() -> float:
    """Return the CPU seconds of this process and of the processes it started and that have ended."""
    return sum(os.times()[:4])


def page(path: Path) -> None:
    """Do what the page does before it draws."""
    from dvae_core.data import readers
    from dvae_core.data.load import FileData, read_file

    began = cpu()
    readers.inspect(path)
    read_file(FileData(path=str(path), rows=500))
    print(cpu() - began)


def worker(path: Path) -> None:
    """Do what the worker does."""
    from dvae_core import recipes, runs
    from dvae_core.analysis.examine.compute import examine
    from dvae_core.config import FileData
    from dvae_core.data.load import read_file

    first = read_file(FileData(path=str(path), rows=500))
    config = recipes.for_dataset(FileData(path=str(path)), first, "vae", members=1, latents=2)
    began = cpu()
    with tempfile.TemporaryDirectory() as folder:
        for _ in examine(runs.create(Path(folder) / "look", config)):
            pass
    print(cpu() - began)


def main() -> None:
    """Print a line for each file and part."""
    if len(sys.argv) > 3:
        {"page": page, "worker": worker}[sys.argv[2]](Path(sys.argv[3]))
        print(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else scratch)
        paths = [folder / "big.npy", folder / "big.h5"]
        paths = paths if all(path.is_file() for path in paths) else write(folder)
        print(f"{'file':10s} {'part':8s} {'CPU s':>8s} {'peak GB':>8s} {'besides the file, of 1.5 GB':>28s}")
        for path in paths:
            for part in ("page", "worker"):
                command = [sys.executable, __file__, "-", part, str(path)]
                seconds, peak = map(float, subprocess.check_output(command, text=True).split())
                beside = (peak - path.stat().st_size * (part == "worker")) / AIM
                print(f"{path.name:10s} {part:8s} {seconds:8.1f} {peak / 1e9:8.2f} {beside:28.2f}", flush=True)


if __name__ == "__main__":
    main()
