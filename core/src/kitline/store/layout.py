"""LayoutStore: a repository in a folder, as a standard OCI image layout.

Safe for many processes and for a kill or power cut at any point: a blob gets its name when it is
whole and on the disk; the index is edited under a file lock, replaced whole, and only refers to
what is there. Source: OCI image specification, image-layout.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.errors import (
    BlobNotFound,
    ManifestNotFound,
    SizeMismatch,
    TagConflict,
    TagNotFound,
)
from kitline.oci.reference import check_tag
from kitline.store.closing import Closing
from kitline.store.interface import StoredBlob
from kitline.store.layout_blobs import BlobStream, LayoutBlobs
from kitline.store.layout_folder import LayoutFolder, file_size
from kitline.store.layout_reading import LayoutReader
from kitline.store.progress import SILENT
from kitline.store.source import BytesSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kitline.oci.descriptor import Descriptor
    from kitline.oci.digest import Digest
    from kitline.oci.manifest import Manifest
    from kitline.oci.reference import LayoutReference, PinnedReference
    from kitline.store.interface import BlobSource, ByteStream, Store
    from kitline.store.layout_index import LayoutIndex
    from kitline.store.layout_prune import Pruned
    from kitline.store.progress import Progress

GRACE = 3600.0
"""Seconds for which a blob that nothing refers to is kept: its manifest may be on the way."""


class LayoutStore(Closing, LayoutReader):
    """One repository in `folder`; nothing is created before something is written.

    `neighbours` is the root below which other layouts lie: a blob that one of them holds is
    taken over by hard link. `advice` is what to do if the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        pin: Callable[[Digest], PinnedReference | LayoutReference],
        neighbours: Path | None = None,
        advice: str = "",
    ) -> None:
        super().__init__(name)
        self.place = LayoutFolder(folder, may_adopt=neighbours is not None, advice=advice)
        self._pin = pin
        self._neighbours = neighbours
        self._blobs = LayoutBlobs(self.place, name=name, neighbours=neighbours)

    @property
    def folder(self) -> Path:
        """Where the layout lies."""
        return self.place.path

    def pin(self, digest: Digest) -> PinnedReference | LayoutReference:
        """Return the pinned reference of a manifest in this store."""
        return self._pin(digest)

    # Reading

    def exists(self) -> bool:
        """Tell whether there is a layout in the folder."""
        return self.place.exists()

    def read_index(self) -> LayoutIndex:
        """Return the index as it is now; an empty one if there is no layout yet."""
        return self.place.read_index()

    def blob_path(self, digest: Digest) -> Path:
        """Return where a blob lies, or would lie."""
        return self.place.blob_path(digest)

    def fetch(self, descriptor: Descriptor, *, offset: int = 0) -> ByteStream:
        """Open a blob at `offset`; its size is compared, its bytes are not verified.

        Raises:
            BlobNotFound: if it is not there.
            SizeMismatch: if the file has another size than the descriptor.
        """
        stream, size = self._open_blob(descriptor.digest)
        if size != descriptor.size:
            stream.close()
            what = f"blob {descriptor.digest} {self._locate(descriptor.digest)}"
            raise SizeMismatch(what, expected=descriptor.size, actual=size)
        stream.skip_to(offset)
        return stream

    def has_blob(self, digest: Digest) -> bool:
        """Tell whether the layout holds the blob."""
        return file_size(self.blob_path(digest)) is not None

    def _open_blob(self, digest: Digest) -> tuple[BlobStream, int]:
        return self._blobs.open(digest)

    def _locate(self, digest: Digest) -> str:
        return self._blobs.locate(digest)

    # Taking blobs in

    def push_blob(
        self,
        source: BlobSource,
        *,
        digest: Digest | None = None,
        is_new: bool = False,
        name: str = "",
        progress: Progress = SILENT,
    ) -> StoredBlob:
        """Store the bytes of `source`; a blob that a neighbour holds is linked, not read.

        With `digest`, an attempt that broke off is gone on with.
        """
        what = f"blob {name or digest or ''}".strip()
        task = progress.begin(name, source.size)
        try:
            with self.place.explained(f"cannot store {what} in {str(self.folder)!r}"):
                self.place.hold_lease()
                if digest is not None and self._blobs.keep_existing(digest, source.size):
                    task.end("exists")
                    return StoredBlob(digest=digest, size=source.size, existed=True)
                if digest is not None and self._blobs.link_from_neighbour(digest, source.size):
                    task.end("linked")
                    return StoredBlob(digest=digest, size=source.size, existed=True)
                stored = self._blobs.take_in(source, digest, what, task)
        except BaseException:
            task.end("failed")
            raise
        task.end("exists" if stored.existed else "pushed")
        return stored

    def mount_blob(self, descriptor: Descriptor, origin: Store) -> bool:
        """Take over a blob by hard link, from a layout below the same root only.

        Elsewhere a file may be changed by others after it was linked; it is copied instead.
        """
        if not isinstance(origin, LayoutStore) or self._neighbours is None:
            return False
        if not origin.folder.is_relative_to(self._neighbours):
            return False
        with self.place.explained(
            f"cannot link blob {descriptor.digest} into {str(self.folder)!r}"
        ):
            self.place.hold_lease()
            if self._blobs.keep_existing(descriptor.digest, descriptor.size):
                return True
            path = origin.blob_path(descriptor.digest)
            return self._blobs.link(path, descriptor.digest, descriptor.size)

    # Manifests and tags

    def push_manifest(self, manifest: Manifest) -> None:
        """Store the exact bytes and list them, untagged.

        Raises:
            BlobNotFound: if something that it references is missing.
        """
        # also if it is listed: clean-up shall see that it is wanted
        self.push_blob(BytesSource(manifest.raw), digest=manifest.digest, name="manifest")
        if self.read_index().find(manifest.digest) is None:
            self.place.edit_index(lambda index: self._listed(index, manifest))

    def _listed(self, index: LayoutIndex, manifest: Manifest) -> LayoutIndex:
        for each in manifest.references:
            if not self.has_blob(each.digest):
                raise BlobNotFound(
                    f"{self.name!r} cannot take manifest {str(manifest.digest)!r}:"
                    f" it references {str(each.digest)!r}, which is not there; push that first"
                )
        return index.with_manifest(manifest)

    def set_tag(self, tag: str, manifest: Manifest, *, may_move: bool = True) -> Digest | None:
        """Point the tag at a manifest; what it pointed at before stays listed, untagged."""
        check_tag(tag)
        previous: list[Digest] = []

        def change(index: LayoutIndex) -> LayoutIndex:
            if index.find(manifest.digest) is None and self.find_manifest(manifest.digest) is None:
                raise ManifestNotFound(
                    f"{self.name!r} cannot tag {str(manifest.digest)!r} as {tag!r}:"
                    " there is no such manifest; push it first"
                )
            previous.extend(each.descriptor.digest for each in index.find_tag_entries(tag))
            if not may_move and any(each != manifest.digest for each in previous):
                raise TagConflict(
                    f"tag {tag!r} of {self.name!r} points at {str(previous[0])!r} and may not move"
                    f" to {str(manifest.digest)!r}; use another tag or allow the move"
                )
            return index.with_tag(tag, manifest)

        self.place.edit_index(change)
        return previous[0] if previous else None

    def remove_tag(self, tag: str) -> None:
        """Remove a tag; what it pointed at stays listed."""

        def change(index: LayoutIndex) -> LayoutIndex:
            if not index.find_tag_entries(tag):
                raise TagNotFound(f"{self.name!r} has no tag {tag!r}")
            return index.without_tag(tag)

        self.place.edit_index(change)

    def remove_manifest(self, digest: Digest, *, grace: float = GRACE) -> None:
        """Remove a manifest, its tags, and the blobs that nothing else refers to."""
        from kitline.store.layout_prune import remove_manifest

        remove_manifest(self, digest, grace=grace)

    def prune(self, *, grace: float = GRACE) -> Pruned:
        """Remove what no tag leads to: untagged manifests, blobs, leftovers of dead processes.

        Referrers and parts of what stays, stay. Nothing younger than `grace` seconds goes, and
        nothing that a process is just taking in.
        """
        from kitline.store.layout_prune import prune

        return prune(self, grace=grace)

    def close(self) -> None:
        """Tell clean-up that nothing is being taken in any more."""
        self.place.release_lease()
