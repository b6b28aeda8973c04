"""Files that are whole or absent, damage that is noticed on reading, and what the system refuses, in words."""

import errno
import functools
import hashlib
import io
import json
import os
import struct
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from dvae_core.parsing import PARSING

T = TypeVar("T")
_NO_LOCKS = "its file system knows no locks; keep runs on one that does (Lustre: mount it with -o flock)."
_NO_RIGHTS = "permission is denied; change the folder's rights, or keep runs elsewhere with DVAE_RUNS=folder."
_WORDS = {
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
# What numpy, zipfile and zlib raise on bytes that are no npz, or one whose headers were changed.
_BAD_NPZ = (
    OSError, ValueError, EOFError, KeyError, AttributeError, SyntaxError, TypeError, RuntimeError, MemoryError,
    OverflowError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_COMMENT = b"sha256:"
_FRESH_NS = 200_000_000  # a file younger than this may change again within the clock's grain; it is not remembered


def in_words(error: OSError) -> str:
    """Say what the system refused, and what to do."""
    return _WORDS.get(error.errno or 0, f"{error.strerror or error}.")


def write_atomically(path: Path, data: bytes | str) -> None:
    """Write to a temporary name beside `path`, flush to disk, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def parsed(path: str | Path, parse: Callable[[str], T]) -> T:
    """Return parse(text of the file), remembered as long as the file stays the same: lists and polls read it often.

    Every write here is a rename, so a new version differs in inode or time; do not change what you get.
    """
    stat = os.stat(path)
    if time.time_ns() - stat.st_mtime_ns < _FRESH_NS:
        return _parse(path, parse)
    return _remembered(str(path), parse, stat.st_mtime_ns, stat.st_size, stat.st_ino)


@functools.lru_cache(16_384)
def _remembered(path: str, parse: Callable[[str], Any], *stamp: int) -> Any:
    return _parse(path, parse)


def _parse(path: str | Path, parse: Callable[[str], T]) -> T:
    with open(path, "rb", buffering=0) as file:
        return parse(file.read().decode())


def json_to(tree: Mapping[str, Any]) -> str:
    """Return the object as JSON that ends with the CRC of all before it."""
    text = json.dumps(plain(tree), indent=1, allow_nan=False).removesuffix("}").rstrip()
    return f'{text}{"," if tree else ""}\n "crc32": "{zlib.crc32(text.encode()):08x}"\n}}'


def json_from(text: str) -> dict[str, Any]:
    """Return the object without its CRC; a ValueError if it is damaged (files without a CRC are older, or by hand)."""
    tree = json.loads(text)
    if not isinstance(tree, dict):
        raise ValueError("not an object")
    last = next(reversed(tree), "")
    crc = tree.pop("crc32", None)
    if crc is None and len(last) == 5 and sum(a != b for a, b in zip(last, "crc32", strict=True)) == 1:
        raise ValueError("its contents have changed since they were written")  # a bit of the CRC's own name
    if crc is not None:
        before = text[: text.rfind('"crc32"')].rstrip().removesuffix(",")
        if crc != f"{zlib.crc32(before.encode()):08x}":
            raise ValueError("its contents have changed since they were written")
    return tree


def tensors_to(tensors: Mapping[str, np.ndarray]) -> bytes:
    """Return the arrays as safetensors with a digest of all names and values in the header."""
    blank = save(dict(tensors), {"sha256": "0" * 64})  # as long as the digest, so that nothing moves
    start = 8 + int.from_bytes(blank[:8], "little")
    return blank[:start].replace(b"0" * 64, _digest(blank, start).encode(), 1) + blank[start:]


def tensors_from(data: bytes) -> dict[str, np.ndarray]:
    """Return the arrays of a safetensors file; a ValueError if it is damaged or its digest (if any) is wrong."""
    try:
        start = 8 + int.from_bytes(data[:8], "little")
        head = json.loads(data[8:start])
        known = head.get("__metadata__", {}).get("sha256")
        if known not in (None, _digest(data, start)):
            raise ValueError("its contents have changed since they were written")
        return load(data)
    except (SafetensorError, ValueError, AttributeError, KeyError, RecursionError) as error:
        raise ValueError(_first_line(error)) from error


def arrays_to(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return the arrays (never objects) as a compressed npz whose zip comment is the digest of all before it."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)  # type: ignore[arg-type]
    data = buffer.getvalue()  # ends with the length of the comment: 0
    comment = _COMMENT + hashlib.sha256(data).hexdigest().encode()
    return data[:-2] + len(comment).to_bytes(2, "little") + comment


def arrays_from(data: bytes) -> dict[str, np.ndarray]:
    """Return the arrays of an npz file, never objects; a ValueError if it is damaged (each has a CRC, all a digest)."""
    at = len(data) - len(_COMMENT) - 64
    if at > 2 and data[at:].startswith(_COMMENT):
        body = data[: at - 2] + b"\0\0"
        if hashlib.sha256(body).hexdigest().encode() != data[-64:]:
            raise ValueError("its contents have changed since they were written")
    try:
        with PARSING, np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except _BAD_NPZ as error:
        raise ValueError(_first_line(error)) from error


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0] or type(error).__name__


def _digest(data: bytes, start: int) -> str:
    """Return sha256 over the header without its metadata, and all values."""
    head = json.loads(data[8:start])
    head.pop("__metadata__", None)
    return hashlib.sha256(json.dumps(head, sort_keys=True).encode() + data[start:]).hexdigest()


def plain(value: Any) -> Any:
    """Turn arrays and numpy numbers into what JSON has; NaN and infinities become None."""
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
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True  # no /proc here: the signal is all we know
    return stat.rpartition(")")[2].split()[0] != "Z"
