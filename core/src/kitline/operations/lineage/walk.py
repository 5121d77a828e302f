"""Walking through registries: what the index lacks is read and added to it, in bounded parallel."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kitline.errors import KitlineError
from kitline.lineage.edge import edge_of
from kitline.lineage.index import Record
from kitline.lineage.query import (
    clear_closure,
    find_places,
    find_unread,
    select_closure,
)
from kitline.oci import media_types
from kitline.oci.reference import PinnedReference
from kitline.operations.lineage.edges import edge_repository
from kitline.operations.lineage.read import read_record, read_stated
from kitline.operations.lineage.scan import is_local
from kitline.promotion.names import CUSTOMARY, find_record_tag
from kitline.store.parallel import run_all
from kitline.store.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kitline.lineage.edge import DerivedEdge
    from kitline.lineage.index import LineageIndex
    from kitline.oci.digest import Digest
    from kitline.operations.lineage.search import KitSearch
    from kitline.operations.stores import Stores
    from kitline.store.interface import Store
    from kitline.store.progress import Progress

CLIMB_LIMIT = 1000
"""Most ancestors that one question reads from registries."""
DESCEND_LIMIT = 200
"""Most kits whose own manifests one question reads on the way down; edges are read for all."""


class Walk:
    """One walk; what it reads goes into the index."""

    def __init__(
        self, stores: Stores, index: LineageIndex, search: KitSearch, *, depth: int | None
    ) -> None:
        self._stores = stores
        self._index = index
        self._search = search
        self._depth = depth
        self._scanned = {
            each.name for each in index.repositories() if each.read_at and not each.problem
        }
        self.asked: set[str] = set()
        """Repositories that were asked just now."""
        self.left_out: list[str] = []
        """Sentences about what was not read because it is too much."""
        self.has_climbed = False
        """Whether all ancestors were read, so that `closure` holds them."""

    def read_root(self, root: Digest, place: str) -> None:
        """Read the kit that was asked for, what is said of it, and the stages of its repository."""
        store = self._search.open(place)
        records = [read_record(store, store.get_manifest(root))]
        try:
            records += read_stated(store, root)
            stages = _find_stages(store)
        except KitlineError as cause:
            self._search.refuse(place, cause)
            stages = {}
        self.asked.add(place)
        with self._index.writing():
            self._index.add(place, records)
            self._index.add_tags(place, stages, set(stages))

    def climb(self, root: Digest) -> None:
        """Read the ancestors that were not read yet, wherever they are found."""
        tried = {root}
        while True:
            clear_closure(self._index)
            select_closure(self._index, [root], "up", self._depth)
            unread = [each for each in find_unread(self._index) if each not in tried]
            if not unread:
                self.has_climbed = True
                return
            if len(tried) + len(unread) > CLIMB_LIMIT:
                unread = unread[: max(CLIMB_LIMIT - len(tried), 0)]
                self.left_out.append(f"more than {CLIMB_LIMIT} ancestors are not in the index")
            for each in unread:
                self._read_kit(each)
            tried |= set(unread)
            if len(tried) >= CLIMB_LIMIT:
                return

    def _read_kit(self, digest: Digest) -> None:
        found = self._search.find(digest)
        if found is None:
            return
        place, store, manifest = found
        records = [read_record(store, manifest)]
        try:
            records += read_stated(store, digest)
        except KitlineError as cause:
            self._search.refuse(place, cause)
        with self._index.writing():
            self._index.add(place, records)

    def descend(self, root: Digest) -> None:
        """List the edges beside a kit, and beside what they lead to where the index knows less."""
        level, seen, steps = [root], {root}, 0
        read = 0
        while level and (self._depth is None or steps < self._depth):
            steps += 1
            edges: list[DerivedEdge] = []
            for each in level:
                edges += self.list_edges(each, everywhere=each == root)
            level = []
            for edge in edges:
                if edge.child not in seen:
                    seen.add(edge.child)
                    level.append(edge.child)
            unread = [e for e in edges if e.reference and not self._index.is_read(e.child)]
            room = DESCEND_LIMIT - read
            if len(unread) > room:
                self.left_out.append(
                    f"{len(unread) - room} kits were not read, only what is noted beside their"
                    " parents; run 'kitline lineage index' with their repositories"
                )
                level = []
            read += min(len(unread), max(room, 0))
            self._read_children(unread[: max(room, 0)])

    def list_edges(
        self, digest: Digest, *, everywhere: bool = True, beside: str | None = None
    ) -> list[DerivedEdge]:
        """List the edges of a kit wherever it lies in registries, and in `beside`.

        Unless `everywhere`, repositories that the index has read whole are not asked.
        """
        places = [each for each in find_places(self._index, digest) if not is_local(each)]
        if not everywhere:
            places = [each for each in places if each not in self._scanned]
        if beside is not None and beside not in places:
            places.append(beside)
        collected = edge_repository(self._stores.settings)
        if collected is not None and collected.name not in places:
            places.append(collected.name)
        found: dict[tuple[Digest, str], DerivedEdge] = {}
        for place in places:
            if place not in self._search.refused:
                for edge in self._list_at(place, digest):
                    found.setdefault((edge.child, edge.role), edge)
        return list(found.values())

    def _list_at(self, place: str, digest: Digest) -> list[DerivedEdge]:
        try:
            store = self._search.open(place)
            listed = store.list_referrers(digest, artifact_type=media_types.DERIVED)
        except KitlineError as cause:
            self._search.refuse(place, cause)
            return []
        self.asked.add(place)
        pairs = [(each.digest, edge_of(digest, each.annotations)) for each in listed]
        gone = self._index.derived_records(place, digest) - {str(each) for each, _ in pairs}
        with self._index.writing():
            self._index.drop(place, gone)
            self._index.add(place, (Record(digest=each, facts=edge) for each, edge in pairs))
        return [edge for _, edge in pairs if edge is not None]

    def _read_children(self, edges: Iterable[DerivedEdge]) -> None:
        """Read the kits that edges name, in registries that the edges' own repositories are in."""
        tasks = []
        for each in edges:
            assert each.reference is not None
            place = PinnedReference.parse(each.reference)
            if self._may_follow(place.registry):
                tasks.append(partial(self._read_child, place.name, each.child))
        workers = self._stores.settings.concurrency
        for place_name, records in run_all(tasks, workers=workers, progress=SILENT):
            with self._index.writing():
                self._index.add(place_name, records)

    def _may_follow(self, registry: str | None) -> bool:
        """Tell whether an edge may lead to a registry: one that was asked or that settings name."""
        names = [*self.asked, *self._stores.settings.lineage, *self._stores.settings.mirrors]
        known = {each.partition("/")[0] for each in names}
        if self._stores.settings.registry:
            known.add(self._stores.settings.registry.partition("/")[0])
        return registry in known

    def _read_child(
        self, place: str, digest: Digest, _progress: Progress
    ) -> tuple[str, list[Record]]:
        try:
            store = self._search.open(place)
            manifest = self._search.ask(place, store, digest)
            if manifest is None:
                return place, []
            return place, [read_record(store, manifest), *read_stated(store, digest)]
        except KitlineError as cause:
            self._search.refuse(place, cause)
            return place, []


def _find_stages(store: Store) -> dict[str, Digest]:
    """Return where the stages of a repository point."""
    tags = set(store.list_tags())
    names = {found.stage for each in tags if (found := find_record_tag(each))} | set(CUSTOMARY)
    pairs = ((name, store.find_tag(name)) for name in sorted(names & tags))
    return {name: found.digest for name, found in pairs if found is not None}
