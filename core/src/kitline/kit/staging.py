"""Staging: a folder is unpacked beside its target and put in its place when all of it is right.

Every name is created through the handles of its folders, never through a link and never over
something that is there. What fails leaves nothing behind.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from kitline.errors import TargetError, UnsafeLayer
from kitline.kit.file_names import require_utf8_names
from kitline.kit.layer_path import check_layer_path
from kitline.kit.limits import DEFAULT_LIMITS
from kitline.kit.new_folders import NewFolders, cannot_write
from kitline.kit.placing import Placing, open_below
from kitline.store.durable import (
    FileWriter,
    fsync_folder,
    make_folders,
    sync_filesystem,
    write_whole,
)
from kitline.store.locked_folder import make_locked_folder, remove_dead_folders, remove_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from kitline.kit.limits import Limits

Overwrite = Literal["refuse", "replace", "skip"]

_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LARGE: Final = 8 << 20
_PREFIX: Final = ".kitline-"
"""How the names of staging folders begin."""
_FILE_MODE: Final = 0o644


class Staging:
    """A context in which a folder is unpacked; `commit()` moves it to `target`.

    Args:
        target: The folder that is to hold the content; created with its parents if missing.
        overwrite: What to do with files that are there: `refuse` the whole, `replace` or `skip`
            them.
        durable: Whether all is on the disk before it is moved.
        limits: What is refused.

    Raises:
        TargetError: if the target is no folder or cannot be written.
    """

    def __init__(
        self,
        target: Path,
        overwrite: Overwrite = "refuse",
        *,
        durable: bool = True,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.target = Path(os.path.realpath(target))
        self.limits = limits
        self._overwrite = overwrite
        self._durable = durable
        self._modes: dict[str, int] = {}
        self._may_equal: set[str] = set()
        self._entries = 0
        self._umask = 0
        self._inherited = 0

    def __enter__(self) -> Self:
        require_utf8_names()
        self.folder, self._root = self._make_folder()
        self._folders = NewFolders(self._root, self.count_entry)
        mode = stat.S_IMODE(os.fstat(self._root).st_mode)
        self._umask = 0o777 & ~mode
        self._inherited = mode & stat.S_ISGID
        os.fchmod(self._root, 0o700 | self._inherited)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        self._folders.close()
        remove_tree(self.folder)
        os.close(self._root)

    def add_folder(self, path: str, mode: int) -> None:
        """Make a folder with all that lead to it; one that is there gets the mode."""
        self._folders.handle(path)
        self._modes[path] = mode & 0o1777 & ~self._umask

    def create_file(self, path: str, mode: int, size: int | None) -> FileInStaging:
        """Create a file that must not be there yet; `path` is checked by the caller."""
        self.count_entry(path)
        above, _, name = path.rpartition("/")
        folder = self._folders.handle(above)
        try:
            fd = os.open(name, _NEW_FILE, mode & 0o777, dir_fd=folder)
        except FileExistsError:
            raise UnsafeLayer(
                f"cannot unpack {path!r}: the kit holds it twice, or the file system takes it for "
                "another name of the kit; nothing was kept"
            ) from None
        except OSError as cause:
            raise cannot_write(path, cause) from cause
        return FileInStaging(fd, path, size)

    def write_file(
        self, path: str, content: bytes, mode: int = _FILE_MODE, *, may_equal: bool = False
    ) -> None:
        """Write a small file, such as the Kitfile.

        With `may_equal` a file of the target with the same content is no conflict.
        """
        path = check_layer_path(path, "Kitfile", self.limits)
        file = self.create_file(path, mode, len(content))
        try:
            file.write(memoryview(content))
        finally:
            file.close()
        if may_equal:
            self._may_equal.add(path)

    def count_entry(self, path: str) -> None:
        """Count one more file or folder.

        Raises:
            UnsafeLayer: if the kit holds too many.
        """
        self._entries += 1
        if self._entries > self.limits.entries:
            raise UnsafeLayer(
                f"cannot unpack {path!r}: the kit holds more than {self.limits.entries} files "
                "and folders; nothing was kept"
            )

    def commit(self) -> None:
        """Put everything in its place.

        Raises:
            TargetError: if files are in the way; then nothing was moved.
        """
        self._folders.close()
        placing = Placing(self._root, self.target, self._overwrite, self._may_equal)
        try:
            placing.check()
            if self._may_rename_whole():
                self._rename_whole()
            else:
                self._sync(self._root)
                placing.move()
                # later: a folder without write permission could not be moved
                self._set_modes(placing.is_new, placing.target_fd)
                self._sync(placing.target_fd)
        except OSError as cause:
            raise TargetError(
                f"cannot put the kit into {str(self.target)!r}: {cause.strerror}"
                + (f" ({cause.filename!r})" if cause.filename else "")
            ) from cause
        finally:
            placing.close()

    def _rename_whole(self) -> None:
        self._set_modes(lambda _: True, self._root)
        os.fchmod(self._root, self._inherited | (0o777 & ~self._umask))
        self._sync(self._root)
        os.rename(self.folder, self.target)
        if self._durable:
            fsync_folder(self.target.parent)

    def _sync(self, fd: int) -> None:
        if self._durable:
            sync_filesystem(fd)

    def _may_rename_whole(self) -> bool:
        """Tell whether the target is missing, or empty and nobody's working folder."""
        if self.folder.parent != self.target.parent:
            return False
        try:
            found = os.lstat(self.target)
        except FileNotFoundError:
            return True
        own = os.fstat(self._root)
        return (
            not os.listdir(self.target)
            and not _is_working_folder(found)
            and (found.st_uid, found.st_gid) == (own.st_uid, own.st_gid)
            and stat.S_IMODE(found.st_mode) == self._inherited | (0o777 & ~self._umask)
        )

    def _set_modes(self, is_ours: Callable[[str], bool], root: int) -> None:
        """Give folders their modes, inner ones first, since an outer one may then be closed."""
        for path in sorted(self._modes, reverse=True):
            if is_ours(path):
                with open_below(root, path) as fd:
                    mode = stat.S_IMODE(os.fstat(fd).st_mode)
                    wanted = self._modes[path] | (mode & stat.S_ISGID)
                    if mode != wanted:
                        os.fchmod(fd, wanted)

    def _make_folder(self) -> tuple[Path, int]:
        """Make the staging folder: beside the target, inside of it if that is a mount point."""
        target = self.target
        try:
            make_folders(target.parent)
            if os.path.lexists(target) and not target.is_dir():
                raise TargetError(f"cannot unpack into {str(target)!r}: it is no folder")
            inside = target.is_dir() and not _is_neighbour(target)
            place = target if inside else target.parent
            remove_dead_folders(place, _PREFIX)
            return make_locked_folder(place, _PREFIX)
        except OSError as cause:
            raise TargetError(f"cannot unpack into {str(target)!r}: {cause.strerror}") from cause


