"""The hot path: a ring of page-aligned buffers between one reader and its workers.

The reader fills a buffer, each worker thread (one hashes, one writes) takes it in order, and the
buffer is free again when all of them are done. Hashing, disk and socket release the
interpreter lock, so two cores are busy while memory stays at the size of the ring.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import queue
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from kitline.oci.digest import Hasher
    from kitline.store.interface import ByteStream

    Work = Callable[[memoryview], object]

BLOCK_SIZE = 4 << 20
"""Size of one buffer in bytes."""
BLOCKS = 6
"""Buffers in a ring."""


class _Block:
    """One buffer and how many workers still need it."""

    def __init__(self, size: int) -> None:
        self.memory = _allocate(size)
        self.pending = 0


class Pipeline:
    """A ring of buffers with `workers` threads; a context manager that joins them.

    The caller takes `buffer()`, fills it, and calls `submit(length, work…)` with one callable (or
    None) per worker. A failure in a worker is raised by the next call or by `finish()`. Without
    workers the caller does the work itself, within `submit`.
    """

    def __init__(self, *, workers: int, block_size: int = BLOCK_SIZE, blocks: int = BLOCKS) -> None:
        self._blocks = [_Block(block_size) for _ in range(blocks)]
        self._next = 0
        self._free = threading.Condition()
        self._failure: BaseException | None = None
        self._queues: list[queue.SimpleQueue[tuple[_Block, memoryview, Work] | None]] = [
            queue.SimpleQueue() for _ in range(workers)
        ]
        self._threads = [
            threading.Thread(target=self._work, args=(each,), daemon=True) for each in self._queues
        ]
        for thread in self._threads:
            thread.start()

    def buffer(self) -> memoryview:
        """Return the next buffer, as soon as every worker is done with its last content."""
        block = self._blocks[self._next]
        with self._free:
            self._free.wait_for(lambda: block.pending == 0 or self._failure is not None)
        self._raise_failure()
        return block.memory

    def submit(self, length: int, *work: Work | None) -> None:
        """Hand the first `length` bytes of the current buffer to the workers, in order."""
        block = self._blocks[self._next]
        if not self._queues:
            for task in filter(None, work):
                task(block.memory[:length])
            return
        self._next = (self._next + 1) % len(self._blocks)
        wanted = [(each, task) for each, task in zip(self._queues, work, strict=True) if task]
        with self._free:
            block.pending = len(wanted)
        view = block.memory[:length]
        for each, task in wanted:
            each.put((block, view, task))

    def finish(self) -> None:
        """Wait until all submitted work is done."""
        with self._free:
            self._free.wait_for(
                lambda: self._failure is not None or all(b.pending == 0 for b in self._blocks)
            )
        self._raise_failure()

    def close(self) -> None:
        """End the threads; work that has not begun is dropped if something failed."""
        for each in self._queues:
            each.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self, tasks: queue.SimpleQueue[tuple[_Block, memoryview, Work] | None]) -> None:
        while (item := tasks.get()) is not None:
            block, view, task = item
            try:
                if self._failure is None:
                    task(view)
            except BaseException as failure:
                self._failure = self._failure or failure
            finally:
                with self._free:
                    block.pending -= 1
                    self._free.notify_all()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        if error is not None and self._failure is None:
            self._failure = error
        self.close()


def usable_processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _allocate(size: int) -> memoryview:
    """Return page-aligned memory, in huge pages where there are some: they are cheaper to get."""
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):  # Linux
        with contextlib.suppress(OSError):  # a kernel built without them
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(memory)


def fill(stream: ByteStream, buffer: memoryview) -> int:
    """Read until `buffer` is full or the stream ends; return the number of bytes."""
    filled = 0
    while filled < len(buffer):
        count = stream.readinto(buffer[filled:])
        if not count:
            break
        filled += count
    return filled


def read_all(stream: ByteStream, limit: int) -> bytes:
    """Read a small stream whole; at most `limit + 1` bytes, so that too much can be seen."""
    buffer = memoryview(bytearray(limit + 1))
    return bytes(buffer[: fill(stream, buffer)])


def hash_stream(stream: ByteStream, hasher: Hasher, report: Callable[[int], object]) -> None:
    """Hash a stream to its end, reading and hashing side by side."""
    with Pipeline(workers=1) as pipeline:
        while count := fill(stream, pipeline.buffer()):
            pipeline.submit(count, hasher.update)
            report(count)
        pipeline.finish()
