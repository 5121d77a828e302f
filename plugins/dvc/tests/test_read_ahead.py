"""Reading ahead: many requests at once, in order, and never more than a budget in memory."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import cast

import pytest
from kitline.errors import SourceError
from kitline_dvc.read_ahead import BLOCK, BUDGET, REQUESTS, Fetcher, ReadAhead


class CountingFetcher:
    """Answers at once, and counts what has been asked for and not been read yet."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.contents = contents
        self.asked = 0
        self.bytes = 0
        self.ranges: list[tuple[str, int | None, int | None]] = []
        self.lock = threading.Lock()

    def fetch(self, path: str, start: int | None, end: int | None) -> Future[bytes]:
        self.asked += 1
        self.ranges.append((path, start, end))
        future: Future[bytes] = Future()
        if path in self.contents:
            content = self.contents[path][start:end]
            self.bytes += len(content)
            future.set_result(content)
        else:
            future.set_exception(FileNotFoundError(path))
        return future


def ahead_of(
    contents: dict[str, bytes], *, ranged: bool = False
) -> tuple[CountingFetcher, ReadAhead]:
    fetcher = CountingFetcher(contents)
    files = [(path, len(content)) for path, content in contents.items()]
    return fetcher, ReadAhead(cast("Fetcher", fetcher), files, ranged=ranged)


def read(ahead: ReadAhead, index: int) -> bytes:
    result = bytearray()
    buffer = bytearray(1 << 20)
    with ahead.open(index) as stream:
        while count := stream.readinto(memoryview(buffer)):
            result += buffer[:count]
    return bytes(result)


def test_small_files_are_asked_for_before_they_are_read() -> None:
    contents = {str(n): b"%d" % n for n in range(200)}
    fetcher, ahead = ahead_of(contents)
    assert read(ahead, 0) == b"0"
    assert REQUESTS <= fetcher.asked <= REQUESTS + 1
    assert [read(ahead, n) for n in range(1, 200)] == [b"%d" % n for n in range(1, 200)]
    assert fetcher.asked == 200


def test_what_waits_in_memory_stays_below_the_budget() -> None:
    content = bytes(BLOCK) * 20
    fetcher, ahead = ahead_of({"a": content, "b": content})
    taken = 0
    for index in (0, 1):
        for start in range(0, len(content), BLOCK):
            taken += len(ahead.take(index, start))
            assert fetcher.bytes - taken <= BUDGET
    assert fetcher.bytes == 2 * len(content)


def test_reading_elsewhere_begins_anew() -> None:
    contents = {str(n): b"%d" % n for n in range(300)}
    _, ahead = ahead_of(contents)
    assert read(ahead, 5) == b"5"
    assert read(ahead, 250) == b"250"
    assert read(ahead, 0) == b"0"
    assert read(ahead, 1) == b"1"


def test_no_more_is_asked_for_than_the_size_that_is_known() -> None:
    fetcher, ahead = ahead_of({"a": b"abc"}, ranged=True)
    assert read(ahead, 0) == b"abc"
    assert fetcher.ranges == [("a", 0, 3)]


def test_a_file_that_is_not_there_is_an_error_when_its_turn_comes() -> None:
    fetcher = CountingFetcher({"a": b"a"})
    ahead = ReadAhead(cast("Fetcher", fetcher), [("a", 1), ("b", 1)])
    assert read(ahead, 0) == b"a"
    with pytest.raises(SourceError, match="the remote does not hold 'b'"):
        read(ahead, 1)
