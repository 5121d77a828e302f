"""LayoutStore: a repository in a folder, as a standard OCI image layout.

Safe for many processes and for a kill or power cut at any point: a blob gets its name when it is
whole and on the disk; the index is edited under a file lock, replaced whole, and only refers to
what is there. Source: OCI image specification, image-layout.md.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from typing import TYPE_CHECKING

from kitline.errors import (
    BlobNotFound,
    InvalidManifest,
    ManifestNotFound,
    SizeMismatch,
    StoreError,
    TagConflict,
    TagNotFound,
    TargetError,
)
from kitline.oci.json import decode
from kitline.oci.reference import check_tag
from kitline.store.durable import fsync_folder, make_folders, write_durably
from kitline.store.ingest import Lease, open_ingest, write_blob
from kitline.store.interface import StoredBlob
from kitline.store.layout_index import INDEX_FILE, LAYOUT_BYTES, LAYOUT_FILE, LayoutIndex
from kitline.store.layout_reading import LayoutReader
from kitline.store.locate import BLOB_FOLDER, INGEST_FOLDER, find_layouts
from kitline.store.progress import SILENT
from kitline.store.source import FileStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from kitline.oci.descriptor import Descriptor
    from kitline.oci.digest import Digest
    from kitline.oci.manifest import Manifest
    from kitline.oci.reference import LayoutReference, PinnedReference
    from kitline.store.interface import BlobSource, ByteStream, Store
    from kitline.store.layout_prune import Pruned
    from kitline.store.progress import Progress, ProgressTask

LOCK_FILE = ".index.lock"
LOCK_TIMEOUT = 300.0
"""Seconds to wait for another process's edit of the index; one takes milliseconds."""
GRACE = 3600.0
"""Seconds for which a blob that nothing refers to is kept: its manifest may be on the way."""


