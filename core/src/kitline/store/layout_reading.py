"""Reading a layout, be it a folder or an archive: manifests, tags, referrers.

Readers need no lock: the index is only ever replaced whole, and blobs never change.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

from kitline.errors import (
    AmbiguousReference,
    BlobNotFound,
    DigestMismatch,
    InvalidManifest,
    KitlineError,
    ManifestNotFound,
    SizeMismatch,
)
from kitline.frozen import dataclass
from kitline.oci import media_types
from kitline.oci.digest import Digest
from kitline.oci.manifest import SIZE_LIMIT, ImageIndex, Manifest
from kitline.store.layout_index import LayoutIndex, plain
from kitline.store.pipeline import read_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kitline.oci.descriptor import Descriptor
    from kitline.store.interface import ByteStream


@dataclass(frozen=True, kw_only=True)
class _About:
    """What a listed manifest says of its subject; kept, since a digest never changes meaning."""

    subject: Digest | None
    descriptor: Descriptor


class LayoutReader(ABC):
    """What every layout can answer; subclasses say where the index and the blobs lie."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._known: dict[Digest, _About] = {}

    @property
    def name(self) -> str:
        """The repository as people write it."""
        return self._name

    @abstractmethod
    def read_index(self) -> LayoutIndex:
        """Return the index as it is now; an empty one if there is no layout yet."""

    @abstractmethod
    def _open_blob(self, digest: Digest) -> tuple[ByteStream, int]:
        """Open a blob; return it with its size. Raises BlobNotFound."""

    @abstractmethod
    def _locate(self, digest: Digest) -> str:
        """Say where a blob lies and what to do if it is damaged, for messages."""

    def has_blob(self, digest: Digest) -> bool:
        """Tell whether the layout holds the blob."""
        try:
            self._open_blob(digest)[0].close()
        except BlobNotFound:
            return False
        return True

    def find_manifest(self, digest: Digest) -> Manifest | None:
        """Return a manifest that is listed, or named by a listed index."""
        descriptor = self.read_index().find(digest) or self._find_nested(digest)
        return None if descriptor is None else self.read_manifest(descriptor)

    def get_manifest(self, digest: Digest) -> Manifest:
        """Return a manifest that is listed, or named by a listed index."""
        found = self.find_manifest(digest)
        if found is None:
            raise ManifestNotFound(f"{self.name!r} holds no manifest {str(digest)!r}")
        return found

    def find_tag(self, tag: str) -> Descriptor | None:
        """Return what a tag points at now."""
        return self.read_index().find_tag(tag)

    def list_tags(self, *, prefix: str = "") -> Sequence[str]:
        """Return all tags that begin with `prefix`, sorted."""
        return sorted({tag for tag in self.read_index().tags() if tag.startswith(prefix)})

    def list_manifests(self) -> Sequence[Descriptor]:
        """Return the descriptors of all listed manifests, tagged or not, each once."""
        return self.read_index().descriptors()

    def list_referrers(
        self, subject: Digest, *, artifact_type: str | None = None
    ) -> Sequence[Descriptor]:
        """Return the referrers of `subject`: listed ones and those of its fallback index.

        An entry of an index is a hint only: each manifest is read and its subject compared.
        """
        candidates = {each.digest: each for each in self._read_fallback_index(subject)}
        candidates |= {each.digest: each for each in self.list_manifests()}
        found = [self._about(candidates[digest]) for digest in sorted(candidates)]
        return [
            each.descriptor
            for each in found
            if each.subject == subject and artifact_type in (None, each.descriptor.artifact_type)
        ]

    def find_single(self) -> Descriptor:
        """Return the one artifact of a layout that needs no tag to be named.

        Referrers and the parts of an image index do not count.

        Raises:
            ManifestNotFound: if there is none.
            AmbiguousReference: if there are several.
        """
        index = self.read_index()
        left = {each.digest: each for each in index.descriptors()}
        for descriptor in tuple(left.values()):
            for part in self.find_parts(descriptor):
                left.pop(part.digest, None)
        helpers = {each.descriptor.digest for each in index.entries if is_helper_tag(each.tag)}
        for digest, descriptor in tuple(left.items()):
            if digest in helpers or self._about(descriptor).subject is not None:
                del left[digest]
        if not left:
            raise ManifestNotFound(f"{self.name!r} lists no artifact")
        if len(left) > 1:
            tags = ", ".join(tag for tag in self.list_tags()[:10] if not is_helper_tag(tag))
            raise AmbiguousReference(
                f"{self.name!r} lists {len(left)} artifacts; add ':TAG' or '@sha256:…' to say which"
                + (f" (tags: {tags})" if tags else "")
            )
        return next(iter(left.values()))

    @staticmethod
    def is_manifest(descriptor: Descriptor) -> bool:
        """Tell whether a descriptor is of a manifest or an index."""
        return descriptor.media_type in (*media_types.MANIFESTS, *media_types.INDEXES)

    def find_subject(self, descriptor: Descriptor) -> Digest | None:
        """Return what a listed manifest is about; None too if it cannot be read."""
        return self._about(descriptor).subject

    def read_manifest(self, descriptor: Descriptor) -> Manifest:
        """Return a manifest, listed or not, verified against its descriptor."""
        what = f"manifest {descriptor.digest} {self._locate(descriptor.digest)}"
        if descriptor.size > SIZE_LIMIT:
            raise InvalidManifest(
                f"{what}: {descriptor.size} bytes are over the limit of {SIZE_LIMIT}"
            )
        stream, size = self._open_blob(descriptor.digest)
        with stream:
            raw = b"" if size != descriptor.size else read_all(stream, size)
        if len(raw) != descriptor.size:
            raise SizeMismatch(what, expected=descriptor.size, actual=size)
        if not descriptor.digest.matches(raw):
            expected, actual = str(descriptor.digest), str(Digest.of(raw))
            raise DigestMismatch(what, expected=expected, actual=actual)
        return replace(
            Manifest.from_bytes(raw, media_type=descriptor.media_type), digest=descriptor.digest
        )

    def _find_nested(self, digest: Digest) -> Descriptor | None:
        return next((each for each in self._nested() if each.digest == digest), None)

    def _nested(self) -> Iterator[Descriptor]:
        """Yield what listed indexes name, and indexes among them, each once."""
        seen: set[Digest] = set()
        waiting = list(self.list_manifests())
        while waiting:
            for part in self.find_parts(waiting.pop()):
                if part.digest not in seen:
                    seen.add(part.digest)
                    waiting.append(part)
                    yield part

    def find_parts(self, descriptor: Descriptor) -> Sequence[Descriptor]:
        """Return what an image index names; nothing for what is none or cannot be read."""
        if descriptor.media_type not in media_types.INDEXES:
            return ()
        try:
            index = self.read_manifest(descriptor)
        except KitlineError:
            return ()  # it tells nothing; whoever asks for itself gets the error
        return [plain(each) for each in index.manifests] if isinstance(index, ImageIndex) else ()

    def _read_fallback_index(self, subject: Digest) -> Sequence[Descriptor]:
        descriptor = self.find_tag(f"{subject.algorithm}-{subject.hex}")
        return () if descriptor is None else self.find_parts(descriptor)

    def _about(self, descriptor: Descriptor) -> _About:
        known = self._known.get(descriptor.digest)
        if known is not None:
            return known
        try:
            manifest = self.read_manifest(descriptor)
        except KitlineError:
            return _About(subject=None, descriptor=descriptor)  # broken: vouches for nothing
        found = replace(
            manifest.descriptor, artifact_type=manifest.kind, annotations=manifest.annotations
        )
        subject = manifest.subject.digest if manifest.subject else None
        self._known[descriptor.digest] = _About(subject=subject, descriptor=found)
        return self._known[descriptor.digest]


def is_helper_tag(tag: str | None) -> bool:
    """Tell whether a tag only serves another artifact: fallback index, cosign's `.sig`, `.att`."""
    return tag is not None and tag.startswith(("sha256-", "sha512-"))
