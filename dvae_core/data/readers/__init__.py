"""Read files and folders into Datasets (`read`), and list what can be chosen from them (`inspect`).

All readers keep the same promises: they never open a pickle, they load nothing that would exceed the memory budget, and
they report any fault of a file as a one-sentence DataError. The axis order, sampling rate, units and licence found with
the data are kept in the Dataset (`rate_hz`, `meta`).
"""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Literal

import numpy as np

from dvae_core.data import unpack
from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.readers import align, arrays, cars3d, idx, kilosort, mat, merge, norb, tracking, trials
from dvae_core.data.readers.choose import with_axes
from dvae_core.data.readers.common import GIB, ReadOptions
from dvae_core.data.readers.model import Labels, Part, Question, ReadingRecord, Recording, Undecided, Variable

__all__ = [
    "COMPANIONS",
    "SUFFIXES",
    "DataError",
    "Question",
    "ReadingRecord",
    "Undecided",
    "Variable",
    "data_files",
    "inspect",
    "read",
    "stored",
    "within",
]

SUFFIXES = (".npz", ".npy", ".csv", ".tsv", ".txt", ".arff", ".parquet", ".mat", ".h5", ".hdf5", ".h5ad", ".nwb",
            ".zip", ".gif", ".gz", ".tar", ".tgz")  # fmt: skip

COMPANIONS = (tracking.SUFFIX,)  # read too, but beside another file rather than alone
_PICKLES = (".pkl", ".pickle", ".joblib", ".jl", ".pt", ".pth", ".rds")
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".zip")
_HDF5 = (".h5", ".hdf5", ".h5ad", ".nwb")
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_MAGIC = {".npz": _ZIP, ".zip": _ZIP, ".npy": (b"\x93NUMPY",), ".parquet": (b"PAR1",), ".gz": (b"\x1f\x8b",),
          **dict.fromkeys(_HDF5, (b"\x89HDF\r\n\x1a\n",))}  # fmt: skip
_NO_DATA = ("readme", "license", "licence", "requirements")  # text files that often lie beside the data


def read(
    path: str | Path,
    *,
    x: str | Sequence[str] | None = None,
    u: str | Sequence[str] | None = None,
    z: str | Sequence[str] | None = None,
    budget_bytes: int = 2 * GIB,
    rate_hz: float | None = None,
    x_shape: tuple[int, ...] | None = None,
    rows: int | None = None,
    bin_s: float | None = None,
    smooth_s: float | None = None,
    min_speed: float | None = None,
    time: str | None = None,
    rows_are: Literal["auto", "rows", "columns"] = "auto",
    axes: str | Sequence[str] | None = None,
    circular: str | Sequence[str] | None = None,
    u_from: str | Path | None = None,
    quality: str | Sequence[str] | None = None,
    area: str | Sequence[str] | None = None,
    depth_from: float | None = None,
    depth_to: float | None = None,
    min_rate_hz: float | None = None,
    units: str | Sequence[str] | None = None,
) -> Dataset:
    """Read a data file or folder; rows are examples.

    Variables or columns are chosen by name; several names are joined side by side. Without names, the reader follows
    the format's convention or a usual name, and `meta["notes"]` says so. If several variables could be x, or if the
    rows could be on either axis, it raises `Undecided`: the size of a variable never decides. Fields of MATLAB structs
    have dotted names (beh.pupil.area), and NAME[:3] stands for the first three columns. Event times (spikes) are
    counted in bins, and behaviour is resampled to the same bins; `meta["bins"]` records how. `Dataset.reading` records
    what was read and what was left out.

    Args:
        path: The file, whose suffix decides the reader, or a folder that holds one data file or one known layout.
        x: Names for the data.
        u: Names for the auxiliary variable. A single column of whole numbers or text is read as labels.
        z: Names for the true factors.
        budget_bytes: Memory that the arrays may take; checked before they are read.
        rate_hz: Sampling rate. Giving it also states that the rows are in time order.
        x_shape: (H, W) or (H, W, 3) if rows of x are flattened pictures; () if columns of bytes are not pixels.
        rows: The most rows to read: the first ones, or for pictures a random draw with a fixed seed.
        bin_s: Width of bins for event times in seconds (default 0.1). If it is given, x is always read as event times.
        smooth_s: Return rates instead of counts, smoothed with a Gaussian of this standard deviation in seconds.
        min_speed: Keep only rows where the animal moves at least this fast, in the recording's unit.
        time: Name of the variable with the times of u, if it is not called t, time or timestamps.
        rows_are: Whether the rows or the columns of a matrix are the examples, if nothing in the file says so.
        axes: The meaning of each axis of x, in order, such as "trial,time,unit" or "row,height,width".
        circular: Names of the columns of u that are angles, in degrees or radians, if their units do not say so.
        quality: Qualities of the units to use, such as "good" and "mua"; "all" for every quality. By default those that
            the format's users use (Kilosort: good).
        area: Brain areas (or imaging planes) of the units to use.
        depth_from: The least depth of units to use, in the file's unit.
        depth_to: The greatest depth of units to use.
        min_rate_hz: The least firing rate of units to use, over the whole recording.
        units: Units to use, by name, or by number: #3 is the third, #1-50 the first fifty.
        u_from: Another file whose variables can be u and factors; its own clock aligns them with the rows of x.

    Returns:
        The data, with the file's name as source.

    Raises:
        Undecided: If x or its axes are not clear from the file; `question` has the candidates and the option.
        DataError: If the file is missing, damaged, not of the kind that its name says, unsafe (pickles) or too large,
            or does not contain what was requested.

    Example:
        >>> read("s1_data.mat", x="spikes", u="vel")  # doctest: +SKIP
        >>> read("hippocampus-linear", bin_s=0.1, min_speed=50.0)  # doctest: +SKIP
    """
    if rows is not None and rows < 1:
        raise DataError(f"At least one row must be read; got rows={rows}.")
    parts = axes.split(",") if isinstance(axes, str) else axes
    options = ReadOptions(
        _names(x), _names(u), _names(z), budget_bytes, rate_hz, x_shape or None, rows, bin_s, smooth_s, min_speed, time,
        rows_are, _names(parts), _names(circular), _names(quality), _names(area), depth_from, depth_to, min_rate_hz,
        _names(units), no_picture=x_shape == (),
    )  # fmt: skip
    with _opened(Path(path), options) as recording:
        if u_from is None:
            return align.dataset(trials.offered(recording), options)
        with _opened(Path(u_from), options) as other:
            return align.dataset(trials.offered(merge.merged(recording, other)), options)


