"""DvcTree: the entries of a kit, known layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kitline_dvc.files import walk_order, with_folders

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kitline.plugin import Entry, Kitfile


@dataclass(frozen=True, kw_only=True)
class DvcTree:
    """A KitTree; `parts` holds the files of each entry of the Kitfile, by field, in walk order."""

    kitfile: Kitfile
    parts: Mapping[str, Sequence[Entry]]
    warnings: tuple[str, ...] = ()

    def entries(self) -> Sequence[Entry]:
        """Return folders and files, folders before their content, names in byte order."""
        if len(self.parts) == 1:
            (files,) = self.parts.values()
            return with_folders(files)
        merged = [entry for files in self.parts.values() for entry in files]
        return with_folders(sorted(merged, key=lambda entry: walk_order(entry.path)))

    def part_entries(self, field: str) -> Sequence[Entry]:
        """Return what the layer of one entry of the Kitfile holds."""
        return with_folders(self.parts[field])
