"""The spool: files whose size no one can tell are written down first, and reported.

A tar header needs the size before the first byte. Everything that can tell its size is read
where it lies.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO

from kitline.store.pipeline import BLOCK_SIZE, fill
from kitline.store.source import FileStream

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

    from kitline.kit.tree import Entry
    from kitline.store.interface import ByteStream


class Spool:
    """Holds spooled files until it is closed; a context manager."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self._files: list[BinaryIO] = []

    def with_sizes(self, entries: Iterable[Entry]) -> list[Entry]:
        """Return the entries, each with a size."""
        return [entry if entry.size is not None else self._spool(entry) for entry in entries]

    def _spool(self, entry: Entry) -> Entry:
        assert entry.open is not None
        file = tempfile.TemporaryFile()  # noqa: SIM115  closed with the spool
        self._files.append(file)
        size, block = 0, memoryview(bytearray(BLOCK_SIZE))
        with entry.open(0) as stream:
            while count := fill(stream, block):
                file.write(block[:count])
                size += count
        file.flush()
        self.warnings.append(
            f"{entry.path!r} was copied to a temporary file first ({size} bytes):"
            " its source cannot tell its size"
        )
        number = file.fileno()

        def reopen(offset: int) -> ByteStream:
            return FileStream(number, offset)

        return replace(entry, size=size, open=reopen)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for file in self._files:
            file.close()
