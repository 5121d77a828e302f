"""Streams of remote files that go on where they stood when a connection breaks.

How a place is asked is its own business (`http`, `s3`, …): it answers with the bytes from a
position on. Here is what holds for all: no byte too many or too few, and no mix of two versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from kitline.errors import SourceError
from kitline.plugin import Closing

from kitline_mlflow.redact import clean_address, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from kitline.plugin import ByteStream
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

_ATTEMPTS = 4
CHANGED = "it changed while it was read"

Artifacts = TypeVar("Artifacts", bound="ArtifactRepository")


@dataclass(frozen=True)
class RemoteFile(Generic[Artifacts]):
    """A file of an artifact folder; `path` is how the folder lists it."""

    artifacts: Artifacts
    path: str

    def unreadable(self, reason: str | Exception) -> SourceError:
        """Return the error about a file that a place lists and does not give."""
        place = clean_address(str(self.artifacts.artifact_uri))
        return SourceError(f"cannot read {self.path!r} at {place!r}: {reason_of(reason)}")


class Answer(Protocol):
    """The bytes of a file from a position on."""

    @property
    def version(self) -> str | None:
        """What the place calls the state of the file, such as an ETag; None if it does not say."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Read what has come, 0 at the end; None if the connection broke."""

    def close(self) -> None:
        """Hang up."""


class Resuming(Generic[Artifacts]):
    """Opens files of an artifact folder; `ask(file, position, version)` gets bytes from there on.

    `version` is that of the file's first answer, None before there is one.
    """

    def __init__(
        self,
        artifacts: Artifacts,
        ask: Callable[[RemoteFile[Artifacts], int, str | None], Answer],
    ) -> None:
        self._artifacts = artifacts
        self._ask = ask

    def open(self, path: str, size: int | None, offset: int) -> ByteStream:
        """Open a file at `offset` bytes; reading checks that as much comes as was listed."""
        file = RemoteFile(self._artifacts, path)
        return _ResumingStream(file, partial(self._ask, file), size, offset)


class _ResumingStream(Closing):
    """A file read to its end, `size` bytes if the place said so."""

    def __init__(
        self,
        file: RemoteFile[Artifacts],
        ask: Callable[[int, str | None], Answer],
        size: int | None,
        offset: int,
    ) -> None:
        self._file = file
        self._ask_for = ask
        self._size = size
        self._position = offset
        self._version: str | None = None
        self._answer: Answer | None = None
        self._attempts = _ATTEMPTS
        if size is None or offset < size:
            self._ask()

    def readinto(self, buffer: memoryview, /) -> int:
        count = self._next(buffer)
        if count and self._position == self._size:
            self._next(memoryview(bytearray(1)))  # nobody reads on who knows the size
            self.close()
        if self._size is not None and self._position > self._size:
            raise self._wrong_size("at least ")
        return count

    def close(self) -> None:
        if self._answer is not None:
            self._answer.close()
            self._answer = None

    def _next(self, buffer: memoryview) -> int:
        """Read what comes next, and ask anew where it breaks; 0 at the end of the whole file."""
        while self._answer is not None:
            count = self._answer.readinto(buffer)
            if count or (count == 0 and self._size in (None, self._position)):
                self._position += count
                return count
            self._again()
        return 0

    def _again(self) -> None:
        """Ask for the rest after a break."""
        self.close()
        self._attempts -= 1
        if self._attempts == 0:
            raise self._wrong_size("only ")
        self._ask()

    def _ask(self) -> None:
        answer = self._ask_for(self._position, self._version)
        if self._version is not None and answer.version != self._version:
            answer.close()
            raise self._file.unreadable(CHANGED)
        self._version = answer.version
        self._answer = answer

    def _wrong_size(self, how: str) -> SourceError:
        return SourceError(
            f"the server lists {self._file.path!r} with {self._size} bytes and sent"
            f" {how}{self._position}"
        )