def inspect(path: str | Path) -> list[Variable]:
    """List all variables or columns, unreadable ones included, from headers and a first look. Raises as `read` does.

    Each entry has the names of its axes and its clock, as far as the file states them.
    """
    with _opened(Path(path), ReadOptions()) as recording:
        return with_axes(trials.offered(recording))


def stored(path: str | Path, *, budget_bytes: int = 2 * GIB) -> dict[str, np.ndarray]:
    """Return all that one file stores, by name: the arrays of .npz and HDF5 (with AnnData), the columns of a table.

    Nothing is interpreted: rows and columns stay as they are, and labels come as text. Raises as `read` does.
    """
    module, found = _reader(Path(path))
    if module is arrays:
        return arrays.stored(found, budget_bytes)
    with module.recording(found, ReadOptions(budget_bytes=budget_bytes)) as recording:
        names = [v.name for v in recording.variables if v.readable and v.kind != "events"]
        values = recording.load({name: Part() for name in names})
    return {
        name: np.array([*value.names, ""])[value.codes] if isinstance(value, Labels) else np.asarray(value)
        for name, value in values.items()
    }


@contextmanager
def _opened(path: Path, options: ReadOptions) -> Iterator[Recording]:
    """Open a file, a folder, or a zip of recordings; a file in such a zip is `session.zip/spikes.mat`."""
    zipped = next((p for p in (path, *path.parents) if p.suffix.lower() == ".zip" and p.is_file()), None)
    if zipped is None or not _holds_recordings(zipped):
        module, found = _reader(path)
        with module.recording(found, options) as recording:
            yield recording
        return
    with TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        place = within(unpack.inside(unpack.unpack(zipped, Path(scratch) / zipped.stem)), path.relative_to(zipped))
        try:
            module, found = _reader(place)
        except DataError as error:
            files = data_files(place) if path == zipped else []
            if len(files) < 2:
                raise
            raise DataError(
                f"{zipped.name} holds several recordings ({', '.join(f.name for f in files[:6])}); name one as "
                f"{zipped.name}/{files[0].name}, and another for u with --u-from."
            ) from error
        with module.recording(found, options) as recording:
            yield recording


def _holds_recordings(path: Path) -> bool:
    try:
        few = arrays.count_members(path) <= arrays.MAX_MEMBERS  # checked before zipfile lists them all
        return few and unpack.holds_recordings(path, (*SUFFIXES, *COMPANIONS))
    except (DataError, OSError, zipfile.BadZipFile):
        return False  # the reader of pictures reports what is wrong with it


def within(root: str | Path, path: str | Path) -> Path:
    """Return the path, absolute and without links, if it lies in the folder `root`; relative paths start there.

    Raises:
        DataError: If it leads out of the folder.
    """
    root = Path(root).resolve()
    try:
        found = (root / path).resolve()
    except (OSError, ValueError, RuntimeError) as error:  # a loop of links, or a zero byte
        raise DataError("That is not a path; give a file or folder in the data folder.") from error
    if not found.is_relative_to(root):
        raise DataError(f"{Path(path).name or 'That path'} is outside the data folder; copy it there, or drop it here.")
    return found