class LayoutStore(LayoutReader):
    """One repository in `folder`; nothing is created before something is written.

    `neighbours` is the root below which other layouts lie: a blob that one of them holds is
    taken over by hard link.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        pin: Callable[[Digest], PinnedReference | LayoutReference],
        neighbours: Path | None = None,
    ) -> None:
        super().__init__(name)
        self.folder = folder
        self._pin = pin
        self._neighbours = neighbours
        self._cached: tuple[tuple[int, ...], LayoutIndex] | None = None
        self._lease: Lease | None = None
        self._lease_lock = threading.Lock()

    def pin(self, digest: Digest) -> PinnedReference | LayoutReference:
        """Return the pinned reference of a manifest in this store."""
        return self._pin(digest)

    # Reading

    def read_index(self) -> LayoutIndex:
        """Return the index as it is now; an empty one if there is no layout yet.

        Raises:
            InvalidManifest: if the folder is not an image layout, or its index is broken.
        """
        path = self.folder / INDEX_FILE
        try:
            with open(path, "rb") as file:
                status = os.fstat(file.fileno())
                key = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
                cached = self._cached
                if cached is not None and cached[0] == key:
                    return cached[1]
                raw = file.read()
        except (FileNotFoundError, NotADirectoryError):
            return LayoutIndex()
        except OSError as cause:
            raise StoreError(f"cannot read {str(path)!r}: {cause.strerror}") from cause
        self._check_version()
        index = LayoutIndex.from_bytes(raw, f"index {str(path)!r}")
        self._cached = (key, index)
        return index

    def exists(self) -> bool:
        """Tell whether there is a layout in the folder."""
        return (self.folder / LAYOUT_FILE).is_file()

    def _check_version(self) -> None:
        path = self.folder / LAYOUT_FILE
        try:
            with open(path, "rb") as file:
                fields = decode(file.read(4097), limit=4096)
        except FileNotFoundError:
            raise InvalidManifest(
                f"{str(self.folder)!r} is not an OCI image layout: it has no {LAYOUT_FILE!r} file"
            ) from None
        except (OSError, ValueError) as cause:
            raise InvalidManifest(f"cannot understand {str(path)!r}: {cause}") from cause
        version = fields.get("imageLayoutVersion") if isinstance(fields, dict) else None
        if not isinstance(version, str) or not version.startswith("1."):
            raise InvalidManifest(f"{str(path)!r}: imageLayoutVersion is {version!r}, not '1.0.0'")

    def fetch(self, descriptor: Descriptor, *, offset: int = 0) -> ByteStream:
        """Open a blob at `offset`; its size is compared, its bytes are not verified.

        Raises:
            BlobNotFound: if it is not there.
            SizeMismatch: if the file has another size than the descriptor.
        """
        stream, size = self._open_blob(descriptor.digest)
        if size != descriptor.size:
            stream.close()
            what = f"blob {descriptor.digest} {self._locate(descriptor.digest)}"
            raise SizeMismatch(what, expected=descriptor.size, actual=size)
        stream.skip_to(offset)
        return stream

    def blob_path(self, digest: Digest) -> Path:
        """Return where a blob lies, or would lie."""
        return self.folder / BLOB_FOLDER / digest.algorithm / digest.hex

    def has_blob(self, digest: Digest) -> bool:
        """Tell whether the layout holds the blob."""
        return file_size(self.blob_path(digest)) is not None

    def _open_blob(self, digest: Digest) -> tuple[_BlobStream, int]:
        path = self.blob_path(digest)
        try:
            # not blocking: the name of a pipe in a layout from outside would wait forever
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            raise BlobNotFound(f"{self.name!r} holds no blob {str(digest)!r}") from None
        except OSError as cause:
            raise StoreError(f"cannot read {str(path)!r}: {cause.strerror}") from cause
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise StoreError(f"cannot read blob {str(digest)!r}: {str(path)!r} is not a file")
        return _BlobStream(fd, self._locate(digest)), status.st_size

    def _locate(self, digest: Digest) -> str:
        return f"in {str(self.blob_path(digest))!r} (damaged: remove that file and get it again)"

    # Taking blobs in

    def push_blob(
        self,
        source: BlobSource,
        *,
        digest: Digest | None = None,
        name: str = "",
        progress: Progress = SILENT,
    ) -> StoredBlob:
        """Store the bytes of `source`; a blob that a neighbour holds is linked, not read.

        With `digest`, an attempt that broke off is gone on with.
        """
        what = f"blob {name or digest or ''}".strip()
        task = progress.begin(name, source.size)
        try:
            with self._explain(f"cannot store {what} in {str(self.folder)!r}"):
                self._prepare()
                if digest is not None and self._keep_existing(digest, source.size):
                    task.end("exists")
                    return StoredBlob(digest=digest, size=source.size, existed=True)
                if digest is not None and self._link_from_neighbour(digest, source.size):
                    task.end("linked")
                    return StoredBlob(digest=digest, size=source.size, existed=True)
                stored = self._take_in(source, digest, what, task)
        except BaseException:
            task.end("failed")
            raise
        task.end("exists" if stored.existed else "pushed")
        return stored

    def _take_in(
        self, source: BlobSource, digest: Digest | None, what: str, task: ProgressTask
    ) -> StoredBlob:
        file = open_ingest(self.folder / INGEST_FOLDER, digest)
        try:
            if digest is not None and self._keep_existing(digest, source.size):
                file.keeps_partial = False  # another process was faster
                return StoredBlob(digest=digest, size=source.size, existed=True)
            found = write_blob(file, source, digest, what, task)
            existed = digest is None and self._keep_existing(found, source.size)
            if existed or (digest is None and self._link_from_neighbour(found, source.size)):
                return StoredBlob(digest=found, size=source.size, existed=existed)
            self._make_blob_folder(found)
            file.move_to(self.blob_path(found))
        finally:
            file.close()
        return StoredBlob(digest=found, size=source.size)

    def _keep_existing(self, digest: Digest, size: int) -> bool:
        """Tell whether the blob is here with its size, and keep it from clean-up if so."""
        path = self.blob_path(digest)
        if file_size(path) != size:
            return False
        since = self._hold_lease()
        if os.stat(path).st_ctime_ns >= since:
            return True
        with self.locked():  # else clean-up could remove it between the look and the touch
            if file_size(path) != size:
                return False
            with contextlib.suppress(PermissionError):  # another user's: as old as it looks
                os.utime(path)
        return True

    def _link_from_neighbour(self, digest: Digest, size: int) -> bool:
        """Take a blob over by hard link from a layout beside this one; blobs never change."""
        if self._neighbours is None:
            return False
        relative = self.blob_path(digest).relative_to(self.folder)
        return any(
            self._link(folder / relative, digest, size)
            for folder in find_layouts(self._neighbours)
            if folder != self.folder
        )

    def _link(self, found: Path, digest: Digest, size: int) -> bool:
        if found.is_symlink() or file_size(found) != size:
            return False
        self._make_blob_folder(digest)
        final = self.blob_path(digest)
        try:
            os.link(found, final, follow_symlinks=False)
        except FileExistsError:
            return file_size(final) == size
        except OSError as refused:
            # another file system, another owner (protected_hardlinks), too many links: copy
            if refused.errno in _NO_LINK:
                return False
            raise
        return True

    def mount_blob(self, descriptor: Descriptor, origin: Store) -> bool:
        """Take over a blob by hard link, from a layout below the same root only.

        Elsewhere a file may be changed by others after it was linked; it is copied instead.
        """
        if not isinstance(origin, LayoutStore) or self._neighbours is None:
            return False
        if not origin.folder.is_relative_to(self._neighbours):
            return False
        with self._explain(f"cannot link blob {descriptor.digest} into {str(self.folder)!r}"):
            self._prepare()
            if self._keep_existing(descriptor.digest, descriptor.size):
                return True
            path = origin.blob_path(descriptor.digest)
            return self._link(path, descriptor.digest, descriptor.size)

    # Manifests and tags

    def push_manifest(self, manifest: Manifest) -> None:
        """Store the exact bytes and list them, untagged.

        Raises:
            BlobNotFound: if something that it references is missing.
        """
        from kitline.store.source import BytesSource

        if self.read_index().find(manifest.digest) is None or not self.has_blob(manifest.digest):
            self.push_blob(BytesSource(manifest.raw), digest=manifest.digest, name="manifest")
            self.edit_index(lambda index: self._listed(index, manifest))

    def _listed(self, index: LayoutIndex, manifest: Manifest) -> LayoutIndex:
        for each in manifest.references:
            if not self.has_blob(each.digest):
                raise BlobNotFound(
                    f"{self.name!r} cannot take manifest {str(manifest.digest)!r}:"
                    f" it references {str(each.digest)!r}, which is not there; push that first"
                )
        return index.with_manifest(manifest)

    def set_tag(self, tag: str, manifest: Manifest, *, may_move: bool = True) -> Digest | None:
        """Point the tag at a manifest; what it pointed at before stays listed, untagged."""
        check_tag(tag)
        previous: list[Digest] = []

        def change(index: LayoutIndex) -> LayoutIndex:
            if index.find(manifest.digest) is None and self.find_manifest(manifest.digest) is None:
                raise ManifestNotFound(
                    f"{self.name!r} cannot tag {str(manifest.digest)!r} as {tag!r}:"
                    " there is no such manifest; push it first"
                )
            previous.extend(each.descriptor.digest for each in index.find_tag_entries(tag))
            if not may_move and any(each != manifest.digest for each in previous):
                raise TagConflict(
                    f"tag {tag!r} of {self.name!r} points at {str(previous[0])!r} and may not move"
                    f" to {str(manifest.digest)!r}; use another tag or allow the move"
                )
            return index.with_tag(tag, manifest)

        self.edit_index(change)
        return previous[0] if previous else None

    def remove_tag(self, tag: str) -> None:
        """Remove a tag; what it pointed at stays listed."""

        def change(index: LayoutIndex) -> LayoutIndex:
            if not index.find_tag_entries(tag):
                raise TagNotFound(f"{self.name!r} has no tag {tag!r}")
            return index.without_tag(tag)

        self.edit_index(change)

    def remove_manifest(self, digest: Digest, *, grace: float = GRACE) -> None:
        """Remove a manifest, its tags, and the blobs that nothing else refers to."""
        from kitline.store.layout_prune import remove_manifest

        remove_manifest(self, digest, grace=grace)

    def prune(self, *, grace: float = GRACE) -> Pruned:
        """Remove what no tag leads to: untagged manifests, blobs, leftovers of dead processes.

        Referrers and parts of what stays, stay. Nothing younger than `grace` seconds goes, and
        nothing that a process is just taking in.
        """
        from kitline.store.layout_prune import prune

        return prune(self, grace=grace)

    # The folder

    def edit_index(self, change: Callable[[LayoutIndex], LayoutIndex]) -> LayoutIndex:
        """Replace the index by what `change` makes of it, under the lock; return the new one."""
        with self._explain(f"cannot change {str(self.folder / INDEX_FILE)!r}"):
            self._prepare()
            with self.locked():
                before = self.read_index()
                after = change(before)
                if after is not before:
                    self._write_index(after)
                return after

    def _write_index(self, index: LayoutIndex) -> None:
        for folder in (self.folder / BLOB_FOLDER).iterdir():
            fsync_folder(folder)  # before the index refers to what was renamed into it
        temporary = self.folder / INGEST_FOLDER / f"{INDEX_FILE}.new"
        write_durably(self.folder / INDEX_FILE, index.to_bytes(), temporary=temporary)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock under which the index is edited and blobs are removed."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / LOCK_FILE)
        try:
            lock.acquire(timeout=LOCK_TIMEOUT, poll_interval=0.005)
        except Timeout:
            raise StoreError(
                f"another process has held {str(self.folder / LOCK_FILE)!r} for"
                f" {LOCK_TIMEOUT:.0f} s; end it and try again"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def _prepare(self) -> None:
        """Make the folder a layout if it is none yet."""
        self._hold_lease()

    def _hold_lease(self) -> int:
        """Announce that blobs are being taken in; return since when, in ns."""
        with self._lease_lock:
            if self._lease is None:
                self._make_layout()
                self._lease = Lease(self.folder / INGEST_FOLDER)
            return self._lease.since

    def _make_layout(self) -> None:
        if not self.exists():
            self._refuse_foreign_folder()
        for folder in (self.folder / INGEST_FOLDER, self.folder / BLOB_FOLDER / "sha256"):
            make_folders(folder)
        if self.exists() and (self.folder / INDEX_FILE).exists():
            return
        with self.locked():
            temporary = self.folder / INGEST_FOLDER / f"{LAYOUT_FILE}.new"
            if not self.exists():
                write_durably(self.folder / LAYOUT_FILE, LAYOUT_BYTES, temporary=temporary)
            if not (self.folder / INDEX_FILE).exists():
                self._write_index(LayoutIndex())

    def _refuse_foreign_folder(self) -> None:
        if self._neighbours is not None or not self.folder.exists():
            return
        own = {BLOB_FOLDER, INGEST_FOLDER, LOCK_FILE}
        if not self.folder.is_dir() or any(each.name not in own for each in self.folder.iterdir()):
            raise TargetError(
                f"cannot write an OCI layout to {str(self.folder)!r}: it exists and is none;"
                " name a new or empty folder"
            )

    def _make_blob_folder(self, digest: Digest) -> None:
        make_folders(self.blob_path(digest).parent)

    @contextlib.contextmanager
    def _explain(self, attempt: str) -> Iterator[None]:
        try:
            yield
        except OSError as cause:
            kind = TargetError if cause.errno in _NOT_WRITABLE else StoreError
            place = f" ({cause.filename})" if cause.filename else ""
            raise kind(f"{attempt}: {cause.strerror or cause}{place}") from cause

    def close(self) -> None:
        """Give up the lease on what was taken in."""
        with self._lease_lock:
            lease, self._lease = self._lease, None
        if lease is not None:
            lease.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        self.close()


_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.ENOENT)
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)


def file_size(path: Path) -> int | None:
    """Return the size of a file in bytes, None if there is no file of that name."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


class _BlobStream(FileStream):
    """A blob's file, which closes itself and can say where it lies."""

    def __init__(self, fd: int, location: str) -> None:
        super().__init__(fd)
        self._fd: int | None = fd
        self.location = location

    def skip_to(self, offset: int) -> None:
        self._offset = offset

    def close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)
