"""Journal: which uploads are unfinished, so that a later process goes on where one stopped.

One file per registry, repository and source; a lock keeps two processes from feeding one session.
The address of a session may let anyone write to it, so the files are private.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from kitline.oci.digest import short_hex
from kitline.oci.json import decode
from kitline.store.file_lock import open_locked

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.store.interface import BlobSource

LONGEST_AGE = 6 * 24 * 3600
"""Registries drop unfinished uploads after a week at the latest (distribution: 168 hours)."""


class JournalEntry:
    """What is remembered of one upload; `location` is the session's address, if there is one."""

    def __init__(self, path: Path, lock: int, key: str) -> None:
        self._path = path
        self._lock = lock  # an open file, locked until it is closed
        self._key = key
        self.location = self._read()

    def remember(self, location: str) -> None:
        """Write the newest address of the session."""
        temporary = self._path.with_suffix(f".{os.getpid()}.new")
        text = json.dumps({"key": self._key, "location": location})
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(text)
        os.replace(temporary, self._path)
        self.location = location

    def forget(self) -> None:
        """Remove the entry."""
        self.location = None
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let other processes at it."""
        with suppress(OSError):
            _lock_file(self._path).unlink()  # whoever has it open sees that it is another one
        os.close(self._lock)

    def _read(self) -> str | None:
        try:
            found = decode(self._path.read_bytes(), limit=64 << 10)
            location = found["location"] if found["key"] == self._key else None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return location if isinstance(location, str) else None


def open_entry(folder: Path | None, repository: str, source: BlobSource) -> JournalEntry | None:
    """Open the entry of a source with an identity; None if there is nothing to keep it by."""
    identity = getattr(source, "identity", None)
    if folder is None or not isinstance(identity, str):
        return None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _prune(folder)
    except OSError:
        return None  # a home that cannot be written is no reason not to push
    key = json.dumps([repository, source.size, identity])
    path = folder / f"{short_hex(key, 32)}.json"
    lock = _lock(_lock_file(path))
    return None if lock is None else JournalEntry(path, lock, key)


def _lock_file(path: Path) -> Path:
    return path.with_suffix(".json.lock")


def _lock(path: Path) -> int | None:
    """Lock a file until it is closed; None if another process has it, which sends the same."""
    with suppress(OSError):  # a folder that cannot be written, a file system without locks
        return open_locked(path, os.O_CREAT, 0o600)
    return None


def _prune(folder: Path) -> None:
    oldest = time.time() - LONGEST_AGE
    for path in folder.iterdir():
        with suppress(OSError):
            if path.suffix in (".json", ".lock", ".new") and path.stat().st_mtime < oldest:
                path.unlink()
