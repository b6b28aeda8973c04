"""Public data that can be fetched on request: a short list with licences, each file pinned by its digest. No torch.

Nothing is fetched unless the user asks for it, and nothing else needs the network. A file that differs in any byte from
the listed one is refused and not kept.
"""

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dvae_core.data.dataset import DataError

TIMEOUT = 30.0  # seconds without receiving a byte
CHUNK = 2**16
_MIB = 2**20


class Cancelled(DataError):
    """A download that the user stopped; nothing of it is kept."""


@dataclass(frozen=True)
class Remote:
    """One file: its address, its local name, its digest ("sha256:..." or "md5:...") and its size if known."""

    url: str
    name: str
    digest: str
    size: int | None = None

    def __post_init__(self) -> None:
        if not self.digest.startswith(("sha256:", "md5:")):
            raise ValueError(
                f"{self.name} needs a digest (sha256:... or md5:...), so that the download can be checked."
            )
        if Path(self.name).name != self.name or self.name.startswith("."):
            raise ValueError(f"{self.name!r} is not a plain file name.")


@dataclass(frozen=True)
class Entry:
    """A data set of the catalogue.

    Attributes:
        key: Its name in links and on the command line.
        title: Its name as shown to people.
        about: One line about x, u and the factors.
        licence: As stated by its source.
        source: Who made it, for the user's information.
        files: The files to fetch; several files make a folder.
        read: The best way to read it, as settings of `config.FileData`.
    """

    key: str
    title: str
    about: str
    licence: str
    source: str
    files: tuple[Remote, ...]
    read: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int | None:
        """Bytes to fetch, if all are known."""
        sizes = [f.size for f in self.files]
        return None if None in sizes else sum(s for s in sizes if s is not None)


def _github(repository: str, commit: str, path: str, name: str, sha256: str, size: int) -> Remote:
    return Remote(f"https://raw.githubusercontent.com/{repository}/{commit}/{path}", name, f"sha256:{sha256}", size)


_NELPY = ("nelpy/example-data", "099548c0608ffaa92933c66346c0d96f05a18622")
_MNIST = ("lijie2020/vae", "6aa58aba724f46dba967fc7058945941d171d433")
_SUITE2P = "tests/nwbfilestest/suite2p/suite2p/plane0"
_PYNAPPLE = ("pynapple-org/pynapple", "7ac20f7a5232785e926c0bd8745093281e1f65fb")
_NORB = {
    "5x46789x9x18x6x2x96x96-training": (
        "5ffd6272a07d32695ee1082a26a41a93a37aab8c28da047f8c34ed348d214873",
        "2784e542c1922060691090952b6cd6278879a216c90f81476f0f00256d42cdaa",
        "de7eb932ebe7a4ee16217fead60660d0eb3d23632c2f4d1c51f88c501c17bf32",
    ),
    "5x01235x9x18x6x2x96x96-testing": (
        "cf7104eed3e51174d2f65b66d1e5878b9da233b886f161b0d88f4510ba2c7474",
        "ecaf6d5bb8c3bc5eab9cf0258f6d2198dd474e016e374836fc097f2e5ff509ff",
        "16adf314226327ee006d1a44db8cfef52773c06c829951d5653a9f6f310248a2",
    ),
}
_OSF = "https://osf.io/download/{}/"

