"""File pool: files that lie whole in memory are written side by side, past the page cache.

A disk takes several small files in the time of one, and filling fresh pages of the page cache
costs more processor time than everything else that unpacking does. Measured with 1,000 files of
100 KiB on ext4: 0.11 s by four threads with `O_DIRECT`, 0.32 s buffered by one, sync included.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kitline.kit.staging import FileInStaging

POOLED_FROM: Final = 32 << 10
"""Smaller files are cheaper written where they are created, through the page cache."""
_THREADS: Final = 4
_MOST_OPEN: Final = 32


class FilePool:
    """Writes and closes whole files in threads of its own, which begin with the first file.

    `wait()` returns when all of them are written; until then their content must stay as it is.
    """

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[tuple[FileInStaging, memoryview] | None] = (
            queue.SimpleQueue()
        )
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._pending = 0
        self._failure: BaseException | None = None

    def write(self, file: FileInStaging, content: memoryview) -> None:
        """Have `content` written as the whole of `file`; the pool closes the file in any case."""
        if not self._threads:
            self._begin()
        with self._changed:
            self._changed.wait_for(lambda: self._pending < _MOST_OPEN)
            self._pending += 1
        self._tasks.put((file, content))

    def wait(self) -> None:
        """Wait until all files are written; raises what the first one that failed raised."""
        with self._changed:
            self._changed.wait_for(lambda: not self._pending)
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """End the threads, when what they were given is closed."""
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()
        self._threads = []

    def _begin(self) -> None:
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(_THREADS)]
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                self._write_one(*task)
            except BaseException as failure:
                self._failure = self._failure or failure
            with self._changed:
                self._pending -= 1
                if self._pending in (0, _MOST_OPEN - 1):  # what the caller may be waiting for
                    self._changed.notify()

    def _write_one(self, file: FileInStaging, content: memoryview) -> None:
        try:
            if self._failure is None:
                file.write_whole(content)
        finally:
            file.close()
