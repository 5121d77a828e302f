"""Tar layers: the bytes of a layer, planned from entries and made while they are read.

The plan holds names, modes and sizes only; headers are written and files opened when their turn
comes, so that a layer of any size needs no second copy and can be read from any offset.
"""

from __future__ import annotations

import json
import marshal
from bisect import bisect_right
from functools import cached_property
from typing import TYPE_CHECKING, Final

from kitline.errors import SourceChanged, SourceError
from kitline.kit.tar_header import END, encode_header, header_size, padding
from kitline.oci.digest import Hasher
from kitline.store.closing import Closing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline.kit.tree import Entry, Fingerprint
    from kitline.store.interface import ByteStream

_ZEROS: Final = bytes(len(END))
_BATCH = 1024


class TarLayer:
    """An uncompressed tar of `entries`, byte for byte as kit packs them; a BlobSource.

    Entries come in the order given. Every entry knows its size in bytes.

    Raises:
        SourceError: if an entry has no size or a name that no kit can hold.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        self._starts: list[int] = []
        self._seen: dict[int, Fingerprint | None] = {}
        end = 0
        for entry in self.entries:
            self._starts.append(end)
            end += _span(entry)
        self._end = end

    @property
    def size(self) -> int:
        """Length of the tar in bytes."""
        return self._end + len(END)

    @cached_property
    def identity(self) -> str | None:
        """A text that stays equal while names, modes and files' fingerprints do.

        None if a file has no fingerprint. What is read later is compared with it.
        """
        hasher = Hasher()
        for start in range(0, len(self.entries), _BATCH):
            rows: list[tuple[object, ...]] = []
            for index in range(start, min(start + _BATCH, len(self.entries))):
                entry = self.entries[index]
                mark = () if entry.is_folder else self.fingerprint_of(index)
                if mark is None:
                    return None
                rows.append((entry.path, entry.is_folder, entry.mode, entry.size, *mark))
            hasher.update(_as_bytes(rows))
        return f"tar-3/{hasher.digest()}"

    def fingerprint_of(self, index: int) -> Fingerprint | None:
        """Return the fingerprint of an entry as it was listed, else when first asked for."""
        if index not in self._seen:
            entry = self.entries[index]
            self._seen[index] = entry.listed or entry.fingerprint()
        return self._seen[index]

    def open(self, offset: int = 0) -> ByteStream:
        """Start reading the tar at `offset` bytes."""
        index = max(bisect_right(self._starts, offset) - 1, 0)
        if offset >= self._end:
            return _TarStream(self, len(self.entries), offset - self._end)
        return _TarStream(self, index, offset - self._starts[index])


class _TarStream(Closing):
    """Reads a TarLayer in order: header, content, padding of each entry, then the end."""

    def __init__(self, layer: TarLayer, index: int, skip: int) -> None:
        self._layer = layer
        self._index = index
        self._skip = skip
        self._pending = memoryview(b"")
        self._content: ByteStream | None = None
        self._left = 0
        self._begin()

    def readinto(self, buffer: memoryview, /) -> int:
        done = 0
        room = len(buffer)
        while done < room:
            if self._pending:
                count = min(len(self._pending), room - done)
                buffer[done : done + count] = self._pending[:count]
                self._pending = self._pending[count:]
            elif self._left:
                count = self._read_content(buffer[done:] if done else buffer)
            elif self._index < len(self._layer.entries):
                self._index += 1
                self._begin()
                continue
            else:
                break
            done += count
        return done

    def _begin(self) -> None:
        """Set out what comes first of the current entry, `_skip` bytes into it."""
        skip, self._skip = self._skip, 0
        if self._index >= len(self._layer.entries):
            self._pending = memoryview(END)[skip:]
            return
        entry = self._layer.entries[self._index]
        size = 0 if entry.is_folder else entry.size or 0
        header = encode_header(entry.path, is_folder=entry.is_folder, mode=entry.mode, size=size)
        if skip < len(header):
            self._pending = memoryview(header)[skip:]
            self._open_content(entry, 0, size)
            return
        skip -= len(header)
        if skip < size:
            self._open_content(entry, skip, size - skip)
        else:
            self._pending = memoryview(_ZEROS)[: padding(size) - (skip - size)]

    def _open_content(self, entry: Entry, offset: int, left: int) -> None:
        if entry.is_folder:
            return
        before = self._layer.fingerprint_of(self._index)
        if left == 0:
            check_unchanged(entry, before)
            return
        if entry.open is None:
            raise SourceError(f"cannot read {entry.path!r}: its source does not open it")
        self._content = entry.open(offset)
        self._left = left

    def _read_content(self, room: memoryview) -> int:
        assert self._content is not None
        count = self._content.readinto(room if len(room) <= self._left else room[: self._left])
        if not count:
            raise _changed(self._layer.entries[self._index], "is shorter than it was")
        self._left -= count
        if not self._left:
            self._end_content()
        return count

    def _end_content(self) -> None:
        entry, content = self._layer.entries[self._index], self._content
        check_unchanged(entry, self._layer.fingerprint_of(self._index), content)
        self.close()
        self._pending = memoryview(_ZEROS)[: padding(entry.size or 0)]

    def close(self) -> None:
        if self._content is not None:
            self._content.close()
            self._content = None


def _as_bytes(rows: list[tuple[object, ...]]) -> bytes:
    """Return bytes that are equal where rows are; nobody reads them again."""
    try:
        return b"m" + marshal.dumps(rows, 2)  # six times as fast; from 3 on equal rows may differ
    except ValueError:  # a plugin's own kind of text or number
        return b"j" + json.dumps(rows).encode()


def check_unchanged(
    entry: Entry, before: Fingerprint | None, content: ByteStream | None = None
) -> None:
    """Compare an entry's fingerprint with `before`, once it has been read from `content`.

    A stream that can tell the fingerprint of what it reads is asked: that is the file that was
    read, whatever has its name by now.

    Raises:
        SourceChanged: if they differ.
    """
    if before is None:
        return
    now = getattr(content, "fingerprint", entry.fingerprint)
    if now() != before:
        raise _changed(entry, "was written to while it was read")


def _changed(entry: Entry, what: str) -> SourceChanged:
    return SourceChanged(
        f"cannot pack {entry.path!r}: the file {what}; pack again when nothing writes to it"
    )


def _span(entry: Entry) -> int:
    """How many bytes an entry takes in the tar."""
    if entry.is_folder:
        return header_size(_name(entry), is_folder=True, size=0)
    if entry.size is None:
        raise SourceError(f"cannot plan a layer: the size of {entry.path!r} is not known")
    blocks = entry.size + padding(entry.size)
    return header_size(_name(entry), is_folder=False, size=entry.size) + blocks


def _name(entry: Entry) -> str:
    try:
        entry.path.encode()
    except UnicodeEncodeError:
        raise SourceError(
            f"cannot pack {entry.path!r}: the name is not valid UTF-8; rename the file"
        ) from None
    return entry.path
