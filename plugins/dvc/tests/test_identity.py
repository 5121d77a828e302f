"""One digest for the same data, wherever the repository lies and whatever else was committed."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest
from kitline.kit.kitfile_write import write_kitfile
from kitline.plugin import without_passwords

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import DvcRepository, Importing

GOLDEN = {
    ("dvc/1", "data/train"): (
        "sha256:54dccc557c97c4afbaf8d4f58efe6e16832b4f000b5e2ea93ba2ed40e7670722"
    ),
    ("dvc/1", "data/labels.csv"): (
        "sha256:288e60223898215d37eb7e9a69e7eadc7ac655aef7a3619440248c1f4d4f884b"
    ),
}


def cloned(repository: DvcRepository, target: Path, *options: str) -> Path:
    repository.git("clone", "-q", *options, f"file://{repository.root}", str(target))
    return target


def with_remote(clone: Path, repository: DvcRepository) -> Path:
    """Tell a clone where the remote of the copied template lies."""
    (clone / ".dvc/config.local").write_text(f"['remote \"r\"']\n    url = {repository.remote}\n")
    return clone


def test_the_recipe_makes_the_digests_that_it_always_made(
    repository: DvcRepository, importing: Importing
) -> None:
    for (recipe, path), digest in GOLDEN.items():
        found = importing.collect(f"dvc:{path}@v1", repo=str(repository.root))
        assert found.recipe == recipe
        assert importing.digest(f"dvc:{path}@v1", repo=str(repository.root)) == digest


def test_one_digest_from_workspace_bare_file_and_shallow_clones(
    repository: DvcRepository, importing: Importing, tmp_path: Path
) -> None:
    expected = importing.digest("dvc:data/train", repo=str(repository.root))
    bare = cloned(repository, tmp_path / "bare.git", "--bare")
    shallow = with_remote(cloned(repository, tmp_path / "shallow", "--depth", "1"), repository)
    full = with_remote(cloned(repository, tmp_path / "full"), repository)
    cache = str(repository.root / ".dvc/cache")
    sources = {
        f"dvc+file://{bare}?path=data/train&rev=v1": {"cache_dir": cache},
        f"dvc+file://{bare}?path=data/train": {"cache_dir": cache},
        f"dvc+file://{full}?path=data%2Ftrain&rev=v2": {},
        f"dvc+file://{shallow}?path=data/train": {},
        f"dvc+file://{repository.root}?path=data/train&rev=v1": {},
    }
    found = {importing.digest(source, **options) for source, options in sources.items()}
    assert found == {expected}


def test_data_that_did_not_change_keeps_its_digest_after_commits_and_a_rebase(
    repository: DvcRepository, importing: Importing
) -> None:
    place = str(repository.root)
    first = importing.digest("dvc:data/train@v1", repo=place)
    repository.git("checkout", "-qb", "side", "v1")
    repository.write("more.txt", b"more\n")
    repository.commit("more")
    repository.git("rebase", "-q", "main")
    assert importing.digest("dvc:data/train@side", repo=place) == first
    assert importing.digest("dvc:data/labels.csv@v1", repo=place) != importing.digest(
        "dvc:data/labels.csv@v2", repo=place
    )


def test_the_manifest_tells_neither_repository_nor_commit(
    repository: DvcRepository, importing: Importing
) -> None:
    repository.git("remote", "add", "origin", "https://me:secret@git.example.org/team/data.git")
    found = importing.collect("dvc:data/train@v1", repo=str(repository.root))
    commit = repository.git("rev-parse", "v1")
    packed = importing.pack("dvc:data/train@v1", repo=str(repository.root))
    said = packed.manifest.raw.decode() + write_kitfile(packed.kitfile)
    assert found.created is None
    assert commit not in said
    assert "example.org" not in said
    (statement,) = found.statements
    told = json.dumps(dict(statement.predicate))
    assert f"git+https://git.example.org/team/data.git@{commit}" in told
    assert '"revision": "v1"' in told
    assert "secret" not in told + repr(found.origin)
    assert str(repository.root) not in told
    assert found.origin.source == f"dvc:data/train@{commit}"
    assert found.origin.server == without_passwords("https://git.example.org/team/data.git")


@pytest.mark.slow  # four checkouts
def test_each_link_type_of_the_cache_gives_the_same_digest(
    repository: DvcRepository, importing: Importing
) -> None:
    from dvc.repo import Repo

    place = str(repository.root)
    expected = importing.digest("dvc:data/train@v1", repo=place)
    for kind in ("copy", "hardlink", "symlink", "reflink,copy"):
        repository.configure("cache", {"type": kind})
        with Repo(place) as repo:
            repo.checkout(force=True, relink=True)
        repository.git("checkout", "-q", "--", ".dvc/config")
        repository.configure("cache", {"type": kind})
        repository.commit(kind.replace(",", "-"))
        assert importing.digest("dvc:data/train", repo=place) == expected


def test_a_shared_cache_folder_serves_as_well(
    repository: DvcRepository, importing: Importing, tmp_path: Path
) -> None:
    expected = importing.digest("dvc:data/train@v1", repo=str(repository.root))
    shutil.move(repository.root / ".dvc/cache", tmp_path / "shared")
    shutil.rmtree(repository.remote)
    (tmp_path / "linked").symlink_to(tmp_path / "shared")
    for folder in ("shared", "linked"):
        (repository.root / ".dvc/config.local").write_text(
            f"[cache]\n    dir = {tmp_path / folder}\n"
        )
        assert importing.digest("dvc:data/train@v1", repo=str(repository.root)) == expected


def test_a_repository_below_the_top_of_git(
    make: Callable[..., DvcRepository],
    repository: DvcRepository,
    importing: Importing,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    inner = make("mono", subdir="team/inner")
    inner.write("data/train", repository.train)
    inner.add("data/train")
    inner.commit("one", "v1")
    inner.push()
    expected = importing.digest("dvc:data/train@v1", repo=str(repository.root))
    assert importing.digest("dvc:data/train@v1", repo=str(inner.root)) == expected
    monkeypatch.chdir(inner.root)
    assert importing.digest("dvc:data/train") == expected
    top = inner.root.parents[1]
    bare = tmp_path / "bare.git"
    inner.git("clone", "-q", "--bare", str(top), str(bare))
    source = f"dvc+file://{bare}?path=team/inner/data/train"
    assert importing.digest(source) == expected


def test_executable_files_keep_their_bit(repository: DvcRepository, importing: Importing) -> None:
    repository.write("run.sh", b"#!/bin/sh\n")
    (repository.root / "run.sh").chmod(0o755)
    repository.add("run.sh")
    repository.commit("script")
    (entry,) = importing.collect("dvc:run.sh", repo=str(repository.root)).tree.entries()
    assert entry.mode == 0o755


def test_git_files_and_parts_of_folders_are_imported_too(
    repository: DvcRepository, importing: Importing
) -> None:
    place = str(repository.root)
    assert importing.read("dvc:notes@v1", repo=place) == {"notes/read.me": b"kept by git\n"}
    inner = {"data/train/b/deep.csv": repository.train["b/deep.csv"], "data/train/b/empty": b""}
    assert importing.read("dvc:data/train/b@v1", repo=place) == inner
    (dataset,) = importing.collect("dvc:data/train/b@v1", repo=place).tree.kitfile.datasets
    assert dataset.parameters["dvc"]["md5"].endswith(".dir")
    both = importing.collect("dvc:data@v1", repo=place).tree.kitfile.datasets
    assert [each.path for each in both] == ["data/labels.csv", "data/train"]


def test_several_paths_of_one_source(repository: DvcRepository, importing: Importing) -> None:
    source = f"{repository.url}?path=notes/read.me&path=data/labels.csv&rev=v1"
    assert importing.read(source) == {
        "data/labels.csv": repository.single,
        "notes/read.me": b"kept by git\n",
    }


def test_nothing_is_written_into_the_repository(
    repository: DvcRepository, importing: Importing
) -> None:
    before = sorted(path for path in repository.root.rglob("*") if ".git" not in path.parts)
    importing.pack("dvc:data/train@v1", repo=str(repository.root))
    after = sorted(path for path in repository.root.rglob("*") if ".git" not in path.parts)
    assert after == before
    assert os.listdir(".") == []
