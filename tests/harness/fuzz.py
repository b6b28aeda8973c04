"""Feed damaged files to every reader: `python -m tests.harness.fuzz [INPUTS[@FIRST]] [READER ...]`.

INPUTS a reader, from the input FIRST on: a long run can be made in pieces (2500@0, 2500@2500, ...).

A reader passes if each input gives a Dataset or a DataError, within 10 s, and memory stays near its budget. Inputs are
good files with bytes changed, cut, doubled and extreme numbers put in, also inside of zips and gzips. They are read in
batches by forked processes, so that a crash (a signal) is counted and the rest goes on. HDF5 files are opened in a
process of their own as in the app, only forked rather than started, which is a hundred times faster.
"""

import gzip
import io
import os
import pickle
import resource
import signal
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

from dvae_core.data import readers

# fmt: off
from dvae_core.data.readers import (  # noqa: F401  all are imported before forking
    celeba,
    hdf5,
    hdf5_child,
    images,
    kilosort,
    mat73,
    matlab_objects,
    matlab_objects_child,
    nwb,
    suite2p,
    tables,
    tiff,
)

# fmt: on

BATCH = 250
BUDGET = 2**26
PATIENCE_S = 10


class Late(BaseException):
    """An input took too long."""


# --- good files -------------------------------------------------------------------------------------------------------


