"""Whatever is wrong with a file is one sentence, at once, and nothing in it is run."""

import io
import pickle
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat

from dvae_core.data import readers
from dvae_core.data.dataset import DataError
from tests.unit.test_readers import TABLE, N, U, X, csv, npz, write


def npy_header(shape, descr="<f8"):
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def zipped(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


class Boom:
    """Unpickling this writes a file: the sign that something ran."""

    def __reduce__(self):
        return Path.touch, (Path("ran"),)


def mat73():
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, HDF5 schema 1.00 .".ljust(124) + b"\x00\x02IM"
    return head.ljust(512, b"\x00") + b"\x89HDF\r\n\x1a\n" + bytes(500)


def mat_bytes(**arrays):
    buffer = io.BytesIO()
    savemat(buffer, arrays)
    return buffer.getvalue()


def mat_bomb():
    """2,000 numbers by the header, and a compressed body that says it has 4 GB."""
    body = struct.pack("<4I", 6, 8, 6, 0) + struct.pack("<2I2i", 5, 8, 1000, 2) + struct.pack("<2I8s", 1, 1, b"x")
    packed = zlib.compress(struct.pack("<2I", 14, 2**32 - 9) + body + struct.pack("<2I", 9, 2**32 - 8) + bytes(2**22))
    return mat_bytes()[:128] + struct.pack("<2I", 15, len(packed)) + packed


def truncated(content):
    return content[: len(content) * 2 // 3]


def file_bytes(writer):
    buffer = io.BytesIO()
    writer(buffer)
    return buffer.getvalue()


def nested(depth):
    """A cell in a cell in a cell ..."""
    inside = np.zeros(3)
    for _ in range(depth):
        inside, cell = np.empty((1, 1), object), inside
        inside[0, 0] = cell
    return inside


RAGGED = np.empty((1, 2), object)
RAGGED[0, 0], RAGGED[0, 1] = np.zeros((2, 3)), np.zeros((4, 5))
NAN = np.where(np.arange(N)[:, None] == 4, np.nan, X)
HTML = b"\n<!DOCTYPE html><html><body>Quota exceeded</body></html>"
GIB = 2**30

# name: (write the file in a folder, arguments of read, what the sentence says)
DANGERS = {
    "missing": (lambda d: d / "a.npz", {}, r"a\.npz cannot be opened \(No such file"),
    "folder": (lambda d: d, {}, "is a folder with no data file; give one data file"),
    "empty npz": (lambda d: write(d / "a.npz", b""), {}, "is empty"),
    "empty csv": (lambda d: write(d / "a.csv", b""), {}, "is empty"),
    "blank csv": (lambda d: write(d / "a.csv", b"\n\n"), {}, r"a\.csv has no rows"),
    "unknown suffix": (lambda d: write(d / "a.xls", b"abc"), {}, r"no reader knows; save it as one of \.npz"),
    "pickle": (lambda d: write(d / "a.pkl", pickle.dumps(Boom())), {}, "refused; in the program that made it"),
    "joblib": (lambda d: write(d / "a.jl", zlib.compress(pickle.dumps(Boom()))), {}, "can run code when opened"),
    "pickle named npy": (lambda d: write(d / "a.npy", pickle.dumps(Boom())), {}, "can run code when opened"),
    "pickled npy": (
        lambda d: write(d / "a.npy", file_bytes(lambda f: np.save(f, np.array([Boom()]), allow_pickle=True))),
        {},
        r"x of a\.npy is Python objects.*x\.astype\(float\)",
    ),
    "pickled npz": (lambda d: npz(d / "a.npz", x=np.array([Boom()] * 3)), {}, r"x of a\.npz is Python objects"),
    "pickled u": (lambda d: npz(d / "a.npz", x=X, u=U.astype(object)), {"x": "x"}, r"u of a\.npz is Python objects"),
    "torch file": (lambda d: write(d / "a.pt", b"PK\x03\x04abc"), {}, "refused"),
    "huge npy claim": (
        lambda d: write(d / "a.npy", npy_header((10**11,)) + bytes(80)),
        {},
        "800,000,000,000 bytes but",
    ),
    "absurd npy claim": (lambda d: write(d / "a.npy", npy_header((10**15, 10**15))), {}, "cut off or damaged"),
    "negative npy claim": (lambda d: write(d / "a.npy", npy_header((-1, 3)) + bytes(80)), {}, "is negative"),
    "free npy claim": (lambda d: write(d / "a.npy", npy_header((10**12,), "<U0")), {}, "cut off or damaged"),
    "huge npz claim": (lambda d: zipped(d / "a.npz", x=npy_header((10**11,)) + bytes(80)), {}, "holds only"),
    "npz bomb": (
        lambda d: zipped(d / "a.npz", x=npy_header((40, 10**5)) + bytes(32 * 10**6)),
        {"budget_bytes": 10**7, "rows_are": "rows"},
        r"would take 31 MiB of memory; 10 MiB are allowed",
    ),
    "long npy header": (
        lambda d: write(d / "a.npy", b"\x93NUMPY\x02\x00" + struct.pack("<I", 20_000) + b" " * 20_000),
        {},
        r"Header info length \(20000\) is large",
    ),
    "mixed npy header": (
        lambda d: write(d / "a.npy", npy_header((3,)).replace(b"{'descr'", b"{b'descr'") + bytes(80)),
        {},
        "is damaged",
    ),
    "record npy": (lambda d: npz(d / "a.npz", x=np.zeros(4, "f4,i4")), {}, "x of a.npz is a structured array"),
    "complex npz": (lambda d: npz(d / "a.npz", x=X + 1j), {}, "x of a.npz is complex numbers"),
    "text npz": (lambda d: npz(d / "a.npz", x=X.astype(str)), {"x": "x"}, "x must be numbers"),
    "empty archive": (lambda d: npz(d / "a.npz"), {}, "has 0 arrays"),
    "empty array": (lambda d: npz(d / "a.npz", x=X[:0]), {}, r"x of a\.npz is empty: it has the shape \(0, 3\)"),
    "rank 5": (lambda d: npz(d / "a.npz", x=np.zeros((2, 2, 2, 2, 2))), {}, "has 5 axes .* --axes"),
    "truncated npz": (lambda d: write(d / "a.npz", truncated(npz(d / "b.npz", x=X).read_bytes())), {}, "is damaged"),
    "truncated npy": (lambda d: write(d / "a.npy", file_bytes(lambda f: np.save(f, X))[:-8]), {}, "cut off"),
    "npy named npz": (lambda d: write(d / "a.npz", npy_header((1,))), {}, r"does not hold what \.npz files hold"),
    "html npz": (lambda d: write(d / "a.npz", HTML), {}, "is a web page, not data"),
    "html mat": (lambda d: write(d / "a.mat", HTML), {}, "is a web page, not data"),
    "html csv": (lambda d: write(d / "a.csv", HTML), {}, "is a web page, not data"),
    "html parquet": (lambda d: write(d / "a.parquet", HTML), {}, "is a web page, not data"),
    "NaN": (
        lambda d: npz(d / "a.npz", x=NAN),
        {},
        r"Column x1 of a\.npz has 1 missing values in 40 rows, the first in row 5 \(2 other columns",
    ),
    "infinite": (
        lambda d: npz(d / "a.npz", x=np.where(X > 2, -np.inf, X)),
        {},
        "1 infinite or too large values .* row 27",
    ),
    "constant": (lambda d: npz(d / "a.npz", x=np.ones((N, 3))), {}, "x must vary, but all its 40 rows are the same"),
    "one row": (lambda d: npz(d / "a.npz", x=X[:1]), {"rows_are": "rows"}, "x must vary"),
    "rows": (lambda d: npz(d / "a.npz", x=X, u=U[:-1]), {}, r"x of a\.npz has 40 rows and u has 39"),
    "rows side by side": (lambda d: npz(d / "a.npz", x=X, u=U[:-1]), {"x": ["x", "u"]}, "has x 40, u 39"),
    "wrong name": (
        lambda d: npz(d / "a.npz", spikes=X),
        {"x": "spike"},
        r"nothing called 'spike'; did you mean 'spikes'\?",
    ),
    "no such name": (lambda d: npz(d / "a.npz", spikes=X), {"u": "qq"}, r"nothing called 'qq'; it has spikes\."),
    "v7.3 mat": (lambda d: write(d / "a.mat", mat73()), {}, "is damaged or not an HDF5 file"),
    "hdf5 named mat": (lambda d: write(d / "a.mat", mat73()[512:]), {}, "is damaged or not an HDF5 file"),
    "no mat": (lambda d: write(d / "a.mat", b"abc"), {}, "is not a MATLAB 5 to 7 file"),
    "truncated mat": (lambda d: write(d / "a.mat", truncated(mat_bytes(x=X))), {}, "is damaged"),
    "mat name": (lambda d: write(d / "a.mat", mat_bytes(vel=X)), {"u": "vels"}, "did you mean 'vel'"),
    "mat rows": (
        lambda d: write(d / "a.mat", mat_bytes(x=X, u=U[:-1])),
        {},
        r"x of a\.mat has 40 rows and u has 1 x 39",
    ),
    "mat budget": (lambda d: write(d / "a.mat", mat_bytes(x=X)), {"budget_bytes": 400}, "choose fewer variables"),
    "mat struct": (lambda d: write(d / "a.mat", mat_bytes(x={"a": X})), {"x": "x"}, "x of a.mat is a MATLAB struct"),
    "mat complex": (lambda d: write(d / "a.mat", mat_bytes(x=X * 1j)), {"x": "x"}, "is a MATLAB complex"),
    "mat bomb": (lambda d: write(d / "a.mat", mat_bomb()), {}, "numbers came where 2000 were expected"),
    "mat of ragged cells": (lambda d: write(d / "a.mat", mat_bytes(x=RAGGED)), {"x": "x{}"}, "is a ragged MATLAB cell"),
    "mat of cells in cells": (lambda d: write(d / "a.mat", mat_bytes(x=nested(40))), {}, "nested more than 16 deep"),
    "mat NaN": (lambda d: write(d / "a.mat", mat_bytes(x=NAN)), {}, "Column x1 of a.mat has 1 missing"),
    "ragged csv": (lambda d: csv(d / "a.csv", "a,b\n1,2\n1,2,3\n"), {}, r"is damaged or not a \.csv file.*line 3"),
    "ragged first row": (lambda d: csv(d / "a.csv", "a,b\n1,2,3\n1,2,3\n"), {}, "more values than its 2 columns"),
    "short csv row": (
        lambda d: csv(d / "a.csv", "a,b\n1,2\n1\n3,4\n"),
        {},
        "Column b .* 1 missing .* in 3 rows.*row 2",
    ),
    "infinite csv": (lambda d: csv(d / "a.csv", "a,b\n1,2\ninf,3\n4,5\n"), {}, "Column a of a.csv has 1 infinite"),
    "arff of nothing": (lambda d: write(d / "a.arff", b"@relation r\n@attribute a real\n@data\n"), {}, "but no rows"),
    "arff without data": (lambda d: write(d / "a.arff", b"@relation r\n@attribute a real\n"), {}, "it has no @DATA"),
    "html arff": (lambda d: write(d / "a.arff", HTML), {}, "is a web page"),
    "text csv": (lambda d: csv(d / "a.csv", "a,b\np,q\nr,s\n"), {}, r"no numbers that could be x; it has a, b\."),
    "stray text": (lambda d: csv(d / "a.csv", "a,b\n1,2\n1,oops\n3,4\n"), {}, "Column b .* row 2 holds 'oops'"),
    "text as x": (
        lambda d: csv(d / "a.csv", "a,b\n1,p\n2,q\n"),
        {"x": "b"},
        "b of a.csv is texts, which can be u only",
    ),
    "header alone": (lambda d: csv(d / "a.csv", "a,b\n"), {}, "a header but no rows"),
    "latin-1 csv": (
        lambda d: write(d / "a.csv", "a,größe\n1,2\n".encode("latin-1")),
        {},
        "is not UTF-8 text",
    ),
    "csv budget": (lambda d: csv(d / "a.csv", "a,b\n" + "1,2\n" * 99), {"budget_bytes": 900}, "would take"),
    "wide csv": (lambda d: csv(d / "a.csv", "1," * 20_000 + "1\n"), {}, "20,001 columns where 20,000 can be read"),
    "csv name": (lambda d: csv(d / "a.csv", "speed,b\n1,2\n2,3\n"), {"u": "sped"}, "did you mean 'speed'"),
    "identifier": (
        lambda d: csv(d / "a.csv", "a,u\n" + "".join(f"{i % 7},id{i}\n" for i in range(600))),
        {},
        "600 different texts where at most 500",
    ),
    "truncated parquet": (
        lambda d: write(d / "a.parquet", truncated(file_bytes(lambda f: TABLE.to_parquet(f)))),
        {},
        "is damaged",
    ),
    "parquet of lists": (
        lambda d: write(d / "a.parquet", file_bytes(lambda f: pd.DataFrame({"a": [[1], [2, 3]]}).to_parquet(f))),
        {"x": "a"},
        "lists of different lengths",
    ),
    "parquet budget": (
        lambda d: write(d / "a.parquet", file_bytes(lambda f: pd.DataFrame({"a": np.zeros(10**6)}).to_parquet(f))),
        {"budget_bytes": 10**6},
        "would take 8 MiB",
    ),
    "parquet NaN": (
        lambda d: write(d / "a.parquet", file_bytes(lambda f: TABLE.replace(0, np.nan).to_parquet(f))),
        {},
        "Column u .* 10 missing values in 40 rows, the first in row 1",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", DANGERS)
def test_a_dangerous_file_is_refused_in_one_sentence(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    make, arguments, message = DANGERS[case]
    path = make(tmp_path)
    with pytest.raises(DataError, match=message) as caught:
        readers.read(path, **arguments)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence[-1] in ".?"
    assert str(tmp_path) not in sentence or "No such" in sentence  # the name is enough; paths are nobody's business
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    "case", ["folder", "empty csv", "pickle", "html npz", "v7.3 mat", "truncated npz", "ragged first row"]
)
def test_inspect_refuses_the_same(tmp_path, case):
    with pytest.raises(DataError, match=DANGERS[case][2]):
        readers.inspect(DANGERS[case][0](tmp_path))


@pytest.mark.slow
def test_the_heavy_libraries_wait_until_they_are_needed():
    import subprocess
    import sys

    code = "import sys; from dvae_core.data import dataset, readers, worlds; print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not [name for name in ("torch", "scipy", "sklearn", "pandas", "pyarrow") if f"'{name}'" in loaded]
