"""Datasets that share one path: partitions of a folder, one layer each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import kitline
import pytest
from kitline.errors import KitfileError, SourceError, UnsafeLayer
from kitline.kit.kit_config import from_config, to_config
from kitline.kit.kitfile_check import check_kitfile
from kitline.kit.kitfile_write import write_kitfile
from kitline.kit.kitfile_yaml import read_kitfile
from kitline.kit.load import load_kit
from kitline.kit.pack import pack
from kitline.kit.unpack import Pick, unpack
from kitline.plugin import (
    Collected,
    Dataset,
    Docs,
    Entry,
    Kitfile,
    Origin,
    Package,
    Plugins,
    bytes_entry,
)
from kitline.store.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from kitline.operations.results import KitResult
    from kitline.testing.command_line import CommandLine

PARTS = {
    "datasets[0]": ("data/train/a.txt", "data/train/sub/b.txt"),
    "datasets[1]": ("data/train/c.txt", "data/train/sub/d.txt"),
    "datasets[2]": ("data/train/e.txt",),
    "docs[0]": ("docs/about.md",),
}


def files(*paths: str) -> list[Entry]:
    return [bytes_entry(path, path.encode()) for path in paths]


@dataclass(frozen=True)
class SplitTree:
    """A tree that says which files belong to which entry of its Kitfile."""

    parts: Mapping[str, Sequence[str]] = field(default_factory=lambda: PARTS)
    beside: tuple[str, ...] = ()
    names: tuple[str, ...] = ("p0", "p1", "p2")
    warnings: tuple[str, ...] = ()

    @property
    def kitfile(self) -> Kitfile:
        return Kitfile(
            package=Package(name="split"),
            datasets=tuple(
                Dataset(name=name, path="data/train", parameters={"number": number})
                for number, name in enumerate(self.names)
            ),
            docs=(Docs(path="docs"),),
        )

    def entries(self) -> list[Entry]:
        paths = {path for each in self.parts.values() for path in each} | set(self.beside)
        return sorted(files(*paths), key=lambda each: each.path.split("/"))

    def part_entries(self, field: str) -> list[Entry]:
        return files(*self.parts[field])


class PlainTree(SplitTree):
    """The same files, without a word about partitions."""

    part_entries = None  # type: ignore[assignment] # what a tree without it looks like


def split(to: str, tree: SplitTree | None = None) -> KitResult:
    collected = Collected(
        tree=tree or SplitTree(), origin=Origin(importer="t", source="t:x"), recipe="t/1"
    )
    return kitline.pack_collected(collected, to, plugins=Plugins())


def found_files(folder: Path) -> dict[str, str]:
    return {
        str(each.relative_to(folder)): each.read_text()
        for each in folder.rglob("*")
        if each.is_file() and each.name != "Kitfile"
    }


ALL = {path: path for each in PARTS.values() for path in each}


def test_the_unpacked_folder_is_the_union(tmp_path: Path) -> None:
    kit = split("split:v1")

    kitline.unpack(kit.reference, tmp_path / "out")

    assert found_files(tmp_path / "out") == ALL
    assert kit.moved_blobs == 4


@pytest.mark.parametrize(
    ("chosen", "fields"),
    [
        ("datasets:p1", ["datasets[1]"]),
        ("datasets:p0,p2", ["datasets[0]", "datasets[2]"]),
        ("datasets:data/train", ["datasets[0]", "datasets[1]", "datasets[2]"]),
        ("docs", ["docs[0]"]),
    ],
)
def test_filters_choose_partitions_by_name_and_all_by_path(
    run: CommandLine, tmp_path: Path, chosen: str, fields: list[str]
) -> None:
    split("split:v1")

    run("unpack", "split:v1", "-d", tmp_path / "out", "-f", chosen)

    assert set(found_files(tmp_path / "out")) == {p for each in fields for p in PARTS[each]}


def test_inspect_tells_partitions_apart(run: CommandLine) -> None:
    split("split:v1")

    shown = run("inspect", "split:v1")
    layers = run("inspect", "split:v1", "--json").json["layers"]

    assert "data/train (p1)" in shown.stderr
    assert [(each["path"], each["name"]) for each in layers[:3]] == [
        ("data/train", "p0"),
        ("data/train", "p1"),
        ("data/train", "p2"),
    ]
    assert len({each["digest"] for each in layers}) == 4


def test_diff_names_the_partition_and_the_file(run: CommandLine) -> None:
    split("split:v1")
    changed = {**PARTS, "datasets[1]": ("data/train/c.txt", "data/train/sub/new.txt")}
    split("split:v2", SplitTree(changed))

    by_layer = run("diff", "split:v1", "split:v2", "--json", "--no-files").json["changes"]
    by_file = run("diff", "split:v1", "split:v2", "--json").json["changes"]

    assert [each["name"] for each in by_layer] == ["datasets:data/train#p1"]
    assert [(each["kind"], each["name"]) for each in by_file] == [
        ("removed", "data/train/sub/d.txt"),
        ("added", "data/train/sub/new.txt"),
    ]


def test_a_border_that_moved_is_no_change_of_files(run: CommandLine) -> None:
    split("split:v1")
    first, second = PARTS["datasets[0]"], PARTS["datasets[1]"]
    moved = {**PARTS, "datasets[0]": first[:1], "datasets[1]": (*first[1:], *second)}
    split("split:v2", SplitTree(moved))

    assert run("diff", "split:v1", "split:v2", "--json").json["changes"] == []


def test_partitions_without_names_are_told_apart_by_their_place(run: CommandLine) -> None:
    split("split:v1", SplitTree(names=("", "", "")))
    changed = {**PARTS, "datasets[2]": ("data/train/f.txt",)}
    split("split:v2", SplitTree(changed, names=("", "", "")))

    changes = run("diff", "split:v1", "split:v2", "--json", "--no-files").json["changes"]
    [parameters] = [run("inspect", "split:v1", "--json").json["kitfile"]["datasets"]]

    assert [each["name"] for each in changes] == ["datasets:data/train (3)"]
    assert [each["parameters"]["number"] for each in parameters] == [0, 1, 2]


def test_a_change_moves_the_partition_that_it_touches_and_no_other() -> None:
    split("split:v1")
    changed = {**PARTS, "datasets[2]": ("data/train/e.txt", "data/train/f.txt")}

    second = split("split:v2", SplitTree(changed))

    assert (second.moved_blobs, second.existing_blobs) == (1, 3)


def test_list_shows_such_a_kit(run: CommandLine) -> None:
    kit = split("split:v1")

    assert str(kit.digest) in run("list", "--json").stdout


def test_layers_are_paired_by_position_where_the_config_names_no_digests() -> None:
    store = MemoryStore()
    packed = pack(SplitTree(), store)
    bare = packed.kitfile.with_digests(
        {part.field: (None, None) for part in packed.kitfile.parts()}
    )

    from kitline.kit.pairing import pair_parts

    pairs = pair_parts(bare, packed.manifest.layers)

    assert [(part.name, layer.digest) for part, layer in pairs[:3]] == [
        (part.name, layer.digest) for part, layer in load_kit(store, packed.manifest).layers[:3]
    ]


def test_the_kitfile_is_valid_and_survives_every_form() -> None:
    kitfile = SplitTree().kitfile

    assert check_kitfile(kitfile).problems == []
    assert read_kitfile(write_kitfile(kitfile)).kitfile == kitfile
    assert from_config(to_config(kitfile)) == kitfile


@pytest.mark.parametrize(
    "kitfile",
    [
        "datasets: [{path: a}, {path: a, remotePath: 'reg.example/x:v1'}]\n",
        "datasets: [{path: a}]\ndocs: [{path: a}]\n",
        "datasets: [{path: a}, {path: a}]\ncode: [{path: a}]\n",
        "code: [{path: a}, {path: a}]\n",
        "model: {path: a}\ndatasets: [{path: a}, {path: a}]\n",
    ],
)
def test_nothing_but_local_datasets_may_share_a_path(kitfile: str) -> None:
    with pytest.raises(KitfileError, match="'a' is the path of"):
        read_kitfile("manifestVersion: 1.0.0\n" + kitfile)


def test_a_folder_cannot_say_what_belongs_to_which(run: CommandLine, tmp_path: Path) -> None:
    split("split:v1")
    kitline.unpack("split:v1", tmp_path / "out")

    result = run("pack", tmp_path / "out", "-t", "again:v1")

    assert result.error == (
        "datasets[0] and datasets[1] share the path 'data/train', and nothing says which files"
        " belong to which; give each a path of its own"
    )


def test_so_cannot_a_tree_without_part_entries() -> None:
    with pytest.raises(SourceError, match="nothing says which files belong to which"):
        pack(PlainTree(), MemoryStore())


@pytest.mark.parametrize(
    ("changed", "beside", "said"),
    [
        (
            {"datasets[1]": ("data/train/a.txt",)},
            (),
            r"datasets\[0\] and datasets\[1\] both hold 'data/train/a.txt'",
        ),
        ({}, ("data/train/z.txt",), "'data/train/z.txt' is in no entry of the Kitfile"),
        (
            {"datasets[2]": ("docs/about.md",)},
            (),
            r"datasets\[2\]: the tree puts 'docs/about.md' into it, which is outside of",
        ),
        ({"datasets[2]": ()}, (), r"datasets\[2\].path: nothing to pack at 'data/train'"),
    ],
)
def test_each_file_goes_into_one_layer(
    changed: dict[str, tuple[str, ...]], beside: tuple[str, ...], said: str
) -> None:
    store = MemoryStore()

    with pytest.raises(SourceError, match=said):
        pack(SplitTree({**PARTS, **changed}, beside), store)
    assert store.list_tags() == []


def test_an_entry_that_is_not_the_trees_is_refused() -> None:
    class Lying(SplitTree):
        def part_entries(self, field: str) -> list[Entry]:
            return [*super().part_entries(field), *files(f"{self.kitfile.docs[0].path}/x")]

    with pytest.raises(SourceError, match="the tree puts 'docs/x' into it"):
        pack(Lying(), MemoryStore())


def test_a_kit_whose_partitions_hold_one_file_twice_is_not_unpacked(tmp_path: Path) -> None:
    store, other = MemoryStore(), MemoryStore()
    packed = pack(SplitTree(), store)
    twice = pack(
        SplitTree(
            {**PARTS, "datasets[1]": ("data/train/a.txt", "data/train/g")}
            | {"datasets[0]": ("data/train/h",)}
        ),
        other,
    )
    first = load_kit(store, packed.manifest).layers[0]
    second = load_kit(other, twice.manifest).layers[1]

    with pytest.raises(UnsafeLayer, match="the kit holds it twice"):
        unpack(
            [Pick(store=store, layers=[first]), Pick(store=other, layers=[second])],
            tmp_path / "out",
        )
    assert not (tmp_path / "out").exists()


def test_a_file_whose_size_nobody_knows_is_spooled_once() -> None:
    from dataclasses import replace

    class Unsized(SplitTree):
        def entries(self) -> list[Entry]:
            return [replace(each, size=None) for each in super().entries()]

        def part_entries(self, field: str) -> list[Entry]:
            return [replace(each, size=None) for each in super().part_entries(field)]

    packed = pack(Unsized(), MemoryStore())

    assert packed.manifest.digest == pack(SplitTree(), MemoryStore()).manifest.digest
    assert len([each for each in packed.warnings if "temporary file" in each]) == 6
