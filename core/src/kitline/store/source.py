"""Plain blob sources: bytes in memory and parts of open files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from kitline.store.interface import ByteStream


class BytesSource:
    """Bytes in memory; a BlobSource."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.identity: str | None = None

    @property
    def size(self) -> int:
        return len(self._data)

    def open(self, offset: int = 0) -> ByteStream:
        return _BytesStream(memoryview(self._data)[offset:])


class _Stream:
    """A ByteStream that holds nothing open."""

    def close(self) -> None: ...

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


class _BytesStream(_Stream):
    def __init__(self, data: memoryview) -> None:
        self._left = data

    def readinto(self, buffer: memoryview, /) -> int:
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


class FileStream(_Stream):
    """Reads an open file that someone else closes, from a place of its own."""

    def __init__(self, descriptor: int, offset: int = 0) -> None:
        self._descriptor = descriptor
        self._offset = offset

    def readinto(self, buffer: memoryview, /) -> int:
        count = os.preadv(self._descriptor, [buffer], self._offset)
        self._offset += count
        return count
