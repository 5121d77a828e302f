"""Staging folders on disk: each is locked by its process, so that those of killed ones can go.

A kill leaves the folder beside the target; the next unpack to the same place removes it.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from pathlib import Path
from typing import Final

from kitline.kit.new_folders import FOLDER_FLAGS
from kitline.store.file_lock import is_still, try_lock

_NAME: Final = re.compile(r"\.kitline-[0-9a-f]{16}\Z")


def make_staging_folder(place: Path) -> tuple[Path, int]:
    """Make a staging folder in `place`; return it with the handle that keeps it locked."""
    remove_dead_folders(place)
    while True:
        folder = place / f".kitline-{secrets.token_hex(8)}"
        folder.mkdir(0o777)
        with contextlib.suppress(FileNotFoundError):  # another process took it for a dead one
            fd = os.open(folder, FOLDER_FLAGS)
            if _lock(fd) is not False and is_still(folder, fd):
                return folder, fd
            os.close(fd)


def remove_dead_folders(place: Path) -> None:
    """Remove the staging folders in `place` that killed processes of this user left."""
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if _NAME.match(entry.name):
                _remove_if_dead(Path(entry.path))


def _remove_if_dead(folder: Path) -> None:
    with contextlib.suppress(OSError):
        fd = os.open(folder, FOLDER_FLAGS)
        try:
            is_ours = os.fstat(fd).st_uid == os.geteuid()
            if is_ours and _lock(fd) and is_still(folder, fd):
                remove_tree(folder)
        finally:
            os.close(fd)


def remove_tree(folder: Path) -> None:
    """Remove a staging folder if it is still there, folders without write permission included."""

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


def _lock(fd: int) -> bool | None:
    """Lock a folder; False if another process has it, None if the file system knows no locks."""
    try:
        return try_lock(fd)
    except OSError:
        return None
