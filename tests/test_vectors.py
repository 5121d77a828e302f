"""The command line packs every golden kit into the bytes that kit 1.15 made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from harness.programs import Kitline
from kitline.testing.vectors import VectorCase, find_vectors, vector_cases

if TYPE_CHECKING:
    from typing import Any

VECTORS = vector_cases(find_vectors(Path(__file__).parent.parent))

# kit's compression cannot be repeated byte for byte, and ModelPack is read only: of these the
# uncompressed layers are compared.
BY_UNCOMPRESSED_LAYERS = {"compressed-gzip", "compressed-zstd", "modelpack"}
# What brings kitline to do as kit does, where it normally does better.
FLAGS = {
    "modes": ["--keep-modes"],
    "links-and-empty": ["--symlinks", "skip"],
    "raw-layers": ["--layer-format", "raw", "--keep-mtime"],
}
needs_vectors = pytest.mark.skipif(
    not VECTORS, reason="needs the folder of golden kits, ../shared/vectors"
)


@pytest.fixture
def kitline(tmp_path: Path) -> Kitline:
    (tmp_path / "home").mkdir()
    return Kitline(home=tmp_path / "home", settings={"TZ": "UTC"})


def packed(case: VectorCase, kitline: Kitline, folder: Path) -> dict[str, Any]:
    case.write(folder)
    digest = kitline.digest("pack", folder, "-t", "golden:v1", *FLAGS.get(case.name, []))
    return kitline.manifest("golden", digest)


def members_aside(layers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in layer.items() if key != "members"} for layer in layers]


@needs_vectors
@pytest.mark.parametrize(
    "case", [case for case in VECTORS if case.name not in BY_UNCOMPRESSED_LAYERS], ids=str
)
def test_config_and_layers_are_those_of_kit(
    case: VectorCase, kitline: Kitline, tmp_path: Path
) -> None:
    manifest = packed(case, kitline, tmp_path / "tree")

    assert manifest["layers"] == members_aside(case.expected["layers"])
    assert manifest["config"]["digest"] == case.expected["config_digest"]
    assert manifest["config"]["size"] == case.expected["config_size"]


@needs_vectors
@pytest.mark.parametrize(
    "case", [case for case in VECTORS if case.name in BY_UNCOMPRESSED_LAYERS], ids=str
)
def test_uncompressed_layers_are_those_inside_kits_compressed_ones(
    case: VectorCase, kitline: Kitline, tmp_path: Path
) -> None:
    manifest = packed(case, kitline, tmp_path / "tree")

    digests = [layer["digest"] for layer in manifest["layers"]]
    assert digests
    assert sorted(digests) == sorted(diff_ids(json.loads(case.config)))


def diff_ids(config: Any) -> list[str]:
    """Collect every `diffId` of a kit's config, or the `diffIds` of a ModelPack's."""
    if isinstance(config, list):
        return [found for item in config for found in diff_ids(item)]
    if not isinstance(config, dict):
        return []
    own = [config["diffId"]] if "diffId" in config else list(config.get("diffIds", []))
    return own + [found for value in config.values() for found in diff_ids(value)]
