from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kitline.errors import InvalidConfig
from kitline.kit.kit_config import to_config
from kitline.kit.kitfile import Code, Dataset, Docs, Model, Package, Part, Prompt
from kitline.kit.modelpack import kitfile_from_modelpack
from kitline.kit.pairing import pair_parts
from kitline.oci import media_types
from kitline.oci.descriptor import Descriptor
from kitline.oci.digest import Digest
from kitline.oci.json import encode
from kitline.oci.manifest import ImageManifest, Manifest
from kitline.testing.vectors import find_vectors, vector_cases

CASES = {case.name: case for case in vector_cases(find_vectors(Path(__file__).parents[3]))}


def layer(
    name: str, path: str | None, *, family: str = "cncf", form: str = "raw", **notes: str
) -> Descriptor:
    """Return a layer; its content is its path."""
    annotations = {f"org.{family}.model.filepath": path} if path else {}
    return Descriptor(
        media_type=f"application/vnd.{family}.model.{name}.v1.{form}",
        digest=Digest.of((path or "").encode()),
        size=1,
        annotations=annotations | {key.replace("_", "-"): text for key, text in notes.items()},
    )


def digest(path: str) -> str:
    return str(Digest.of(path.encode()))


@pytest.mark.skipif("modelpack" not in CASES, reason="the golden vectors are not there")
def test_the_kitfile_in_the_annotation_decides() -> None:
    case = CASES["modelpack"]
    manifest = Manifest.from_bytes(case.manifest)
    assert isinstance(manifest, ImageManifest)

    kitfile = kitfile_from_modelpack(case.config, manifest.layers, manifest.annotations)

    assert to_config(kitfile).decode() == manifest.annotations[media_types.KITFILE]
    pairs = pair_parts(kitfile, manifest.layers)
    assert [pair[1] for pair in pairs] == list(manifest.layers)


def test_without_the_annotation_the_layers_tell() -> None:
    layers = [
        layer("weight.config", "config.json"),
        layer("weight", "a.safetensors"),
        layer("weight", "b.safetensors"),
        layer("code", "run.py"),
        Descriptor(
            media_type="application/vnd.cncf.model.code.v1.tar",
            digest=Digest.of(b"p.txt"),
            size=1,
            annotations={media_types.FILEPATH: "p.txt", media_types.LAYER_SUBTYPE: "prompt"},
        ),
        layer("doc", "README.md"),
        layer("dataset", "rows.csv"),
    ]
    config = {
        "descriptor": {
            "name": "n",
            "version": "1",
            "authors": ["A", "B"],
            "licenses": ["MIT", "CC0-1.0"],
            "description": "d",
        },
        "modelfs": {"type": "layers", "diffIds": [str(each.digest) for each in layers]},
        "config": {"format": "safetensors"},
    }

    kitfile = kitfile_from_modelpack(encode(config), layers, {})

    def entry(path: str) -> dict[str, Any]:
        return {"path": path, "digest": digest(path), "diff_id": digest(path)}

    assert kitfile.package == Package(
        name="n", version="1", description="d", license="MIT AND CC0-1.0", authors=("A", "B")
    )
    assert kitfile.model == Model(
        **entry("a.safetensors"),
        format="safetensors",
        parts=(Part(**entry("b.safetensors")), Part(**entry("config.json"))),
    )
    assert kitfile.code == (Code(**entry("run.py")),)
    assert kitfile.prompts == (Prompt(**entry("p.txt")),)
    assert kitfile.docs == (Docs(**entry("README.md")),)
    assert kitfile.datasets == (Dataset(**entry("rows.csv")),)
    assert {pair[1].digest for pair in pair_parts(kitfile, layers)} == {
        each.digest for each in layers
    }


def test_the_older_names_of_modctl_are_read() -> None:
    kitfile = kitfile_from_modelpack(b"{}", [layer("weight", "m.bin", family="cnai")], {})

    assert kitfile.model is not None
    assert (kitfile.model.path, kitfile.model.digest) == ("m.bin", digest("m.bin"))


def test_without_weights_there_is_no_model() -> None:
    kitfile = kitfile_from_modelpack(b"{}", [layer("doc", "README.md", form="tar")], {})

    assert kitfile.model is None
    assert [part.field for part in kitfile.parts()] == ["docs[0]"]


@pytest.mark.parametrize(
    ("config", "layers", "said"),
    [
        (b"[]", [], "the ModelPack's config is not a JSON object"),
        (b"{", [], "not valid JSON"),
        (b"{}", [layer("weight", None)], r"layers\[0\]: no annotation 'org.cncf.model.filepath'"),
        (b"{}", [layer("weight", "a", form="gguf")], r"layers\[0\]: .* is not a ModelPack layer"),
        (b'{"modelfs":{"diffIds":[]}}', [], None),
        (
            encode({"modelfs": {"diffIds": [digest("x")]}}),
            [layer("weight", "a"), layer("doc", "b")],
            "names 1 diffIds for 2 layers",
        ),
        (b'{"modelfs":{"diffIds":["x"]}}', [layer("weight", "a")], r"modelfs\.diffIds\[0\]: inval"),
        (b'{"modelfs":[]}', [], "modelfs: expected an object"),
        (b'{"descriptor":{"name":1}}', [], r"descriptor\.name: expected a text"),
        (b'{"descriptor":{"authors":"me"}}', [], r"descriptor\.authors: expected a list of texts"),
    ],
)
def test_a_modelpack_that_cannot_be_understood_is_refused(
    config: bytes, layers: list[Descriptor], said: str | None
) -> None:
    if said is None:
        assert kitfile_from_modelpack(config, layers, {}).model is None
        return
    with pytest.raises(InvalidConfig, match=said):
        kitfile_from_modelpack(config, layers, {})


def test_a_broken_annotation_is_named() -> None:
    with pytest.raises(InvalidConfig, match=r"annotation 'ml\.kitops\.modelkit\.kitfile': "):
        kitfile_from_modelpack(b"{}", [], {media_types.KITFILE: "\ud800"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["descriptor", "modelfs", "config"]),
        JSON
        | st.fixed_dictionaries({"name": JSON, "authors": JSON, "diffIds": JSON, "format": JSON}),
    )
)
def test_any_config_is_read_or_refused(fields: dict[str, Any]) -> None:
    try:
        kitfile = kitfile_from_modelpack(encode(fields), [layer("weight", "a")], {})
    except InvalidConfig:
        return
    assert kitfile.model is not None
