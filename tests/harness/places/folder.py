"""Places whose files are files of this disk."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class FolderPlace:
    """A folder that a server shows."""

    def __init__(self, uri: str, folder: Path) -> None:
        self.uri = uri
        self.asked = 0
        self.cuts: list[int] = []
        self._folder = folder
        self._time = time.time()

    def put(self, name: str, content: bytes) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self._time += 10
        os.utime(path, (self._time, self._time))

    def delete(self, name: str) -> None:
        (self._folder / name).unlink()

    def cut(self, *counts: int) -> None:
        self.cuts[:] = counts

    def next_answer(self) -> int:
        """Count an answer, and return how many bytes it may have."""
        self.asked += 1
        return self.cuts.pop(0) if self.cuts else 1 << 62
