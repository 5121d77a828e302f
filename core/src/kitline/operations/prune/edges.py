"""Derived edges before a clean-up: is something that was made from a kit still there?

Edges lie beside the kit, and where the settings collect them; the lineage index of this machine
may know of more children. A child may lie in any repository, and one that cannot be reached may
still be there, so its parent stays.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from kitline.errors import KitlineError
from kitline.lineage.edge import ARTIFACT_TYPE, DerivedEdge, read_edge
from kitline.oci.reference import Reference
from kitline.operations.lineage.edges import edge_repository
from kitline.store.layout import LayoutStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitline.oci.digest import Digest
    from kitline.operations.settings import Settings
    from kitline.operations.stores import Stores
    from kitline.store.interface import Store


class EdgeReader:
    """Follows the edges of kits; each child is looked for once."""

    def __init__(self, store: Store, stores: Stores, settings: Settings) -> None:
        self._store = store
        self._stores = stores
        self._settings = settings
        self._known: dict[tuple[Digest, str | None], str | None] = {}
        self.warnings: list[str] = []

    def find_living(self, kit: Digest) -> str | None:
        """Return why a kit stays because of something made from it; None if none of it is left."""
        try:
            for edge in self._edges(kit):
                if edge.child != kit and (reason := self._look(edge)) is not None:
                    return reason
        except KitlineError as cause:
            self.warnings.append(f"the edges of {kit} cannot be read: {cause}")
            return "what was made from it cannot be told"
        return None

    def _edges(self, kit: Digest) -> Iterator[DerivedEdge]:
        collected = edge_repository(self._settings)
        places = [self._store, *([self._stores.open(collected)] if collected else [])]
        for place in places:
            for listed in place.list_referrers(kit, artifact_type=ARTIFACT_TYPE):
                edge = read_edge(place.get_manifest(listed.digest))
                if edge is not None:
                    yield edge
        yield from self._indexed(kit)

    def _indexed(self, kit: Digest) -> Iterator[DerivedEdge]:
        """Yield what the index of this machine knows to be made from a kit, and where it lay."""
        import sqlite3

        from kitline.lineage.index import LineageIndex
        from kitline.lineage.query import find_children

        if not self._settings.lineage_file.exists():
            return
        found: list[tuple[Digest, str, str]] = []
        with (
            suppress(KitlineError, sqlite3.Error),  # it is a cache, and may be broken
            LineageIndex(self._settings.lineage_file) as index,
        ):
            found = find_children(index, kit)
        for child, _, place in found:
            if place:
                yield DerivedEdge(parent=kit, child=child, role="", reference=f"{place}@{child}")

    def _look(self, edge: DerivedEdge) -> str | None:
        """Return what keeps the parent, None if the child is gone."""
        key = (edge.child, edge.reference)
        if key not in self._known:
            self._known[key] = self._find(edge)
        return self._known[key]

    def _find(self, edge: DerivedEdge) -> str | None:
        child = f"{edge.child.hex[:12]}, made from it,"
        try:
            if self._store.find_manifest(edge.child) is not None:
                return f"{child} is here"
            if edge.reference is None:
                return self._find_local(edge, child)
            place = Reference.parse(edge.reference)
            found = self._stores.open(place).find_manifest(edge.child)
        except KitlineError as cause:
            self.warnings.append(f"{edge.child} cannot be looked for: {cause}")
            return f"{child} cannot be reached"
        return None if found is None else f"{child} is in {place.name}"

    def _find_local(self, edge: DerivedEdge, child: str) -> str | None:
        """Look through the local store for a child that lay in one."""
        if not isinstance(self._store, LayoutStore):
            return f"{child} lies in a store that cannot be reached"
        for name in self._stores.local.list():
            if self._stores.open_local(name).find_manifest(edge.child) is not None:
                return f"{child} is in {name}"
        return None
