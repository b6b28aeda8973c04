"""Ordinary odd files: read right, asked about, or refused, never guessed: `python benchmarks/reading.py [WORD ...]`.

Makes the inputs of ../shared/cases (what people reported in public about readers of this kind), reads each as the
command line does and prints a table: right, asked, refused, or WRONG. A case states what is right of it and whether a
question or a refusal is an honest answer too. WORDs choose the cases whose name contains one of them. Needs the folder
../shared/cases; the repository's own layouts are in tests/unit/test_reading.py and test_reading_times.py.
"""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from dvae_core.data import care, readers
from dvae_core.data.dataset import DataError, Dataset, MissingValues

SHARED = Path(__file__).parents[2] / "shared" / "cases"
ASKED, REFUSED = "asked", "refused"


class Case(NamedTuple):
    """An input, how it is read, what is right of what comes out, and which other answers are honest."""

    name: str
    file: str
    right: Callable[[Dataset], Any]
    how: Mapping[str, Any] = MappingProxyType({})
    also: str = ""  # "asked", "refused", or both: as good as the right data


def shape(*sides: int, labels: int | None = None, names: str = "") -> Callable[[Dataset], bool]:
    """Return a judge of the shape of x, the number of labels and the names of columns."""

    def judge(data: Dataset) -> bool:
        return (
            data.x.shape == sides
            and (labels is None or data.n_labels == labels)
            and (not names or data.x_names == tuple(names.split("," if "|" not in names else "|")))
        )

    return judge


def never(data: Dataset) -> bool:
    """Judge what must not be read at all."""
    return False


def _close(values: Any, expected: Any, tolerance: float = 1e-4) -> bool:
    return np.shape(values) == np.shape(expected) and bool(np.allclose(values, expected, atol=tolerance))


def _source(name: str, key: str) -> np.ndarray:
    return np.load(f"cases_out/{name}")[key]


