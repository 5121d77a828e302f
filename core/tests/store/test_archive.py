"""An archive is a layout in one file: read in place, written whole."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest
from kitline.errors import DigestMismatch, InvalidManifest, SizeMismatch, TargetError
from kitline.oci.descriptor import Descriptor
from kitline.oci.manifest import ImageManifest
from kitline.oci.reference import LayoutReference
from kitline.store.archive import ArchiveStore
from kitline.store.copy import copy_kit
from kitline.store.file_lock import try_lock
from kitline.store.local import LocalStores, open_layout
from kitline.store.memory import MemoryStore
from kitline.store.source import BytesSource
from kitline.store.verify import read_verified
from kitline.testing.store_contract import StoreContract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kitline.store.interface import Store

CONTENT = b"model" * 100_000


class TestArchiveStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        with open_archive(tmp_path / "kit.tar") as store:
            yield store


def open_archive(path: Path) -> ArchiveStore:
    store = open_layout(LayoutReference.parse(f"oci-archive:{path}"))
    assert isinstance(store, ArchiveStore)
    return store


def list_tags(path: Path) -> list[str]:
    with open_archive(path) as store:
        return list(store.list_tags())


def push(store: Store, data: bytes) -> Descriptor:
    stored = store.push_blob(BytesSource(data))
    return Descriptor(media_type="text/plain", digest=stored.digest, size=stored.size)


def push_kit(store: Store, content: bytes = CONTENT) -> ImageManifest:
    manifest = ImageManifest.build(config=push(store, b"{}"), layers=[push(store, content)])
    store.push_manifest(manifest)
    return manifest


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive with one kit under the tag v1."""
    with open_archive(tmp_path / "kit.tar") as store:
        store.set_tag("v1", push_kit(store))
    return tmp_path / "kit.tar"


def test_a_kit_goes_into_an_archive_and_comes_out(archive: Path, tmp_path: Path) -> None:
    target = LocalStores(tmp_path / "root").open("iris")
    with open_archive(archive) as store:
        manifest = store.get_manifest(store.find_single().digest)
        copy_kit(store, target, manifest, tag="v1")
    assert target.find_tag("v1") == manifest.descriptor
    assert isinstance(manifest, ImageManifest)
    assert read_verified(target, manifest.layers[0]) == CONTENT
    assert str(store.pin(manifest.digest)) == f"oci-archive:{archive}@{manifest.digest}"


def test_equal_content_gives_equal_bytes(archive: Path, tmp_path: Path) -> None:
    other = MemoryStore()
    manifest = push_kit(other)
    with open_archive(tmp_path / "again.tar") as store:
        copy_kit(other, store, manifest, tag="v1")
    assert (tmp_path / "again.tar").read_bytes() == archive.read_bytes()


def test_members_are_sorted_without_times_and_owners(archive: Path) -> None:
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
    names = [each.name for each in members]
    assert names == sorted(names)
    assert {(each.mtime, each.uid, each.gid, each.uname) for each in members} == {(0, 0, 0, "")}


def test_a_kit_is_added_to_an_archive(archive: Path) -> None:
    with open_archive(archive) as store:
        store.set_tag("v2", push_kit(store, b"other"))
    with open_archive(archive) as store:
        assert store.list_tags() == ["v1", "v2"]
        for each in store.list_manifests():
            manifest = store.get_manifest(each.digest)
            assert all(read_verified(store, part) for part in manifest.references)


def test_nothing_is_written_after_an_error(archive: Path, tmp_path: Path) -> None:
    before = archive.read_bytes()
    store = open_archive(archive)
    push_kit(store, b"other")
    store.__exit__(RuntimeError, RuntimeError("elsewhere"), None)
    assert archive.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["kit.tar"]


def test_what_a_killed_process_left_goes_and_what_a_living_one_writes_stays(
    archive: Path, tmp_path: Path
) -> None:
    dead, young, locked = (tmp_path / f".kit.tar.{each * 16}.tmp" for each in "abc")
    for each in (dead, young, locked):
        each.write_bytes(b"half")
    os.utime(dead, (0, 0))
    os.utime(locked, (0, 0))

    with locked.open("rb") as held, open_archive(archive) as store:
        assert try_lock(held.fileno())
        push_kit(store, b"other")
        store.finish()

    assert {each.name for each in tmp_path.iterdir()} == {"kit.tar", young.name, locked.name}


def test_a_source_that_changes_before_the_end_is_refused(tmp_path: Path) -> None:
    source = BytesSource(b"model")
    store = open_archive(tmp_path / "kit.tar")
    digest = store.push_blob(source).digest
    layer = Descriptor(media_type="text/plain", digest=digest, size=5)
    store.push_manifest(ImageManifest.build(config=layer, layers=[]))
    source._data = b"mOdel"
    with pytest.raises(DigestMismatch):
        store.close()
    assert not list(tmp_path.iterdir())


