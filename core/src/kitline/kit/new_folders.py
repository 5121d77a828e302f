"""Folders made below a root, through handles and never through a link."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

from kitline.errors import TargetError, UnsafeLayer

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_KEPT_OPEN: Final = 64


class NewFolders:
    """Makes folders below the open folder `root` and keeps the last few open.

    `on_new` is told the path of each folder that was made.
    """

    def __init__(self, root: int, on_new: Callable[[str], None]) -> None:
        self._root = root
        self._on_new = on_new
        self._open: dict[str, int] = {}

    def handle(self, path: str) -> int:
        """Return a handle of a folder, made with all that lead to it if it is not there.

        The handle is good until the next call.
        """
        if not path:
            return self._root
        fd = self._open.get(path)
        if fd is None:
            above, _, name = path.rpartition("/")
            fd = self._open_or_make(name, self.handle(above), path)
            if len(self._open) >= _KEPT_OPEN:
                self.close()
            self._open[path] = fd
        return fd

    def close(self) -> None:
        """Close all but the root."""
        for fd in self._open.values():
            os.close(fd)
        self._open.clear()

    def _open_or_make(self, name: str, above: int, path: str) -> int:
        try:
            try:
                os.mkdir(name, 0o777, dir_fd=above)
            except FileExistsError:
                pass
            else:
                self._on_new(path)
            return os.open(name, FOLDER_FLAGS, dir_fd=above)
        except OSError as cause:
            if cause.errno in (errno.ENOTDIR, errno.ELOOP):
                raise UnsafeLayer(
                    f"cannot unpack {path!r}: the kit holds a file and a folder of this name; "
                    "nothing was kept"
                ) from None
            raise cannot_write(path, cause) from cause


def cannot_write(path: str, cause: OSError) -> TargetError:
    """Return the error for a file or folder that could not be made or written."""
    return TargetError(f"cannot write {path!r}: {cause.strerror}; nothing was kept")
