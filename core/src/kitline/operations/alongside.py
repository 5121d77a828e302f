"""Work that is done while bytes are on their way, and takes nothing from what goes before them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

from kitline.store.closing import Closing

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from kitline.store.progress import Progress, ProgressTask

Answer = TypeVar("Answer")


class Alongside(Closing, Generic[Answer]):
    """A Progress that passes all on, and begins `work` in a thread with the first bytes it sees.

    Started before, it would delay them; where none are sent, it is done when its result is needed.
    """

    def __init__(self, work: Callable[[], Answer], progress: Progress) -> None:
        self._work = work
        self._progress = progress
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._lock = Lock()
        self._begun: Future[Answer] | None = None

    def begin(self, name: str, total: int | None, /) -> ProgressTask:
        return _Task(self._progress.begin(name, total), self._start)

    def result(self) -> Answer:
        """Return what the work returns, once it is done; raises what it raises."""
        return self._start().result()

    def _start(self) -> Future[Answer]:
        if self._begun is None:
            with self._lock:
                if self._begun is None:
                    self._begun = self._pool.submit(self._work)
        return self._begun

    def close(self) -> None:
        """Wait for the work if it was begun."""
        self._pool.shutdown()


class _Task:
    def __init__(self, task: ProgressTask, start: Callable[[], object]) -> None:
        self._task = task
        self._start = start

    def advance(self, count: int, /) -> None:
        self._task.advance(count)
        self._start()

    def end(self, outcome: str, /) -> None:
        self._task.end(outcome)
