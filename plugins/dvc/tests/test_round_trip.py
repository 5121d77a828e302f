"""What was imported from DVC goes back into DVC with the md5s that it had."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import kitline
import pytest
import yaml
from kitline.errors import SourceError
from kitline.testing.trees import read_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from conftest import DvcRepository


@pytest.fixture
def empty(new_repository: Callable[..., DvcRepository]) -> DvcRepository:
    return new_repository()


def import_(repository: DvcRepository, path: str, **options: str) -> str:
    given = {"repo": str(repository.root), **options}
    return str(kitline.import_(f"dvc:{path}@v1", "team/data:v1", options=given))


def export(reference: str, repository: DvcRepository, **options: str) -> Any:
    return kitline.export(reference, "dvc", options={"repo": str(repository.root), **options})


def use_remote(repository: DvcRepository, remote: Path) -> None:
    file = repository.root / ".dvc/config.local"
    file.write_text(f"['remote \"r\"']\n    url = {remote}\n")


def out(repository: DvcRepository, path: str) -> Mapping[str, Any]:
    found = yaml.safe_load((repository.root / f"{path}.dvc").read_text())["outs"][0]
    assert isinstance(found, dict)
    return found


def plain_dvc(repository: DvcRepository, *words: str) -> str:
    """Run the real program, without kitline in it."""
    program = (
        "import sys\n"
        "for name in ('kitline', 'kitline_dvc', 'kitline_mlflow'): sys.modules[name] = None\n"
        "from dvc.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=repository.root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_then_export_gives_the_same_md5s_and_plain_dvc_is_clean(
    repository: DvcRepository, empty: DvcRepository
) -> None:
    repository.git("checkout", "-q", "v1")
    reference = import_(repository, "data")
    result = export(reference, empty, dataset="all")
    for path in ("data/train", "data/labels.csv"):
        assert out(empty, path) == out(repository, path)
    assert [each for each in result.warnings if "md5" in each] == []
    empty.commit("exported")
    assert plain_dvc(empty, "status") == "Data and pipelines are up to date.\n"


@pytest.mark.parametrize("split", ["directory", "files:2"])
def test_partitions_come_back_as_one_path(
    repository: DvcRepository, empty: DvcRepository, split: str
) -> None:
    reference = import_(repository, "data/train", split=split)
    assert len(kitline.inspect(reference).kit.layers) > 1
    result = export(reference, empty)
    assert result.target == "data/train"
    assert out(empty, "data/train") == out(repository, "data/train")
    note = yaml.safe_load((empty.root / "data/train.dvc").read_text())["meta"]["kitline"]
    layers = kitline.inspect(reference).to_json()["layers"]
    assert note["layer_digests"] == list(dict.fromkeys(each["digest"] for each in layers))
    assert export(reference, empty).existed


def test_data_by_reference_is_read_from_the_remote_and_checked(
    repository: DvcRepository, empty: DvcRepository
) -> None:
    reference = import_(repository, "data/train", data="reference")
    use_remote(empty, repository.remote)
    export(reference, empty)
    assert out(empty, "data/train") == out(repository, "data/train")
    assert read_tree(empty.root / "data/train") == read_tree(repository.root / "data/train")


def test_damaged_data_by_reference_is_not_exported(
    repository: DvcRepository, empty: DvcRepository
) -> None:
    repository.git("checkout", "-q", "v1")
    reference = import_(repository, "data/labels.csv", data="reference")
    use_remote(empty, repository.remote)
    md5 = out(repository, "data/labels.csv")["md5"]
    held = repository.remote / "files/md5" / md5[:2] / md5[2:]
    held.chmod(0o644)
    held.write_bytes(b"X" + held.read_bytes()[1:])
    with pytest.raises(SourceError, match="is damaged: it has md5"):
        export(reference, empty)
    assert not (empty.root / "data").exists()


def test_a_model_of_dvc_comes_back_too(
    new_repository: Callable[..., DvcRepository], empty: DvcRepository
) -> None:
    made = new_repository("other")
    made.write("model.bin", b"weights")
    made.add("model.bin")
    file = made.root / "model.bin.dvc"
    file.write_text(file.read_text() + "  type: model\n")
    made.commit("one", "v1")
    reference = import_(made, "model.bin")
    assert kitline.inspect(reference).kit.kitfile.model is not None
    export(reference, empty)
    assert out(empty, "model.bin")["md5"] == out(made, "model.bin")["md5"]


def test_a_revision_is_unpacked_where_neither_dvc_nor_git_is(
    repository: DvcRepository, tmp_path: Path
) -> None:
    reference = import_(repository, "data/train")
    program = (
        "import os, sys\n"
        "os.environ['PATH'] = ''\n"
        "for name in ('dvc', 'dvc_data', 'dvc_objects', 'scmrepo'): sys.modules[name] = None\n"
        "import kitline\n"
        "kitline.unpack(sys.argv[1], sys.argv[2], filters=['datasets'])\n"
    )
    words = [sys.executable, "-c", program, reference, str(tmp_path / "out")]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert read_tree(tmp_path / "out/data/train") == read_tree(repository.root / "data/train")


@pytest.mark.slow  # a process of DVC; test_status.py has a short one
def test_with_kitline_uninstalled_the_data_comes_from_cache_and_remote_as_before(
    repository: DvcRepository, empty: DvcRepository
) -> None:
    export(import_(repository, "data/train"), empty)
    empty.commit("exported")
    empty.push()
    empty.drop_cache()
    for name in ("a.csv", "c.bin"):
        (empty.root / "data/train" / name).unlink()
    plain_dvc(empty, "pull")
    assert read_tree(empty.root / "data/train") == read_tree(repository.root / "data/train")
