"""Receipts of cache entries: which files an entry has, so that an altered one is not used.

Names, sizes and times are compared, not content: what is read of each file is then its own, and
checking costs microseconds. Content was verified when it was written, and is read-only since.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME = "receipt.json"
_BYTECODE = "__pycache__"
"""Made by Python beside code that it imports; not a sign of damage."""


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """Size of all files together in bytes; of each, size and modification time in ns."""

    size: int
    files: dict[str, tuple[int, int]]

    @classmethod
    def find(cls, entry: Path) -> Receipt | None:
        """Return the receipt of an entry, None if it is missing or damaged."""
        try:
            found = json.loads((entry / _NAME).read_bytes())
            files = {name: (int(pair[0]), int(pair[1])) for name, pair in found["files"].items()}
            return cls(size=int(found["size"]), files=files)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError):
            return None

    @classmethod
    def write(cls, entry: Path) -> None:
        """Make the files of a new entry read-only and write down what they are."""
        tree = entry / "tree"
        tree.mkdir(exist_ok=True)  # a kit may hold nothing
        for path, status in _files(tree):
            mode = stat.S_IMODE(status.st_mode)
            os.chmod(os.path.join(tree, path), (mode | stat.S_IRUSR) & ~0o222)
        files = {path: (each.st_size, each.st_mtime_ns) for path, each in _files(tree)}
        size = sum(each for each, _ in files.values())
        text = json.dumps({"size": size, "files": files})
        (entry / _NAME).write_text(text, "utf-8")

    def describes(self, tree: Path) -> bool:
        """Tell whether the files of a tree are these."""
        try:
            found = {path: (each.st_size, each.st_mtime_ns) for path, each in _files(tree)}
        except OSError:
            return False
        return found == self.files


def _files(tree: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield all files below a tree, by path; links and other things count as files."""
    waiting = [""]
    while waiting:
        above = waiting.pop()
        with os.scandir(tree / above) as found:
            for each in found:
                path = f"{above}{each.name}"
                if not each.is_dir(follow_symlinks=False):
                    yield path, each.stat(follow_symlinks=False)
                elif each.name != _BYTECODE:
                    waiting.append(f"{path}/")
