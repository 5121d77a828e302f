"""Locked folders: half-made things on disk, of which those of killed processes go again.

A folder stays locked while its process lives; the kernel gives the lock back however that ends.
The next process that makes one of the same kind in the same place removes what is not locked.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Final

from kitline.store.closing import Closing
from kitline.store.file_lock import is_still, try_lock

_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class LockedFolder(Closing):
    """A new empty folder for work that nobody else looks at; closing removes it.

    Args:
        prefix: How the names of its kind begin, such as `kitline-example-`.
        place: The folder to make it in; by default the system's for temporary files.

    Raises:
        OSError: if it cannot be made.
    """

    def __init__(self, prefix: str, place: Path | None = None) -> None:
        place = Path(tempfile.gettempdir()) if place is None else place
        remove_dead_folders(place, prefix)
        self.path, self._fd = make_locked_folder(place, prefix, mode=0o700)

    def close(self) -> None:
        """Remove it with all that is in it; again is no error."""
        if self._fd >= 0:
            remove_tree(self.path)
            os.close(self._fd)
            self._fd = -1


def make_locked_folder(place: Path, prefix: str, *, mode: int = 0o777) -> tuple[Path, int]:
    """Make a folder in `place`; return it with the handle that keeps it locked."""
    while True:
        folder = place / f"{prefix}{secrets.token_hex(8)}"
        folder.mkdir(mode)
        with contextlib.suppress(FileNotFoundError):  # another process took it for a dead one
            fd = os.open(folder, _FLAGS)
            if _lock(fd) is not False and is_still(folder, fd):
                return folder, fd
            os.close(fd)


def remove_dead_folders(place: Path, prefix: str) -> None:
    """Remove the folders of this kind in `place` that killed processes of this user left."""
    name = re.compile(rf"{re.escape(prefix)}[0-9a-f]{{16}}\Z")
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if name.match(entry.name):
                _remove_if_dead(Path(entry.path))


def remove_tree(folder: Path) -> None:
    """Remove a folder if it is still there, folders without write permission included."""

    def retry(function: object, path: str, _: object) -> None:
        with contextlib.suppress(OSError):
            os.chmod(os.path.dirname(path), 0o700)
            os.chmod(path, 0o700, follow_symlinks=False)
        with contextlib.suppress(OSError):
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                os.unlink(path)

    if folder.exists():
        shutil.rmtree(folder, onerror=retry)


def _remove_if_dead(folder: Path) -> None:
    with contextlib.suppress(OSError):
        fd = os.open(folder, _FLAGS)
        try:
            is_ours = os.fstat(fd).st_uid == os.geteuid()
            if is_ours and _lock(fd) and is_still(folder, fd):
                remove_tree(folder)
        finally:
            os.close(fd)


def _lock(fd: int) -> bool | None:
    """Lock a folder; False if another process has it, None if the file system knows no locks."""
    try:
        return try_lock(fd)
    except OSError:
        return None
