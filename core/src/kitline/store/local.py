"""The local store: one layout per repository below a root folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import InvalidReference
from kitline.oci.reference import LayoutReference, Reference
from kitline.store.layout import LayoutStore
from kitline.store.locate import find_layouts, repository_folder, repository_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kitline.store.archive import ArchiveStore


class LocalStores:
    """The repositories below `root`; reading creates nothing."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def open(self, name: str) -> LayoutStore:
        """Open a repository, with or without a registry in its name; it need not exist yet.

        Raises:
            InvalidReference: if `name` is not a repository.
        """
        reference = _read_name(name)
        return LayoutStore(
            repository_folder(self.root, reference),
            name=reference.name,
            pin=reference.pin,
            neighbours=self.root,
            advice="set KITLINE_HOME to a folder that can be written",
        )

    def exists(self, name: str) -> bool:
        """Tell whether there is such a repository."""
        return self.open(name).exists()

    def list(self) -> Sequence[str]:
        """Return the names of all repositories, sorted."""
        return [name for name, _ in self.folders()]

    def folders(self) -> Sequence[tuple[str, Path]]:
        """Return the names of all repositories with their folders, sorted."""
        folders = (each for each in find_layouts(self.root) if each != self.root)
        pairs = ((repository_name(self.root, each), each) for each in folders)
        return sorted((name, folder) for name, folder in pairs if name is not None)


def _read_name(name: str) -> Reference:
    reference = Reference.parse(name)
    if reference.tag is not None or reference.digest is not None:
        raise InvalidReference(name, "name", "has a tag or digest; a repository has none")
    return reference


def open_layout(reference: LayoutReference) -> LayoutStore | ArchiveStore:
    """Open the folder or archive that a reference names; reading creates nothing."""
    pin = reference.with_tag(None).pin
    if reference.kind == "oci-archive":
        from kitline.store.archive import ArchiveStore

        return ArchiveStore(reference.path, name=reference.name, pin=pin)
    return LayoutStore(reference.path, name=reference.name, pin=pin)
