"""Guarded reading: what the files of a repository may not make DVC do.

No YAML file of any repository may be too much for this machine. A clone is somebody else's: its
files name no configuration of this machine, and its remotes are `clone_config`'s business.
Loaded only where DVC is wanted, for it imports DVC at its top.
"""

from __future__ import annotations

import posixpath
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any

from dvc.config import Config
from dvc.exceptions import DvcException
from dvc.fs import GitFileSystem, LocalFileSystem
from dvc.repo import Repo

from kitline_dvc.inside.yaml_bounds import find_excess

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitline_dvc.inside.clone_config import CloneRemotes

_NO_YAML = (".json", ".toml", ".py", ".gitignore", ".dvcignore")


class RefusedFileError(DvcException):  # type: ignore[misc] # DVC is untyped
    """A file that is not read; DVC treats it like one that is broken."""


class GuardedGit(GitFileSystem):  # type: ignore[misc] # DVC is untyped
    """Git's files as DVC reads them, without those that no machine could read."""

    is_foreign = False
    """Whether they are a clone's."""

    def open(self, path: str, mode: str = "r", **options: Any) -> Any:
        if _is_read_as_yaml(path, mode):
            with super().open(path, mode, **options) as file:
                text = _checked(path, file)
            if self.is_foreign and path.endswith(".dvc") and "config" in text:
                _refuse_named_configuration(path, text)
        return super().open(path, mode, **options)


class GuardedWorkspace(LocalFileSystem):  # type: ignore[misc] # DVC is untyped
    """Files of a workspace, without those that no machine could read."""

    def open(self, path: str, mode: str = "r", **options: Any) -> Any:
        if _is_read_as_yaml(path, mode):
            with super().open(path, mode, **options) as file:
                _checked(path, file)
        return super().open(path, mode, **options)


class CloneRepo(Repo):  # type: ignore[misc] # DVC is untyped
    """The repository of a clone, which sees of its own configuration what is harmless."""

    def __init__(self, *arguments: Any, remotes: CloneRemotes, **options: Any) -> None:
        self._clone_remotes = remotes
        super().__init__(*arguments, **options)

    @cached_property
    def config(self) -> Any:
        return _CloneConfig(self.dvc_dir, self._clone_remotes, fs=self.fs, config=self._config)


class _CloneConfig(Config):  # type: ignore[misc] # DVC is untyped
    def __init__(self, folder: str, remotes: CloneRemotes, **options: Any) -> None:
        self._clone_remotes = remotes
        super().__init__(folder, **options)

    def _load_config(self, level: str) -> Mapping[str, Any]:
        found: dict[str, Any] = super()._load_config(level)
        if level != "repo":
            self._clone_remotes.add_own(found.get("remote") or {})
            return found
        return self._clone_remotes.narrow(found)


def _is_read_as_yaml(path: str, mode: str) -> bool:
    """Tell whether a file is opened to be parsed, and its name says nothing but YAML."""
    return mode in ("r", "rt") and not path.endswith(_NO_YAML)


def _checked(path: str, file: IO[str]) -> str:
    try:
        text = file.read()
    except UnicodeDecodeError:
        return ""  # which DVC says in its own words
    excess = find_excess(text)
    if excess is not None:
        raise RefusedFileError(f"{posixpath.basename(path)!r} is not read: {excess}")
    return text


def _refuse_named_configuration(path: str, text: str) -> None:
    """Refuse a `.dvc` file whose import brings a configuration: DVC would open that file here."""
    from dvc.utils.serialize import parse_yaml

    content = parse_yaml(text, path)
    found = content.get("deps") if isinstance(content, dict) else None
    for each in found if isinstance(found, list) else ():
        repo = each.get("repo") if isinstance(each, dict) else None
        if isinstance(repo, dict) and isinstance(repo.get("config"), str):
            raise RefusedFileError(
                f"{posixpath.normpath(path).lstrip('/')!r} names a configuration file of this"
                " machine, which a repository that lies elsewhere may not"
            )
