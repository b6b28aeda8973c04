"""SHA256SUMS: the digests of a folder's files, so that damage is noticed on reading. `sha256sum -c` reads it too.

The first line is a comment with the number of files, so that a truncated list is noticed as well. A file leaves the
list before it is replaced and is listed again afterwards, both under a lock that is held only for the two renames. Even
if a process is killed at any moment, the list therefore never describes contents that do not exist; at worst, a file is
not listed until it is written again. A file that is not listed is read without a check.
"""

import errno
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dvae_core.runs import files
from dvae_core.runs.locks import LockedError, locked

NAME = "SHA256SUMS"
_LOCK = ".sums.lock"
_PATIENCE_S = 10.0  # the lock is normally held for milliseconds
_NAME = r"(?:analysis/)?[^/\\\n]+"
_LINE = re.compile(rf"([0-9a-f]{{64}})  ({_NAME})")
_HEAD = re.compile(r"# ([0-9]+) files?")
_EARLIER = {"config.json", "history.csv", "weights.safetensors", "latents.npz"}  # the files in lists without a head


def digest(data: bytes) -> str:
    """Return the sha256 of the data in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def read(folder: Path) -> Mapping[str, str]:
    """Return the digest of every listed file by its name inside the folder; {} if there is no list.

    Raises:
        ValueError: If the list is damaged.
        OSError: If it cannot be read.
    """
    try:
        return files.parsed(f"{folder}/{NAME}", _parse)
    except FileNotFoundError:
        return {}


def text(known: Mapping[str, str]) -> str:
    """Return the list as stored in the file."""
    lines = [f"{known[name]}  {name}\n" for name in sorted(known)]
    return f"# {len(lines)} file{'s' * (len(lines) != 1)}\n" + "".join(lines)


def replace(folder: Path, name: str, data: bytes, *, listed: bool) -> None:
    """Write a file atomically, and either list it or remove it from the list.

    Raises:
        ValueError: If the list is damaged.
        OSError: If the folder cannot be written to.
    """
    with files.prepared(folder / name, data) as temporary, _changing(folder) as known:
        _drop(folder, known, (name,))
        files.replace(temporary, folder / name)
        if listed and re.fullmatch(_NAME, name):
            known[name] = digest(data)
            _write(folder, known)


def remove(folder: Path, name: str) -> None:
    """Remove a file, if it exists, and remove it from the list. Raises as `replace` does."""
    with _changing(folder) as known:
        _drop(folder, known, (name,))
        (folder / name).unlink(missing_ok=True)


def add(folder: Path, names: Iterable[str]) -> None:
    """List the existing files that are not listed yet, as they are now. Raises as `replace` does."""
    with _changing(folder) as known:
        missing = [name for name in names if name not in known and re.fullmatch(_NAME, name)]
        new = {name: digest((folder / name).read_bytes()) for name in missing}
        if new:
            _write(folder, known | new)


def drop(folder: Path, names: Iterable[str]) -> None:
    """Remove files from the list before they are written to in place. Raises as `replace` does."""
    with _changing(folder) as known:
        _drop(folder, known, names)


@contextmanager
def _changing(folder: Path) -> Iterator[dict[str, str]]:
    """Lock the list against other writers; yield a copy of it."""
    try:
        with locked(folder / _LOCK, wait=_PATIENCE_S):
            yield dict(read(folder))
    except LockedError as error:
        raise OSError(errno.EBUSY, f"another process has held {_LOCK} for {_PATIENCE_S:.0f} s") from error


def _drop(folder: Path, known: dict[str, str], names: Iterable[str]) -> None:
    listed = [name for name in names if known.pop(name, None)]
    if listed:
        _write(folder, known)


def _write(folder: Path, known: Mapping[str, str]) -> None:
    files.write_atomically(folder / NAME, text(known))


def _parse(data: bytes) -> Mapping[str, str]:
    *lines, rest = data.decode().split("\n")
    head = _HEAD.fullmatch(lines[0]) if lines else None
    matches = [_LINE.fullmatch(line) for line in lines[1 if head else 0 :]]
    known = {match[2]: match[1] for match in matches if match}
    complete = len(known) == int(head[1]) if head else bool(known) and set(known) <= _EARLIER
    if rest or not complete or len(known) != len(matches):
        raise ValueError("not a list of digests, or cut short")
    return known
