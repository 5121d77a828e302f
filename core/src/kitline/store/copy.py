"""Copying a kit between any two stores, with what is about it.

Steps, for the kit and then for each referrer: (1) layers, several at once, (2) configs, (3) the
manifests, parts before indexes, (4) referrers, recursively, (5) the tag. So nothing refers to what
is not there, and whoever sees the tag finds the signatures too.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kitline.errors import (
    DigestMismatch,
    MalformedContent,
    NotFound,
    RegistryError,
    SizeMismatch,
    VerificationError,
)
from kitline.frozen import dataclass
from kitline.oci import media_types
from kitline.oci.manifest import ImageIndex, ImageManifest
from kitline.store.interface import SizeChecker
from kitline.store.parallel import run_all
from kitline.store.progress import SILENT
from kitline.store.verify import Located

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kitline.oci.descriptor import Descriptor
    from kitline.oci.digest import Digest
    from kitline.oci.manifest import Manifest
    from kitline.store.interface import ByteStream, Fetcher, Store
    from kitline.store.progress import Progress

HISTORY_TYPES = ("application/vnd.kitline.derived", "application/vnd.kitline.promotion")
"""Referrers that stay where they were written unless asked for: derived edges and promotions."""
COSIGN_SUFFIXES = (".sig", ".att")
"""Tags `sha256-<hex>.sig` and `.att`, where cosign keeps signatures without referrers."""
DEPTH_LIMIT = 16
"""How deep indexes may lie in indexes."""
_BROKEN = (VerificationError, MalformedContent, NotFound)


@dataclass(frozen=True, kw_only=True)
class CopyResult:
    """What a copy did; counts are of blobs, sizes in bytes."""

    manifest: Manifest
    copied: int
    copied_bytes: int
    skipped: int
    """Blobs that the target held already."""
    skipped_bytes: int
    mounted: int
    """Blobs taken over within the target's own storage."""
    mounted_bytes: int
    referrers: int
    """How many referrers are at the target now, cosign's tags included."""
    previous: Digest | None
    """What the tag pointed at before."""
    warnings: tuple[str, ...]


class StoredSource:
    """A blob of a store as a `BlobSource`.

    The bytes are not verified here: `push_blob` with the descriptor's digest verifies all of them
    in any case, also those of a transfer that goes on at an offset; a second hash costs a core.
    """

    def __init__(self, store: Fetcher, descriptor: Descriptor) -> None:
        self._store = store
        self._descriptor = descriptor
        self.location = ""

    @property
    def size(self) -> int:
        return self._descriptor.size

    def open(self, offset: int = 0) -> ByteStream:
        stream = self._store.fetch(self._descriptor, offset=offset)
        if isinstance(stream, Located):
            self.location = stream.location
        return stream


def copy_kit(
    source: Store,
    target: Store,
    manifest: Manifest,
    *,
    tag: str | None = None,
    may_move: bool = True,
    referrers: bool = True,
    with_history: bool = False,
    concurrency: int = 4,
    progress: Progress = SILENT,
) -> CopyResult:
    """Copy a manifest and all that it needs; what the target holds already is not moved.

    With `referrers` everything that is about it comes along, recursively; one that is broken at the
    source is left out with a warning. Derived edges and promotion records only `with_history`.

    Raises:
        DigestMismatch: if the source holds other bytes than it says; nothing refers to them then.
        TagConflict: if `tag` points elsewhere and `may_move` is false; the content is copied then.
    """
    work = _Copy(source, target, concurrency=concurrency, progress=progress)
    parts = work.copy(manifest)
    if referrers:
        work.copy_referrers([each.digest for each in parts], with_history=with_history)
    previous = None if tag is None else target.set_tag(tag, manifest, may_move=may_move)
    return work.result(manifest, previous)


