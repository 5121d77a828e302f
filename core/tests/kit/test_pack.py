"""Packing: the golden kits byte for byte, one digest everywhere, nothing read or sent twice."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kitline.errors import SourceChanged, SourceError
from kitline.kit.folder import FolderTree
from kitline.kit.kitfile_yaml import read_kitfile
from kitline.kit.memo import SqliteMemo
from kitline.kit.pack import PackOptions, pack
from kitline.kit.tree import Entry
from kitline.store.memory import MemoryStore
from kitline.store.source import BytesSource
from kitline.testing.trees import File, write_tree
from kitline.testing.vectors import VectorCase, find_vectors, vector_cases

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kitline.kit.kitfile import Kitfile
    from kitline.kit.pack import Packed

VECTORS = vector_cases(find_vectors(Path(__file__).parents[3]))
PACKABLE = [
    case for case in VECTORS if not {"--compression", "--use-model-pack"} & {*case.pack_args}
]

MODEL = read_kitfile(b"manifestVersion: 1.0.0\nmodel: {path: model}\ncode: [{path: .}]\n").kitfile


def tree_of(case: VectorCase, root: Path) -> FolderTree:
    case.write(root)
    return FolderTree(
        root,
        read_kitfile(case.kitfile).kitfile,
        symlinks="skip" if case.name == "links-and-empty" else "follow",
        modes="keep" if case.name == "modes" else "normalise",
    )


@pytest.mark.skipif(not VECTORS, reason="the golden vectors are not beside this checkout")
def test_all_vectors_are_there() -> None:
    assert len(VECTORS) >= 17


@pytest.mark.parametrize("case", PACKABLE, ids=str)
def test_a_golden_kit_is_made_byte_for_byte(case: VectorCase, tmp_path: Path) -> None:
    options = PackOptions(
        annotations=case.manifest_annotations,
        layer_format="raw" if "raw" in case.pack_args else "tar",
        keep_mtime=True,
    )
    store = MemoryStore()

    packed = pack(tree_of(case, tmp_path), store, options=options)

    assert [(each.descriptor.digest.text, each.descriptor.size) for each in packed.layers] == [
        (each["digest"], each["size"]) for each in case.expected["layers"]
    ]
    assert packed.manifest.config.digest.text == case.expected["config_digest"]
    assert packed.manifest.raw == case.manifest


def test_raw_layers_have_one_digest_whatever_the_time_of_their_file(tmp_path: Path) -> None:
    kitfile = read_kitfile(b"manifestVersion: 1.0.0\nmodel: {path: m.bin}\n").kitfile
    digests = set()
    for name, mtime in (("a", 1), ("b", 1_700_000_000)):
        root = tmp_path / name
        write_tree(root, {"m.bin": File(content=b"m", mtime=mtime)})
        packed = pack(
            FolderTree(root, kitfile), MemoryStore(), options=PackOptions(layer_format="raw")
        )
        digests.add(packed.manifest.digest)

    assert len(digests) == 1


def test_mtimes_modes_of_the_owner_and_order_of_creation_change_nothing(tmp_path: Path) -> None:
    names = ["model/a.bin", "model/b/c.bin", "train.py", "z/y.txt"]
    digests = set()
    for number, order in enumerate((names, names[::-1])):
        root = tmp_path / str(number)
        before = os.umask(0o077 if number else 0o002)
        try:
            for name in order:
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(name)
                os.utime(path, (number, number * 1000))
        finally:
            os.umask(before)
        digests.add(pack(FolderTree(root, MODEL), MemoryStore()).manifest.digest)

    assert len(digests) == 1


class Watched(MemoryStore):
    """Counts how often bytes were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.pushed: list[str] = []

    def push_blob(self, source, *, digest=None, is_new=False, name="", progress=None):  # type: ignore[no-untyped-def]
        self.pushed.append(name)
        return super().push_blob(source, digest=digest, name=name)


def settled_tree(root: Path) -> FolderTree:
    write_tree(root, {"model/a.bin": b"a" * 1000, "train.py": b"print()"})
    return FolderTree(root, MODEL)


def test_a_remembered_layer_is_not_read_again(tmp_path: Path, settled: None) -> None:
    store, memo = Watched(), SqliteMemo(tmp_path / "memo.sqlite")
    first = pack(settled_tree(tmp_path / "kit"), store, memo=memo)
    store.pushed.clear()

    again = pack(FolderTree(tmp_path / "kit", MODEL), store, memo=memo)

    assert again.manifest == first.manifest
    assert store.pushed == ["config"]
    assert all(layer.existed for layer in again.layers)


