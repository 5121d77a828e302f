"""Reading tars from outside: regular files and folders, nothing else, pushed through as it comes.

Takes USTAR, PAX and GNU long names, with or without the two blocks at the end. All that could lead
out of a folder or mean something else to other readers is refused, named in the message.
Source: POSIX pax (IEEE 1003.1), Go archive/tar/reader.go for what kit accepts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from kitline.errors import UnsafeLayer
from kitline.kit.layer_path import check_layer_path
from kitline.kit.tar_header import BLOCK, padding

if TYPE_CHECKING:
    from kitline.kit.limits import Limits

_ZERO_BLOCK: Final = bytes(BLOCK)
_USTAR: Final = b"ustar\0"
_FILES: Final = (b"0", b"\0")
_REFUSED: Final = {
    b"1": "it is a hard link",
    b"2": "it is a link",
    b"3": "it is a device",
    b"4": "it is a device",
    b"6": "it is a named pipe",
    b"g": "it is a PAX global header",
    b"K": "it is a link with a long target",
    b"S": "it is a sparse file",
}
_PACKED: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


class TarSink(Protocol):
    """Takes what a tar holds, in its order."""

    def add_folder(self, path: str, mode: int) -> None:
        """Make a folder."""

    def begin_file(self, path: str, mode: int, size: int) -> None:
        """Begin a file of `size` bytes."""

    def write(self, view: memoryview) -> None:
        """Take the next bytes of that file."""

    def end_file(self) -> None:
        """The file is whole."""


class TarReader:
    """Takes the bytes of a tar through `feed` and hands files and folders to `sink`.

    Args:
        sink: Where files and folders go.
        what: What the messages call the layer.
        limits: What is refused.
        size: Length of the whole tar in bytes, if known.
    """

    def __init__(self, sink: TarSink, what: str, limits: Limits, size: int | None = None) -> None:
        self._sink = sink
        self._what = what
        self._limits = limits
        self._size = size
        self._position = 0
        self._partial = b""
        self._content_left = 0
        self._padding_left = 0
        self._extended_left = 0
        self._extended = bytearray()
        self._extended_kind = b""
        self._long_name: str | None = None
        self._long_size: int | None = None
        self._ended = False

    def feed(self, view: memoryview) -> None:
        """Take the next bytes; `view` is not kept."""
        at, length = 0, len(view)
        while at < length:
            before = at
            if self._content_left:
                at += self._take_content(view[at : at + self._content_left])
            elif self._padding_left:
                at += self._take_padding(length - at)
            elif self._extended_left:
                at += self._take_extended(view[at : at + self._extended_left])
            elif self._ended:
                self._check_rest(view[at:])
                at = length
            else:
                at += self._take_header(view[at : at + BLOCK - len(self._partial)])
            self._position += at - before

    def finish(self) -> None:
        """Tell that no bytes follow.

        Raises:
            UnsafeLayer: if something is missing.
        """
        if self._content_left:
            raise self._bad(f"the tar ends {self._content_left} bytes before its last file does")
        pending = self._long_name is not None or self._long_size is not None
        if self._extended_left or pending or (self._partial and not self._ended):
            raise self._bad("the tar ends in the middle of a header")

    def _take_content(self, view: memoryview) -> int:
        self._sink.write(view)
        self._content_left -= len(view)
        if not self._content_left:
            self._end_file()
        return len(view)

    def _take_padding(self, available: int) -> int:
        count = min(self._padding_left, available)
        self._padding_left -= count
        return count

    def _take_extended(self, view: memoryview) -> int:
        self._extended += view
        self._extended_left -= len(view)
        if not self._extended_left:
            self._end_extended()
        return len(view)

    def _check_rest(self, view: memoryview) -> None:
        if view.tobytes().strip(b"\0"):
            raise self._bad("other bytes follow the end of the tar")

    def _take_header(self, view: memoryview) -> int:
        block = self._partial + view.tobytes()
        if len(block) < BLOCK:
            self._partial = block
            return len(view)
        self._partial = b""
        if block == _ZERO_BLOCK:
            if self._long_name is not None or self._long_size is not None:
                raise self._bad("the tar ends in the middle of a header")
            self._ended = True
        else:
            self._begin_entry(block, self._position + len(view))
        return len(view)

    def _begin_entry(self, block: bytes, position: int) -> None:
        self._check_sum(block)
        kind = block[156:157]
        size = self._number(block[124:136])
        if kind in (b"x", b"L"):
            self._begin_extended(kind, size)
            return
        name, self._long_name = self._long_name, None
        if name is None:
            name = self._name(block)
        if self._long_size is not None:
            size, self._long_size = self._long_size, None
        if kind == b"5" or (kind in _FILES and name.endswith("/")):
            self._add_folder(name, self._number(block[100:108]), size)
        elif kind in _FILES:
            self._begin_file(name, self._number(block[100:108]), size, position)
        else:
            reason = _REFUSED.get(kind, f"its type {kind.decode('latin-1')!r} is not known")
            raise self._refused(name, reason)

    def _add_folder(self, name: str, mode: int, size: int) -> None:
        if size:
            raise self._refused(name, "a folder has content")
        path = check_layer_path(name, self._what, self._limits)
        if path:
            self._sink.add_folder(path, mode)

    def _begin_file(self, name: str, mode: int, size: int, position: int) -> None:
        path = check_layer_path(name, self._what, self._limits)
        if not path:
            raise self._refused(name, "a file has no name")
        if self._limits.check_file is not None:
            self._limits.check_file(path)
        if self._size is not None and size > self._size - position:
            left = self._size - position
            raise self._refused(name, f"it claims {size} bytes where the layer has {left}")
        self._sink.begin_file(path, mode, size)
        self._content_left = size
        self._padding_left = padding(size)
        if not size:
            self._end_file()

    def _end_file(self) -> None:
        self._sink.end_file()

    def _begin_extended(self, kind: bytes, size: int) -> None:
        if size > self._limits.header_bytes:
            raise self._bad(f"a header of {size} bytes is longer than allowed")
        self._extended_kind = kind
        self._extended = bytearray()
        self._extended_left = size
        self._padding_left = 0
        if not size:
            self._end_extended()

    def _end_extended(self) -> None:
        self._padding_left = padding(len(self._extended))
        data = bytes(self._extended)
        if self._extended_kind == b"L":
            self._long_name = self._text(data.split(b"\0", 1)[0])
            return
        for key, value in self._records(data):
            if key == b"path":
                self._long_name = self._text(value)
            elif key == b"size":
                self._long_size = self._decimal(value)
            elif key.startswith(b"GNU.sparse."):
                raise self._bad("the tar holds a sparse file")

    def _records(self, data: bytes) -> list[tuple[bytes, bytes]]:
        found = []
        at = 0
        while at < len(data):
            space = data.find(b" ", at, at + 20)
            end = at + self._decimal(data[at : max(space, at)])
            key, equals, value = data[space + 1 : end].partition(b"=")
            if not equals or end > len(data) or not value.endswith(b"\n"):
                raise self._bad("a PAX header is malformed")
            found.append((key, value[:-1]))
            at = end
        return found

    def _name(self, block: bytes) -> str:
        name = block[:100].split(b"\0", 1)[0]
        if block[257:263] == _USTAR and block[345]:
            name = block[345:500].split(b"\0", 1)[0] + b"/" + name
        return self._text(name)

    def _text(self, raw: bytes) -> str:
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise self._refused(repr(raw), "the path is not valid UTF-8") from None

    def _number(self, field: bytes) -> int:
        """Octal digits, or base 256 where the first bit is set."""
        if field[0] & 0x80:
            if field[0] & 0x40:
                raise self._bad("a header holds a negative number")
            return int.from_bytes(bytes([field[0] & 0x3F]) + field[1:], "big")
        digits = field.strip(b" \0").split(b"\0", 1)[0]
        if not digits:
            return 0
        if digits.strip(b"01234567"):
            raise self._bad("a header holds no number where one belongs")
        return int(digits, 8)

    def _decimal(self, digits: bytes) -> int:
        if not digits.isdigit() or len(digits) > 19:
            raise self._bad("a PAX header is malformed")
        return int(digits)

    def _check_sum(self, block: bytes) -> None:
        digits = block[148:156].strip(b" \0")
        actual = sum(block) - sum(block[148:156]) + 8 * 0x20
        if digits and not digits.strip(b"01234567"):
            stored = int(digits, 8)
            # very old writers summed signed bytes
            if stored == actual or stored == actual - 256 * _count_high(block):
                return
        for mark, packed in _PACKED.items():
            if block.startswith(mark) and not self._position:
                raise self._bad(f"the layer is compressed with {packed}, its media type says not")
        raise self._bad("a header has a wrong checksum: this is no tar, or it is damaged")

    def _refused(self, name: str, reason: str) -> UnsafeLayer:
        shown = name if len(name) < 200 else name[:200] + "…"
        return UnsafeLayer(f"{self._what}: refused the entry {shown!r}: {reason}; nothing was kept")

    def _bad(self, reason: str) -> UnsafeLayer:
        return UnsafeLayer(f"{self._what}: {reason}; nothing was kept")


def _count_high(block: bytes) -> int:
    return sum(1 for byte in block[:148] + block[156:] if byte > 0x7F)
