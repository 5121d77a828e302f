"""Downloads: a blob as a stream that reconnects by itself where the connection broke.

Source: RFC 9110, section 14 (ranges); the reference's section 3.1: a range that begins at or past
the end is never asked for. The bytes are not verified here (`store.verify` does that), but a body
of another length than the descriptor's is refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kitline.errors import BlobNotFound, RegistryError, SizeMismatch
from kitline.store.closing import Closing
from kitline.store.registry import faults
from kitline.store.registry.retry import Patience

if TYPE_CHECKING:
    import requests

    from kitline.oci.descriptor import Descriptor
    from kitline.store.registry.client import RegistryClient

_CONTENT_RANGE = r"bytes ([0-9]{1,19})-[0-9]{1,19}/(?:[0-9]{1,19}|\*)\Z"
_SKIP = 256 << 10


class BlobStream(Closing):
    """The bytes of a blob from `offset` on; opened at once, so that a missing blob is told."""

    def __init__(self, client: RegistryClient, descriptor: Descriptor, offset: int) -> None:
        self._client = client
        self._descriptor = descriptor
        self._position = offset
        self._patience = Patience(client.options.retry)
        self._response: requests.Response | None = None
        self._what = f"read blob {descriptor.digest} of {client.registry}/{client.repository}"
        if offset < descriptor.size or descriptor.size == 0:
            self._connect()

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the front of `buffer`; 0 at the end of the blob.

        Raises:
            RegistryUnreachable: the connection broke too often without a byte in between.
            SizeMismatch: the registry has more bytes.
        """
        left = self._descriptor.size - self._position
        if left <= 0:
            self._check_end()
            return 0
        wanted = buffer[:left]
        while wanted:
            count = self._read(wanted)
            if count:
                self._position += count
                self._patience.progress()
                return count
        return 0

    def _read(self, wanted: memoryview) -> int:
        """Read once; on a broken connection connect anew and return 0."""
        error: Exception | None = None
        try:
            if self._response is None:
                self._connect()
            count = self._raw_read(wanted)
            if count:
                return count
        except Exception as caught:
            if not faults.is_broken(caught):
                raise
            error = caught
        self._drop()
        if not self._patience.wait():
            if error is None:
                raise SizeMismatch(
                    self._what, expected=self._descriptor.size, actual=self._position
                )
            raise faults.unreachable(error, self._what, str(self._client.origin)) from error
        return 0

    def _raw_read(self, wanted: memoryview) -> int:
        assert self._response is not None
        if self._response.headers.get("Content-Encoding", "identity") in ("identity", ""):
            if not self._patience.failed:
                return int(self._response.raw.readinto(wanted) or 0)
            # After a fault take what there is: of a large read that breaks all bytes are lost.
            piece = self._response.raw.read1(min(len(wanted), _SKIP))
        else:
            piece = self._response.raw.read(len(wanted), decode_content=True)
        wanted[: len(piece)] = piece
        return len(piece)

    def _connect(self) -> None:
        """Ask for the rest of the blob; skip what a registry without ranges sends again."""
        start, size = self._position, self._descriptor.size
        headers = {"Range": f"bytes={start}-"} if start else {}
        response = self._client.send(
            "GET",
            self._client.url(f"blobs/{self._descriptor.digest}"),
            self._what,
            expect={200, 206, 404, 416},
            scopes=self._client.scope("pull"),
            headers=headers,
            stream=True,
        )
        try:
            self._check_answer(response, start, size)
        except BaseException:
            response.close()
            raise
        self._response = response
        if start and response.status_code == 200:
            self._skip(start)

    def _check_answer(self, response: requests.Response, start: int, size: int) -> None:
        if response.status_code == 404:
            raise BlobNotFound(f"{self._what}: the registry does not hold it")
        if response.status_code == 416:
            raise SizeMismatch(self._what, expected=size, actual=f"fewer than {start + 1}")
        if response.status_code == 206:
            found = re.match(_CONTENT_RANGE, response.headers.get("Content-Range", ""))
            if not start or found is None or int(found[1]) != start:
                raise RegistryError(
                    f"{self._what}: asked for the bytes from {start}, the registry sent the range"
                    f" {faults.clean(response.headers.get('Content-Range', ''), 60)!r}"
                )
        if "Content-Encoding" in response.headers:
            return
        length = response.headers.get("Content-Length", "")
        told = start if response.status_code == 206 else 0
        if length.isascii() and length.isdigit() and int(length) + told != size:
            raise SizeMismatch(self._what, expected=size, actual=int(length) + told)

    def _skip(self, count: int) -> None:
        scratch = memoryview(bytearray(min(count, _SKIP)))
        while count:
            skipped = self._raw_read(scratch[:count])
            if not skipped:
                raise SizeMismatch(
                    self._what, expected=self._descriptor.size, actual=self._position - count
                )
            count -= skipped

    def _check_end(self) -> None:
        """Refuse a body that goes on behind the size of the descriptor."""
        if self._response is None:
            return
        more = 1
        try:
            more = self._raw_read(memoryview(bytearray(1)))
        except Exception as error:
            # All bytes are there; a connection that breaks behind them does no harm.
            if not faults.is_broken(error):
                raise
            more = 0
        finally:
            self._drop()
        if more:
            size = self._descriptor.size
            raise SizeMismatch(self._what, expected=size, actual=f"more than {size}")

    def _drop(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.close()

    def close(self) -> None:
        """Give up the connection."""
        self._drop()
