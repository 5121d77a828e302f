"""StoreContract: what every store keeps, as tests that a subclass runs.

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self) -> Store:
            return MyStore(...)

The store is new and empty for each test. `skipped` names tests that cannot hold, with the reason.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ClassVar

import pytest

from kitline.errors import (
    BlobNotFound,
    Cancelled,
    DigestMismatch,
    KitlineError,
    ManifestNotFound,
    TagConflict,
    TagNotFound,
)
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest
from kitline.oci.manifest import EMPTY_CONFIG, ImageIndex, ImageManifest, Manifest
from kitline.store.interface import Store
from kitline.store.memory import MemoryStore
from kitline.store.pipeline import read_all
from kitline.store.source import BytesSource
from kitline.testing.sources import WatchedSource

if TYPE_CHECKING:
    from collections.abc import Mapping

_MIB = 1 << 20
_KIND = "application/vnd.example.note.v1+json"
_OTHER_KIND = "application/vnd.example.other.v1+json"


class StoreContract:
    """Subclass it as `Test…` and give a `store` fixture."""

    skipped: ClassVar[Mapping[str, str]] = {}
    """Names of tests that cannot hold for this store, each with the reason."""

    @pytest.fixture(autouse=True)
    def _skip_with_reason(self, request: pytest.FixtureRequest) -> None:
        reason = self.skipped.get(getattr(request.node, "originalname", ""))
        if reason is not None:
            pytest.skip(reason)

    # Blobs

    @pytest.mark.parametrize("size", [0, 1, 100_000, 9 * _MIB + 1])
    def test_a_blob_comes_back_byte_for_byte(self, store: Store, size: int) -> None:
        content = bytes(range(251)) * (size // 251) + bytes(size % 251)
        stored = store.push_blob(BytesSource(content), name="weights")
        assert str(stored.digest) == "sha256:" + hashlib.sha256(content).hexdigest()
        assert stored.size == size
        assert not stored.existed
        assert store.has_blob(stored.digest)
        assert read_blob(store, stored.digest, size) == content

    def test_a_blob_of_known_digest_comes_back_byte_for_byte(self, store: Store) -> None:
        content = b"known beforehand"
        digest = Digest.of(content)
        stored = store.push_blob(BytesSource(content), digest=digest)
        assert (stored.digest, stored.existed) == (digest, False)
        assert read_blob(store, digest, len(content)) == content

    def test_a_blob_that_is_there_is_not_read_again(self, store: Store) -> None:
        content = b"pushed twice"
        store.push_blob(BytesSource(content))
        again = WatchedSource(content)
        stored = store.push_blob(again, digest=Digest.of(content))
        assert stored.existed
        assert stored.size == len(content)
        assert again.opened == 0

    def test_a_blob_can_be_pushed_twice_without_naming_its_digest(self, store: Store) -> None:
        content = b"pushed twice, unnamed"
        first = store.push_blob(BytesSource(content))
        assert store.push_blob(BytesSource(content)).digest == first.digest
        assert read_blob(store, first.digest, len(content)) == content

    def test_a_blob_that_is_not_there_is_told(self, store: Store) -> None:
        digest = Digest.of(b"never pushed")
        assert not store.has_blob(digest)
        with pytest.raises(BlobNotFound):
            read_blob(store, digest, 12)

    def test_bytes_of_another_digest_are_refused_and_not_kept(self, store: Store) -> None:
        content, named = b"what was sent", Digest.of(b"what was named")
        with pytest.raises(DigestMismatch):
            store.push_blob(BytesSource(content), digest=named)
        assert not store.has_blob(named)
        assert not store.has_blob(Digest.of(content))

    @pytest.mark.parametrize("lie", [-1, 1, _MIB])
    def test_a_source_that_lies_about_its_size_is_refused(self, store: Store, lie: int) -> None:
        content = b"x" * 5000
        with pytest.raises(KitlineError):
            store.push_blob(WatchedSource(content, stated_size=len(content) + lie))
        assert not store.has_blob(Digest.of(content))

    @pytest.mark.parametrize("offset", [0, 1, 4095, 4999, 5000])
    def test_a_blob_is_read_from_any_offset(self, store: Store, offset: int) -> None:
        content = bytes(range(250)) * 20
        digest = store.push_blob(BytesSource(content)).digest
        assert read_blob(store, digest, len(content), offset=offset) == content[offset:]

    def test_progress_counts_every_byte(self, store: Store) -> None:
        watched = _Watching()
        store.push_blob(BytesSource(b"p" * 3_000_000), name="part", progress=watched)
        assert watched.names == ["part"]
        assert watched.count == 3_000_000
        assert watched.outcomes == ["pushed"]

    def test_a_push_that_is_cancelled_keeps_nothing_and_can_be_repeated(self, store: Store) -> None:
        content = b"c" * (2 * _MIB)
        with pytest.raises(Cancelled):
            store.push_blob(BytesSource(content), progress=_Watching(cancel=True))
        assert not store.has_blob(Digest.of(content))
        assert store.push_blob(BytesSource(content)).digest == Digest.of(content)

    def test_a_blob_of_a_stranger_is_not_mounted(self, store: Store) -> None:
        neighbour = MemoryStore("neighbour")
        digest = neighbour.push_blob(BytesSource(b"neighbour's")).digest
        if not isinstance(store, MemoryStore):
            assert not store.mount_blob(_blob(digest, 11), neighbour)
            assert not store.has_blob(digest)
        assert not store.mount_blob(_blob(Digest.of(b"nobody's"), 8), neighbour)

    # Manifests

    def test_a_manifest_keeps_its_bytes(self, store: Store) -> None:
        written = push_artifact(store, text="kept")
        raw = written.raw.replace(b'{"schemaVersion":2', b'{ "schemaVersion" : 2') + b"\n"
        manifest = Manifest.from_bytes(raw)
        store.push_manifest(manifest)
        found = store.get_manifest(manifest.digest)
        assert found.raw == raw
        assert found.media_type == manifest.media_type
        assert found.digest == manifest.digest != written.digest

    def test_a_manifest_can_be_pushed_twice(self, store: Store) -> None:
        manifest = push_artifact(store)
        store.push_manifest(manifest)
        assert store.get_manifest(manifest.digest).raw == manifest.raw

    def test_an_index_is_a_manifest(self, store: Store) -> None:
        inner = push_artifact(store)
        index = ImageIndex.build(manifests=[inner.descriptor])
        store.push_manifest(index)
        found = store.get_manifest(index.digest)
        assert isinstance(found, ImageIndex)
        assert found.manifests[0].digest == inner.digest

    def test_a_manifest_that_is_not_there_is_told(self, store: Store) -> None:
        digest = Digest.of(b"never pushed")
        assert store.find_manifest(digest) is None
        with pytest.raises(ManifestNotFound):
            store.get_manifest(digest)

    # Tags

    def test_a_new_store_has_no_tags(self, store: Store) -> None:
        assert list(store.list_tags()) == []
        assert store.find_tag("v1") is None

    def test_a_tag_points_at_a_manifest(self, store: Store) -> None:
        manifest = push_artifact(store)
        assert store.set_tag("v1", manifest) is None
        found = store.find_tag("v1")
        assert found is not None
        assert (found.digest, found.size) == (manifest.digest, manifest.size)
        assert found.media_type == manifest.media_type

    def test_a_moved_tag_says_where_it_pointed_before(self, store: Store) -> None:
        first, second = push_artifact(store, text="1"), push_artifact(store, text="2")
        store.set_tag("v1", first)
        assert store.set_tag("v1", second) == first.digest
        found = store.find_tag("v1")
        assert found is not None
        assert found.digest == second.digest
        assert store.get_manifest(first.digest).raw == first.raw

    def test_a_tag_that_may_not_move_stays(self, store: Store) -> None:
        first, second = push_artifact(store, text="1"), push_artifact(store, text="2")
        store.set_tag("v1", first, may_move=False)
        with pytest.raises(TagConflict, match="v1"):
            store.set_tag("v1", second, may_move=False)
        found = store.find_tag("v1")
        assert found is not None
        assert found.digest == first.digest

    def test_a_tag_may_point_again_where_it_points(self, store: Store) -> None:
        manifest = push_artifact(store)
        store.set_tag("v1", manifest)
        assert store.set_tag("v1", manifest, may_move=False) == manifest.digest

    @pytest.mark.parametrize("tag", ["", "../up", ".hidden", "a b", "ä", "t" * 129, "a/b", "a\nb"])
    def test_what_is_no_tag_is_refused(self, store: Store, tag: str) -> None:
        manifest = push_artifact(store)
        with pytest.raises(KitlineError):
            store.set_tag(tag, manifest)
        assert list(store.list_tags()) == []

    def test_tags_are_listed_sorted_and_by_prefix(self, store: Store) -> None:
        manifest = push_artifact(store)
        for tag in ["v2", "kit-b", "v10", "V1", "kit-a"]:
            store.set_tag(tag, manifest)
        assert list(store.list_tags()) == ["V1", "kit-a", "kit-b", "v10", "v2"]
        assert list(store.list_tags(prefix="kit-")) == ["kit-a", "kit-b"]
        assert list(store.list_tags(prefix="x")) == []

    # Referrers

    def test_a_manifest_without_referrers_has_none(self, store: Store) -> None:
        assert list(store.list_referrers(push_artifact(store).digest)) == []
        assert list(store.list_referrers(Digest.of(b"unknown subject"))) == []

    def test_referrers_are_found_with_kind_and_annotations(self, store: Store) -> None:
        subject = push_artifact(store)
        notes = [push_note(store, subject, text=text) for text in ("a", "b", "c")]
        found = store.list_referrers(subject.digest)
        assert [each.digest for each in found] == sorted(note.digest for note in notes)
        assert {each.artifact_type for each in found} == {_KIND}
        assert {each.annotations["org.example.text"] for each in found} == {"a", "b", "c"}
        assert {each.size for each in found} == {note.size for note in notes}

    def test_referrers_are_found_by_kind(self, store: Store) -> None:
        subject = push_artifact(store)
        push_note(store, subject)
        other = push_note(store, subject, kind=_OTHER_KIND)
        found = store.list_referrers(subject.digest, artifact_type=_OTHER_KIND)
        assert [each.digest for each in found] == [other.digest]
        assert list(store.list_referrers(subject.digest, artifact_type="text/none")) == []

    def test_a_referrer_pushed_twice_is_listed_once(self, store: Store) -> None:
        subject = push_artifact(store)
        note = push_note(store, subject)
        store.push_manifest(note)
        assert [each.digest for each in store.list_referrers(subject.digest)] == [note.digest]

    def test_a_referrer_may_come_before_its_subject(self, store: Store) -> None:
        elsewhere = MemoryStore()
        subject = push_artifact(elsewhere)
        note = push_note(store, subject)
        assert [each.digest for each in store.list_referrers(subject.digest)] == [note.digest]

    def test_a_referrer_can_have_referrers(self, store: Store) -> None:
        note = push_note(store, push_artifact(store))
        second = push_note(store, note, text="about the note")
        assert [each.digest for each in store.list_referrers(note.digest)] == [second.digest]

    def test_a_manifest_that_only_claims_to_be_about_another_is_dropped(self, store: Store) -> None:
        subject, stranger = push_artifact(store), push_artifact(store, text="no subject")
        claim = ImageIndex.build(manifests=[stranger.descriptor])
        store.push_manifest(claim)
        store.set_tag(f"sha256-{subject.digest.hex}", claim)
        assert list(store.list_referrers(subject.digest)) == []

    # Removal

    def test_a_removed_tag_leaves_the_manifest(self, store: Store) -> None:
        manifest = push_artifact(store)
        store.set_tag("v1", manifest)
        store.set_tag("v2", manifest)
        store.remove_tag("v1")
        assert list(store.list_tags()) == ["v2"]
        assert store.get_manifest(manifest.digest).raw == manifest.raw

    def test_a_tag_that_is_not_there_cannot_be_removed(self, store: Store) -> None:
        push_artifact(store)
        with pytest.raises(TagNotFound):
            store.remove_tag("v1")

    def test_a_removed_manifest_takes_its_tags_along(self, store: Store) -> None:
        manifest, other = push_artifact(store), push_artifact(store, text="other")
        store.set_tag("v1", manifest)
        store.set_tag("v2", other)
        store.remove_manifest(manifest.digest)
        assert store.find_manifest(manifest.digest) is None
        assert store.find_tag("v1") is None
        assert list(store.list_tags()) == ["v2"]

    def test_a_manifest_that_is_not_there_cannot_be_removed(self, store: Store) -> None:
        push_artifact(store)
        with pytest.raises(ManifestNotFound):
            store.remove_manifest(Digest.of(b"never pushed"))

    def test_a_removed_referrer_is_listed_no_more(self, store: Store) -> None:
        subject = push_artifact(store)
        note = push_note(store, subject)
        store.remove_manifest(note.digest)
        assert list(store.list_referrers(subject.digest)) == []

    # The whole

    def test_it_is_a_store_with_a_name_that_pins(self, store: Store) -> None:
        assert isinstance(store, Store)
        pinned = store.pin(push_artifact(store).digest)
        assert str(pinned).startswith(store.name + "@sha256:")

    def test_it_may_be_used_from_many_threads(self, store: Store) -> None:
        def push(number: int) -> Digest:
            manifest = push_artifact(store, text=f"thread {number}")
            store.set_tag(f"t{number:02}", manifest)
            return manifest.digest

        with ThreadPoolExecutor(8) as pool:
            digests = list(pool.map(push, range(16)))
        assert list(store.list_tags()) == [f"t{number:02}" for number in range(16)]
        assert all(store.find_manifest(digest) for digest in digests)
        assert len(set(digests)) == 16


def read_blob(store: Store, digest: Digest, size: int, *, offset: int = 0) -> bytes:
    """Read a blob from `offset` to its end."""
    with store.fetch(_blob(digest, size), offset=offset) as stream:
        return read_all(stream, size + 1)


def push_artifact(store: Store, *, text: str = "content") -> ImageManifest:
    """Push a small artifact with one layer; return its manifest."""
    layer = text.encode()
    stored = store.push_blob(BytesSource(layer))
    store.push_blob(BytesSource(b"{}"))
    manifest = ImageManifest.build(
        config=EMPTY_CONFIG,
        layers=[_blob(stored.digest, stored.size)],
        artifact_type="application/vnd.example.artifact.v1+json",
    )
    store.push_manifest(manifest)
    return manifest


def push_note(
    store: Store, subject: Manifest, *, text: str = "note", kind: str = _KIND
) -> ImageManifest:
    """Push a small referrer of `subject`; return its manifest."""
    store.push_blob(BytesSource(b"{}"))
    manifest = ImageManifest.build(
        config=EMPTY_CONFIG,
        layers=[EMPTY_CONFIG],
        artifact_type=kind,
        subject=subject.descriptor,
        annotations={"org.example.text": text},
    )
    store.push_manifest(manifest)
    return manifest


def _blob(digest: Digest, size: int) -> Descriptor:
    return Descriptor(media_type="application/octet-stream", digest=digest, size=size)


class _Watching:
    """Progress that remembers, or that cancels at the first bytes."""

    def __init__(self, *, cancel: bool = False) -> None:
        self._cancel = cancel
        self.names: list[str] = []
        self.outcomes: list[str] = []
        self.count = 0

    def begin(self, name: str, total: int | None, /) -> _Watching:
        self.names.append(name)
        return self

    def advance(self, count: int, /) -> None:
        if self._cancel:
            raise Cancelled("a test asked to stop")
        self.count += count

    def end(self, outcome: str, /) -> None:
        self.outcomes.append(outcome)
