"""MemoryStore: the Store protocol in dicts, for tests and for content that need not stay."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from kitline.errors import (
    BlobNotFound,
    DigestMismatch,
    ManifestNotFound,
    SizeMismatch,
    TagConflict,
    TagNotFound,
)
from kitline.oci.digest import Digest, Hasher
from kitline.oci.reference import Reference, check_tag
from kitline.store.closing import Closing
from kitline.store.interface import StoredBlob
from kitline.store.progress import SILENT
from kitline.store.source import BytesSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline.oci.descriptor import Descriptor
    from kitline.oci.manifest import Manifest
    from kitline.oci.reference import PinnedReference
    from kitline.store.interface import BlobSource, ByteStream, Store
    from kitline.store.progress import Progress

_BLOCK_SIZE = 1 << 20


class MemoryStore(Closing):
    """One repository in memory; it is gone with the process."""

    def __init__(self, name: str = "memory") -> None:
        self._reference = Reference.parse(name)
        self._lock = threading.Lock()
        self._blobs: dict[Digest, bytes] = {}
        self._manifests: dict[Digest, Manifest] = {}
        self._tags: dict[str, Digest] = {}

    @property
    def name(self) -> str:
        return self._reference.name

    def pin(self, digest: Digest) -> PinnedReference:
        return self._reference.pin(digest)

    def fetch(self, descriptor: Descriptor, *, offset: int = 0) -> ByteStream:
        content = self._blobs.get(descriptor.digest)
        if content is None:
            raise BlobNotFound(f"{self.name!r} holds no blob {str(descriptor.digest)!r}")
        return BytesSource(content).open(offset)

    def has_blob(self, digest: Digest) -> bool:
        return digest in self._blobs

    def push_blob(
        self,
        source: BlobSource,
        *,
        digest: Digest | None = None,
        is_new: bool = False,
        name: str = "",
        progress: Progress = SILENT,
    ) -> StoredBlob:
        task = progress.begin(name, source.size)
        held = None if digest is None else self._blobs.get(digest)
        if digest is not None and held is not None:
            task.end("exists")
            return StoredBlob(digest=digest, size=len(held), existed=True)
        hasher = Hasher(digest.algorithm if digest else "sha256")
        content = bytearray()
        try:
            buffer = memoryview(bytearray(_BLOCK_SIZE))
            with source.open() as stream:
                while count := stream.readinto(buffer):
                    hasher.update(buffer[:count])
                    content += buffer[:count]
                    task.advance(count)
            found = hasher.digest()
            _check(source, name, digest, found, len(content))
        except BaseException:
            task.end("failed")
            raise
        with self._lock:
            existed = found in self._blobs
            self._blobs.setdefault(found, bytes(content))
        task.end("exists" if existed else "pushed")
        return StoredBlob(digest=found, size=len(content), existed=existed)

    def mount_blob(self, descriptor: Descriptor, origin: Store) -> bool:
        if descriptor.digest in self._blobs:
            return True
        if not isinstance(origin, MemoryStore):
            return False
        content = origin._blobs.get(descriptor.digest)
        if content is None or len(content) != descriptor.size:
            return False
        with self._lock:
            self._blobs.setdefault(descriptor.digest, content)
        return True

    def find_manifest(self, digest: Digest) -> Manifest | None:
        return self._manifests.get(digest)

    def get_manifest(self, digest: Digest) -> Manifest:
        found = self.find_manifest(digest)
        if found is None:
            raise ManifestNotFound(f"{self.name!r} holds no manifest {str(digest)!r}")
        return found

    def push_manifest(self, manifest: Manifest) -> None:
        """Store a manifest.

        Raises:
            BlobNotFound: if something that it references is missing, where a registry would refuse.
        """
        with self._lock:
            for each in manifest.references:
                if each.digest not in self._blobs and each.digest not in self._manifests:
                    raise BlobNotFound(
                        f"{self.name!r} cannot take manifest {str(manifest.digest)!r}:"
                        f" it references {str(each.digest)!r}, which is not there; push that first"
                    )
            self._manifests.setdefault(manifest.digest, manifest)

    def find_tag(self, tag: str) -> Descriptor | None:
        with self._lock:
            digest = self._tags.get(tag)
            return None if digest is None else self._manifests[digest].descriptor

    def set_tag(self, tag: str, manifest: Manifest, *, may_move: bool = True) -> Digest | None:
        check_tag(tag)
        with self._lock:
            if manifest.digest not in self._manifests:
                raise ManifestNotFound(
                    f"{self.name!r} cannot tag {str(manifest.digest)!r} as {tag!r}:"
                    " there is no such manifest; push it first"
                )
            previous = self._tags.get(tag)
            if previous not in (None, manifest.digest) and not may_move:
                raise TagConflict(
                    f"tag {tag!r} of {self.name!r} points at {str(previous)!r} and may not move"
                    f" to {str(manifest.digest)!r}; use another tag or allow the move"
                )
            self._tags[tag] = manifest.digest
            return previous

    def list_tags(self, *, prefix: str = "") -> Sequence[str]:
        with self._lock:
            return sorted(tag for tag in self._tags if tag.startswith(prefix))

    def list_manifests(self) -> Sequence[Descriptor]:
        """Return the descriptors of all manifests, tagged or not, sorted by digest."""
        with self._lock:
            return [self._manifests[digest].descriptor for digest in sorted(self._manifests)]

    def list_referrers(
        self, subject: Digest, *, artifact_type: str | None = None
    ) -> Sequence[Descriptor]:
        with self._lock:
            found = [each for each in self._manifests.values() if _is_about(each, subject)]
        return [
            replace(each.descriptor, artifact_type=each.kind, annotations=each.annotations)
            for each in sorted(found, key=lambda each: each.digest)
            if artifact_type in (None, each.kind)
        ]

    def remove_tag(self, tag: str) -> None:
        with self._lock:
            if self._tags.pop(tag, None) is None:
                raise TagNotFound(f"{self.name!r} has no tag {tag!r}")

    def remove_manifest(self, digest: Digest) -> None:
        with self._lock:
            if self._manifests.pop(digest, None) is None:
                raise ManifestNotFound(f"{self.name!r} holds no manifest {str(digest)!r}")
            self._tags = {tag: at for tag, at in self._tags.items() if at != digest}

    def close(self) -> None:
        """Keep everything; there is nothing to give up."""


def _check(
    source: BlobSource, name: str, expected: Digest | None, found: Digest, size: int
) -> None:
    what = f"blob {name!r}" if name else "a blob"
    if size != source.size:
        raise SizeMismatch(what, expected=source.size, actual=size)
    if expected is not None and found != expected:
        raise DigestMismatch(what, expected=str(expected), actual=str(found))


def _is_about(manifest: Manifest, subject: Digest) -> bool:
    return manifest.subject is not None and manifest.subject.digest == subject
