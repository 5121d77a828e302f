"""FileTree: a KitTree for importers that know their files; folders and order follow from them."""

from __future__ import annotations

from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from kitline.frozen import dataclass
from kitline.kit.tree import Entry
from kitline.store.source import BytesSource

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kitline.kit.kitfile import Kitfile


@dataclass(frozen=True, kw_only=True)
class FileTree:
    """A Kitfile and files in any order; empty folders do not exist, as in most tools' stores."""

    kitfile: Kitfile
    files: Iterable[Entry]
    warnings: tuple[str, ...] = ()

    def entries(self) -> tuple[Entry, ...]:
        """Return folders and files, folders before their content, names in byte order."""
        files = tuple(self.files)
        folders = {
            str(parent): Entry(path=str(parent), is_folder=True, mode=0o755)
            for each in files
            for parent in PurePosixPath(each.path).parents
            if parent.name
        }
        return tuple(sorted((*folders.values(), *files), key=_walk_order))


def bytes_entry(path: str, content: bytes) -> Entry:
    """Return a file whose content is at hand."""
    return Entry(path=path, size=len(content), open=partial(BytesSource.open, BytesSource(content)))


def _walk_order(entry: Entry) -> list[bytes]:
    return [name.encode("utf-8", "surrogateescape") for name in entry.path.split("/")]
