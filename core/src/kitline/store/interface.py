"""What a store can do, as one-method protocols composed upward; a Store is one repository.

Ask for the smallest protocol that serves: a function that only reads takes a `Fetcher`.
All content is named by descriptor or digest; only `TagResolver`, `Tagger` and `TagLister` know
tags. Methods may be called from several threads at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from kitline.frozen import dataclass
from kitline.store.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from kitline.oci.descriptor import Descriptor
    from kitline.oci.digest import Digest
    from kitline.oci.manifest import Manifest
    from kitline.oci.reference import LayoutReference, PinnedReference
    from kitline.store.progress import Progress


class ByteStream(Protocol):
    """Bytes in order, read into the caller's buffer; a context manager that closes."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the front of `buffer`; return how many bytes, 0 only at the end."""

    def close(self) -> None:
        """Give up whatever is held open."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...


class BlobSource(Protocol):
    """Bytes that can be read again from any offset: a file, a planned tar, a blob elsewhere."""

    @property
    def size(self) -> int:
        """Length in bytes, known before the first byte is read."""

    def open(self, offset: int = 0) -> ByteStream:
        """Start reading at `offset` bytes from the beginning."""


@dataclass(frozen=True, kw_only=True)
class StoredBlob:
    """What is now in the store."""

    digest: Digest
    size: int
    existed: bool = False
    """Whether the store held it before, so that no byte was moved."""


class Fetcher(Protocol):
    """Reads blobs."""

    def fetch(self, descriptor: Descriptor, *, offset: int = 0) -> ByteStream:
        """Open a blob at `offset`. The bytes are **not verified**: read through `store.verify`.

        Raises:
            BlobNotFound: if the store does not hold it.
        """


class BlobFinder(Protocol):
    """Tells what is there."""

    def has_blob(self, digest: Digest) -> bool:
        """Tell whether the store holds the blob."""


class BlobPusher(Protocol):
    """Takes blobs in."""

    def push_blob(
        self,
        source: BlobSource,
        *,
        digest: Digest | None = None,
        is_new: bool = False,
        name: str = "",
        progress: Progress = SILENT,
    ) -> StoredBlob:
        """Store the bytes of `source` in one pass, and hash them in the same pass.

        With `digest` the store first looks whether it holds that blob and then reads nothing;
        `is_new` tells it that it cannot, where looking costs a request.
        A transfer that breaks goes on where it stopped, in this call or in the next one.
        `name` is what progress shows.

        Raises:
            DigestMismatch: if `digest` is given and the bytes differ; nothing is kept.
        """


@runtime_checkable
class SizeChecker(Protocol):
    """Knows what will be too large; only stores with limits are it, so it is no part of `Store`."""

    def check_size(self, size: int, name: str) -> None:
        """Refuse a blob of `size` bytes, which messages call `name`, before anything is sent.

        Raises:
            LayerTooLarge: if the store documents that it takes less.
        """


class Mounter(Protocol):
    """Takes blobs over from a neighbour without moving bytes."""

    def mount_blob(self, descriptor: Descriptor, origin: Store) -> bool:
        """Take over a blob from `origin` (hard link, registry mount); False if that cannot be."""


class ManifestFetcher(Protocol):
    """Reads manifests."""

    def find_manifest(self, digest: Digest) -> Manifest | None:
        """Return the manifest, its bytes verified against `digest`, or None."""

    def get_manifest(self, digest: Digest) -> Manifest:
        """Like `find_manifest`.

        Raises:
            ManifestNotFound: if there is none.
        """


class ManifestPusher(Protocol):
    """Takes manifests in."""

    def push_manifest(self, manifest: Manifest) -> None:
        """Store the exact bytes; all that it references is there already.

        A manifest with a subject becomes a referrer of it, findable by `list_referrers`.
        """


class TagResolver(Protocol):
    """Reads tags."""

    def find_tag(self, tag: str) -> Descriptor | None:
        """Return the descriptor of the manifest that the tag points at now, or None."""


class Tagger(Protocol):
    """Moves tags."""

    def set_tag(self, tag: str, manifest: Manifest, *, may_move: bool = True) -> Digest | None:
        """Point the tag at a manifest of this store; return the digest that it pointed at before.

        Pointing it where it already points is no write. A registry puts the keep tag of a manifest
        that was sent just now right unasked.

        Raises:
            TagConflict: if it points elsewhere and `may_move` is false, or the store forbids it.
        """


class TagLister(Protocol):
    """Lists tags."""

    def list_tags(self, *, prefix: str = "") -> Sequence[str]:
        """Return all tags that begin with `prefix`, sorted; none if there is no repository."""


class ReferrerLister(Protocol):
    """Lists what is about a manifest."""

    def list_referrers(
        self, subject: Digest, *, artifact_type: str | None = None
    ) -> Sequence[Descriptor]:
        """Return the referrers of `subject`, each fetched once and checked, sorted by digest.

        Each descriptor carries the referrer's `artifact_type` and `annotations`.
        """


class Remover(Protocol):
    """Removes."""

    def remove_tag(self, tag: str) -> None:
        """Remove a tag, not what it points at. Raises TagNotFound."""

    def remove_manifest(self, digest: Digest) -> None:
        """Remove a manifest and every tag that points at it. Raises ManifestNotFound."""


@runtime_checkable
class Store(
    Fetcher,
    BlobFinder,
    BlobPusher,
    Mounter,
    ManifestFetcher,
    ManifestPusher,
    TagResolver,
    Tagger,
    TagLister,
    ReferrerLister,
    Remover,
    Protocol,
):
    """One repository: all of the above."""

    @property
    def name(self) -> str:
        """The repository as people write it, without tag and digest."""

    def pin(self, digest: Digest) -> PinnedReference | LayoutReference:
        """Return the pinned reference of a manifest in this store."""

    def close(self) -> None:
        """Give up connections and locks."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...
