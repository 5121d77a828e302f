"""MCP bundles are looked into before they are packed: what kit refuses, kitline refuses."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest
from kitline.errors import SourceError
from kitline.kit.folder import FolderTree
from kitline.kit.kitfile_yaml import read_kitfile
from kitline.kit.pack import Packed, PackOptions, pack
from kitline.store.memory import MemoryStore
from kitline.testing.processes import peer

if TYPE_CHECKING:
    from pathlib import Path

KITFILE = b"manifestVersion: 1.0.0\nmcpServers: [{name: tools, path: tools.mcpb}]\n"


def write_bundle(path: Path, *names: str, before: bytes = b"", cut: int = 0) -> None:
    with zipfile.ZipFile(path, "w") as bundle:
        for name in names:
            bundle.writestr(name, "{}" if not name.endswith("/") else "")
    content = before + path.read_bytes()
    path.write_bytes(content[: len(content) - cut])


def pack_bundle(root: Path) -> Packed:
    return pack(FolderTree(root, read_kitfile(KITFILE).kitfile), MemoryStore())


def test_a_bundle_becomes_a_raw_layer(tmp_path: Path) -> None:
    write_bundle(tmp_path / "tools.mcpb", "manifest.json", "server/index.js")

    (layer,) = pack_bundle(tmp_path).layers

    assert layer.descriptor.media_type == "application/vnd.kitops.modelkit.mcpb.v1.raw"
    assert layer.descriptor.size == (tmp_path / "tools.mcpb").stat().st_size


def test_a_bundle_may_begin_with_something_else(tmp_path: Path) -> None:
    write_bundle(tmp_path / "tools.mcpb", "manifest.json", before=b"#!/bin/sh\n")

    assert pack_bundle(tmp_path).layers


@pytest.mark.parametrize("name", ["sub/manifest.json", "./manifest.json", "Manifest.json", "a"])
def test_a_bundle_without_a_manifest_at_its_root_is_refused(name: str, tmp_path: Path) -> None:
    write_bundle(tmp_path / "tools.mcpb", name)

    with pytest.raises(SourceError, match=r"mcpServers\[0\].*has no 'manifest.json' at its root"):
        pack_bundle(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_no_zip_archive_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "tools.mcpb").write_bytes(content)

    with pytest.raises(SourceError, match=r"'tools.mcpb' is no MCP bundle: it is not a zip"):
        pack_bundle(tmp_path)


def test_a_bundle_that_is_cut_is_refused(tmp_path: Path) -> None:
    write_bundle(tmp_path / "tools.mcpb", "manifest.json", cut=5)

    with pytest.raises(SourceError, match="not a zip archive"):
        pack_bundle(tmp_path)


def test_a_bundle_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tools.mcpb").mkdir()

    with pytest.raises(SourceError, match="no MCP bundle: it is a folder"):
        pack_bundle(tmp_path)
    with pytest.raises(SourceError, match="no MCP bundle: it is a folder"):
        pack(
            FolderTree(tmp_path, read_kitfile(KITFILE).kitfile),
            MemoryStore(),
            options=PackOptions(layer_format="raw"),
        )


def test_a_list_of_files_beyond_the_limit_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kitline.kit.mcpb._INDEX_LIMIT", 1 << 17)
    write_bundle(tmp_path / "tools.mcpb", *(f"{n:05}-{'x' * 80}" for n in range(2000)))

    with pytest.raises(SourceError, match="list of its files is larger"):
        pack_bundle(tmp_path)


@pytest.mark.peer
@pytest.mark.parametrize(
    ("names", "is_bundle"),
    [(["manifest.json"], True), (["Manifest.json"], False), (["a/manifest.json"], False)],
)
def test_kit_takes_the_same_bundles(names: list[str], is_bundle: bool, tmp_path: Path) -> None:
    import os
    import subprocess

    write_bundle(tmp_path / "tools.mcpb", *names)
    (tmp_path / "Kitfile").write_bytes(KITFILE)

    done = subprocess.run(
        [peer("kit"), "pack", str(tmp_path), "-t", "x:v1", "--progress", "none"],
        env={**os.environ, "KITOPS_HOME": str(tmp_path / "home")},
        capture_output=True,
        check=False,
    )

    assert (done.returncode == 0) == is_bundle
