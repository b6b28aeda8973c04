"""Every format: opened, shapes right, hostile cases refused, seconds, memory: `python benchmarks/formats.py`.

Opens each file and folder of ../shared/data (and files made here, where it has none of a format) in a process of its
own, compares shapes with what the READMEs there state, and counts the hostile cases of the unit tests by format.
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared" / "data"

# format, file or folder, how it is read, and [x, u or None, z or None] as the READMEs state them
REAL = [
    ("npz", "pixel-faces", {}, [[6144, 12288], None, [6144, 6]]),
    ("npz", "dsprites-sample/dsprites_gif_frames.npz", {}, [[320, 4096], None, None]),
    ("gif", "dsprites-sample/dsprites.gif", {}, [[320, 4096], None, None]),
    ("npy", "pynapple-nwb-suite2p/F.npy", {}, [[219, 2000], None, None]),
    ("suite2p", "pynapple-nwb-suite2p", {}, [[2000, 20], None, None]),
    ("nwb", "pynapple-nwb-suite2p/A8604-211122.nwb", {}, [[10874, 3], None, None]),
    ("idx", "mnist-t10k", {}, [[10000, 784], [10000], None]),
    ("idx", "fashion-mnist-t10k", {}, [[10000, 784], [10000], None]),
    ("arff", "eeg-eye-state", {}, [[14980, 14], [14980], None]),
    ("mat", "s1-reach", {"x": "spikes", "u": "vel"}, [[35129, 52], [35129, 2], None]),
    ("mat", "stringer-format", {}, [[300, 40], [300, 5], None]),
    ("mat", "case-studies/spikes-1.mat", {"bin_s": 0.1}, [[1777, 1], [1777, 1], None]),
    ("mat", "case-studies/08_spikes-1.mat", {"bin_s": 0.1}, [[300, 2], None, None]),
    ("mat", "case-studies/10_spikes-1.mat", {"x": "train", "u": "direction"}, [[50, 2000], [50], None]),
    ("mat", "case-studies/EEG-1.mat", {"x": "EEG"}, [[10, 1000], None, None]),
    ("tracking", "hippocampus-linear", {"bin_s": 0.1}, [[19824, 31], [19824, 2], None]),
    ("tracking", "hippocampus-linear/trajectory.videoPositionTracking", {}, [[118965, 2], None, None]),
    ("celeba", "celeba-format/celeba", {"u": "Smiling"}, [[24, 12288], [24], None]),
    ("celeba", "celeba-format/kaggle", {"u": "Smiling"}, [[24, 12288], [24], None]),
    ("celeba", "celeba-format/img_align_celeba.zip", {"u": "Smiling"}, [[24, 12288], [24], None]),
    ("images", "celeba-format/celeba/img_align_celeba", {}, [[24, 12288], None, None]),
]
MADE = [
    ("csv", "a.csv", {}, [[40, 3], [40], [40, 2]]),
    ("parquet", "a.parquet", {}, [[40, 3], [40], [40, 2]]),
    ("hdf5", "a.h5", {}, [[40, 3], [40], None]),
    ("mat 7.3", "a.mat", {"x": "spikes_matrix"}, [[60, 4], None, None]),
    ("images", "a.zip", {}, [[6, 144], None, None]),
]

READ = """
import json, resource, sys, time
sys.path.insert(0, {root!r})
from dvae_core import readers
began = time.process_time()
data = readers.read({path!r}, **json.loads({how!r}))
took = time.process_time() - began + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
words = open("/proc/self/status").read().split()  # not ru_maxrss, which begins at the size of who started this
peak = int(words[words.index("VmHWM:") + 1]) / 1024
shapes = [list(a.shape) if a is not None else None for a in (data.x, data.u, data.z)]
print(json.dumps([shapes, took, peak, data.rate_hz, data.meta.get("licence", "")]))
"""


def make(folder):
    """Write small files of the formats that the shared data does not have."""
    import h5py
    import numpy as np
    import pandas as pd
    import test_hdf5
    import test_picture_readers as pictures

    x, u, s = np.random.default_rng(0).standard_normal((40, 3)), np.arange(40) % 4, np.ones((40, 2)) * np.eye(40)[:, :2]
    table = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "u": u, "s1": s[:, 0], "s2": s[:, 1]})
    table.to_csv(folder / "a.csv", index=False)
    table.to_parquet(folder / "a.parquet")
    with h5py.File(folder / "a.h5", "w") as file:
        file["x"], file["u"] = x, u
    test_hdf5.matlab73(folder / "a.mat")
    pictures.zipped(folder / "a.zip", **{f"{i}.png": pictures.encoded(pictures.picture(12, 12)) for i in range(6)})


def opened(path, how):
    """Read a path in a process of its own; return shapes, CPU seconds, peak MB, rate and licence, or the error."""
    code = READ.format(root=str(ROOT), path=str(path), how=json.dumps(how))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False,
                          env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})  # fmt: skip
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def hostile():
    """Refuse the hostile cases of the unit tests: {format: [cases, refused, most CPU seconds, most MB]}."""
    import resource

    from dvae_core import readers

    kinds = {".tsv": "csv", ".txt": "csv", ".hdf5": "hdf5", ".h5": "hdf5", ".zip": "images", ".png": "images",
             ".gz": "idx", "": "any", ".pkl": "any", ".pt": "any", ".xls": "any"}  # fmt: skip
    found = defaultdict(lambda: [0, 0, 0.0, 0.0])
    for name, cases in (("test_readers", "DANGERS"), ("test_picture_readers", "HOSTILE"), ("test_hdf5", "HOSTILE")):
        for case in getattr(importlib.import_module(name), cases).values():
            with tempfile.TemporaryDirectory() as folder:
                folder = Path(folder)
                if len(case) == 4:
                    path = folder / case[0]
                    case[1](path)
                elif name == "test_hdf5":
                    path = folder / "a.h5"
                    case[0](path)
                else:
                    path = case[0](folder)
                kind = kinds.get(path.suffix, path.suffix[1:])
                kind = "idx" if "idx" in path.name else kind
                before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, os.times()
                try:
                    readers.read(path, **case[-2])
                except readers.DataError as error:
                    found[kind][1] += "\n" not in str(error)
                took = sum(os.times()[:4]) - sum(began[:4])
                grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
                found[kind] = [
                    found[kind][0] + 1,
                    found[kind][1],
                    max(found[kind][2], took),
                    max(found[kind][3], grown),
                ]
    return found


def main():
    """Print both tables; return whether everything opened, fitted and was refused."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "unit")]
    good = True
    began = time.time()
    print(f"{'format':9s} {'opened':55s} {'shapes':>7s} {'CPU s':>6s} {'peak MB':>8s} {'rate Hz':>8s}  licence")
    with tempfile.TemporaryDirectory() as name:
        make(Path(name))
        rows = [(kind, SHARED / where, how, expected) for kind, where, how, expected in REAL if SHARED.exists()]
        for kind, path, how, expected in rows + [(kind, Path(name) / where, *more) for kind, where, *more in MADE]:
            found = opened(path, how)
            shown = str(path.relative_to(SHARED)) if path.is_relative_to(SHARED) else f"{path.name} (made here)"
            if isinstance(found, str):
                print(f"{kind:9s} {shown:55s}      no  {found}")
                good = False
                continue
            shapes, took, peak, rate, licence = found
            good &= shapes == expected
            right = "right" if shapes == expected else f"{shapes}"
            print(f"{kind:9s} {shown:55s} {right:>7s} {took:6.2f} {peak:8.0f} {rate or 0:8.4g}  {licence[:40]}")
    print(f"\n{'hostile':9s} {'cases':>6s} {'refused':>8s} {'most CPU s':>11s} {'most MB':>8s}")
    for kind, (cases, refused, took, grown) in sorted(hostile().items()):
        good &= cases == refused
        print(f"{kind:9s} {cases:6d} {refused:8d} {took:11.2f} {grown:8.0f}")
    print(f"\n{'All as stated' if good else 'NOT all as stated'}, {time.time() - began:.0f} s")
    return good


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
