"""Atomic writes, cached reads, the file formats of a run, and OS errors turned into readable messages."""

import ctypes
import errno
import functools
import io
import json
import os
import struct
import sys
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from dvae_core.parsing import PARSING

T = TypeVar("T")
_NO_LOCKS = "its file system has no locks; keep runs on one that does (Lustre: mount it with -o flock)."
_NO_RIGHTS = "permission is denied; change the folder's rights, or keep runs elsewhere with DVAE_RUNS=folder."
_MESSAGES = {
    errno.ENOSPC: "the disk is full; free some space and try again.",
    errno.EDQUOT: "your disk quota is used up; free some space and try again.",
    errno.EFBIG: "the file would be larger than this account may write; raise that limit or train less at once.",
    errno.EROFS: "the disk is read-only; keep runs elsewhere with DVAE_RUNS=folder.",
    errno.EACCES: _NO_RIGHTS,
    errno.EPERM: _NO_RIGHTS,
    errno.ENOLCK: _NO_LOCKS,
    errno.ENOSYS: _NO_LOCKS,
    errno.EOPNOTSUPP: _NO_LOCKS,
}
# Exceptions of numpy, zipfile and zlib on bytes that are not an npz file, or on one whose headers were changed.
_BAD_NPZ = (
    OSError, ValueError, EOFError, KeyError, AttributeError, SyntaxError, TypeError, RuntimeError, MemoryError,
    OverflowError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_FRESH_NS = 200_000_000  # a younger file may change again within the clock's resolution, so it is not cached


def os_error_message(error: OSError) -> str:
    """Return the cause of a system error and what to do about it, as the end of a sentence."""
    return _MESSAGES.get(error.errno or 0, f"{error.strerror or error}.")


@contextmanager
def prepared(path: Path, data: bytes) -> Iterator[Path]:
    """Write `data` to a temporary file beside `path` and flush it to disk; yield the file, ready to be renamed.

    The temporary file is removed at the end if it was not renamed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes | str) -> None:
    """Write a file atomically: to a temporary name beside `path`, flushed to disk, then renamed."""
    with prepared(path, data.encode() if isinstance(data, str) else data) as temporary:
        replace(temporary, path)


def replace(source: Path, target: Path, *, patience_s: float = 2.0) -> None:
    """Rename a file over another one, atomically.

    On Windows this fails while another process has the target open, which readers do for milliseconds: it is tried
    again until `patience_s` has passed.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if sys.platform != "win32" or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def parsed(path: str | Path, parse: Callable[[bytes], T]) -> T:
    """Return parse(contents of the file), cached while the file stays the same: lists and polls read it often.

    Every write here is a rename, so a new version differs in inode or time. Do not modify the returned object, and pass
    a named function: the cache is keyed by file and function.
    """
    stat = os.stat(path)
    if time.time_ns() - stat.st_mtime_ns < _FRESH_NS:
        return _parse(path, parse)
    return _remembered(str(path), parse, stat.st_mtime_ns, stat.st_size, stat.st_ino)


@functools.lru_cache(16_384)
def _remembered(path: str, parse: Callable[[bytes], Any], *stamp: int) -> Any:
    return _parse(path, parse)


def _parse(path: str | Path, parse: Callable[[bytes], T]) -> T:
    with open(path, "rb", buffering=0) as file:
        return parse(file.read())


def json_to(tree: Mapping[str, Any]) -> str:
    """Return the object as JSON; NaN and infinities become null, so that every reader can read it."""
    return json.dumps(plain(tree), indent=1, allow_nan=False) + "\n"


def json_from(data: bytes) -> dict[str, Any]:
    """Return the JSON object.

    Files written before SHA256SUMS listed them end with their own "crc32", which is dropped without a check.

    Raises:
        ValueError: If it is not UTF-8, not JSON, or not an object.
    """
    tree = json.loads(data.decode())
    if not isinstance(tree, dict):
        raise ValueError("not an object")
    tree.pop("crc32", None)
    return tree


def tensors_from(data: bytes) -> dict[str, np.ndarray]:
    """Return the arrays of a safetensors file; raise a ValueError if it is damaged."""
    try:
        return load(data)
    except (SafetensorError, ValueError, AttributeError, KeyError, RecursionError) as error:
        raise ValueError(_first_line(error)) from error


def tensors_to(tensors: Mapping[str, np.ndarray]) -> bytes:
    """Return the arrays as safetensors."""
    return save({name: np.asarray(array, order="C") for name, array in tensors.items()})


def arrays_to(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return the arrays (never objects) as a compressed npz."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def arrays_from(data: bytes) -> dict[str, np.ndarray]:
    """Return the arrays of an npz file, never objects; raise a ValueError if it is damaged (zip has CRCs)."""
    try:
        with PARSING, np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except _BAD_NPZ as error:
        raise ValueError(_first_line(error)) from error


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0] or type(error).__name__


def plain(value: Any) -> Any:
    """Convert arrays and numpy numbers to JSON types; NaN and infinities become None."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def process_is_alive(pid: int) -> bool:
    """Whether a process exists and is not a zombie waiting for its parent."""
    if sys.platform == "win32":
        return is_alive_on_windows(pid, ctypes.windll.kernel32)  # os.kill(pid, 0) would send it a Ctrl-C
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True  # there is no /proc (macOS): only the signal tells
    return stat.rpartition(")")[2].split()[0] != "Z"


def is_alive_on_windows(pid: int, kernel: Any) -> bool:
    """Whether a process exists, asked of kernel32: it can be opened and has no exit code yet."""
    may_ask, still_active, access_denied = 0x1000, 259, 5  # PROCESS_QUERY_LIMITED_INFORMATION, STILL_ACTIVE
    handle = kernel.OpenProcess(may_ask, False, pid)
    if not handle:
        return kernel.GetLastError() == access_denied  # it exists and belongs to another user
    try:
        code = ctypes.c_ulong()
        return bool(kernel.GetExitCodeProcess(handle, ctypes.byref(code))) and code.value == still_active
    finally:
        kernel.CloseHandle(handle)
