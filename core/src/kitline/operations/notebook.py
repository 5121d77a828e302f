"""Progress bars in notebooks, so that a verb called from a cell says how far it is.

The program that shows a notebook is IPython's kernel; it has been imported by whoever runs in one,
and is looked for there: kitline itself imports nothing of it.
"""

from __future__ import annotations

import sys
import threading
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

from kitline.store.progress import SILENT

if TYPE_CHECKING:
    from kitline.store.progress import Progress, ProgressTask

SMALLEST = 8 << 20
"""Bytes; what is smaller is done before anybody has read a bar."""
INTERVAL = 0.2
"""Seconds between two pictures of a bar."""


def shown(progress: Progress) -> Progress:
    """Return bars in place of silence, if a notebook is there to show them."""
    if progress is not SILENT or "IPython" not in sys.modules:
        return progress
    shell = sys.modules["IPython"].get_ipython()
    if shell is None or not getattr(shell, "kernel", None):
        return progress  # IPython on a terminal
    return NotebookBars()


class NotebookBars:
    """One bar in the cell's output for each large blob under way; gone when it is done."""

    def begin(self, name: str, total: int | None, /) -> ProgressTask:
        if total is not None and total < SMALLEST:
            return SILENT.begin(name, total)
        return _Bar(name, total)


class _Bar:
    def __init__(self, name: str, total: int | None) -> None:
        self._name, self._total, self._done = name, total, 0
        self._lock = threading.Lock()
        self._drawn = time.monotonic()
        self._handle: Any = None
        self._draw()

    def advance(self, count: int, /) -> None:
        with self._lock:
            self._done += count
            if time.monotonic() - self._drawn >= INTERVAL:
                self._drawn = time.monotonic()
                self._draw()

    def end(self, outcome: str, /) -> None:
        with self._lock:
            self._show("")

    def _draw(self) -> None:
        from html import escape  # seldom needed, and its tables take time to load

        length = f' max="{self._total}" value="{self._done}"' if self._total else ""
        of = f" of {self._total / 1e6:,.0f}" if self._total else ""
        self._show(
            f"<progress{length}></progress> {escape(self._name)} {self._done / 1e6:,.0f}{of} MB"
        )

    def _show(self, page: str) -> None:
        display = import_module("IPython.display").display  # here already, see `shown`
        data = {"text/html": page, "text/plain": self._name}
        if self._handle is None:
            self._handle = display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)
