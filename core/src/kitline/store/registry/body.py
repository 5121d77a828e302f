"""Request bodies: the bytes of a source, read once for the socket and for the digest alike.

The pieces that go to the socket are views of a ring's buffers; a worker thread hashes the same
buffers. A source that is read again after a fault is hashed only where it was not before.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from kitline.errors import DigestMismatch, KitlineError, SourceChanged, SourceError
from kitline.oci.digest import Hasher
from kitline.store.closing import Closing
from kitline.store.pipeline import Pipeline, fill, usable_processors
from kitline.store.registry.session import BLOCK_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kitline.oci.digest import Digest
    from kitline.store.interface import BlobSource, ByteStream

RING_BLOCK = 1 << 20
"""Size of one buffer: small enough to be still in the processor's cache when it is hashed."""
RING_BLOCKS = 8
ALONE_UP_TO = 2
"""With as few processors the registry or the network needs the one that a worker would take."""


class Reading(Closing):
    """Opens bodies over one source; each byte is hashed and reported once, in order.

    Args:
        expected: the digest that the whole source must have. It is compared before the last
            piece of a body is handed out, so that wrong bytes are never complete anywhere.
    """

    def __init__(
        self,
        source: BlobSource,
        *,
        name: str,
        expected: Digest | None,
        report: Callable[[int], object],
    ) -> None:
        self.source = source
        self.name = name
        self.failure: BaseException | None = None
        """What the source, and not the network, failed with."""
        self._expected = expected
        self._report = report
        self._hasher = Hasher(expected.algorithm if expected else "sha256")
        self._hashed = 0
        self._reported = 0
        alone = usable_processors() <= ALONE_UP_TO
        self._pipeline = Pipeline(
            workers=0 if alone else 1, block_size=RING_BLOCK, blocks=1 if alone else RING_BLOCKS
        )
        self._open: SourceBody | None = None

    def body(self, start: int, stop: int) -> SourceBody:
        """Open the bytes from `start` to `stop`; what lies unhashed before them is hashed."""
        self._close_body()
        if start > self._hashed:
            self._catch_up(start)
        self._open = SourceBody(self, start, stop)
        return self._open

    @property
    def unread(self) -> bool:
        """Whether bytes are left that nobody has hashed."""
        return self._hashed < self.source.size

    def digest(self) -> Digest:
        """Return the digest of the whole source, all of whose bytes have been read.

        Raises:
            DigestMismatch: if it is not the expected one.
        """
        if self.unread:
            self._catch_up(self.source.size)
        self._pipeline.finish()
        found = self._hasher.digest()
        if self._expected not in (None, found):
            self.failure = DigestMismatch(
                f"push {self.name}", expected=str(self._expected), actual=str(found)
            )
            raise self.failure
        return found

    def open(self, position: int) -> ByteStream:
        """Open the source."""
        with self._naming_failures(position):
            return self.source.open(position)

    def read(self, stream: ByteStream, position: int, most: int) -> memoryview:
        """Return the next block of `stream`, which lies at `position` in the source."""
        view = self._pipeline.buffer()[:most]
        with self._naming_failures(position):
            count = fill(stream, view)
            self.reached(position + count)
        if not count:
            self.failure = SourceChanged(
                f"push {self.name}: it ends at byte {position} of {self.source.size}"
            )
            raise self.failure
        fresh = position + count - self._hashed
        if fresh > 0:
            skipped = count - fresh
            self._pipeline.submit(count, lambda block: self._hasher.update(block[skipped:]))
            self._hashed += fresh
        else:
            self._pipeline.submit(count, None)
        return view[:count]

    @contextmanager
    def _naming_failures(self, position: int) -> Iterator[None]:
        """Keep what the source fails with apart from what the network fails with."""
        try:
            yield
        except KitlineError as cause:
            self.failure = cause
            raise
        except OSError as cause:
            self.failure = SourceError(f"read {self.name} at byte {position}: {cause}")
            raise self.failure from cause

    def reached(self, position: int) -> None:
        """Report progress up to `position`, each byte once."""
        if position > self._reported:
            fresh, self._reported = position - self._reported, position
            self._report(fresh)

    def _catch_up(self, stop: int) -> None:
        body = SourceBody(self, self._hashed, stop)
        try:
            while body.read():
                pass
        finally:
            body.close()

    def _close_body(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def close(self) -> None:
        """Give up the source and the worker."""
        self._close_body()
        self._pipeline.close()


class SourceBody:
    """The bytes from `start` to `stop` of a reading, as requests sends them."""

    def __init__(self, reading: Reading, start: int, stop: int) -> None:
        self._reading = reading
        self._position = start
        self._length = stop - start
        self._stop = stop
        self._stream: ByteStream | None = None
        self._rest = memoryview(b"")

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[memoryview]:
        while piece := self.read():
            yield piece

    def read(self, size: int = -1, /) -> memoryview:
        """Return the next piece, valid until the next call; empty at the end."""
        if not self._rest:
            self._rest = self._next()
        piece, self._rest = self._rest[:BLOCK_SIZE], self._rest[BLOCK_SIZE:]
        return piece

    def _next(self) -> memoryview:
        left = self._stop - self._position
        if left <= 0:
            return memoryview(b"")
        if self._stream is None:
            self._stream = self._reading.open(self._position)
        block = self._reading.read(self._stream, self._position, min(left, RING_BLOCK))
        self._position += len(block)
        if self._position == self._reading.source.size:
            self._check_end()
        return block

    def _check_end(self) -> None:
        """Compare the digest, and that the source has ended, before the last piece leaves."""
        reading = self._reading
        if reading._expected is not None:
            reading.digest()
        probe = memoryview(bytearray(1))
        assert self._stream is not None
        if self._stream.readinto(probe):
            reading.failure = SourceChanged(
                f"push {reading.name}: it is longer than {reading.source.size} bytes"
            )
            raise reading.failure

    def close(self) -> None:
        """Close the source."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
