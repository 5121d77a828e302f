"""Resolve: what a name points at now, with one request and without reading the kit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import ManifestNotFound
from kitline.oci.digest import Digest
from kitline.operations.defaults import settings_or_default
from kitline.operations.stores import Stores, find_manifest, read_reference

if TYPE_CHECKING:
    from kitline.oci.reference import LayoutReference, PinnedReference
    from kitline.operations.settings import Settings
    from kitline.operations.stores import AnyReference


def resolve(
    source: str | AnyReference, *, settings: Settings | None = None
) -> PinnedReference | LayoutReference | None:
    """Return the pinned reference of what a name points at now; None if nothing is there.

    It is looked for where the reference says, not in a copy that was pulled: ask this for a tag
    that may move.

    Raises:
        AmbiguousReference: if the reference has neither tag nor digest.
    """
    asked = read_reference(source)
    target = asked.require_target()
    with Stores(settings_or_default(settings)) as stores:
        store = stores.open(asked)
        if target is None or isinstance(target, Digest):
            try:
                return store.pin(find_manifest(store, asked).digest)
            except ManifestNotFound:
                return None
        found = store.find_tag(target)
        return store.pin(found.digest) if found else None
