"""`kitline dvc fetch` brings data that a kit only names, and believes no byte of it unseen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import kitline
import pytest
from kitline.cli.main import main
from kitline.errors import MalformedContent
from kitline.testing.command_line import CommandLine
from kitline.testing.trees import read_tree, write_tree
from kitline_dvc.fetch import fetch

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import DvcRepository

run = CommandLine(main)


@pytest.fixture
def inside(repository: DvcRepository, monkeypatch: pytest.MonkeyPatch) -> DvcRepository:
    monkeypatch.chdir(repository.root)
    return repository


@pytest.fixture
def kit(inside: DvcRepository) -> str:
    kitline.import_("dvc:data@v2", "team/data:v2", options={"data": "reference"})
    return str(kitline.inspect("team/data:v2").reference)


def held(repository: DvcRepository, content: bytes) -> Path:
    """Return where the remote holds a content."""
    return next(
        each
        for each in repository.remote.rglob("*")
        if each.is_file() and each.read_bytes() == content
    )


def left_behind(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir() if each.name.startswith(".kitline")]


def test_the_files_come_from_the_cache_and_from_the_remote(
    kit: str, inside: DvcRepository, tmp_path: Path
) -> None:
    assert run("dvc", "fetch", kit, tmp_path / "one").pinned == kit
    inside.drop_cache()
    assert run("dvc", "fetch", kit, tmp_path / "two").pinned == kit
    expected = read_tree(inside.root / "data/train")
    assert read_tree(tmp_path / "one/data/train") == expected
    assert read_tree(tmp_path / "two/data/train") == expected
    assert read_tree(tmp_path / "two") == read_tree(tmp_path / "one")


def test_a_second_time_nothing_is_fetched_and_one_missing_file_comes_alone(
    kit: str, tmp_path: Path
) -> None:
    first = run("dvc", "fetch", kit, tmp_path / "out", "--json").json
    again = run("dvc", "fetch", kit, tmp_path / "out", "--json").json
    (tmp_path / "out/data/labels.csv").unlink()
    third = run("dvc", "fetch", kit, tmp_path / "out", "--json").json
    assert first == {
        "reference": kit,
        "digest": kit.partition("@")[2],
        "folder": str(tmp_path / "out"),
        "files": 5,
        "fetched": 5,
        "size": first["size"],
    }
    assert (again["fetched"], again["size"]) == (0, 0)
    assert third["fetched"] == 1


def test_other_files_are_not_overwritten_without_force(kit: str, tmp_path: Path) -> None:
    write_tree(tmp_path / "out", {"data/labels.csv": "mine"})
    result = run("dvc", "fetch", kit, tmp_path / "out")
    assert result.error.startswith(
        "cannot fetch 'data/labels.csv': another file is in the way; nothing was changed"
    )
    assert sorted(read_tree(tmp_path / "out")) == ["data", "data/labels.csv"]
    assert run("dvc", "fetch", kit, tmp_path / "out", "--force").code == 0


def test_a_damaged_object_leaves_nothing_behind(
    kit: str, inside: DvcRepository, tmp_path: Path
) -> None:
    inside.drop_cache()
    damaged = held(inside, b"x,y\n1,2\n")
    damaged.chmod(0o644)
    damaged.write_bytes(b"x,y\n1,3\n")
    (tmp_path / "here").mkdir()
    result = run("dvc", "fetch", kit, tmp_path / "here/out")
    assert result.code == 1
    assert "'data/train/a.csv' is damaged: it has md5" in result.error
    assert list((tmp_path / "here").iterdir()) == []


def test_an_object_of_another_size_is_refused(
    kit: str, inside: DvcRepository, tmp_path: Path
) -> None:
    inside.drop_cache()
    damaged = held(inside, b"x,y\n1,2\n")
    damaged.chmod(0o644)
    damaged.write_bytes(b"x,y\n1,2\n and more")
    assert "bytes, not 8" in run("dvc", "fetch", kit, tmp_path / "out").error
    assert not (tmp_path / "out").exists()


def test_a_missing_object_is_named(kit: str, inside: DvcRepository, tmp_path: Path) -> None:
    inside.drop_cache()
    held(inside, b"x,y\n1,2\n").unlink()
    result = run("dvc", "fetch", kit, tmp_path / "out")
    assert "the remote 'r' does not hold 'data/train/a.csv'" in result.error
    assert left_behind(tmp_path) == []


def test_outside_of_a_repository_an_address_is_needed_and_provenance_tells_which(
    kit: str, inside: DvcRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    monkeypatch.chdir(outside)
    error = run("dvc", "fetch", kit, "out").error
    assert "no DVC repository holds the folder" in error
    assert str(inside.remote) in error
    assert "--url reads from there" in error
    assert run("dvc", "fetch", kit, "out", "--url", inside.remote).pinned == kit
    assert (outside / "out/data/train/c.bin").exists()


def test_a_kit_that_holds_its_data_is_left_to_unpack(inside: DvcRepository) -> None:
    kitline.import_("dvc:data/train@v1", "team/plain:v1")
    error = run("dvc", "fetch", "team/plain:v1", "out").error
    assert error.endswith("holds its data itself, none by reference; 'kitline unpack' unpacks it")


@pytest.mark.parametrize("path", ["../evil", "/evil", "a/../../evil"])
def test_a_list_cannot_lead_out_of_the_folder(
    inside: DvcRepository, tmp_path: Path, path: str
) -> None:
    listed = {
        "format": "io.kitline.dvc.files/1",
        "path": "data/train",
        "md5": "0" * 32 + ".dir",
        "files": [{"path": path, "md5": "0" * 32, "size": 1}],
    }
    files = {
        "Kitfile": (
            "manifestVersion: 1.0.0\n"
            "datasets:\n"
            "  - name: train\n"
            "    path: data/train.files.json\n"
            "    parameters: {dvc: {path: data/train, data: reference}}\n"
        ),
        "data/train.files.json": json.dumps(listed),
    }
    kitline.pack(write_tree(tmp_path / "kit", files), "evil:v1")
    with pytest.raises(MalformedContent, match="a path leaves the folder"):
        fetch("evil:v1", tmp_path / "out")
    assert not (tmp_path / "evil").exists()


def test_a_symbolic_link_in_the_folder_is_not_followed(kit: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere-too").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/data").symlink_to(tmp_path / "elsewhere-too")
    assert "a symbolic link is in the way" in run("dvc", "fetch", kit, tmp_path / "out").error
    assert list((tmp_path / "elsewhere-too").iterdir()) == []


def test_its_help_has_an_example() -> None:
    assert "Example: kitline dvc fetch" in run("dvc", "fetch", "--help").stdout
