"""md5: the name that DVC gives to content, checked while the content is read.

DVC trusts a cache file for its mode 0444; nothing here does. md5 only finds damage: what a kit
stands for is the digest of its manifest.
"""

from __future__ import annotations

import os
import re
from hashlib import md5  # noqa: TID251  DVC's names, not kitline's digests
from typing import TYPE_CHECKING, Protocol

from kitline.plugin import Closing

from kitline_dvc.inside.legacy import LEGACY, is_text
from kitline_dvc.md5_behind import BEHIND_FROM, BehindMd5

if TYPE_CHECKING:
    from collections.abc import Callable

    from kitline.errors import SourceError
    from kitline.plugin import ByteStream

MD5 = re.compile(r"[0-9a-f]{32}\Z")
EMPTY = "d41d8cd98f00b204e9800998ecf8427e"
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_LEGACY_BLOCK = 1 << 20
"""DVC 2 changed line ends in blocks of this size, and looked at each whether it is text."""
_SCRATCH = 1 << 20


def md5_of(content: bytes) -> str:
    """Return the md5 of bytes, as hex."""
    return md5(content, usedforsecurity=False).hexdigest()


def new_md5(*, legacy: bool) -> Md5:
    """Return what computes an md5 while bytes pass by; `legacy` as DVC 2 did."""
    return _LegacyMd5() if legacy else md5(usedforsecurity=False)


def md5_of_file(path: str | os.PathLike[str]) -> str:
    """Return the md5 of a file of this disk."""
    hasher = md5(usedforsecurity=False)
    buffer = memoryview(bytearray(_SCRATCH))
    with LocalStream(os.fspath(path)) as stream:
        while count := stream.readinto(buffer):
            hasher.update(buffer[:count])
    return hasher.hexdigest()


class Md5(Protocol):
    """Computes an md5."""

    def update(self, data: memoryview, /) -> None:
        """Take the next bytes."""

    def hexdigest(self) -> str:
        """Return the md5 of all bytes so far."""


class LocalStream(Closing):
    """A file of this disk; a link is refused."""

    __slots__ = ("_fd",)

    def __init__(self, path: str) -> None:
        self._fd = -1
        self._fd = os.open(path, _FLAGS)

    def readinto(self, buffer: memoryview, /) -> int:
        return os.readv(self._fd, [buffer])

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        self.close()


class CheckedStream(Closing):
    """The bytes of a file, whose md5 is compared as soon as the last one has been read.

    Raises:
        SourceError: then, or when the bytes end early; `damaged` makes it from what was found.
    """

    __slots__ = ("_behind", "_damaged", "_hasher", "_left", "_name", "_stream")

    def __init__(
        self,
        stream: ByteStream,
        name: str,
        size: int,
        damaged: Callable[[str], SourceError],
        *,
        legacy: bool = False,
    ) -> None:
        self._stream = stream
        self._name = name
        self._left = size
        self._damaged = damaged
        self._hasher = new_md5(legacy=legacy)
        self._behind: BehindMd5 | None = None
        if size >= BEHIND_FROM:
            self._hasher = self._behind = BehindMd5(self._hasher)

    def readinto(self, buffer: memoryview, /) -> int:
        if not self._left:
            return 0
        if self._behind is not None:
            self._behind.wait_for(buffer)
        if len(buffer) > self._left:
            buffer = buffer[: self._left]
        count = self._stream.readinto(buffer)
        if not count:
            raise self._damaged(f"it ends {self._left} bytes early")
        self._hasher.update(buffer if count == len(buffer) else buffer[:count])
        self._left -= count
        if not self._left and (found := self._hasher.hexdigest()) != self._name:
            raise self._damaged(f"it has md5 {found}, not {self._name}")
        return count

    def skip(self, count: int) -> None:
        """Read and check `count` bytes that nobody wants."""
        scratch = memoryview(bytearray(min(count, _SCRATCH)))
        while count:
            count -= self.readinto(scratch[:count])

    def close(self) -> None:
        if self._behind is not None:
            self._behind.close()
        self._stream.close()


class _LegacyMd5:
    """The md5 of text with changed line ends, which DVC 2 used."""

    def __init__(self) -> None:
        self._hasher = md5(usedforsecurity=False)
        self._block = bytearray()

    def update(self, data: memoryview, /) -> None:
        self._block += data
        while len(self._block) >= _LEGACY_BLOCK:
            self._take(bytes(self._block[:_LEGACY_BLOCK]))
            del self._block[:_LEGACY_BLOCK]

    def hexdigest(self) -> str:
        self._take(bytes(self._block))
        self._block.clear()
        return self._hasher.hexdigest()

    def _take(self, block: bytes) -> None:
        if block and is_text(block[:512]):
            block = block.replace(b"\r\n", b"\n")
        self._hasher.update(block)


def is_legacy(hash_name: str) -> bool:
    """Tell whether objects of this kind were named by DVC 2."""
    return hash_name == LEGACY
