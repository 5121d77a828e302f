"""Derived edges before a clean-up: is something that was made from a kit still there?

The child may lie in any repository. One that cannot be reached may still be there, so its parent
stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import KitlineError
from kitline.lineage.edge import ARTIFACT_TYPE, read_edge
from kitline.oci.reference import PinnedReference, Reference
from kitline.store.layout import LayoutStore

if TYPE_CHECKING:
    from kitline.lineage.edge import DerivedEdge
    from kitline.oci.digest import Digest
    from kitline.operations.stores import Stores
    from kitline.store.interface import Store


class EdgeReader:
    """Follows the edges of kits; each child is looked for once."""

    def __init__(self, store: Store, stores: Stores) -> None:
        self._store = store
        self._stores = stores
        self._known: dict[tuple[Digest, str | None], str | None] = {}
        self.warnings: list[str] = []

    def find_living(self, kit: Digest) -> list[str]:
        """Return why a kit stays because of its children; nothing if none is left."""
        reasons: list[str] = []
        for listed in self._store.list_referrers(kit, artifact_type=ARTIFACT_TYPE):
            try:
                edge = read_edge(self._store.get_manifest(listed.digest))
            except KitlineError as cause:
                reasons.append(f"an edge cannot be read: {cause}")
                continue
            reason = None if edge is None or edge.child == kit else self._look(edge)
            if reason is not None:
                return [reason]
        return reasons

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
            store = self._stores.open(PinnedReference.parse(edge.reference))
            found = store.find_manifest(edge.child)
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
