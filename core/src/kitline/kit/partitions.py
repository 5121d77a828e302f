"""Partitions: which entries of a tree go into which layer, by path or as the tree itself says.

Datasets may share one path if they are parts of it, one layer each: kit 1.15.0 unpacks, lists and
filters such kits, and the unpacked folder holds all of them. Which file belongs to which part then
cannot follow from paths; the tree says it, and each file goes into one layer exactly.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from kitline.errors import SourceError
from kitline.kit.tree import PartitionedTree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline.kit.kitfile import KitPart
    from kitline.kit.tree import Entry, KitTree


class Partitions:
    """The entries that each part may hold.

    Raises:
        SourceError: if parts share a path and the tree does not say what belongs to which.
    """

    def __init__(self, tree: KitTree, entries: Sequence[Entry]) -> None:
        self._tree = tree if isinstance(tree, PartitionedTree) else None
        self._entries = entries
        self._by_path = {each.path: each for each in entries} if self._tree else {}
        self._holders: dict[str, str] = {}
        if self._tree is None:
            _refuse_shared_paths(tree.kitfile.parts())

    def candidates(self, part: KitPart) -> Sequence[Entry]:
        """Return what is to be looked through for a part: all entries, or what the tree says."""
        if self._tree is None:
            return self._entries
        found = self._tree.part_entries(part.field)
        outside = [each.path for each in found if not _fits(each, part.clean_path)]
        unknown = [each.path for each in found if not each.is_folder and not self._known(each)]
        if outside or unknown:
            path, why = (
                (outside[0], f"outside of {part.clean_path!r}")
                if outside
                else (unknown[0], "not among the tree's entries")
            )
            raise SourceError(f"{part.field}: the tree puts {path!r} into it, which is {why}")
        # the one from the tree's own list has a size, even if it had to be spooled
        return [self._by_path.get(each.path, each) for each in found]

    def take(self, part: KitPart, chosen: Sequence[Entry]) -> None:
        """Note what a layer holds.

        Raises:
            SourceError: if another layer holds one of the files too.
        """
        if self._tree is None:
            return
        for each in chosen:
            if each.is_folder:
                continue
            other = self._holders.setdefault(each.path, part.field)
            if other != part.field:
                raise SourceError(f"{other} and {part.field} both hold {each.path!r}")

    def check_whole(self) -> None:
        """Refuse to lose files.

        Raises:
            SourceError: if a file is in no layer.
        """
        if self._tree is None:
            return
        for each in self._entries:
            if not each.is_folder and each.path not in self._holders:
                raise SourceError(f"{each.path!r} is in no entry of the Kitfile")

    def _known(self, entry: Entry) -> bool:
        return entry.path in self._by_path


def shared_paths(parts: Sequence[KitPart]) -> dict[str, list[KitPart]]:
    """Return the paths that several parts have, with those parts."""
    found: dict[str, list[KitPart]] = defaultdict(list)
    for part in parts:
        found[part.clean_path].append(part)
    return {path: sharing for path, sharing in found.items() if len(sharing) > 1}


def _refuse_shared_paths(parts: Sequence[KitPart]) -> None:
    for path, sharing in shared_paths(parts).items():
        fields = " and ".join(part.field for part in sharing[:2])
        raise SourceError(
            f"{fields} share the path {path!r}, and nothing says which files belong to which;"
            " give each a path of its own"
        )


def _fits(entry: Entry, path: str) -> bool:
    inside = path in (".", entry.path) or entry.path.startswith(path + "/")
    return inside or (entry.is_folder and path.startswith(entry.path + "/"))
