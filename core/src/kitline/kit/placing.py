"""Placing: moving an unpacked folder into a target that has content of its own.

First everything is compared, then moved: a conflict moves nothing. Folders that the target does
not have are renamed whole, files one by one. No link of the target is ever followed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kitline.errors import TargetError
from kitline.kit.new_folders import FOLDER_FLAGS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet
    from pathlib import Path

_READ_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_SHOWN: Final = 5


@dataclass(frozen=True)
class _Move:
    """One rename: a new file, a new folder with all below it, or a file in place of another."""

    folder: str
    name: str
    is_folder: bool


class Placing:
    """Compares the staged folder with the target, then moves it there."""

    def __init__(
        self, source_fd: int, target: Path, overwrite: str, may_equal: AbstractSet[str]
    ) -> None:
        self._source = source_fd
        self._target = target
        self._overwrite = overwrite
        self._may_equal = may_equal
        self._moves: list[_Move] = []
        self._conflicts: list[str] = []
        self._new: set[str] = set()
        self.target_fd = -1

    def check(self) -> None:
        """Compare.

        Raises:
            TargetError: if something is in the way; the first few paths are listed.
        """
        try:
            self.target_fd = os.open(self._target, FOLDER_FLAGS)
        except FileNotFoundError:
            return
        self._compare("", os.dup(self._source), os.dup(self.target_fd))
        if self._conflicts:
            raise self._refusal()

    def move(self) -> None:
        """Move everything that `check` found may be moved."""
        for each in self._moves:
            with (
                open_below(self._source, each.folder) as source,
                open_below(self.target_fd, each.folder) as target,
            ):
                os.rename(each.name, each.name, src_dir_fd=source, dst_dir_fd=target)

    def is_new(self, path: str) -> bool:
        """Tell whether a folder came with this kit, rather than being the target's own."""
        parts = path.split("/")
        return any("/".join(parts[: count + 1]) in self._new for count in range(len(parts)))

    def close(self) -> None:
        """Close the target."""
        if self.target_fd >= 0:
            os.close(self.target_fd)

    def _compare(self, folder: str, source: int, target: int) -> None:
        """Compare one folder; takes over both handles."""
        try:
            for name in sorted(os.listdir(source)):
                path = f"{folder}/{name}" if folder else name
                self._compare_name(path, folder, name, source, target)
        finally:
            os.close(source)
            os.close(target)

    def _compare_name(self, path: str, folder: str, name: str, source: int, target: int) -> None:
        staged = os.stat(name, dir_fd=source, follow_symlinks=False)
        is_folder = stat.S_ISDIR(staged.st_mode)
        try:
            found = os.stat(name, dir_fd=target, follow_symlinks=False)
        except FileNotFoundError:
            self._moves.append(_Move(folder, name, is_folder))
            if is_folder:
                self._new.add(path)
            return
        if is_folder:
            self._compare_folders(path, name, source, target, found)
        else:
            self._compare_files(path, folder, name, target, found)

    def _compare_folders(
        self, path: str, name: str, source: int, target: int, found: os.stat_result
    ) -> None:
        if stat.S_ISDIR(found.st_mode):
            below = os.open(name, FOLDER_FLAGS, dir_fd=target)
            self._compare(path, os.open(name, FOLDER_FLAGS, dir_fd=source), below)
        elif stat.S_ISLNK(found.st_mode):
            self._conflicts.append(f"{path!r} is a link, which is not followed")
        else:
            self._conflicts.append(f"{path!r} is a file where the kit has a folder")

    def _compare_files(
        self, path: str, folder: str, name: str, target: int, found: os.stat_result
    ) -> None:
        if stat.S_ISDIR(found.st_mode):
            self._conflicts.append(f"{path!r} is a folder where the kit has a file")
        elif self._overwrite == "replace":
            self._moves.append(_Move(folder, name, is_folder=False))
        elif self._overwrite == "refuse" and not self._is_equal(path, target, name):
            self._conflicts.append(f"{path!r} exists")

    def _is_equal(self, path: str, target: int, name: str) -> bool:
        if path not in self._may_equal:
            return False
        with open_below(self._source, path.rpartition("/")[0]) as source:
            return _read(source, name) == _read(target, name)

    def _refusal(self) -> TargetError:
        shown = "; ".join(self._conflicts[:_SHOWN])
        more = len(self._conflicts) - _SHOWN
        tail = f"; and {more} more" if more > 0 else ""
        advice = (
            "" if self._overwrite == "replace" else "; choose another folder, or use '--overwrite'"
        )
        return TargetError(
            f"cannot unpack into {str(self._target)!r}: {shown}{tail}{advice}; nothing was changed"
        )


@contextlib.contextmanager
def open_below(root: int, path: str) -> Iterator[int]:
    """Open the folder at `path` below `root`, part by part, without following links."""
    fd = os.dup(root)
    try:
        for name in path.split("/") if path else ():
            above = fd
            fd = os.open(name, FOLDER_FLAGS, dir_fd=above)
            os.close(above)
        yield fd
    finally:
        os.close(fd)


def _read(folder: int, name: str) -> bytes | None:
    """Return the content of a small file, None if it is no file."""
    try:
        fd = os.open(name, _READ_FLAGS, dir_fd=folder)
    except OSError as cause:
        if cause.errno in (errno.ELOOP, errno.ENXIO, errno.EACCES):
            return None
        raise
    with open(fd, "rb") as file:
        return file.read(1 << 22) if stat.S_ISREG(os.fstat(fd).st_mode) else None
