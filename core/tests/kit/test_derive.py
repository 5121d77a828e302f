from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kitline.errors import SourceError
from kitline.kit.derive import LARGE_FILE, derive_kitfile
from kitline.kit.folder import FolderTree
from kitline.kit.kitfile_write import write_kitfile
from kitline.kit.kitfile_yaml import read_kitfile
from kitline.kit.layer_entries import layer_entries
from kitline.kit.tree import Entry

if TYPE_CHECKING:
    from pathlib import Path

    from kitline.kit.kitfile import Kitfile


def files(*paths: str, **sizes: int) -> list[Entry]:
    return [Entry(path=path, size=sizes.get(path.replace(".", "_"), 1)) for path in sorted(paths)]


def layers_of(kitfile: Kitfile) -> list[tuple[str, str]]:
    return [(part.drawer, part.path) for part in kitfile.parts()]


def test_known_files_go_to_their_drawers() -> None:
    found = derive_kitfile(
        files("model.safetensors", "adapter.bin", "train.csv", "README.md", "LICENSE", "run.py",
              "requirements.txt", "system.prompt", "config.json")
    )  # fmt: skip
    assert layers_of(found) == [
        ("model", "adapter.bin"),
        ("model", "model.safetensors"),
        ("code", "."),
        ("datasets", "train.csv"),
        ("docs", "LICENSE"),
        ("docs", "README.md"),
        ("prompts", "system.prompt"),
    ]


def test_known_folders_go_whole_to_their_drawers() -> None:
    found = derive_kitfile(files("data/a.csv", "data/notes.md", "docs/a.py", "prompts/x", "src/m"))
    assert layers_of(found) == [
        ("code", "."),
        ("datasets", "data"),
        ("docs", "docs"),
        ("prompts", "prompts"),
    ]


def test_a_folder_with_an_mlmodel_is_the_model() -> None:
    found = derive_kitfile(files("a.csv", "iris/MLmodel", "iris/README.md", "iris/data/model.pkl"))
    assert layers_of(found) == [("model", "iris"), ("datasets", "a.csv")]


def test_a_root_with_an_mlmodel_is_the_model_as_a_whole() -> None:
    assert layers_of(derive_kitfile(files("MLmodel", "README.md", "model.pkl"))) == [("model", ".")]


def test_large_files_are_layers_of_their_own() -> None:
    found = derive_kitfile(
        files("MLmodel", "big.pkl", "small.pkl", big_pkl=LARGE_FILE, small_pkl=LARGE_FILE - 1)
    )
    assert layers_of(found) == [("model", "."), ("model", "big.pkl")]
    data = [Entry(path="data/a", size=LARGE_FILE), Entry(path="data/b", size=1)]
    assert layers_of(derive_kitfile(data)) == [("datasets", "data/a"), ("datasets", "data")]
    assert layers_of(derive_kitfile([Entry(path="x", size=LARGE_FILE)])) == [("datasets", "x")]


@pytest.mark.parametrize("path", ["a:1.bin", "x@y.csv", " lead.md", "d/odd:name/w.bin"])
def test_a_path_that_kit_would_misread_is_covered_by_the_whole(path: str) -> None:
    assert layers_of(derive_kitfile(files(path))) == [("code", ".")]


def test_the_kitfile_says_nothing_of_the_folder_it_came_from(tmp_path: Path) -> None:
    texts = set()
    for name in ("one", "two"):
        root = tmp_path / name
        (root / "data").mkdir(parents=True)
        (root / "data" / "a.csv").write_bytes(b"1")
        (root / "m.onnx").write_bytes(b"1")
        texts.add(write_kitfile(FolderTree(root).kitfile))
    (text,) = texts
    assert layers_of(read_kitfile(text).kitfile) == [("model", "m.onnx"), ("datasets", "data")]


def test_a_folder_without_files_gives_no_kitfile() -> None:
    with pytest.raises(SourceError, match="cannot derive a Kitfile: there is no file to pack"):
        derive_kitfile([Entry(path="a", is_folder=True)])


def test_every_file_is_in_exactly_one_layer() -> None:
    entries = files("m.bin", "data/a", "data/b.bin", "docs/x", "x/docs/y.md", "MLmodel2", "a/b.md")
    kitfile = derive_kitfile(entries)
    paths = [part.clean_path for part in kitfile.parts()]
    packed = [
        entry.path
        for path in paths
        for entry in layer_entries(entries, path, paths)
        if not entry.is_folder
    ]
    assert sorted(packed) == sorted(entry.path for entry in entries)
