"""Folders as the first source of kits: a walk that never leaves the folder.

Names come in byte order, folders before their content. Every file is opened through the handles
of its folders, without following links, and only if it is still the file that was listed.
"""

from __future__ import annotations

import os
import posixpath
import stat
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

from kitline.errors import SourceError
from kitline.kit.file_names import require_utf8_names
from kitline.kit.ignore import IGNORE_FILE, IgnoreRules
from kitline.kit.open_folder import FolderHandles, ListedFile, Node
from kitline.kit.tree import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from kitline.kit.kitfile import Kitfile

Symlinks = Literal["follow", "skip"]
Modes = Literal["normalise", "keep"]

_IGNORE_LIMIT: Final = 1 << 20
_FILE_MODE: Final = 0o644
_EXECUTABLE_MODE: Final = 0o755


class FolderTree:
    """A KitTree over a folder. Only what some entry of the Kitfile may hold is looked at.

    Args:
        root: The folder.
        kitfile: What is packed; None derives one from the content (`kit.derive`).
        symlinks: `follow` packs what links inside of the folder point at and refuses links that
            leave it; `skip` leaves links out with a warning, as kit does.
        modes: `normalise` to 0644 and 0755, so that every host gets the same digest; `keep` the
            permission bits on disk, as kit does.
    """

    def __init__(
        self,
        root: Path,
        kitfile: Kitfile | None = None,
        *,
        symlinks: Symlinks = "follow",
        modes: Modes = "normalise",
    ) -> None:
        self.root = root
        self._given = kitfile
        self._follow = symlinks == "follow"
        self._keep_modes = modes == "keep"
        self._handles = FolderHandles(root)
        self._warnings: list[str] = []

    @cached_property
    def kitfile(self) -> Kitfile:
        """The Kitfile given, or the one derived from the content."""
        if self._given is not None:
            return self._given
        from kitline.kit.derive import derive_kitfile

        return derive_kitfile(self.entries())

    @property
    def warnings(self) -> Sequence[str]:
        """What was left out and which names clash, known once `entries()` was asked for."""
        self.entries()
        return tuple(self._warnings)

    @cached_property
    def left_out(self) -> frozenset[str]:
        """Layer paths that exist on disk while the tree has nothing there: links, ignored ones."""
        kept = {entry.path for entry in self.entries()}
        return frozenset(path for path in self._paths if path not in kept)

    def entries(self) -> Sequence[Entry]:
        """Return folders and files; the folder is walked once.

        Raises:
            SourceError: if a path of the Kitfile does not exist, a link leaves the folder or goes
                in circles, or a name is not valid UTF-8.
        """
        return self._entries

    @cached_property
    def _entries(self) -> tuple[Entry, ...]:
        require_utf8_names()
        self._check_paths()
        return tuple(self._walk())

    @cached_property
    def _paths(self) -> tuple[str, ...]:
        if self._given is None:
            return (".",)
        return tuple(part.clean_path for part in self._given.parts())

    @cached_property
    def _rules(self) -> IgnoreRules:
        path = self.root / IGNORE_FILE
        try:
            if path.exists() and not path.is_file():  # a FIFO would keep us waiting
                raise SourceError(
                    f"cannot read {str(path)!r}: it is no file; remove it, or write the patterns"
                    " of what to leave out into a file of that name"
                )
            with path.open("rb") as file:
                data = file.read(_IGNORE_LIMIT + 1)
        except FileNotFoundError:
            return IgnoreRules()
        except OSError as cause:
            raise SourceError(f"cannot read {str(path)!r}: {cause.strerror}") from cause
        if len(data) > _IGNORE_LIMIT:
            raise SourceError(f"cannot read {str(path)!r}: more than {_IGNORE_LIMIT} bytes")
        try:
            return IgnoreRules.parse(data.decode())
        except UnicodeDecodeError as cause:
            raise SourceError(f"cannot read {str(path)!r}: it is not UTF-8") from cause

    def _check_paths(self) -> None:
        if self._given is None:
            return
        for part in self._given.parts():
            path = part.clean_path
            if posixpath.isabs(path) or path.split("/", 1)[0] == "..":
                raise SourceError(f"{part.field}.path: {part.path!r} leaves the folder")
            if not os.path.lexists(self.root / path):
                raise SourceError(
                    f"{part.field}.path: nothing to pack at {part.path!r}; "
                    f"{str(self.root)!r} has no such file or folder"
                )

    def _is_inside(self, path: str) -> bool:
        """Tell whether a layer holds the path or is it."""
        return any(layer in (".", path) or path.startswith(layer + "/") for layer in self._paths)

    def _is_wanted(self, path: str) -> bool:
        """Tell whether a layer holds the path, lies below it or is it."""
        return self._is_inside(path) or any(layer.startswith(path + "/") for layer in self._paths)

    def _walk(self) -> Iterator[Entry]:
        rules = self._rules
        root = self._handles.root_node()
        stack = [iter(self._children(root))]
        while stack:
            node = next(stack[-1], None)
            if node is None:
                stack.pop()
                continue
            ignored = rules.ignores(node.path)
            if ignored and not (node.is_folder and rules.has_exceptions):
                continue
            node = self._follow_link(node, ignored=ignored)
            if node is None:
                continue
            if node.is_folder:
                stack.append(iter(self._children(node)))
            if not ignored:
                yield self._entry(node)

    def _children(self, folder: Node) -> list[Node]:
        """List a folder in byte order, leaving out what no layer wants."""
        found = self._handles.children(folder)
        if not self._is_inside(folder.path):
            found = [node for node in found if self._is_wanted(node.path)]
        found.sort(key=_in_bytes)
        self._warn_of_clashes(found)
        return found

    def _follow_link(self, node: Node, *, ignored: bool) -> Node | None:
        """Return what is to be packed in place of a node, or None if nothing is."""
        if not ignored and not node.path.isascii():
            _check_unicode(node.path)
        if node.kind == stat.S_IFLNK:
            if not self._follow:
                self._warnings.append(f"the link {node.path!r} is left out, as kit does")
                return None
            node = self._handles.resolve(node)
        if node.kind in (stat.S_IFREG, stat.S_IFDIR):
            return node
        if not ignored:
            self._warnings.append(f"{node.path!r} is left out: it is no file and no folder")
        return None

    def _entry(self, node: Node) -> Entry:
        mode = stat.S_IMODE(node.status.st_mode)
        if node.is_folder:
            kept = mode if self._keep_modes else _EXECUTABLE_MODE
            return Entry(path=node.path, is_folder=True, mode=kept)
        if not self._keep_modes:
            mode = _EXECUTABLE_MODE if mode & stat.S_IXUSR else _FILE_MODE
        file = ListedFile(self._handles, node)
        return Entry(
            path=node.path,
            mode=mode,
            size=node.status.st_size,
            open=file.open,
            fingerprint=file.fingerprint,
            listed=file.listed,
            mtime_ns=node.status.st_mtime_ns,
        )

    def _warn_of_clashes(self, nodes: list[Node]) -> None:
        if len({node.path.casefold() for node in nodes}) == len(nodes):
            return
        seen: dict[str, str] = {}
        for node in nodes:
            first = seen.setdefault(node.name.casefold(), node.path)
            if first != node.path:
                self._warnings.append(
                    f"{first!r} and {node.path!r} differ by case only: "
                    "they cannot both be unpacked on macOS or Windows"
                )


def _in_bytes(node: Node) -> bytes:
    """Return the path as on disk, where names are UTF-8 (`require_utf8_names`)."""
    return node.path.encode(errors="surrogateescape")


def _check_unicode(path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise SourceError(
            f"cannot pack {os.fsencode(path)!r}: the name is not valid UTF-8; rename it "
            f"or list it in {IGNORE_FILE!r}"
        ) from None
