"""One request and its answer, as the in-process registry sees them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from kitline.testing.faults import error_body

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BLOCK_SIZE = 1 << 20


class Disconnect(Exception):
    """The connection is to be closed without an answer."""


class Reader(Protocol):
    """What a body is read from."""

    def readinto(self, buffer: memoryview, /) -> int | None: ...

    def readline(self, limit: int = -1, /) -> bytes: ...


@dataclass
class Answer:
    """What is sent back."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | memoryview = b""
    offset: int = 0
    """Where in the blob the body begins."""


@dataclass
class Call:
    """A request; its body is read once, in blocks."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    """Names in lower case."""
    reader: Reader
    received: int = 0
    """Bytes of the body that have been read."""

    @property
    def length(self) -> int | None:
        """Bytes of the body; None if they come in chunks."""
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            return None
        return int(self.headers.get("content-length") or 0)

    def argument(self, name: str) -> str | None:
        """Return a value of the query."""
        values = self.query.get(name)
        return values[0] if values else None

    def __post_init__(self) -> None:
        self._blocks = self._generate()

    def blocks(self) -> Iterator[memoryview]:
        """Read the body, or what is left of it; each block is only good until the next one.

        Raises:
            Disconnect: if the client went away.
        """
        return self._blocks

    def _generate(self) -> Iterator[memoryview]:
        buffer = memoryview(bytearray(_BLOCK_SIZE))
        if self.length is not None:
            yield from self._read(self.length, buffer)
        else:
            while size := int(self._line() or b"0", 16):
                yield from self._read(size, buffer)
                self._line()
            self._line()

    def read_all(self) -> bytes:
        """Read the whole body."""
        return b"".join(bytes(block) for block in self.blocks())

    def drain(self) -> None:
        """Read what is left, so that the connection can be used again."""
        for _ in self.blocks():
            pass

    def _line(self) -> bytes:
        return self.reader.readline(1000).partition(b";")[0].strip()

    def _read(self, size: int, buffer: memoryview) -> Iterator[memoryview]:
        while size:
            count = self.reader.readinto(buffer[: min(size, len(buffer))])
            if not count:
                raise Disconnect
            size -= count
            self.received += count
            yield buffer[:count]


def error(status: int, code: str, message: str) -> Answer:
    """Return an error as registries write it."""
    return Answer(status, {"Content-Type": "application/json"}, error_body(code, message))
