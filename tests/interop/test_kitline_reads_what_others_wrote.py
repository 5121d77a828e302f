"""What kit and modctl push, kitline pulls, unpacks, inspects and compares."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from harness.programs import Kit, Kitline
    from harness.registries import Registry

pytestmark = [pytest.mark.peer, pytest.mark.registry]

# Each pack flag of kit that changes the bytes.
FLAGS = {
    "plain": [],
    "gzip": ["--compression", "gzip"],
    "gzip-fastest": ["--compression", "gzip-fastest"],
    "zstd": ["--compression", "zstd"],
    "modelpack": ["--use-model-pack"],
    "modelpack-zstd": ["--use-model-pack", "--compression", "zstd"],
}


@pytest.mark.parametrize("flags", FLAGS)
def test_kitline_pulls_and_unpacks_what_kit_pushed(
    flags: str,
    kit: Kit,
    kitline: Kitline,
    distribution: Registry,
    tree: Path,
    repository: str,
    tmp_path: Path,
    tree_files: dict[str, bytes],
    read_files: Callable[[Path], dict[str, bytes]],
) -> None:
    reference = distribution.reference(f"{repository}:v1")
    digest = kit.pack(tree, reference, *FLAGS[flags])
    kit.run("push", reference, "--plain-http")

    remote = kitline.digest("unpack", reference, "-d", tmp_path / "remote")
    pulled = kitline.pinned("pull", reference, "mine:v1")
    kitline.run("unpack", "mine:v1", "-d", tmp_path / "local")

    assert remote == digest
    assert pulled.partition("@")[2] == digest
    assert read_files(tmp_path / "remote") == tree_files
    assert read_files(tmp_path / "local") == tree_files


def test_kitline_reads_kits_of_kit_in_every_registry(
    kit: Kit,
    kitline: Kitline,
    registry: Registry,
    tree: Path,
    repository: str,
    tmp_path: Path,
    tree_files: dict[str, bytes],
    read_files: Callable[[Path], dict[str, bytes]],
) -> None:
    reference = registry.reference(f"{repository}:v1")
    digest = kit.pack(tree, reference)
    kit.run("push", reference, "--plain-http")

    inspected = kitline.inspect(reference)
    kitline.run("unpack", inspected["reference"], "-d", tmp_path / "out")

    assert inspected["digest"] == digest
    assert inspected["kitfile"]["model"]["path"] == "model"
    assert read_files(tmp_path / "out") == tree_files


def test_one_tree_packed_by_kit_and_by_kitline_differs_in_nothing_but_annotations(
    kit: Kit, kitline: Kitline, distribution: Registry, tree: Path, repository: str
) -> None:
    theirs = distribution.reference(f"{repository}:kit")
    kit.pack(tree, theirs)
    kit.run("push", theirs, "--plain-http")
    ours = kitline.pinned("pack", tree, "-t", "ours:v1")

    left, right = kitline.inspect(theirs)["manifest"], kitline.inspect(ours)["manifest"]
    difference = json.loads(kitline.run("diff", "--json", theirs, ours).stdout)

    assert left["config"] == right["config"]
    assert left["layers"] == right["layers"]
    assert isinstance(difference, dict)


def test_kitline_unpacks_raw_layers_of_kit(
    kit: Kit, kitline: Kitline, distribution: Registry, repository: str, tmp_path: Path
) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "w.bin").write_bytes(b"weights")
    (folder / "Kitfile").write_text("manifestVersion: 1.0.0\nmodel: {path: w.bin}\n")
    reference = distribution.reference(f"{repository}:v1")
    kit.pack(folder, reference, "--layer-format", "raw")
    kit.run("push", reference, "--plain-http")

    kitline.run("unpack", reference, "-d", tmp_path / "out")

    assert (tmp_path / "out/w.bin").read_bytes() == b"weights"


@pytest.mark.parametrize("layers", [[], ["--raw=false"]], ids=["raw", "tar"])
def test_kitline_reads_what_modctl_pushed(
    layers: list[str],
    peer: Callable[..., subprocess.CompletedProcess[str]],
    kitline: Kitline,
    distribution: Registry,
    repository: str,
    tmp_path: Path,
) -> None:
    reference = distribution.reference(f"{repository}:v1")
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "w.safetensors").write_bytes(b"weights" * 100)
    (folder / "config.json").write_text('{"a": 1}')
    (folder / "README.md").write_text("# read me\n")
    (folder / "Modelfile").write_text(
        "NAME m\nARCH transformer\nFORMAT safetensors\n"
        "CONFIG config.json\nMODEL w.safetensors\nDOC README.md\n"
    )
    own = [
        "--storage-dir", tmp_path / "storage", "--log-dir", tmp_path / "log", "--no-progress",
    ]  # fmt: skip
    peer("modctl", "build", "-t", reference, "-f", folder / "Modelfile", folder, *layers, *own)
    peer("modctl", "push", reference, "--plain-http", *own)

    inspected = kitline.inspect(reference)
    kitline.run("unpack", reference, "-d", tmp_path / "out")

    assert len(inspected["layers"]) == 3
    assert (tmp_path / "out/w.safetensors").read_bytes() == b"weights" * 100
    assert (tmp_path / "out/config.json").read_text() == '{"a": 1}'
    assert (tmp_path / "out/README.md").read_text() == "# read me\n"
