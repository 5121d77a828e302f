"""The folder of the cache: entries that appear whole, are checked when used and go when it is full.

`entries/KEY` holds `tree/` and `receipt.json`; `work/KEY` is one that is being made. Two locks
belong to each key: `KEY.make`, held while it is made or removed, and `KEY.use`, shared by all
processes that work with it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from typing import TYPE_CHECKING

from kitline.errors import TargetError

from kitline_mlflow.cache_locks import locked, share, try_locked
from kitline_mlflow.cache_receipt import Receipt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_HELD: dict[tuple[int, str], int] = {}
"""Use locks by process id and path: an entry may be read for as long as its process lives."""
_HOLDING = threading.Lock()


class CacheFolder:
    """Entries below `folder`, of which those in use and `limit` bytes of others are kept."""

    def __init__(self, folder: Path, *, limit: int) -> None:
        self.folder = folder
        self.limit = limit

    def get(self, key: str, make: Callable[[Path], object], *, size: int) -> Path:
        """Return the tree of an entry; `make` fills a folder with it if it is missing or damaged.

        Steps: 1 say that we use the entry, 2 alone: look whether it is whole, 3 make room for about
        `size` bytes, 4 make it aside, 5 put it in its place.

        Raises:
            TargetError: if the cache cannot be written.
        """
        entry = self.folder / "entries" / key
        try:
            self._make_folders()
            self._use(key)
            if not is_whole(entry):
                with locked(self._lock(key, "make")):
                    if not is_whole(entry):
                        self._make(key, entry, make, size)
            os.utime(entry)
        except OSError as cause:
            raise TargetError(
                f"cannot keep a kit in the cache {str(self.folder)!r}: {cause.strerror};"
                " KITLINE_HOME names another place"
            ) from cause
        return entry / "tree"

    def read_note(self, name: str) -> str | None:
        """Return a small text about a kit, None if there is none."""
        with contextlib.suppress(OSError, ValueError):
            return (self.folder / "notes" / name).read_text("utf-8")
        return None

    def write_note(self, name: str, text: str) -> None:
        """Keep a small text about a kit; one that cannot be written is done without."""
        with contextlib.suppress(OSError):
            self._make_folders()
            target = self.folder / "notes" / name
            aside = target.with_name(f"{name}.{os.getpid()}.{threading.get_ident()}")
            aside.write_text(text, "utf-8")
            aside.replace(target)

    def evict(self, room: int = 0) -> None:
        """Remove what killed processes left, then the least recently used beyond the limit."""
        self._remove_dead_work()
        entries = [(entry, Receipt.find(entry)) for entry in _children(self.folder / "entries")]
        total = room + sum(receipt.size for _, receipt in entries if receipt)
        for entry, receipt in sorted(entries, key=lambda pair: _last_use(pair[0])):
            if total <= self.limit:
                return
            if self._remove_unused(entry) and receipt:
                total -= receipt.size

    def _make(self, key: str, entry: Path, make: Callable[[Path], object], size: int) -> None:
        self.evict(size)
        work = self.folder / "work" / key
        remove(work)  # whoever was at it has died: the lock is ours
        try:
            work.mkdir(mode=0o700)
            make(work / "tree")
            Receipt.write(work)
            remove(entry)  # a damaged one
            work.rename(entry)
        finally:
            remove(work)
        self.evict()

    def _use(self, key: str) -> None:
        lock = self._lock(key, "use")
        mine = (os.getpid(), str(lock))
        with _HOLDING:
            if mine not in _HELD:
                _HELD[mine] = share(lock)

    def _remove_unused(self, entry: Path) -> bool:
        with try_locked(self._lock(entry.name, "use")) as unused:
            if not unused:
                return False
            remove(entry)
        digest = entry.name.rpartition("-")[0]
        if not any(self.folder.glob(f"entries/{digest}-*")):
            (self.folder / "notes" / digest).unlink(missing_ok=True)
        return True

    def _remove_dead_work(self) -> None:
        for work in _children(self.folder / "work"):
            with try_locked(self._lock(work.name, "make")) as is_dead:
                if is_dead:
                    remove(work)

    def _lock(self, key: str, kind: str) -> Path:
        return self.folder / "locks" / f"{key}.{kind}"

    def _make_folders(self) -> None:
        for name in ("entries", "work", "locks", "notes"):
            (self.folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)


def is_whole(entry: Path) -> bool:
    """Tell whether an entry is there and its files are as they were put there."""
    receipt = Receipt.find(entry)
    return receipt is not None and receipt.describes(entry / "tree")


def remove(folder: Path) -> None:
    """Remove a folder with all that is in it, also where folders may not be written."""
    with contextlib.suppress(FileNotFoundError):
        for root, folders, _ in os.walk(folder):
            for name in folders:
                path = os.path.join(root, name)
                if not os.path.islink(path):
                    os.chmod(path, 0o700)
        shutil.rmtree(folder)


def _children(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def _last_use(entry: Path) -> float:
    try:
        return entry.stat().st_mtime
    except FileNotFoundError:  # another process was faster
        return 0.0