def seeds(folder):
    """Return good files by reader: {reader: [{name: bytes}]}; several names make a folder."""
    import h5py
    import matio
    import pandas as pd
    import tifffile
    from PIL import Image
    from scipy.io import savemat

    from tests.unit import test_grid_readers as made_grids
    from tests.unit import test_hdf5

    rng = np.random.default_rng(0)
    x, u = rng.standard_normal((40, 3)).astype(np.float32), np.arange(40) % 4
    table = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "u": u, "who": ["p", "q"] * 20})

    def made(write):
        buffer = io.BytesIO()
        write(buffer)
        return buffer.getvalue()

    cell = np.empty((1, 3), dtype=object)
    cell[0, 0], cell[0, 1], cell[0, 2] = np.arange(5.0), np.arange(9.0), {"time": np.arange(4.0)}
    nested = {"x": x, "t": np.arange(40.0), "beh": {"run": x[:, 0], "name": "mouse"}, "spikes": cell}
    test_hdf5.matlab73(folder / "a.mat")
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("g/x", data=x, chunks=(10, 3), compression="gzip", shuffle=True)
        file["u"], file["who"] = u, ["p", "q"] * 20
        file["soft"] = h5py.SoftLink("/g/x")
    with h5py.File(folder / "a.nwb", "w") as file:
        file["units/spike_times"], file["units/spike_times_index"] = np.arange(20.0), np.array([9, 20])
        clock = np.arange(0, 20, 0.1)
        test_hdf5.series(file, "processing/b/p", "SpatialSeries", clock[:, None], timestamps=clock, unit="m")
    grey = rng.integers(0, 256, (12, 10), dtype=np.uint8)
    pictures = {
        f"{kind}/{i}.{kind}": made(
            lambda f, k=kind: Image.fromarray(grey).save(f, {"jpg": "JPEG", "tif": "TIFF"}.get(k, k))
        )
        for kind in ("png", "jpg", "bmp", "gif", "tif")
        for i in range(2)
    }
    frames = [Image.fromarray(np.roll(grey, i)) for i in range(5)]
    faces = {
        f"img_align_celeba/{i:06d}.jpg": made(lambda f: Image.fromarray(grey).save(f, "JPEG")) for i in range(1, 4)
    }
    listed = "3\nBald Bangs\n" + "".join(f"{i:06d}.jpg {(-1) ** i} 1\n" for i in range(1, 4))
    tracker = b"<Start settings>\nclockrate: 30000\nFields: <time uint32><xloc uint16><yloc uint16>\n<End settings>\n"
    rows = np.zeros(90, np.dtype([("t", "<u4"), ("x", "<u2"), ("y", "<u2")]))
    rows["t"], rows["x"], rows["y"] = np.arange(90) * 500, np.arange(90), 7
    idx = b"\0\0\x08\x03" + np.array([9, 4, 4], ">u4").tobytes() + rng.integers(0, 256, 144, np.uint8).tobytes()
    norb, cars = folder / "norb", {f"cars/{name}": content for name, content in made_grids.cars(16)[0].items()}
    made_grids.norb(norb)
    norb_files = {file.name: file.read_bytes() for file in sorted(norb.iterdir())}
    for version, name in (("v7", "o.mat"), ("v7.3", "o73.mat")):
        matio.save_to_mat(
            folder / name, {"beh": table, "x": x, "who": np.array(["p", "q"], "T")[None]}, version=version
        )
    pages = rng.integers(0, 4096, (6, 8, 9)).astype(np.uint16)
    stacks = [
        made(lambda f: tifffile.imwrite(f, pages, imagej=True, metadata={"axes": "TYX", "finterval": 0.1})),
        made(lambda f: tifffile.imwrite(f, pages, ome=True, metadata={"axes": "TYX"})),
        made(lambda f: tifffile.imwrite(f, pages, compression="zlib", photometric="minisblack")),
        made(lambda f: frames[0].save(f, "TIFF", save_all=True, append_images=frames[1:], compression="tiff_lzw")),
    ]
    phy = {"spike_times.npy": made(lambda f: np.save(f, np.arange(0, 900, 3, dtype=np.uint64)[:, None])),
           "spike_clusters.npy": made(lambda f: np.save(f, (np.arange(300) % 4).astype(np.int32))),
           "params.py": b"dat_path = 'raw.dat'\nsample_rate = 300.\n",
           "cluster_group.tsv": b"cluster_id\tgroup\n0\tgood\n1\tnoise\n2\tgood\n"}  # fmt: skip
    for kind in ("tar", "tar.gz"):
        made_grids.tarred(folder / f"a.{kind}", cars)
    return {
        "npz": [{"a.npz": made(lambda f: np.savez(f, x=x, u=u, s=x[:, :2]))}],
        "npy": [{"a.npy": made(lambda f: np.save(f, x))}],
        "csv": [{"a.csv": table.to_csv(index=False).encode()}, {"a.tsv": table.to_csv(index=False, sep="\t").encode()}],
        "arff": [{"a.arff": b"@relation r\n@attribute a real\n@attribute 'b c' integer\n@attribute u {p,q}\n@data\n"
                  + b"1.5,2,p\n2.5,3,q\n" * 9}],
        "parquet": [{"a.parquet": made(lambda f: table.to_parquet(f))}],
        "mat": [{"a.mat": made(lambda f, c=c: savemat(f, nested, do_compression=c))} for c in (False, True)],
        "mat 7.3": [{"a.mat": (folder / "a.mat").read_bytes()}],
        "hdf5": [{"a.h5": (folder / "a.h5").read_bytes()}],
        "nwb": [{"a.nwb": (folder / "a.nwb").read_bytes()}],
        "idx": [{"a-images-idx3-ubyte.gz": gzip.compress(idx)}, {"a-images-idx3-ubyte": idx}],
        "image zip": [{"a.zip": zipped(pictures)}],
        "image folder": [pictures],
        "gif": [{"a.gif": made(lambda f: frames[0].save(f, "GIF", save_all=True, append_images=frames[1:]))}],
        "celeba": [{"img_align_celeba.zip": zipped(faces), "list_attr_celeba.txt": listed.encode()}],
        "tracking": [{"a.mat": made(lambda f: savemat(f, {"spikes": cell})), "b.videoPositionTracking": tracker
                      + rows.tobytes()}],
        "suite2p": [{"F.npy": made(lambda f: np.save(f, x.T)), "spks.npy": made(lambda f: np.save(f, x.T)),
                     "iscell.npy": made(lambda f: np.save(f, np.ones((3, 2))))}],
        "planes": [{f"suite2p/plane{k}/{name}.npy": made(lambda f, v=values: np.save(f, v)) for k in range(2)
                    for name, values in (("F", x.T), ("iscell", np.ones((3, 2))))}],
        "kilosort": [phy],
        "tiff": [{"a.tif": content} for content in stacks],
        "mat objects": [{"a.mat": (folder / name).read_bytes()} for name in ("o.mat", "o73.mat")],
        "smallnorb": [norb_files, {f"{name}.gz": gzip.compress(content) for name, content in norb_files.items()}],
        "cars3d": [cars, {"a.tar": (folder / "a.tar").read_bytes()},
                   {"a.tar.gz": (folder / "a.tar.gz").read_bytes()}],
    }  # fmt: skip


