"""Reading compressed layers as streams, with bounded memory and bounded growth."""

from __future__ import annotations

import zlib
from typing import IO, TYPE_CHECKING, Any, Final, Protocol, cast

from kitline.errors import UnsafeLayer
from kitline.store.closing import Closing

if TYPE_CHECKING:
    from kitline.kit.limits import Limits
    from kitline.store.interface import ByteStream

_CHUNK: Final = 256 * 1024
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_ZSTD_WINDOW: Final = 1 << 27
_FREE_GROWTH: Final = 1 << 20
"""Bytes that even the smallest layer may grow to."""


def open_decompressed(
    stream: ByteStream, compression: str, *, what: str, size: int, limits: Limits
) -> ByteStream:
    """Return the uncompressed bytes of `stream`, a blob of `size` bytes; closing closes both.

    Raises:
        UnsafeLayer: while reading, if the bytes are not of that compression or grow too much.
    """
    decoder = _Gzip(stream, what) if compression == "gzip" else _Zstd(stream, what)
    ceiling = min(limits.unpacked_bytes, max(size * limits.ratio, _FREE_GROWTH))
    return _Bounded(stream, decoder, what, ceiling)


class _Decoder(Protocol):
    def readinto(self, buffer: memoryview, /) -> int: ...


class _Bounded(Closing):
    """Stops a bomb: no more than `ceiling` bytes come out."""

    def __init__(self, stream: ByteStream, decoder: _Decoder, what: str, ceiling: int) -> None:
        self._stream = stream
        self._decoder = decoder
        self._what = what
        self._ceiling = ceiling
        self._produced = 0

    def readinto(self, buffer: memoryview, /) -> int:
        count = self._decoder.readinto(buffer)
        self._produced += count
        if self._produced > self._ceiling:
            raise UnsafeLayer(
                f"{self._what}: it grows to more than {self._ceiling} bytes when decompressed, "
                "which is taken for an attack; nothing was kept"
            )
        return count

    def close(self) -> None:
        self._stream.close()


class _Gzip:
    """All members of a gzip file, one behind the other (RFC 1952)."""

    def __init__(self, stream: ByteStream, what: str) -> None:
        self._stream = stream
        self._what = what
        self._chunk = memoryview(bytearray(_CHUNK))
        self._pending: bytes = b""
        self._member: Any = zlib.decompressobj(_GZIP_WINDOW)
        self._is_begun = False

    def readinto(self, buffer: memoryview, /) -> int:
        while True:
            if not self._pending and not self._refill():
                return 0
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP_WINDOW)
            try:
                data = self._member.decompress(self._pending, len(buffer))
            except zlib.error as cause:
                raise _bad(self._what, "gzip") from cause
            self._is_begun = True
            self._pending = self._member.unconsumed_tail or self._member.unused_data
            if data:
                buffer[: len(data)] = data
                return len(data)

    def _refill(self) -> bool:
        count = self._stream.readinto(self._chunk)
        self._pending = bytes(self._chunk[:count])
        if not count and not self._member.eof:
            if self._is_begun:
                raise UnsafeLayer(f"{self._what}: the gzip data is cut; nothing was kept")
            raise _bad(self._what, "gzip")
        return count > 0


class _Zstd:
    """All frames of a zstd file, with the window that zstd itself allows by default."""

    def __init__(self, stream: ByteStream, what: str) -> None:
        import zstandard

        self._what = what
        self._error = zstandard.ZstdError
        decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._reader = decoder.stream_reader(
            cast("IO[bytes]", _Readable(stream)),  # it calls nothing but read
            read_size=_CHUNK,
            read_across_frames=True,
            closefd=False,
        )

    def readinto(self, buffer: memoryview, /) -> int:
        try:
            return int(self._reader.readinto(buffer))
        except self._error as cause:
            raise _bad(self._what, "zstd") from cause


class _Readable:
    """A stream as zstandard wants it."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        chunk = memoryview(bytearray(size if size >= 0 else _CHUNK))
        return bytes(chunk[: self._stream.readinto(chunk)])


def _bad(what: str, compression: str) -> UnsafeLayer:
    return UnsafeLayer(
        f"{what}: its media type says {compression}, and it is not {compression} or is damaged; "
        "nothing was kept"
    )
