"""Streams of remote files that go on where they stood when a connection breaks.

How a place is asked is its own business (`http_files`, `s3_files`): it answers with the bytes from
a position on. Here is what holds for all: no byte too many or too few, and no mix of two versions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kitline.errors import SourceError
from kitline.plugin import Closing

if TYPE_CHECKING:
    from collections.abc import Callable

_ATTEMPTS = 4


class Answer(Protocol):
    """The bytes of a file from a position on."""

    @property
    def version(self) -> str | None:
        """What the place calls the state of the file, such as an ETag; None if it does not say."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Read what has come, 0 at the end; None if the connection broke."""

    def close(self) -> None:
        """Hang up."""


class ResumingStream(Closing):
    """A file read to its end; `ask(position, version)` gets the bytes from a position on.

    `version` is that of the first answer, None before there is one. `path` is how the place listed
    the file, with `size` bytes if it said so; `place` is how messages name it.
    """

    def __init__(
        self,
        ask: Callable[[int, str | None], Answer],
        *,
        path: str,
        place: str,
        size: int | None,
        offset: int,
    ) -> None:
        self._ask_for = ask
        self._path = path
        self._place = place
        self._size = size
        self._position = offset
        self._version: str | None = None
        self._answer: Answer | None = None
        self._attempts = _ATTEMPTS
        if size is None or offset < size:
            self._ask()

    def readinto(self, buffer: memoryview, /) -> int:
        while self._answer is not None:
            count = self._answer.readinto(buffer)
            if count is None:
                self._again()
                continue
            self._position += count
            if self._size is not None and self._position > self._size:
                raise self._wrong_size("at least ")
            if count or self._is_whole():
                return count
            self._again()
        return 0

    def close(self) -> None:
        if self._answer is not None:
            self._answer.close()
            self._answer = None

    def _is_whole(self) -> bool:
        return self._size is None or self._position == self._size

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
            raise unreadable(self._path, self._place, CHANGED)
        self._version = answer.version
        self._answer = answer

    def _wrong_size(self, how: str) -> SourceError:
        return SourceError(
            f"the server lists {self._path!r} with {self._size} bytes and sent"
            f" {how}{self._position}"
        )


CHANGED = "it changed while it was read"


def unreadable(path: str, place: str, reason: str) -> SourceError:
    """Return the error about a file that a place lists and does not give."""
    return SourceError(f"cannot read {path!r} at {place!r}: {reason}")