def zipped(members):
    """Return a zip of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


# --- damage -----------------------------------------------------------------------------------------------------------

EXTREMES = [
    b"\0" * 4,
    b"\xff" * 4,
    b"\xff\xff\xff\x7f",
    b"\0\0\0\x80",
    b"\x01\0\0\0",
    b"\0\0\0\x01",
    b"\xff" * 8,
    b"\0" * 8,
]


def damaged(rng, content):
    """Return the content with one to five changes, most of them near the beginning, where headers are."""
    body = bytearray(content)
    for _ in range(int(rng.integers(1, 6))):
        size = max(1, len(body))
        at = int(rng.integers(0, min(size, int(rng.choice([64, 300, 3000, 10**9])))))
        kind = rng.integers(0, 12)
        if kind < 6:
            body[at : at + 1] = bytes([int(rng.integers(0, 256))])
        elif kind < 8:
            extreme = EXTREMES[int(rng.integers(len(EXTREMES)))]
            body[at : at + len(extreme)] = extreme
        elif kind == 8:
            del body[max(1, int(rng.integers(size))) :]
        elif kind == 9:
            del body[at : at + int(rng.integers(1, 20))]
        elif kind == 10:
            body[at:at] = body[at : at + int(rng.integers(1, 200))]
        else:
            body[at:at] = rng.bytes(int(rng.integers(1, 20)))
    return bytes(body)


def variant(rng, files):
    """Return good files of which one is damaged, half of the time inside of its compression."""
    name = list(files)[int(rng.integers(len(files)))]
    content = files[name]
    if rng.random() < 0.5 and name.endswith((".npz", ".zip")):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {member: archive.read(member) for member in archive.namelist()}
        inner = list(members)[int(rng.integers(len(members)))]
        members[inner] = damaged(rng, members[inner])
        content = zipped(members)
    elif rng.random() < 0.5 and name.endswith(".gz"):
        content = gzip.compress(damaged(rng, gzip.decompress(content)))
    else:
        content = damaged(rng, content)
    return {**files, name: content}


# --- reading ----------------------------------------------------------------------------------------------------------


class Forked:
    """The child that opens HDF5 files, forked from here instead of started anew; what `subprocess.Popen` would give."""

    def __init__(self, path):
        (their_in, our_out), (our_in, their_out) = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            for stream, number in ((their_in, 0), (their_out, 1)):
                os.dup2(stream, number)
            for stream in (their_in, our_out, our_in, their_out):
                os.close(stream)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
            sys.argv = ["", str(path), str(hdf5.MEMORY)]
            try:
                hdf5_child.main()
            finally:
                os._exit(0)
        os.close(their_in)
        os.close(their_out)
        self.stdin, self.stdout = os.fdopen(our_out, "wb"), os.fdopen(our_in, "rb")
        self.crashed = False

    def kill(self):
        """End it, unless it has ended by itself."""
        if self.pid:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if not done:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
            elif os.WIFSIGNALED(status):
                Forked.crashes.append(os.WTERMSIG(status))
            self.pid = 0

    def wait(self):
        """Nothing is left to wait for."""

    crashes: list = []  # noqa: RUF012


def enter(file):
    """Replace `hdf5.File.__enter__`."""
    file._process = Forked(file.path)
    return file


class Answer:
    """What a finished process wrote."""

    def __init__(self, stdout):
        self.stdout = stdout


def run(command, **_):
    """Replace `subprocess.run` for the process that converts MATLAB's objects: fork it instead of starting it."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(theirs, 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        sys.argv, sys.stdout = ["", *command[3:]], os.fdopen(1, "w")
        try:
            matlab_objects_child.main()
            sys.stdout.flush()
        finally:
            os._exit(0)
    os.close(theirs)
    try:
        with os.fdopen(ours, "rb") as pipe:
            content = pipe.read()
    finally:
        done, status = os.waitpid(pid, os.WNOHANG)
        if not done:
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
        elif os.WIFSIGNALED(status):
            Forked.crashes.append(os.WTERMSIG(status))
    return Answer(content)


