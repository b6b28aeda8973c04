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
from tests.harness.good_files import good_files, zipped

BATCH = 250
BUDGET = 2**26
PATIENCE_S = 10


class Late(BaseException):
    """An input took too long."""


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
        everything = good_files(folder)
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
