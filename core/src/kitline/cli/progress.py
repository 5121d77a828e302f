"""Progress bars, shown on terminals only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from kitline.cli.options import human_size, printable

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from rich.progress import Task, TaskID

    from kitline.store.progress import ProgressTask

NAME_WIDTH = 24
"""Leaves room for the bar and its figures in 80 columns."""


class Bars:
    """One bar for each blob under way, on stderr; a context manager."""

    def __init__(self, console: Console | None = None) -> None:
        self._bars = Progress(
            TextColumn("{task.description}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=None),
            DownloadColumn(binary_units=True, table_column=Column(no_wrap=True)),
            _Speed(table_column=Column(no_wrap=True)),
            TimeRemainingColumn(table_column=Column(no_wrap=True)),
            console=Console(stderr=True) if console is None else console,
            transient=True,
        )

    def begin(self, name: str, total: int | None, /) -> ProgressTask:
        shown = printable(name)
        shown = shown if len(shown) <= NAME_WIDTH else "…" + shown[-NAME_WIDTH + 1 :]
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


class _Speed(ProgressColumn):
    """Bytes per second, in the same units as the sizes beside it."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{human_size(int(speed))}/s" if speed else "")


class _Bar:
    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars = bars
        self._task = task

    def advance(self, count: int, /) -> None:
        self._bars.advance(self._task, count)

    def end(self, outcome: str, /) -> None:
        self._bars.remove_task(self._task)
