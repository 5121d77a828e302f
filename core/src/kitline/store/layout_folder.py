"""The folder of a layout: its index under a lock, and who is taking blobs in.

Source: OCI image specification, image-layout.md.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import stat
import threading
import time
from typing import TYPE_CHECKING

from kitline.errors import InvalidManifest, StoreError, TargetError
from kitline.oci.json import decode
from kitline.store.durable import fsync_folder, make_folders, write_durably
from kitline.store.ingest import Lease, prune_ingest
from kitline.store.layout_index import INDEX_FILE, LAYOUT_BYTES, LAYOUT_FILE, LayoutIndex
from kitline.store.locate import BLOB_FOLDER, INGEST_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kitline.oci.digest import Digest

LOCK_FILE = ".index.lock"
LOCK_TIMEOUT = 300.0
"""Seconds to wait for another process's edit of the index; one takes milliseconds."""
LEFTOVER_AGE = 86_400.0
"""Seconds after which nobody is expected to go on with a blob that a dead process left."""
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)


class LayoutFolder:
    """A folder that is a layout, or becomes one when something is written.

    `may_adopt` tells whether other content may lie in it already, such as other layouts; `advice`
    what to do if it cannot be written.
    """

    def __init__(self, path: Path, *, may_adopt: bool, advice: str = "") -> None:
        self.path = path
        self._may_adopt = may_adopt
        self._advice = advice
        self._cached: tuple[tuple[int, ...], LayoutIndex] | None = None
        self._lease: Lease | None = None
        self._lease_lock = threading.Lock()

    @property
    def ingest(self) -> Path:
        """Where blobs grow until they are whole."""
        return self.path / INGEST_FOLDER

    def exists(self) -> bool:
        """Tell whether there is a layout in the folder."""
        return (self.path / LAYOUT_FILE).is_file()

    def blob_path(self, digest: Digest) -> Path:
        """Return where a blob lies, or would lie."""
        return self.path / BLOB_FOLDER / digest.algorithm / digest.hex

    def read_index(self) -> LayoutIndex:
        """Return the index as it is now; an empty one if there is no layout yet.

        Raises:
            InvalidManifest: if the folder is not an image layout, or its index is broken.
        """
        path = self.path / INDEX_FILE
        try:
            with open(path, "rb") as file:
                status = os.fstat(file.fileno())
                key = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
                cached = self._cached
                if cached is not None and cached[0] == key:
                    return cached[1]
                raw = file.read()
        except FileNotFoundError:
            return LayoutIndex()
        except NotADirectoryError as cause:
            raise StoreError(
                f"{str(self.path)!r} is a file, and a layout is a folder;"
                f" write 'oci-archive:{self.path}' if it is an archive of one"
            ) from cause
        except OSError as cause:
            raise StoreError(f"cannot read {str(path)!r}: {cause.strerror}") from cause
        self._check_version()
        index = LayoutIndex.from_bytes(raw, f"index {str(path)!r}")
        self._cached = (key, index)
        return index

    def _check_version(self) -> None:
        path = self.path / LAYOUT_FILE
        try:
            with open(path, "rb") as file:
                fields = decode(file.read(4097), limit=4096)
        except FileNotFoundError:
            raise InvalidManifest(
                f"{str(self.path)!r} is not an OCI image layout: it has no {LAYOUT_FILE!r} file"
            ) from None
        except (OSError, ValueError) as cause:
            raise InvalidManifest(f"cannot understand {str(path)!r}: {cause}") from cause
        version = fields.get("imageLayoutVersion") if isinstance(fields, dict) else None
        if not isinstance(version, str) or not version.startswith("1."):
            raise InvalidManifest(f"{str(path)!r}: imageLayoutVersion is {version!r}, not '1.0.0'")

    def edit_index(
        self, change: Callable[[LayoutIndex], LayoutIndex], *, with_lease: bool = True
    ) -> None:
        """Replace the index by what `change` makes of it, under the lock."""
        with self.explained(f"cannot change {str(self.path / INDEX_FILE)!r}"):
            if with_lease:
                self.hold_lease()
            with self.locked():
                before = self.read_index()
                after = change(before)
                if after is not before:
                    self._write_index(after)

    def _write_index(self, index: LayoutIndex) -> None:
        for folder in (self.path / BLOB_FOLDER).iterdir():
            fsync_folder(folder)  # before the index refers to what was renamed into it
        temporary = self.path / INGEST_FOLDER / f"{INDEX_FILE}.new"
        write_durably(self.path / INDEX_FILE, index.to_bytes(), temporary=temporary)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock under which the index is edited and blobs are removed."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.path / LOCK_FILE)
        try:
            lock.acquire(timeout=LOCK_TIMEOUT, poll_interval=0.005)
        except Timeout:
            raise StoreError(
                f"another process has held {str(self.path / LOCK_FILE)!r} for"
                f" {LOCK_TIMEOUT:.0f} s; end it and try again"
            ) from None
        try:
            yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def explained(self, attempt: str) -> Iterator[None]:
        """Say what was attempted when the system refuses, and what to do."""
        try:
            yield
        except OSError as cause:
            place = f" ({cause.filename})" if cause.filename else ""
            told = f"{attempt}: {cause.strerror or cause}{place}"
            if cause.errno not in _NOT_WRITABLE and self.path.exists():
                raise StoreError(told) from cause
            raise TargetError(f"{told}; {self._advice}" if self._advice else told) from cause

    def hold_lease(self) -> int:
        """Announce that blobs are being taken in; return since when, in ns."""
        with self._lease_lock:
            if self._lease is None:
                self._make_layout()
                self._lease = Lease(self.ingest)
                self._drop_leftovers()
            return self._lease.since

    def _drop_leftovers(self) -> None:
        """Remove what killed processes left long ago; the lock keeps a new index from it."""
        limit = time.time() - LEFTOVER_AGE
        with os.scandir(self.ingest) as entries:
            old = any(_mtime(each) < limit for each in entries)
        if old:
            with self.locked():
                prune_ingest(self.ingest, older_than=LEFTOVER_AGE)

    def release_lease(self) -> None:
        """Tell that no blob is being taken in any more."""
        with self._lease_lock:
            lease, self._lease = self._lease, None
        if lease is not None:
            lease.close()

    def _make_layout(self) -> None:
        if not self.exists():
            self._refuse_foreign_folder()
        for folder in (self.path / INGEST_FOLDER, self.path / BLOB_FOLDER / "sha256"):
            make_folders(folder)
        if self.exists() and (self.path / INDEX_FILE).exists():
            return
        with self.locked():
            temporary = self.path / INGEST_FOLDER / f"{LAYOUT_FILE}.new"
            if not self.exists():
                write_durably(self.path / LAYOUT_FILE, LAYOUT_BYTES, temporary=temporary)
            if not (self.path / INDEX_FILE).exists():
                self._write_index(LayoutIndex())

    def _refuse_foreign_folder(self) -> None:
        if self._may_adopt or not self.path.exists():
            return
        own = {BLOB_FOLDER, INGEST_FOLDER, LOCK_FILE}
        if not self.path.is_dir() or any(each.name not in own for each in self.path.iterdir()):
            raise TargetError(
                f"cannot write an OCI layout to {str(self.path)!r}: it exists and is none;"
                " name a new or empty folder"
            )


def file_size(path: Path) -> int | None:
    """Return the size of a file in bytes, None if there is no file of that name."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _mtime(entry: os.DirEntry[str]) -> float:
    try:
        return entry.stat(follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return math.inf