def _sides(data: Dataset) -> bool:
    """Judge the labels of trials: 10 of 5.5 s with gaps of half a second between them."""
    at = np.asarray(data.row_index)
    label = np.array(data.u_labels)[data.u]
    inside = (at % 6) <= 5.5
    return bool(inside.all() and (label == np.where((at // 6).astype(int) % 2 == 0, "L", "R")).all())


def _angles(data: Dataset) -> bool:
    """Judge circular means of 7 degrees a sample, 2 or 3 samples a bin, against their definition."""
    starts = np.asarray(data.row_index) - 0.05
    t, h = 10 + np.arange(1500) / 25, np.arange(1500) * 7 % 360
    assert data.u is not None
    found = data.u[:, data.u_names.index(next(n for n in data.u_names if "Compass" in n))].astype(float)
    gaps = []
    for begin, angle in zip(starts, found, strict=True):
        inside = h[(t >= begin - 1e-9) & (t < begin + 0.1 - 1e-9)]
        mean = np.degrees(np.angle(np.exp(1j * np.radians(inside)).mean()))
        gaps.append(abs((angle - mean + 180) % 360 - 180))
    return len(gaps) > 400 and max(gaps) < 5  # degrees: a sample on an edge may fall to either side


def _centred(name: str) -> Callable[[Dataset], bool]:
    def judge(data: Dataset) -> bool:
        x = _source(name, "x")
        x = x - x.mean(0)
        got = data.x.astype(float) - data.x.mean(0, dtype=float)
        return bool(np.abs(got - x).max() < 1e-3 * x.std())

    return judge


def _levels(count: int) -> Callable[[Dataset], bool]:
    return lambda data: len(np.unique(data.x)) >= count


def _brightness(data: Dataset) -> bool:
    """Judge whether pictures of rising brightness come out rising."""
    means = data.x_float().mean(1)
    return bool((np.diff(means) > 0).all())


CASES = [
    Case("01a header 0,1,2,3", "01a.csv", shape(200, 4, names="0,1,2,3")),
    Case("01b header 400,500", "01b.csv", shape(200, 6, names="400,500,600,700,800,900")),
    *(Case(f"02{k} decimal comma", f"02{k}.csv", right) for k, right in (
        ("a", shape(200, 3, names="a,b,c")), ("b", shape(200, 3)), ("c", shape(200, 3, labels=4, names="a,b,c")),
        ("d", shape(200, 2, labels=4, names="a,b")), ("e", shape(200, 2, labels=4, names="speed, cm/s|pos")),
        ("f", shape(200, 2, labels=4, names="rate, L, M1|pos")))),
    Case("02b values", "02b.csv", lambda d: _close(d.x[0], [0.126, -0.132, 0.640], 1e-3)),
    *(Case(f"04{k} labels are text", f"04{k}.csv", lambda d, n=n: set(d.u_labels) == n) for k, n in (
        ("a", {"NA", "K", "CL"}), ("b", {"None", "left", "right"}), ("c", {"null", "1", "2"}),
        ("d", {"01", "1", "10"}), ("e", {"1e1", "10", "2"}), ("f", {"True", "False"}))),
    *(Case(f"05{k} layouts", file, right, {}, also) for k, file, right, also in (
        ("a savetxt", "05a.txt", shape(200, 3, labels=4, names="a,b,c"), ""),
        ("b # header", "05b.csv", shape(200, 3, labels=4, names="a,b,c"), ""),
        ("c blank line", "05c.csv", shape(200, 3, labels=4, names="a,b,c"), ""),
        ("d units row", "05d.csv", shape(200, 3, labels=4, names="a,b,c"), REFUSED),
        ("e DeepLabCut", "05e.csv", lambda d: d.n == 200 and d.d_x in (4, 6), ""),
        ("f R row names", "05f.csv", shape(200, 3, labels=4, names="a,b,c"), ""),
        ("g quoted newline", "05g.csv", shape(200, 3, labels=4, names="a,b,c"), ""),
        ("h repeated name", "05h.csv", lambda d: d.x.shape == (200, 3), REFUSED),
        ("i id column", "05i.csv", shape(200, 3, labels=4, names="a,b,c"), ""),
        ("j utf-16", "05j.csv", shape(200, 3, labels=4, names="a,b,c"), REFUSED),
        ("k latin-1", "05k.csv", shape(200, 3, labels=4), REFUSED),
        ("l utf-8 BOM", "05l.csv", shape(200, 3, labels=4), ""),
        ("m trailing ;", "05m.csv", shape(200, 3, labels=4, names="a,b,c"), ""),
        ("n # notes", "05n.csv", shape(200, 3, labels=4, names="a,b,c"), ""),
        ("o clock of texts", "05o.csv", shape(200, 3, labels=4, names="a,b,c"), ""),
        ("p summary row", "05p.csv", never, REFUSED),
        ("q tabs", "05q.txt", shape(200, 3, labels=4, names="a,b,c"), ""),
        ("r blanks", "05r.csv", shape(200, 3, labels=4, names="a,b,c"), ""),
        ("s short row", "05s.csv", never, REFUSED), ("t long row", "05t.csv", never, REFUSED),
        ("u open quote", "05u.csv", never, REFUSED))),
    Case("05g rows of rows", "05g.csv", lambda d: "2 of 200 rows" in d.meta["notes"], {"rows": 2}),
    Case("06a pixels", "06a.csv", lambda d: d.x_shape == (28, 28), {"x_shape": (28, 28)}),
    Case("06a no shape", "06a.csv", lambda d: d.x_shape == (28, 28), {}, ASKED),
    Case("06b npz pixels", "06b.npz", shape(300, 784, labels=10), {}, ASKED),
    Case("06c x_train", "06c.npz", never, {}, ASKED),
    Case("06d Frey", "06d.mat", shape(900, 560), {}, ASKED),
    Case("06d turned", "06d.mat", shape(900, 560), {"rows_are": "columns"}),
    Case("06e fea gnd", "06e.mat", shape(300, 784), {}, ASKED),
    Case("06f SVHN", "06f.mat", lambda d: d.n == 300 and d.x_shape == (28, 28, 3)),
    Case("06g faces", "06g.mat", lambda d: d.n == 300 and d.x_shape == (28, 28), {}, ASKED),
    Case("06h train0..2", "06h.mat", never, {}, ASKED),
    Case("07a counts uint8", "07a.npz", lambda d: d.x.shape == (2400, 12) and len(d.u) == 2400, {}, ASKED),
    Case("07a axes", "07a.npz", lambda d: _close(d.x, _source("07a.npz", "x").reshape(-1, 12)) and
         (d.u[:40] == d.u[0]).all() and d.trial is not None, {"axes": "trial,time,unit"}),
    Case("07b counts int", "07b.npz", lambda d: d.x.shape == (2400, 12) and len(d.u) == 2400, {}, ASKED),
    Case("07c MATLAB tensor", "07c.mat", lambda d: d.x.shape == (2400, 12), {}, ASKED),
    Case("07c with u", "07c.mat", lambda d: d.x.shape == (2400, 12), {"u": "cond"}, ASKED),
    Case("07c axes", "07c.mat", lambda d: d.x.shape == (2400, 12) and (d.u[:40] == d.u[0]).all(),
         {"u": "cond", "axes": "unit,time,trial"}),
    Case("07d cell of [unit x time]", "07d.mat", lambda d: d.x.shape == (2400, 12), {}, ASKED + REFUSED),
    Case("07e cell of [time x unit]", "07e.mat", lambda d: d.x.shape == (2400, 12), {}, ASKED + REFUSED),
    Case("07f ragged trials", "07f.mat", lambda d: d.d_x == 12, {}, ASKED + REFUSED),
    Case("08a string beside", "08a.mat", shape(300, 5)), Case("08b table beside", "08b.mat", shape(300, 5), {}, ASKED),
    Case("08c only a table", "08c.mat", never, {}, ASKED + REFUSED),
    Case("08d datetime beside", "08d.mat", shape(300, 1), {}, ASKED),
    Case("08e 7.3 string, table", "08e.mat", shape(300, 5), {}, ASKED),
    Case("08f t0 and a table", "08f.mat", never, {}, ASKED + REFUSED),
    Case("10a 10x", "10a.h5", shape(400, 60)), Case("10b AnnData", "10b.h5", shape(400, 60)),
    Case("10c HDFStore", "10c.h5", shape(300, 9), {}, ASKED),
    Case("10d packed", "10d.h5", lambda d: d.x.shape == (260, 6) or abs(d.x.mean() - 20) < 2, {}, REFUSED),
    Case("10e table", "10e.h5", shape(300, 6), {}, ASKED + REFUSED),
    Case("10f X, y", "10f.h5", shape(300, 6)),
    Case("11a ROI x time", "11a.nwb", lambda d: d.x.shape == (600, 25) and abs(d.rate_hz - 30) < 0.01),
    Case("11a2 rois", "11a2.nwb", lambda d: d.x.shape == (600, 25) and d.rate_hz == 30),
    Case("11b silent units", "11b.nwb", lambda d: d.d_x == 5 or d.x_names == ("100", "102", "104")),
    Case("11c trials", "11c.nwb", _sides, {"u": "intervals/trials/side", "time": "start_time"}),
    Case("11c no --time", "11c.nwb", _sides, {"u": "intervals/trials/side"}),
    Case("11d two clocks", "11d.nwb", lambda d: 400 < d.n < 600),
    Case("11d angles", "11d.nwb", _angles, {"u": "processing/behavior/CompassDirection/h"}),
    Case("11e position only", "11e.nwb", never, {}, ASKED + REFUSED),
    Case("11g 1000 Hz", "11g.nwb", lambda d: d.x.shape == (2000, 8) and d.rate_hz == 1000, {}, ASKED),
    Case("11h two epochs", "11h.nwb", lambda d: d.n == 400),
    Case("14a counts", "14a.mat", shape(500, 8)), Case("14b traces", "14b.mat", shape(500, 8)),
    Case("14c silent units", "14c.mat", lambda d: d.d_x == 5 or d.x_names == ("unit1", "unit3", "unit5")),
    Case("14d ms", "14d.mat", lambda d: "bin" in d.meta.get("notes", "") and "event" in d.meta["notes"], {}, ASKED),
    Case("14e struct array", "14e.mat", lambda d: d.d_x == 3 and d.is_counts, {"x": "units{}.spikes"}),
    Case("14i x of int16", "14i.mat", shape(500, 8), {}, ASKED),
    Case("14j trains", "14j.mat", shape(500, 8)),
    Case("16 time_u", "16time_u.npz", lambda d: len(np.unique(d.u)) == 400),
    Case("16 bigoffset", "16bigoffset.npz", _centred("16bigoffset.npz"), {}, REFUSED),
    Case("16 offset1e6", "16offset1e6.npz", _centred("16offset1e6.npz"), {}, REFUSED),
    Case("16 mixed_u", "16mixed_u.npz", lambda d: d.u.shape[1] == 5 or "whole" in d.meta.get("notes", "")),
    Case("16 label2d", "16label2d.npz", lambda d: d.u.shape[1] > 2 or "whole" in d.meta.get("notes", "")),
    Case("16 n2", "16n2.npz", never, {}, ASKED + REFUSED),
    Case("16 transposed", "16transposed.npz", shape(400, 5)),
    Case("16 s_is_spikes", "16s_is_spikes.npz", lambda d: d.z is None or "s" in d.meta.get("notes", "")),
    Case("17a gap in labels", "17a.csv", lambda d: d.n == 299 and d.n_labels == 4, {"missing": "drop rows"}),
    Case("17a parquet Int64", "17a.parquet", lambda d: d.n == 299 and d.n_labels == 4, {"missing": "drop rows"}),
    Case("17b gap in texts", "17b.csv", lambda d: d.n == 299 and d.n_labels == 4, {"missing": "drop rows"}, REFUSED),
    Case("17b parquet", "17b.parquet", lambda d: d.n == 299 and d.n_labels == 4, {"missing": "drop rows"}, REFUSED),
    Case("17c categorical", "17c.parquet", lambda d: d.n == 299 and d.n_labels == 4, {"missing": "drop rows"}, REFUSED),
    Case("17d rows kept", "17d.csv", lambda d: list(d.row_index[:11]) == [*range(9), 10, 11], {"missing": "drop rows"}),
    Case("17f boolean", "17f.parquet", lambda d: d.n == 299 and d.n_labels == 2, {"missing": "drop rows"}, REFUSED),
    Case("19a one scale", "19a", lambda d: _brightness(d) and len(np.unique(d.x)) > 100),
    Case("19b 12 bit", "19b", _levels(200)),
    Case("19c float", "19c", lambda d: _brightness(d) and len(np.unique(d.x)) > 100),
    Case("19d TIFF pages", "19d.tif", _levels(200)), Case("19e alpha", "19e", lambda d: d.x_float().mean() != 0 and
         (d.x_float().reshape(24, 16, 16, 3)[5, :, :8] != d.x_float().reshape(24, 16, 16, 3)[5, :, 8:]).any()),
    Case("19f EXIF", "19f", lambda d: d.x_shape == (24, 12)), Case("19g 1, 2, 3", "19g", _brightness),
    Case("19k one scale", "19k", _brightness),
    Case("25 F.npy", "25F.npy", shape(1500, 40), {}, ASKED), Case("25 npz", "25nt.npz", shape(1500, 40), {}, ASKED),
    Case("25 h5", "25nt.h5", shape(1500, 40), {}, ASKED), Case("25 csv", "25nt.csv", shape(200, 40), {}, ASKED),
    Case("25 turned", "25F.npy", shape(1500, 40), {"rows_are": "columns"}),
    Case("25 CaImAn", "25caiman.hdf5", shape(1500, 40), {}, ASKED),
    Case("25 ch12", "25ch12.npz", shape(300, 12), {}, ASKED), Case("25 twoch", "25twoch.npz", shape(300, 2), {}, ASKED),
]  # fmt: skip


def make(folder: Path) -> None:
    """Run the scripts that write the inputs."""
    (folder / "cases_out").mkdir()
    for script in sorted(SHARED.glob("*.py")):
        if not script.name.startswith("23"):  # trains
            subprocess.run(
                [sys.executable, "-W", "ignore", str(script)], cwd=folder, check=True, stdout=subprocess.DEVNULL
            )


def outcome(case: Case) -> tuple[str, str]:
    """Read a case; return what came of it, and a line on it."""
    missing = case.how.get("missing", "refuse")
    how = {k: v for k, v in case.how.items() if k != "missing"}
    try:
        try:
            data = readers.read(f"cases_out/{case.file}", **how)
        except MissingValues as error:
            data = care.complete(error, missing)
    except DataError as error:
        kind = ASKED if getattr(error, "question", None) else REFUSED
        return (kind if kind in case.also else f"WRONG ({kind})"), str(error)
    except Exception as error:
        return "WRONG (crash)", repr(error)
    line = f"{data.x.shape} {data.x_names[:3]} u {data.u_labels[:4] or data.u_names[:3]} {data.meta.get('notes', '')}"
    try:
        return ("right" if case.right(data) else "WRONG"), line
    except Exception as error:
        return "WRONG", f"{line} ({error!r})"


def main(words: list[str]) -> bool:
    """Print the table; return whether nothing is wrong."""
    if not SHARED.exists():
        print(f"{SHARED} is not here: nothing to read.")
        return True
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        make(Path(name))
        before = Path.cwd()
        os.chdir(name)
        for case in CASES:
            if words and not any(word in case.name for word in words):
                continue
            found, line = outcome(case)
            counts[found.split()[0]] += 1
            print(f"{case.name:28s} {found:18s} {line[:150]}")
        os.chdir(before)
    print(", ".join(f"{count} {what}" for what, count in counts.most_common()))
    return not counts["WRONG"]


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
