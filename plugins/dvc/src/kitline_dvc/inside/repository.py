"""A DVC repository at one commit, read from git's objects; no file of a workspace is touched."""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from kitline.errors import SourceError
from kitline.plugin import without_passwords

from kitline_dvc.inside.failures import dvc_errors, reason_of
from kitline_dvc.inside.legacy import LEGACY
from kitline_dvc.inside.outputs import read_output
from kitline_dvc.inside.remotes import open_remote

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from kitline.plugin import LockedFolder

    from kitline_dvc.inside.clone_config import CloneRemotes
    from kitline_dvc.inside.outputs import Output
    from kitline_dvc.inside.remotes import Remote


@dataclass(frozen=True, kw_only=True)
class GitFile:
    """A file that git keeps, relative to the repository of DVC."""

    path: str
    size: int
    is_executable: bool
    is_link: bool
    digest: str
    """Git's name for the content."""


class Repository:
    """A DVC repository at one commit of git.

    `open_at` and `clone` make them. `root` is the folder on this disk, None for a clone.
    """

    def __init__(
        self,
        scm: Any,
        commit: str,
        subdir: str,
        config: Mapping[str, Any],
        root: str | None,
        remotes: CloneRemotes | None = None,
    ) -> None:
        from dvc.repo import Repo

        from kitline_dvc.inside.guarded import CloneRepo, GuardedGit

        self.commit = commit
        self.subdir = subdir
        """Where the repository of DVC lies in that of git; empty for the top."""
        self.root = root
        self._scm = scm
        self._fs = GuardedGit(scm=scm, rev=commit)
        self._fs.is_foreign = remotes is not None
        self._remotes = remotes
        make = Repo if remotes is None else partial(CloneRepo, remotes=remotes)
        top = posixpath.join("/", subdir)
        self._repo = make(top, fs=self._fs, scm=scm, config=dict(config) or None)
        self._has_cache = self._repo.cache.local is not None
        if not self._has_cache:
            # DVC wants its folder as soon as a .dvc file tells of an import; nothing can lie there
            cache = {**config.get("cache", {}), "dir": os.devnull}
            self._repo = make(top, fs=self._fs, scm=scm, config={**config, "cache": cache})
        self._repo.stage_collection_error_handler = self._keep_failure
        self.unreadable: dict[str, str] = {}
        """The `.dvc` files and dvc.yaml that DVC cannot read, and why; known with `outputs`."""
        self._clone: LockedFolder | None = None
        self._read: dict[str, bytes] = {}

    @property
    def address(self) -> str | None:
        """Where git says that the repository comes from; without password."""
        try:
            found = self._scm.dulwich.repo.get_config().get((b"remote", b"origin"), b"url")
        except KeyError:
            return None
        return without_passwords(found.decode("utf-8", "replace"))

    def outputs(self) -> list[Output]:
        """Return all outputs of the revision."""
        with dvc_errors(f"the outputs of commit {self.commit[:12]}"):
            return [read_output(each, self._repo.root_dir) for each in self._repo.index.outs]

    def _keep_failure(self, file: str, cause: Exception) -> None:
        """Go on without a file that cannot be read: other paths do not need it."""
        path = posixpath.relpath(os.path.abspath(file), self._repo.root_dir)
        self.unreadable[path] = reason_of(cause).replace(f"'{file}'", repr(path))

    def cache_folder(self, hash_name: str) -> str | None:
        """Return the folder of the cache; None if the repository has none here."""
        if not self._has_cache:
            return None
        cache = self._repo.cache
        return str((cache.legacy if hash_name == LEGACY else cache.local).path)

    def find_remote(self, name: str | None) -> Remote | None:
        """Return a remote, the default one without name; None if there is no default.

        Raises:
            SourceError: if the configuration has no such remote, or a clone may not name it.
        """
        config = self._repo.config
        if self._remotes is not None:
            self._remotes.require(name or config["core"].get("remote"))
        return open_remote(config, name)

    def git_files(self, path: str) -> list[GitFile]:
        """Return the files that git keeps at or below a path; none if there is no such path."""
        top = posixpath.join(self._repo.root_dir, path) if path else self._repo.root_dir
        if not self._fs.exists(top):
            return []
        with dvc_errors(f"{path!r} at commit {self.commit[:12]}"):
            if self._fs.isfile(top):
                return [self._git_file(top)]
            return [self._git_file(each) for each in self._fs.find(top)]

    def read_git(self, path: str) -> bytes:
        """Read a file that git keeps; small ones only, for it is read whole."""
        if path in self._read:
            return self._read[path]
        with dvc_errors(f"{path!r} at commit {self.commit[:12]}"):
            found: bytes = self._fs.fs.cat_file(posixpath.join(self._repo.root_dir, path))
        if self._clone is not None:  # which is gone when the file is packed
            self._read[path] = found
        return found

    def has_git_file(self, path: str) -> bool:
        """Tell whether git keeps a file of that path."""
        return bool(self._fs.isfile(posixpath.join(self._repo.root_dir, path)))

    def fill_cache(self, paths: list[str]) -> None:
        """Fetch what the cache lacks of these paths, as `dvc fetch` does."""
        from dvc.exceptions import NoOutputOrStageError

        targets = [posixpath.join(self._repo.root_dir, each) for each in paths]
        with dvc_errors(f"what 'dvc fetch' gets for {', '.join(paths)}"):
            try:
                self._repo.fetch(targets=targets)
            except NoOutputOrStageError:  # a folder above several outputs
                self._repo.fetch(targets=targets, recursive=True)

    def stage_parameters(self, file: str, stage: str) -> dict[str, Any]:
        """Return the params of a stage as its lock file has them, by file and key."""
        with dvc_errors(f"stage {file}:{stage}"):
            found = self._repo.stage.load_one(posixpath.join(self._repo.root_dir, file), stage)
            return {
                posixpath.relpath(str(each.fs_path), self._repo.root_dir): dict(
                    each.hash_info.value or {}
                )
                for each in found.params
            }

    def all_parameters(self) -> dict[str, Any]:
        """Return the params of the whole repository, by file."""
        with dvc_errors("the params of the repository"):
            return _shown(self._repo.params.show(), self._repo.root_dir)

    def all_metrics(self) -> dict[str, Any]:
        """Return the metrics of the whole repository, by file."""
        with dvc_errors("the metrics of the repository"):
            return _shown(self._repo.metrics.show(), self._repo.root_dir)

    def artifact_kinds(self) -> dict[str, str]:
        """Return the types of what stands under `artifacts:`, by path."""
        with dvc_errors("the artifacts of dvc.yaml"):
            found = self._repo.artifacts.read()
        return {
            posixpath.normpath(posixpath.join(posixpath.dirname(file), each.path)): each.type or ""
            for file, artifacts in found.items()
            for each in artifacts.values()
        }

    def artifacts(self) -> dict[str, str]:
        """Return the paths of what stands under `artifacts:`, by the names that GTO's tags have."""
        with dvc_errors("the artifacts of dvc.yaml"):
            found = self._repo.artifacts.read()
        paths = {}
        for file, artifacts in found.items():
            folder = posixpath.dirname(file)
            top = posixpath.normpath(posixpath.join(self.subdir, folder))
            for name, each in artifacts.items():
                key = name if top == "." else f"{top}:{name}"
                paths[key] = posixpath.normpath(posixpath.join(folder, each.path))
        return paths

    def artifact_path(self, name: str) -> str:
        """Return the path of an artifact, relative to the repository of DVC."""
        with dvc_errors(f"artifact {name!r}"):
            path = self._repo.artifacts.get_path(name)
        return posixpath.relpath(path, self.subdir) if self.subdir else str(path)

    def owns(self, clone: LockedFolder | None) -> None:
        """Take over the folder of a clone, which goes when the repository is closed."""
        self._clone = clone

    @property
    def is_clone(self) -> bool:
        """Whether it goes away when it is closed."""
        return self._clone is not None

    def close(self) -> None:
        """Remove the clone, if it is one; what has been read of it stays."""
        if self._clone is not None:
            self._scm.close()
            self._clone.close()

    def _git_file(self, path: str) -> GitFile:
        found = self._fs.fs.info(path)
        mode = int(found.get("mode") or 0)
        return GitFile(
            path=posixpath.relpath(path, self._repo.root_dir),
            size=int(found["size"]),
            is_executable=bool(mode & 0o111),
            is_link=mode & 0o170000 == 0o120000,
            digest=str(found.get("sha", "")),
        )


