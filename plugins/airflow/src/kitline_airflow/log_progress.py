"""LogProgress: kitline's progress as lines of a task's log, and the way to stop the work."""

from __future__ import annotations

import threading
import time
from typing import Any

from kitline.errors import Cancelled

PAUSE = 15.0
"""Seconds between two lines about the same blob."""


class LogProgress:
    """Writes a line when a blob begins, ends, and now and then between; `cancel` stops the work.

    Safe for many threads. What was cancelled leaves nothing under a final name: no tag moves.
    """

    def __init__(self, log: Any, *, pause: float = PAUSE) -> None:
        self._log = log
        self._pause = pause
        self._cancelled = threading.Event()

    def begin(self, name: str, total: int | None, /) -> LogTask:
        """Announce a task of `total` bytes."""
        self.check()
        return LogTask(self, name, total)

    def cancel(self) -> None:
        """Make whoever reports progress next stop."""
        self._cancelled.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody asked to stop."""
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raise Cancelled if somebody asked to stop."""
        if self._cancelled.is_set():
            raise Cancelled("the task was ended; nothing was left under a final name")

    def say(self, text: str, *arguments: object) -> None:
        """Write a line."""
        self._log.info(text, *arguments)

    @property
    def pause(self) -> float:
        """Seconds between two lines about the same blob."""
        return self._pause


class LogTask:
    """One blob on its way."""

    def __init__(self, progress: LogProgress, name: str, total: int | None) -> None:
        self._progress = progress
        self._name = name
        self._total = total
        self._lock = threading.Lock()
        self._done = 0
        self._said_at = time.monotonic()

    def advance(self, count: int, /) -> None:
        """Report `count` more bytes; raises Cancelled if somebody asked to stop."""
        self._progress.check()
        with self._lock:
            self._done += count
            now = time.monotonic()
            if now - self._said_at < self._progress.pause:
                return
            self._said_at = now
            done = self._done
        self._progress.say("%s: %s", self._name, _share(done, self._total))

    def end(self, outcome: str, /) -> None:
        """Report the end."""
        size = "" if self._total is None else f" ({_size(self._total)})"
        self._progress.say("%s: %s%s", self._name, outcome, size)


def _share(done: int, total: int | None) -> str:
    if not total:
        return _size(done)
    return f"{_size(done)} of {_size(total)}, {min(100 * done // total, 100)} %"


def _size(size: int) -> str:
    number = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"
