"""The contracts for plugins hold for a small importer and exporter, and notice bad ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kitline.errors import SourceError
from kitline.kit.folder import FolderTree
from kitline.oci.json import decode
from kitline.plugin import Collected, Exporter, ExportResult, ImportContext, Importer, Kit, Origin
from kitline.store.memory import MemoryStore
from kitline.store.verify import read_verified
from kitline.testing.plugin_contracts import (
    ExporterContract,
    ImporterContract,
    pack_collected,
    sample_kit,
)
from kitline.testing.trees import write_tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline.plugin import ExportContext


def collect(source: str, options: Mapping[str, str], context: ImportContext) -> Collected:
    """Collect a folder: `folder:PATH`."""
    folder = Path(source.removeprefix("folder:"))
    if not folder.is_dir():
        raise SourceError(f"collect {source!r}: there is no such folder")
    return Collected(
        tree=FolderTree(folder),
        origin=Origin(importer="folder", source=f"folder:{folder.name}"),
        recipe="folder/1",
    )


def export(
    kit: Kit, target: str, options: Mapping[str, str], context: ExportContext
) -> ExportResult:
    """Write the verified config to a file."""
    path, config = Path(target), read_verified(kit.store, kit.manifest.config)
    if path.exists() and path.read_bytes() == config:
        return ExportResult(target=target, existed=True)
    path.write_bytes(config)
    return ExportResult(target=target)


FOLDERS = Importer(name="folder", schemes=("folder",), summary="folders", collect=collect)


class TestFolderImporter(ImporterContract):
    missing_source = "folder:nowhere"

    @pytest.fixture
    def importer(self) -> Importer:
        return FOLDERS

    @pytest.fixture
    def source(self, tmp_path: Path) -> str:
        write_tree(tmp_path / "folder", {"model.bin": b"weights", "data/a.csv": "1,2\n"})
        return f"folder:{tmp_path / 'folder'}"


class TestConfigExporter(ExporterContract):
    @pytest.fixture
    def exporter(self) -> Exporter:
        return Exporter(name="config", summary="config blobs as files", export=export)

    @pytest.fixture
    def target(self, tmp_path: Path) -> str:
        return str(tmp_path / "config.json")


@pytest.mark.parametrize(
    "text",
    ["https://me:hunter2@host/x", "https://host/x?X-Amz-Signature=abc", "https://host/?token=abc"],
)
def test_the_contract_notices_secrets(tmp_path: Path, text: str) -> None:
    write_tree(tmp_path / "folder", {"model.bin": b"weights"})
    good = collect(f"folder:{tmp_path / 'folder'}", {}, ImportContext())
    bad = replace(good, annotations={"org.example.source": text})
    ImporterContract().test_nothing_in_the_kit_tells_secrets(good)
    with pytest.raises(AssertionError):
        ImporterContract().test_nothing_in_the_kit_tells_secrets(bad)


def test_the_sample_kit_names_its_parts(tmp_path: Path) -> None:
    store = MemoryStore("team/iris")
    kit = sample_kit(store, tmp_path / "kit")
    assert str(kit.reference) == f"team/iris@{kit.manifest.digest}"
    assert kit.kitfile.package.name == "iris"
    assert len(kit.manifest.layers) == 4
    config = decode(read_verified(store, kit.manifest.config))
    assert config == json.loads(read_verified(store, kit.manifest.config))


def test_what_is_collected_is_packed_with_its_annotations(tmp_path: Path) -> None:
    write_tree(tmp_path / "folder", {"model.bin": b"weights"})
    collected = collect(f"folder:{tmp_path / 'folder'}", {}, ImportContext())
    manifest = pack_collected(collected, MemoryStore())
    assert manifest.annotations["io.kitline.recipe"] == "folder/1"