def read(path, rows):
    """Look into the path and read it, as the page does."""
    signal.alarm(PATIENCE_S)
    try:
        readers.inspect(path)
        answers = {}
        for _ in range(4):  # a question is answered with its first candidate, so that the numbers are read too
            try:
                readers.read(path, budget_bytes=BUDGET, rows=rows, **answers)
                return "read"
            except readers.Undecided as asked:
                question = asked.question
                name = {"x": "x", "rows": "rows_are", "axes": "axes"}.get(question.about)
                if name is None or name in answers:
                    return "refused"
                answers[name] = question.candidates[0]
        return "refused"
    except readers.DataError as error:
        bad = "\n" in str(error) or str(error)[-1] not in ".?"
        return f"not a sentence: {error}" if bad else "refused"
    except Late:
        return "late"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"[:300]
    finally:
        signal.alarm(0)


def batch(reader, files, first, count, folder):
    """Read a batch in a forked process; return what came of each input, and the process's memory and crashes."""
    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(receive)
        signal.signal(signal.SIGALRM, late)
        results = []
        for i in range(first, first + count):
            rng = np.random.default_rng([i, len(reader)])
            place = folder / "in"
            empty(place)
            made = variant(rng, files[i % len(files)])
            for name, content in made.items():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                (place / name).write_bytes(content)
            (folder / "at").write_text(str(i))
            path = place / next(iter(made)) if len(made) == 1 else place
            results.append(read(path, 7 if i % 3 == 0 else None))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        with os.fdopen(send, "wb") as pipe:
            pickle.dump((results, peak, Forked.crashes), pipe)  # from our own fork
        os._exit(0)
    os.close(send)
    with os.fdopen(receive, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status) or not answer:
        return [f"the process ended by signal {os.WTERMSIG(status)} at input {(folder / 'at').read_text()}"], 0.0, []
    return pickle.loads(answer)


def late(*_):
    """Stop an input that takes too long."""
    raise Late


def empty(folder):
    """Remove what the last input left."""
    for item in sorted(folder.rglob("*"), reverse=True) if folder.exists() else []:
        item.rmdir() if item.is_dir() else item.unlink()
    folder.mkdir(exist_ok=True)


def fuzz(inputs, chosen=(), start=0):
    """Feed `inputs` damaged files to each reader, from number `start` on; print a line each; return if all passed."""
    hdf5.File.__enter__ = enter
    matlab_objects.subprocess = type("Forking", (), {"run": staticmethod(run), "TimeoutExpired": TimeoutError})
    passed = True
    head = ("inputs", "read", "refused", "child crashes", "bad", "CPU s", "peak MB")
    print(f"{'reader':14s} " + "".join(f"{word:>14s}" for word in head))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        everything = seeds(folder)
        unknown = {*chosen} - {*everything}
        assert not unknown, f"no reader is called {unknown}; there are {', '.join(everything)}"
        for reader, files in everything.items():
            if chosen and reader not in chosen:
                continue
            began = time.process_time() + sum(os.times()[2:4])
            results, peak, crashes = [], 0.0, []
            for first in range(start, start + inputs, BATCH):
                found, memory, crashed = batch(reader, files, first, min(BATCH, start + inputs - first), folder)
                results += found
                peak, crashes = max(peak, memory), crashes + crashed
            bad = [result for result in results if result not in ("read", "refused")]
            took = time.process_time() + sum(os.times()[2:4]) - began
            numbers = (
                len(results),
                results.count("read"),
                results.count("refused"),
                len(crashes),
                len(bad),
                took,
                peak,
            )
            print(f"{reader:14s} " + "".join(f"{number:14,.0f}" for number in numbers), flush=True)
            for result in sorted(set(bad))[:5]:
                print(f"    {result}")
            passed &= not bad
    return passed


if __name__ == "__main__":
    many, _, begin = (sys.argv[1] if len(sys.argv) > 1 else "10000").partition("@")
    sys.exit(0 if fuzz(int(many), sys.argv[2:], int(begin or 0)) else 1)
