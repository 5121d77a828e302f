"""Files behind a server give the same kit as files on this disk."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kitline.errors import SourceError
from kitline.kit.kitfile import Kitfile, Model
from kitline.kit.pack import pack
from kitline.plugin import FileTree
from kitline.store.memory import MemoryStore
from kitline_mlflow.files import fetch_files, find_files, open_files
from kitline_mlflow.remote.downloads import Downloads
from kitline_mlflow.remote.folders import list_files
from mlflow.entities import FileInfo
from mlflow.store.artifact.artifact_repo import ArtifactRepository

if TYPE_CHECKING:
    from kitline.kit.tree import Entry
    from kitline.oci.digest import Digest

    from conftest import Tracked


class Remote(ArtifactRepository):
    """A repository that downloads, as those of servers and object stores do."""

    def __init__(self, folder: Path) -> None:
        super().__init__("remote://bucket/model")
        self.folder = folder
        self.downloaded: list[str] = []
        self.cut = 0

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        asked = self.folder / (path or "")
        if not asked.is_dir():
            return []
        found = [
            FileInfo(
                each.relative_to(self.folder).as_posix(),
                each.is_dir(),
                None if each.is_dir() else each.stat().st_size,
            )
            for each in asked.iterdir()
        ]
        return [*found, FileInfo(path, True, None)] if path else found

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        self.downloaded.append(remote_file_path)
        shutil.copy(self.folder / remote_file_path, local_path)
        with Path(local_path).open("rb+") as file:
            file.truncate(file.seek(0, 2) - self.cut)

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        raise NotImplementedError

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        raise NotImplementedError


@pytest.fixture(name="folder")
def _folder(template: Tracked, tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    shutil.copytree(template.model_folder, folder)
    (folder / "code/inner").mkdir(parents=True)
    (folder / "code/inner/a.py").write_text("a = 1\n")
    (folder / "code/a-b").write_text("b")
    return folder


def digest_of(files: tuple[Entry, ...]) -> Digest:
    tree = FileTree(kitfile=Kitfile(model=Model(path="model")), files=files)
    return pack(tree, MemoryStore()).manifest.digest


def test_remote_and_local_files_give_one_digest(folder: Path) -> None:
    remote = Remote(folder)
    files = fetch_files(Downloads(remote), list_files(remote))
    assert remote.downloaded == []
    assert digest_of(files) == digest_of(find_files(folder))
    assert len(remote.downloaded) == len(set(remote.downloaded)) == len(files)


def test_a_file_that_arrives_shorter_than_listed_is_refused(folder: Path) -> None:
    remote = Remote(folder)
    remote.cut = 1
    with pytest.raises(SourceError, match=r"bytes and sent"):
        digest_of(fetch_files(Downloads(remote), list_files(remote)))


KILLED_WHILE_DOWNLOADING = """
import os, signal
from kitline_mlflow.remote.downloads import Downloads
class Artifacts:
    def _download_file(self, path, local):
        open(local, "wb").close()
        os.kill(os.getpid(), signal.SIGKILL)
Downloads(Artifacts()).open("weights", 1, 0)
"""


def test_a_downloaded_file_is_gone_when_it_was_read(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)  # asks the environment again
    files, warnings = open_files(Remote(folder))
    assert files[0].open
    with files[0].open(0):
        assert list(temporary.iterdir()) == []
    assert "MLflow cannot stream from 'remote://bucket/model'" in warnings[0]


def test_what_a_killed_import_downloaded_goes_with_the_next(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)  # asks the environment again
    subprocess.run([sys.executable, "-c", KILLED_WHILE_DOWNLOADING], check=False)
    (left,) = temporary.iterdir()
    assert left.is_dir()
    files, _ = open_files(Remote(folder))
    assert files[0].open
    with files[0].open(0):
        assert list(temporary.iterdir()) == []


def test_a_listing_without_end_is_refused() -> None:
    class Endless(Remote):
        def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
            return [FileInfo(f"{path}/a" if path else "a", True, None)]

    with pytest.raises(SourceError, match="has no end"):
        open_files(Endless(Path()))


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "a//b", "a\\..\\b"])
def test_a_listing_that_leaves_the_folder_is_refused(folder: Path, path: str) -> None:
    with pytest.raises(SourceError, match="is no path inside the model"):
        fetch_files(Downloads(Remote(folder)), [(path, 1)])
