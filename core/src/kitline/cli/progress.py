"""Progress bars, shown on terminals only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from rich.progress import TaskID

    from kitline.store.progress import ProgressTask

NAME_WIDTH = 32


class Bars:
    """One bar for each blob under way, on stderr; a context manager."""

    def __init__(self) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )

    def begin(self, name: str, total: int | None, /) -> ProgressTask:
        shown = name if len(name) <= NAME_WIDTH else "…" + name[-NAME_WIDTH + 1 :]
        # escaped, since names come from outside and rich reads markup in square brackets
        task = self._bars.add_task(shown.replace("[", "\\["), total=total)
        return _Bar(self._bars, task)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()


class _Bar:
    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars = bars
        self._task = task

    def advance(self, count: int, /) -> None:
        self._bars.advance(self._task, count)

    def end(self, outcome: str, /) -> None:
        self._bars.remove_task(self._task)
