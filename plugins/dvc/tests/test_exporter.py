"""A kit's data becomes a path that DVC tracks, and says which kit it was."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import kitline
import pytest
import yaml
from kitline.errors import SourceError, TargetError, UsageError
from kitline.testing import ExporterContract
from kitline.testing.trees import read_tree, write_tree
from kitline_dvc.plugin import kitline_exporters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from kitline.plugin import Exporter

    from conftest import DvcRepository

TWO = {
    "Kitfile": """\
manifestVersion: 1.0.0
package: {name: two}
datasets:
  - {name: train, path: data/train}
  - {name: labels, path: labels.csv}
""",
    "data/train/a.csv": "1\n",
    "data/train/b/c.csv": "2\n",
    "labels.csv": "0\n",
}


class TestDvcExporter(ExporterContract):
    @pytest.fixture
    def exporter(self) -> Exporter:
        (exporter,) = kitline_exporters()
        return exporter

    @pytest.fixture
    def target(self) -> str:
        return "data/train.csv"

    @pytest.fixture
    def options(self, empty: DvcRepository) -> Mapping[str, str]:
        return {"repo": str(empty.root)}


@pytest.fixture
def empty(new_repository: Callable[..., DvcRepository]) -> DvcRepository:
    """A repository without data."""
    return new_repository()


def pack(folder: Path, files: Mapping[str, str] | None = None, name: str = "two:v1") -> str:
    return str(kitline.pack(write_tree(folder, files or TWO), name))


def export(reference: str, repository: DvcRepository, **options: str) -> Any:
    return kitline.export(reference, "dvc", options={"repo": str(repository.root), **options})


def one_dataset(content: str) -> dict[str, str]:
    return {
        "Kitfile": "manifestVersion: 1.0.0\ndatasets: [{name: train, path: data/train}]\n",
        "data/train/a.csv": content,
    }


def dvc_file(repository: DvcRepository, path: str) -> dict[str, Any]:
    found = yaml.safe_load((repository.root / f"{path}.dvc").read_text())
    assert isinstance(found, dict)
    return found


def test_the_dvc_file_says_which_kit_and_layer_the_data_is(
    tmp_path: Path, empty: DvcRepository
) -> None:
    reference = pack(tmp_path / "kit")
    result = export(reference, empty, dataset="train", path="here/train")
    found = dvc_file(empty, "here/train")
    layer = kitline.inspect(reference).to_json()["layers"][0]["digest"]
    assert read_tree(empty.root / "here/train") == {
        "a.csv": b"1\n",
        "b": None,
        "b/c.csv": b"2\n",
    }
    assert found["meta"]["kitline"] == {
        "digest": reference.partition("@")[2],
        "reference": reference,
        "layer_digest": layer,
        "dvc_md5": found["outs"][0]["md5"],
    }
    assert result.target == "here/train"


def test_nothing_is_committed_and_the_user_reads_what_to_commit(
    tmp_path: Path, empty: DvcRepository
) -> None:
    before = empty.git("rev-parse", "HEAD")
    result = export(pack(tmp_path / "kit"), empty, dataset="train")
    assert empty.git("rev-parse", "HEAD") == before
    assert result.warnings == ()
    assert result.notes == (
        "nothing was committed; to record this: git add data/.gitignore data/train.dvc",
    )


def test_autostage_stages_the_note_too(tmp_path: Path, empty: DvcRepository) -> None:
    export(pack(tmp_path / "kit"), empty, dataset="train")
    lines = empty.git("status", "--porcelain").splitlines()
    assert sorted(lines) == ["A  data/.gitignore", "A  data/train.dvc"]


def test_all_datasets_go_where_the_kit_has_them(tmp_path: Path, empty: DvcRepository) -> None:
    result = export(pack(tmp_path / "kit"), empty, dataset="all")
    assert result.target == "data/train, labels.csv"
    assert (empty.root / "labels.csv").read_text() == "0\n"
    assert (empty.root / "data/train/b/c.csv").read_text() == "2\n"


def test_all_datasets_go_below_a_path(tmp_path: Path, empty: DvcRepository) -> None:
    result = export(pack(tmp_path / "kit"), empty, dataset="all", path="kit")
    assert result.target == "kit/data/train, kit/labels.csv"


def test_a_kit_of_several_datasets_asks_which(tmp_path: Path, empty: DvcRepository) -> None:
    with pytest.raises(UsageError, match="holds 2 datasets: 'train', 'labels'; name one with"):
        export(pack(tmp_path / "kit"), empty)


def test_a_dataset_that_the_kit_does_not_hold_is_named(
    tmp_path: Path, empty: DvcRepository
) -> None:
    with pytest.raises(SourceError, match="no dataset 'test'; it holds 'train', 'labels'"):
        export(pack(tmp_path / "kit"), empty, dataset="test")


def test_a_kit_without_data_is_refused(tmp_path: Path, empty: DvcRepository) -> None:
    files = {"Kitfile": "manifestVersion: 1.0.0\ncode: [{path: src}]\n", "src/a.py": ""}
    with pytest.raises(SourceError, match="holds no dataset, and DVC takes data"):
        export(pack(tmp_path / "kit", files), empty)


def test_a_folder_with_other_data_is_not_overwritten(tmp_path: Path, empty: DvcRepository) -> None:
    empty.write("data/train", {"mine.csv": b"9\n"})
    before = empty.git("status", "--porcelain")
    with pytest.raises(TargetError, match=r"'data/train': it holds other data; nothing was chan"):
        export(pack(tmp_path / "kit"), empty, dataset="train")
    assert read_tree(empty.root / "data/train") == {"mine.csv": b"9\n"}
    assert empty.git("status", "--porcelain") == before
    assert list((empty.root / ".dvc/tmp").glob("kitline-*")) == []


def test_force_replaces_what_is_there(tmp_path: Path, empty: DvcRepository) -> None:
    empty.write("data/train", {"mine.csv": b"9\n"})
    result = export(pack(tmp_path / "kit"), empty, dataset="train", force="true")
    assert not result.existed
    assert sorted(read_tree(empty.root / "data/train")) == ["a.csv", "b", "b/c.csv"]
    assert list((empty.root / ".dvc/tmp").glob("kitline-*")) == []


def test_all_or_nothing_when_one_of_two_datasets_cannot_go_to_its_place(
    tmp_path: Path, empty: DvcRepository
) -> None:
    empty.write("labels.csv", b"kept by git\n")
    empty.commit("labels in git")
    with pytest.raises(TargetError, match=r"DVC could not add .*labels.csv"):
        export(pack(tmp_path / "kit"), empty, dataset="all", force="true")
    assert (empty.root / "labels.csv").read_bytes() == b"kept by git\n"
    assert not (empty.root / "data").exists()
    assert empty.git("status", "--porcelain", "--untracked-files=all") == ""


def test_data_that_is_there_already_is_only_noted(tmp_path: Path, empty: DvcRepository) -> None:
    empty.write("data/train", {"a.csv": b"1\n", "b/c.csv": b"2\n"})
    empty.add("data/train")
    there = empty.root / "data/train/a.csv"
    before = there.stat().st_ino
    export(pack(tmp_path / "kit"), empty, dataset="train")
    assert there.stat().st_ino == before
    assert "kitline" in dvc_file(empty, "data/train")["meta"]


def test_a_note_leaves_the_rest_of_the_dvc_file_alone(tmp_path: Path, empty: DvcRepository) -> None:
    empty.write("data/train", {"a.csv": b"old\n"})
    empty.add("data/train")
    file = empty.root / "data/train.dvc"
    file.write_text(f"# ours\n{file.read_text()}  desc: by hand\nmeta:\n  owner: Ada # hers\n")
    export(pack(tmp_path / "kit"), empty, dataset="train", force="true")
    text = file.read_text()
    assert text.startswith("# ours\n")
    assert "owner: Ada # hers\n" in text
    assert dvc_file(empty, "data/train")["outs"][0]["desc"] == "by hand"


def test_exporting_another_version_moves_the_note(tmp_path: Path, empty: DvcRepository) -> None:
    export(pack(tmp_path / "one", one_dataset("1\n"), "data:v1"), empty)
    second = pack(tmp_path / "two", one_dataset("2\n"), "data:v2")
    with pytest.raises(TargetError, match="holds other data"):
        export(second, empty)
    export(second, empty, force="true")
    assert dvc_file(empty, "data/train")["meta"]["kitline"]["reference"] == second
    assert export(second, empty).existed


def test_data_that_changed_after_an_export_is_exported_again(
    tmp_path: Path, empty: DvcRepository
) -> None:
    reference = pack(tmp_path / "one", one_dataset("1\n"), "data:v1")
    export(reference, empty)
    empty.write("data/train/a.csv", b"changed\n")
    with pytest.raises(TargetError, match="holds other data"):
        export(reference, empty)
    assert not export(reference, empty, force="true").existed
    assert (empty.root / "data/train/a.csv").read_text() == "1\n"


@pytest.mark.parametrize(
    "path",
    [
        "../out",
        "/etc/x",
        ".git/hooks",
        ".dvc/config",
        "data/.GIT/x",
        "a/../../b",
        "x.dvc",
        "dvc.yaml",
    ],
)
def test_no_path_leads_out_of_the_repository_or_into_git_and_dvc(
    tmp_path: Path, empty: DvcRepository, path: str
) -> None:
    with pytest.raises(TargetError, match="cannot put data at"):
        export(pack(tmp_path / "kit"), empty, dataset="train", path=path)
    assert empty.git("status", "--porcelain") == ""


def test_a_symbolic_link_is_not_followed(tmp_path: Path, empty: DvcRepository) -> None:
    (tmp_path / "outside").mkdir()
    (empty.root / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(TargetError, match="a symbolic link is in the way"):
        export(pack(tmp_path / "kit"), empty, dataset="train", path="link/train")
    assert list((tmp_path / "outside").iterdir()) == []


def test_the_output_of_a_stage_is_not_taken_over(tmp_path: Path, empty: DvcRepository) -> None:
    (empty.root / "dvc.yaml").write_text("stages:\n  make:\n    cmd: x\n    outs: [data/train]\n")
    with pytest.raises(TargetError, match="stage 'make' makes it"):
        export(pack(tmp_path / "kit"), empty, dataset="train")
    assert not (empty.root / "data/train").exists()


def test_it_needs_a_dvc_repository(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    reference = pack(tmp_path / "kit")
    with pytest.raises(TargetError, match=r"no DVC repository holds the folder .* 'dvc init'"):
        kitline.export(
            reference, "dvc", options={"repo": str(tmp_path / "plain"), "dataset": "train"}
        )


def test_it_works_in_a_subdirectory_repository_and_not_through_the_outer_one(
    tmp_path: Path, new_repository: Callable[..., DvcRepository]
) -> None:
    made = new_repository("outer", subdir="sub")
    reference = pack(tmp_path / "kit")
    result = kitline.export(reference, "dvc", options={"repo": str(made.root), "dataset": "train"})
    assert result.target == "data/train"
    assert made.root.name == "sub"
    assert (made.root / "data/train.dvc").exists()


def test_what_a_killed_export_left_goes_with_the_next_one(
    tmp_path: Path, empty: DvcRepository
) -> None:
    left = empty.root / ".dvc/tmp/kitline-export-0123456789abcdef"
    write_tree(left, {"0/data/half.csv": "1"})
    export(pack(tmp_path / "kit"), empty, dataset="train")
    assert not left.exists()


def test_a_repository_that_another_command_works_in_is_left_alone(
    tmp_path: Path, empty: DvcRepository
) -> None:
    from dvc.repo import Repo, lock_repo

    reference = pack(tmp_path / "kit")
    refused = pytest.raises(TargetError, match="DVC could not lock the repository")
    with Repo(str(empty.root)) as repo, lock_repo(repo), refused:
        export(reference, empty, dataset="train")
    assert not (empty.root / "data").exists()


def test_unknown_options_are_named(tmp_path: Path, empty: DvcRepository) -> None:
    with pytest.raises(UsageError, match="no option 'paht'; known are path, repo, dataset"):
        export(pack(tmp_path / "kit"), empty, paht="x")


def test_hints_of_dvc_do_not_come_between(empty: DvcRepository, tmp_path: Path) -> None:
    from dvc.repo import Repo

    with Repo(str(empty.root)) as repo, repo.config.edit() as config:
        config["core"]["autostage"] = "false"
    said: list[str] = []
    hearing = logging.Handler()
    hearing.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("dvc")
    before = logger.level
    logger.addHandler(hearing)
    logger.setLevel(logging.INFO)
    try:
        export(pack(tmp_path / "kit", one_dataset("1\n"), "one:v1"), empty)
    finally:
        logger.removeHandler(hearing)
        logger.setLevel(before)
    assert said == []
