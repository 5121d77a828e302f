"""A file or folder of this machine as content of a kit, read when its turn comes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kitline.errors import SourceError
from kitline.plugin import Code, Entry, FolderTree, Kitfile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class PathSource:
    """A file or a folder; links that leave the folder are refused when it is read."""

    tree: FolderTree
    is_folder: bool

    @property
    def warnings(self) -> Sequence[str]:
        """What is left out, such as sockets."""
        return self.tree.warnings

    def entries(self) -> Iterator[Entry]:
        """Yield the file under the empty path, or a folder under it and all that it holds."""
        if self.is_folder:
            yield Entry(path="", is_folder=True, mode=0o755)
            yield from self.tree.entries()
            return
        for entry in self.tree.entries():
            if not entry.is_folder:
                yield replace(entry, path="")


def path_source(path: Path, what: str) -> PathSource:
    """Open a file or folder; `what` is what a message calls it.

    Raises:
        SourceError: if it is not there; KFP lists outputs that a step never wrote, too.
    """
    if path.is_dir():
        return PathSource(tree=FolderTree(path, Kitfile(code=(Code(path="."),))), is_folder=True)
    if not path.is_file():
        raise SourceError(
            f"{what}: nothing is at {str(path)!r}; did the step that makes it write to the path of"
            " its output?"
        )
    # a path of a Kitfile that looks like a reference means another kit, but not for code
    tree = FolderTree(path.parent, Kitfile(code=(Code(path=path.name),)))
    return PathSource(tree=tree, is_folder=False)
