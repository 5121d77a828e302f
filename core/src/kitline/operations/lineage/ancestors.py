"""Ancestors: the kits that a kit was made from and where they are found, to take them along.

A store that holds them all answers then as the places that they came from did.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kitline.frozen import dataclass
from kitline.lineage.index import LineageIndex
from kitline.lineage.query import find_claims
from kitline.operations.lineage.index import open_index, refresh_local
from kitline.operations.lineage.parents import read_parents
from kitline.operations.lineage.read import read_record, read_stated
from kitline.operations.lineage.search import KitSearch
from kitline.plugin.parent import Parent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitline.oci.digest import Digest
    from kitline.oci.manifest import Manifest
    from kitline.operations.stores import Stores
    from kitline.store.interface import Store

COUNT_LIMIT = 1000
"""Most ancestors of one kit."""


@dataclass(frozen=True, kw_only=True)
class Ancestor:
    """A kit that another one was made from, and a store that holds it."""

    digest: Digest
    manifest: Manifest | None = None
    """None if it was found nowhere."""
    store: Store | None = None


def ancestors(stores: Stores, store: Store, manifest: Manifest) -> Iterator[Ancestor]:
    """Yield the kits that a kit was made from, the nearest first, each once.

    The stores stay open until the next one is asked for.
    """
    with (
        open_index(stores.settings) as kept,
        KitSearch(stores, kept) as search,
    ):
        refresh_local(kept, stores)
        seen = {manifest.digest}
        waiting = [(store, manifest)]
        while waiting:
            place, child = waiting.pop(0)
            for parent in located_parents(place, child, every=True):
                if parent.digest in seen or len(seen) > COUNT_LIMIT:
                    continue
                seen.add(parent.digest)
                found = _find(search, place, parent)
                yield found
                if found.store is not None and found.manifest is not None:
                    waiting.append((found.store, found.manifest))


def _find(search: KitSearch, beside: Store, parent: Parent) -> Ancestor:
    manifest = search.ask(beside.name, beside, parent.digest)
    if manifest is not None:
        return Ancestor(digest=parent.digest, manifest=manifest, store=beside)
    address = None if parent.reference is None else parent.reference.partition("@")[0]
    found = search.find(parent.digest, claimed=address, beside=beside.name)
    if found is None:
        return Ancestor(digest=parent.digest)
    return Ancestor(digest=parent.digest, manifest=found[2], store=found[1])


def located_parents(store: Store, manifest: Manifest, *, every: bool = False) -> tuple[Parent, ...]:
    """Return the parents that a manifest names, with the places that provenance claims for them.

    With `every`, also those that only statements name.
    """
    parents = read_parents(manifest)
    if not parents and not every:
        return ()
    with LineageIndex(None) as index:
        stated = read_stated(store, manifest.digest)
        with index.writing():
            index.add(store.name, [read_record(store, manifest), *stated])
        claims = find_claims(index, manifest.digest)
    places = {parent: address for parent, _, address in claims if address}
    named = {each.digest for each in parents}
    claimed = [
        Parent(digest=parent, role=role)
        for parent, role, _ in claims
        if every and parent not in named and parent != manifest.digest
    ]
    return tuple(
        replace(each, reference=f"{places[each.digest]}@{each.digest}")
        if each.digest in places
        else each
        for each in (*parents, *claimed)
    )
