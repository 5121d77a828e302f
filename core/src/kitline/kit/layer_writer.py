"""Writing what a layer holds, as its uncompressed bytes come by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kitline.kit.file_pool import POOLED_FROM, FilePool
from kitline.kit.tar_reader import TarReader

if TYPE_CHECKING:
    from kitline.kit.limits import Limits
    from kitline.kit.staging import FileInStaging


class Place(Protocol):
    """Where a layer is unpacked: a `Staging`, or a folder in one."""

    @property
    def limits(self) -> Limits:
        """What is refused."""

    def add_folder(self, path: str, mode: int) -> None:
        """Make a folder with all that lead to it."""

    def create_file(self, path: str, mode: int, size: int | None) -> FileInStaging:
        """Create a file that must not be there yet."""


class LayerWriter(Protocol):
    """Takes the uncompressed bytes of a layer."""

    def feed(self, view: memoryview) -> None:
        """Take the next bytes; `view` is not kept."""

    def finish(self) -> None:
        """Tell that no bytes follow."""

    def close(self) -> None:
        """Close what is open, after a failure too."""


class TarWriter:
    """Makes the files and folders of a tar; the TarReader's sink.

    With `aligned` the views come from a ring of page-aligned buffers. Files that lie whole in one
    of them are then created in order and written side by side.
    """

    def __init__(self, place: Place, what: str, size: int | None, *, aligned: bool = False) -> None:
        self._place = place
        self._file: FileInStaging | None = None
        self._size = 0
        self._pool = FilePool() if aligned else None
        self._reader = TarReader(self, what, place.limits, size)

    def feed(self, view: memoryview) -> None:
        try:
            self._reader.feed(view)
        finally:
            if self._pool is not None:
                self._pool.wait()

    def finish(self) -> None:
        self._reader.finish()

    def add_folder(self, path: str, mode: int) -> None:
        self._place.add_folder(path, mode)

    def begin_file(self, path: str, mode: int, size: int) -> None:
        self._file = self._place.create_file(path, mode, size)
        self._size = size

    def write(self, view: memoryview) -> None:
        assert self._file is not None
        if self._pool is not None and len(view) == self._size >= POOLED_FROM:
            self._pool.write(self._file, view)
            self._file = None
        else:
            self._file.write(view)

    def end_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def close(self) -> None:
        try:
            self.end_file()
        finally:
            if self._pool is not None:
                self._pool.close()


class RawWriter:
    """Makes one file."""

    def __init__(self, place: Place, path: str, mode: int, size: int | None) -> None:
        self._file = place.create_file(path, mode, size)

    def feed(self, view: memoryview) -> None:
        self._file.write(view)

    def finish(self) -> None:
        self._file.close()

    def close(self) -> None:
        self._file.close()
