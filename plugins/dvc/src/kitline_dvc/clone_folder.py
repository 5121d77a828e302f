"""Folders of clones: removed when they are closed, or by the next clone if their process died.

A folder stays locked while its process lives; the kernel gives the lock back however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
import time

_PREFIX = "kitline-dvc-"
_NAME = re.compile(rf"{_PREFIX}[a-z0-9_]{{8}}\Z")
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MINUTE = 60.0


class CloneFolder:
    """A new folder for one clone."""

    def __init__(self) -> None:
        remove_dead_folders()
        self.path = tempfile.mkdtemp(prefix=_PREFIX)
        self._fd = os.open(self.path, _FLAGS)
        _lock(self._fd)

    def close(self) -> None:
        """Remove it; again is no error."""
        if self._fd >= 0:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._fd)
            self._fd = -1


def remove_dead_folders() -> None:
    """Remove the folders of clones that killed processes of this user left."""
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if _NAME.match(entry.name):
                _remove_if_dead(entry.path)


def _remove_if_dead(folder: str) -> None:
    young = time.time() - _MINUTE  # may just be between being made and being locked
    with contextlib.suppress(OSError):
        fd = os.open(folder, _FLAGS)
        try:
            status = os.fstat(fd)
            is_old_and_ours = status.st_uid == os.geteuid() and status.st_mtime < young
            if is_old_and_ours and _lock(fd):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(fd)


def _lock(fd: int) -> bool:
    """Lock a folder until it is closed; False if it is in use, or cannot be locked at all."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
