"""Fetching on request, against a local server: progress, cancel, cache, and every wrong answer of a server."""

import gzip
import hashlib
import http.server
import threading
import time

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from dvae_core.data import catalogue, load
from dvae_core.data.catalogue import CATALOGUE, Entry, Remote
from dvae_core.data.dataset import DataError
from dvae_core.data.load import FileData
from tests.unit import test_grid_readers
from tests.unit.test_hdf5 import series

GOOD = b"x,u\n" + b"1,2\n" * 100_000


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one page of every kind, slowly where asked."""

    asked: list[str] = []  # noqa: RUF012  one server at a time

    def do_GET(self):
        self.asked.append(self.path)
        if self.path == "/missing":
            self.send_error(404)
            return
        body = {"/page": b"<!DOCTYPE html><html>quota exceeded</html>", "/other": b"y" * 1000}.get(self.path, GOOD)
        endless = self.path == "/endless"
        self.send_response(200)
        if not endless:
            self.send_header("Content-Length", str(len(body) + (5 if self.path == "/short" else 0)))
        self.end_headers()
        try:
            for _ in range(100 if endless else 1):
                for at in range(0, len(body), 2**15):
                    self.wfile.write(body[at : at + 2**15])
                    if self.path == "/slow":
                        time.sleep(0.02)
        except ConnectionError:
            pass

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def listed(server: str, *pages: str, digest: str = "", size: int | None = len(GOOD)) -> Entry:
    digest = digest or f"sha256:{hashlib.sha256(GOOD).hexdigest()}"
    files = tuple(Remote(f"{server}/{page}", f"{page}.csv", digest, size) for page in pages)
    return Entry("-".join(pages), "A table", "x and u", "none", "us", files)


def test_a_file_is_fetched_once_with_progress(server, tmp_path):
    wanted, shares = listed(server, "good"), []
    path = catalogue.fetch(wanted, tmp_path, progress=shares.append)
    assert path.read_bytes() == GOOD
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) > 3
    assert catalogue.is_fetched(wanted, tmp_path)
    count = len(Handler.asked)
    assert catalogue.fetch(wanted, tmp_path) == path
    assert len(Handler.asked) == count  # from the cache


def test_several_files_make_a_folder(server, tmp_path):
    path = catalogue.fetch(listed(server, "one", "two"), tmp_path)
    assert sorted(p.name for p in path.iterdir()) == ["one.csv", "two.csv"]


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("other", "digest differs"),
        ("page", "a web page instead of page.csv"),
        ("missing", "answered 404"),
        ("short", "the connection broke"),
        ("endless", "larger than listed"),
    ],
)
def test_what_is_not_the_file_is_refused_and_not_kept(server, tmp_path, page, expected):
    with pytest.raises(DataError, match=expected):
        catalogue.fetch(listed(server, page), tmp_path)
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]
    assert not catalogue.is_fetched(listed(server, page), tmp_path)


def test_a_damaged_cache_is_fetched_again(server, tmp_path):
    path = catalogue.fetch(listed(server, "good"), tmp_path)
    path.write_bytes(b"changed")
    assert catalogue.fetch(listed(server, "good"), tmp_path).read_bytes() == GOOD


def test_a_missing_server_gives_a_clear_message(tmp_path):
    with pytest.raises(DataError, match="its server did not answer"):
        catalogue.fetch(listed("http://127.0.0.1:9", "good"), tmp_path)


def test_in_the_background_it_can_be_watched_and_cancelled(server, tmp_path):
    job = catalogue.begin(listed(server, "slow"), tmp_path)
    assert catalogue.begin(listed(server, "slow"), tmp_path) is job  # one at a time
    assert catalogue.download_of(listed(server, "slow")) is job
    job.cancel()
    job.join(10)
    assert (job.state, job.path) == ("cancelled", None)
    assert "Stopped" in job.message
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]
    again = catalogue.begin(listed(server, "slow"), tmp_path)
    again.join(10)
    assert (again.state, again.share) == ("finished", 1.0)
    assert again.path.read_bytes() == GOOD
    failing = catalogue.begin(listed(server, "missing"), tmp_path)
    failing.join(10)
    assert failing.state == "failed"


def test_the_catalogue_is_pinned_and_safe():
    assert len({e.key for e in CATALOGUE}) == len(CATALOGUE)
    for known in CATALOGUE:
        assert known.licence
        assert all(f.url.startswith("https://") for f in known.files)
        assert catalogue.entry(known.key) is known
    with pytest.raises(DataError, match="The catalogue has no 'celeba'"):
        catalogue.entry("celeba")
    with pytest.raises(ValueError, match="needs a digest"):
        Remote("http://host/a", "a", "")
    with pytest.raises(ValueError, match="is not a plain file name"):
        Remote("http://host/a", "../a", "md5:0")


def test_the_cache_folder_can_be_chosen(monkeypatch, tmp_path):
    monkeypatch.setenv("DVAE_CACHE", str(tmp_path))
    assert catalogue.cache_folder() == tmp_path
    monkeypatch.delenv("DVAE_CACHE")
    assert catalogue.cache_folder().name == "disentanglement-lab"


# --- each entry opens: small files of the same layout, read with the settings of the entry ----------------------------

RNG = np.random.default_rng(0)


def s1_reach(folder):
    n = 200
    content = {"spikes": RNG.poisson(1.0, (n, 6)).astype(float), "vel": RNG.random((n, 2)), "pos": RNG.random((n, 2))}
    savemat(folder / "s1_data.mat", content)


def hippocampus(folder):
    cell = np.empty((1, 3), dtype=object)
    for i in range(3):
        cell[0, i] = {"time": np.sort(RNG.uniform(0, 20, 200))[:, None]}
    savemat(folder / "spikes.mat", {"spikes": cell})
    head = b"<Start settings>\nclockrate: 30000\nFields: <time uint32><xloc uint16><yloc uint16>\n<End settings>\n"
    rows = np.zeros(1200, np.dtype([("time", "<u4"), ("x", "<u2"), ("y", "<u2")]))
    rows["time"], rows["x"], rows["y"] = np.arange(1200) * 500, 100 + np.arange(1200) % 400, 7
    (folder / "trajectory.videoPositionTracking").write_bytes(head + rows.tobytes())


def eeg(folder):
    names = "".join(f"@ATTRIBUTE C{i} NUMERIC\n" for i in range(14))
    rows = "\n".join(",".join([*(f"{v:.2f}" for v in RNG.random(14) + 4000), str(i // 30 % 2)]) for i in range(120))
    (folder / "eeg_eye_state.arff").write_text(
        f"@RELATION EEG\n{names}@ATTRIBUTE eyeDetection {{0,1}}\n@DATA\n{rows}\n"
    )


def mnist(folder):
    pictures = b"\0\0\x08\x03" + np.array([30, 28, 28], ">u4").tobytes() + RNG.bytes(30 * 784)
    labels = b"\0\0\x08\x01" + np.array([30], ">u4").tobytes() + bytes(i % 10 for i in range(30))
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(pictures))
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))


def suite2p(folder):
    for name in ("F", "spks"):
        np.save(folder / f"{name}.npy", RNG.standard_normal((9, 60)).astype(np.float32))
    np.save(folder / "iscell.npy", np.column_stack([np.arange(9) % 3 != 2, np.ones(9)]))


def dsprites(folder):
    with h5py.File(folder / "dsprites.hdf5", "w") as file:
        file["imgs"] = RNG.integers(0, 2, (40, 64, 64), dtype=np.uint8)
        file["latents/values"], file["latents/classes"] = RNG.random((40, 6)), np.zeros((40, 6), int)


def shapes3d(folder):
    with h5py.File(folder / "3dshapes.h5", "w") as file:
        file["images"] = RNG.integers(0, 256, (20, 64, 64, 3), dtype=np.uint8)
        file["labels"] = RNG.random((20, 6))


def norb_gz(folder):
    for part in ("5x46789x9x18x6x2x96x96-training", "5x01235x9x18x6x2x96x96-testing"):
        test_grid_readers.norb(folder, f"smallnorb-{part}", packed=True)


def achilles(folder):
    """Spikes, a position with gaps, a phase, and LFP: as pynapple lists the file."""
    clock = np.arange(0, 40, 1 / 40)
    position = np.where(clock % 10 < 6, clock % 10, np.nan)
    with h5py.File(folder / "Achilles_10252013.nwb", "w") as file:
        times = [np.sort(RNG.uniform(0, 40, 200)) for _ in range(3)]
        file["units/spike_times"], file["units/spike_times_index"] = np.concatenate(times), [200, 400, 600]
        file["units/location"] = ["ca1"] * 3
        series(file, "processing/behavior/position", "SpatialSeries", position, timestamps=clock, unit="m")
        series(file, "processing/behavior/theta_phase", "TimeSeries", clock % 6.28, timestamps=clock, unit="rad")
        series(file, "acquisition/eeg", "ElectricalSeries", RNG.random((400, 2)), rate=10.0, unit="volts")
        file["intervals/rem/start_time"], file["intervals/rem/stop_time"] = [1.0, 30], [4.0, 33]


def head_direction(folder):
    """Calcium at 30 Hz and three rotations and positions at 120 Hz on another clock, as pynapple lists the file."""
    frames, clock = 3 + np.arange(300) / 30, np.arange(0, 20, 1 / 120)
    with h5py.File(folder / "A0670-221213.nwb", "w") as file:
        series(file, "processing/ophys/Fluorescence/RoiResponseSeries", "RoiResponseSeries",
               RNG.standard_normal((300, 5)), timestamps=frames, unit="n.a.")  # fmt: skip
        for name in ("x", "y", "z"):
            series(file, f"processing/behavior/Position/{name}", "SpatialSeries", RNG.random(len(clock)),
                   timestamps=clock, unit="m")  # fmt: skip
        for name in ("rx", "ry", "rz"):
            series(file, f"processing/behavior/CompassDirection/{name}", "SpatialSeries", clock % (2 * np.pi),
                   timestamps=clock, unit="radians")  # fmt: skip
        file["intervals/position_time_support/start_time"] = [0.0]
        file["intervals/position_time_support/stop_time"] = [20.0]


def stringer(folder):
    frames, cells = 90, 7
    beh = {"runSpeed": RNG.random((frames, 1)), "pupil": {"area": RNG.random((frames, 1))},
           "face": {"motionSVD": RNG.standard_normal((frames, 10))}}  # fmt: skip
    content = {"Fsp": RNG.random((cells, frames)).astype(np.float32), "med": RNG.random((cells, 3)), "beh": beh,
               "db": {"nplanes": 10.0, "mouse_name": "M1"}}  # fmt: skip
    savemat(folder / "spont_M161025_MP030_2016-11-20.mat", content)


LAYOUTS = {  # how a file is written; d_x, and the names of u or its labels
    "s1-reach": (s1_reach, 6, ("vel1", "vel2")),
    "hippocampus-linear": (hippocampus, 3, ("position1", "position2")),
    "eeg-eye-state": (eeg, 14, ("0", "1")),
    "mnist-t10k": (mnist, 784, tuple("0123456789")),
    "suite2p-mouse": (suite2p, 6, ()),
    "dsprites": (dsprites, 4096, ()),
    "3dshapes": (shapes3d, 12288, ()),
    "smallnorb": (norb_gz, 144, ()),
    "achilles": (achilles, 3, ("processing/behavior/position",)),
    "head-direction": (head_direction, 5, ("processing/behavior/CompassDirection/ry",)),
    "stringer-spont": (stringer, 7, ("beh.runSpeed", "beh.pupil.area", "beh.face.motionSVD1", "beh.face.motionSVD2",
                                     "beh.face.motionSVD3")),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("key", [e.key for e in CATALOGUE])
def test_each_entry_opens(tmp_path, key):
    write, d_x, u = LAYOUTS[key]
    wanted = catalogue.entry(key)
    folder = tmp_path / key
    folder.mkdir()
    write(folder)
    assert catalogue.is_fetched(wanted, tmp_path), f"the layout of {key} has other file names than the entry"
    data = load.dataset_of(FileData(path=str(catalogue.path_of(wanted, tmp_path)), **wanted.read))
    assert data.d_x == d_x
    assert (data.u_labels or data.u_names) == u
    if key == "head-direction":
        assert data.u_period == (2 * np.pi,)
        at = np.asarray(3 + np.arange(300) / 30)[np.arange(data.n)]
        apart = np.abs(data.u[:, 0] - at % (2 * np.pi))
        assert np.minimum(apart, 2 * np.pi - apart).max() < 1 / 30  # four samples a frame, their mean
    if key == "achilles":
        assert any("position" in entry["why"] or "behaviour" in entry["why"] for entry in data.reading["left_out"])
