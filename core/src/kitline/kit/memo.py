"""The layer memo: digests of layers packed before, found by the fingerprints of their files.

It only saves reading. What it says goes into a manifest only where the store already holds that
blob; a memo that cannot be opened is as good as an empty one.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Protocol

from kitline.oci.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from kitline.kit.tree import Fingerprint

_LIMIT = 20_000
_SETTLED = 0.1
"""Seconds that a change must lie back: a later one could hide in the same tick of the clock."""
_SETTLED_COARSE = 2.0
"""The same for file systems that keep whole seconds."""


class LayerMemo(Protocol):
    """Remembers digests of layers."""

    def find(self, identity: str) -> Digest | None:
        """Return the digest that a layer of this identity had."""

    def remember(self, identity: str, digest: Digest) -> None:
        """Note the digest of a layer that was read whole just now."""


class NoMemo:
    """Remembers nothing."""

    def find(self, identity: str) -> Digest | None:
        return None

    def remember(self, identity: str, digest: Digest) -> None:
        return None


NO_MEMO: LayerMemo = NoMemo()


class SqliteMemo:
    """Keeps the memo in one small database that any number of processes may share."""

    def __init__(self, path: Path, *, read: bool = True) -> None:
        self._path = path
        self._reads = read
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._broken = False

    def find(self, identity: str) -> Digest | None:
        if not self._reads or (self._database is None and not os.path.exists(self._path)):
            return None
        with self._lock, contextlib.suppress(sqlite3.Error, OSError):
            database = self._open()
            if database is not None:
                row = database.execute(
                    "SELECT digest FROM layers WHERE identity = ?", (identity,)
                ).fetchone()
                return Digest(row[0]) if row else None
        return None

    def remember(self, identity: str, digest: Digest) -> None:
        with self._lock, contextlib.suppress(sqlite3.Error, OSError):
            database = self._open()
            if database is not None:
                with database:
                    database.execute(
                        "INSERT OR REPLACE INTO layers VALUES (?, ?, ?)",
                        (identity, str(digest), int(time.time())),
                    )

    def make(self) -> None:
        """Make the database, which waits for the disk, so that `remember` need not."""
        with self._lock, contextlib.suppress(sqlite3.Error, OSError):
            self._open()

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    def _open(self) -> sqlite3.Connection | None:
        if self._database is None and not self._broken:
            self._broken = True  # unless all of this succeeds
            self._path.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(self._path, timeout=5, check_same_thread=False)
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=NORMAL")
            with database:
                database.execute(
                    "CREATE TABLE IF NOT EXISTS layers"
                    " (identity TEXT PRIMARY KEY, digest TEXT NOT NULL, used INTEGER NOT NULL)"
                )
                database.execute(
                    "DELETE FROM layers WHERE used < (SELECT used FROM layers"
                    " ORDER BY used DESC LIMIT 1 OFFSET ?)",
                    (_LIMIT,),
                )
            self._database, self._broken = database, False
        return self._database


def is_settled(fingerprints: Iterable[Fingerprint], now: float) -> bool:
    """Tell whether all changes lie far enough back for the fingerprints to be trusted.

    One that names content, such as ("dvc-md5", …), has no time and always is.
    """
    for fingerprint in fingerprints:
        if isinstance(fingerprint[0], str):
            continue
        newest = max(int(fingerprint[3]), int(fingerprint[4]))
        margin = _SETTLED_COARSE if newest % 1_000_000_000 == 0 else _SETTLED
        if now - newest / 1e9 < margin:
            return False
    return True