def open_at(
    scm: Any,
    commit: str,
    subdir: str,
    root: str | None,
    extra: Mapping[str, Any],
    remotes: CloneRemotes | None = None,
) -> Repository:
    """Open a repository at a commit; `extra` is configuration that counts before all other.

    `remotes` says which ones of a clone may be read.
    """
    config = workspace_config(root) if root else {}
    for section, values in extra.items():
        config[section] = {**config.get(section, {}), **values}
    with dvc_errors(f"commit {commit[:12]}"):
        return Repository(scm, commit, subdir, config, root, remotes)


def workspace_config(root: str) -> dict[str, Any]:
    """Return remotes and cache as the workspace has them now, with absolute paths.

    An old commit names them as they were then, and relative to itself.
    """
    from dvc.config import Config

    folder = os.path.join(root, ".dvc")
    if not os.path.isdir(folder):
        return {}
    with dvc_errors(f"the configuration in {folder!r}"):
        found = Config(folder)
    return {
        key: value for key in ("core", "remote", "cache") if (value := dict(found.get(key) or {}))
    }


def _shown(found: Mapping[str, Any], root: str) -> dict[str, Any]:
    values = (found.get("") or {}).get("data") or {}
    for name, each in values.items():
        if isinstance(each.get("error"), Exception):
            shown = posixpath.relpath(name, root) if name.startswith("/") else name
            raise SourceError(f"cannot read {shown!r}: {reason_of(each['error'])}")
    return {
        posixpath.relpath(name, root) if name.startswith("/") else name: each["data"]
        for name, each in values.items()
        if "data" in each
    }
