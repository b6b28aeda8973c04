"""Unpack a zip of recordings from an untrusted source: files that belong together, such as spikes and positions.

A zip of pictures needs no unpacking: it is read in place (`readers.images`).
"""

import secrets
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from dvae_core.data.dataset import DataError

MAX_BYTES, MAX_FILES, MAX_DEPTH = 4 * 2**30, 500, 6
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif")
REFUSED = (".pkl", ".pickle", ".joblib", ".jl", ".pt", ".pth", ".rds")  # formats that can run code when opened
CHUNK = 2**20


def holds_recordings(path: Path, suffixes: tuple[str, ...]) -> bool:
    """Whether a zip holds data files with one of these suffixes and no pictures, so that it has to be unpacked.

    Raises:
        DataError: If it is not a zip or is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename.lower() for info in archive.infolist() if not _is_litter(info.filename)]
    except (zipfile.BadZipFile, OSError, UnicodeDecodeError, NotImplementedError) as error:
        raise DataError(f"{path.name} is not a zip file, or it is damaged; make it again.") from error
    wanted = tuple(suffix for suffix in suffixes if suffix not in (*PICTURES, ".zip"))
    return not any(name.endswith(PICTURES) for name in names) and any(name.endswith(wanted) for name in names)


def unpack(path: Path, folder: Path, *, max_bytes: int = MAX_BYTES) -> Path:
    """Unpack a zip into a new folder, all of it or nothing, and return the folder.

    Args:
        path: The zip.
        folder: The folder to make; if it exists, its content is taken as unpacked before.
        max_bytes: The most bytes that all files may take. Bytes are counted as they are written: sizes that the zip
            states are not trusted.

    Raises:
        DataError: If the zip is damaged or encrypted, too large, has too many files, or holds a link, a path that leads
            out of the folder, two files of one name, or a format that can run code.
    """
    if not folder.is_dir():
        scratch = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
        try:
            with zipfile.ZipFile(path) as archive:
                members = _checked(archive, path.name, max_bytes)
                scratch.mkdir(parents=True)
                _write(archive, members, scratch, path.name, max_bytes)
            scratch.rename(folder)
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            NotImplementedError,
            RuntimeError,
            UnicodeDecodeError,
        ) as error:
            raise DataError(f"{path.name} is not a zip file, or it is damaged; make it again.") from error
        except OSError as error:
            raise DataError(f"{path.name} cannot be unpacked: {error.strerror or 'the disk refused it'}.") from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return folder


def inside(folder: Path) -> Path:
    """Return the folder that holds the files: a folder that has nothing but one folder stands for that one."""
    inner = list(folder.iterdir())
    while len(inner) == 1 and inner[0].is_dir() and inner[0].name.lower() != "suite2p":
        folder, inner = inner[0], list(inner[0].iterdir())
    return folder


def _is_litter(name: str) -> bool:
    """Whether a name is a folder, or was added by the system that made the zip."""
    return name.endswith("/") or "__MACOSX" in name or name.rsplit("/", 1)[-1] in (".DS_Store", "Thumbs.db")


def _checked(archive: zipfile.ZipFile, zip_name: str, max_bytes: int) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """Return the members and where each goes; raise a DataError for the first that is not a plain, safe file."""
    members, seen = [], set()
    infos = [info for info in archive.infolist() if not _is_litter(info.filename)]
    if len(infos) > MAX_FILES:
        raise DataError(f"{zip_name} has {len(infos):,} files; recordings have at most {MAX_FILES}.")
    for info in infos:
        name = info.filename
        place = PurePosixPath(name)
        kind = info.external_attr >> 16
        if stat.S_IFMT(kind) not in (0, stat.S_IFREG):
            raise DataError(f"{zip_name} holds a link or device ({name[:80]}); zip the files themselves.")
        leads_out = place.is_absolute() or ".." in place.parts or any(c in name for c in "\\:\0")
        if leads_out or len(place.parts) > MAX_DEPTH:
            raise DataError(f"{zip_name} holds the path {name[:80]!r}, which is not safe; zip one folder of files.")
        if info.flag_bits & 1:
            raise DataError(f"{zip_name} is encrypted; make it without a password.")
        if place.suffix.lower() in REFUSED:
            raise DataError(
                f"{zip_name} holds {place.name[:80]}, a format that can run code when opened; save plain arrays with "
                "numpy.savez(file, x=x, u=u)."
            )
        if str(place).lower() in seen:
            raise DataError(f"{zip_name} has two files called {name[:80]}; rename one.")
        seen.add(str(place).lower())
        members.append((info, place))
    if not members:
        raise DataError(f"{zip_name} has no files in it.")
    if sum(info.file_size for info, _ in members) > max_bytes:
        raise _too_large(zip_name, max_bytes)
    return members


def _write(
    archive: zipfile.ZipFile, members: list[tuple[zipfile.ZipInfo, PurePosixPath]], folder: Path, zip_name: str,
    max_bytes: int,
) -> None:  # fmt: skip
    written = 0
    for info, place in members:
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(info) as source, open(path, "xb") as target:
            while part := source.read(CHUNK):
                written += len(part)
                if written > max_bytes:
                    raise _too_large(zip_name, max_bytes)
                target.write(part)


def _too_large(zip_name: str, max_bytes: int) -> DataError:
    return DataError(f"{zip_name} unpacks to more than {max_bytes / 2**30:g} GiB; put the files into the data folder.")