def test_removed_manifests_are_left_out(archive: Path) -> None:
    with open_archive(archive) as store:
        kept = push_kit(store, b"kept")
        (gone,) = (each for each in store.list_manifests() if each.digest != kept.digest)
        store.remove_manifest(gone.digest)
    with tarfile.open(archive) as tar:
        blobs = [each for each in tar.getmembers() if each.isfile() and "/" in each.name]
    assert len(blobs) == 3


def test_reading_creates_nothing_and_changes_nothing(archive: Path, tmp_path: Path) -> None:
    before = archive.stat()
    with open_archive(archive) as store:
        store.list_tags()
    with open_archive(tmp_path / "absent.tar") as absent:
        assert absent.list_tags() == []
    assert archive.stat().st_mtime_ns == before.st_mtime_ns
    assert [each.name for each in tmp_path.iterdir()] == ["kit.tar"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    store = open_archive(tmp_path / "absent" / "kit.tar")
    push_kit(store)
    with pytest.raises(TargetError, match=r"cannot write archive '.*kit.tar': No such file"):
        store.close()


# Hostile archives


Members = list[tuple[tarfile.TarInfo, bytes]]


def rewrite(archive: Path, change: Callable[[tarfile.TarInfo, bytes], Members]) -> None:
    with tarfile.open(archive) as tar:
        members = [
            (each, opened.read() if (opened := tar.extractfile(each)) else b"") for each in tar
        ]
    with tarfile.open(archive, "w") as tar:
        for member, data in members:
            for header, content in change(member, data):
                tar.addfile(header, io.BytesIO(content))


def test_a_flipped_byte_is_refused(archive: Path) -> None:
    rewrite(archive, lambda m, data: [(m, data.replace(b"model", b"mOdel", 1))])
    with open_archive(archive) as store:
        manifest = store.get_manifest(store.find_single().digest)
        with pytest.raises(DigestMismatch, match=r"in '.*kit.tar'"):
            read_verified(store, manifest.references[0])


def test_a_blob_of_another_size_is_refused(archive: Path) -> None:
    def shorten(member: tarfile.TarInfo, data: bytes) -> Members:
        if data == CONTENT:
            member.size -= 1
        return [(member, data)]

    rewrite(archive, shorten)
    with open_archive(archive) as store:
        manifest = store.get_manifest(store.find_single().digest)
        with pytest.raises(SizeMismatch):
            store.fetch(manifest.references[0])


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(archive: Path, kind: bytes) -> None:
    link = tarfile.TarInfo("blobs/sha256/link")
    link.type, link.linkname = kind, "/etc/passwd"
    rewrite(archive, lambda m, data: [(m, data), *([(link, b"")] if m.isdir() else [])])
    with pytest.raises(InvalidManifest, match="is a link or device, not a file; refused"):
        list_tags(archive)


def test_a_name_that_is_there_twice_is_refused(archive: Path) -> None:
    rewrite(archive, lambda m, data: [(m, data), (m, data)] if m.isfile() else [(m, data)])
    with pytest.raises(InvalidManifest, match=r"holds 'blobs/sha256/\w+' twice; refused"):
        list_tags(archive)


def test_other_names_are_never_looked_at(archive: Path) -> None:
    evil = tarfile.TarInfo("../../etc/passwd")
    evil.size = 4
    rewrite(archive, lambda m, data: [(m, data), (evil, b"evil")])
    assert list_tags(archive) == ["v1"]


@pytest.mark.parametrize("length", [100, 600, 300_000])
def test_a_cut_archive_is_refused(archive: Path, length: int) -> None:
    archive.write_bytes(archive.read_bytes()[:length])
    with pytest.raises(InvalidManifest, match=r"kit\.tar'"):
        list_tags(archive)


def test_a_compressed_or_other_file_is_refused(archive: Path) -> None:
    archive.write_bytes(b"\x1f\x8b" + bytes(2000))
    with pytest.raises(InvalidManifest, match="is not a plain tar archive"):
        list_tags(archive)


def test_a_tar_that_is_no_layout_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "other.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("README"))
    with pytest.raises(InvalidManifest, match="it holds no 'oci-layout'"):
        list_tags(tmp_path / "other.tar")


@pytest.mark.peer
def test_skopeo_reads_what_is_written_and_writes_what_is_read(
    archive: Path, tmp_path: Path
) -> None:
    skopeo = shutil.which("skopeo") or pytest.skip("skopeo is not installed")
    copied = tmp_path / "copied.tar"
    subprocess.run(
        [
            skopeo,
            "--insecure-policy",
            "copy",
            f"oci-archive:{archive}:v1",
            f"oci-archive:{copied}:v1",
        ],
        check=True,
        capture_output=True,
    )
    with open_archive(archive) as ours, open_archive(copied) as theirs:
        assert theirs.find_tag("v1") == ours.find_tag("v1")
        assert json.loads(theirs.get_manifest(theirs.find_single().digest).raw)
