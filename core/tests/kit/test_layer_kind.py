from __future__ import annotations

import pytest
from kitline.kit.layer_kind import LayerKind, find_filepath, is_prompt_layer, layer_kind
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest

KIT = "application/vnd.kitops.modelkit"


@pytest.mark.parametrize(
    ("media_type", "kind"),
    [
        (f"{KIT}.model.v1.tar", LayerKind(base="model")),
        (f"{KIT}.modelpart.v1.tar+gzip", LayerKind(base="modelpart", compression="gzip")),
        (f"{KIT}.dataset.v1.tar+zstd", LayerKind(base="dataset", compression="zstd")),
        (f"{KIT}.mcpb.v1.raw", LayerKind(base="mcpb", format="raw")),
        (f"{KIT}.code.v1.raw+gzip", LayerKind(base="code", format="raw", compression="gzip")),
        (
            "application/vnd.cncf.model.weight.v1.raw",
            LayerKind(base="model", format="raw", family="cncf"),
        ),
        (
            "application/vnd.cncf.model.weight.config.v1.tar",
            LayerKind(base="modelpart", family="cncf"),
        ),
        (
            "application/vnd.cnai.model.doc.v1.tar+gzip",
            LayerKind(base="docs", compression="gzip", family="cnai"),
        ),
    ],
)
def test_a_media_type_says_what_a_layer_is(media_type: str, kind: LayerKind) -> None:
    assert layer_kind(media_type) == kind
    assert kind.media_type == media_type


@pytest.mark.parametrize(
    "media_type",
    [
        *("", "text/plain", f"{KIT}.config.v1+json", f"{KIT}.model.v1.zip", f"{KIT}.model.v2.tar"),
        *(f"{KIT}.model.v1.tar+xz", f"{KIT}.weight.v1.tar", f"{KIT}.model.v1.tar\n"),
        "application/vnd.cncf.model.weight.v1.raw+gzip",
        "application/vnd.cncf.model.weight.v1.gguf",
        "application/vnd.cncf.model.mcpb.v1.raw",
    ],
)
def test_other_media_types_are_no_layers_of_kits(media_type: str) -> None:
    assert layer_kind(media_type) is None


@pytest.mark.parametrize("name", ["org.cncf.model.filepath", "org.cnai.model.filepath"])
def test_the_path_is_found_under_both_names(name: str) -> None:
    layer = Descriptor(
        media_type="a/b", digest=Digest.of(b""), size=0, annotations={name: "model.bin"}
    )

    assert find_filepath(layer) == "model.bin"
    assert not is_prompt_layer(layer)
