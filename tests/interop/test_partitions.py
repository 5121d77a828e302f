"""The real kit reads kits whose datasets are partitions of one folder, sharing one path."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import kitline as library
import pytest
from kitline.plugin import (
    Collected,
    Dataset,
    Entry,
    Kitfile,
    Origin,
    Package,
    Plugins,
    bytes_entry,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.programs import Kit, Kitline
    from harness.registries import Registry

pytestmark = [pytest.mark.peer, pytest.mark.registry]

PARTS = (
    ("data/train/a.txt", "data/train/sub/b.txt"),
    ("data/train/c.txt", "data/train/sub/d.txt"),
    ("data/train/e.txt",),
)
KITFILE = Kitfile(
    package=Package(name="split"),
    datasets=tuple(Dataset(name=f"p{n}", path="data/train") for n in range(len(PARTS))),
)


@dataclass(frozen=True)
class SplitTree:
    kitfile: Kitfile = KITFILE
    warnings: tuple[str, ...] = ()

    def entries(self) -> list[Entry]:
        return _files(*(path for each in PARTS for path in each))

    def part_entries(self, field: str) -> list[Entry]:
        return _files(*PARTS[int(field[len("datasets[") : -1])])


def _files(*paths: str) -> list[Entry]:
    return [bytes_entry(path, path.encode()) for path in sorted(paths)]


@pytest.fixture
def split(registry: Registry, repository: str) -> str:
    """The name of a kit of three partitions in the registry."""
    name = registry.reference(f"{repository}:v1")
    collected = Collected(tree=SplitTree(), origin=Origin(importer="t", source="t:x"), recipe="t/1")
    library.pack_collected(collected, name, plugins=Plugins())
    return name


def test_kit_unpacks_the_union_from_the_registry_and_from_its_store(
    split: str, kit: Kit, tmp_path: Path, read_files: Callable[[Path], dict[str, bytes]]
) -> None:
    everything = {path: path.encode() for each in PARTS for path in each}

    kit.run("unpack", split, "-d", tmp_path / "remote", "--plain-http")
    kit.run("pull", split, "--plain-http")
    kit.run("unpack", split, "-d", tmp_path / "local")

    assert read_files(tmp_path / "remote") == everything
    assert read_files(tmp_path / "local") == everything


@pytest.mark.parametrize(
    ("chosen", "numbers"), [("p1", [1]), ("p0,p2", [0, 2]), ("data/train", [0, 1, 2])]
)
def test_kit_and_kitline_filter_partitions_alike(
    split: str,
    kit: Kit,
    kitline: Kitline,
    tmp_path: Path,
    read_files: Callable[[Path], dict[str, bytes]],
    chosen: str,
    numbers: list[int],
) -> None:
    words = ("--filter", f"datasets:{chosen}")

    kit.run("unpack", split, "-d", tmp_path / "kit", *words, "--plain-http")
    kitline.run("unpack", split, "-d", tmp_path / "kitline", *words)

    wanted = {path: path.encode() for number in numbers for path in PARTS[number]}
    assert read_files(tmp_path / "kit") == read_files(tmp_path / "kitline") == wanted


def test_kit_lists_inspects_and_passes_on_partitions(split: str, kit: Kit) -> None:
    moved = f"{split.rpartition(':')[0]}-moved:v1"
    inspected = json.loads(kit.run("inspect", "-r", split, "--plain-http").stdout)
    kit.run("pull", split, "--plain-http")
    listed = kit.run("list").stdout
    kit.run("tag", split, moved)
    kit.run("push", moved, "--plain-http")

    assert [(each["name"], each["path"]) for each in inspected["kitfile"]["datasets"]] == [
        (f"p{number}", "data/train") for number in range(3)
    ]
    assert "split" in listed
    assert library.inspect(moved).digest == library.inspect(split).digest
