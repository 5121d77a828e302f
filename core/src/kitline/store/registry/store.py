"""A repository in a registry, as a Store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import AmbiguousReference, ManifestNotFound
from kitline.oci.reference import Reference, keep_tag
from kitline.store.closing import Closing
from kitline.store.progress import SILENT
from kitline.store.registry import blobs, manifests, referrers, tags, upload
from kitline.store.registry.client import RegistryClient
from kitline.store.registry.download import BlobStream
from kitline.store.registry.limits import check_size, limits_of
from kitline.store.registry.options import RegistryOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline.oci.descriptor import Descriptor
    from kitline.oci.digest import Digest
    from kitline.oci.manifest import Manifest
    from kitline.oci.reference import PinnedReference
    from kitline.store.interface import BlobSource, Store, StoredBlob
    from kitline.store.progress import Progress
    from kitline.store.registry.probe import Probe


class RegistryStore(Closing):
    """One repository in a registry; safe for many threads, a context manager that closes."""

    def __init__(self, reference: Reference, options: RegistryOptions) -> None:
        if reference.registry is None:
            raise AmbiguousReference(f"{str(reference)!r} names no registry")
        self._repository = Reference(registry=reference.registry, repository=reference.repository)
        self._client = RegistryClient(reference.registry, reference.repository, options)
        self._sent: set[Digest] = set()
        """Blobs that were missing, as far as is known, and manifests."""

    @property
    def name(self) -> str:
        return self._repository.name

    @property
    def client(self) -> RegistryClient:
        """The HTTP client underneath, for what is not a Store's business."""
        return self._client

    def pin(self, digest: Digest) -> PinnedReference:
        return self._repository.pin(digest)

    def fetch(self, descriptor: Descriptor, *, offset: int = 0) -> BlobStream:
        return BlobStream(self._client, descriptor, offset)

    def has_blob(self, digest: Digest) -> bool:
        return blobs.has_blob(self._client, digest)

    def check_size(self, size: int, name: str) -> None:
        registry = self._client.registry
        check_size(registry, limits_of(registry), size, name)

    def push_blob(
        self,
        source: BlobSource,
        *,
        digest: Digest | None = None,
        is_new: bool = False,
        name: str = "",
        progress: Progress = SILENT,
    ) -> StoredBlob:
        stored = upload.push_blob(
            self._client, source, digest=digest, is_new=is_new, name=name, progress=progress
        )
        if not stored.existed:
            self._sent.add(stored.digest)
        return stored

    def mount_blob(self, descriptor: Descriptor, origin: Store) -> bool:
        if not isinstance(origin, RegistryStore):
            return False
        return blobs.mount_blob(self._client, descriptor, origin._client)

    def find_manifest(self, digest: Digest) -> Manifest | None:
        return manifests.find_manifest(self._client, digest)

    def get_manifest(self, digest: Digest) -> Manifest:
        found = self.find_manifest(digest)
        if found is None:
            raise ManifestNotFound(f"read manifest: {self.name} has none with digest {digest}")
        return found

    def push_manifest(self, manifest: Manifest) -> None:
        if manifest.subject is not None:
            referrers.push_referrer(self._client, manifest)
        elif self._is_new(manifest) or not manifests.has_manifest(self._client, manifest.digest):
            manifests.put_manifest(self._client, manifest, str(manifest.digest))
            self._sent.add(manifest.digest)

    def _is_new(self, manifest: Manifest) -> bool:
        """Tell whether a manifest names what was missing until now: then it was missing too.

        Sending one again that is there after all does no harm; asking costs a request.
        """
        if manifest.digest in self._sent:
            return False
        return any(each.digest in self._sent for each in manifest.references)

    def find_tag(self, tag: str) -> Descriptor | None:
        return tags.find_tag(self._client, tag)

    def set_tag(self, tag: str, manifest: Manifest, *, may_move: bool = True) -> Digest | None:
        # what was missing until now, its keep tag does not point at
        is_new = manifest.digest in self._sent and tag == keep_tag(manifest.digest)
        return tags.set_tag(self._client, tag, manifest, may_move=may_move, is_new=is_new)

    def list_tags(self, *, prefix: str = "") -> Sequence[str]:
        return tags.list_tags(self._client, prefix=prefix)

    def list_referrers(
        self, subject: Digest, *, artifact_type: str | None = None
    ) -> Sequence[Descriptor]:
        return referrers.list_referrers(self._client, subject, artifact_type=artifact_type)

    def remove_tag(self, tag: str) -> None:
        from kitline.store.registry import removal

        removal.remove_tag(self._client, tag)

    def remove_manifest(self, digest: Digest) -> None:
        from kitline.store.registry import removal

        removal.remove_manifest(self._client, digest)

    def probe(self) -> Probe:
        """Find out what works here, leaving nothing behind; for `kitline doctor`."""
        from kitline.store.registry.probe import run_probe

        return run_probe(self._client)

    def check_login(self) -> None:
        """Ask the registry whether it accepts the credentials.

        Raises:
            AuthenticationFailed: if it does not.
        """
        client = self._client
        client.send(
            "GET",
            f"{client.origin}/v2/",
            f"log in to {client.registry}",
            expect={200},
            scopes=(),
        )

    def close(self) -> None:
        self._client.close()


def open_registry(reference: Reference, options: RegistryOptions | None = None) -> RegistryStore:
    """Return the store of the repository that a reference names; no byte is sent yet."""
    return RegistryStore(reference, options or RegistryOptions())
