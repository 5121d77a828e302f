"""Copying moves a kit with all that is about it, and nothing twice."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from kitline.errors import BlobNotFound, Cancelled, DigestMismatch, StoreError, TagConflict
from kitline.oci.descriptor import Descriptor
from kitline.oci.manifest import ImageIndex, ImageManifest
from kitline.store.copy import StoredSource, copy_kit
from kitline.store.local import LocalStores
from kitline.store.memory import MemoryStore
from kitline.store.source import BytesSource
from kitline.store.verify import read_verified

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.oci.digest import Digest
    from kitline.oci.manifest import Manifest
    from kitline.store.interface import ByteStream, Store
    from kitline.store.layout import LayoutStore

KIND = "application/vnd.example.signature"


@pytest.fixture
def source() -> MemoryStore:
    return MemoryStore("source")


@pytest.fixture
def target() -> MemoryStore:
    return MemoryStore("target")


@pytest.fixture
def stores(tmp_path: Path) -> LocalStores:
    return LocalStores(tmp_path / "root")


def push(store: Store, data: bytes) -> Descriptor:
    stored = store.push_blob(BytesSource(data))
    return Descriptor(media_type="text/plain", digest=stored.digest, size=stored.size)


def push_kit(store: Store, *contents: bytes, **more: Any) -> ImageManifest:
    layers = [push(store, each) for each in contents]
    manifest = ImageManifest.build(config=push(store, b"{}"), layers=layers, **more)
    store.push_manifest(manifest)
    return manifest


def refer(store: Store, subject: Manifest, content: bytes, kind: str = KIND) -> ImageManifest:
    return push_kit(store, content, subject=subject.descriptor, artifact_type=kind)


def referrers(store: Store, subject: Manifest) -> set[Digest]:
    return {each.digest for each in store.list_referrers(subject.digest)}


def test_a_copy_keeps_the_digest_and_every_byte(source: Store, stores: LocalStores) -> None:
    manifest = push_kit(source, b"model", b"data" * 100_000)
    target = stores.open("iris")
    result = copy_kit(source, target, manifest, tag="v1")
    assert target.find_tag("v1") == manifest.descriptor
    assert [read_verified(target, each) for each in manifest.references] == [
        b"model",
        b"data" * 100_000,
        b"{}",
    ]
    assert (result.copied, result.copied_bytes) == (3, 400_007)
    assert (result.skipped, result.mounted, result.previous) == (0, 0, None)


def test_what_exists_is_not_moved_again(source: Store, target: Store) -> None:
    first, second = push_kit(source, b"1", b"2"), push_kit(source, b"2", b"3")
    copy_kit(source, target, first)
    result = copy_kit(source, target, second)
    assert (result.skipped, result.copied + result.mounted) == (2, 1)


def test_a_moved_tag_is_reported(source: Store, target: Store) -> None:
    first, second = push_kit(source, b"1"), push_kit(source, b"2")
    copy_kit(source, target, first, tag="v1")
    assert copy_kit(source, target, second, tag="v1").previous == first.digest
    with pytest.raises(TagConflict):
        copy_kit(source, target, first, tag="v1", may_move=False)


def test_within_one_local_store_blobs_are_linked(stores: LocalStores) -> None:
    origin, target = stores.open("a"), stores.open("b")
    manifest = push_kit(origin, b"model" * 1000)
    result = copy_kit(origin, target, manifest)
    assert (result.mounted, result.copied) == (2, 0)
    digest = manifest.layers[0].digest
    assert target.blob_path(digest).samefile(origin.blob_path(digest))


def test_an_index_brings_its_parts_recursively(source: Store, target: Store) -> None:
    kits = [push_kit(source, b"1"), push_kit(source, b"2")]
    inner = ImageIndex.build(manifests=[kits[0].descriptor])
    source.push_manifest(inner)
    outer = ImageIndex.build(manifests=[inner.descriptor, kits[1].descriptor])
    source.push_manifest(outer)
    signature = refer(source, kits[0], b"signed")
    copy_kit(source, target, outer, tag="all")
    for each in (*kits, inner, outer, signature):
        assert target.get_manifest(each.digest).raw == each.raw
    assert read_verified(target, kits[0].layers[0]) == b"1"


# Referrers


def test_referrers_come_along_recursively(source: Store, target: Store) -> None:
    kit = push_kit(source, b"model")
    statement = refer(source, kit, b"statement")
    about_statement = refer(source, statement, b"signature")
    result = copy_kit(source, target, kit)
    assert result.referrers == 2
    assert referrers(target, kit) == {statement.digest}
    assert referrers(target, statement) == {about_statement.digest}


def test_referrers_are_left_when_not_wanted(source: Store, target: Store) -> None:
    kit = push_kit(source, b"model")
    refer(source, kit, b"statement")
    assert copy_kit(source, target, kit, referrers=False).referrers == 0
    assert referrers(target, kit) == set()


@pytest.mark.parametrize(("with_history", "carried"), [(False, 1), (True, 3)])
def test_history_stays_unless_asked_for(
    source: Store, target: Store, with_history: bool, carried: int
) -> None:
    kit = push_kit(source, b"model")
    refer(source, kit, b"signature")
    refer(source, kit, b"edge", "application/vnd.kitline.derived.v1+json")
    refer(source, kit, b"moved", "application/vnd.kitline.promotion.v1+json")
    assert copy_kit(source, target, kit, with_history=with_history).referrers == carried
    assert len(referrers(target, kit)) == carried


@pytest.mark.parametrize("suffix", ["sig", "att"])
def test_cosigns_tags_come_along(source: Store, target: Store, suffix: str) -> None:
    kit, signature = push_kit(source, b"model"), push_kit(source, b"payload")
    tag = f"sha256-{kit.digest.hex}.{suffix}"
    source.set_tag(tag, signature)
    assert copy_kit(source, target, kit).referrers == 1
    assert target.find_tag(tag) == signature.descriptor
    assert read_verified(target, signature.layers[0]) == b"payload"


def test_signatures_that_only_the_target_has_are_not_lost(source: Store, target: Store) -> None:
    kit, ours = push_kit(source, b"model"), push_kit(source, b"ours")
    tag = f"sha256-{kit.digest.hex}.sig"
    source.set_tag(tag, ours)
    theirs = push_kit(target, b"theirs")
    target.set_tag(tag, theirs)
    result = copy_kit(source, target, kit)
    assert target.find_tag(tag) == theirs.descriptor
    assert "holds signatures that 'source' lacks" in result.warnings[0]


def test_a_tag_with_more_signatures_replaces_one_with_fewer(source: Store, target: Store) -> None:
    kit, one = push_kit(source, b"model"), push_kit(source, b"first")
    tag = f"sha256-{kit.digest.hex}.sig"
    source.set_tag(tag, one)
    copy_kit(source, target, kit)
    two = push_kit(source, b"first", b"second")
    source.set_tag(tag, two)
    copy_kit(source, target, kit)
    assert target.find_tag(tag) == two.descriptor


def test_a_broken_referrer_is_a_warning_and_the_others_come(
    stores: LocalStores, target: Store
) -> None:
    origin = stores.open("iris")
    kit = push_kit(origin, b"model")
    broken, whole = refer(origin, kit, b"broken"), refer(origin, kit, b"whole")
    damage(origin, broken.layers[0], b"brOken")
    result = copy_kit(origin, target, kit)
    assert referrers(target, kit) == {whole.digest}
    assert result.referrers == 1
    assert result.warnings[0].startswith(
        f"referrer {broken.digest} of {kit.digest} was left out: blob {broken.layers[0].digest}"
    )


def damage(store: LayoutStore, descriptor: Descriptor, data: bytes) -> None:
    path = store.blob_path(descriptor.digest)
    path.chmod(0o644)
    path.write_bytes(data)


def test_referrers_in_a_circle_end(source: MemoryStore, target: Store) -> None:
    kit = push_kit(source, b"model")
    statement = refer(source, kit, b"statement")

    def circle(subject: Digest, *, artifact_type: str | None = None) -> list[Descriptor]:
        return [statement.descriptor, kit.descriptor]

    source.list_referrers = circle  # type: ignore[method-assign]
    assert copy_kit(source, target, kit).referrers == 2


# Failures


def test_a_damaged_layer_stops_the_copy_and_names_its_file(
    stores: LocalStores, target: Store
) -> None:
    origin = stores.open("iris")
    kit = push_kit(origin, b"model")
    damage(origin, kit.layers[0], b"mOdel")
    with pytest.raises(
        DigestMismatch, match=r"of 'iris' in '.*damaged: remove that file"
    ) as caught:
        copy_kit(origin, target, kit, tag="v1")
    assert str(kit.layers[0].digest) in str(caught.value)
    assert target.find_tag("v1") is None
    assert target.find_manifest(kit.digest) is None


def test_a_missing_layer_stops_the_copy(stores: LocalStores, target: Store) -> None:
    origin = stores.open("iris")
    kit = push_kit(origin, b"1", b"2", b"3")
    origin.blob_path(kit.layers[1].digest).unlink()
    with pytest.raises(BlobNotFound):
        copy_kit(origin, target, kit)
    assert target.find_manifest(kit.digest) is None


class Counting(MemoryStore):
    """Notes how many blobs are being fetched at once; each waits for a second one."""

    def __init__(self) -> None:
        super().__init__("counting")
        self.meeting = threading.Barrier(2, timeout=20)

    def fetch(self, descriptor: Descriptor, *, offset: int = 0) -> ByteStream:
        if descriptor.size > 2:
            self.meeting.wait()
        return super().fetch(descriptor, offset=offset)


def test_layers_are_copied_side_by_side(stores: LocalStores) -> None:
    origin = Counting()
    kit = push_kit(origin, b"111", b"222")
    assert copy_kit(origin, stores.open("iris"), kit, concurrency=2).copied == 3


class Cancelling:
    """Cancels at the first byte."""

    def begin(self, name: str, total: int | None, /) -> Cancelling:
        return self

    def advance(self, count: int, /) -> None:
        raise Cancelled("enough")

    def end(self, outcome: str, /) -> None: ...


def test_a_cancelled_copy_leaves_nothing_under_a_name(source: Store, stores: LocalStores) -> None:
    kit = push_kit(source, b"1", b"2" * 1_000_000)
    target = stores.open("iris")
    with pytest.raises(Cancelled):
        copy_kit(source, target, kit, tag="v1", progress=Cancelling())
    assert target.list_manifests() == []
    assert not any(target.has_blob(each.digest) for each in kit.references)


def test_a_failing_target_is_not_taken_for_a_broken_referrer(
    source: Store, target: MemoryStore
) -> None:
    kit = push_kit(source, b"model")
    signature = refer(source, kit, b"signature")
    push_manifest = target.push_manifest

    def refuse(manifest: Manifest) -> None:
        if manifest.digest == signature.digest:
            raise StoreError("disk full")
        push_manifest(manifest)

    target.push_manifest = refuse  # type: ignore[method-assign]
    with pytest.raises(StoreError, match="disk full"):
        copy_kit(source, target, kit)


def test_a_stored_blob_is_a_source_from_any_offset(source: Store) -> None:
    blob = StoredSource(source, push(source, b"0123456789"))
    buffer = memoryview(bytearray(10))
    with blob.open(8) as stream:
        assert bytes(buffer[: stream.readinto(buffer)]) == b"89"
    assert blob.size == 10