# Digests and addresses as recorded by the named projects; an address may have moved since, but a digest cannot.
CATALOGUE: tuple[Entry, ...] = (
    Entry(
        "s1-reach", "Macaque S1, reaching", "52 neurons, 35,129 bins of 50 ms; u: hand velocity", "MIT",
        "Benjamin et al. 2018 (KordingLab/spykesML)",
        (_github("KordingLab/spykesML", "ff2b1830ae07909e5f1a0811445ca3fd5732dc6f", "data/s1_data.mat", "s1_data.mat",
                 "f6bbe27135636b944e0b715778dadae41dccf043c26cb880d0191665ca9e7dde", 1_423_448),),
        {"x": ("spikes",), "u": ("vel",), "rate_hz": 20.0},
    ),
    Entry(
        "hippocampus-linear", "Rat CA1 on a linear track", "31 neurons while running; u: position", "MIT",
        "nelpy/example-data",
        (_github(*_NELPY, "linear-track/spikes.mat", "spikes.mat",
                 "615b05a9228a5eaea7f99d5fc5b11848a4d94fc154104612410c887875b65bc7", 176_567),
         _github(*_NELPY, "linear-track/trajectory.videoPositionTracking", "trajectory.videoPositionTracking",
                 "10a883302c50e26d5f659ac4ee08d8901f7881c71f6800cd56d999a620b31cb5", 1_427_777)),
        {"bin_s": 0.1, "min_speed": 50.0},
    ),
    Entry(
        "eeg-eye-state", "EEG, eyes open or closed", "14 channels at 128 Hz, 117 s; u: eyes closed", "CC BY 4.0",
        "Roesler 2013, UCI data set 264",
        (_github("rogerior/ixio", "5529dc301c83dd152ba981c3da6239a42e6b1855", "EEG%20Eye%20State.arff",
                 "eeg_eye_state.arff", "693c689be416df0b487b45b5b58a44896fbcd0be72b4ef161d5cc34e2c66c928", 1_696_426),),
        {"u": ("eyeDetection",), "rate_hz": 128.0},
    ),
    Entry(
        "mnist-t10k", "MNIST, test set", "10,000 digits of 28 x 28; u: the digit", "CC BY-SA 3.0",
        "LeCun and Cortes",
        (_github(*_MNIST, "data/MNIST/MNIST/raw/t10k-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz",
                 "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 1_648_877),
         _github(*_MNIST, "data/MNIST/MNIST/raw/t10k-labels-idx1-ubyte.gz", "t10k-labels-idx1-ubyte.gz",
                 "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4_542)),
    ),
    Entry(
        "suite2p-mouse", "Mouse calcium imaging", "219 regions, 2,000 frames (Suite2p output)", "MIT",
        "pynapple-org/pynapple",
        (_github(*_PYNAPPLE, f"{_SUITE2P}/F.npy", "F.npy",
                 "98b6facdb1cb24138f0677eb62c090d0c9252ba2c3c0bf3f6f51c2debfcd9625", 1_752_128),
         _github(*_PYNAPPLE, f"{_SUITE2P}/spks.npy", "spks.npy",
                 "d300e5974c9a46516a8a40d36eaa8a663e55376e69edcc560d6642a2e03f7f84", 1_752_128),
         _github(*_PYNAPPLE, f"{_SUITE2P}/iscell.npy", "iscell.npy",
                 "cc109d5fffd172d3d9f39fdc077bf50df744eecc63223438e1f5caf41d780faf", 3_632)),
    ),
    Entry(
        "dsprites", "dSprites", "737,280 white shapes of 64 x 64; all six factors known", "Apache-2.0",
        "Matthey et al. 2017 (DeepMind)",
        (Remote("https://github.com/google-deepmind/dsprites-dataset/raw/master/"
                "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.hdf5", "dsprites.hdf5",
                "sha256:729fa22e884c9c500e1f17415d580746b4c5894fbbb780a1319bbcfa39a745bb", 28_024_106),),
        {"rows": 20_000},
    ),
    Entry(
        "3dshapes", "3D Shapes", "480,000 rooms in colour; six factors known", "Apache-2.0",
        "Burgess and Kim 2018 (DeepMind)",
        (Remote("https://storage.googleapis.com/3d-shapes/3dshapes.h5", "3dshapes.h5",
                "sha256:0a0f6ed98baff276a50f3a081a7434d788da63cb135a98189b2a5b5769be1785", 267_573_662),),
        {"rows": 10_000},
    ),
    Entry(
        "smallnorb", "SmallNORB", "48,600 grey pictures of toys, 96 x 96; five factors known", "for research",
        "LeCun et al. 2004 (NYU)",
        tuple(
            Remote(f"https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/smallnorb-{part}-{what}.mat.gz",
                   f"smallnorb-{part}-{what}.mat.gz", f"sha256:{digest}")
            for part, digests in _NORB.items() for what, digest in zip(("dat", "cat", "info"), digests, strict=True)
        ),
        {"rows": 10_000},
    ),
    Entry(
        "achilles", "Rat CA1, Achilles", "spikes on a track; u: position (NWB)", "as stated by its origin",
        "Grosmark and Buzsaki 2016, as kept by the nemos project",
        (Remote(_OSF.format("hu5ma"), "Achilles_10252013.nwb",
                "sha256:42857015aad4c2f7f6f3d4022611a69bc86d714cf465183ce30955731e614990"),),
    ),
    Entry(
        "head-direction", "Mouse head direction, A0670", "calcium imaging; u: head angle (NWB)",
        "as stated by its origin", "as kept by the nemos project",
        (Remote(_OSF.format("sbnaw"), "A0670-221213.nwb",
                "sha256:8587dd6dde107504bd4a17a68ce8fb934fcbcccc337e653f31484611ee51f50a"),),
        {"u": ("ry",), "circular": ("ry",)},
    ),
    Entry(
        "stringer-spont", "Mouse V1, spontaneous", "10,164 neurons, 15,761 frames; u: running, pupil, face",
        "CC BY-NC 4.0", "Stringer and Pachitariu 2019",
        (Remote("https://ndownloader.figshare.com/files/11152646", "spont_M161025_MP030_2016-11-20.mat",
                "md5:54ffdc817e82710952dbee2655d4d1d2", 657 * 10**6),),
    ),
)  # fmt: skip


def entry(key: str) -> Entry:
    """Return the entry of this name.

    Raises:
        DataError: If there is none.
    """
    for known in CATALOGUE:
        if known.key == key:
            return known
    raise DataError(f"The catalogue has no {key!r}; it has {', '.join(e.key for e in CATALOGUE)}.")


def cache_folder() -> Path:
    """Return the folder for fetched files: $DVAE_CACHE, or the user's cache folder."""
    given = os.environ.get("DVAE_CACHE")
    if given:
        return Path(given).absolute()
    import pooch

    return Path(pooch.os_cache("disentanglement-lab"))


def is_fetched(wanted: Entry, folder: Path | None = None) -> bool:
    """Whether all files are present (their digests were checked on arrival)."""
    at = (folder or cache_folder()) / wanted.key
    return all((at / f.name).is_file() for f in wanted.files)


def path_of(wanted: Entry, folder: Path | None = None) -> Path:
    """Return the path to read after fetching: the file, or the folder of several files."""
    at = (folder or cache_folder()) / wanted.key
    return at / wanted.files[0].name if len(wanted.files) == 1 else at


def fetch(wanted: Entry, folder: Path | None = None, *, progress: Callable[[float | int], None] | None = None) -> Path:
    """Fetch an entry unless it is present, check every digest, and return the path to read.

    Args:
        wanted: The entry to fetch.
        folder: The target folder; the cache folder by default.
        progress: Called with the share done, 0 to 1; any exception that it raises ends the download.

    Returns:
        The file, or the folder if the entry has several.

    Raises:
        DataError: If network, server or disk fail, or if a file differs from the listed one; nothing is kept then.
    """
    at = (folder or cache_folder()) / wanted.key
    total, before = wanted.size or 0, 0
    for remote in wanted.files:
        _fetch_one(remote, at, _Bar(remote, progress or (lambda share: None), before, total))
        before += remote.size or 0
    if progress is not None:
        progress(1.0)
    return path_of(wanted, folder)


def _fetch_one(remote: Remote, at: Path, bar: "_Bar") -> None:
    import pooch as downloads
    import requests

    def get(url: str, output_file: Any, pooch: Any, *, check_only: bool | None = False) -> None:
        download = downloads.HTTPDownloader(progressbar=bar, chunk_size=CHUNK, timeout=TIMEOUT)  # type: ignore[reportArgumentType]
        download(url, output_file, pooch)
        with open(output_file, "rb") as file:
            start = file.read(1024).lstrip().lower()
        if start.startswith((b"<!doctype html", b"<html", b"<head")):
            raise DataError(
                f"The server sent a web page instead of {remote.name}; try later, or get it by hand: {url}."
            )

    downloads.get_logger().setLevel("WARNING")
    try:
        downloads.retrieve(remote.url, known_hash=remote.digest, fname=remote.name, path=at, downloader=get)  # type: ignore[reportArgumentType]
    except DataError:
        raise
    except requests.exceptions.HTTPError as error:
        code = "an error" if error.response is None else error.response.status_code
        raise DataError(f"The server answered {code} for {remote.name}; it may have moved.") from error
    except requests.exceptions.RequestException as error:
        raise DataError(
            f"{remote.name} could not be fetched: its server did not answer, or the connection broke."
        ) from error
    except OSError as error:
        raise DataError(f"{remote.name} could not be written: {error.strerror or error}.") from error
    except ValueError as error:  # pooch raises it for a wrong digest
        raise DataError(
            f"{remote.name} is not the file that was listed (its digest differs), so it was not kept; the source has "
            "changed, or somebody changed it on the way."
        ) from error


class _Bar:
    """An object that pooch uses as a progress bar: it counts bytes, reports shares, and stops oversized downloads."""

    def __init__(self, remote: Remote, report: Callable[[float], None], before: int, size: int) -> None:
        self.remote, self.report, self.before, self.size = remote, report, before, size
        self.total = self.done = 0

    def update(self, count: int) -> None:
        """Count the bytes of a chunk."""
        self.done += count
        limit = self.remote.size
        if limit is not None and self.done > 1.05 * limit + _MIB:
            raise DataError(f"{self.remote.name} is larger than listed, so its download was ended.")
        whole = self.size or self.total
        self.report(min((self.before + self.done) / whole, 0.999) if whole else 0.0)

    def reset(self) -> None:
        """Reset: pooch does so at the end, to fill the bar."""
        self.done = 0

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


class Download(threading.Thread):
    """A download in the background, for an app that must not block: its state, the share done, and a way to stop it."""

    def __init__(self, wanted: Entry, folder: Path | None = None) -> None:
        super().__init__(daemon=True, name=f"fetch {wanted.key}")
        self.wanted, self.folder = wanted, folder
        self.share, self.message, self.path = 0.0, "", None
        self._stop_asked = threading.Event()

    @property
    def state(self) -> str:
        """One of running, finished, failed, cancelled."""
        if self.path is not None:
            return "finished"
        if self.message:
            return "cancelled" if self._stop_asked.is_set() else "failed"
        return "running"

    def cancel(self) -> None:
        """Request the end of the download; it takes effect with the next chunk."""
        self._stop_asked.set()

    def run(self) -> None:
        """Run the download; an error becomes `message`."""

        def progress(share: float) -> None:
            if self._stop_asked.is_set():
                raise Cancelled("Stopped; nothing of it was kept.")
            self.share = share

        try:
            self.path = fetch(self.wanted, self.folder, progress=progress)
        except DataError as error:
            self.message = str(error)


_downloads: dict[str, Download] = {}


def begin(wanted: Entry, folder: Path | None = None) -> Download:
    """Start a download in the background, or return the one of this entry that is already running."""
    now = _downloads.get(wanted.key)
    if now is None or now.state != "running":
        now = _downloads[wanted.key] = Download(wanted, folder)
        now.start()
    return now


def download_of(wanted: Entry) -> Download | None:
    """Return the last download of this entry in this process, or None."""
    return _downloads.get(wanted.key)
