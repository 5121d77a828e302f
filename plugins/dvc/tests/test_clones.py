"""Repositories by address: cloned without workspace into a folder that goes away again."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import kitline
import pytest
from kitline.errors import SourceError
from kitline.testing.trees import write_tree
from kitline_dvc.inside.clones import clone
from kitline_dvc.inside.git import find_commit
from kitline_dvc.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import DvcRepository, Importing


DIES = """
import time
from kitline.plugin import LockedFolder
from kitline_dvc.inside.clones import PREFIX
print(LockedFolder(PREFIX).path, flush=True)
time.sleep(600)
"""


@pytest.fixture(name="address")
def _address(repository: DvcRepository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Let git reach the repository under an address of another kind."""
    settings = tmp_path / "gitconfig"
    settings.write_text(
        f'[url "file://{repository.root}"]\n    insteadOf = https://git.example.org/data\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return "https://git.example.org/data"


@pytest.mark.parametrize("revision", [None, "v1", "commit"])
def test_a_clone_has_the_revision(repository: DvcRepository, revision: str | None) -> None:
    commit = repository.git("rev-parse", "v1" if revision else "HEAD")
    asked = commit if revision == "commit" else revision
    scm, folder = clone(f"file://{repository.root}", asked)
    assert find_commit(scm, asked or "HEAD") == commit
    scm.close()
    folder.close()
    assert not Path(folder.path).exists()


def test_a_clone_of_a_killed_import_goes_with_the_next_one(
    repository: DvcRepository, address: str, importing: Importing, tmp_path: Path
) -> None:
    folder = tmp_path / "tmp"
    killed = subprocess.Popen(
        [sys.executable, "-c", DIES], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": str(folder)},
    )  # fmt: skip
    assert killed.stdout is not None
    left = Path(killed.stdout.readline().strip())
    importing.collect(f"dvc+{address}?path=notes&rev=v1")
    assert left.exists()  # its process lives

    killed.kill()
    killed.communicate()
    importing.collect(f"dvc+{address}?path=notes&rev=v1")

    assert list(folder.iterdir()) == []


def test_an_address_gives_the_digest_of_the_folder(
    repository: DvcRepository, address: str, importing: Importing, tmp_path: Path
) -> None:
    expected = importing.digest("dvc:data/train@v1", repo=str(repository.root))
    source = f"dvc+{address}?path=data/train&rev=v1"
    assert importing.digest(source, remote="r") == expected
    found = importing.collect(source, remote="r")
    assert found.origin.server == address
    assert "git+https://git.example.org/data@" in repr(found.statements)
    read = importing.read(f"dvc+{address}?path=notes&rev=v1")
    assert read == {"notes/read.me": b"kept by git\n"}
    assert list((tmp_path / "tmp").glob("kitline-dvc-*")) == []


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_clone_cannot_have_folders_of_this_machine_packed(
    repository: DvcRepository, address: str, importing: Importing, tmp_path: Path, scheme: str
) -> None:
    commit = repository.git("rev-parse", "v1")
    repository.write("stolen.dvc", imported(f"{scheme}{repository.root}", commit, "stolen"))
    repository.commit("hostile")
    with pytest.raises(SourceError, match="may not name folders of this machine"):
        importing.collect(f"dvc+{address}?path=stolen&rev=main")
    assert list((tmp_path / "tmp").glob("kitline-dvc-*")) == []


def test_a_comparison_leaves_no_clone_of_what_was_imported(
    repository: DvcRepository, address: str, make: Callable[..., DvcRepository], tmp_path: Path
) -> None:
    borrower = make("borrower")
    borrower.write("notes.dvc", imported(address, repository.git("rev-parse", "v1")))
    borrower.commit("imported")
    write_tree(tmp_path / "kit", {"notes/read.me": b"other\n"})
    (tmp_path / "kit/Kitfile").write_text("manifestVersion: 1.0.0\ndatasets: [{path: notes}]\n")
    kitline.pack(tmp_path / "kit", "team/notes:v1")
    found = verify("team/notes:v1", repo=borrower.root)
    assert found.paths[0].changes == (("changed", "read.me"),)
    assert list((tmp_path / "tmp").glob("kitline-dvc-*")) == []


def imported(address: str, commit: str, name: str = "notes") -> bytes:
    repository = f"{{url: '{address}', rev_lock: {commit}}}"
    out = f"outs:\n- {{path: {name}, hash: md5}}\n"
    return f"deps:\n- path: notes\n  repo: {repository}\n{out}".encode()


def test_an_import_from_a_place_of_another_kind_is_told_as_the_repository_says_it(
    repository: DvcRepository, importing: Importing
) -> None:
    repository.write("far.dvc", imported("ftp://example.org/x", "a" * 40, "far"))
    repository.commit("far")
    with pytest.raises(SourceError, match=r"'notes' was imported from 'ftp://example\.org/x'"):
        importing.collect("dvc:far@HEAD", repo=str(repository.root))


def test_an_address_that_cannot_be_cloned(importing: Importing) -> None:
    with pytest.raises(
        SourceError, match=r"cannot clone 'https://.*127\.0\.0\.1:1/data'"
    ) as caught:
        importing.collect("dvc+https://me:secret@127.0.0.1:1/data?path=a&rev=v1")
    assert "secret" not in str(caught.value)
    assert "Connection refused" in str(caught.value)
    assert tempfile.gettempdir() not in str(caught.value)
