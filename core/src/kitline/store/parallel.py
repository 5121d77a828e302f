"""Bounded parallelism: several blobs at once; the first failure stops the rest."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

from kitline.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kitline.store.progress import Progress, ProgressTask

T = TypeVar("T")


def run_all(
    tasks: Sequence[Callable[[Progress], T]], *, workers: int, progress: Progress
) -> list[T]:
    """Run every task with a progress that stops it when another one failed; results in order.

    Raises:
        BaseException: the first failure that a task raised; what it caused elsewhere is dropped.
    """
    if len(tasks) <= 1 or workers <= 1:
        return [task(progress) for task in tasks]
    stop = threading.Event()
    watched = _Watched(progress, stop)
    with ThreadPoolExecutor(max_workers=min(workers, len(tasks))) as pool:
        futures = [pool.submit(task, watched) for task in tasks]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            if not all(each.done() for each in futures):
                stop.set()
                for each in futures:
                    each.cancel()
    failures = [each.exception() for each in futures if not each.cancelled() and each.exception()]
    for failure in sorted(failures, key=lambda each: isinstance(each, _Stopped)):
        assert failure is not None
        raise failure
    return [each.result() for each in futures]


class _Stopped(Cancelled):
    """A task was stopped because another one failed."""


class _Watched:
    """Passes progress on and stops whoever reports it once `stop` is set."""

    def __init__(self, progress: Progress, stop: threading.Event) -> None:
        self._progress = progress
        self._stop = stop

    def begin(self, name: str, total: int | None, /) -> ProgressTask:
        return _WatchedTask(self._progress.begin(name, total), self._stop)


class _WatchedTask:
    def __init__(self, task: ProgressTask, stop: threading.Event) -> None:
        self._task = task
        self._stop = stop

    def advance(self, count: int, /) -> None:
        if self._stop.is_set():
            raise _Stopped("stopped, because another transfer failed")
        self._task.advance(count)

    def end(self, outcome: str, /) -> None:
        self._task.end(outcome)
