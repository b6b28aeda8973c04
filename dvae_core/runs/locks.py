"""File locks that the operating system releases when their holder ends, for whatever reason."""

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_REFUSED = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


class LockedError(OSError):
    """Another process, or another holder in this process, has the lock."""


if sys.platform == "win32":
    import msvcrt

    def _take(fd: int, shared: bool) -> None:
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(fd: int, shared: bool) -> None:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


@contextmanager
def locked(path: Path, *, wait: float | int = 1.0, remove: bool = False) -> Iterator[None]:
    """Hold the lock file at `path`, which is created if it is absent.

    Args:
        path: The file.
        wait: Seconds to wait while another holder has the lock.
        remove: Whether to remove the file in the end. All users of a file must agree on this.

    Raises:
        LockedError: If another holder still has it after `wait` seconds.
        OSError: If the file cannot be created, or if its file system has no locks (Lustre: mount it with -o flock).
    """
    deadline = time.monotonic() + wait
    while (fd := _try(path)) is None:
        if time.monotonic() > deadline:
            raise LockedError(errno.EAGAIN, "Locked by another process", str(path))
        time.sleep(0.02)
    try:
        yield
    finally:
        if remove and sys.platform != "win32":  # there, an open file cannot be removed
            path.unlink(missing_ok=True)
        os.close(fd)


def _try(path: Path) -> int | None:
    """Return the locked file's descriptor, or None if another holder has it or has just removed it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _take(fd, shared=False)
        # A file that its last holder removed after we opened it is no lock: others create and lock a new one.
        if _is_at(path, fd):
            return fd
    except OSError as error:
        if error.errno not in _REFUSED:
            os.close(fd)
            raise
    os.close(fd)
    return None


def _is_at(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False


def is_locked(path: Path) -> bool:
    """Whether the lock is held now. The check takes a shared lock for a moment."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        _take(fd, shared=True)
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        return True
    finally:
        os.close(fd)
    return False
