"""Looking for kits by digest: beside their children, where the index and statements say, mirrors.

An address in a statement is a claim by whoever could write it. It is asked for one manifest by its
digest and for nothing else, and kits of public registries do not lead to private addresses.
"""

from __future__ import annotations

import ipaddress
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from kitline.errors import KitlineError
from kitline.lineage.query import find_addresses, find_child_places, find_places
from kitline.oci.reference import LayoutReference, Reference, parse_reference
from kitline.operations.lineage.edges import edge_repository
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
        self._claimed: dict[str, Store] = {}
        self._closing = ExitStack()
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
        self._closing.close()

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
            opened = self.open(name) if claimed_by is None else self._open_claimed(name, claimed_by)
        except KitlineError as cause:
            self.refuse(name, cause)
            return
        yield name, opened

    def _open_claimed(self, name: str, claimed_by: list[str]) -> Store:
        """Open a repository that only a statement names."""
        reference = Reference.parse(name)
        own = self._own_registries()
        if reference.registry in own or any(map(_is_private, claimed_by)):
            return self._stores.open(reference)
        if name not in self._claimed:
            from kitline.store.registry import open_registry

            options = self._stores.registry_options(reference.registry or "")
            trusted = tuple(own | set(options.trusted or ()))
            store = open_registry(reference, replace(options, trusted=trusted, sessions=None))
            self._claimed[name] = self._closing.enter_context(store)
        return self._claimed[name]

    def _own_registries(self) -> set[str]:
        """Return the registries that the user named."""
        settings = self._stores.settings
        edges = edge_repository(settings)
        named = [*settings.mirrors, *settings.lineage, *([edges.name] if edges else [])]
        found = {Reference.parse(each).registry or "" for each in named}
        if settings.registry:
            found.add(settings.registry.partition("/")[0])
        return found


def _is_private(place: str) -> bool:
    """Tell whether a kit lies on this machine, or at an address that only we can see."""
    if is_local(place):
        return True
    reference = parse_reference(place)
    if isinstance(reference, LayoutReference) or reference.registry is None:
        return True
    host = reference.registry
    host = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if host == "localhost":
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False
