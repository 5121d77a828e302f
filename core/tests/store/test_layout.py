"""A layout on disk: a standard one, safe for many writers, clear about what is wrong with it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from kitline.errors import (
    AmbiguousReference,
    BlobNotFound,
    DigestMismatch,
    InvalidManifest,
    InvalidReference,
    ManifestNotFound,
    SizeMismatch,
    StoreError,
    TagConflict,
    TagNotFound,
    TargetError,
)
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest
from kitline.oci.manifest import ImageIndex, ImageManifest
from kitline.oci.reference import LayoutReference
from kitline.store.ingest import prune_ingest
from kitline.store.layout import LayoutStore
from kitline.store.local import LocalStores, open_layout
from kitline.store.pipeline import read_all
from kitline.store.source import BytesSource
from kitline.store.verify import read_verified

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.oci.manifest import Manifest
    from kitline.store.interface import ByteStream, Store

BIG = bytes(range(256)) * (5 << 12) + b"tail"  # 5 MiB and 4 bytes


@pytest.fixture
def stores(tmp_path: Path) -> LocalStores:
    return LocalStores(tmp_path / "root")


@pytest.fixture
def store(stores: LocalStores) -> LayoutStore:
    return stores.open("team/iris")


def push(store: Store, data: bytes) -> Descriptor:
    stored = store.push_blob(BytesSource(data))
    return Descriptor(media_type="text/plain", digest=stored.digest, size=stored.size)


def push_kit(store: Store, content: bytes, tag: str | None = None, **more: Any) -> ImageManifest:
    manifest = ImageManifest.build(config=push(store, b"{}"), layers=[push(store, content)], **more)
    store.push_manifest(manifest)
    if tag:
        store.set_tag(tag, manifest)
    return manifest


def files(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


def listed(store: LayoutStore) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((store.folder / "index.json").read_text())["manifests"]
    return found


# Content


def test_a_kit_is_read_back_byte_for_byte(store: LayoutStore) -> None:
    manifest = push_kit(store, BIG, "v1")
    found = store.find_tag("v1")
    assert found == manifest.descriptor
    assert store.get_manifest(manifest.digest).raw == manifest.raw
    assert read_verified(store, manifest.layers[0], limit=8 << 20) == BIG
    assert str(store.pin(manifest.digest)) == f"team/iris@{manifest.digest}"


def test_the_folder_is_a_standard_layout_and_holds_nothing_else(store: LayoutStore) -> None:
    manifest = push_kit(store, b"model", "v1")
    store.close()
    digests = [manifest.digest, *(each.digest for each in manifest.references)]
    blobs = [f"blobs/sha256/{each.hex}" for each in digests]
    assert files(store.folder) == sorted([".index.lock", "index.json", "oci-layout", *blobs])
    assert (store.folder / "oci-layout").read_bytes() == b'{"imageLayoutVersion":"1.0.0"}'
    assert listed(store) == [
        {
            **manifest.descriptor.to_json(),
            "annotations": {"org.opencontainers.image.ref.name": "v1"},
        }
    ]


def test_blobs_are_read_only_files(store: LayoutStore) -> None:
    descriptor = push(store, b"model")
    assert store.blob_path(descriptor.digest).stat().st_mode & 0o222 == 0


def test_reading_creates_nothing(tmp_path: Path) -> None:
    store = LocalStores(tmp_path / "root").open("iris")
    digest = Digest.of(b"")
    assert store.find_tag("v1") is None
    assert store.find_manifest(digest) is None
    assert [*store.list_tags(), *store.list_manifests()] == []
    assert list(store.list_referrers(digest)) == []
    assert not store.has_blob(digest)
    with pytest.raises(BlobNotFound, match="'iris' holds no blob 'sha256:e3b0"):
        store.fetch(Descriptor(media_type="text/plain", digest=digest, size=0))
    assert not list(tmp_path.iterdir())


def test_a_blob_is_opened_at_an_offset(store: LayoutStore) -> None:
    with store.fetch(push(store, b"0123456789"), offset=7) as stream:
        assert read_all(stream, 10) == b"789"


def test_a_wrong_digest_keeps_nothing(store: LayoutStore) -> None:
    digest = Digest.of(BIG)
    with pytest.raises(DigestMismatch, match="blob layer: expected digest sha256:"):
        store.push_blob(BytesSource(b"x" + BIG[1:]), digest=digest, name="layer")
    assert not store.has_blob(digest)
    assert [each.name.partition(".")[0] for each in (store.folder / "ingest").iterdir()] == [
        "lease"
    ]


@pytest.mark.parametrize("claimed", [len(BIG) - 1, len(BIG) + 1])
def test_a_source_that_lies_about_its_size_keeps_nothing(store: LayoutStore, claimed: int) -> None:
    source = BytesSource(BIG)
    lying = type("Lying", (BytesSource,), {"size": property(lambda _: claimed)})
    with pytest.raises(SizeMismatch):
        store.push_blob(lying(BIG))
    store.close()
    assert not list((store.folder / "ingest").iterdir())
    assert source.size == len(BIG)


def test_a_damaged_blob_is_named_with_its_file_and_what_to_do(store: LayoutStore) -> None:
    descriptor = push(store, b"model")
    path = store.blob_path(descriptor.digest)
    path.chmod(0o644)
    path.write_bytes(b"mOdel")
    with pytest.raises(DigestMismatch) as caught:
        read_verified(store, descriptor)
    assert f"{str(path)!r} (damaged: remove that file and get it again)" in str(caught.value)


def test_a_damaged_manifest_is_refused(store: LayoutStore) -> None:
    manifest = push_kit(store, b"model", "v1")
    path = store.blob_path(manifest.digest)
    path.chmod(0o644)
    path.write_bytes(manifest.raw.replace(b"text", b"tExt"))
    with pytest.raises(DigestMismatch, match="damaged: remove that file"):
        store.find_manifest(manifest.digest)


def test_a_blob_of_the_wrong_size_is_replaced_by_a_push(store: LayoutStore) -> None:
    descriptor = push(store, b"model")
    path = store.blob_path(descriptor.digest)
    path.chmod(0o644)
    path.write_bytes(b"mod")
    with pytest.raises(SizeMismatch, match="expected 5 bytes, found 3"):
        store.fetch(descriptor)
    assert not store.push_blob(BytesSource(b"model"), digest=descriptor.digest).existed
    assert read_verified(store, descriptor) == b"model"


def test_what_exists_is_not_read_again(store: LayoutStore) -> None:
    descriptor = push(store, b"model")
    unreadable = BytesSource(b"model")
    unreadable.open = None  # type: ignore[method-assign, assignment] # fails if it is used
    assert store.push_blob(unreadable, digest=descriptor.digest).existed


def test_a_manifest_whose_blobs_are_missing_is_refused(store: LayoutStore) -> None:
    missing = Descriptor(media_type="text/plain", digest=Digest.of(b"gone"), size=4)
    manifest = ImageManifest.build(config=push(store, b"{}"), layers=[missing])
    with pytest.raises(BlobNotFound, match="which is not there; push that first"):
        store.push_manifest(manifest)
    assert not store.list_manifests()


# Going on after a break


class Breaking(BytesSource):
    """Breaks once after `limit` bytes, and notes where it was opened."""

    def __init__(self, data: bytes, limit: int) -> None:
        super().__init__(data)
        self.limit = limit
        self.opened: list[int] = []

    def open(self, offset: int = 0) -> ByteStream:
        self.opened.append(offset)
        stream = super().open(offset)
        left = self.limit
        read = stream.readinto

        def readinto(buffer: memoryview) -> int:
            nonlocal left
            if left <= 0:
                raise StoreError("connection lost")
            count = read(buffer[: min(len(buffer), left)])
            left -= count
            return count

        stream.readinto = readinto  # type: ignore[method-assign]
        return stream


def test_a_broken_transfer_goes_on_where_it_stopped(store: LayoutStore) -> None:
    digest = Digest.of(BIG)
    with pytest.raises(StoreError, match="connection lost"):
        store.push_blob(Breaking(BIG, 4 << 20), digest=digest)
    assert not store.has_blob(digest)
    again = Breaking(BIG, 1 << 30)
    assert store.push_blob(again, digest=digest).size == len(BIG)
    assert again.opened == [4 << 20]
    assert store.blob_path(digest).read_bytes() == BIG


def test_a_partial_that_turns_out_wrong_is_read_anew(store: LayoutStore) -> None:
    digest = Digest.of(BIG)
    with pytest.raises(StoreError):
        store.push_blob(Breaking(BIG, 4 << 20), digest=digest)
    (partial,) = (store.folder / "ingest").glob("*.partial")
    partial.write_bytes(b"\0" * partial.stat().st_size)
    again = Breaking(BIG, 1 << 30)
    store.push_blob(again, digest=digest)
    assert again.opened == [4 << 20, 0]
    assert store.blob_path(digest).read_bytes() == BIG


def test_a_partial_longer_than_the_blob_is_not_used(store: LayoutStore) -> None:
    digest = Digest.of(BIG)
    push(store, b"any")
    (store.folder / "ingest" / f"sha256-{digest.hex}.partial").write_bytes(BIG * 2)
    store.push_blob(BytesSource(BIG), digest=digest)
    assert store.blob_path(digest).read_bytes() == BIG


def test_a_partial_that_another_process_lets_grow_is_waited_for(store: LayoutStore) -> None:
    digest = Digest.of(BIG)
    push(store, b"any")
    path = store.folder / "ingest" / f"sha256-{digest.hex}.partial"
    fd = os.open(path, os.O_CREAT | os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)

    def finish_elsewhere() -> None:
        os.write(fd, BIG)
        path.rename(store.blob_path(digest))
        os.close(fd)

    timer = threading.Timer(0.1, finish_elsewhere)
    timer.start()
    source = Breaking(BIG, 0)
    assert store.push_blob(source, digest=digest).existed
    timer.join()
    assert source.opened == []


def test_partials_of_dead_processes_are_pruned_and_live_ones_kept(store: LayoutStore) -> None:
    push(store, b"any")
    dead = store.folder / "ingest" / "sha256-00.partial"
    dead.write_bytes(b"x" * 100)
    live = store.folder / "ingest" / "sha256-11.partial"
    fd = os.open(live, os.O_CREAT | os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    assert prune_ingest(store.place.ingest, older_than=60).removed == 0
    assert prune_ingest(store.place.ingest, older_than=0).removed_bytes == 100
    os.close(fd)
    assert not dead.exists()
    assert live.exists()


def test_whoever_pushes_next_removes_what_dead_processes_left_long_ago(store: LayoutStore) -> None:
    push(store, b"any")
    store.close()
    ingest = store.folder / "ingest"
    for name, age in (("lease.1.0", 0), ("young.partial", 3600), ("old.partial", 2 * 86_400)):
        (ingest / name).write_bytes(b"x")
        os.utime(ingest / name, (time.time() - age,) * 2)

    push(store, b"more")

    store.close()
    assert sorted(each.name for each in ingest.iterdir()) == ["lease.1.0", "young.partial"]


# Tags


def test_a_moved_tag_tells_where_it_was_and_leaves_the_old_manifest_listed(
    store: LayoutStore,
) -> None:
    first, second = push_kit(store, b"1", "v1"), push_kit(store, b"2")
    assert store.set_tag("v1", second) == first.digest
    assert store.find_tag("v1") == second.descriptor
    assert {each.digest for each in store.list_manifests()} == {first.digest, second.digest}
    assert store.get_manifest(first.digest).raw == first.raw


def test_setting_a_tag_where_it_points_is_no_write(store: LayoutStore) -> None:
    manifest = push_kit(store, b"1", "v1")
    before = (store.folder / "index.json").stat()
    assert store.set_tag("v1", manifest, may_move=False) == manifest.digest
    assert (store.folder / "index.json").stat() == before


def test_a_tag_that_may_not_move_stays(store: LayoutStore) -> None:
    first, second = push_kit(store, b"1", "v1"), push_kit(store, b"2")
    with pytest.raises(TagConflict, match="tag 'v1' of 'team/iris' points at 'sha256:"):
        store.set_tag("v1", second, may_move=False)
    assert store.find_tag("v1") == first.descriptor


def test_several_tags_of_one_manifest_are_entries_of_their_own(store: LayoutStore) -> None:
    manifest = push_kit(store, b"1", "v1")
    store.set_tag("latest", manifest)
    assert store.list_tags() == ["latest", "v1"]
    assert len(listed(store)) == 2
    store.remove_tag("v1")
    store.remove_tag("latest")
    assert listed(store) == [manifest.descriptor.to_json()]


def test_tags_are_listed_by_prefix(store: LayoutStore) -> None:
    manifest = push_kit(store, b"1")
    for tag in ("b-1", "a-2", "a-1"):
        store.set_tag(tag, manifest)
    assert store.list_tags(prefix="a-") == ["a-1", "a-2"]


def test_a_tag_needs_a_manifest_that_is_there(store: LayoutStore) -> None:
    other = ImageManifest.build(config=push(store, b"{}"), layers=[])
    with pytest.raises(ManifestNotFound, match="there is no such manifest; push it first"):
        store.set_tag("v1", other)
    with pytest.raises(InvalidReference):
        store.set_tag("no tag", other)
    with pytest.raises(TagNotFound, match="'team/iris' has no tag 'v1'"):
        store.remove_tag("v1")


def test_threads_tagging_at_once_lose_nothing(store: LayoutStore) -> None:
    manifest = push_kit(store, b"1")
    threads = [threading.Thread(target=store.set_tag, args=(f"t{n}", manifest)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.list_tags()) == 16


# Referrers


def refer(store: Store, subject: Manifest, kind: str = "application/x.sig") -> ImageManifest:
    return push_kit(
        store,
        kind.encode(),
        artifact_type=kind,
        subject=subject.descriptor,
        annotations={"k": "v", "org.opencontainers.image.ref.name": "evil"},
    )


def test_referrers_are_listed_with_type_and_annotations(store: LayoutStore) -> None:
    subject = push_kit(store, b"1", "v1")
    signature, bill = refer(store, subject), refer(store, subject, "application/x.sbom")
    found = store.list_referrers(subject.digest)
    assert [each.digest for each in found] == sorted([signature.digest, bill.digest])
    (only,) = store.list_referrers(subject.digest, artifact_type="application/x.sig")
    assert (only.digest, only.artifact_type) == (signature.digest, "application/x.sig")
    assert only.annotations["k"] == "v"
    assert store.list_tags() == ["v1"]


def test_referrers_are_entered_in_the_form_that_oras_writes(store: LayoutStore) -> None:
    signature = refer(store, push_kit(store, b"1"))
    assert listed(store)[-1] == {
        **signature.descriptor.to_json(),
        "annotations": {"k": "v"},
        "artifactType": "application/x.sig",
    }


def test_an_entry_that_only_claims_to_be_a_referrer_is_not_one(store: LayoutStore) -> None:
    subject, other = push_kit(store, b"1"), push_kit(store, b"2")
    push_fallback_index(store, subject, other)
    assert store.list_referrers(subject.digest) == []


def push_fallback_index(store: Store, subject: Manifest, *referrers: Manifest) -> ImageIndex:
    index = ImageIndex.build(manifests=[each.descriptor for each in referrers])
    store.push_manifest(index)
    store.set_tag(f"sha256-{subject.digest.hex}", index)
    return index


def test_referrers_named_only_by_a_fallback_index_are_found(store: LayoutStore) -> None:
    subject = push_kit(store, b"1", "v1")
    signature = refer(store, subject)
    push_fallback_index(store, subject, signature)
    unlist(store, signature.digest)
    assert [each.digest for each in store.list_referrers(subject.digest)] == [signature.digest]
    assert store.get_manifest(signature.digest).raw == signature.raw


def unlist(store: LayoutStore, digest: Digest) -> None:
    store.place.edit_index(lambda index: index.without_manifests({digest}))


# One artifact


def test_a_layout_with_one_artifact_needs_no_tag(store: LayoutStore) -> None:
    subject = push_kit(store, b"1")
    push_fallback_index(store, subject, refer(store, subject))
    assert store.find_single() == subject.descriptor


def test_the_parts_of_an_image_index_are_no_artifacts_of_their_own(store: LayoutStore) -> None:
    index = ImageIndex.build(manifests=[push_kit(store, b"1").descriptor])
    store.push_manifest(index)
    assert store.find_single() == index.descriptor


def test_several_artifacts_need_a_name(store: LayoutStore) -> None:
    with pytest.raises(ManifestNotFound, match="lists no artifact"):
        store.find_single()
    push_kit(store, b"1", "v1")
    push_kit(store, b"2", "v2")
    with pytest.raises(AmbiguousReference, match=r"lists 2 artifacts; add ':TAG'.*tags: v1, v2"):
        store.find_single()


# Removing


def test_removing_a_manifest_removes_its_tags_and_blobs_but_no_shared_ones(
    store: LayoutStore,
) -> None:
    first, second = push_kit(store, b"1", "v1"), push_kit(store, b"2", "v2")
    store.remove_manifest(first.digest, grace=0)
    assert store.list_tags() == ["v2"]
    assert store.find_manifest(first.digest) is None
    assert not store.has_blob(first.layers[0].digest)
    assert all(store.has_blob(each.digest) for each in second.references)
    with pytest.raises(ManifestNotFound):
        store.remove_manifest(first.digest)


def test_young_blobs_survive_removal(store: LayoutStore) -> None:
    first = push_kit(store, b"1", "v1")
    store.remove_manifest(first.digest)
    assert store.has_blob(first.layers[0].digest)


def test_blobs_that_another_process_is_taking_in_survive_removal(
    stores: LocalStores, store: LayoutStore
) -> None:
    manifest = push_kit(store, b"1", "v1")
    store.close()
    other = stores.open("team/iris")
    early = push(other, b"half a kit")
    reused = push(other, b"1")
    store.remove_manifest(manifest.digest, grace=0)
    assert other.has_blob(early.digest)
    assert other.has_blob(reused.digest)
    other.close()
    store.prune(grace=0)
    assert not other.has_blob(early.digest)


def test_an_untagged_manifest_that_is_pushed_again_survives_until_it_is_tagged(
    stores: LocalStores, store: LayoutStore
) -> None:
    manifest = push_kit(store, b"1")
    store.close()
    other = stores.open("team/iris")
    push_kit(other, b"1")
    assert store.prune(grace=0).manifests == ()
    other.set_tag("v1", manifest)
    other.close()
    assert store.prune(grace=0).manifests == ()
    assert read_verified(store, manifest.layers[0]) == b"1"


def test_prune_keeps_what_tags_lead_to(store: LayoutStore) -> None:
    moved, part, kept = push_kit(store, b"0", "v1"), push_kit(store, b"1"), push_kit(store, b"2")
    index = ImageIndex.build(manifests=[part.descriptor])
    store.push_manifest(index)
    store.set_tag("all", index)
    store.set_tag("v1", kept)
    signature = refer(store, kept)
    orphan = refer(store, moved)
    pruned = store.prune(grace=0)
    assert set(pruned.manifests) == {moved.digest, orphan.digest}
    left = {each.digest for each in store.list_manifests()}
    assert left == {index.digest, part.digest, kept.digest, signature.digest}
    assert read_verified(store, part.layers[0]) == b"1"
    assert store.prune(grace=0).blobs == 0


def test_a_listed_manifest_that_cannot_be_read_stops_the_removal_of_blobs(
    store: LayoutStore,
) -> None:
    damaged, other = push_kit(store, b"1", "v1"), push_kit(store, b"2", "v2")
    path = store.blob_path(damaged.digest)
    path.chmod(0o644)
    path.write_bytes(b"{}")
    store.remove_manifest(other.digest, grace=0)
    assert store.has_blob(damaged.layers[0].digest)
    assert "damaged" in store.prune(grace=0).kept_because


# Neighbours


def test_equal_blobs_of_repositories_are_one_file(stores: LocalStores) -> None:
    first, second = stores.open("a"), stores.open("b/c")
    descriptor = push(first, BIG)
    push(second, BIG)
    paths = [each.blob_path(descriptor.digest) for each in (first, second)]
    assert os.path.samefile(*paths)


def test_a_known_blob_of_a_neighbour_is_linked_and_not_read(stores: LocalStores) -> None:
    first, second = stores.open("a"), stores.open("b")
    descriptor = push(first, BIG)
    source = Breaking(BIG, 0)
    assert second.push_blob(source, digest=descriptor.digest).existed
    assert source.opened == []


def test_mounting_links_below_one_root_only(stores: LocalStores, tmp_path: Path) -> None:
    origin, target = stores.open("a"), stores.open("b")
    descriptor = push(origin, BIG)
    elsewhere = open_layout(LayoutReference.parse(f"oci:{tmp_path / 'usb'}"))
    assert target.mount_blob(descriptor, origin)
    assert not elsewhere.mount_blob(descriptor, origin)
    assert not target.mount_blob(push(elsewhere, b"usb"), elsewhere)


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.EMLINK])
def test_where_no_link_is_possible_the_blob_is_copied(
    stores: LocalStores, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    first, second = stores.open("a"), stores.open("b")
    descriptor = push(first, BIG)
    assert not second.mount_blob(descriptor, first)
    assert not second.push_blob(BytesSource(BIG), digest=descriptor.digest).existed
    assert read_verified(second, descriptor, limit=8 << 20) == BIG


def test_a_neighbours_blob_of_the_wrong_size_is_not_linked(stores: LocalStores) -> None:
    first, second = stores.open("a"), stores.open("b")
    path = first.blob_path(push(first, b"model").digest)
    path.chmod(0o644)
    path.write_bytes(b"mod")
    descriptor = push(second, b"model")
    assert read_verified(second, descriptor) == b"model"


def test_removing_from_one_repository_leaves_the_others(stores: LocalStores) -> None:
    first, second = stores.open("a"), stores.open("b")
    manifest = push_kit(first, BIG, "v1")
    push_kit(second, BIG, "v1")
    first.remove_manifest(manifest.digest, grace=0)
    assert not first.has_blob(manifest.layers[0].digest)
    assert read_verified(second, manifest.layers[0], limit=8 << 20) == BIG


# Layouts from elsewhere


def foreign(tmp_path: Path, index: str | None, version: str = "1.0.0") -> LayoutStore:
    folder = tmp_path / "foreign"
    folder.mkdir()
    (folder / "oci-layout").write_text(json.dumps({"imageLayoutVersion": version}))
    if index is not None:
        (folder / "index.json").write_text(index)
    return LayoutStore(folder, name="foreign", pin=LayoutReference(kind="oci", path=folder).pin)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("", "is not valid JSON"),
        ("[]", "an index is a JSON object"),
        ("[" * 100000, "nested too deep"),
        ('{"schemaVersion": 1, "manifests": []}', "schemaVersion is 1, not 2"),
        ('{"schemaVersion": 2, "manifests": {}}', "manifests is not a list"),
        ('{"schemaVersion": 2, "schemaVersion": 2}', "'schemaVersion' is there twice"),
        (
            '{"schemaVersion": 2, "manifests": [{"mediaType": "a/b", "size": 1,'
            ' "digest": "sha256:../../../etc/passwd"}]}',
            r"manifests\[0\].digest: invalid digest",
        ),
        (
            '{"schemaVersion": 2, "manifests": [{"mediaType": "a/b", "size": -1, "digest":'
            f' "{Digest.of(b"")}"}}]}}',
            r"manifests\[0\].size: -1 is out of range",
        ),
    ],
)
def test_a_malformed_index_is_refused_with_its_place(
    tmp_path: Path, index: str, message: str
) -> None:
    store = foreign(tmp_path, index)
    with pytest.raises(InvalidManifest, match=message) as caught:
        store.list_tags()
    assert "foreign/index.json" in str(caught.value)


def test_an_unknown_layout_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidManifest, match=r"imageLayoutVersion is '2.0.0', not '1.0.0'"):
        foreign(tmp_path, '{"schemaVersion": 2}', "2.0.0").list_tags()


def test_a_folder_without_layout_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text('{"schemaVersion": 2, "manifests": []}')
    store = open_layout(LayoutReference.parse(f"oci:{tmp_path}"))
    with pytest.raises(InvalidManifest, match="is not an OCI image layout"):
        store.list_tags()


def test_a_folder_with_other_content_is_not_made_a_layout(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    store = open_layout(LayoutReference.parse(f"oci:{tmp_path}"))
    with pytest.raises(TargetError, match="it exists and is none; name a new or empty folder"):
        push(store, b"1")
    assert files(tmp_path) == ["thesis.txt"]


def test_what_other_programs_wrote_into_the_index_stays(store: LayoutStore) -> None:
    manifest = push_kit(store, b"1", "v1")
    path = store.folder / "index.json"
    fields = json.loads(path.read_text())
    fields["annotations"] = {"owner": "someone"}
    fields["manifests"][0]["x-extra"] = 1
    fields["manifests"][0]["annotations"]["kind"] = "dev.cosignproject.cosign/image"
    path.write_text(json.dumps(fields))
    store.set_tag("v2", push_kit(store, b"2"))
    store.remove_tag("v1")
    after = json.loads(path.read_text())
    assert after["annotations"] == {"owner": "someone"}
    assert after["manifests"][0] == {
        **manifest.descriptor.to_json(),
        "x-extra": 1,
        "annotations": {"kind": "dev.cosignproject.cosign/image"},
    }


def test_a_tag_listed_for_two_manifests_is_refused_until_it_is_set_again(
    store: LayoutStore,
) -> None:
    push_kit(store, b"1", "v1")
    second = push_kit(store, b"2", "v2")
    path = store.folder / "index.json"
    path.write_text(path.read_text().replace('"v2"', '"v1"'))
    with pytest.raises(InvalidManifest, match="tag 'v1' is listed for 2 different manifests"):
        store.find_tag("v1")
    store.set_tag("v1", second)
    assert store.find_tag("v1") == second.descriptor


def test_names_that_are_no_tags_are_not_listed(store: LayoutStore) -> None:
    push_kit(store, b"1", "v1")
    path = store.folder / "index.json"
    path.write_text(path.read_text().replace('"v1"', '"docker.io/library/x:v1"'))
    assert store.list_tags() == []


def test_a_pipe_in_place_of_a_blob_is_refused(store: LayoutStore) -> None:
    descriptor = push(store, b"model")
    path = store.blob_path(descriptor.digest)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(StoreError, match="is not a file"):
        store.fetch(descriptor)


def test_a_layout_that_cannot_be_written_can_be_read(store: LayoutStore) -> None:
    manifest = push_kit(store, b"model", "v1")
    store.close()
    (store.folder / ".index.lock").unlink()
    (store.folder / "ingest").rmdir()
    before = files(store.folder)
    with LayoutStore(store.folder, name="usb", pin=store.pin) as reader:
        assert reader.find_tag("v1") == manifest.descriptor
        assert read_verified(reader, manifest.layers[0]) == b"model"
        assert list(reader.list_referrers(manifest.digest)) == []
    assert files(store.folder) == before
    assert not (store.folder / "ingest").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = LocalStores(tmp_path / "file").open("iris")
    with pytest.raises((TargetError, StoreError), match="cannot store blob layer in"):
        store.push_blob(BytesSource(b"1"), name="layer")


# Names


def test_repositories_may_lie_in_one_another(stores: LocalStores) -> None:
    names = ["a", "a/b", "a/blobs", "a/blobs/sha256", "a/ingest", "a/index.json", "a/oci-layout"]
    for name in names:
        with stores.open(name) as store:
            push_kit(store, name.encode(), "v1")
    assert stores.list() == sorted(names)
    for name in names:
        manifest = stores.open(name).get_manifest(stores.open(name).find_tag("v1").digest)  # type: ignore[union-attr] # it was set above
        assert isinstance(manifest, ImageManifest)
        assert read_verified(stores.open(name), manifest.layers[0]) == name.encode()


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("iris", "iris"),
        ("blobs", "blobs"),
        ("team/iris", "team/iris"),
        ("reg.example/team/iris", "reg.example/team/iris"),
        ("reg.example/blobs", "reg.example/blobs~"),
        ("reg.example:5000/team/iris", "reg.example~5000/team/iris"),
        ("localhost:5000/iris", "localhost~5000/iris"),
        ("[::1]:5000/iris", "[~~1]~5000/iris"),
    ],
)
def test_a_repository_lies_in_the_folder_of_its_name(
    stores: LocalStores, name: str, folder: str
) -> None:
    store = stores.open(name)
    push(store, b"1")
    assert store.folder == stores.root / folder
    assert stores.list() == [name]
    assert stores.exists(name)


@pytest.mark.parametrize("name", ["../x", "a/../b", "/etc", "a:v1", "a~", "A/b/../../c"])
def test_no_name_leads_out_of_the_root(stores: LocalStores, name: str) -> None:
    with pytest.raises(InvalidReference):
        stores.open(name)


def test_listing_an_absent_store_is_empty(stores: LocalStores) -> None:
    assert stores.list() == []
    assert not stores.exists("iris")


def test_a_file_is_not_taken_for_an_empty_layout(tmp_path: Path) -> None:
    (tmp_path / "kit.tar").write_bytes(b"")
    store = open_layout(LayoutReference.parse(f"oci:{tmp_path}/kit.tar"))

    message = "is a file, and a layout is a folder; write 'oci-archive:"
    with pytest.raises(StoreError, match=message):
        store.list_tags()
