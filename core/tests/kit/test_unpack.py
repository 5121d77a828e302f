"""Unpacking: what was packed comes back, whoever packed it; nothing comes back half."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from kitline.errors import DigestMismatch, NotAModelKit, TargetError, VerificationError
from kitline.kit.folder import FolderTree
from kitline.kit.kitfile_yaml import read_kitfile
from kitline.kit.load import load_kit
from kitline.kit.pack import pack
from kitline.kit.scan import scan_layer
from kitline.kit.unpack import Pick, unpack
from kitline.oci import media_types
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest
from kitline.oci.manifest import EMPTY_CONFIG, ImageIndex, ImageManifest, Manifest
from kitline.store.memory import MemoryStore
from kitline.store.source import BytesSource
from kitline.testing.trees import read_tree, write_tree
from kitline.testing.vectors import VectorCase, find_vectors, vector_cases

VECTORS = vector_cases(find_vectors(Path(__file__).parents[3]))
COMPRESSED = [case for case in VECTORS if case.name.startswith("compressed-")]

KITFILE = read_kitfile(
    b"manifestVersion: 1.0.0\nmodel: {path: model}\ndatasets: [{name: train, path: data}]\n"
).kitfile


def stored_kit(root: Path) -> tuple[MemoryStore, ImageManifest]:
    write_tree(root, {"model/a.bin": b"a" * 3000, "data/t.csv": b"1,2\n", "data/empty": b""})
    store = MemoryStore()
    return store, pack(FolderTree(root, KITFILE), store).manifest


def everything(store: MemoryStore, manifest: Manifest) -> list[Pick]:
    return [Pick(store=store, layers=load_kit(store, manifest).layers)]


def stored_vector(case: VectorCase) -> tuple[MemoryStore, Manifest]:
    store = MemoryStore()
    manifest = Manifest.from_bytes(case.manifest)
    for descriptor in manifest.references:
        data = case.config if descriptor == manifest.config else case.blob(descriptor.digest.text)  # type: ignore[union-attr]
        store.push_blob(BytesSource(data), digest=descriptor.digest)
    store.push_manifest(manifest)
    return store, manifest


def test_a_kit_comes_back_as_it_was(tmp_path: Path) -> None:
    store, manifest = stored_kit(tmp_path / "in")

    done = unpack(everything(store, manifest), tmp_path / "out")

    assert read_tree(tmp_path / "out") == read_tree(tmp_path / "in")
    assert done.layers == 2


@pytest.mark.parametrize("case", COMPRESSED, ids=str)
def test_compressed_kits_of_kit_are_read_and_their_diff_ids_hold(
    case: VectorCase, tmp_path: Path
) -> None:
    store, manifest = stored_vector(case)
    case.write(tmp_path / "in")

    unpack(everything(store, manifest), tmp_path / "out")

    expected = read_tree(tmp_path / "in")
    del expected["Kitfile"]
    assert read_tree(tmp_path / "out") == expected


def tampered(store: MemoryStore, digest: Digest, data: bytes) -> MemoryStore:
    """Return a store that answers `data` where it was asked for `digest`."""

    class Lying(MemoryStore):
        def fetch(self, descriptor, *, offset=0):  # type: ignore[no-untyped-def]
            if descriptor.digest == digest:
                return BytesSource(data).open(offset)
            return store.fetch(descriptor, offset=offset)

        def find_manifest(self, digest):  # type: ignore[no-untyped-def]
            return store.find_manifest(digest)

    return Lying()


@pytest.mark.parametrize("change", ["flipped", "truncated", "longer"])
def test_a_layer_with_other_bytes_leaves_nothing_behind(tmp_path: Path, change: str) -> None:
    store, manifest = stored_kit(tmp_path / "in")
    layer = manifest.layers[0]
    with store.fetch(layer) as stream:
        buffer = memoryview(bytearray(layer.size))
        assert stream.readinto(buffer) == layer.size
    data = bytearray(buffer)
    data[1500] ^= 1
    wrong = {
        "flipped": bytes(data),
        "truncated": bytes(buffer)[:-1],
        "longer": bytes(buffer) + b"x",
    }
    liar = tampered(store, layer.digest, wrong[change])

    with pytest.raises(VerificationError, match="layer 'model'"):
        unpack(everything(liar, manifest), tmp_path / "out")

    assert not (tmp_path / "out").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_a_config_that_is_not_what_the_manifest_says_is_refused(tmp_path: Path) -> None:
    store, manifest = stored_kit(tmp_path / "in")
    liar = tampered(store, manifest.config.digest, b"{}" + b" " * (manifest.config.size - 2))

    with pytest.raises(DigestMismatch):
        load_kit(liar, manifest)


def test_a_wrong_diff_id_is_refused_in_a_modelkit_and_told_of_a_modelpack(tmp_path: Path) -> None:
    store, manifest = stored_kit(tmp_path / "in")
    layers = [
        (replace(part, diff_id=Digest.of(b"other").text), layer)
        for part, layer in load_kit(store, manifest).layers
    ]

    with pytest.raises(DigestMismatch, match="uncompressed"):
        unpack([Pick(store=store, layers=layers)], tmp_path / "out")
    done = unpack([Pick(store=store, layers=layers, trusts_diff_ids=False)], tmp_path / "out")

    assert "wrong diffId, as kit 1.10 to 1.14 wrote them" in done.warnings[0]


def test_files_in_the_way_are_named_and_nothing_changes(tmp_path: Path) -> None:
    store, manifest = stored_kit(tmp_path / "in")
    write_tree(tmp_path / "out", {"data/t.csv": b"mine"})

    with pytest.raises(TargetError, match=r"'data/t\.csv' exists"):
        unpack(everything(store, manifest), tmp_path / "out")

    assert read_tree(tmp_path / "out") == {"data": None, "data/t.csv": b"mine"}


def test_an_index_of_one_kit_is_that_kit(tmp_path: Path) -> None:
    store, manifest = stored_kit(tmp_path / "in")
    index = ImageIndex.build(manifests=[manifest.descriptor])
    store.push_manifest(index)

    assert load_kit(store, index).manifest == manifest


def test_an_index_of_two_kits_asks_which(tmp_path: Path) -> None:
    store, manifest = stored_kit(tmp_path / "in")
    other = ImageManifest.build(
        config=manifest.config,
        layers=manifest.layers,
        artifact_type=manifest.artifact_type,
        annotations={"a": "b"},
    )
    store.push_manifest(other)
    index = ImageIndex.build(manifests=[manifest.descriptor, other.descriptor])

    with pytest.raises(NotAModelKit, match="is an index of 2 kits; name one by its digest"):
        load_kit(store, index)


def test_another_artifact_is_not_taken_for_a_kit() -> None:
    layer = Descriptor(media_type="text/plain", digest=Digest.of(b""), size=0)
    manifest = ImageManifest.build(config=EMPTY_CONFIG, layers=[layer], artifact_type="text/x")

    with pytest.raises(NotAModelKit, match="is not a ModelKit: it is 'text/x'"):
        load_kit(MemoryStore(), manifest)


def test_kits_of_old_releases_without_artifact_type_and_digests_are_read(tmp_path: Path) -> None:
    store, manifest = stored_kit(tmp_path / "in")
    config = json.dumps(
        {
            "manifestVersion": "1.0.0",
            "package": {},
            "model": {"path": "model"},
            "datasets": [{"path": "data"}],
        }
    ).encode()
    stored = store.push_blob(BytesSource(config))
    old = ImageManifest.build(
        config=Descriptor(
            media_type=media_types.MODELKIT_CONFIG, digest=stored.digest, size=stored.size
        ),
        layers=[replace(layer, annotations={}) for layer in manifest.layers],
    )
    store.push_manifest(old)

    unpack(everything(store, old), tmp_path / "out")

    assert read_tree(tmp_path / "out") == read_tree(tmp_path / "in")


def test_a_layer_is_scanned_file_by_file(tmp_path: Path) -> None:
    store, manifest = stored_kit(tmp_path / "in")
    part, layer = load_kit(store, manifest).layers[1]

    members = scan_layer(store, part, layer)

    assert [(each.path, each.size, each.digest) for each in members] == [
        ("data/empty", 0, Digest.of(b"")),
        ("data/t.csv", 4, Digest.of(b"1,2\n")),
    ]
