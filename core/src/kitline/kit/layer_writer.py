"""Writing what a layer holds, as its uncompressed bytes come by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

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
    """Makes the files and folders of a tar; the TarReader's sink."""

    def __init__(self, place: Place, what: str, size: int | None) -> None:
        self._place = place
        self._file: FileInStaging | None = None
        self._reader = TarReader(self, what, place.limits, size)

    def feed(self, view: memoryview) -> None:
        self._reader.feed(view)

    def finish(self) -> None:
        self._reader.finish()

    def add_folder(self, path: str, mode: int) -> None:
        self._place.add_folder(path, mode)

    def begin_file(self, path: str, mode: int, size: int) -> None:
        self._file = self._place.create_file(path, mode, size)

    def write(self, view: memoryview) -> None:
        assert self._file is not None
        self._file.write(view)

    def end_file(self) -> None:
        self.close()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


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
