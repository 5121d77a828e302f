"""md5 behind the reader: a thread hashes blocks while the next ones are read, sent and hashed.

md5 takes longer than reading, sending and sha256 together where a processor knows sha256 (570 MB/s
beside 1 GB/s). It works on the reader's own memory: the blocks of a ring are hashed in their order,
and only who comes round to one again waits for it.
"""

from __future__ import annotations

import threading
from collections import Counter
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kitline_dvc.md5 import Md5

BEHIND_FROM = 8 << 20
"""Files of fewer bytes are not worth a thread."""
_MOST = 32 << 20
"""Bytes that may wait to be hashed, for readers that bring new memory each time."""


class BehindMd5:
    """An md5 that takes blocks in a thread of its own.

    What was given is still being read when `update` returns: ask `wait_for` before writing to that
    memory again.
    """

    def __init__(self, inner: Md5) -> None:
        self._inner = inner
        self._blocks: SimpleQueue[memoryview | None] = SimpleQueue()
        self._changed = threading.Condition()
        self._waiting = 0
        self._failure: BaseException | None = None
        self._in_use: Counter[int] = Counter()
        self._thread = threading.Thread(target=self._work, name="kitline-md5", daemon=True)
        self._thread.start()

    def update(self, data: memoryview, /) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting < _MOST)
            self._waiting += len(data)
            self._in_use[id(data.obj)] += 1
        self._blocks.put(data)

    def wait_for(self, buffer: memoryview) -> None:
        """Wait until memory may be written to."""
        memory = id(buffer.obj)
        with self._changed:
            self._changed.wait_for(lambda: not self._in_use[memory])

    def hexdigest(self) -> str:
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting)
        if self._failure is not None:
            raise self._failure
        return self._inner.hexdigest()

    def close(self) -> None:
        """End the thread; all memory is free then."""
        self._blocks.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (block := self._blocks.get()) is not None:
            try:
                self._inner.update(block)
            except BaseException as failure:  # told to who asks for the md5
                self._failure = failure
            with self._changed:
                self._waiting -= len(block)
                self._in_use[id(block.obj)] -= 1
                self._changed.notify_all()