def test_the_memo_never_decides_where_the_store_lacks_the_blob(
    tmp_path: Path, settled: None
) -> None:
    memo = SqliteMemo(tmp_path / "memo.sqlite")
    pack(settled_tree(tmp_path / "kit"), MemoryStore(), memo=memo)
    other = Watched()

    pack(FolderTree(tmp_path / "kit", MODEL), other, memo=memo)

    assert sorted(other.pushed) == [".", "config", "model"]


def test_rehash_reads_every_file_whatever_is_remembered(tmp_path: Path, settled: None) -> None:
    store, path = Watched(), tmp_path / "memo.sqlite"
    pack(settled_tree(tmp_path / "kit"), store, memo=SqliteMemo(path))
    store.pushed.clear()

    pack(FolderTree(tmp_path / "kit", MODEL), store, memo=SqliteMemo(path, read=False))

    assert sorted(store.pushed) == [".", "config", "model"]


def test_a_file_changed_within_the_clock_s_tick_is_not_remembered(tmp_path: Path) -> None:
    store, memo = Watched(), SqliteMemo(tmp_path / "memo.sqlite")
    pack(settled_tree(tmp_path / "kit"), store, memo=memo)
    store.pushed.clear()

    pack(FolderTree(tmp_path / "kit", MODEL), store, memo=memo)

    assert "model" in store.pushed


def test_a_memo_that_cannot_be_opened_is_as_good_as_none(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")

    packed = pack(
        settled_tree(tmp_path / "kit"), MemoryStore(), memo=SqliteMemo(blocked / "memo.sqlite")
    )

    assert len(packed.layers) == 2


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let fresh files count as old, so that tests need not wait."""
    monkeypatch.setattr("kitline.kit.memo._SETTLED", -1.0)


class ListedTree:
    """A tree from entries."""

    def __init__(self, kitfile: Kitfile, entries: Sequence[Entry]) -> None:
        self.kitfile = kitfile
        self.warnings: tuple[str, ...] = ()
        self._entries = entries

    def entries(self) -> Sequence[Entry]:
        return self._entries


def test_a_file_whose_size_no_one_knows_is_spooled_and_reported() -> None:
    data = b"s" * 5000
    entry = Entry(path="model", size=5000, open=BytesSource(data).open)

    known = pack(ListedTree(only_model(), [entry]), MemoryStore())
    spooled = pack(ListedTree(only_model(), [replace(entry, size=None)]), MemoryStore())

    assert spooled.manifest == known.manifest
    assert spooled.warnings == (
        "'model' was copied to a temporary file first (5000 bytes):"
        " its source cannot tell its size",
    )


def test_a_file_that_shrinks_meanwhile_is_refused() -> None:
    entry = Entry(path="model", size=5000, open=BytesSource(b"s" * 4000).open)
    store = MemoryStore()

    with pytest.raises(SourceChanged, match="'model'"):
        pack(ListedTree(only_model(), [entry]), store)

    assert list(store.list_tags()) == []


def test_a_kit_without_any_layer_is_refused(tmp_path: Path) -> None:
    kitfile = read_kitfile(b"manifestVersion: 1.0.0\npackage: {name: x}\n").kitfile

    with pytest.raises(SourceError, match="the kit would have no layer"):
        pack(FolderTree(tmp_path, kitfile), MemoryStore())


def test_two_raw_layers_of_equal_content_are_refused(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a": b"same", "b": b"same"})
    kitfile = read_kitfile(b"manifestVersion: 1.0.0\ndocs: [{path: a}, {path: b}]\n").kitfile

    with pytest.raises(SourceError, match=r"docs\[0\] and docs\[1\] are raw layers with equal"):
        pack(FolderTree(tmp_path, kitfile), MemoryStore(), options=PackOptions(layer_format="raw"))


def test_a_folder_cannot_be_a_raw_layer(tmp_path: Path) -> None:
    write_tree(tmp_path, {"model/a": b"a"})
    kitfile = read_kitfile(b"manifestVersion: 1.0.0\nmodel: {path: model}\n").kitfile

    with pytest.raises(SourceError, match="is a folder, and a raw layer is one file"):
        pack(FolderTree(tmp_path, kitfile), MemoryStore(), options=PackOptions(layer_format="raw"))


def test_the_manifest_says_nothing_that_was_not_asked_for(tmp_path: Path) -> None:
    packed: Packed = pack(settled_tree(tmp_path), MemoryStore())

    assert "annotations" not in json.loads(packed.manifest.raw)


def only_model() -> Kitfile:
    return read_kitfile(b"manifestVersion: 1.0.0\nmodel: {path: model}\n").kitfile
