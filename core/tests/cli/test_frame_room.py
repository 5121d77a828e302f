"""Frames of deep calls have room; nothing else is different."""

from __future__ import annotations

import sys
import traceback

import pytest
from kitline.cli.frame_room import call_with_room


def depth(levels: int) -> int:
    return 1 + depth(levels - 1) if levels else 0


def test_the_answer_is_the_function_s() -> None:
    assert call_with_room(lambda: depth(sys.getrecursionlimit() // 2)) == (
        sys.getrecursionlimit() // 2
    )


def test_an_error_passes_with_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        call_with_room(lambda: 1 // 0)

    names = [each.name for each in traceback.extract_tb(caught.value.__traceback__)]
    assert names[-2:] == ["call_with_room", "<lambda>"]


def test_recursion_without_end_is_still_seen() -> None:
    with pytest.raises(RecursionError):
        call_with_room(lambda: depth(10 * sys.getrecursionlimit()))