def _names(given: str | Sequence[str] | None) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given or ())


def _reader(path: Path) -> tuple[ModuleType, Path]:
    """Return the module for this file or folder, and the file itself if it is the only one in the folder."""
    try:
        return _folder_reader(path) if path.is_dir() else (_file_reader(path), path)
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path.name or 'It'} cannot be opened; check the path.") from error


def _folder_reader(path: Path) -> tuple[ModuleType, Path]:
    from dvae_core.data.readers import celeba, images, suite2p  # Pillow is not loaded at every start

    if tracking.files(path):
        return tracking, path
    if kilosort.folder_of(path):
        return kilosort, path
    if suite2p.planes_of(path):
        return suite2p, path
    if celeba.files(path):
        return celeba, path
    if norb.pictures_in(path):
        return norb, path
    if cars3d.files(path):
        return cars3d, path
    data = data_files(path)
    holds_pictures = images.holds_any(path)
    if holds_pictures or len(data) > 1:  # then text files are notes
        data = [f for f in data if f.suffix.lower() != ".txt"]
    pictures = idx.pictures_in(path)
    if len(pictures) == 1 and set(data) <= {pictures[0], idx.labels_of(pictures[0])}:
        return idx, pictures[0]
    if len(data) == 1:
        return _file_reader(data[0]), data[0]
    if not data and holds_pictures:
        return images, path
    what = f"{len(data)} data files ({', '.join(f.name for f in data[:6])})" if data else "no data file"
    raise DataError(f"{path.name} is a folder with {what}; give one data file ({', '.join(SUFFIXES)}).")


def data_files(folder: Path) -> list[Path]:
    """Return the files of a folder that a reader may open, sorted by name; notes that often lie beside data are not."""
    files = [f for f in folder.iterdir() if f.suffix.lower() in (*SUFFIXES, *COMPANIONS) or idx.is_idx(f)]
    return sorted(f for f in files if f.is_file() and f.stem.lower() not in _NO_DATA)


def _file_reader(path: Path) -> ModuleType:
    """Return the module for this file, after checking that its first bytes match what its name says."""
    suffix = path.suffix.lower()
    try:
        with open(path, "rb") as file:
            start = file.read(1024)
    except OSError as error:
        raise DataError(f"{path.name} cannot be opened ({error.strerror}); check the path.") from error
    if not start:
        raise DataError(f"{path.name} is empty; copy or download it again.")
    if start.lstrip().lower().startswith((b"<!doctype html", b"<html", b"<head", b"<?xml")):
        raise DataError(f"{path.name} is a web page, not data (often a failed download); fetch the file itself.")
    if suffix in _PICKLES or (start[0] == 0x80 and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")):
        raise DataError(
            f"{path.name} is in a format that can run code when opened, so it is refused; in the program that made it, "
            "save plain arrays with numpy.savez(file, x=x, u=u)."
        )
    inside = idx.unzipped_start(path) if suffix in (".gz", ".tgz") else start
    if suffix in (".tar", ".tgz") or cars3d.is_tar(inside):
        return cars3d
    if idx.is_idx(path) or (suffix == ".gz" and idx.begins(inside)):
        return idx
    if suffix in (".mat", ".gz") and norb.begins(inside):
        return norb
    if suffix not in (*SUFFIXES, *COMPANIONS, *_PICTURES) or suffix == ".gz":
        raise DataError(f"{path.name} has a suffix that no reader knows; save it as one of {', '.join(SUFFIXES)}.")
    if not start.startswith(_MAGIC.get(suffix, b"")):
        raise DataError(f"{path.name} does not hold what {suffix} files hold; check what it is and rename it.")
    if suffix in (".npz", ".npy"):
        return arrays
    if suffix == ".mat":
        return _matlab(start)
    if suffix in _HDF5:
        return _hdf5(suffix)
    if suffix in _PICTURES:
        return _pictures(path)
    if suffix == tracking.SUFFIX:
        return tracking
    from dvae_core.data.readers import tables  # not at the top: pandas and pyarrow are slow to import

    return tables


def _matlab(start: bytes) -> ModuleType:
    if start.startswith((b"MATLAB 7.3", b"\x89HDF")) or start[124:128] in (b"\x00\x02IM", b"\x02\x00MI"):
        from dvae_core.data.readers import mat73

        return mat73
    return mat


def _hdf5(suffix: str) -> ModuleType:
    from dvae_core.data.readers import hdf5, nwb

    return nwb if suffix == ".nwb" else hdf5


def _pictures(path: Path) -> ModuleType:
    from dvae_core.data.readers import celeba, images, tiff

    if celeba.files(path):
        return celeba
    return tiff if path.suffix.lower() in tiff.SUFFIXES else images
