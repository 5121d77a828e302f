"""Verified reading: no byte of a blob is used that its descriptor does not vouch for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from kitline.errors import DigestMismatch, SizeMismatch
from kitline.oci.digest import Hasher
from kitline.store.closing import Closing
from kitline.store.pipeline import read_all

if TYPE_CHECKING:
    from kitline.oci.descriptor import Descriptor
    from kitline.store.interface import ByteStream, Fetcher


@runtime_checkable
class Located(Protocol):
    """A stream that can tell where its bytes lie, such as a file of a layout."""

    @property
    def location(self) -> str:
        """The place, and what to do if it is damaged, for error messages."""


class VerifyingStream(Closing):
    """Reads a blob from its beginning and vouches for it at the end.

    The last bytes are handed out only after size and digest are right and nothing follows them.
    What was handed out before is not verified yet: keep it under a temporary name until the end
    (0) was read without an error.

    Raises:
        SizeMismatch: if there are more or fewer bytes than the descriptor says.
        DigestMismatch: if the bytes are others; `what` names the blob in the message.
    """

    def __init__(self, stream: ByteStream, descriptor: Descriptor, what: str = "") -> None:
        self._stream = stream
        self._descriptor = descriptor
        self._what = what or f"blob {descriptor.digest}"
        self._hasher = Hasher(descriptor.digest.algorithm)
        self._verified = False

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the front of `buffer`; 0 at the end, and then everything was right."""
        if self._verified or not len(buffer):
            return 0
        count = self._stream.readinto(buffer)
        self._hasher.update(buffer[:count])
        read, size = self._hasher.size, self._descriptor.size
        if read > size:
            raise SizeMismatch(self._named(), expected=size, actual=f"{read} or more")
        if read < size:
            if not count:
                raise SizeMismatch(self._named(), expected=size, actual=read)
            return count
        self._verify_end()
        return count

    def _verify_end(self) -> None:
        if self._stream.readinto(memoryview(bytearray(1))):
            size = self._descriptor.size
            raise SizeMismatch(self._named(), expected=size, actual=f"{size + 1} or more")
        expected, actual = self._descriptor.digest, self._hasher.digest()
        if actual != expected:
            raise DigestMismatch(self._named(), expected=str(expected), actual=str(actual))
        self._verified = True

    def _named(self) -> str:
        where = self._stream.location if isinstance(self._stream, Located) else ""
        return f"{self._what} {where}" if where else self._what

    def close(self) -> None:
        """Close the stream beneath."""
        self._stream.close()


def verify_blob(store: Fetcher, descriptor: Descriptor, what: str = "") -> None:
    """Read a blob whole and keep nothing of it.

    Raises:
        DigestMismatch, SizeMismatch: if it is not what its descriptor promises; the message says
            where it lies if the store can tell.
    """
    buffer = memoryview(bytearray(1 << 20))
    with VerifyingStream(store.fetch(descriptor), descriptor, what) as stream:
        while stream.readinto(buffer):
            pass


def read_verified(
    store: Fetcher, descriptor: Descriptor, limit: int = 4 << 20, *, what: str = ""
) -> bytes:
    """Return a small blob, such as a config, whole and verified.

    Raises:
        SizeMismatch: if the descriptor promises more than `limit` bytes; nothing is read then.
        DigestMismatch: if the bytes are others.
    """
    what = what or f"blob {descriptor.digest}"
    if descriptor.size > limit:
        raise SizeMismatch(f"{what} (at most {limit})", expected=limit, actual=descriptor.size)
    with VerifyingStream(store.fetch(descriptor), descriptor, what) as stream:
        return read_all(stream, descriptor.size)
