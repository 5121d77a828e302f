"""Room for Python's frames, so that deep calls do not ask the system for memory again and again.

CPython lays frames into chunks of 16 KiB and unmaps a chunk when its first frame ends. A loop that
happens to call across the edge of one maps, clears and unmaps a page with each call; commands did
so thousands of times while they loaded modules. A frame that is too large for a chunk gets a larger
one, and what is left of that holds all frames above it, up to the limit of recursion.

Source: CPython 3.11 to 3.13, Python/pystate.c, `push_chunk` and `_PyThreadState_PopFrame`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = TypeVar("Answer")

_WORDS: Final = 65_000
"""Just over a half of 1 MiB: CPython doubles the chunk to that, and the other half is the room.
None of it is touched before it is used."""


def call_with_room(function: Callable[[], Answer]) -> Answer:
    """Call a function with room for all the frames that it may need."""
    return function()


call_with_room.__code__ = call_with_room.__code__.replace(co_stacksize=_WORDS)
