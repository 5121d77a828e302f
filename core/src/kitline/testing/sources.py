"""Blob sources that watch what is read, or that lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.store.source import BytesSource

if TYPE_CHECKING:
    from kitline.store.interface import ByteStream


class WatchedSource:
    """Bytes as a `BlobSource` that remembers how often it was opened.

    With `stated_size` it lies about its length.
    """

    def __init__(self, content: bytes, *, stated_size: int | None = None) -> None:
        self._content = content
        self._stated_size = stated_size
        self.opened = 0

    @property
    def size(self) -> int:
        return len(self._content) if self._stated_size is None else self._stated_size

    def open(self, offset: int = 0) -> ByteStream:
        self.opened += 1
        return BytesSource(self._content).open(offset)
