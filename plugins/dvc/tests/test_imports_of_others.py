"""Paths that `dvc import` took from other repositories: cold cache, cache gone, source gone."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from kitline.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import DvcRepository, Importing


def test_an_import_is_read_from_the_cache_and_from_where_it_came(
    repository: DvcRepository, borrower: DvcRepository, importing: Importing
) -> None:
    place = str(borrower.root)
    warm = {path: importing.digest(f"dvc:{path}@v1", repo=place) for path in ("train", "n")}
    borrower.drop_cache()
    cold = {path: importing.digest(f"dvc:{path}@v1", repo=place) for path in ("train", "n")}
    assert cold == warm
    assert importing.read("dvc:l.csv@v1", repo=place) == {"l.csv": repository.single}
    assert not (borrower.root / ".dvc/cache").exists()


def test_a_bare_repository_that_imports(
    repository: DvcRepository, borrower: DvcRepository, importing: Importing, tmp_path: Path
) -> None:
    expected = importing.digest("dvc:train@v1", repo=str(borrower.root))
    bare = tmp_path / "bare.git"
    borrower.git("clone", "-q", "--bare", str(borrower.root), str(bare))
    assert importing.digest(f"dvc+file://{bare}?path=train&rev=v1") == expected


def test_an_import_whose_source_is_gone(
    repository: DvcRepository, borrower: DvcRepository, importing: Importing
) -> None:
    borrower.drop_cache()
    shutil.rmtree(repository.root)
    with pytest.raises(SourceError, match="there is no such folder"):
        importing.collect("dvc:train@v1", repo=str(borrower.root))


def test_an_import_whose_source_lost_the_data(
    repository: DvcRepository, borrower: DvcRepository, importing: Importing
) -> None:
    borrower.drop_cache()
    repository.drop_cache()
    shutil.rmtree(repository.remote)
    with pytest.raises(SourceError, match=r"'data/train' \(md5 [0-9a-f]{32}\.dir\) is neither"):
        importing.collect("dvc:train@v1", repo=str(borrower.root))


def test_an_import_that_misses_one_file_only(
    repository: DvcRepository, borrower: DvcRepository, importing: Importing
) -> None:
    from hashlib import md5

    expected = importing.digest("dvc:train@v1", repo=str(borrower.root))
    name = md5(repository.train["a.csv"], usedforsecurity=False).hexdigest()
    borrower.cached(name).unlink()
    assert importing.digest("dvc:train@v1", repo=str(borrower.root)) == expected


def test_a_url_import_that_is_nowhere(
    make: Callable[..., DvcRepository], importing: Importing
) -> None:
    from dvc.repo import Repo

    made = make("urls")
    source = made.root.parent / "outside.csv"
    source.write_bytes(b"a,b\n")
    with Repo(str(made.root)) as repo:
        repo.imp_url(str(source), out=str(made.root / "in.csv"))
    made.commit("import-url")
    place = str(made.root)
    assert importing.read("dvc:in.csv", repo=place) == {"in.csv": b"a,b\n"}
    made.drop_cache()
    with pytest.raises(SourceError, match=r"'in\.csv' \(md5 .*\) is neither in the cache"):
        importing.collect("dvc:in.csv@HEAD", repo=place)


def test_a_file_that_dvc_2_tracked(repository: DvcRepository, importing: Importing) -> None:
    from hashlib import md5

    text = b"a\r\nb\r\n"
    name = md5(text.replace(b"\r\n", b"\n"), usedforsecurity=False).hexdigest()
    old = repository.root / ".dvc/cache" / name[:2] / name[2:]
    old.parent.mkdir()
    old.write_bytes(text)
    (repository.root / "old.txt.dvc").write_text(
        f"outs:\n- md5: {name}\n  size: {len(text)}\n  path: old.txt\n"
    )
    repository.commit("old")
    place = str(repository.root)
    assert importing.read("dvc:old.txt@HEAD", repo=place) == {"old.txt": text}
    old.write_bytes(b"a\r\nX\r\n")
    with pytest.raises(SourceError, match=r"'old\.txt' is damaged"):
        importing.read("dvc:old.txt@HEAD", repo=place)
