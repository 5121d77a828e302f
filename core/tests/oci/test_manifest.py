"""Manifests keep their bytes; malformed ones are refused with the place at fault."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kitline.errors import InvalidDescriptor, InvalidManifest
from kitline.oci import media_types
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest
from kitline.oci.manifest import EMPTY_CONFIG, SIZE_LIMIT, ImageIndex, ImageManifest, Manifest

LAYER = Descriptor(
    media_type="application/vnd.kitops.modelkit.model.v1.tar",
    digest=Digest.of(b"layer"),
    size=5,
    annotations={"b": "<2>", "a": "1"},
)


def written(**changes: Any) -> bytes:
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": media_types.IMAGE_MANIFEST,
        "config": EMPTY_CONFIG.to_json(),
        "layers": [LAYER.to_json()],
    }
    manifest |= changes
    return json.dumps({k: v for k, v in manifest.items() if v is not ...}).encode()


def test_foreign_bytes_are_kept_and_named_by_their_digest() -> None:
    raw = b" " + written() + b"\n"

    manifest = Manifest.from_bytes(raw)

    assert manifest.raw == raw
    assert manifest.digest == Digest.of(raw)
    assert manifest.descriptor.size == len(raw)


def test_a_manifest_is_written_in_the_order_of_go_tools() -> None:
    manifest = ImageManifest.build(
        config=EMPTY_CONFIG,
        layers=[LAYER],
        artifact_type="application/vnd.example",
        subject=LAYER,
        annotations={"z": "&", "a": "é"},
    )

    assert list(json.loads(manifest.raw)) == [
        "schemaVersion",
        "mediaType",
        "artifactType",
        "config",
        "layers",
        "subject",
        "annotations",
    ]
    assert '"annotations":{"a":"1","b":"\\u003c2\\u003e"}' in manifest.raw.decode()
    assert manifest.raw.decode().endswith('"annotations":{"a":"é","z":"\\u0026"}}')


def test_what_is_built_reads_back_equal() -> None:
    manifest = ImageManifest.build(config=EMPTY_CONFIG, layers=[LAYER], subject=LAYER)
    index = ImageIndex.build(manifests=[manifest.descriptor], annotations={"a": "b"})

    assert Manifest.from_bytes(manifest.raw) == manifest
    assert Manifest.from_bytes(index.raw) == index


def test_null_layers_and_a_missing_media_type_are_accepted() -> None:
    manifest = Manifest.from_bytes(written(layers=None, mediaType=...))

    assert isinstance(manifest, ImageManifest)
    assert manifest.layers == ()
    assert manifest.media_type == media_types.IMAGE_MANIFEST


def test_each_blob_is_referenced_once() -> None:
    manifest = ImageManifest.build(config=EMPTY_CONFIG, layers=[LAYER, LAYER])

    assert manifest.references == (LAYER, EMPTY_CONFIG)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not valid JSON"),
        (b"[]", "a manifest is a JSON object"),
        (b"{}", "schemaVersion is None, not 2"),
        (written(schemaVersion=1), "schemaVersion is 1, not 2"),
        (written(mediaType="text/plain"), "neither a manifest nor an index"),
        (written(mediaType=5), "mediaType is not a text"),
        (written(config=...), "config: is missing"),
        (written(config="x"), "config: is not an object"),
        (written(layers={}), "layers is not a list"),
        (written(layers=[{}]), r"layers\[0\].digest: is missing"),
        (written(layers=[{**LAYER.to_json(), "digest": "sha256:../../x"}]), r"layers\[0\].digest"),
        (
            written(layers=[{**LAYER.to_json(), "size": -1}]),
            r"layers\[0\].size: -1 is out of range",
        ),
        (
            written(layers=[{**LAYER.to_json(), "size": True}]),
            r"layers\[0\].size: is not an integer",
        ),
        (
            written(layers=[{**LAYER.to_json(), "size": 1.5}]),
            r"layers\[0\].size: is not an integer",
        ),
        (written(layers=[{**LAYER.to_json(), "size": 2**70}]), "is out of range"),
        (written(layers=[{**LAYER.to_json(), "mediaType": "x"}]), "is not a media type"),
        (written(layers=[{**LAYER.to_json(), "annotations": {"a": 1}}]), r"annotations\['a'\]"),
        (written(layers=[{**LAYER.to_json(), "data": "%"}]), r"layers\[0\].data: is not base64"),
        (written(manifests=[]), "both a manifest"),
        (written(annotations=[]), "annotations: is not an object"),
        (written(artifactType=1), "artifactType is not a text"),
        (b" " * (SIZE_LIMIT + 1), "over the limit"),
    ],
)
def test_a_malformed_manifest_is_refused(raw: bytes, reason: str) -> None:
    with pytest.raises(InvalidManifest, match=reason):
        Manifest.from_bytes(raw)


def test_a_manifest_served_as_something_else_is_refused() -> None:
    with pytest.raises(InvalidManifest, match="but it was served as"):
        Manifest.from_bytes(written(), media_type=media_types.IMAGE_INDEX)


def test_a_descriptor_names_its_field() -> None:
    with pytest.raises(InvalidDescriptor) as refusal:
        Descriptor(media_type="no media type", digest=LAYER.digest, size=1)

    assert refusal.value.where == "mediaType"
