"""A run as a zip file: export it, and import a zip only if it holds a run.

An incoming zip is treated as hostile. Its names are compared with the files that a run can have. Nothing is written
outside one new folder. Sizes are counted while unpacking, whatever the zip claims. Every array is read without pickle
and every setting is checked before the folder is moved into the store under a generated name.
"""

import dataclasses
import io
import re
import secrets
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

from dvae_core.config import FileData
from dvae_core.runs import Run, RunError, clean_title, new_path, sums
from dvae_core.runs.files import os_error_message
from dvae_core.runs.run import FILES

MAX_BYTES = 2 * 2**30  # of the unpacked files
MAX_FILES = 500
CHUNK = 2**20
_TOP = (*FILES, "status.json", sums.NAME, "resume.safetensors", "log.txt")
_ANALYSIS = re.compile(r"analysis/[A-Za-z0-9][A-Za-z0-9._-]{0,100}\.(npz|json)")


def pack(run: Run, *, resumable: bool = False) -> bytes:
    """Return the run as a zip file; the checkpoint, which only resuming needs, is included on request."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        packed = set()
        for path in sorted(run.path.rglob("*")):
            name = path.relative_to(run.path).as_posix()
            wanted = _is_known(name) and name != sums.NAME and (resumable or name != "resume.safetensors")
            if wanted and path.is_file() and not path.is_symlink():
                archive.write(path, f"{run.id}/{name}")
                packed.add(name)
        listed = {name: digest for name, digest in run.sums().items() if name in packed}
        if listed:
            archive.writestr(f"{run.id}/{sums.NAME}", sums.text(listed))
    return buffer.getvalue()


def unpack(data: bytes, store: Path, *, max_bytes: int = MAX_BYTES) -> Run:
    """Create a run from a zip file that `pack` wrote, under a generated name.

    Args:
        data: The zip file.
        store: The folder of runs.
        max_bytes: The largest total size of all files, unpacked.

    Returns:
        The new run: finished if it was, otherwise stopped.

    Raises:
        RunError: If it is not such a zip, contains a file that no run has, is too large, or is damaged.
    """
    folder = store / f".new-{secrets.token_hex(6)}"
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = _checked(archive, max_bytes)
            folder.mkdir(parents=True)
            _write(archive, members, folder, max_bytes)
        run = Run(folder)
        _settle(run, store)
        path = new_path(store, run.title)
        folder.rename(path)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError) as error:
        raise RunError("This is not a zip file of a run, or it is damaged; export the run again.") from error
    except OSError as error:
        raise RunError(f"The run cannot be written to {store}: {os_error_message(error)}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Run(path)


def _is_known(name: str) -> bool:
    return name in _TOP or _ANALYSIS.fullmatch(name) is not None


def _checked(archive: zipfile.ZipFile, max_bytes: int) -> dict[str, zipfile.ZipInfo]:
    """Return the members by their name inside the run; raise a RunError if one is not a run's file."""
    members: dict[str, zipfile.ZipInfo] = {}
    folders = set()
    infos = archive.infolist()
    if len(infos) > MAX_FILES:
        raise RunError(f"The zip has {len(infos):,} files; a run has at most {MAX_FILES}.")
    for info in infos:
        folder, _, name = info.filename.partition("/")
        shown = repr(info.filename[:80])
        if info.is_dir() and (not name or name == "analysis/"):
            continue
        mode = info.external_attr >> 16
        if mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode):
            raise RunError(f"The zip holds a link or device ({shown}); a run has plain files only.")
        if not folder or folder in (".", "..") or not _is_known(name) or ".." in PurePosixPath(info.filename).parts:
            raise RunError(f"The zip holds {shown}, which is not a file of a run; nothing was imported.")
        if name in members:
            raise RunError(f"The zip holds {shown} twice; nothing was imported.")
        if info.flag_bits & 1:
            raise RunError("The zip is encrypted; export the run without a password.")
        members[name] = info
        folders.add(folder)
    if len(folders) != 1 or "config.json" not in members or "about.json" not in members:
        raise RunError("The zip does not hold one run (a folder with config.json and about.json).")
    if sum(info.file_size for info in members.values()) > max_bytes:
        raise RunError(f"The run would take more than {max_bytes / 2**20:,.0f} MiB; nothing was imported.")
    return members


def _write(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], folder: Path, max_bytes: int) -> None:
    left = max_bytes
    for name, info in members.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        with archive.open(info) as source, open(path, "xb") as target:
            while chunk := source.read(CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise RunError(f"The run takes more than {max_bytes / 2**20:,.0f} MiB; nothing was imported.")
                target.write(chunk)
        if name.endswith(".npz"):
            left -= _unpacked_size(path)
            if left < 0:
                raise RunError(f"{name} of the zip unpacks to more memory than a run may take; nothing was imported.")


def _unpacked_size(path: Path) -> int:
    """Return the size of the arrays of an npz, counted by unpacking them piece by piece."""
    total = 0
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            with archive.open(info) as source:
                while chunk := source.read(CHUNK):
                    total += len(chunk)
                    if total > MAX_BYTES:
                        return total
    return total


def _settle(run: Run, store: Path) -> None:
    """Check every file, and replace settings that belong to the machine the run came from."""
    config = run.config
    code = [part.path for part in (config.prior, config.model.likelihood) if part.kind == "custom"]
    if code and not config.is_given:
        raise RunError(
            f"The run needs {code[0]}, which is code, and a zip of a run never contains code; train it here from "
            "the settings in its config.json."
        )
    run.check()
    about: dict[str, Any] = run.about
    run.write_json("about.json", {**about, "title": clean_title(str(about.get("title", ""))) or "Imported run"})
    if isinstance(config.data, FileData):
        # Only a file of the same name among this store's own data: an imported run cannot read any other file.
        name = PurePosixPath(config.data.path.replace("\\", "/")).name
        local = dataclasses.replace(config, data=dataclasses.replace(config.data, path=str(store / "data" / name)))
        if local != config:
            run.write("config.json", local.to_json())
    raw = run.status()
    result = "given.npz" if config.is_given else "weights.safetensors"
    state = "finished" if raw.state == "finished" and (run.path / result).exists() else "stopped"
    run.set_status(state=state, pid=None, host="", message="" if state == "finished" else "Imported; Resume continues.")
