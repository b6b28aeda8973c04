"""Every format: opened, shapes right, hostile cases refused, seconds, memory: `python -m tests.harness.formats`.

Opens each file and folder of ../shared/data (and files made here, where it has none of a format) in a process of its
own, compares shapes with what the READMEs there state, and reads every hostile file of the unit tests in a forked
process. Prints each file, then a line for each format. Bars for a hostile file: one sentence, 1 CPU s, 200 MB (of the
reading process; the one that opens HDF5 for it has a limit of its own, `hdf5.MEMORY`).
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

from tests.shared_data import SHARED, TABLE, Stated

ROOT = Path(__file__).parents[2]
MADE = [
    Stated("csv", "a.csv", {}, (40, 3), (40,), (40, 2)),
    Stated("parquet", "a.parquet", {}, (40, 3), (40,), (40, 2)),
    Stated("hdf5", "a.h5", {}, (40, 3), (40,)),
    Stated("mat 7.3", "a.mat", {"x": "spikes_matrix"}, (60, 4)),
    Stated("images", "a.zip", {}, (6, 144)),
    Stated("smallnorb", "norb", {}, (30, 144), None, (30, 5)),
    Stated("cars3d", "cars.tar.gz", {}, (16, 12288), None, (16, 3)),
]
SECONDS, MEGABYTES = 1.0, 200.0

READ = """
import json, resource, time
from dvae_core.data import readers
began = time.process_time()
data = readers.read({path!r}, **json.loads({how!r}))
child = resource.getrusage(resource.RUSAGE_CHILDREN)
took = time.process_time() - began + sum(child[:2])
words = open("/proc/self/status").read().split()  # not ru_maxrss, which begins at the size of who started this
peak = max(int(words[words.index("VmHWM:") + 1]), child.ru_maxrss) / 1024
shapes = [list(a.shape) if a is not None else None for a in (data.x, data.u, data.z)]
print(json.dumps([shapes, took, peak, data.rate_hz, data.meta.get("licence", "")]))
"""


def make(folder):
    """Write small files of the formats that the shared data does not have."""
    import h5py
    import numpy as np
    import pandas as pd

    from tests.unit import test_grid_readers as made_grids
    from tests.unit import test_hdf5
    from tests.unit import test_picture_readers as pictures

    x, u, s = np.random.default_rng(0).standard_normal((40, 3)), np.arange(40) % 4, np.ones((40, 2)) * np.eye(40)[:, :2]
    table = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "u": u, "s1": s[:, 0], "s2": s[:, 1]})
    table.to_csv(folder / "a.csv", index=False)
    table.to_parquet(folder / "a.parquet")
    with h5py.File(folder / "a.h5", "w") as file:
        file["x"], file["u"] = x, u
    test_hdf5.matlab73(folder / "a.mat")
    pictures.zipped(folder / "a.zip", **{f"{i}.png": pictures.encoded(pictures.picture(12, 12)) for i in range(6)})
    made_grids.norb(folder / "norb")
    made_grids.tarred(folder / "cars.tar.gz", made_grids.cars()[0])


def opened(path, how):
    """Read a path in a separate process; return shapes, CPU seconds, peak MB, rate and licence, or the error."""
    code = READ.format(path=str(path), how=json.dumps(how))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False,
                          env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})  # fmt: skip
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


# --- hostile files ----------------------------------------------------------------------------------------------------


def hostile_cases(folder):
    """Write the hostile files of the unit tests, one after the other: yield format, case, path and arguments."""
    from scipy.io import savemat

    kinds = {".tsv": "csv", ".txt": "csv", ".h5": "hdf5", ".zip": "images", ".png": "images", ".gz": "idx",
             "": "folder", ".pkl": "pickles", ".pt": "pickles", ".jl": "pickles", ".xls": "others",
             ".videoPositionTracking": "tracking"}  # fmt: skip
    listed = (
        ("test_dangerous_files", "DANGERS"), ("test_picture_readers", "HOSTILE"), ("test_hdf5", "HOSTILE"),
        ("test_grid_readers", "HOSTILE"), ("test_recordings", "REFUSED"),
    )  # fmt: skip
    for module, cases in listed:
        for case, given in getattr(importlib.import_module(f"tests.unit.{module}"), cases).items():
            place = folder / f"{module}-{len(list(folder.iterdir()))}"
            place.mkdir()
            if module == "test_picture_readers":
                path, arguments = place / given[0], given[2]
                given[1](path)
            elif module == "test_hdf5":
                path, arguments = place / (given[3] if len(given) > 3 else "a.h5"), given[1]
                given[0](path)
            elif module == "test_recordings":
                path, arguments = place / "a.mat", given[1]
                savemat(path, given[0])
            else:
                path, arguments = given[0](place), given[1]
            kind = kinds.get(path.suffix, path.suffix[1:])
            if module == "test_grid_readers":
                kind = "smallnorb" if "norb" in str(list(place.rglob("*"))) else "cars3d"
            elif module == "test_hdf5" and kind == "mat":
                kind = "mat 7.3"
            elif module == "test_picture_readers" and kind == "folder":
                kind = "suite2p" if case.startswith("suite2p") else "celeba" if case.startswith("list") else "images"
            yield "idx" if "idx" in path.name else kind, case, path, arguments


def refused(path, arguments):
    """Read a hostile file in a forked process; return whether it was refused in a sentence, CPU seconds, MB it grew."""
    from dvae_core.data import readers

    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        before, began = _memory("VmRSS:"), os.times()
        try:
            readers.read(path, **arguments)
            good = False
        except readers.DataError as error:
            good = "\n" not in str(error)
        took = sum(os.times()[:4]) - sum(began[:4])
        os.write(send, json.dumps([good, took, _memory("VmHWM:") - before]).encode())
        os._exit(0)
    os.close(send)
    with os.fdopen(receive, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(answer) if answer else [False, 0.0, 0.0]


def _memory(which):
    words = Path("/proc/self/status").read_text().split()
    return int(words[words.index(which) + 1]) / 1024


def hostile():
    """Refuse all hostile files: {format: [(case, refused, CPU seconds, MB)]}."""
    from dvae_core.data.readers import celeba, hdf5, mat73, nwb, suite2p, tables  # noqa: F401  imported before forking

    found = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        for kind, case, path, arguments in hostile_cases(Path(name)):
            found[kind].append((case, *refused(path, arguments)))
    return found


def main():
    """Print both tables; return whether everything opened, fitted and was refused."""
    good = True
    began = time.time()
    rows = defaultdict(lambda: [0, 0, 0, 0.0, 0.0])  # files, opened, right, most seconds, most MB
    print(f"{'format':9s} {'file':55s} {'shapes':>7s} {'CPU s':>6s} {'peak MB':>8s} {'rate Hz':>8s}  licence")
    with tempfile.TemporaryDirectory() as name:
        make(Path(name))
        for stated, folder in [*((s, SHARED) for s in TABLE if SHARED.exists()), *((s, Path(name)) for s in MADE)]:
            found = opened(folder / stated.where, stated.how)
            shown = stated.where if folder == SHARED else f"{stated.where} (made here)"
            row = rows[stated.kind]
            row[0] += 1
            if isinstance(found, str):
                print(f"{stated.kind:9s} {shown:55s}      no  {found}")
                continue
            shapes, took, peak, rate, licence = found
            right = shapes == [None if shape is None else list(shape) for shape in (stated.x, stated.u, stated.z)]
            row[1:] = row[1] + 1, row[2] + right, max(row[3], took), max(row[4], peak)
            words = "right" if right else str(shapes)
            print(f"{stated.kind:9s} {shown:55s} {words:>7s} {took:6.2f} {peak:8.0f} {rate or 0:8.4g}  {licence[:40]}")
    bad = hostile()
    head = ("opened", "shapes right", "CPU s", "peak MB", "hostile", "refused", "most CPU s", "most MB")
    print(f"\n{'format':10s}" + "".join(f"{word:>13s}" for word in head))
    for kind in sorted({*rows, *bad}):
        files, there, right, took, peak = rows[kind]
        cases = bad.get(kind, [])
        refusals = sum(case[1] for case in cases)
        good &= files == there == right and refusals == len(cases)
        numbers = [f"{there} of {files}", f"{right} of {files}", f"{took:.2f}", f"{peak:.0f}"] if files else [""] * 4
        numbers += [str(len(cases)), str(refusals)]
        numbers += [f"{max(c[2] for c in cases):.2f}", f"{max(c[3] for c in cases):.0f}"] if cases else []
        print(f"{kind:10s}" + "".join(f"{number:>13s}" for number in numbers))
    over = [(kind, *case) for kind, cases in bad.items() for case in cases if case[2] > SECONDS or case[3] > MEGABYTES]
    for kind, case, _, took, grown in over:
        print(f"over the bar: {kind}, {case}: {took:.2f} CPU s, {grown:.0f} MB")
    good &= not over
    print(f"\n{'All as stated' if good else 'NOT all as stated'}, {time.time() - began:.0f} s")
    return good


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
