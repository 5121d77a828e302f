"""Closing: what has a `close()` is a context manager that calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class Closing:
    """A stream or store that is closed at the end of its `with` block."""

    __slots__ = ()

    def close(self) -> None:
        """Give up whatever is held open; by default nothing is."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        self.close()
