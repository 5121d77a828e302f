"""`kitline dvc verify` says whether a kit still holds what a revision says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import kitline
import pytest
from kitline.cli.main import main
from kitline.testing.command_line import CommandLine
from kitline.testing.trees import write_tree

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
    return str(kitline.import_("dvc:data@v1", "team/data:v1"))


def test_a_kit_equals_the_revision_that_it_was_made_from(kit: str) -> None:
    assert run("dvc", "verify", "team/data:v1", "--rev", "v1").pinned == kit


def test_another_revision_differs_and_the_files_are_named(kit: str) -> None:
    result = run("dvc", "verify", "team/data:v1", "--rev", "v2")
    assert result.code == 3
    assert result.error == f"{kit} is not what 'v2' says:\n  data/labels.csv: changed"
    assert result.stdout == ""


def test_head_is_compared_unless_a_revision_is_named(kit: str) -> None:
    assert run("dvc", "verify", kit).code == 3
    assert run("dvc", "verify", kit, "--dataset", "train").code == 0


def test_json_holds_both_md5s_and_every_change(kit: str, inside: DvcRepository) -> None:
    inside.write("data/train/new.csv", b"1\n")
    inside.write("data/train/a.csv", b"2\n")
    (inside.root / "data/train/b/empty").unlink()
    inside.add("data/train")
    commit = inside.commit("three")
    result = run("dvc", "verify", kit, "--dataset", "train", "--json")
    assert result.code == 3
    assert (result.json["equal"], result.json["commit"]) == (False, commit)
    (row,) = result.json["paths"]
    assert row["path"] == "data/train"
    assert row["kitMd5"] != row["revisionMd5"]
    assert row["changes"] == [
        {"kind": "changed", "path": "a.csv"},
        {"kind": "added", "path": "b/empty"},
        {"kind": "removed", "path": "new.csv"},
    ]


@pytest.mark.parametrize("option", ["split=directory", "split=files:2", "data=reference"])
def test_partitions_and_references_are_compared_as_well(inside: DvcRepository, option: str) -> None:
    assert run("import", "dvc:data/train@v1", "-t", "parts:v1", "-o", option).code == 0
    assert run("dvc", "verify", "parts:v1").code == 0


def test_data_by_reference_is_said_to_be_that(inside: DvcRepository) -> None:
    run("import", "dvc:data/train@v1", "-t", "huge:v1", "-o", "data=reference")
    assert "equal: data/train (by reference, md5) at" in run("dvc", "verify", "huge:v1").stderr
    assert "data/train.files.json (by reference, md5)" in run("inspect", "huge:v1").stderr
    assert run("dvc", "verify", "huge:v1", "--json").json["paths"][0]["byReference"]


def test_the_data_itself_is_read_and_not_what_the_kitfile_claims(
    inside: DvcRepository, tmp_path: Path
) -> None:
    honest = kitline.import_("dvc:data/labels.csv@v2", "labels:v2").reference
    kitline.unpack(honest, tmp_path / "forged")
    (tmp_path / "forged/data/labels.csv").write_bytes(b"forged\n")
    kitline.pack(tmp_path / "forged", "forged:v2")
    assert run("dvc", "verify", "forged:v2", "--recorded").code == 0
    assert run("dvc", "verify", "forged:v2").code == 3


def test_a_kit_of_git_files_is_compared_too(inside: DvcRepository) -> None:
    assert run("import", "dvc:notes@v1", "-t", "notes:v1").code == 0
    assert run("dvc", "verify", "notes:v1").code == 0
    inside.write("notes/read.me", b"other\n")
    inside.commit("other notes")
    assert run("dvc", "verify", "notes:v1").error.endswith("notes: changed read.me")


def test_a_kit_from_elsewhere_is_compared_under_a_named_path(
    inside: DvcRepository, tmp_path: Path
) -> None:
    files = {
        "Kitfile": "manifestVersion: 1.0.0\ndatasets: [{name: labels, path: labels.csv}]\n",
        "labels.csv": (inside.root / "data/labels.csv").read_text(),
    }
    kitline.pack(write_tree(tmp_path / "kit", files), "labels:v1")
    assert run("dvc", "verify", "labels:v1", "--path", "data/labels.csv").code == 0
    assert "tracked neither by DVC nor by git" in run("dvc", "verify", "labels:v1").error


def test_what_cannot_be_listed_is_said(kit: str, inside: DvcRepository) -> None:
    inside.write("data/train/a.csv", b"2\n")
    inside.add("data/train")
    inside.commit("three")
    inside.drop_cache()
    result = run("dvc", "verify", kit, "--dataset", "train")
    assert result.code == 3
    assert "data/train: which files differ cannot be told: " in result.error


def test_an_unknown_revision_is_a_clear_error(kit: str) -> None:
    result = run("dvc", "verify", kit, "--rev", "v9")
    assert result.code == 1
    assert result.error.startswith("the repository has no revision 'v9'")


def test_it_works_from_a_subfolder_and_in_a_bare_clone(kit: str, inside: DvcRepository) -> None:
    bare = inside.root.parent / "bare.git"
    inside.git("clone", "-q", "--bare", str(inside.root), str(bare))
    assert run("dvc", "verify", kit, "--rev", "v1", "--repo", inside.root / "data").code == 0
    assert run("dvc", "verify", kit, "--rev", "v1", "--repo", bare).code == 0


def test_its_help_has_an_example() -> None:
    assert "Example: kitline dvc verify" in run("dvc", "verify", "--help").stdout


def test_kitline_itself_says_too_that_data_is_by_reference(
    inside: DvcRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit = run("import", "dvc:data/train@v1", "-t", "team/list:v1", "-o", "data=reference").pinned
    monkeypatch.setenv("KITLINE_KEY_PASSWORD", "")
    run("keygen")
    run("sign", kit, "--key", "kitline.key")
    verified = run("verify", kit, "--key", "kitline.pub")
    assert "by reference, md5: data/train.files.json lists data" in verified.stderr
    assert "data/train.files.json (by reference, md5)" in run("inspect", kit).stderr
    assert "by reference, md5" in run("lineage", kit).stdout


def test_either_id_finds_the_other(inside: DvcRepository) -> None:
    kit = str(kitline.import_("dvc:data/train@v1", "team/train:v9").reference)
    md5 = next((inside.root / ".dvc/cache/files/md5").glob("*/*.dir"))
    name = md5.parent.name + md5.name
    found = {str(each.reference) for each in kitline.find("dvc-md5", name)}
    assert kit in found
    commit = inside.git("rev-parse", "v1")
    assert kit in {str(each.reference) for each in kitline.find("git-commit", commit)}
