"""Derived edges before a clean-up: is something that was made from a kit still there?

Edges lie beside the kit, and where the settings collect them; the lineage index of this machine
knows the children in the local store, and may know of more. A child may lie in any repository, and
one that cannot be reached may still be there, so its parent stays.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from kitline.errors import KitlineError
from kitline.lineage.edge import ARTIFACT_TYPE, DerivedEdge, read_edge
from kitline.lineage.query import find_children, find_places
from kitline.oci.reference import Reference
from kitline.operations.lineage.edges import edge_repository
from kitline.operations.lineage.index import open_index, refresh_local
from kitline.operations.lineage.scan import LOCAL
from kitline.store.layout import LayoutStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from kitline.lineage.index import LineageIndex
    from kitline.oci.digest import Digest
    from kitline.operations.claimed import ClaimedPlaces
    from kitline.operations.stores import Stores
    from kitline.store.interface import Store


class EdgeReader:
    """Follows the edges of kits; each child is looked for once. A context manager."""

    def __init__(self, store: Store, stores: Stores, claimed: ClaimedPlaces) -> None:
        self._store = store
        self._stores = stores
        self._claimed = claimed
        self._settings = stores.settings
        self._index: LineageIndex | None = None
        self._closing = ExitStack()
        self._known: dict[tuple[Digest, str | None], str | None] = {}
        self.warnings: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

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
        if self._index is None:  # the local store has no edges: what is in step tells of its kits
            self._index = self._closing.enter_context(open_index(self._settings))
            refresh_local(self._index, self._stores)
        for child, _, address in find_children(self._index, kit):
            places = find_places(self._index, child) or [address]
            for place in places:
                # what lies here, too, goes or stays by the plan itself
                if place and place != f"{LOCAL}{self._store.name}":
                    reference = f"{place}@{child}"
                    yield DerivedEdge(parent=kit, child=child, role="", reference=reference)

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
            if edge.reference.startswith(LOCAL):
                name = edge.reference.removeprefix(LOCAL).partition("@")[0]
                here = self._stores.open_local(name).find_manifest(edge.child)
                return None if here is None else f"{child} is in {name}"
            place = Reference.parse(edge.reference)
            found = self._claimed.open(place, [self._store.name]).find_manifest(edge.child)
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
