"""md5 behind the reader: one thread hashes a block while the next one is read.

md5 takes longer than reading and sha256 together where a processor knows sha256 (570 MB/s beside
1 GB/s), so a large file would wait for it after each block.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Future

    from kitline_dvc.md5 import Md5

BEHIND_FROM = 8 << 20
"""Files of fewer bytes are not worth a thread."""


class BehindMd5:
    """An md5 that takes one block at a time in a thread of its own.

    What was given last is still being read when `update` returns: ask `wait_for` before writing to
    that memory again.
    """

    def __init__(self, inner: Md5) -> None:
        self._inner = inner
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kitline-md5")
        self._view: memoryview | None = None
        self._pending: Future[None] | None = None

    def update(self, data: memoryview, /) -> None:
        self._wait()
        self._view = data
        self._pending = self._thread.submit(self._inner.update, data)

    def wait_for(self, buffer: memoryview) -> None:
        """Wait until memory may be written to, if it is that of the last block."""
        if self._view is not None and self._view.obj is buffer.obj:
            self._wait()

    def hexdigest(self) -> str:
        self._wait()
        return self._inner.hexdigest()

    def close(self) -> None:
        """End the thread; the last block is free then."""
        self._thread.shutdown(wait=True)
        self._view = self._pending = None

    def _wait(self) -> None:
        if self._pending is not None:
            self._pending.result()
        self._view = self._pending = None
