"""Looking for kits by digest: beside their children, where the index and statements say, mirrors.

An address in a statement is a claim by whoever could write it, and opened as such.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import KitlineError
from kitline.lineage.query import find_addresses, find_child_places, find_places
from kitline.oci.reference import Reference, parse_reference
from kitline.operations.claimed import ClaimedPlaces
from kitline.operations.lineage.scan import LOCAL, is_local

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from kitline.lineage.index import LineageIndex
    from kitline.oci.digest import Digest
    from kitline.oci.manifest import Manifest
    from kitline.operations.stores import Stores
    from kitline.store.interface import Store


class KitSearch:
    """Finds kits; each place that does not answer is noted once. A context manager."""

    def __init__(self, stores: Stores, index: LineageIndex) -> None:
        self._stores = stores
        self._index = index
        self._claimed = ClaimedPlaces(stores)
        self.refused: dict[str, str] = {}
        """Places that could not be asked, and why."""
        self.asked: set[str] = set()

    def __enter__(self) -> KitSearch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._claimed.__exit__(kind, error, traceback)

    def open(self, name: str) -> Store:
        """Open a repository by its name in the index."""
        if name.startswith(LOCAL):
            return self._stores.open_local(name.removeprefix(LOCAL))
        return self._stores.open(parse_reference(name))

    def find(
        self, digest: Digest, *, claimed: str | None = None, beside: str | None = None
    ) -> tuple[str, Store, Manifest] | None:
        """Return the first place that holds a kit; None if none does that could be asked.

        `claimed` is a place that a statement beside a kit in `beside` names, besides those that
        the index knows of.
        """
        for name, store in self._candidates(digest, claimed, beside):
            found = self.ask(name, store, digest)
            if found is not None:
                return name, store, found
        return None

    def ask(self, name: str, store: Store, digest: Digest) -> Manifest | None:
        """Look for a manifest in one place; what goes wrong is noted."""
        if name in self.refused:
            return None
        try:
            found = store.find_manifest(digest)
        except KitlineError as cause:
            self.refuse(name, cause)
            return None
        if not is_local(name):
            self.asked.add(name)
        return found

    def refuse(self, name: str, cause: KitlineError) -> None:
        """Note that a place could not be asked."""
        self.refused.setdefault(name, str(cause))

    def _candidates(
        self, digest: Digest, claimed: str | None, near: str | None
    ) -> Iterator[tuple[str, Store]]:
        """Yield places, each once: the nearest and the cheapest first."""
        beside = [*([near] if near else []), *find_child_places(self._index, digest)]
        seen: set[str] = set() if near is None else {near}
        for name in [*find_places(self._index, digest), *beside]:
            yield from self._open_once(name, seen, claimed_by=None)
        for name in [*([claimed] if claimed else []), *find_addresses(self._index, digest)]:
            yield from self._open_once(name, seen, claimed_by=beside)
        for name in self._stores.settings.mirrors:
            yield from self._open_once(name, seen, claimed_by=None)

    def _open_once(
        self, name: str, seen: set[str], *, claimed_by: list[str] | None
    ) -> Iterator[tuple[str, Store]]:
        if name in seen or name in self.refused:
            return
        seen.add(name)
        try:
            if claimed_by is None:
                opened = self.open(name)
            else:
                beside = (each.removeprefix(LOCAL) for each in claimed_by)
                opened = self._claimed.open(Reference.parse(name), beside)
        except KitlineError as cause:
            self.refuse(name, cause)
            return
        yield name, opened