class _Copy:
    """One copy under way: the two ends and what was done so far."""

    def __init__(
        self, source: Store, target: Store, *, concurrency: int, progress: Progress
    ) -> None:
        self._source = source
        self._target = target
        self._concurrency = concurrency
        self._progress = progress
        self._blobs: dict[Digest, tuple[str, int]] = {}
        self._manifests: set[Digest] = set()
        self._referrers: set[Digest] = set()
        self._warnings: list[str] = []

    def copy(self, manifest: Manifest) -> Sequence[Manifest]:
        """Copy a manifest and its parts; return them, parts first."""
        manifests, loose = self._find_parts(manifest)
        images = [each for each in manifests if isinstance(each, ImageManifest)]
        layers = [*loose, *(layer for image in images for layer in image.layers)]
        if isinstance(self._target, SizeChecker):
            for layer in layers:
                self._target.check_size(layer.size, _name(layer))
        self._copy_blobs(layers)
        self._copy_blobs(image.config for image in images)
        for each in manifests:
            if each.digest not in self._manifests:
                self._target.push_manifest(each)
                self._manifests.add(each.digest)
        return manifests

    def _find_parts(
        self, manifest: Manifest, depth: int = 0
    ) -> tuple[list[Manifest], list[Descriptor]]:
        """Return all manifests below one, parts first, and blobs that an index names itself."""
        manifests: list[Manifest] = []
        loose: list[Descriptor] = []
        if depth > DEPTH_LIMIT:
            raise MalformedContent(
                f"index {manifest.digest} lies in more than {DEPTH_LIMIT} others; refused"
            )
        for each in manifest.manifests if isinstance(manifest, ImageIndex) else ():
            if each.media_type in (*media_types.MANIFESTS, *media_types.INDEXES):
                found = self._find_parts(self._source.get_manifest(each.digest), depth + 1)
                manifests += found[0]
                loose += found[1]
            else:
                loose.append(each)
        unique = {each.digest: each for each in (*manifests, manifest)}
        return list(unique.values()), loose

    def _copy_blobs(self, descriptors: Iterable[Descriptor]) -> None:
        wanted = {each.digest: each for each in descriptors if each.digest not in self._blobs}
        tasks = [partial(self._copy_blob, each) for each in wanted.values()]
        outcomes = run_all(tasks, workers=self._concurrency, progress=self._progress)
        for descriptor, outcome in zip(wanted.values(), outcomes, strict=True):
            self._blobs[descriptor.digest] = outcome, descriptor.size

    def _copy_blob(self, descriptor: Descriptor, progress: Progress) -> str:
        if self._mount(descriptor):
            return "mounted"
        source = StoredSource(self._source, descriptor)
        try:
            stored = self._target.push_blob(
                source, digest=descriptor.digest, name=_name(descriptor), progress=progress
            )
        except (DigestMismatch, SizeMismatch) as cause:
            what = f"blob {descriptor.digest} of {self._source.name!r} {source.location}".strip()
            raise _renamed(cause, what) from cause
        return "skipped" if stored.existed else "copied"

    def _mount(self, descriptor: Descriptor) -> bool:
        """Try to take a blob over within one kind of store, unless the target holds it."""
        if type(self._source) is not type(self._target):
            return False
        if self._target.has_blob(descriptor.digest):
            return False
        return self._target.mount_blob(descriptor, self._source)

    def copy_referrers(self, subjects: Iterable[Digest], *, with_history: bool) -> None:
        """Copy all that is about `subjects`, and about that in turn; each once."""
        waiting = list(subjects)
        asked: set[Digest] = set()
        while waiting:
            subject = waiting.pop(0)
            if subject in asked:
                continue
            asked.add(subject)
            for digest in self._find_referrers(subject, with_history=with_history):
                if self._copy_referrer(digest, subject) is not None:
                    waiting.append(digest)
            for suffix in COSIGN_SUFFIXES:
                self._copy_cosign_tag(subject, f"{subject.algorithm}-{subject.hex}{suffix}")

    def _find_referrers(self, subject: Digest, *, with_history: bool) -> list[Digest]:
        try:
            found = self._source.list_referrers(subject)
        except (*_BROKEN, RegistryError) as cause:
            self._warnings.append(f"referrers of {subject} could not be listed: {cause}")
            return []
        return [
            each.digest
            for each in found
            if with_history or not (each.artifact_type or "").startswith(HISTORY_TYPES)
        ]

    def _copy_referrer(self, digest: Digest, subject: Digest) -> Manifest | None:
        if digest in self._referrers:
            return None
        try:
            manifest = self._source.get_manifest(digest)
            self.copy(manifest)
        except _BROKEN as cause:
            self._warnings.append(f"referrer {digest} of {subject} was left out: {cause}")
            return None
        self._referrers.add(digest)
        return manifest

    def _copy_cosign_tag(self, subject: Digest, tag: str) -> None:
        try:
            found = self._source.find_tag(tag)
        except _BROKEN as cause:
            self._warnings.append(f"tag {tag!r} was left out: {cause}")
            return
        manifest = None if found is None else self._copy_referrer(found.digest, subject)
        if manifest is None:
            return
        if self._would_lose_signatures(tag, manifest):
            self._warnings.append(
                f"tag {tag!r} of {self._target.name!r} was not moved: it holds signatures that"
                f" {self._source.name!r} lacks"
            )
            return
        self._target.set_tag(tag, manifest)

    def _would_lose_signatures(self, tag: str, manifest: Manifest) -> bool:
        """Tell whether the target's tag holds more than `manifest`: each signature is a layer."""
        there = self._target.find_tag(tag)
        if there is None or there.digest == manifest.digest:
            return False
        held = self._target.get_manifest(there.digest)
        return not set(_layers(held)) <= set(_layers(manifest))

    def result(self, manifest: Manifest, previous: Digest | None) -> CopyResult:
        """Return what was done."""
        sizes: dict[str, list[int]] = {"copied": [], "skipped": [], "mounted": []}
        for outcome, size in self._blobs.values():
            sizes[outcome].append(size)
        return CopyResult(
            manifest=manifest,
            copied=len(sizes["copied"]),
            copied_bytes=sum(sizes["copied"]),
            skipped=len(sizes["skipped"]),
            skipped_bytes=sum(sizes["skipped"]),
            mounted=len(sizes["mounted"]),
            mounted_bytes=sum(sizes["mounted"]),
            referrers=len(self._referrers),
            previous=previous,
            warnings=tuple(self._warnings),
        )


def _layers(manifest: Manifest) -> Sequence[tuple[Digest, str]]:
    """Return what tells signatures apart: one payload may be signed twice."""
    layers = manifest.layers if isinstance(manifest, ImageManifest) else ()
    return [
        (each.digest, each.annotations.get("dev.cosignproject.cosign/signature", ""))
        for each in layers
    ]


def _name(descriptor: Descriptor) -> str:
    """Return what progress shows for a blob."""
    path = descriptor.annotations.get(media_types.FILEPATH) or descriptor.annotations.get(
        media_types.TITLE
    )
    return path or descriptor.digest.hex[:12]


def _renamed(cause: DigestMismatch | SizeMismatch, what: str) -> DigestMismatch | SizeMismatch:
    """Return the same error with a better name for the blob."""
    if isinstance(cause, DigestMismatch):
        return DigestMismatch(what, expected=cause.expected, actual=cause.actual)
    return SizeMismatch(what, expected=cause.expected, actual=cause.actual)
