"""Train on part of a picture file larger than memory: `python -m tests.harness.large_file [ROWS READ]`.

Writes a file shaped as dSprites (737,280 pictures of 64 x 64, 3.02 GB when whole; compressed it is small) to a
temporary folder, trains a beta-VAE on 20,000 of its rows by the command line, and prints the peak of its memory.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
SIZES = (1, 3, 6, 40, 32, 32)  # dSprites' colours, shapes, scales, orientations, x and y
LIMIT_MB = 1500


def write(path, sizes=SIZES):
    """Write the grid: bars whose size, place and grey rows follow the factors, a block at a time."""
    n = int(np.prod(sizes))
    bases = n // np.cumprod(sizes)
    at = np.arange(64)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, shape, kind in (("imgs", (n, 64, 64), "|u1"), ("latents_values", (n, 6), "<f8")):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                header = {"descr": kind, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                for start in range(0, n, 2048):
                    classes = np.arange(start, min(start + 2048, n))[:, None] // bases % sizes
                    if name == "imgs":
                        _, shape_, scale, _, x, y = classes.T[:, :, None]
                        across = np.abs(at - 8 - 1.5 * x) <= 2 + scale
                        down = np.abs(at - 8 - 1.5 * y) <= 2 + scale * (1 + shape_) / 2
                        file.write((down[:, :, None] & across[:, None, :]).astype(np.uint8).tobytes())
                    else:
                        file.write((classes / np.maximum(1, np.array(sizes) - 1)).astype("<f8").tobytes())


def main(rows=20_000, sizes=SIZES):
    """Write, train, print; return the peak in MB."""
    with tempfile.TemporaryDirectory() as name:
        path, run = Path(name) / "dsprites_shaped.npz", Path(name) / "run"
        began = time.time()
        write(path, sizes)
        whole = int(np.prod(sizes)) * 64 * 64
        print(f"{whole / 1e9:.2f} GB of pictures in {path.stat().st_size / 1e6:.0f} MB ({time.time() - began:.0f} s)")
        began = time.time()
        subprocess.run(
            [sys.executable, "-m", "dvae_core", "train", "--data", path, "--rows", str(rows), "--model", "beta-vae",
             "--latents", "6", "--members", "1", "--epochs", "1", "--out", run],
            check=True, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        peak = used.ru_maxrss / 1024
        elbo = json.loads((run / "analysis" / "score.json").read_text())["mean"]["elbo"]
        print(f"{rows:,} rows read and trained on: peak {peak:,.0f} MB (bar {LIMIT_MB:,}), ELBO {elbo:.1f} nats, "
              f"{used.ru_utime + used.ru_stime:.0f} CPU s in {time.time() - began:.0f} s")  # fmt: skip
    return peak


if __name__ == "__main__":
    sys.exit(0 if main(*(int(word) for word in sys.argv[1:2])) < LIMIT_MB else 1)
