"""DVC repositories to import from: many small files, or one large one, in a warm cache."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machine import BLOCK

if TYPE_CHECKING:
    from pathlib import Path

PATH, TAG = "data/train", "v1"
_FOLDERS = 50


@dataclass(frozen=True, kw_only=True)
class DvcData:
    """A repository whose workspace, which is a plain folder of the same files, has a Kitfile."""

    name: str
    root: Path
    files: int
    size: int
    """Of all files, in bytes."""

    @property
    def room(self) -> int:
        """Bytes of memory that a registry needs at most for a kit of it."""
        return self.size + self.files * 1024 + (4 << 20)


def set_environment(folder: Path) -> None:
    """Keep DVC and git of this process and its children away from the settings of people."""
    os.environ |= {
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(folder / "dvc-site"),
        "DVC_GLOBAL_CONFIG_DIR": str(folder / "dvc-global"),
        "DVC_SYSTEM_CONFIG_DIR": str(folder / "dvc-system"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_AUTHOR_NAME": "bench",
        "GIT_AUTHOR_EMAIL": "bench@example.org",
        "GIT_COMMITTER_NAME": "bench",
        "GIT_COMMITTER_EMAIL": "bench@example.org",
    }


def make_dvc(root: Path, name: str, *, files: int, size: int) -> DvcData:
    """Make a repository that tracks `files` files of `size` bytes each, or one file."""
    from dvc.repo import Repo

    git(None, "init", "-q", "-b", "main", str(root))
    with Repo.init(str(root)) as repo, repo.config.edit() as config:
        config["core"].update(analytics="false", check_update="false", autostage="true")
    target = root / PATH
    if files == 1:
        target.parent.mkdir(parents=True)
        _write(target, size)
    for number in range(files if files > 1 else 0):
        path = target / f"{number % _FOLDERS:02}" / f"{number:06}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, size)
    (root / "Kitfile").write_text(
        f"manifestVersion: 1.0.0\ndatasets: [{{name: train, path: {PATH}}}]\n"
    )
    with Repo(str(root)) as repo:
        repo.add([str(target)])
    git(root, "add", "-A")
    git(root, "commit", "-qm", "data")
    git(root, "tag", TAG)
    return DvcData(name=name, root=root, files=files, size=files * size)


def clone(data: DvcData, target: Path) -> Path:
    """Make an empty workspace of the same commit that shares the cache of the first."""
    git(None, "clone", "-q", str(data.root), str(target))
    cache = data.root / ".dvc/cache"
    (target / ".dvc/config.local").write_text(f"[cache]\n    dir = {cache}\n")
    return target


def git(folder: Path | None, *arguments: str) -> None:
    """Run git."""
    subprocess.run(["git", *arguments], cwd=folder, check=True)


def _write(path: Path, size: int) -> None:
    with path.open("wb") as out:
        while size:
            size -= out.write(os.urandom(min(BLOCK, size)))
