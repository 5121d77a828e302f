"""A large file is hashed behind the reader, also if every block comes through one buffer."""

from __future__ import annotations

from hashlib import md5
from typing import TYPE_CHECKING

import pytest
from kitline.errors import SourceError
from kitline.store.source import BytesSource
from kitline_dvc.md5 import CheckedStream
from kitline_dvc.md5_behind import BEHIND_FROM

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTENT = bytes(range(256)) * ((BEHIND_FROM + 1000) // 256)


def checked(content: bytes, name: str) -> CheckedStream:
    return CheckedStream(BytesSource(content).open(), name, len(CONTENT), SourceError)


@pytest.mark.parametrize("buffers", [1, 2, 6])
def test_reading_a_large_file_through_few_buffers(buffers: int) -> None:
    def ring() -> Iterator[memoryview]:
        blocks = [memoryview(bytearray(100_000)) for _ in range(buffers)]
        while True:
            yield from blocks

    found = bytearray()
    with checked(CONTENT, md5(CONTENT, usedforsecurity=False).hexdigest()) as stream:
        for each in ring():
            count = stream.readinto(each)
            if not count:
                break
            found += each[:count]
    assert found == CONTENT


def test_one_changed_byte_of_a_large_file_is_found_with_the_last_block() -> None:
    changed = bytearray(CONTENT)
    changed[5_000_000] ^= 1
    name = md5(CONTENT, usedforsecurity=False).hexdigest()
    with checked(bytes(changed), name) as stream, pytest.raises(SourceError, match="it has md5"):
        stream.skip(len(CONTENT))
