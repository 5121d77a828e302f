"""Progress as plain lines on stderr, for programs that keep them as a log.

Chosen by `KITLINE_PROGRESS=lines`, as kitline-airflow does for a kitline in another environment.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from kitline.cli.options import human_size, printable, say

if TYPE_CHECKING:
    from kitline.store.progress import ProgressTask

PAUSE = 15.0
"""Seconds between two lines about the same blob."""


class Lines:
    """A line for each blob that is done, and now and then for one that takes long."""

    def __init__(self, *, pause: float = PAUSE) -> None:
        self._pause = pause

    def begin(self, name: str, total: int | None, /) -> ProgressTask:
        return _Line(printable(name), total, self._pause)


class _Line:
    def __init__(self, name: str, total: int | None, pause: float) -> None:
        self._name = name
        self._total = total
        self._pause = pause
        self._lock = threading.Lock()
        self._done = 0
        self._said_at = time.monotonic()

    def advance(self, count: int, /) -> None:
        with self._lock:
            self._done += count
            now = time.monotonic()
            if now - self._said_at < self._pause:
                return
            self._said_at = now
            done = human_size(self._done)
        of = "" if self._total is None else f" of {human_size(self._total)}"
        say(f"{self._name}: {done}{of}")

    def end(self, outcome: str, /) -> None:
        size = "" if self._total is None else f" ({human_size(self._total)})"
        say(f"{self._name}: {outcome}{size}")
