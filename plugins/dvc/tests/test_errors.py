"""What cannot be imported is one clear error; nothing is packed and nothing left behind."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from kitline.errors import SourceError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import DvcRepository, Importing


def md5_of_single(repository: DvcRepository) -> str:
    from hashlib import md5

    return md5(repository.single, usedforsecurity=False).hexdigest()


def test_an_unknown_revision(repository: DvcRepository, importing: Importing) -> None:
    with pytest.raises(SourceError, match="no revision 'v9'; 'git fetch' may bring it"):
        importing.collect("dvc:data/train@v9", repo=str(repository.root))


def test_a_path_that_is_not_tracked(repository: DvcRepository, importing: Importing) -> None:
    with pytest.raises(SourceError, match="'data/none' is tracked neither by DVC nor by git"):
        importing.collect("dvc:data/none@v1", repo=str(repository.root))


def test_a_path_inside_a_tracked_folder_that_is_not_there(
    repository: DvcRepository, importing: Importing
) -> None:
    with pytest.raises(SourceError, match="'data/train' has no 'b/none' at commit"):
        importing.collect("dvc:data/train/b/none@v1", repo=str(repository.root))


def test_a_path_outside_of_the_repository(repository: DvcRepository, importing: Importing) -> None:
    for path in ("../copy", "/etc", "data/../../x"):
        with pytest.raises(SourceError, match="lies outside of the repository"):
            importing.collect(f"dvc:{path}@v1", repo=str(repository.root))


def test_a_folder_without_git(tmp_path: Path, importing: Importing) -> None:
    from dvc.repo import Repo

    (tmp_path / "plain").mkdir()
    Repo.init(str(tmp_path / "plain"), no_scm=True).close()
    with pytest.raises(SourceError, match="lies in no git repository"):
        importing.collect("dvc:data@v1", repo=str(tmp_path / "plain"))


def test_a_git_repository_without_dvc(repository: DvcRepository, importing: Importing) -> None:
    repository.git("rm", "-rqf", ".dvc")
    repository.git("commit", "-qam", "no more")
    with pytest.raises(SourceError, match="DVC is not initialised there"):
        importing.collect("dvc:data@HEAD", repo=str(repository.root))


def test_a_folder_that_is_not_there(tmp_path: Path, importing: Importing) -> None:
    with pytest.raises(SourceError, match="there is no such folder"):
        importing.collect(f"dvc+file://{tmp_path}/none?path=data")


def test_a_missing_object_names_path_md5_and_places(
    repository: DvcRepository, importing: Importing
) -> None:
    repository.drop_cache()
    shutil.rmtree(repository.remote)
    message = (
        rf"'data/labels\.csv' \(md5 {md5_of_single(repository)}\) is neither in the cache"
        r" '.*' nor in the remote 'r'; 'dvc push' where the data is"
    )
    with pytest.raises(SourceError, match=message):
        importing.collect("dvc:data/labels.csv@v1", repo=str(repository.root))


def test_a_missing_listing(repository: DvcRepository, importing: Importing) -> None:
    repository.drop_cache()
    shutil.rmtree(repository.remote)
    with pytest.raises(SourceError, match=r"'data/train' \(md5 [0-9a-f]{32}\.dir\) is neither"):
        importing.collect("dvc:data/train@v1", repo=str(repository.root))


def test_a_corrupt_cache_file_that_still_looks_protected(
    repository: DvcRepository, importing: Importing
) -> None:
    cached = repository.cached(md5_of_single(repository))
    cached.chmod(0o644)
    cached.write_bytes(repository.single[:-1] + b"X")
    cached.chmod(0o444)
    with pytest.raises(SourceError, match=r"'data/labels\.csv' is damaged: it has md5 .*; remove"):
        importing.pack("dvc:data/labels.csv@v1", repo=str(repository.root))


def test_a_cache_file_that_was_cut(repository: DvcRepository, importing: Importing) -> None:
    cached = repository.cached(md5_of_single(repository))
    for content in (b"", repository.single[:3]):
        cached.chmod(0o644)
        cached.write_bytes(content)
        with pytest.raises(SourceError, match=r"'data/labels\.csv' is damaged"):
            importing.pack("dvc:data/labels.csv@v1", repo=str(repository.root))


def test_a_cache_file_that_is_a_link(repository: DvcRepository, importing: Importing) -> None:
    cached = repository.cached(md5_of_single(repository))
    cached.rename(cached.with_suffix(".moved"))
    cached.symlink_to(cached.with_suffix(".moved"))
    with pytest.raises(SourceError, match="is no file but a link or a folder"):
        importing.pack("dvc:data/labels.csv@v1", repo=str(repository.root))


def test_a_corrupt_listing(repository: DvcRepository, importing: Importing) -> None:
    (cached,) = (repository.root / ".dvc/cache/files/md5").glob("*/*.dir")
    cached.chmod(0o644)
    cached.write_bytes(cached.read_bytes().replace(b"a.csv", b"z.csv"))
    with pytest.raises(SourceError, match="the listing of 'data/train' is damaged"):
        importing.collect("dvc:data/train@v1", repo=str(repository.root))


def test_a_listing_that_is_too_large_to_be_one_is_not_read(
    repository: DvcRepository, importing: Importing
) -> None:
    (cached,) = (repository.root / ".dvc/cache/files/md5").glob("*/*.dir")
    cached.chmod(0o644)
    os.truncate(cached, 2 << 30)  # sparse: it takes no room
    with pytest.raises(SourceError, match=r"the listing of 'data/train' has 2147483648 bytes"):
        importing.collect("dvc:data/train@v1", repo=str(repository.root))


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "a//b", "a\\b", ".", "a/", ""])
def test_a_listing_that_leaves_its_folder(
    repository: DvcRepository, importing: Importing, name: str
) -> None:
    import json
    from hashlib import md5

    rows = [{"md5": md5_of_single(repository), "relpath": name}]
    raw = json.dumps(rows, sort_keys=True).encode()
    listing = f"{md5(raw, usedforsecurity=False).hexdigest()}.dir"
    repository.cached(listing).parent.mkdir(exist_ok=True)
    repository.cached(listing).write_bytes(raw)
    (repository.root / "evil.dvc").write_text(
        f"outs:\n- md5: {listing}\n  hash: md5\n  path: evil\n"
    )
    repository.commit("evil")
    with pytest.raises(SourceError, match="which is no path inside of it"):
        importing.collect("dvc:evil@HEAD", repo=str(repository.root))


def test_a_changed_workspace_is_refused_when_no_revision_is_named(
    repository: DvcRepository, importing: Importing
) -> None:
    repository.write("data/train/a.csv", b"changed\n")
    message = r"the workspace differs from its last commit [0-9a-f]{12}: 'data/train'; run 'dvc"
    with pytest.raises(SourceError, match=message):
        importing.collect("dvc:data/train", repo=str(repository.root))
    assert importing.read("dvc:data/train@HEAD", repo=str(repository.root))
    assert importing.read("dvc:data/labels.csv", repo=str(repository.root))


def test_data_that_is_added_and_not_committed_is_refused(
    repository: DvcRepository, importing: Importing
) -> None:
    repository.write("data/train/a.csv", b"changed\n")
    repository.add("data/train")
    with pytest.raises(SourceError, match=r"last commit [0-9a-f]{12}: 'data/train\.dvc'"):
        importing.collect("dvc:data/train", repo=str(repository.root))
    repository.write("data/new", b"new\n")
    repository.add("data/new")
    with pytest.raises(SourceError, match="'data/new' is tracked in the workspace, but not at"):
        importing.collect("dvc:data/new@HEAD", repo=str(repository.root))


def test_a_workspace_without_its_data_is_not_dirty(
    repository: DvcRepository, importing: Importing
) -> None:
    shutil.rmtree(repository.root / "data/train")
    assert importing.read("dvc:data/train", repo=str(repository.root))


def test_changed_git_files_are_refused(repository: DvcRepository, importing: Importing) -> None:
    repository.write("notes/read.me", b"changed\n")
    with pytest.raises(SourceError, match=r"'notes/read\.me'"):
        importing.collect("dvc:notes", repo=str(repository.root))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("dvc:", "no path is named"),
        ("dvc:data@", "nothing follows the '@'"),
        ("dvc+file:///repo", "one or more 'path='"),
        ("dvc+file://other/repo?path=a", "a file lies on this machine"),
        ("dvc+https://-oProxy/x?path=a", "is no host"),
        ("dvc+https://host/x?path=a&path=", "says nothing"),
        ("dvc+https://host/x?p=a", "'p' is neither"),
        ("dvc+ssh://host?path=a", "no repository is named"),
        ("dvc-artifact:a@", "NAME@VERSION"),
        ("dvc-artifact:#prod", "NAME@VERSION"),
    ],
)
def test_a_source_of_no_known_form(importing: Importing, source: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        importing.collect(source)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"nonsense": "1"}, "no option 'nonsense'; known are cache-dir"),
        ({"split": "files:1000"}, "N a power of two"),
        ({"split": "files:1"}, "N a power of two"),
        ({"data": "link"}, "neither 'copy' nor 'reference'"),
        ({"fill_cache": "yes"}, "neither 'true' nor 'false'"),
        ({"rev": ""}, "option 'rev' is empty"),
        ({"data": "reference", "split": "directory"}, "exclude each other"),
    ],
)
def test_options_that_make_no_sense(
    importing: Importing, options: dict[str, str], reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        importing.collect("dvc:data", **options)


def test_passwords_in_a_source_are_not_repeated(importing: Importing) -> None:
    with pytest.raises(UsageError) as caught:
        importing.collect("dvc+https://me:secret@host/x?nothing=a")
    assert "secret" not in str(caught.value)
