"""Plain blob sources: bytes in memory and parts of open files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kitline.store.closing import Closing

if TYPE_CHECKING:
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


class _BytesStream(Closing):
    def __init__(self, data: memoryview) -> None:
        self._left = data

    def readinto(self, buffer: memoryview, /) -> int:
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


class FileStream(Closing):
    """Reads an open file that someone else closes, from a place of its own."""

    def __init__(self, descriptor: int, offset: int = 0) -> None:
        self._descriptor = descriptor
        self._offset = offset

    def readinto(self, buffer: memoryview, /) -> int:
        count = os.preadv(self._descriptor, [buffer], self._offset)
        self._offset += count
        return count
