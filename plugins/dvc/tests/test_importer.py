"""Importing from a DVC repository: what becomes of paths, folders and revisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitline.kit.folder import FolderTree
from kitline.kit.pack import pack
from kitline.store.memory import MemoryStore

if TYPE_CHECKING:
    import pytest

    from conftest import DvcRepository, Importing


def test_a_tracked_folder_becomes_one_dataset_with_its_md5(
    repository: DvcRepository, importing: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository.root)
    found = importing.read("dvc:data/train@v1")
    assert found == {f"data/train/{name}": data for name, data in repository.train.items()}
    (dataset,) = importing.collect("dvc:data/train@v1").tree.kitfile.datasets
    assert (dataset.name, dataset.path) == ("train", "data/train")
    assert dataset.parameters["dvc"]["path"] == "data/train"
    assert dataset.parameters["dvc"]["md5"] in (repository.root / "data/train.dvc").read_text()


def test_a_path_is_seen_from_the_working_directory(
    repository: DvcRepository, importing: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository.root / "data")
    assert importing.read("dvc:labels.csv@v1") == {"data/labels.csv": repository.single}
    assert importing.read("dvc:labels.csv") == {"data/labels.csv": repository.single + b"1\n"}


def test_layers_equal_those_of_a_plain_folder(
    repository: DvcRepository, importing: Importing
) -> None:
    found = importing.collect("dvc:data/train@v1", repo=str(repository.root))
    plain = pack(FolderTree(repository.root, found.tree.kitfile), MemoryStore())
    ours = importing.layer("dvc:data/train@v1", repo=str(repository.root))
    assert ours == str(plain.layers[0].descriptor.digest)
