"""Progress: how long work tells what it does, and how it is asked to stop."""

from __future__ import annotations

from typing import Protocol


class ProgressTask(Protocol):
    """One thing under way, such as one blob."""

    def advance(self, count: int, /) -> None:
        """Report `count` more bytes done; may be called from any thread.

        May raise `Cancelled`: the work then stops and leaves nothing under a final name.
        """

    def end(self, outcome: str, /) -> None:
        """Report the end: `pushed`, `pulled`, `exists`, `mounted`, `unpacked`, `failed`…."""


class Progress(Protocol):
    """Receives what is under way."""

    def begin(self, name: str, total: int | None, /) -> ProgressTask:
        """Announce a task of `total` bytes (None if that is not known)."""


class _SilentTask:
    def advance(self, count: int, /) -> None: ...

    def end(self, outcome: str, /) -> None: ...


class Silent:
    """Ignores all progress; the default."""

    def begin(self, name: str, total: int | None, /) -> ProgressTask:
        return _SilentTask()


SILENT: Progress = Silent()
