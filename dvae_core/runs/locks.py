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
def locked(path: Path, *, wait: float | int = 1.0) -> Iterator[None]:
    """Hold the lock file at `path` (created if absent, never removed: removing it could let two holders in).

    Raises:
        LockedError: If another holder still has it after `wait` seconds.
        OSError: If the file cannot be created, or if its file system has no locks (Lustre: mount it with -o flock).
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        deadline = time.monotonic() + wait
        while True:
            try:
                _take(fd, shared=False)
                break
            except OSError as error:
                if error.errno not in _REFUSED:
                    raise
                if time.monotonic() > deadline:
                    raise LockedError(errno.EAGAIN, "Locked by another process", str(path)) from error
                time.sleep(0.02)
        yield
    finally:
        os.close(fd)


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
