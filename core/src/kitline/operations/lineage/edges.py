"""Derived edges: beside each parent it is noted what was made from it, as the settings say.

`near` (the default) writes where parent and child share registry and first path segment, so that
names go to nobody who could not see them before; `parent` wherever the parent lies; a repository
collects all edges in one place, which outlives the parents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import KitlineError, ManifestNotFound
from kitline.lineage.edge import build_edge
from kitline.oci.reference import PinnedReference, Reference
from kitline.operations.stores import Stores, read_reference
from kitline.store.registry.referrer_tags import referrer_tag
from kitline.store.source import BytesSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kitline.oci.descriptor import Descriptor
    from kitline.oci.digest import Digest
    from kitline.oci.manifest import Manifest
    from kitline.operations.settings import Settings
    from kitline.plugin.parent import Parent
    from kitline.store.interface import Store

NEAR, PARENT, OFF = "near", "parent", "off"
_WORDS = (NEAR, PARENT, OFF)


def write_edges(
    settings: Settings, child: PinnedReference, parents: Sequence[Parent]
) -> tuple[str, ...]:
    """Note beside each parent what was made from it; return a sentence for each that was not.

    The same edge again is no write.
    """
    if settings.edges == OFF or not parents:
        return ()
    warnings = []
    with Stores(settings) as stores:
        for each in parents:
            try:
                _write(stores, settings, child, each)
            except KitlineError as cause:
                warnings.append(
                    f"the kit stands, but it was not noted that {child} was made from"
                    f" {each.reference or each.digest}: {cause}"
                )
    return tuple(warnings)


def edge_repository(settings: Settings) -> Reference | None:
    """Return the one repository that collects edges, if the settings name one."""
    return None if settings.edges in _WORDS else Reference.parse(settings.edges)


def _write(stores: Stores, settings: Settings, child: PinnedReference, parent: Parent) -> None:
    collected = edge_repository(settings)
    if collected is not None:
        subject = _find_anywhere(stores, settings, parent)
        _put(stores.open(collected), subject, child, parent.role)
        return
    for place in _places(settings, parent):
        if settings.edges == PARENT or is_near(place, child):
            store = stores.open(place)
            subject = store.get_manifest(parent.digest).descriptor
            _put(store, subject, child, parent.role)
            return


def is_near(parent: Reference, child: Reference) -> bool:
    """Tell whether two repositories share registry and first path segment."""
    first = parent.repository.partition("/")[0]
    return (parent.registry, first) == (child.registry, child.repository.partition("/")[0])


def _places(settings: Settings, parent: Parent) -> Iterator[Reference]:
    """Yield the repositories of registries where a parent lies, the one that was named first."""
    named = None if parent.reference is None else read_reference(parent.reference)
    if isinstance(named, Reference) and not named.is_bare:
        yield named
    for name in known_places(settings, parent.digest):
        yield Reference.parse(name)


def known_places(settings: Settings, digest: Digest) -> list[str]:
    """Return the repositories of registries where the index knows a kit to lie."""
    import sqlite3

    from kitline.lineage.index import LineageIndex
    from kitline.lineage.query import find_places
    from kitline.operations.lineage.scan import is_local

    if not settings.lineage_file.exists():
        return []
    try:
        with LineageIndex(settings.lineage_file) as index:
            return [each for each in find_places(index, digest) if not is_local(each)]
    except (KitlineError, sqlite3.Error):
        return []


def _find_anywhere(stores: Stores, settings: Settings, parent: Parent) -> Descriptor:
    places = list(_places(settings, parent))
    named = None if parent.reference is None else read_reference(parent.reference)
    stored: list[Store] = [stores.open(each) for each in places]
    if isinstance(named, Reference) and named.is_bare:
        stored.append(stores.open(named))
    for store in stored:
        found: Manifest | None = store.find_manifest(parent.digest)
        if found is not None:
            return found.descriptor
    raise ManifestNotFound("nobody knows where the parent lies")


def _put(store: Store, subject: Descriptor, child: PinnedReference, role: str) -> None:
    edge = build_edge(subject, child, role)
    there = store.find_tag(referrer_tag(subject.digest, edge))
    if there is not None and there.digest == edge.digest:
        return
    store.push_blob(BytesSource(b"{}"), digest=edge.config.digest, name="config")
    store.push_manifest(edge)