class FileInStaging:
    """A new file that is being written; large ones go past the page cache."""

    __slots__ = ("_fd", "_path", "_writer")

    def __init__(self, fd: int, path: str, size: int | None) -> None:
        self._fd = fd
        self._path = path
        large = size is None or size >= _LARGE
        self._writer = FileWriter(fd, size=size) if large else None

    def write(self, view: memoryview) -> None:
        """Write all of `view`.

        Raises:
            TargetError: if the disk is full or broken.
        """
        try:
            if self._writer is not None:
                self._writer.write(view)
                return
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as cause:
            raise cannot_write(self._path, cause) from cause

    def write_whole(self, view: memoryview) -> None:
        """Write all that the file is to hold, past the page cache as far as `view` is aligned.

        Raises:
            TargetError: if the disk is full or broken.
        """
        if self._writer is not None:
            self.write(view)
            return
        try:
            write_whole(self._fd, view)
        except OSError as cause:
            raise cannot_write(self._path, cause) from cause

    def close(self) -> None:
        """Close the file; again is no error."""
        if self._fd < 0:
            return
        try:
            if self._writer is not None:
                self._writer.finish()
        finally:
            os.close(self._fd)
            self._fd = -1


def _is_working_folder(status: os.stat_result) -> bool:
    """Tell whether a shell may sit in the folder: replacing it would leave that in the void."""
    try:
        return os.path.samestat(status, os.stat("."))
    except OSError:
        return False


def _is_neighbour(target: Path) -> bool:
    """Tell whether something beside the target can be renamed to it."""
    parent = target.parent
    return os.stat(parent).st_dev == os.stat(target).st_dev and os.access(parent, os.W_OK | os.X_OK)
