"""Handles of the folders of a tree: reading below a root without ever following a link."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Final, NamedTuple

from kitline.errors import SourceChanged, SourceError
from kitline.store.closing import Closing

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.kit.tree import Fingerprint

_FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# a FIFO put in a file's place must not block
_FILE_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_KEPT_OPEN: Final = 32


class Node(NamedTuple):
    """One name in the tree: `path` as packed, `real` where it lies below the root."""

    path: str
    real: str
    status: os.stat_result
    kind: int
    """One of `stat.S_IFREG`, `stat.S_IFDIR`, …: of a link itself, not of what it points at."""
    above: tuple[tuple[int, int], ...]
    """Device and inode of the real folders that lead here, to see circles of links."""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, not a link to one."""
        return self.kind == stat.S_IFDIR


class _Handle:
    """An open folder, closed when nothing refers to it."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __del__(self) -> None:
        os.close(self.fd)


class FolderHandles:
    """Opens the folders below `root`, part by part, and keeps the last few open."""

    def __init__(self, root: Path) -> None:
        self.root = os.path.realpath(root)
        self._open: dict[str, _Handle] = {}

    def root_node(self) -> Node:
        """Return the root itself."""
        handle = self.handle("")
        return Node("", "", os.fstat(handle.fd), stat.S_IFDIR, ())

    def handle(self, real: str) -> _Handle:
        """Open the folder at `real`, `/`-separated below the root."""
        handle = self._open.get(real)
        if handle is None:
            handle = self._open_folder(real)
            if len(self._open) >= _KEPT_OPEN:
                self._open.clear()
            self._open[real] = handle
        return handle

    def _open_folder(self, real: str) -> _Handle:
        try:
            if not real:
                return _Handle(os.open(self.root, _FOLDER_FLAGS & ~os.O_NOFOLLOW))
            above, _, name = real.rpartition("/")
            # a name for the handle: another thread may drop it from the open ones
            folder = self.handle(above)
            return _Handle(os.open(name, _FOLDER_FLAGS, dir_fd=folder.fd))
        except OSError as cause:
            shown = os.path.join(self.root, real) if real else self.root
            raise SourceError(f"cannot read the folder {shown!r}: {cause.strerror}") from cause

    def children(self, folder: Node) -> list[Node]:
        """List a folder, links as links, in no particular order."""
        prefix = folder.path + "/" if folder.path else ""
        real_prefix = folder.real + "/" if folder.real else ""
        above = (*folder.above, (folder.status.st_dev, folder.status.st_ino))
        handle = self.handle(folder.real)
        with os.scandir(handle.fd) as found:
            return [
                Node(
                    prefix + each.name,
                    real_prefix + each.name,
                    status := each.stat(follow_symlinks=False),
                    stat.S_IFMT(status.st_mode),
                    above,
                )
                for each in found
            ]

    def resolve(self, link: Node) -> Node:
        """Return what a link points at, under the link's own path.

        Raises:
            SourceError: if it points outside of the root, nowhere, or in circles.
        """
        place = os.path.join(self.root, link.real)
        try:
            target = os.path.realpath(place, strict=True)
            status = os.stat(target, follow_symlinks=False)
        except OSError as cause:
            circles = cause.errno == errno.ELOOP
            found = "it goes in circles" if circles else "what it points at does not exist"
            raise _bad_link(link, found) from cause
        if target != self.root and not target.startswith(self.root.rstrip("/") + "/"):
            raise _bad_link(link, f"it leaves the folder, to {target!r}")
        if (status.st_dev, status.st_ino) in link.above:
            raise _bad_link(link, "it goes in circles, to a folder that holds it")
        real = os.path.relpath(target, self.root)
        kind = stat.S_IFMT(status.st_mode)
        return Node(link.path, "" if real == "." else real, status, kind, link.above)


def _bad_link(link: Node, reason: str) -> SourceError:
    return SourceError(
        f"cannot pack the link {link.path!r}: {reason}; "
        "list it in '.kitignore' or leave links out ('--symlinks skip')"
    )


class ListedFile:
    """A file as it was listed: opens it and tells whether it is still the same."""

    __slots__ = ("_folder", "_handles", "_name", "_path", "listed")

    def __init__(self, handles: FolderHandles, node: Node) -> None:
        self._handles = handles
        self._path = node.path
        self._folder, _, self._name = node.real.rpartition("/")
        self.listed = fingerprint(node.status)

    def fingerprint(self) -> Fingerprint:
        """Read the fingerprint as it is now."""
        try:
            folder = self._handles.handle(self._folder)
            return fingerprint(os.stat(self._name, dir_fd=folder.fd, follow_symlinks=False))
        except FileNotFoundError as cause:
            raise _changed(self._path, "is gone") from cause

    def open(self, offset: int) -> FileStream:
        """Open the content at `offset` bytes.

        Raises:
            SourceChanged: if the file is not the one that was listed.
        """
        folder = self._handles.handle(self._folder)
        try:
            fd = os.open(self._name, _FILE_FLAGS, dir_fd=folder.fd)
        except FileNotFoundError as cause:
            raise _changed(self._path, "is gone") from cause
        except OSError as cause:
            if cause.errno == errno.ELOOP:
                raise _changed(self._path, "became a link") from cause
            raise SourceError(f"cannot read {self._path!r}: {cause.strerror}") from cause
        stream = FileStream(fd)
        try:
            if fingerprint(os.fstat(fd)) != self.listed:
                raise _changed(self._path, "was written to")
            if offset:
                os.lseek(fd, offset, os.SEEK_SET)
        except BaseException:
            stream.close()
            raise
        return stream


class FileStream(Closing):
    """The bytes of an open file; takes over the descriptor."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the front of `buffer`; return how many bytes, 0 only at the end."""
        return os.readv(self._fd, [buffer]) if len(buffer) else 0

    def fingerprint(self) -> Fingerprint:
        """Return the fingerprint of the file as it is now."""
        return fingerprint(os.fstat(self._fd))

    def close(self) -> None:
        """Close the file; again is no error."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def fingerprint(status: os.stat_result) -> Fingerprint:
    """Return what tells a file unchanged without reading it."""
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _changed(path: str, what: str) -> SourceChanged:
    return SourceChanged(
        f"cannot pack {path!r}: the file {what} since the folder was listed; "
        "pack again when nothing writes to it"
    )
