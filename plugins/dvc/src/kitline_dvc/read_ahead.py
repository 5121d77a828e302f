"""Reading ahead: remote files arrive in the order of a layer, many at once, in bounded memory.

Small files come whole, large ones in blocks. What has arrived and is not read yet never exceeds
`BUDGET` bytes for a layer, and nothing touches the disk.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from kitline.errors import SourceError
from kitline.plugin import Closing, without_passwords

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_Result = TypeVar("_Result")

BLOCK = 4 << 20
BUDGET = 48 << 20
REQUESTS = 48
"""How many may be under way."""


class Fetcher:
    """Fetches byte ranges from a file system of fsspec, without waiting."""

    def __init__(self, fs: Any) -> None:
        self._dvc_fs = fs

    @cached_property
    def _fs(self) -> Any:
        return self._dvc_fs.fs

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=REQUESTS, thread_name_prefix="kitline-dvc")

    def fetch(self, path: str, start: int | None, end: int | None) -> Future[bytes]:
        """Begin to fetch a range, or the whole file without `start`."""
        fs = self._fs
        if getattr(fs, "async_impl", False):
            import asyncio

            return asyncio.run_coroutine_threadsafe(
                fs._cat_file(path, start=start, end=end), fs.loop
            )
        return self._threads.submit(fs.cat_file, path, start=start, end=end)

    def info(self, path: str) -> Future[dict[str, Any]]:
        """Begin to ask for size and kind of a file."""
        fs = self._fs
        if getattr(fs, "async_impl", False):
            import asyncio

            return asyncio.run_coroutine_threadsafe(fs._info(path), fs.loop)
        return self._threads.submit(fs.info, path)

    def map(self, work: Callable[[str], _Result], paths: Iterable[str]) -> Iterator[_Result]:
        """Call `work` for many paths at once."""
        return self._threads.map(work, paths)

    def find(self, path: str) -> dict[str, dict[str, Any]]:
        """List all files below a path."""
        found: dict[str, dict[str, Any]] = self._fs.find(path, detail=True)
        return found


class ReadAhead:
    """Files of a remote in the order in which a layer reads them: (address, size in bytes).

    With `ranged` never more than that size is asked for.
    """

    def __init__(
        self, fetcher: Fetcher, files: Sequence[tuple[str, int]], *, ranged: bool = False
    ) -> None:
        self._fetcher = fetcher
        self._files = files
        self._ranged = ranged
        self._lock = threading.Lock()
        self._window: deque[tuple[int, int, int, Future[bytes]]] = deque()
        self._pending = 0
        self._next = (0, 0)

    def open(self, index: int) -> RemoteStream:
        """Start reading a file."""
        return RemoteStream(self, index, self._files[index][1])

    def take(self, index: int, start: int) -> bytes:
        """Return the block of a file that begins at `start`, and let more come.

        Raises:
            SourceError: if the remote does not give it.
        """
        with self._lock:
            while self._window and self._window[0][:2] != (index, start):
                self._drop()
            if not self._window:
                self._next = (index, start)
            self._fill()
            _, _, length, future = self._window.popleft()
            self._pending -= length
        path = self._files[index][0]
        try:
            block = future.result()
        except FileNotFoundError as cause:
            raise SourceError(f"the remote does not hold {without_passwords(path)!r}") from cause
        except Exception as cause:  # each kind of remote has its own
            text = without_passwords(f"{type(cause).__name__}: {cause}")
            raise SourceError(f"cannot read {without_passwords(path)!r}: {text}") from cause
        with self._lock:
            self._fill()
        return block

    def _fill(self) -> None:
        index, start = self._next
        while index < len(self._files):
            path, size = self._files[index]
            if start >= size:
                index, start = index + 1, 0
                continue
            length = min(BLOCK, size - start)
            if self._window and (self._pending + length > BUDGET or len(self._window) >= REQUESTS):
                break
            whole = length == size and not self._ranged
            future = self._fetcher.fetch(
                path, None if whole else start, None if whole else start + length
            )
            self._window.append((index, start, length, future))
            self._pending += length
            start += length
        self._next = (index, start)

    def _drop(self) -> None:
        _, _, length, future = self._window.popleft()
        future.cancel()
        self._pending -= length


class RemoteStream(Closing):
    """One file of a `ReadAhead`, from its beginning."""

    def __init__(self, ahead: ReadAhead, index: int, size: int) -> None:
        self._ahead = ahead
        self._index = index
        self._size = size
        self._at = 0
        self._block = memoryview(b"")

    def readinto(self, buffer: memoryview, /) -> int:
        if not self._block:
            if self._at >= self._size:
                return 0
            self._block = memoryview(self._ahead.take(self._index, self._at))
            self._at += min(BLOCK, self._size - self._at)
        count = min(len(buffer), len(self._block))
        buffer[:count] = self._block[:count]
        self._block = self._block[count:]
        return count

    def close(self) -> None:
        self._block = memoryview(b"")
