"""What exporters and a plugin's own verbs do with a kit's content."""

from __future__ import annotations

from typing import TYPE_CHECKING

import kitline
import pytest
from kitline.errors import TargetError, VerificationError
from kitline.plugin import kit_layers, read_kit, unpack_kit
from kitline.store.memory import MemoryStore
from kitline.testing.plugin_contracts import sample_kit
from kitline.testing.trees import SMALL_KIT, read_tree, write_tree

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.plugin import Kit, KitPart


class Contents:
    """Keeps every file that comes by."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self._path = ""

    def add_folder(self, path: str, mode: int) -> None: ...

    def begin_file(self, path: str, mode: int, size: int) -> None:
        self._path = path
        self.files[path] = b""

    def write(self, view: memoryview) -> None:
        self.files[self._path] += bytes(view)

    def end_file(self) -> None: ...


def is_dataset(part: KitPart) -> bool:
    return part.drawer == "datasets"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore("team/iris")


@pytest.fixture
def kit(store: MemoryStore, tmp_path: Path) -> Kit:
    return sample_kit(store, tmp_path / "sample")


def test_unpack_kit_writes_the_selected_entries_and_no_kitfile(kit: Kit, tmp_path: Path) -> None:
    assert unpack_kit(kit, tmp_path / "out", select=is_dataset) == ()
    assert list(read_tree(tmp_path / "out")) == ["data", "data/train.csv"]


def test_unpack_kit_refuses_files_that_are_in_the_way(kit: Kit, tmp_path: Path) -> None:
    unpack_kit(kit, tmp_path / "out")
    with pytest.raises(TargetError):
        unpack_kit(kit, tmp_path / "out")


def test_read_kit_gives_every_file_and_writes_none(kit: Kit) -> None:
    sink = Contents()
    read_kit(kit, sink)
    assert sink.files["data/train.csv"].decode() == SMALL_KIT["data/train.csv"]
    assert sink.files["model/model.bin"] == SMALL_KIT["model/model.bin"]


def test_read_kit_refuses_content_that_does_not_match_its_digest(
    kit: Kit, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    (part, layer), *_ = kit_layers(kit, select=is_dataset)
    fetch = store.fetch
    other = next(each for _, each in kit_layers(kit) if each != layer)
    monkeypatch.setattr(
        store, "fetch", lambda asked, offset=0: fetch(other if asked == layer else asked)
    )
    with pytest.raises(VerificationError):
        read_kit(kit, Contents(), select=lambda each: each == part)


def test_open_kit_finds_a_kit_by_its_name_and_reads_its_layers(tmp_path: Path) -> None:
    packed = kitline.pack(write_tree(tmp_path / "iris", SMALL_KIT), "iris:v1")
    sink = Contents()
    with kitline.open_kit("iris:v1") as kit:
        read_kit(kit, sink, select=is_dataset)
        assert str(kit.reference) == str(packed.reference)
    assert list(sink.files) == ["data/train.csv"]
