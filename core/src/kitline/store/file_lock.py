"""Locks that tell a living process's half-made file or folder from what a killed one left."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


_MINUTE: Final = 60.0


def try_lock(fd: int) -> bool:
    """Lock an open file or folder until it is closed; False if another process has it locked."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def open_locked(path: Path, flags: int, mode: int) -> int | None:
    """Open a file to read and write, and lock it until it is closed.

    Returns:
        None if another process has it locked, or has put another file in its place meanwhile.
    """
    fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | flags, mode)
    is_ours = False
    try:
        is_ours = try_lock(fd) and is_still(path, fd)
    finally:
        if not is_ours:
            os.close(fd)
    return fd if is_ours else None


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold a folder itself, waiting for other processes, so that no lock file is left in it."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def is_still(path: Path, fd: int) -> bool:
    """Tell whether `path` is the file or folder that was opened as `fd`."""
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except FileNotFoundError:
        return False


def remove_dead_files(paths: Iterable[Path]) -> None:
    """Remove those files that no process has locked or has written to in the last minute."""
    young = time.time() - _MINUTE  # may just be between being made and being locked
    for path in paths:
        with contextlib.suppress(OSError):
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                if os.fstat(fd).st_mtime < young and try_lock(fd) and is_still(path, fd):
                    path.unlink()
            finally:
                os.close(fd)
