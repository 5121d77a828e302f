"""MCP bundles (`.mcpb`): zip archives with `manifest.json` at their root, checked before packing.

Source: kit 1.15.0 refuses the same bundles at pack time, and does not read the manifest either.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from kitline.errors import SourceError

if TYPE_CHECKING:
    from kitline.kit.kitfile import KitPart
    from kitline.kit.tree import Entry
    from kitline.store.interface import ByteStream

MANIFEST: Final = "manifest.json"
_INDEX_LIMIT: Final = 16 << 20
"""Largest list of a bundle's files that is read, in bytes."""


def check_mcp_bundle(part: KitPart, file: Entry) -> None:
    """Refuse a file that programs would not take for an MCP bundle.

    Raises:
        SourceError: if it is no zip archive, or has no `manifest.json` at its root.
    """
    import zipfile  # only kits with bundles need it

    what = f"{part.field}: {part.path!r} is no MCP bundle"
    content = _SeekableEntry(file)
    try:
        with content, zipfile.ZipFile(content) as bundle:
            names = bundle.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as cause:
        raise SourceError(f"{what}: it is not a zip archive ({cause})") from cause
    if MANIFEST not in names:
        raise SourceError(f"{what}: it has no {MANIFEST!r} at its root; pack it with 'mcpb pack'")


class _SeekableEntry(io.RawIOBase):
    """An entry's bytes as a file that can be read anywhere; opened anew after each jump."""

    def __init__(self, entry: Entry) -> None:
        self._open = entry.open
        self._size = entry.size or 0
        self._place = 0
        self._stream: ByteStream | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise OSError("a place before its beginning")  # what zipfile expects of a short file
        if start + offset != self._place:
            self._place = start + offset
            self._close_stream()
        return self._place

    def tell(self) -> int:
        return self._place

    def read(self, size: int = -1, /) -> bytes:
        left = max(0, self._size - self._place)
        wanted = left if size < 0 else min(size, left)
        if wanted > _INDEX_LIMIT:
            raise ValueError(f"the list of its files is larger than {_INDEX_LIMIT >> 20} MiB")
        assert self._open is not None
        if self._stream is None:
            self._stream = self._open(self._place)
        found = bytearray(wanted)
        filled = 0
        while filled < wanted and (count := self._stream.readinto(memoryview(found)[filled:])):
            filled += count
        self._place += filled
        return bytes(found[:filled])

    def close(self) -> None:
        self._close_stream()
        super().close()

    def _close_stream(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
