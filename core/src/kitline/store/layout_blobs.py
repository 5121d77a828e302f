"""The blobs of a layout: files that are whole or not there, and never change.

Equal blobs of layouts below one root are one file with several names.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING

from kitline.errors import BlobNotFound, StoreError
from kitline.store.durable import make_folders
from kitline.store.ingest import open_ingest, write_blob
from kitline.store.interface import StoredBlob
from kitline.store.layout_folder import file_size
from kitline.store.locate import find_layouts
from kitline.store.source import FileStream

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.oci.digest import Digest
    from kitline.store.interface import BlobSource
    from kitline.store.layout_folder import LayoutFolder
    from kitline.store.progress import ProgressTask

# another file system, another owner (protected_hardlinks), too many links, gone: copy instead
_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.ENOENT)


class LayoutBlobs:
    """Opens and takes in the blobs of one layout; `neighbours` is a root with other layouts."""

    def __init__(self, folder: LayoutFolder, *, name: str, neighbours: Path | None) -> None:
        self._folder = folder
        self._name = name
        self._neighbours = neighbours

    def open(self, digest: Digest) -> tuple[BlobStream, int]:
        """Open a blob; return it with its size. Raises BlobNotFound."""
        path = self._folder.blob_path(digest)
        try:
            # not blocking: the name of a pipe in a layout from outside would wait forever
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            raise BlobNotFound(f"{self._name!r} holds no blob {str(digest)!r}") from None
        except OSError as cause:
            raise StoreError(f"cannot read {str(path)!r}: {cause.strerror}") from cause
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise StoreError(f"cannot read blob {str(digest)!r}: {str(path)!r} is not a file")
        return BlobStream(fd, self.locate(digest)), status.st_size

    def locate(self, digest: Digest) -> str:
        """Say where a blob lies and what to do if it is damaged."""
        path = self._folder.blob_path(digest)
        return f"in {str(path)!r} (damaged: remove that file and get it again)"

    def take_in(
        self, source: BlobSource, digest: Digest | None, what: str, task: ProgressTask
    ) -> StoredBlob:
        """Take a blob in; another process may be faster, or a neighbour may hold it."""
        file = open_ingest(self._folder.ingest, digest)
        try:
            if digest is not None and self.keep_existing(digest, source.size):
                file.keeps_partial = False  # another process was faster
                return StoredBlob(digest=digest, size=source.size, existed=True)
            found = write_blob(file, source, digest, what, task)
            existed = digest is None and self.keep_existing(found, source.size)
            if existed or (digest is None and self.link_from_neighbour(found, source.size)):
                return StoredBlob(digest=found, size=source.size, existed=existed)
            make_folders(self._folder.blob_path(found).parent)
            file.move_to(self._folder.blob_path(found))
        finally:
            file.close()
        return StoredBlob(digest=found, size=source.size)

    def keep_existing(self, digest: Digest, size: int) -> bool:
        """Tell whether the blob is here with its size, and keep it from clean-up if so."""
        path = self._folder.blob_path(digest)
        if file_size(path) != size:
            return False
        since = self._folder.hold_lease()
        if os.stat(path).st_ctime_ns >= since:
            return True
        with self._folder.locked():  # else clean-up could remove it between the look and the touch
            if file_size(path) != size:
                return False
            with contextlib.suppress(PermissionError):  # another user's: as old as it looks
                os.utime(path)
        return True

    def link_from_neighbour(self, digest: Digest, size: int) -> bool:
        """Take a blob over by hard link from a layout beside this one; blobs never change."""
        if self._neighbours is None:
            return False
        relative = self._folder.blob_path(digest).relative_to(self._folder.path)
        return any(
            self.link(folder / relative, digest, size)
            for folder in find_layouts(self._neighbours)
            if folder != self._folder.path
        )

    def link(self, found: Path, digest: Digest, size: int) -> bool:
        """Give the file `found` the name of a blob here; False if that cannot be."""
        if found.is_symlink() or file_size(found) != size:
            return False
        make_folders(self._folder.blob_path(digest).parent)
        final = self._folder.blob_path(digest)
        try:
            os.link(found, final, follow_symlinks=False)
        except FileExistsError:
            return file_size(final) == size
        except OSError as refused:
            if refused.errno in _NO_LINK:
                return False
            raise
        return True


class BlobStream(FileStream):
    """A blob's file, which closes itself and can say where it lies."""

    def __init__(self, fd: int, location: str) -> None:
        super().__init__(fd)
        self._fd: int | None = fd
        self.location = location

    def skip_to(self, offset: int) -> None:
        """Go on reading at `offset`."""
        self._offset = offset

    def close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)
