"""Places: stores that are asked for each thing once while one case is judged.

Several demands look at the same few statements; each is listed and fetched once. What is kept is
still compared with its digest whenever it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import ManifestNotFound
from kitline.store.pipeline import read_all
from kitline.store.source import BytesSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kitline.oci.descriptor import Descriptor
    from kitline.oci.digest import Digest
    from kitline.oci.manifest import Manifest
    from kitline.oci.reference import LayoutReference, PinnedReference
    from kitline.store.interface import ByteStream, Store

KEPT_SIZE = 256 << 10
"""The largest blob that is kept, in bytes; statements are far below."""
KEPT_TOTAL = 64 << 20


class Place:
    """The part of a store that judging needs, remembered; for one case, from one thread."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.name = store.name
        self._listed: dict[tuple[Digest, str | None], Sequence[Descriptor]] = {}
        self._manifests: dict[Digest, Manifest | None] = {}
        self._tags: dict[str, Descriptor | None] = {}
        self._blobs: dict[Digest, bytes] = {}
        self._kept = 0

    def pin(self, digest: Digest) -> PinnedReference | LayoutReference:
        """Return the pinned reference of a manifest in this store."""
        return self.store.pin(digest)

    def list_referrers(
        self, subject: Digest, *, artifact_type: str | None = None
    ) -> Sequence[Descriptor]:
        key = subject, artifact_type
        if key not in self._listed:
            self._listed[key] = self.store.list_referrers(subject, artifact_type=artifact_type)
        return self._listed[key]

    def find_manifest(self, digest: Digest) -> Manifest | None:
        if digest not in self._manifests:
            self._manifests[digest] = self.store.find_manifest(digest)
        return self._manifests[digest]

    def get_manifest(self, digest: Digest) -> Manifest:
        found = self.find_manifest(digest)
        if found is None:
            raise ManifestNotFound(f"{self.name!r} has no manifest {digest}")
        return found

    def find_tag(self, tag: str) -> Descriptor | None:
        if tag not in self._tags:
            self._tags[tag] = self.store.find_tag(tag)
        return self._tags[tag]

    def fetch(self, descriptor: Descriptor, *, offset: int = 0) -> ByteStream:
        found = self._blobs.get(descriptor.digest)
        if found is None:
            if descriptor.size > KEPT_SIZE or self._kept + descriptor.size > KEPT_TOTAL:
                return self.store.fetch(descriptor, offset=offset)
            with self.store.fetch(descriptor) as stream:
                found = read_all(stream, descriptor.size)
            self._blobs[descriptor.digest] = found
            self._kept += len(found)
        return BytesSource(found).open(offset)


class Places:
    """All places of one case, each of them once."""

    def __init__(self) -> None:
        self._known: dict[tuple[type, str], Place] = {}

    def of(self, store: Store) -> Place:
        """Return the place of a store; two ways to open the same one are one place."""
        return self._known.setdefault((type(store), store.name), Place(store))

    def all_of(self, stores: Iterable[Store]) -> tuple[Place, ...]:
        """Return the places of stores, each once."""
        return tuple(dict.fromkeys(self.of(each) for each in stores))
